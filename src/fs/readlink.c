/* readlink.c - where a symbolic link points to (RFC 1813 §3.3.5), as bytes: the client follows it, never the server. */
#include "internal.h"

#define TARGET_MAX 4096 /* PATH_MAX */

enum st fs_readlink(struct fs_req *q, struct st_node *n, char **ret, size_t *ret_n)
{
    if (n->type != ST_LNK)
        return ST_INVAL;
    char *target = arena_alloc(q->arena, TARGET_MAX + 1);
    if (!target)
        return ST_NOMEM;
    size_t len = 0;
    enum st st = n->store->ops->readlink(n, target, TARGET_MAX, &len);
    if (st != ST_OK)
        return st;
    target[len] = '\0';
    *ret = target;
    *ret_n = len;
    return ST_OK;
}
