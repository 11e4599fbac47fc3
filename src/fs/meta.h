/* meta.h - what Windows stores with a file: streams, extended attributes, security descriptors; and SIDs. */
#pragma once
#include "open.h"

/* --- Streams. Data I/O on a stream goes through fs_read()/fs_write() with its open. */
struct fs_stream {
    const char *name; /* server-side bytes, without ':' and type; "" = the unnamed data stream */
    size_t n;
    uint64_t size, alloc;
};
enum st fs_streams(struct fs_req *q, struct st_node *n, const struct fs_stream **ret, size_t *ret_n); /* arena */
enum st fs_stream_rename(struct fs_req *q, struct fs_open *o, const char *name, size_t n, bool replace);

/* --- Extended attributes (names case-insensitive, kept as first written). A zero-length value removes. */
struct fs_ea {
    uint8_t flags;
    const char *name;
    size_t nname;
    const uint8_t *value;
    size_t nvalue;
};
enum st fs_ea_list(struct fs_req *q, struct fs_open *o, const struct fs_ea **ret, size_t *ret_n); /* arena */
enum st fs_ea_set(struct fs_req *q, struct fs_open *o, const struct fs_ea *ea, size_t n);

/* --- Security descriptors, self-relative ([MS-DTYP] 2.4.6). A descriptor set over SMB is stored with the file and
 * also sets the mode bits; a chmod or chown from elsewhere voids it. Without one it is made from mode, uid and gid. */
enum { FS_SEC_OWNER = 1, FS_SEC_GROUP = 2, FS_SEC_DACL = 4, FS_SEC_SACL = 8 };
enum st fs_sd_get(struct fs_req *q, struct st_node *n, struct fs_open *o, uint32_t info, uint8_t **ret, size_t *ret_n);
enum st fs_sd_set(struct fs_req *q, struct st_node *n, struct fs_open *o, uint32_t info, const uint8_t *sd, size_t len);

/* --- SIDs: S-1-22-1-uid and S-1-22-2-gid, and the well-known ones. Binary form of [MS-DTYP] 2.4.2.2. */
#define FS_SID_MAX 68
size_t fs_sid_user(uint32_t uid, uint8_t out[FS_SID_MAX]);
size_t fs_sid_group(uint32_t gid, uint8_t out[FS_SID_MAX]);

/* --- Reparse points: symbolic links as IO_REPARSE_TAG_SYMLINK. The target as server-side bytes, in the arena. */
#define FS_REPARSE_TAG_SYMLINK 0xA000000Cu
enum st fs_symlink_set(struct fs_req *q, struct fs_open *o, const char *target, size_t n); /* replaces an empty file */
