/* commit.c - makes durable what was written (RFC 1813 §3.3.21, [MS-FSA] 2.1.5.6). Waits for the disk: on the pool.
 *
 * Through an open it is Windows' flush, which calls back write caches of other keys; COMMIT of a client without one
 * concerns only what the server has, and breaks nobody. */
#include "internal.h"

static enum st act(struct st_node *n, struct fs_wcc *wcc)
{
    struct st_attr a;
    fsn_lock_all(&n, 1);
    enum st st = n->store->ops->getattr(n, &a);
    fsn_unlock_all(&n, 1);
    if (st == ST_OK)
        fs_wcc_known(wcc, &a); /* flushing changes no attribute */
    return st == ST_OK ? n->store->ops->sync(n, false) : st;
}

enum st fs_commit(struct fs_req *q, struct st_node *n, struct fs_open *o, struct fs_wcc *wcc)
{
    if (!q->may_block && q->job)
        return ST_OFFLOAD;
    if (!fsn(n))
        return ST_NOMEM;
    FS_THROUGH(q, o);
    struct st_attr a;
    enum st st = n->store->ops->getattr(n, &a);
    if (st != ST_OK)
        return st;
    fs_wcc_known(wcc, &a);
    if (!o) {
        st = fs_read_only(q) ? ST_OK : fs_permit(q, n, &a, n->type == ST_DIR ? FS_LIST : FS_WRITE_DATA);
        return st == ST_OK ? act(n, wcc) : st;
    }
    st = fs_permit_io(o, FS_WRITE_DATA | FS_APPEND_DATA);
    if (st != ST_OK)
        return st;
    struct co_ask ask = fs_ask_io(n, o, CO_FLUSH, 0, UINT64_MAX);
    st = fs_gate(q, &ask, 1);
    if (st != ST_OK)
        return st;
    st = act(n, wcc);
    fs_leave(q);
    return st;
}
