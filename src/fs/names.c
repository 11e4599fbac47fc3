/* names.c - the reversible map between server-side names and Windows names, folding, and 8.3 aliases. Knows characters
 * only: no store, no directory, no share. Patterns are in match.c.
 *
 * Everything that UTF-16 cannot carry as it is goes through a private-use code point (names.h). Two more rules make the
 * map total in both directions:
 *  - a lone surrogate of a Windows name is kept as its three bytes of generalised UTF-8 (WTF-8), and such bytes become
 *    the surrogate again, unless a pair would form (that would read back as one character): then the first is mapped
 *    byte by byte;
 *  - a private code point that means something here, found in a server-side name, is mapped byte by byte too. */
#include "names.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/utf.h"
#include "names_private.h"

#define NAME_CHAR 0xf000u  /* + a character that Windows refuses */
#define NAME_BLANK 0xf028u /* a trailing blank */
#define NAME_DOT 0xf029u   /* a trailing dot */
#define NAME_BYTE 0xf700u  /* + a byte that is no part of UTF-8 */

#define SURROGATE_HIGH 0xd800u
#define SURROGATE_LOW 0xdc00u
#define SURROGATE_END 0xe000u

/* Characters that no Windows name contains ([MS-FSCC] 2.1.5). */
static inline bool refused(uint32_t c)
{
    return c < 0x20 || (c < 0x80 && strchr("\"*:<>?\\|", (int)c) != NULL);
}

bool name_is_mapped_char(uint32_t cp, uint32_t *ret_c)
{
    uint32_t c = cp - NAME_CHAR;
    if (cp <= NAME_CHAR || c >= 0x80 || !refused(c))
        return false;
    *ret_c = c;
    return true;
}

/* What a private code point of a Windows name stands for: a byte in [0, 0xff], or -1 for itself. */
static int unmap(uint32_t cp)
{
    uint32_t c;
    if (cp < NAME_CHAR || cp > NAME_BYTE + 0xff)
        return -1;
    if (name_is_mapped_char(cp, &c))
        return (int)c;
    if (cp == NAME_BLANK)
        return ' ';
    if (cp == NAME_DOT)
        return '.';
    return cp >= NAME_BYTE + 0x80 ? (int)(cp - NAME_BYTE) : -1;
}

/* A surrogate in generalised UTF-8 (ED A0..BF 80..BF), or 0. */
static uint32_t wtf8_surrogate(const uint8_t *p, const uint8_t *end)
{
    if (end - p < 3 || p[0] != 0xed || (p[1] & 0xe0) != 0xa0 || (p[2] & 0xc0) != 0x80)
        return 0;
    return 0xd000u | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
}

/* The next unit of a server-side name as one UTF-16 unit, or a code point above the BMP; *p moves on. */
static uint32_t next_windows(const uint8_t **p, const uint8_t *end)
{
    uint32_t cp, s;
    size_t used = utf8_decode(*p, end, &cp);
    if (used && unmap(cp) < 0) {
        *p += used;
        if (refused(cp))
            return NAME_CHAR + cp;
        if (*p == end && (cp == ' ' || cp == '.'))
            return cp == ' ' ? NAME_BLANK : NAME_DOT;
        return cp;
    }
    s = used ? 0 : wtf8_surrogate(*p, end);
    if (s && !(s < SURROGATE_LOW && wtf8_surrogate(*p + 3, end) >= SURROGATE_LOW)) {
        *p += 3;
        return s;
    }
    return NAME_BYTE + *(*p)++;
}

size_t name_to_windows(const char *name, size_t n, uint8_t *out, size_t cap)
{
    const uint8_t *p = (const uint8_t *)name, *end = p + n;
    size_t at = 0;
    while (p < end) {
        uint32_t cp = next_windows(&p, end);
        size_t need = cp >= 0x10000 ? 4 : 2;
        if (cap - at < need)
            return (size_t)-1;
        if (need == 4) {
            put_le16(out + at, (uint16_t)(SURROGATE_HIGH + ((cp - 0x10000) >> 10)));
            put_le16(out + at + 2, (uint16_t)(SURROGATE_LOW + ((cp - 0x10000) & 0x3ff)));
        } else {
            put_le16(out + at, (uint16_t)cp);
        }
        at += need;
    }
    return at;
}

/* One unit of UTF-16LE (a pair counts as one) as bytes; lone surrogates in generalised UTF-8. */
static size_t unit_to_bytes(const uint8_t *p, size_t n, size_t *ret_used, uint8_t out[4], bool keep_wild)
{
    uint32_t hi = get_le16(p), lo = n >= 4 ? get_le16(p + 2) : 0;
    *ret_used = 2;
    if (hi >= SURROGATE_HIGH && hi < SURROGATE_END) {
        if (hi < SURROGATE_LOW && lo >= SURROGATE_LOW && lo < SURROGATE_END) {
            *ret_used = 4;
            return utf8_encode(0x10000 + ((hi - SURROGATE_HIGH) << 10) + (lo - SURROGATE_LOW), out);
        }
        out[0] = (uint8_t)(0xe0 | hi >> 12);
        out[1] = (uint8_t)(0x80 | (hi >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (hi & 0x3f));
        return 3;
    }
    int byte = unmap(hi);
    if (byte >= 0 && !(keep_wild && name_is_wild((uint32_t)byte) && hi < NAME_BYTE)) {
        out[0] = (uint8_t)byte;
        return 1;
    }
    return utf8_encode(hi, out);
}

/* A finished component: not empty, and neither "." nor "..", also not spelled with private code points. */
static bool component_ok(const char *s, size_t n, unsigned flags)
{
    if (!n)
        return false;
    return (flags & NAME_PATTERN) || !(s[0] == '.' && (n == 1 || (n == 2 && s[1] == '.')));
}

enum st name_from_windows(const uint8_t *utf16, size_t nbytes, unsigned flags, char *out, size_t cap, size_t *ret_n)
{
    size_t at = 0, start = 0, used;
    if (nbytes % 2)
        return ST_BADNAME;
    for (size_t i = 0; i < nbytes; i += used) {
        uint8_t bytes[4];
        uint32_t c = get_le16(utf16 + i);
        size_t n;
        if (c == '\\' && (flags & NAME_PATH)) {
            if (!component_ok(out + start, at - start, flags))
                return ST_BADNAME;
            bytes[0] = '/';
            n = 1;
            used = 2;
            start = at + 1;
        } else {
            if (c == '/' || (c < 0x80 && refused(c) && !((flags & NAME_PATTERN) && name_is_wild(c))))
                return ST_BADNAME;
            n = unit_to_bytes(utf16 + i, nbytes - i, &used, bytes, flags & NAME_PATTERN);
        }
        if (cap - at <= n)
            return ST_NAMETOOLONG;
        memcpy(out + at, bytes, n);
        at += n;
    }
    if (cap == 0)
        return ST_NAMETOOLONG;
    /* No name at all is the directory itself where a path is wanted, and nothing where a name is. */
    if (!((flags & NAME_PATH) && !nbytes) && !component_ok(out + start, at - start, flags))
        return ST_BADNAME;
    out[at] = 0;
    *ret_n = at;
    return ST_OK;
}

/* --- Folding. */

uint32_t name_unit(const uint8_t **p, const uint8_t *end)
{
    uint32_t cp;
    size_t used = utf8_decode(*p, end, &cp);
    if (!used)
        return 0x110000u + *(*p)++;
    *p += used;
    return utf_upcase(cp);
}

uint64_t name_fold_hash(const char *name, size_t n)
{
    const uint8_t *p = (const uint8_t *)name, *end = p + n;
    uint32_t units[ST_NAME_UNITS];
    size_t k = 0;
    while (p < end && k < ARRAY_LEN(units))
        units[k++] = name_unit(&p, end);
    return hash_bytes(units, k * sizeof units[0]);
}

bool name_fold_equal(const char *a, size_t na, const char *b, size_t nb)
{
    return utf8_casecmp(a, na, b, nb) == 0;
}

/* --- 8.3 aliases ([MS-FSCC] 2.1.5.2.1). Nothing resolves them: they are for programs that insist on seeing one. */

static bool short_char(uint8_t c)
{
    return c > 0x20 && c < 0x7f && !strchr("\"*+,./:;<=>?[\\]|", c);
}

static char ascii_up(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 0x20) : c;
}

static bool is_short(const char *name, size_t n)
{
    const char *dot = memchr(name, '.', n);
    size_t base = dot ? (size_t)(dot - name) : n, ext = dot ? n - base - 1 : 0;
    if (base < 1 || base > 8 || ext > 3 || (dot && !ext))
        return false;
    for (size_t i = 0; i < n; i++)
        if (i != base && !short_char((uint8_t)name[i]))
            return false;
    return true;
}

bool name_short(const char *name, size_t n, uint64_t fileid, char out[13])
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (is_short(name, n))
        return false;
    size_t at = 0, dot = n;
    for (size_t i = n; i-- > 1;)
        if (name[i] == '.') {
            dot = i;
            break;
        }
    for (size_t i = 0; i < dot && at < 3; i++)
        if (short_char((uint8_t)name[i]))
            out[at++] = ascii_up(name[i]);
    out[at++] = '~';
    /* Must not change with the process: no keyed hash. */
    uint64_t h = (fileid ^ fileid >> 32) * 0x9e3779b97f4a7c15ull >> 24;
    for (unsigned i = 0; i < 4; i++, h /= 36)
        out[at++] = digits[h % 36];
    size_t mark = at;
    for (size_t i = dot + 1; i < n && at < mark + 4; i++)
        if (short_char((uint8_t)name[i])) {
            if (at == mark)
                out[at++] = '.';
            out[at++] = ascii_up(name[i]);
        }
    out[at] = 0;
    return true;
}
