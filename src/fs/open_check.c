/* open_check.c - what an open must fulfil before others' opens are looked at ([MS-FSA] 2.1.5.1, 2.1.5.1.1, 2.1.5.1.2):
 * arguments, type, attributes, rights. Changes nothing, waits for nobody. */
#include "open_impl.h"

#define DATA_ACCESS                                                                                                    \
    (FS_READ_DATA | FS_WRITE_DATA | FS_APPEND_DATA | FS_EXECUTE)
#define ACCESS_INVALID 0x0ce0fe00u /* [MS-FSA] 2.1.5.1: bits that no caller may ask for */
#define DOS_VALID 0x7fb7u          /* [MS-FSA] 2.1.5.1 */

enum st open_check_args(struct opening *x)
{
    const struct fs_open_args *a = x->a;
    uint32_t o = a->options;
    if (!a->access || a->access & ACCESS_INVALID)
        return ST_ACCESS;
    if (a->share & ~(uint32_t)(FS_SHARE_READ | FS_SHARE_WRITE | FS_SHARE_DELETE) || a->dos & ~DOS_VALID ||
        (unsigned)a->disposition > FS_OVERWRITE_IF)
        return ST_INVAL;
    if (o & FS_DIRECTORY_FILE && (o & FS_NON_DIRECTORY_FILE || open_truncates(a)))
        return ST_INVAL;
    x->want_max = a->access & FS_MAXIMUM_ALLOWED;
    x->want = fs_map_generic(a->access & ~(uint32_t)FS_MAXIMUM_ALLOWED);
    if (o & FS_DELETE_ON_CLOSE && !(x->want & FS_DELETE) && !x->want_max)
        return ST_INVAL;
    if (x->want & FS_ACCESS_SYSTEM_SECURITY && !fs_cred_of(x->q)->superuser)
        return ST_PERM;
    x->stream = a->stream && *a->stream ? a->stream : NULL;
    if (x->stream && o & FS_DIRECTORY_FILE)
        return ST_NOTDIR;
    return fs_eas_check(a->ea, a->nea);
}

/* --- Rights. */

/* FS_DELETE comes from the object or from its directory; that it is read-only matters only when it is deleted. */
static bool may_delete(struct opening *x)
{
    struct fs_req *q = x->q;
    const struct fs_cred *c = fs_cred_of(q);
    uint32_t own = 0;
    if (!x->path.dir || fs_read_only(q))
        return false;
    if (c->superuser || (fs_sd_rights(q, x->path.node, &x->attr, &own) && own & FS_DELETE))
        return true;
    if (fs_permit(q, x->path.dir, &x->path.dir_attr, FS_DELETE_CHILD) != ST_OK)
        return false;
    return !(x->path.dir_attr.mode & 01000) || c->uid == x->attr.uid || c->uid == x->path.dir_attr.uid;
}

uint32_t open_maximal(struct opening *x)
{
    uint32_t rights = fs_granted(x->q, x->path.node, &x->attr);
    if (may_delete(x))
        rights |= FS_DELETE;
    /* Who may list a directory sees the attributes of what is in it. */
    if (x->path.dir && !(rights & FS_READ_ATTRIBUTES) &&
        fs_permit(x->q, x->path.dir, &x->path.dir_attr, FS_LIST) == ST_OK)
        rights |= FS_READ_ATTRIBUTES;
    return rights;
}

static enum st check_rights(struct opening *x)
{
    uint32_t changing = FS_WRITE_DATA | FS_APPEND_DATA | FS_WRITE_EA | FS_WRITE_ATTRIBUTES | FS_DELETE |
                        FS_DELETE_CHILD | FS_WRITE_DAC | FS_WRITE_OWNER;
    uint32_t check = x->want & ~(uint32_t)FS_ACCESS_SYSTEM_SECURITY;
    /* [MS-FSA] 2.1.5.1.2: replacing asks for more than it grants. */
    if (x->a->disposition == FS_SUPERSEDE && !x->stream)
        check |= FS_DELETE;
    else if (open_truncates(x->a))
        check |= FS_WRITE_DATA;
    if (fs_read_only(x->q) && (check & changing || x->a->options & FS_DELETE_ON_CLOSE))
        return ST_ROFS;
    x->maximal = open_maximal(x);
    if (check & ~x->maximal)
        return ST_ACCESS;
    x->granted = x->want | (x->want_max ? x->maximal : 0);
    if (x->a->options & FS_DELETE_ON_CLOSE && !(x->granted & FS_DELETE))
        return ST_ACCESS;
    return ST_OK;
}

/* --- What is there. */

static enum st check_type(const struct opening *x)
{
    const struct fs_open_args *a = x->a;
    enum st_type type = x->path.node->type;
    if (x->stream)
        return type == ST_REG || type == ST_DIR ? ST_OK : ST_ACCESS;
    if (a->options & FS_DIRECTORY_FILE && type != ST_DIR)
        return ST_NOTDIR;
    if (a->options & FS_NON_DIRECTORY_FILE && type == ST_DIR)
        return ST_ISDIR;
    if (open_truncates(a) && type == ST_DIR)
        return ST_EXIST;
    /* A device or a pipe would be the server's, not the client's. */
    if (type != ST_REG && type != ST_DIR && type != ST_LNK && (x->want & DATA_ACCESS || open_truncates(a)))
        return ST_ACCESS;
    return type == ST_LNK && open_truncates(a) ? ST_ACCESS : ST_OK;
}

static enum st check_attributes(const struct opening *x)
{
    const struct fs_open_args *a = x->a;
    bool read_only = x->dos & FS_DOS_READONLY && x->attr.type != ST_DIR;
    if (read_only && a->options & FS_DELETE_ON_CLOSE)
        return ST_CANNOT_DELETE;
    if (read_only && (x->want & (FS_WRITE_DATA | FS_APPEND_DATA) || open_truncates(a)))
        return ST_ACCESS;
    /* [MS-FSA] 2.1.5.1.2: replacing must name the attributes that it replaces. */
    uint32_t must = x->dos & (FS_DOS_HIDDEN | FS_DOS_SYSTEM);
    if (open_truncates(a) && !x->stream && must & ~a->dos)
        return ST_ACCESS;
    if (open_truncates(a) && !x->stream && !fs_dos_ok(ST_REG, a->dos))
        return ST_INVAL;
    return ST_OK;
}

enum st open_check_existing(struct opening *x)
{
    const struct fs_open_args *a = x->a;
    struct co *co = x->q->fs->co;
    struct co_key key = fs_node_key(x->path.node);
    if (co_delete_pending(co, &key, x->link))
        return ST_DELETE_PENDING;
    if (x->stream && x->stream_exists) {
        key = fs_stream_key(x->path.node, x->stream);
        if (co_delete_pending(co, &key, FS_STREAM_LINK))
            return ST_DELETE_PENDING;
    }
    if (a->disposition == FS_CREATE && (!x->stream || x->stream_exists))
        return ST_EXIST;
    if (x->stream && !x->stream_exists && (a->disposition == FS_OPEN || a->disposition == FS_OVERWRITE))
        return ST_NOENT;
    enum st st = check_type(x);
    if (st == ST_OK)
        st = check_attributes(x);
    if (st == ST_OK)
        st = check_rights(x);
    if (st == ST_OK && x->stream && !x->stream_exists)
        st = fs_permit(x->q, x->path.node, &x->attr, FS_WRITE_DATA);
    return st;
}

enum st open_check_new(struct opening *x, bool *ret_dir)
{
    const struct fs_open_args *a = x->a;
    bool is_dir = a->options & FS_DIRECTORY_FILE;
    if (a->disposition == FS_OPEN || a->disposition == FS_OVERWRITE)
        return ST_NOENT;
    if (fs_read_only(x->q))
        return ST_ROFS;
    enum st st = fs_name_check(x->path.name, x->path.n);
    if (st != ST_OK)
        return st == ST_INVAL ? ST_BADNAME : st;
    if (a->options & FS_DELETE_ON_CLOSE && a->dos & FS_DOS_READONLY && !is_dir)
        return ST_CANNOT_DELETE;
    if (is_dir && !fs_dos_ok(ST_DIR, a->dos))
        return ST_INVAL;
    struct co_key key = fs_node_key(x->path.dir);
    if (co_delete_pending(x->q->fs->co, &key, 0))
        return ST_DELETE_PENDING;
    *ret_dir = is_dir;
    return fs_permit(x->q, x->path.dir, &x->path.dir_attr, is_dir ? FS_ADD_SUBDIR : FS_ADD_FILE);
}
