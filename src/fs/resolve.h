/* resolve.h - paths of SMB: what a path of components leads to. */
#pragma once
#include "internal.h"

struct fs_path {
    struct st_node *dir;        /* where the last name is, or would be; NULL: the path is the share's root */
    struct st_attr dir_attr;
    uint32_t moves;             /* fsn(dir)->moves before the name was looked up */
    char name[ST_NAME_MAX + 1]; /* as on disk; when nothing is there, as given */
    size_t n;
    struct st_node *node;       /* NULL: no such name */
};
void fs_path_done(struct fs_path *p);
#define _cleanup_path_ _cleanup_(fs_path_done)

enum {
    FS_RESOLVE_LINK = 1, /* a symbolic link at the end is what is wanted */
};
/* Case-insensitive. ST_OK also when only the last name does not exist. ST_NOPATH: one before it, or it is no directory;
 * ST_SYMLINK: a link is in the way and the share does not follow any; ST_LOOP; ST_ACCESS: may not go through. */
enum st fs_resolve(struct fs_req *q, struct st_node *base, const char *path, size_t n, unsigned flags,
                   struct fs_path *ret);
