/* streams.h - alternate data streams, for the files of src/fs that open and close them. A stream is the extended
 * attribute "stream.NAME" of its file: named by clients without case, kept as first spelled, whole in one value. */
#pragma once
#include "internal.h"

#define FS_STREAM_PREFIX "stream."
#define FS_STREAM_MAX 65536 /* bytes of one: a value of a store (store.h) */
#define FS_STREAM_LINK 1    /* a stream has one name: what the engine knows it by */

/* The attribute of the stream, spelled as it is: ST_NOATTR when there is none, then as asked for. */
enum st fs_stream_find(struct st_node *n, const char *stream, char out[ST_NAME_MAX + 1]);
enum st fs_stream_size(struct st_node *n, const char *stream, uint64_t *ret);
/* With the node's lock. */
enum st fs_stream_make(struct st_node *n, const char *stream);
enum st fs_stream_empty(struct st_node *n, const char *stream); /* no bytes left */
enum st fs_stream_remove(struct st_node *n, const char *stream);
enum st fs_streams_drop(struct st_node *n); /* all; also the extended attributes of Windows */
struct co_key fs_stream_key(const struct st_node *n, const char *stream);
/* Its stream's name at this moment, which a rename changes: valid as long as the open. */
const char *fs_open_stream(struct fs_open *o);
