/* ndr.c - see ndr.h. Knows the encoding of strings; must not know who sends them. */
#include "ndr.h"
#include "base/utf.h"

char *ndr_string(struct arena *a, struct cursor *c)
{
    uint32_t max = ndr_u32(c), offset = ndr_u32(c), n = ndr_u32(c);
    if (offset || n > max || n > NDR_STRING_MAX)
        c->bad = true;
    const uint8_t *units = cursor_take(c, 2 * (size_t)n);
    if (!units)
        return NULL;
    while (n && !get_le16(units + 2 * (n - 1)))
        n--;
    size_t cap = 3 * (size_t)n + 1;
    char *s = arena_alloc(a, cap);
    if (!s)
        return NULL;
    size_t len = utf16le_to_utf8(units, 2 * (size_t)n, s, cap - 1);
    s[len == (size_t)-1 ? 0 : len] = '\0';
    return s;
}

void ndr_put_string(struct wbuf *w, const char *utf8)
{
    size_t n = strlen(utf8);
    ndr_put_u32(w, 0);
    size_t pos = wbuf_len(w) - 4;
    wbuf_le32(w, 0);
    wbuf_le32(w, 0);
    uint8_t *p = wbuf_room(w, 2 * n);
    if (!p)
        return;
    size_t len = utf8_to_utf16le(utf8, n, p, 2 * n);
    if (len == (size_t)-1)
        len = 0;
    wbuf_cut(w, pos + 12 + len);
    wbuf_le16(w, 0);
    uint32_t units = (uint32_t)(len / 2 + 1);
    wbuf_patch_le32(w, pos, units);
    wbuf_patch_le32(w, pos + 8, units);
}
