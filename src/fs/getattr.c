/* getattr.c - an object's attributes (RFC 1813 §3.3.1). Needs no permission: who holds the handle was let in.
 *
 * A client that caches writes may know a newer size than the server. That is tolerated (it breaks nothing), unless the
 * policy attr_lazy asks the engine to call the cache back in the background; the engine never lets this wait. */
#include "internal.h"

static enum st gate_lazy(struct fs_req *q, struct st_node *n)
{
    struct co_ask ask = fs_ask(n, CO_GETATTR);
    return fs_gate(q, &ask, 1);
}

enum st fs_getattr(struct fs_req *q, struct st_node *n, struct st_attr *ret)
{
    if (likely(!atomic_load_explicit(&q->fs->attr_lazy, memory_order_relaxed)))
        return n->store->ops->getattr(n, ret);
    enum st st = gate_lazy(q, n);
    if (st != ST_OK)
        return st;
    st = n->store->ops->getattr(n, ret);
    fs_leave(q);
    return st;
}
