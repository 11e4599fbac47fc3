/* set_rename.c - FileRenameInformation, FileLinkInformation and their Ex forms ([MS-FSCC] 2.4.37, 2.4.21, SMB2 layout):
 * resolves the new name; the rest is fs_rename()'s and fs_link()'s. */
#include "info.h"

/* [MS-FSCC] 2.4.37.2; FILE_LINK_* has the same values. */
enum { FILE_RENAME_REPLACE_IF_EXISTS = 0x1 };

struct target {
    bool replace;
    const uint8_t *name;
    size_t n;
};

static uint32_t target_decode(struct smb_set *s, bool ex, struct target *t)
{
    struct cursor *c = &s->in;
    uint32_t flags = ex ? cursor_le32(c) : cursor_u8(c);
    cursor_skip(c, ex ? 4 : 7);
    uint64_t root = cursor_le64(c);
    t->replace = ex ? flags & FILE_RENAME_REPLACE_IF_EXISTS : flags != 0;
    t->n = cursor_le32(c);
    t->name = cursor_take(c, t->n);
    /* [MS-SMB2] 2.2.39: RootDirectory is zero in SMB2. */
    if (c->bad || root || t->n % 2)
        return STATUS_INVALID_PARAMETER;
    return t->n ? STATUS_SUCCESS : STATUS_OBJECT_NAME_INVALID;
}

static uint32_t target_dir(struct smb_req *r, struct smb_set *s, const struct target *t, struct st_node **ret_dir,
                           char **ret_name, size_t *ret_n)
{
    struct smb_path path;
    uint32_t status = smb_path_parse(&r->arena, t->name, t->n, &path);
    if (status != STATUS_SUCCESS)
        return status;
    /* A stream's new name begins with ':'. With a file's name before it Windows finds that file in use: by this
     * open. */
    if (path.stream || path.data || path.directory)
        return s->open->fso->stream ? STATUS_SHARING_VIOLATION : STATUS_OBJECT_NAME_INVALID;
    return smb_status(
        fs_resolve_parent(&r->fs, s->open->fso->share->root, path.path, path.n, ret_dir, ret_name, ret_n));
}

/* A name that begins with ':' renames the stream that is open (of a file opened without one: its data). */
static uint32_t rename_stream(struct smb_req *r, struct smb_set *s, const struct target *t)
{
    struct smb_path path;
    uint32_t status = smb_stream_parse(&r->arena, t->name, t->n, &path);
    if (status != STATUS_SUCCESS)
        return status;
    if (path.directory)
        return STATUS_INVALID_PARAMETER;
    const char *name = path.stream ? path.stream : "";
    return smb_status(fs_stream_rename(&r->fs, s->open->fso, name, strlen(name), t->replace));
}

static uint32_t rename_any(struct smb_req *r, struct smb_set *s, bool ex)
{
    struct target t;
    uint32_t status = target_decode(s, ex, &t);
    if (status != STATUS_SUCCESS)
        return status;
    if (get_le16(t.name) == ':')
        return rename_stream(r, s, &t);
    _cleanup_node_ struct st_node *dir = NULL;
    struct fs_rename args = {.o = s->open->fso, .replace = t.replace};
    char *name;
    status = target_dir(r, s, &t, &dir, &name, &args.dn);
    if (status != STATUS_SUCCESS)
        return status;
    args.ddir = dir;
    args.dname = name;
    if (s->open->fso->stream)
        return STATUS_INVALID_PARAMETER;
    return smb_status(fs_rename(&r->fs, &args));
}

static uint32_t link_any(struct smb_req *r, struct smb_set *s, bool ex)
{
    struct target t;
    uint32_t status = target_decode(s, ex, &t);
    if (status != STATUS_SUCCESS)
        return status;
    _cleanup_node_ struct st_node *dir = NULL;
    char *name;
    size_t n;
    status = target_dir(r, s, &t, &dir, &name, &n);
    if (status != STATUS_SUCCESS)
        return status;
    struct fs_open *o = s->open->fso;
    return smb_status(fs_link(&r->fs, o->node, o, dir, name, n, t.replace, NULL, NULL));
}

uint32_t smb_set_rename(struct smb_req *r, struct smb_set *s) { return rename_any(r, s, false); }
uint32_t smb_set_rename_ex(struct smb_req *r, struct smb_set *s) { return rename_any(r, s, true); }
uint32_t smb_set_link(struct smb_req *r, struct smb_set *s) { return link_any(r, s, false); }
uint32_t smb_set_link_ex(struct smb_req *r, struct smb_set *s) { return link_any(r, s, true); }
