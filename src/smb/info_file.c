/* info_file.c - QUERY_INFO's file information classes ([MS-FSCC] 2.4), one function each. Streams and extended
 * attributes are lists and have files of their own. */
#include "info.h"
#include "pipe.h"
#include "fs/names.h"

static void put_times(struct wbuf *w, const struct fs_attr *a)
{
    wbuf_le64(w, smb_time(&a->create));
    wbuf_le64(w, smb_time(&a->st.atime));
    wbuf_le64(w, smb_time(&a->st.mtime));
    wbuf_le64(w, smb_time(&a->change));
}

/* 2.4.7 FileBasicInformation */
static uint32_t query_basic(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    put_times(w, &q->attr);
    wbuf_le32(w, q->attr.dos);
    wbuf_le32(w, 0);
    return STATUS_SUCCESS;
}

/* 2.4.41 FileStandardInformation. A link that is going to be deleted is not counted any more. */
static uint32_t query_standard(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    if (!q->open->fso) { /* [MS-FSCC] 2.4.41: a pipe is 4096 bytes of nothing, one link, going away when closed */
        wbuf_le64(w, 4096);
        wbuf_le64(w, 0);
        wbuf_le32(w, 1);
        wbuf_u8(w, 1);
        wbuf_zero(w, 3);
        return STATUS_SUCCESS;
    }
    bool pending = fs_is_delete_pending(q->open->fso);
    uint32_t links = q->attr.st.type == ST_DIR ? 1 : q->attr.st.nlink;
    wbuf_le64(w, smb_alloc(&q->attr));
    wbuf_le64(w, smb_eof(&q->attr));
    wbuf_le32(w, links && pending ? links - 1 : links);
    wbuf_u8(w, pending);
    wbuf_u8(w, q->attr.st.type == ST_DIR && !q->open->fso->stream);
    wbuf_le16(w, 0);
    return STATUS_SUCCESS;
}

/* 2.4.22 */
static uint32_t query_internal(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    wbuf_le64(w, q->attr.st.ino);
    return STATUS_SUCCESS;
}

/* 2.4.12 */
static uint32_t query_ea_size(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    wbuf_le32(w, q->attr.ea_size);
    return STATUS_SUCCESS;
}

/* 2.4.1 */
static uint32_t query_access(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    wbuf_le32(w, q->open->fso->access);
    return STATUS_SUCCESS;
}

/* 2.4.35 */
static uint32_t query_position(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    wbuf_le64(w, q->open->fso->position);
    return STATUS_SUCCESS;
}

/* 2.4.26 */
static uint32_t query_mode(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    wbuf_le32(w, q->open->fso->mode_info);
    return STATUS_SUCCESS;
}

/* 2.4.3: FILE_BYTE_ALIGNMENT */
static uint32_t query_alignment(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    wbuf_le32(w, 0);
    return STATUS_SUCCESS;
}

/* The open's path, '\\' first when `rooted`, the stream behind it. */
static enum st put_open_name(struct smb_req *r, struct smb_query *q, struct wbuf *w, bool rooted)
{
    struct fs_open *o = q->open->fso;
    char *path;
    enum st st = fs_open_path(&r->fs, o, &path);
    if (st != ST_OK)
        return st;
    size_t pos = wbuf_len(w);
    wbuf_le32(w, 0);
    if (rooted)
        wbuf_le16(w, '\\');
    smb_put_path(w, path, strlen(path));
    if (o->stream) {
        wbuf_le16(w, ':');
        smb_put_stream(w, o->stream, strlen(o->stream));
    }
    wbuf_patch_le32(w, pos, (uint32_t)(wbuf_len(w) - pos - 4));
    return ST_OK;
}

/* 2.4.27 */
static uint32_t query_name(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    return smb_status(put_open_name(r, q, w, true));
}

/* 2.4.30; only 3.1.1 has it ([MS-SMB2] 3.3.5.20.1). */
static uint32_t query_normalized_name(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    if (r->conn->dialect < SMB_3_1_1)
        return STATUS_NOT_SUPPORTED;
    return smb_status(put_open_name(r, q, w, false));
}

/* 2.4.2 */
static uint32_t query_all(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    static smb_query_fn *const parts[] = {query_basic,  query_standard, query_internal, query_ea_size,
                                          query_access, query_position, query_mode,     query_alignment};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        parts[i](r, q, w);
    return query_name(r, q, w);
}

static const char *last_component(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* 2.4.5 FileAlternateNameInformation: the 8.3 name; a name that is one itself answers for itself. */
static uint32_t query_alternate_name(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    char *path, alias[13];
    enum st st = fs_open_path(&r->fs, q->open->fso, &path);
    if (st != ST_OK)
        return smb_status(st);
    const char *name = last_component(path);
    size_t n = strlen(name);
    if (!n)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    bool has = name_short(name, n, q->attr.st.ino, alias);
    wbuf_le32(w, 0);
    size_t len = has ? smb_put_text(w, alias) : smb_put_name(w, name, n);
    wbuf_patch_le32(w, 0, (uint32_t)len);
    return STATUS_SUCCESS;
}

/* 2.4.31, 2.4.32: pipes only. Message type, blocking. */
static uint32_t query_pipe(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    if (q->open->fso)
        return STATUS_INVALID_PARAMETER;
    wbuf_le32(w, 1);
    wbuf_le32(w, 0);
    return STATUS_SUCCESS;
}

static uint32_t query_pipe_local(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    if (q->open->fso)
        return STATUS_INVALID_PARAMETER;
    wbuf_le32(w, 1);    /* NamedPipeType: message */
    wbuf_le32(w, 2);    /* NamedPipeConfiguration: full duplex */
    wbuf_le32(w, ~0u);  /* MaximumInstances: any number */
    wbuf_le32(w, 1);    /* CurrentInstances */
    wbuf_le32(w, SMB_PIPE_REQUEST_MAX);
    wbuf_le32(w, (uint32_t)smb_pipe_available(q->open));
    wbuf_le32(w, SMB_PIPE_REQUEST_MAX);
    wbuf_le32(w, SMB_PIPE_REQUEST_MAX);
    wbuf_le32(w, 3);    /* NamedPipeState: connected */
    wbuf_le32(w, 1);    /* NamedPipeEnd: server */
    return STATUS_SUCCESS;
}

/* 2.4.9: nothing is compressed. */
static uint32_t query_compression(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    wbuf_le64(w, smb_eof(&q->attr));
    wbuf_zero(w, 8);
    return STATUS_SUCCESS;
}

/* 2.4.29 */
static uint32_t query_network_open(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    put_times(w, &q->attr);
    wbuf_le64(w, smb_alloc(&q->attr));
    wbuf_le64(w, smb_eof(&q->attr));
    wbuf_le32(w, q->attr.dos);
    wbuf_le32(w, 0);
    return STATUS_SUCCESS;
}

/* 2.4.6 */
static uint32_t query_attribute_tag(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    wbuf_le32(w, q->attr.dos);
    wbuf_le32(w, q->attr.reparse_tag);
    return STATUS_SUCCESS;
}

/* 2.4.21 FileHardLinkInformation: the link that was opened; the store does not know the others. */
static uint32_t query_hard_links(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    char *path, *name;
    size_t n;
    _cleanup_node_ struct st_node *dir = NULL;
    struct fs_open *o = q->open->fso;
    enum st st = fs_open_path(&r->fs, o, &path);
    if (st == ST_OK)
        st = fs_resolve_parent(&r->fs, o->share->root, path, strlen(path), &dir, &name, &n);
    if (st != ST_OK)
        return smb_status(st);
    wbuf_zero(w, 8);
    wbuf_le32(w, 0);
    wbuf_zero(w, 4);
    wbuf_le64(w, fs_node_id(dir));
    wbuf_le32(w, 0);
    size_t len = smb_put_name(w, name, n);
    wbuf_patch_le32(w, 0, (uint32_t)wbuf_len(w)); /* BytesNeeded */
    wbuf_patch_le32(w, 4, 1);                     /* EntriesReturned */
    wbuf_patch_le32(w, 24, (uint32_t)(len / 2));
    return STATUS_SUCCESS;
}

/* 2.4.42 FileStandardLinkInformation */
static uint32_t query_standard_link(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    wbuf_le32(w, q->attr.st.nlink);
    wbuf_le32(w, q->attr.st.nlink);
    wbuf_u8(w, fs_is_delete_pending(q->open->fso));
    wbuf_u8(w, q->attr.st.type == ST_DIR);
    wbuf_le16(w, 0);
    return STATUS_SUCCESS;
}

/* 2.4.46 FileIdInformation */
static uint32_t query_id(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    wbuf_le64(w, q->open->fso->share->id);
    wbuf_le64(w, q->attr.st.ino);
    wbuf_le64(w, 0);
    return STATUS_SUCCESS;
}

const struct smb_query_class smb_file_classes[] = {
    {4, SMB_NEED_ATTR, 40, FS_READ_ATTRIBUTES, query_basic},
    {5, SMB_NEED_ATTR | SMB_PIPES, 24, 0, query_standard},
    {6, SMB_NEED_ATTR, 8, 0, query_internal},
    {7, SMB_NEED_ATTR, 4, 0, query_ea_size},
    {8, 0, 4, 0, query_access},
    {9, 0, 8, 0, query_name},
    {14, 0, 8, 0, query_position},
    {15, 0, 4, FS_READ_EA, smb_query_eas},
    {16, 0, 4, 0, query_mode},
    {17, 0, 4, 0, query_alignment},
    {18, SMB_NEED_ATTR, 104, FS_READ_ATTRIBUTES, query_all},
    {21, SMB_NEED_ATTR, 8, 0, query_alternate_name},
    {22, 0, 32, 0, smb_query_streams},
    {23, SMB_PIPES, 8, 0, query_pipe},
    {24, SMB_PIPES, 40, 0, query_pipe_local},
    {28, SMB_NEED_ATTR, 16, 0, query_compression},
    {34, SMB_NEED_ATTR, 56, FS_READ_ATTRIBUTES, query_network_open},
    {35, SMB_NEED_ATTR, 8, FS_READ_ATTRIBUTES, query_attribute_tag},
    {46, 0, 8, 0, query_hard_links},
    {48, 0, 8, 0, query_normalized_name},
    {54, SMB_NEED_ATTR, 12, 0, query_standard_link},
    {59, SMB_NEED_ATTR, 24, 0, query_id},
};
const size_t smb_file_nclasses = ARRAY_LEN(smb_file_classes);
