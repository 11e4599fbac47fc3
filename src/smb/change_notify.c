/* change_notify.c - SMB2 CHANGE_NOTIFY ([MS-SMB2] 2.2.35, 2.2.36, 3.3.5.19): parked until something happens below the
 * directory, then FILE_NOTIFY_INFORMATION ([MS-FSCC] 2.7.1). What is watched and remembered is fs_notify()'s. */
#include "file.h"

#define NOTIFY_DATA_OFFSET (SMB2_HEADER + 8)
#define SMB2_WATCH_TREE 0x0001

struct notify_state {
    struct smb_open *open;
    bool tree;
    uint32_t max, filter;
};

static uint32_t notify_decode(struct smb_req *r, struct notify_state *s)
{
    struct cursor *c = &r->in;
    cursor_skip(c, 2); /* StructureSize */
    s->tree = cursor_le16(c) & SMB2_WATCH_TREE;
    s->max = cursor_le32(c);
    struct smb_open *open;
    uint32_t status = smb_file_open(r, &open);
    if (status != STATUS_SUCCESS)
        return status;
    s->open = smb_open_ref(open);
    s->filter = cursor_le32(c);
    cursor_skip(c, 4);
    if (c->bad || s->max > r->conn->srv->cfg.max_transact)
        return STATUS_INVALID_PARAMETER;
    const struct fs_open *o = s->open->fso;
    if (o->node->type != ST_DIR || o->stream)
        return STATUS_INVALID_PARAMETER;
    return o->access & FS_LIST ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}

/* The changes as a list; false when the client's buffer is too small for all of them. */
static bool changes_encode(struct wbuf *w, const struct fs_change *changes, size_t n, size_t max)
{
    size_t base = wbuf_len(w), last = 0;
    for (size_t i = 0; i < n; i++) {
        const struct fs_change *ch = &changes[i];
        size_t start = base + ALIGN_UP(wbuf_len(w) - base, (size_t)4);
        if (start + 12 + 2 * ch->n > w->limit)
            return false;
        wbuf_zero(w, start - wbuf_len(w));
        wbuf_le32(w, 0);
        wbuf_le32(w, ch->action);
        wbuf_le32(w, 0);
        size_t len = smb_put_path(w, ch->name, ch->n);
        wbuf_patch_le32(w, start + 8, (uint32_t)len);
        if (last)
            wbuf_patch_le32(w, last, (uint32_t)(start - last));
        last = start;
    }
    return wbuf_len(w) - base <= max;
}

static uint32_t notify_encode(struct smb_req *r, const struct notify_state *s, const struct fs_change *changes,
                              size_t n)
{
    struct wbuf *w = &r->out;
    size_t body = wbuf_len(w);
    wbuf_le16(w, 9);
    wbuf_le16(w, NOTIFY_DATA_OFFSET);
    wbuf_le32(w, 0);
    size_t base = wbuf_len(w);
    uint32_t status = STATUS_SUCCESS;
    if (!n || !changes_encode(w, changes, n, s->max)) {
        wbuf_cut(w, base);
        status = STATUS_NOTIFY_ENUM_DIR;
    }
    if (wbuf_len(w) == base)
        wbuf_patch_le16(w, body + 2, 0);
    wbuf_patch_le32(w, body + 4, (uint32_t)(wbuf_len(w) - base));
    r->has_body = status != STATUS_SUCCESS;
    return status;
}

static uint32_t notify_run(struct smb_req *r, struct notify_state *s)
{
    /* A directory that is closed, or whose session goes, ends what waits on it (3.3.5.10). */
    if (s->open->closed)
        return STATUS_NOTIFY_CLEANUP;
    if (r->cancelled)
        return STATUS_CANCELLED;
    const struct fs_change *changes = NULL;
    size_t n = 0;
    smb_act_again(r, s->open);
    enum st st = fs_notify(&r->fs, s->open->fso, s->filter, s->tree, s->max, &changes, &n);
    if (st == ST_OK || st == ST_TOOMANY)
        return notify_encode(r, s, changes, st == ST_OK ? n : 0);
    return st == ST_CLOSED ? STATUS_NOTIFY_CLEANUP : smb_status(st);
}

uint32_t smb_change_notify(struct smb_req *r)
{
    struct notify_state *s = r->scratch;
    uint32_t status = STATUS_SUCCESS;
    if (!s) {
        s = r->scratch = arena_zalloc(&r->arena, sizeof *s);
        if (!s)
            return STATUS_INSUFFICIENT_RESOURCES;
        status = notify_decode(r, s);
    }
    if (status == STATUS_SUCCESS)
        status = notify_run(r, s);
    if (status != SMB_PARKED && status != SMB_OFFLOAD && s->open)
        smb_open_unref(TAKE_PTR(s->open));
    return status;
}
