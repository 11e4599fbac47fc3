/* access_op.c - what may the caller do with an object? RFC 1813 §3.3.4 ACCESS; also SMB's maximal access. */
#include "internal.h"

enum st fs_access(struct fs_req *q, struct st_node *n, uint32_t want, uint32_t *ret_granted)
{
    struct st_attr a;
    enum st st = n->store->ops->getattr(n, &a);
    if (st != ST_OK)
        return st;
    uint32_t granted = fs_granted(q, n, &a);
    *ret_granted = want & FS_MAXIMUM_ALLOWED ? granted : fs_map_generic(want) & granted;
    return ST_OK;
}
