/* file.h - what the handlers of file commands share: finding the open a command is about, times, names.
 *
 * Knows the wire's conventions ([MS-DTYP] 2.3.3 times, UTF-16LE paths, FileId); must not know any command.
 */
#pragma once
#include "smb.h"

/* 100 ns since 1601 ([MS-DTYP] 2.3.3) and back. */
uint64_t smb_time(const struct timespec *t);
struct timespec smb_time_to_timespec(uint64_t nt);

/* What Windows calls the sizes: directories have none. */
static inline uint64_t smb_eof(const struct fs_attr *a) { return a->st.type == ST_DIR ? 0 : a->st.size; }
static inline uint64_t smb_alloc(const struct fs_attr *a) { return a->st.type == ST_DIR ? 0 : a->st.used; }

/* The open whose FileId is next in r->in; from here on r->fs acts for it. STATUS_SUCCESS, or why not. */
uint32_t smb_any_open(struct smb_req *r, struct smb_open **ret);  /* file or pipe */
uint32_t smb_file_open(struct smb_req *r, struct smb_open **ret); /* STATUS_INVALID_DEVICE_REQUEST for a pipe */
void smb_act_for(struct smb_req *r, struct smb_open *o);
/* The same on each run of a handler that keeps the open over its runs: closing it wakes the request. */
void smb_act_again(struct smb_req *r, struct smb_open *o);

/* A path from the wire, split into the file's path and a stream's name. */
struct smb_path {
    char *path; /* '/' between components, "" = the base; NUL-terminated, in the arena */
    size_t n;
    char *stream; /* NULL: none */
    bool data;      /* "::$DATA" was said: cannot be a directory */
    bool directory; /* ":$I30:$INDEX_ALLOCATION" was said */
};
#define SMB_PATH_MAX 32767 /* UTF-16 units, as Windows' UNICODE_STRING */
uint32_t smb_path_parse(struct arena *a, const uint8_t *utf16, size_t nbytes, struct smb_path *ret);
/* Only a stream's part (":name" or ":name:$DATA"): rename targets of streams. */
uint32_t smb_stream_parse(struct arena *a, const uint8_t *utf16, size_t nbytes, struct smb_path *ret);

bool smb_is_dots(const char *name, size_t n); /* "." or ".." */
/* Server-side bytes as UTF-16LE at the end of w; a path's '/' become '\\'. Returns bytes written. */
size_t smb_put_name(struct wbuf *w, const char *name, size_t n);
size_t smb_put_stream(struct wbuf *w, const char *name, size_t n);
size_t smb_put_path(struct wbuf *w, const char *path, size_t n);
/* Plain text (no file name). */
size_t smb_put_text(struct wbuf *w, const char *text);

/* Writes the ERROR response's body with data ([MS-SMB2] 2.2.2) and sets r->has_body; in 3.1.1 the data is
 * wrapped in an error context. Returns `status`. */
uint32_t smb_error_data(struct smb_req *r, uint32_t status, const void *data, size_t n);
