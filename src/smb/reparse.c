/* reparse.c - see reparse.h. A link's target is a text with '/' on the server and with '\\' on the wire; what it means
 * is up to whoever follows it. */
#include "reparse.h"
#include "fs/names.h"

#define SYMLINK_TARGET_MAX 4095 /* PATH_MAX - 1 */

void smb_symlink_encode(struct wbuf *w, const char *target, size_t n, uint16_t unparsed)
{
    size_t start = wbuf_len(w);
    wbuf_le32(w, FS_REPARSE_TAG_SYMLINK);
    wbuf_zero(w, 2);
    wbuf_le16(w, unparsed);
    size_t names = wbuf_len(w);
    wbuf_zero(w, 8);
    wbuf_le32(w, n && target[0] == '/' ? 0 : SYMLINK_FLAG_RELATIVE);
    size_t len = smb_put_path(w, target, n); /* SubstituteName */
    smb_put_path(w, target, n);              /* PrintName */
    wbuf_patch_le16(w, start + 4, (uint16_t)(wbuf_len(w) - names));
    wbuf_patch_le16(w, names, 0);
    wbuf_patch_le16(w, names + 2, (uint16_t)len);
    wbuf_patch_le16(w, names + 4, (uint16_t)len);
    wbuf_patch_le16(w, names + 6, (uint16_t)len);
}

/* One component after the other, because "." and ".." are fine in a target and empty ones (absolute paths) too. */
static uint32_t target_decode(struct arena *a, const uint8_t *utf16, size_t nbytes, char **ret, size_t *ret_n)
{
    size_t cap = 3 * (nbytes / 2) + 1, n = 0, start = 0;
    char *out = arena_alloc(a, cap);
    if (!out)
        return STATUS_INSUFFICIENT_RESOURCES;
    for (size_t i = 0; i <= nbytes; i += 2) {
        if (i < nbytes && get_le16(utf16 + i) != '\\' && get_le16(utf16 + i) != '/')
            continue;
        if (i > start) {
            size_t part;
            if (name_from_windows(utf16 + start, i - start, NAME_PATTERN, out + n, cap - n, &part) != ST_OK)
                return STATUS_IO_REPARSE_DATA_INVALID;
            n += part;
        }
        if (i < nbytes)
            out[n++] = '/';
        start = i + 2;
    }
    out[n] = '\0';
    *ret = out;
    *ret_n = n;
    return n && n <= SYMLINK_TARGET_MAX ? STATUS_SUCCESS : STATUS_IO_REPARSE_DATA_INVALID;
}

uint32_t smb_symlink_decode(struct arena *a, struct cursor in, char **ret, size_t *ret_n)
{
    uint32_t tag = cursor_le32(&in);
    uint16_t ndata = cursor_le16(&in);
    cursor_skip(&in, 2);
    if (in.bad || ndata != cursor_left(&in))
        return STATUS_IO_REPARSE_DATA_INVALID;
    if (tag != FS_REPARSE_TAG_SYMLINK)
        return STATUS_IO_REPARSE_TAG_INVALID;
    uint16_t offset = cursor_le16(&in), n = cursor_le16(&in);
    cursor_skip(&in, 8); /* PrintName, Flags */
    struct cursor names = cursor_slice(&in, cursor_pos(&in), cursor_left(&in));
    struct cursor name = cursor_slice(&names, offset, n);
    if (in.bad || name.bad || n % 2)
        return STATUS_IO_REPARSE_DATA_INVALID;
    return target_decode(a, name.p, n, ret, ret_n);
}
