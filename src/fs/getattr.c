/* getattr.c - an object's attributes (RFC 1813 §3.3.1). Needs no permission: who holds the handle was let in.
 *
 * A client that caches writes may know a newer size than the server. That is tolerated (it breaks nothing), unless the
 * policy attr_lazy asks the engine to call the cache back in the background; the engine never lets this wait. */
#include "internal.h"

enum st fs_getattr(struct fs_req *q, struct st_node *n, struct st_attr *ret)
{
    if (unlikely(atomic_load_explicit(&q->fs->attr_lazy, memory_order_relaxed)))
        fs_hint(q, fs_ask(n, CO_GETATTR));
    return n->store->ops->getattr(n, ret);
}
