/* create.c - SMB2 CREATE ([MS-SMB2] 2.2.13, 2.2.14, 3.3.5.9) of files and directories. Knows the wire's words for
 * opening; what they mean for names, rights, share modes and leases is fs_open()'s. Pipes: pipe.c. */
#include "create_contexts.h"
#include "internal.h"
#include "pipe.h"
#include "reparse.h"

#define CREATE_RESPONSE 88
/* [MS-SMB2] 3.3.5.9: bits that no right stands for; options that are wrong, or that no server has. */
#define ACCESS_INVALID 0x0CE0FE00u
#define OPTIONS_INVALID 0xff000000u
#define OPTIONS_UNSUPPORTED 0x00102080u /* CREATE_TREE_CONNECTION, OPEN_BY_FILE_ID, RESERVE_OPFILTER */
/* [MS-FSCC] 2.6 */
#define ATTRIBUTES_INVALID 0xffff8048u
#define ATTRIBUTE_ENCRYPTED 0x4000u
#define ATTRIBUTES_SETTABLE (FS_DOS_READONLY | FS_DOS_HIDDEN | FS_DOS_SYSTEM | FS_DOS_ARCHIVE | FS_DOS_TEMPORARY |     \
                             FS_DOS_OFFLINE | FS_DOS_NOT_INDEXED)
#define IMPERSONATION_MAX 3

/* Survives re-runs: the open's number is its identity in the coherence engine, also while it waits. */
struct create_state {
    uint8_t oplock;
    uint32_t impersonation, attributes, disposition;
    const uint8_t *name; /* in the message: first run only */
    size_t nname;
    struct smb_create_contexts cx;
    struct smb_path path;
    struct fs_open_args a;
    struct smb_open *open;
    struct smb_open *earlier; /* what the same request opened before: this one is a replay */
};

static uint32_t create_decode(struct smb_req *r, struct create_state *s)
{
    struct cursor *c = &r->in;
    cursor_skip(c, 2); /* StructureSize */
    cursor_skip(c, 1); /* SecurityFlags */
    s->oplock = cursor_u8(c);
    s->impersonation = cursor_le32(c);
    cursor_skip(c, 16); /* SmbCreateFlags, Reserved */
    s->a.access = cursor_le32(c);
    s->attributes = cursor_le32(c);
    s->a.share = cursor_le32(c);
    s->disposition = cursor_le32(c);
    s->a.options = cursor_le32(c);
    uint16_t name_offset = cursor_le16(c), nname = cursor_le16(c);
    uint32_t contexts_offset = cursor_le32(c), ncontexts = cursor_le32(c);
    struct cursor name = cursor_slice(c, nname ? name_offset : 0, nname);
    struct cursor contexts = cursor_slice(c, ncontexts ? contexts_offset : 0, ncontexts);
    if (c->bad || name.bad || contexts.bad)
        return STATUS_INVALID_PARAMETER;
    s->name = name.p;
    s->nname = nname;
    if (!ncontexts)
        return STATUS_SUCCESS;
    /* The message may move while the request is parked; what the contexts point to must not. */
    const void *copy = arena_dup(&r->arena, contexts.p, ncontexts);
    if (!copy)
        return STATUS_INSUFFICIENT_RESOURCES;
    return smb_create_contexts_decode(&r->arena, cursor_of(copy, ncontexts), r->conn->dialect, &s->cx);
}

/* What is wrong whatever the name: in the order of [MS-SMB2] 3.3.5.9. */
static uint32_t create_check(const struct smb_req *r, const struct create_state *s)
{
    const struct fs_open_args *a = &s->a;
    if (s->impersonation > IMPERSONATION_MAX)
        return STATUS_BAD_IMPERSONATION_LEVEL;
    if (a->access & ACCESS_INVALID)
        return STATUS_ACCESS_DENIED;
    if ((a->options & OPTIONS_INVALID) || (s->attributes & ATTRIBUTES_INVALID))
        return STATUS_INVALID_PARAMETER;
    if (a->options & OPTIONS_UNSUPPORTED)
        return STATUS_NOT_SUPPORTED;
    if (s->disposition > FS_OVERWRITE_IF || a->share > (FS_SHARE_READ | FS_SHARE_WRITE | FS_SHARE_DELETE))
        return STATUS_INVALID_PARAMETER;
    if ((a->options & FS_DIRECTORY_FILE) &&
        ((a->options & FS_NON_DIRECTORY_FILE) || s->disposition == FS_SUPERSEDE || s->disposition >= FS_OVERWRITE))
        return STATUS_INVALID_PARAMETER;
    if (!a->access)
        return STATUS_ACCESS_DENIED;
    if ((a->access & FS_ACCESS_SYSTEM_SECURITY) && !r->session->cred.superuser)
        return STATUS_PRIVILEGE_NOT_HELD;
    if ((s->attributes & ATTRIBUTE_ENCRYPTED) && s->disposition != FS_OPEN && s->disposition != FS_OVERWRITE)
        return STATUS_ACCESS_DENIED; /* nothing is stored encrypted: do not pretend */
    if (s->cx.timewarp)
        return STATUS_OBJECT_NAME_NOT_FOUND; /* no snapshots */
    return STATUS_SUCCESS;
}

static void create_caching(struct smb_req *r, struct create_state *s)
{
    static const struct {
        uint8_t level, want;
    } levels[] = {
        {SMB2_OPLOCK_LEVEL_II, CO_R},
        {SMB2_OPLOCK_LEVEL_EXCLUSIVE, CO_R | CO_W},
        {SMB2_OPLOCK_LEVEL_BATCH, CO_R | CO_W | CO_H},
    };
    struct fs_open_args *a = &s->a;
    if (s->oplock != SMB2_OPLOCK_LEVEL_LEASE)
        s->cx.lease_version = 0;
    a->lease_kind = CO_OPLOCK;
    if (s->cx.lease_version) {
        a->lease_kind = CO_LEASE;
        a->lease_want = (uint8_t)s->cx.lease_state;
        a->lease_epoch = s->cx.lease_epoch;
        a->lease_v2 = s->cx.lease_version == 2;
        memcpy(r->party.lease, s->cx.lease_key, 16);
        memcpy(r->party.parent_lease, s->cx.parent_key, 16);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (levels[i].level == s->oplock)
            a->lease_want = levels[i].want;
}

static uint32_t create_path(struct smb_req *r, struct create_state *s)
{
    uint32_t status = smb_path_parse(&r->arena, s->name, s->nname, &s->path);
    if (status != STATUS_SUCCESS)
        return status;
    struct fs_open_args *a = &s->a;
    a->path = s->path.path;
    a->npath = s->path.n;
    a->stream = s->path.stream;
    if (s->path.stream && (a->options & FS_DIRECTORY_FILE))
        return STATUS_NOT_A_DIRECTORY;
    if (s->path.data) {
        if (a->options & FS_DIRECTORY_FILE)
            return STATUS_NOT_A_DIRECTORY;
        a->options |= FS_NON_DIRECTORY_FILE;
    }
    if (s->path.directory) {
        if (a->options & FS_NON_DIRECTORY_FILE)
            return STATUS_FILE_IS_A_DIRECTORY;
        a->options |= FS_DIRECTORY_FILE;
    }
    return STATUS_SUCCESS;
}

/* [MS-SMB2] 3.3.5.9.7, 3.3.5.9.12: of all that CREATE says only the contexts count, and the name where there is a
 * lease. */
static uint32_t create_prepare_reconnect(struct smb_req *r, struct create_state *s)
{
    if (smb_path_parse(&r->arena, s->name, s->nname, &s->path) != STATUS_SUCCESS)
        s->path = (struct smb_path){.path = NULL};
    s->open = smb_open_new(r);
    return s->open ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* First run only: everything that the wire says, as fs_open() wants it. */
static uint32_t create_prepare(struct smb_req *r, struct create_state *s)
{
    uint32_t status = create_decode(r, s);
    if (status != STATUS_SUCCESS)
        return status;
    if (!r->tree->share)
        return STATUS_SUCCESS;
    if (s->cx.durable & SMB_DURABLE_RECONNECT)
        return create_prepare_reconnect(r, s);
    if ((status = create_check(r, s)) != STATUS_SUCCESS || (status = create_path(r, s)) != STATUS_SUCCESS)
        return status;
    create_caching(r, s);
    struct fs_open_args *a = &s->a;
    a->base = r->tree->share->root;
    a->disposition = (enum fs_disposition)s->disposition;
    a->dos = s->attributes & ATTRIBUTES_SETTABLE;
    a->alloc = s->cx.has_alloc ? s->cx.alloc : 0;
    a->sd = s->cx.sd;
    a->nsd = s->cx.nsd;
    a->ea = s->cx.ea;
    a->nea = s->cx.nea;
    s->open = smb_open_new(r);
    if (!s->open)
        return STATUS_INSUFFICIENT_RESOURCES;
    r->party.open = s->open->persistent_id;
    if (!(s->cx.durable & SMB_DH2Q))
        return STATUS_SUCCESS;
    memcpy(s->open->create_guid, s->cx.create_guid, 16);
    status = smb_replay_claim(r, s->open, &s->earlier);
    r->replayable = status == STATUS_SUCCESS && !s->earlier;
    return status;
}

/* [MS-SMB2] 2.2.2.2.1. The link is the first one on the path; what follows it is the unparsed part. */
static uint32_t create_symlink_error(struct smb_req *r, const struct fs_open_args *a)
{
    const char *path = a->path, *end = path + a->npath;
    for (const char *slash = path; slash < end; slash++) {
        slash = memchr(slash, '/', (size_t)(end - slash));
        if (!slash)
            slash = end;
        _cleanup_node_ struct st_node *dir = NULL, *node = NULL;
        char *name, *target;
        size_t n, ntarget;
        if (fs_resolve_parent(&r->fs, a->base, path, (size_t)(slash - path), &dir, &name, &n) != ST_OK ||
            fs_lookup(&r->fs, dir, name, n, &node, NULL) != ST_OK)
            break;
        if (node->type != ST_LNK)
            continue;
        if (fs_readlink(&r->fs, node, &target, &ntarget) != ST_OK)
            break;
        struct wbuf w _cleanup_(wbuf_done);
        wbuf_init(&w, 512, 32768);
        size_t unparsed = smb_put_path(&w, slash, (size_t)(end - slash));
        wbuf_cut(&w, 0);
        wbuf_le32(&w, 0);
        wbuf_le32(&w, 0x4C4D5953); /* SymLinkErrorTag: "SYML" */
        smb_symlink_encode(&w, target, ntarget, (uint16_t)unparsed);
        wbuf_patch_le32(&w, 0, (uint32_t)(wbuf_len(&w) - 4));
        if (w.bad)
            break;
        return smb_error_data(r, STATUS_STOPPED_ON_SYMLINK, wbuf_at(&w, 0), wbuf_len(&w));
    }
    return STATUS_OBJECT_NAME_NOT_FOUND;
}

static uint8_t oplock_level(const struct create_state *s, uint8_t granted)
{
    if (s->cx.lease_version)
        return SMB2_OPLOCK_LEVEL_LEASE;
    if (granted & CO_W)
        return granted & CO_H ? SMB2_OPLOCK_LEVEL_BATCH : SMB2_OPLOCK_LEVEL_EXCLUSIVE;
    return granted & CO_R ? SMB2_OPLOCK_LEVEL_II : SMB2_OPLOCK_LEVEL_NONE;
}

static void create_encode(struct smb_req *r, const struct create_state *s, const struct smb_open *o,
                          const struct fs_open_result *res)
{
    struct wbuf *w = &r->out;
    size_t body = wbuf_len(w);
    const struct fs_attr *at = &res->attr;
    wbuf_le16(w, 89);
    wbuf_u8(w, s->earlier ? s->oplock : o->oplock_level);
    wbuf_u8(w, 0);
    wbuf_le32(w, res->action);
    wbuf_le64(w, smb_time(&at->create));
    wbuf_le64(w, smb_time(&at->st.atime));
    wbuf_le64(w, smb_time(&at->st.mtime));
    wbuf_le64(w, smb_time(&at->change));
    wbuf_le64(w, smb_alloc(at));
    wbuf_le64(w, smb_eof(at));
    wbuf_le32(w, at->dos);
    wbuf_le32(w, 0);
    wbuf_le64(w, o->persistent_id);
    wbuf_le64(w, o->volatile_id);
    wbuf_zero(w, 8);
    size_t n = smb_create_contexts_encode(w, &s->cx, res);
    if (n) {
        wbuf_patch_le32(w, body + CREATE_RESPONSE - 8, SMB2_HEADER + CREATE_RESPONSE);
        wbuf_patch_le32(w, body + CREATE_RESPONSE - 4, (uint32_t)n);
    }
}

static void create_act_for(struct smb_req *r)
{
    r->fs.share = r->tree->share;
    r->fs.cred = &r->session->cred;
    r->fs.party = &r->party;
    r->fs.read_only = r->tree->read_only;
}

/* [MS-SMB2] 3.3.5.9.8: a client's lease key stands for one file. */
static uint32_t create_check_lease(struct smb_req *r, const struct create_state *s)
{
    struct co_key leased;
    if (!s->cx.lease_version || !smb_lease_file(r->conn->srv, r->party.client, s->cx.lease_key, &leased))
        return STATUS_SUCCESS;
    _cleanup_node_ struct st_node *dir = NULL, *node = NULL;
    char *name;
    size_t n;
    if (!s->a.npath)
        node = fs_node_ref(s->a.base);
    else if (fs_resolve_parent(&r->fs, s->a.base, s->a.path, s->a.npath, &dir, &name, &n) != ST_OK)
        return STATUS_SUCCESS; /* fs_open() has the right error for it */
    else
        fs_lookup(&r->fs, dir, name, n, &node, NULL);
    struct co_key key = node ? fs_node_key(node) : (struct co_key){0};
    bool same = key.store == leased.store && key.ino == leased.ino && key.gen == leased.gen;
    return same ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* The answer about an open that is there already. */
static uint32_t create_answer(struct smb_req *r, struct create_state *s, struct smb_open *o, enum fs_action action)
{
    struct fs_open_result res = {.open = o->fso, .action = action};
    bool leased = o->oplock_level == SMB2_OPLOCK_LEVEL_LEASE;
    smb_act_for(r, o);
    enum st st = fs_open_attr(&r->fs, o->fso, &res.attr);
    if (st != ST_OK)
        return smb_status(st);
    enum co_lease_kind kind = leased ? CO_LEASE : CO_OPLOCK;
    /* A break that began while the client was away is told behind this answer, which does not speak of it: with the
     * flag that says that one is going on Linux' client forgets to send the locks that it has in its cache. */
    if (s->cx.durable & SMB_DURABLE_RECONNECT) {
        smb_unanswered_leased(o);
        res.lease = fs_open_kept(o->fso, kind, &res.lease_epoch);
    } else {
        res.lease = fs_open_caching(o->fso, kind, &res.lease_epoch, &res.lease_breaking);
    }
    s->cx.lease_version = !leased || !s->cx.lease_version ? 0 : o->lease_v2 ? 2 : 1;
    s->cx.mxac = false;
    if (!leased && !s->earlier)
        o->oplock_level = oplock_level(s, res.lease);
    create_encode(r, s, o, &res);
    if (r->out.bad)
        return STATUS_INSUFFICIENT_RESOURCES;
    r->chain_open = smb_open_ref(o);
    return STATUS_SUCCESS;
}

/* The lease may be older than this open of it, and broken just now: what is told of that before goes into the answer, what
 * comes after follows it. */
static void create_lease(struct smb_open *o, struct fs_open_result *res)
{
    if (o->oplock_level != SMB2_OPLOCK_LEVEL_LEASE || !res->lease)
        return;
    smb_unanswered_leased(o);
    res->lease = fs_open_caching(o->fso, CO_LEASE, &res->lease_epoch, &res->lease_breaking);
}

static uint32_t create_reconnect(struct smb_req *r, struct create_state *s)
{
    smb_unanswered_add(r, s->open, s->cx.reconnect_id);
    uint32_t status = smb_durable_reconnect(r, &s->cx, &s->path, s->open);
    if (status != STATUS_SUCCESS)
        return status;
    status = create_answer(r, s, s->open, FS_OPENED);
    if (status != STATUS_SUCCESS)
        smb_open_close(NULL, s->open, NULL);
    return status;
}

/* [MS-SMB2] 3.3.5.9.10. As Windows does it, the level that was asked for is answered, whatever was granted. */
static uint32_t create_replay(struct smb_req *r, struct create_state *s)
{
    struct smb_open *o = s->earlier;
    bool leased = o->oplock_level == SMB2_OPLOCK_LEVEL_LEASE;
    if (s->cx.lease_version && (!leased || memcmp(o->lease_key, s->cx.lease_key, 16) != 0))
        return STATUS_ACCESS_DENIED;
    bool durable = o->durable && (s->oplock == SMB2_OPLOCK_LEVEL_BATCH || s->oplock == SMB2_OPLOCK_LEVEL_LEASE);
    s->cx.durable_granted = durable ? SMB_DH2Q : 0;
    s->cx.durable_timeout = o->timeout;
    s->cx.durable_flags = o->persistent ? SMB2_DHANDLE_FLAG_PERSISTENT : 0;
    return create_answer(r, s, o, (enum fs_action)o->action);
}

static uint32_t create_run(struct smb_req *r, struct create_state *s)
{
    if (smb_create_persists(&s->cx, r->tree->share) && !r->job.on_pool)
        return SMB_OFFLOAD; /* its record is written before it is answered */
    uint32_t status = create_check_lease(r, s);
    if (status != STATUS_SUCCESS)
        return status;
    struct fs_open_result res = {0};
    if (s->oplock != SMB2_OPLOCK_LEVEL_NONE)
        smb_unanswered_add(r, s->open, s->open->persistent_id);
    enum st st = fs_open(&r->fs, &s->a, &res);
    if (st == ST_SYMLINK)
        return create_symlink_error(r, &s->a);
    if (st != ST_OK)
        return smb_status(st);
    struct smb_open *o = s->open;
    o->fso = res.open;
    o->fso->owner = o;
    o->oplock_level = oplock_level(s, res.lease);
    o->lease_v2 = s->cx.lease_version == 2;
    o->action = (uint8_t)res.action;
    memcpy(o->lease_key, s->cx.lease_key, 16);
    create_lease(o, &res);
    smb_durable_grant(o, &s->cx, res.lease);
    smb_open_publish(o);
    if (o->lease)
        s->cx.lease_version = o->lease_v2 ? 2 : 1;
    create_encode(r, s, o, &res);
    if (r->out.bad) {
        smb_open_close(r, o, NULL);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    r->chain_open = smb_open_ref(o);
    return STATUS_SUCCESS;
}

static void create_done(struct create_state *s)
{
    smb_open_unref(TAKE_PTR(s->earlier));
    if (!s->open)
        return;
    smb_replay_forget(s->open);
    smb_open_unref(TAKE_PTR(s->open));
}

uint32_t smb_create(struct smb_req *r)
{
    struct create_state *s = r->scratch;
    uint32_t status = STATUS_SUCCESS;
    if (!s) {
        s = r->scratch = arena_zalloc(&r->arena, sizeof *s);
        if (!s)
            return STATUS_INSUFFICIENT_RESOURCES;
        status = create_prepare(r, s);
        if (status == STATUS_SUCCESS && !r->tree->share)
            return smb_pipe_create(r, s->name, s->nname);
    }
    if (status == STATUS_SUCCESS) {
        create_act_for(r);
        status = r->cancelled                               ? STATUS_CANCELLED
                 : s->earlier                               ? create_replay(r, s)
                 : s->cx.durable & SMB_DURABLE_RECONNECT    ? create_reconnect(r, s)
                                                            : create_run(r, s);
    }
    if (status != SMB_PARKED && status != SMB_OFFLOAD)
        create_done(s);
    return status;
}
