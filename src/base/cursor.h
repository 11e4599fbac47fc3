/* cursor.h - bounds-checked reading of received bytes. Header only.
 *
 * Every decoder reads through a cursor; none indexes a buffer by hand. A read past the end yields zeroes (or
 * NULL), leaves the cursor at its end and sets `bad`, which stays set: a decoder reads all its fields and asks
 * once, at its end, whether the message was good. Little-endian reads are for SMB, big-endian ones for XDR.
 */
#pragma once
#include "bytes.h"
#include "util.h"

struct cursor {
    const uint8_t *base; /* first byte of what may be read */
    const uint8_t *p;    /* next byte */
    const uint8_t *end;  /* one past the last byte */
    bool bad;            /* a read or seek went out of bounds */
};

static inline struct cursor cursor_of(const void *data, size_t n)
{
    const uint8_t *p = data;
    return (struct cursor){.base = p, .p = p, .end = p + n};
}
static inline size_t cursor_left(const struct cursor *c) { return (size_t)(c->end - c->p); }
static inline size_t cursor_pos(const struct cursor *c) { return (size_t)(c->p - c->base); }

/* The next n bytes where they lie, or NULL. */
static inline const uint8_t *cursor_take(struct cursor *c, size_t n)
{
    if (unlikely(c->bad || n > cursor_left(c))) {
        c->bad = true;
        c->p = c->end;
        return NULL;
    }
    const uint8_t *p = c->p;
    c->p += n;
    return p;
}
static inline void cursor_skip(struct cursor *c, size_t n) { (void)cursor_take(c, n); }

/* Continues at `pos` bytes after the base (an offset field of SMB). */
static inline void cursor_seek(struct cursor *c, size_t pos)
{
    if (unlikely(c->bad || pos > (size_t)(c->end - c->base))) {
        c->bad = true;
        c->p = c->end;
        return;
    }
    c->p = c->base + pos;
}

/* A cursor over bytes [pos, pos+n) after the base, own `base` at their start; bad when they are not all there. */
static inline struct cursor cursor_slice(const struct cursor *c, size_t pos, size_t n)
{
    size_t total = (size_t)(c->end - c->base);
    if (unlikely(c->bad || pos > total || n > total - pos))
        return (struct cursor){.base = c->end, .p = c->end, .end = c->end, .bad = true};
    return cursor_of(c->base + pos, n);
}

#define CURSOR_READ(type, name, width, get)                                                                            \
    static inline type name(struct cursor *c)                                                                          \
    {                                                                                                                  \
        const uint8_t *p = cursor_take(c, width);                                                                      \
        return likely(p != NULL) ? get(p) : 0;                                                                         \
    }
#define CURSOR_BYTE(p) (*(p))
CURSOR_READ(uint8_t, cursor_u8, 1, CURSOR_BYTE)
CURSOR_READ(uint16_t, cursor_le16, 2, get_le16)
CURSOR_READ(uint32_t, cursor_le32, 4, get_le32)
CURSOR_READ(uint64_t, cursor_le64, 8, get_le64)
CURSOR_READ(uint16_t, cursor_be16, 2, get_be16)
CURSOR_READ(uint32_t, cursor_be32, 4, get_be32)
CURSOR_READ(uint64_t, cursor_be64, 8, get_be64)
#undef CURSOR_READ
#undef CURSOR_BYTE
