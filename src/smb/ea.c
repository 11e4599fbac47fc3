/* ea.c - see ea.h. Knows the list's layout; must not know what carries it or where the attributes are kept. */
#include "ea.h"

/* [MS-FSCC] 2.4.15: FILE_NEED_EA is the only flag. */
#define FILE_NEED_EA 0x80
#define EA_FIXED 8

static bool name_ok(const uint8_t *name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (name[i] < 0x20 || strchr("\"*+,/:;<=>?[\\]|", name[i]))
            return false;
    return n > 0;
}

/* The entry at the start of `in`; *ret_next is its NextEntryOffset. */
static uint32_t entry_decode(struct cursor *in, struct fs_ea *ea, uint32_t *ret_next)
{
    *ret_next = cursor_le32(in);
    ea->flags = cursor_u8(in);
    ea->nname = cursor_u8(in);
    ea->nvalue = cursor_le16(in);
    const uint8_t *name = cursor_take(in, ea->nname);
    uint8_t nul = cursor_u8(in);
    ea->value = cursor_take(in, ea->nvalue);
    if (in->bad)
        return STATUS_EA_LIST_INCONSISTENT;
    if (nul || !name_ok(name, ea->nname))
        return STATUS_INVALID_EA_NAME;
    if (ea->flags & ~FILE_NEED_EA)
        return STATUS_INVALID_EA_FLAG;
    ea->name = (const char *)name;
    return STATUS_SUCCESS;
}

uint32_t smb_ea_decode(struct arena *a, struct cursor in, const struct fs_ea **ret, size_t *ret_n)
{
    *ret = NULL;
    *ret_n = 0;
    size_t cap = MIN(cursor_left(&in) / (EA_FIXED + 2) + 1, (size_t)SMB_EAS_MAX), n = 0, at = 0;
    if (!cursor_left(&in))
        return STATUS_SUCCESS;
    struct fs_ea *eas = arena_alloc(a, cap * sizeof *eas);
    if (!eas)
        return STATUS_INSUFFICIENT_RESOURCES;
    for (uint32_t next = 1; next; at += next) {
        if (n == cap)
            return STATUS_EA_LIST_INCONSISTENT;
        cursor_seek(&in, at);
        uint32_t status = entry_decode(&in, &eas[n], &next);
        if (status != STATUS_SUCCESS)
            return status;
        if (next && (next % 4 || next < EA_FIXED + eas[n].nname + 1 + eas[n].nvalue))
            return STATUS_EA_LIST_INCONSISTENT;
        n++;
    }
    *ret = eas;
    *ret_n = n;
    return STATUS_SUCCESS;
}

size_t smb_ea_size(const struct fs_ea *ea)
{
    return EA_FIXED + ea->nname + 1 + ea->nvalue;
}

void smb_ea_encode(struct wbuf *w, const struct fs_ea *ea)
{
    wbuf_le32(w, 0);
    wbuf_u8(w, ea->flags);
    wbuf_u8(w, (uint8_t)ea->nname);
    wbuf_le16(w, (uint16_t)ea->nvalue);
    wbuf_put(w, ea->name, ea->nname);
    wbuf_u8(w, 0);
    wbuf_put(w, ea->value, ea->nvalue);
}
