/* utf.c - UTF-8 and UTF-16LE: decoding, encoding, comparing. Knows nothing of file names and their special characters;
 * upper-casing itself is in upcase.c. */
#include "utf.h"
#include "bytes.h"

#define UTF_REPLACEMENT 0xfffd
#define UTF_MAX 0x10ffff

static inline bool utf_surrogate(uint32_t cp)
{
    return cp >= 0xd800 && cp <= 0xdfff;
}

size_t utf8_decode(const uint8_t *p, const uint8_t *end, uint32_t *ret_cp)
{
    if (p >= end)
        return 0;
    if (p[0] < 0x80) {
        *ret_cp = p[0];
        return 1;
    }
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || (size_t)(end - p) < n)
        return 0;
    uint32_t cp = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        cp = cp << 6 | (p[i] & 0x3f);
    }
    static const uint32_t least[] = {[2] = 0x80, [3] = 0x800, [4] = 0x10000};
    if (cp < least[n] || cp > UTF_MAX || utf_surrogate(cp))
        return 0;
    *ret_cp = cp;
    return n;
}

size_t utf8_encode(uint32_t cp, uint8_t out[4])
{
    if (cp < 0x80) {
        out[0] = (uint8_t)cp;
        return 1;
    }
    if (cp > UTF_MAX || utf_surrogate(cp))
        return 0;
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; cp >>= 6)
        out[i] = (uint8_t)(0x80 | (cp & 0x3f));
    out[0] = (uint8_t)(0xf00u >> n | cp);
    return n;
}

bool utf8_valid(const void *s, size_t n)
{
    const uint8_t *p = s, *end = p + n;
    while (p < end) {
        uint32_t cp;
        /* Most names are ASCII: eight bytes at a time. */
        while ((size_t)(end - p) >= 8 && !(get_le64(p) & 0x8080808080808080ull))
            p += 8;
        if (p == end)
            break;
        size_t used = utf8_decode(p, end, &cp);
        if (!used)
            return false;
        p += used;
    }
    return true;
}

size_t utf8_to_utf16le(const void *s, size_t n, uint8_t *out, size_t cap)
{
    const uint8_t *p = s, *end = p + n;
    size_t at = 0;
    while (p < end) {
        uint32_t cp;
        size_t used = utf8_decode(p, end, &cp), need = used && cp >= 0x10000 ? 4 : 2;
        if (!used || cap - at < need)
            return (size_t)-1;
        if (need == 4) {
            put_le16(out + at, (uint16_t)(0xd800 + ((cp - 0x10000) >> 10)));
            put_le16(out + at + 2, (uint16_t)(0xdc00 + ((cp - 0x10000) & 0x3ff)));
        } else {
            put_le16(out + at, (uint16_t)cp);
        }
        at += need;
        p += used;
    }
    return at;
}

/* One code point from UTF-16LE; lone surrogates are replaced. n >= 2. */
static size_t utf16le_decode(const uint8_t *p, size_t n, uint32_t *ret_cp)
{
    uint32_t hi = get_le16(p), lo = n >= 4 ? get_le16(p + 2) : 0;
    if (!utf_surrogate(hi)) {
        *ret_cp = hi;
        return 2;
    }
    if (hi < 0xdc00 && lo >= 0xdc00 && lo <= 0xdfff) {
        *ret_cp = 0x10000 + ((hi - 0xd800) << 10) + (lo - 0xdc00);
        return 4;
    }
    *ret_cp = UTF_REPLACEMENT;
    return 2;
}

size_t utf16le_to_utf8(const void *s, size_t n, char *out, size_t cap)
{
    const uint8_t *p = s;
    size_t at = 0;
    if (n % 2)
        return (size_t)-1;
    while (n) {
        uint32_t cp;
        uint8_t bytes[4];
        size_t used = utf16le_decode(p, n, &cp), m = utf8_encode(cp, bytes);
        if (cap - at < m)
            return (size_t)-1;
        memcpy(out + at, bytes, m);
        at += m;
        p += used;
        n -= used;
    }
    return at;
}

/* The next comparable unit: an upper-cased code point, or a byte that is part of none, above all code points. */
static inline uint32_t utf8_unit(const uint8_t **p, const uint8_t *end)
{
    uint32_t cp;
    size_t used = utf8_decode(*p, end, &cp);
    if (!used)
        return UTF_MAX + 1 + *(*p)++;
    *p += used;
    return utf_upcase(cp);
}

int utf8_casecmp(const void *a, size_t na, const void *b, size_t nb)
{
    const uint8_t *p = a, *q = b, *pend = p + na, *qend = q + nb;
    while (p < pend && q < qend) {
        uint32_t x = utf8_unit(&p, pend), y = utf8_unit(&q, qend);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (p < pend) - (q < qend);
}
