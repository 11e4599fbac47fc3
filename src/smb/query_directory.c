/* query_directory.c - SMB2 QUERY_DIRECTORY ([MS-SMB2] 2.2.33, 2.2.34, 3.3.5.18): fills the reply with entries until the
 * client's buffer is full. The search and its place are fs_find()'s, the layouts dir_levels.c's. */
#include "dir_levels.h"
#include "fs/names.h"

#define FIND_DATA_OFFSET (SMB2_HEADER + 8)
/* [MS-SMB2] 2.2.33 */
enum { SMB2_RESTART_SCANS = 0x01, SMB2_RETURN_SINGLE_ENTRY = 0x02, SMB2_INDEX_SPECIFIED = 0x04, SMB2_REOPEN = 0x10 };

struct find_args {
    const struct smb_dir_level *level;
    uint8_t flags;
    uint32_t index, max;
    struct smb_open *open;
    char *pattern;
    size_t npattern;
};

static uint32_t find_decode(struct smb_req *r, struct find_args *a)
{
    struct cursor *c = &r->in;
    cursor_skip(c, 2); /* StructureSize */
    a->level = smb_dir_level(cursor_u8(c));
    a->flags = cursor_u8(c);
    a->index = cursor_le32(c);
    uint32_t status = smb_file_open(r, &a->open);
    if (status != STATUS_SUCCESS)
        return status == STATUS_INVALID_DEVICE_REQUEST ? STATUS_INVALID_PARAMETER : status;
    uint16_t offset = cursor_le16(c), n = cursor_le16(c);
    a->max = cursor_le32(c);
    struct cursor name = cursor_slice(c, n ? offset : 0, n);
    if (c->bad || name.bad || n % 2)
        return STATUS_INVALID_PARAMETER;
    if (a->max > r->conn->srv->cfg.max_transact)
        return STATUS_INVALID_PARAMETER;
    size_t cap = 3 * (size_t)(n / 2) + 2;
    a->pattern = arena_alloc(&r->arena, cap);
    if (!a->pattern)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (!n) { /* [MS-FSA] 2.1.5.6.3: an empty pattern matches all */
        a->pattern[0] = '*';
        a->npattern = 1;
        return STATUS_SUCCESS;
    }
    enum st st = name_from_windows(name.p, n, NAME_PATTERN, a->pattern, cap, &a->npattern);
    return st == ST_OK ? STATUS_SUCCESS : STATUS_OBJECT_NAME_INVALID;
}

static uint32_t find_check(const struct find_args *a)
{
    const struct fs_open *o = a->open->fso;
    if (o->node->type != ST_DIR || o->stream)
        return STATUS_INVALID_PARAMETER;
    if (!a->level)
        return STATUS_INVALID_INFO_CLASS;
    if (!(o->access & FS_LIST))
        return STATUS_ACCESS_DENIED;
    return a->max < a->level->fixed ? STATUS_INFO_LENGTH_MISMATCH : STATUS_SUCCESS;
}

/* The reply while it grows. An entry is written behind the others and taken back when it does not fit. */
struct find_reply {
    struct wbuf *w;
    size_t base, limit; /* first byte of data; where it must end */
    size_t last;        /* the previous entry, 0 = none */
    const struct smb_dir_level *level;
    bool single, full;
};

static bool find_entry(void *arg, const struct fs_match *m)
{
    struct find_reply *f = arg;
    struct wbuf *w = f->w;
    if (f->single && f->last)
        return false;
    size_t before = wbuf_len(w);
    size_t start = f->base + ALIGN_UP(before - f->base, (size_t)8);
    /* Names grow to at most two bytes a byte; the short answer needs no trial. */
    if (start + f->level->fixed + 2 * m->n > w->limit || start + f->level->fixed > f->limit) {
        f->full = true;
        return false;
    }
    wbuf_zero(w, start - before);
    f->level->encode(w, m, 0);
    size_t n = smb_put_name(w, m->name, m->n);
    if (w->bad || wbuf_len(w) > f->limit) {
        wbuf_cut(w, before);
        f->full = true;
        return false;
    }
    wbuf_patch_le32(w, start + (f->level->class_ == 12 ? 8 : 60), (uint32_t)n);
    if (f->last)
        wbuf_patch_le32(w, f->last, (uint32_t)(start - f->last));
    f->last = start;
    return true;
}

static unsigned find_flags(const struct find_args *a)
{
    unsigned flags = 0;
    flags |= a->flags & SMB2_RESTART_SCANS ? FS_FIND_RESTART : 0;
    flags |= a->flags & SMB2_RETURN_SINGLE_ENTRY ? FS_FIND_SINGLE : 0;
    flags |= a->flags & SMB2_INDEX_SPECIFIED ? FS_FIND_INDEX : 0;
    flags |= a->flags & SMB2_REOPEN ? FS_FIND_REOPEN : 0;
    return flags;
}

uint32_t smb_query_directory(struct smb_req *r)
{
    struct find_args a = {0};
    uint32_t status = find_decode(r, &a);
    if (status != STATUS_SUCCESS || (status = find_check(&a)) != STATUS_SUCCESS)
        return status;
    struct wbuf *w = &r->out;
    size_t body = wbuf_len(w);
    wbuf_le16(w, 9);
    wbuf_le16(w, FIND_DATA_OFFSET);
    wbuf_le32(w, 0);
    struct find_reply f = {.w = w, .base = wbuf_len(w), .limit = wbuf_len(w) + a.max, .level = a.level,
                           .single = a.flags & SMB2_RETURN_SINGLE_ENTRY};
    enum st st = fs_find(&r->fs, a.open->fso, a.pattern, a.npattern, find_flags(&a), a.index, find_entry, &f);
    if (f.last && (st == ST_OK || st == ST_END)) {
        wbuf_patch_le32(w, body + 4, (uint32_t)(wbuf_len(w) - f.base));
        return STATUS_SUCCESS;
    }
    if (st == ST_OK && f.full)
        return STATUS_INFO_LENGTH_MISMATCH; /* not even one fits; it comes again */
    if (st == ST_END)
        return STATUS_NO_MORE_FILES;
    return st == ST_NOENT ? STATUS_NO_SUCH_FILE : smb_status(st);
}
