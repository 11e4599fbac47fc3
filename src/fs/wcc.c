/* wcc.c - weak cache consistency data (RFC 1813 §2.6): what an object was like just before and just after an operation.
 * Exact because both are taken under the node's lock. Every function accepts NULL: the caller does not want any. */
#include "internal.h"

void fs_wcc_pre(struct fs_wcc *w, const struct st_attr *a)
{
    if (!w)
        return;
    w->has_pre = true;
    w->pre_size = a->size;
    w->pre_mtime = a->mtime;
    w->pre_ctime = a->ctime;
}

void fs_wcc_post(struct fs_wcc *w, const struct st_attr *a)
{
    if (!w)
        return;
    w->has_post = true;
    w->post = *a;
}

void fs_wcc_known(struct fs_wcc *w, const struct st_attr *a)
{
    fs_wcc_pre(w, a);
    fs_wcc_post(w, a);
}
