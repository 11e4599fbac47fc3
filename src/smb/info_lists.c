/* info_lists.c - QUERY_INFO's lists: FileStreamInformation ([MS-FSCC] 2.4.44) and FileFullEaInformation (2.4.15).
 * Entries are chained by NextEntryOffset, and only whole ones are given: STATUS_BUFFER_OVERFLOW says that there were
 * more. */
#include "ea.h"
#include "info.h"
#include "base/utf.h"

/* [MS-SMB2] 2.2.37 Flags */
enum { SL_RESTART_SCAN = 1, SL_RETURN_SINGLE_ENTRY = 2, SL_INDEX_SPECIFIED = 4 };

static void chain(struct wbuf *w, size_t *last, size_t align)
{
    if (*last == SIZE_MAX)
        return;
    wbuf_align(w, 0, align);
    wbuf_patch_le32(w, *last, (uint32_t)(wbuf_len(w) - *last));
}

static void put_stream(struct wbuf *w, const struct fs_stream *s)
{
    size_t pos = wbuf_len(w);
    wbuf_zero(w, 8);
    wbuf_le64(w, s->size);
    wbuf_le64(w, s->alloc);
    wbuf_le16(w, ':');
    smb_put_stream(w, s->name, s->n);
    smb_put_text(w, ":$DATA");
    wbuf_patch_le32(w, pos + 4, (uint32_t)(wbuf_len(w) - pos - 24));
}

uint32_t smb_query_streams(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    const struct fs_stream *streams;
    size_t n, last = SIZE_MAX;
    enum st st = fs_streams(&r->fs, q->open->fso->node, &streams, &n);
    if (st != ST_OK)
        return smb_status(st);
    for (size_t i = 0; i < n; i++) {
        size_t before = wbuf_len(w), previous = last;
        chain(w, &last, 8);
        last = wbuf_len(w);
        put_stream(w, &streams[i]);
        if (wbuf_len(w) > q->max) {
            wbuf_cut(w, before);
            if (previous != SIZE_MAX)
                wbuf_patch_le32(w, previous, 0);
            return STATUS_BUFFER_OVERFLOW;
        }
    }
    return STATUS_SUCCESS;
}

static const struct fs_ea *ea_find(const struct fs_ea *eas, size_t n, const char *name, size_t nname)
{
    for (size_t i = 0; i < n; i++)
        if (!utf8_casecmp(eas[i].name, eas[i].nname, name, nname))
            return &eas[i];
    return NULL;
}

/* FILE_GET_EA_INFORMATION ([MS-FSCC] 2.4.15.1): only these; one that does not exist comes with an empty value. */
static uint32_t eas_select(struct smb_req *r, struct cursor in, const struct fs_ea **eas, size_t *n)
{
    size_t cap = cursor_left(&in) / 6 + 1, found = 0, at = 0;
    struct fs_ea *out = arena_zalloc(&r->arena, MIN(cap, (size_t)SMB_EAS_MAX) * sizeof *out);
    if (!out)
        return STATUS_INSUFFICIENT_RESOURCES;
    for (uint32_t next = 1; next; at += next) {
        cursor_seek(&in, at);
        next = cursor_le32(&in);
        uint8_t nname = cursor_u8(&in);
        const char *name = (const char *)cursor_take(&in, nname);
        if (in.bad || !nname || found == MIN(cap, (size_t)SMB_EAS_MAX) || (next && next < 6))
            return STATUS_EA_LIST_INCONSISTENT;
        const struct fs_ea *ea = ea_find(*eas, *n, name, nname);
        out[found++] = ea ? *ea : (struct fs_ea){.name = name, .nname = nname, .value = (const uint8_t *)""};
    }
    *eas = out;
    *n = found;
    return STATUS_SUCCESS;
}

/* Where the list begins: the open keeps the place of the last query that did not start anew. */
static uint32_t eas_start(struct smb_query *q, size_t n, size_t *ret)
{
    if (q->flags & SL_INDEX_SPECIFIED) {
        if (!q->additional || q->additional > n)
            return STATUS_NONEXISTENT_EA_ENTRY;
        *ret = q->additional - 1;
        return STATUS_SUCCESS;
    }
    *ret = q->flags & SL_RESTART_SCAN ? 0 : q->open->ea_index;
    return *ret < n ? STATUS_SUCCESS : n ? STATUS_NO_MORE_EAS : STATUS_NO_EAS_ON_FILE;
}

uint32_t smb_query_eas(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    const struct fs_ea *eas;
    size_t n, i = 0, last = SIZE_MAX;
    enum st st = fs_ea_list(&r->fs, q->open->fso, &eas, &n);
    if (st != ST_OK)
        return smb_status(st);
    bool selected = cursor_left(&q->in) > 0;
    uint32_t status = selected ? eas_select(r, q->in, &eas, &n) : eas_start(q, n, &i);
    if (status != STATUS_SUCCESS)
        return status;
    for (; i < n; i++) {
        size_t room = ALIGN_UP(wbuf_len(w), (size_t)4) + smb_ea_size(&eas[i]);
        if (room > q->max) {
            status = STATUS_BUFFER_OVERFLOW;
            break;
        }
        chain(w, &last, 4);
        last = wbuf_len(w);
        smb_ea_encode(w, &eas[i]);
        if (q->flags & SL_RETURN_SINGLE_ENTRY) {
            i++;
            break;
        }
    }
    if (!selected && last != SIZE_MAX)
        q->open->ea_index = (uint32_t)i;
    return last == SIZE_MAX && status == STATUS_BUFFER_OVERFLOW ? STATUS_BUFFER_TOO_SMALL : status;
}
