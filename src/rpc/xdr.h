/* xdr.h - External Data Representation (RFC 4506) over cursors and wbufs. Header only.
 *
 * Reading: variable-length items take the limit of their specification and make the cursor bad beyond it; bytes stay
 * where they are. Padding is skipped, its value not looked at. Writing: padding is zero. */
#pragma once
#include "base/cursor.h"
#include "base/wbuf.h"

#define XDR_PAD(n) (ALIGN_UP((size_t)(n), (size_t)4))

static inline uint32_t xdr_u32(struct cursor *c) { return cursor_be32(c); }
static inline uint64_t xdr_u64(struct cursor *c) { return cursor_be64(c); }
/* RFC 4506 §4.4: only 0 and 1 are booleans. */
static inline bool xdr_bool(struct cursor *c)
{
    uint32_t v = cursor_be32(c);
    if (unlikely(v > 1))
        c->bad = true;
    return v == 1;
}
/* An enum whose values are 0 .. max. */
static inline uint32_t xdr_enum(struct cursor *c, uint32_t max)
{
    uint32_t v = cursor_be32(c);
    if (unlikely(v > max)) {
        c->bad = true;
        v = 0;
    }
    return v;
}
/* opaque[n]; NULL when bad. */
static inline const uint8_t *xdr_fixed(struct cursor *c, size_t n)
{
    const uint8_t *p = cursor_take(c, n);
    cursor_skip(c, XDR_PAD(n) - n);
    return c->bad ? NULL : p;
}
/* opaque<max>; NULL and *ret_n = 0 when bad. */
static inline const uint8_t *xdr_opaque(struct cursor *c, uint32_t max, uint32_t *ret_n)
{
    uint32_t n = cursor_be32(c);
    *ret_n = 0;
    if (unlikely(n > max)) {
        c->bad = true;
        return NULL;
    }
    const uint8_t *p = xdr_fixed(c, n);
    if (likely(p != NULL))
        *ret_n = n;
    return p;
}
/* string<max>, not NUL-terminated. */
static inline const char *xdr_string(struct cursor *c, uint32_t max, uint32_t *ret_n)
{
    return (const char *)xdr_opaque(c, max, ret_n);
}

static inline void xdr_put_u32(struct wbuf *w, uint32_t v) { wbuf_be32(w, v); }
static inline void xdr_put_u64(struct wbuf *w, uint64_t v) { wbuf_be64(w, v); }
static inline void xdr_put_bool(struct wbuf *w, bool v) { wbuf_be32(w, v); }
static inline void xdr_put_fixed(struct wbuf *w, const void *p, size_t n)
{
    wbuf_put(w, p, n);
    wbuf_zero(w, XDR_PAD(n) - n);
}
static inline void xdr_put_opaque(struct wbuf *w, const void *p, size_t n)
{
    wbuf_be32(w, (uint32_t)n);
    xdr_put_fixed(w, p, n);
}
static inline void xdr_put_string(struct wbuf *w, const char *s) { xdr_put_opaque(w, s, strlen(s)); }
