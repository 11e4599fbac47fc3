/* wbuf.h - writing an outgoing message into one growing blk. Header part inline.
 *
 * Writes never fail at the call: when memory or the limit is exhausted `bad` is set and stays, further writes go
 * nowhere, and the encoder asks once at its end. Fields written early and known late (lengths, offsets) are patched
 * by position. */
#pragma once
#include "blk.h"
#include "bytes.h"

struct wbuf {
    struct blk *blk;   /* bytes [0, blk->len) are written; blk->head stays 0 */
    uint32_t limit;    /* most bytes the message may have */
    bool bad;
};

/* Room for `expect` bytes at once, growing up to `limit`. */
void wbuf_init(struct wbuf *w, size_t expect, size_t limit);
void wbuf_done(struct wbuf *w);         /* drops the block, if still held */
struct blk *wbuf_take(struct wbuf *w);  /* hands the block over; NULL when bad */
/* n bytes to fill in; NULL when bad. The pointer is valid until the next write. */
uint8_t *wbuf_grow(struct wbuf *w, size_t n);

static inline size_t wbuf_len(const struct wbuf *w) { return w->blk ? w->blk->len : 0; }
static inline uint8_t *wbuf_at(struct wbuf *w, size_t pos) { return w->blk->data + pos; } /* only when !bad */
static inline uint8_t *wbuf_room(struct wbuf *w, size_t n)
{
    if (likely(w->blk && n <= w->blk->cap - w->blk->len)) {
        uint8_t *p = w->blk->data + w->blk->len;
        w->blk->len += (uint32_t)n;
        return p;
    }
    return wbuf_grow(w, n);
}
static inline void wbuf_cut(struct wbuf *w, size_t len)
{
    if (w->blk && len < w->blk->len)
        w->blk->len = (uint32_t)len;
}
static inline void wbuf_put(struct wbuf *w, const void *data, size_t n)
{
    uint8_t *p = wbuf_room(w, n);
    if (p && n)
        memcpy(p, data, n);
}
static inline void wbuf_zero(struct wbuf *w, size_t n)
{
    uint8_t *p = wbuf_room(w, n);
    if (p)
        memset(p, 0, n);
}
/* Zeroes up to a multiple of `to` counted from `base`. */
static inline void wbuf_align(struct wbuf *w, size_t base, size_t to)
{
    wbuf_zero(w, ALIGN_UP(wbuf_len(w) - base, to) - (wbuf_len(w) - base));
}
#define WBUF_WRITE(type, suffix, width, put)                                                                           \
    static inline void wbuf_##suffix(struct wbuf *w, type v)                                                           \
    {                                                                                                                  \
        uint8_t *p = wbuf_room(w, width);                                                                              \
        if (likely(p != NULL))                                                                                         \
            put(p, v);                                                                                                 \
    }
#define WBUF_PUT8(p, v) (*(p) = (v))
WBUF_WRITE(uint8_t, u8, 1, WBUF_PUT8)
WBUF_WRITE(uint16_t, le16, 2, put_le16)
WBUF_WRITE(uint32_t, le32, 4, put_le32)
WBUF_WRITE(uint64_t, le64, 8, put_le64)
WBUF_WRITE(uint16_t, be16, 2, put_be16)
WBUF_WRITE(uint32_t, be32, 4, put_be32)
WBUF_WRITE(uint64_t, be64, 8, put_be64)
#undef WBUF_WRITE
#undef WBUF_PUT8
#define WBUF_PATCH(type, suffix, put)                                                                                  \
    static inline void wbuf_patch_##suffix(struct wbuf *w, size_t pos, type v)                                         \
    {                                                                                                                  \
        if (!w->bad)                                                                                                   \
            put(wbuf_at(w, pos), v);                                                                                   \
    }
WBUF_PATCH(uint16_t, le16, put_le16)
WBUF_PATCH(uint32_t, le32, put_le32)
WBUF_PATCH(uint32_t, be32, put_be32)
#undef WBUF_PATCH
