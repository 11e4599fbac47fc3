/* ndr.h - the transfer syntax NDR 2.0 ([C706] chapter 14, [MS-RPCE] 2.2.5), little-endian, as far as the interfaces
 * here need it: aligned integers, unique pointers, strings. Positions count from the start of the stub data, so
 * cursors and buffers begin there. */
#pragma once
#include "base/arena.h"
#include "base/cursor.h"
#include "base/wbuf.h"

static inline void ndr_align(struct cursor *c, size_t to)
{
    cursor_skip(c, ALIGN_UP(cursor_pos(c), to) - cursor_pos(c));
}
static inline uint32_t ndr_u32(struct cursor *c)
{
    ndr_align(c, 4);
    return cursor_le32(c);
}
static inline bool ndr_pointer(struct cursor *c) { return ndr_u32(c) != 0; } /* false: NULL */
/* A conformant varying string of UTF-16 units with its NUL, as UTF-8 in the arena; NULL when malformed (c->bad is set)
 * or out of memory. */
#define NDR_STRING_MAX 1024 /* units */
char *ndr_string(struct arena *a, struct cursor *c);

static inline void ndr_put_u32(struct wbuf *w, uint32_t v)
{
    wbuf_align(w, 0, 4);
    wbuf_le32(w, v);
}
/* A pointer's referent id: any number but 0, different for each. */
static inline void ndr_put_pointer(struct wbuf *w, bool present)
{
    wbuf_align(w, 0, 4);
    wbuf_le32(w, present ? 0x00020000u + 4 * (uint32_t)wbuf_len(w) : 0);
}
void ndr_put_string(struct wbuf *w, const char *utf8);
