/* winmeta.h - the cache of Windows metadata, for the files of src/fs that read or change it. */
#pragma once
#include "internal.h"

/* Windows' extended attributes are the host's plain user attributes (store.h): Linux programs see the same ones. */
#define FS_EA_PREFIX "user:"
bool fs_ea_visible(const char *xattr); /* ea.c: is this store attribute an EA of Windows? */

/* Loads the cache for the node as seen in `a` and keeps it locked on ST_OK. */
enum st fs_meta_lock(struct st_node *n, const struct st_attr *a, struct fsn **ret);
void fs_meta_unlock(struct fsn *f);
void fs_meta_forget(struct st_node *n); /* after changing an extended attribute */
enum st fs_meta_sparse(struct st_node *n, bool on);
bool fs_dos_ok(enum st_type type, uint32_t dos);
/* ea.c: ST_BADNAME or ST_FBIG when one of them cannot be; writing them, with the node's lock. */
enum st fs_eas_check(const struct fs_ea *ea, size_t n);
enum st fs_eas_write(struct st_node *n, const struct fs_ea *ea, size_t nea);
