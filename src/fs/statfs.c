/* statfs.c - sizes and abilities of the file system under an object (RFC 1813 §3.3.18, §3.3.19). */
#include "internal.h"

enum st fs_statfs(struct fs_req *q, struct st_node *n, struct st_fsinfo *ret)
{
    return n->store->ops->statfs(n->store, ret);
}
