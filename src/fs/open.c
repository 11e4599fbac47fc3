/* open.c - opening and making files ([MS-FSA] 2.1.5.1, [MS-SMB2] 3.3.5.9): resolve, check, gate, act. What is checked
 * is in open_check.c, making new objects in create.c, the open as an object in open_table.c.
 *
 * A stream has share modes, locks and leases of its own: the engine knows it under a key made of the file's and its
 * name. Its open also holds the file, without access, so that the file's name stays until it is closed. */
#include "base/clock.h"
#include "open_impl.h"

/* [MS-FSA] 2.1.5.1.2.2: which rights take part in sharing. */
static uint8_t sharing(uint32_t access)
{
    return (access & (FS_READ_DATA | FS_EXECUTE) ? CO_ACC_READ : 0) |
           (access & (FS_WRITE_DATA | FS_APPEND_DATA) ? CO_ACC_WRITE : 0) | (access & FS_DELETE ? CO_ACC_DELETE : 0);
}

/* An open with these alone leaves every lease as it is; oplocks too, but for the security descriptor. */
#define STAT_ACCESS (FS_READ_ATTRIBUTES | FS_WRITE_ATTRIBUTES | FS_READ_CONTROL | FS_SYNCHRONIZE)

static uint8_t denied(uint32_t share)
{
    return (share & FS_SHARE_READ ? 0 : CO_ACC_READ) | (share & FS_SHARE_WRITE ? 0 : CO_ACC_WRITE) |
           (share & FS_SHARE_DELETE ? 0 : CO_ACC_DELETE);
}

struct co_ask open_ask(const struct opening *x, struct st_node *n)
{
    struct co_ask ask = fs_ask(n, CO_OPEN);
    ask.access = sharing(x->granted);
    ask.link = x->link;
    if (x->stream) {
        ask.key = fs_stream_key(n, x->stream);
        ask.link = FS_STREAM_LINK;
        ask.flags &= ~(uint32_t)CO_DIRECTORY;
    }
    bool overwrites = open_truncates(x->a) && x->action != FS_CREATED;
    if (ask.access || overwrites)
        ask.deny = denied(x->a->share);
    if (overwrites) {
        ask.flags |= CO_OVERWRITE;
        if (!x->stream)
            fs_ask_bytes(&ask, 0, x->attr.size);
    } else if (!(x->granted & ~(uint32_t)STAT_ACCESS)) {
        ask.flags |= CO_ATTR_ONLY | (x->granted & FS_READ_CONTROL ? CO_CONTROL : 0);
    }
    return ask;
}

struct co_ask open_ask_base(const struct opening *x, struct st_node *n)
{
    struct co_ask ask = fs_ask(n, CO_OPEN);
    ask.flags |= CO_ATTR_ONLY;
    ask.access = 0;
    /* Who does not share a stream for deletion keeps the whole file ([MS-FSA] 2.1.5.1.2.2). */
    ask.deny = x->a->share & FS_SHARE_DELETE ? 0 : CO_ACC_DELETE;
    ask.link = x->link;
    return ask;
}

void open_drop_holds(struct fs *fs, struct fs_open *o, uint64_t link)
{
    struct co_out out = fs_out();
    struct co_key key = fs_open_key(o), base = fs_node_key(o->node);
    co_close(fs->co, &key, &o->party, o->stream ? FS_STREAM_LINK : link, clock_now(), &out);
    if (o->stream)
        co_close(fs->co, &base, &o->party, link, clock_now(), &out);
    fs_deliver(fs, &out);
}

/* --- resolve */
static enum st resolve_id(struct opening *x)
{
    struct st_node *root = fs_volume_of(x->a->base)->root;
    if (x->a->disposition != FS_OPEN && x->a->disposition != FS_OPEN_IF)
        return ST_INVAL;
    if (x->a->file_id == root->id.ino) {
        x->path.node = st_ref(root);
        return ST_OK;
    }
    if (!open_by_id(x->q->fs, root, x->a->file_id, &x->path))
        return ST_NOENT;
    if (!x->path.dir)
        return ST_OK;
    if (!fsn(x->path.dir))
        return ST_NOMEM;
    x->path.moves = atomic_load(&fsn(x->path.dir)->moves) - 1; /* to be looked at again */
    return x->path.dir->store->ops->getattr(x->path.dir, &x->path.dir_attr);
}

static enum st resolve_stream(struct opening *x)
{
    char attr[ST_NAME_MAX + 1];
    if (!x->stream)
        return ST_OK;
    enum st st = fs_stream_find(x->path.node, x->stream, attr);
    x->stream_exists = st == ST_OK;
    if (x->stream_exists) { /* spelled as it is */
        const char *name = attr + strlen(FS_STREAM_PREFIX);
        x->stream = arena_strndup(x->q->arena, name, strlen(name));
        if (!x->stream)
            return ST_NOMEM;
    }
    return st == ST_NOATTR || st == ST_NOTSUP ? ST_OK : st;
}

static enum st resolve(struct opening *x)
{
    const struct fs_open_args *a = x->a;
    unsigned flags = a->options & FS_OPEN_REPARSE_POINT ? FS_RESOLVE_LINK : 0;
    enum st st = a->options & FS_OPEN_BY_FILE_ID ? resolve_id(x)
                                                 : fs_resolve(x->q, a->base, a->path, a->npath, flags, &x->path);
    if (st != ST_OK)
        return st;
    x->link = fs_link_id(x->path.dir, x->path.name, x->path.n);
    if (!x->path.node)
        return ST_OK;
    if (!fsn(x->path.node))
        return ST_NOMEM;
    struct fs_attr shown;
    st = fs_getattr(x->q, x->path.node, &x->attr);
    if (st != ST_OK)
        return st == ST_STALE ? ST_NOENT : st;
    fs_attr_fill(x->path.node, &x->attr, &shown);
    x->dos = shown.dos;
    return resolve_stream(x);
}

/* --- act on what exists */

/* The data, streams, EAs and attributes of before are gone; the object, its name and its descriptor stay. */
static enum st replace_file(struct opening *x)
{
    const struct fs_open_args *a = x->a;
    struct st_node *n = x->path.node;
    struct st_attr to = {.size = 0};
    uint32_t dos = a->dos | FS_DOS_ARCHIVE;
    struct timespec now = clock_wall();
    bool supersede = a->disposition == FS_SUPERSEDE;
    enum st st = n->store->ops->setattr(n, ST_SET_SIZE, &to);
    if (st == ST_OK)
        st = fs_streams_drop(n);
    if (st == ST_OK && (supersede || (x->dos & ~(uint32_t)FS_DOS_NORMAL) != (dos & ~(uint32_t)FS_DOS_NORMAL)))
        st = fs_meta_store(n, &dos, supersede ? &now : NULL);
    if (st == ST_OK)
        st = fs_eas_write(n, a->ea, a->nea);
    if (st == ST_OK && a->alloc) {
        st = n->store->ops->allocate(n, 0, a->alloc, ST_ALLOC_KEEP_SIZE);
        if (st == ST_NOTSUP)
            st = ST_OK;
    }
    return st;
}

static enum st act_locked(struct opening *x)
{
    struct st_node *n = x->path.node;
    if (x->action == FS_CREATED)
        return fs_stream_make(n, x->stream);
    return x->stream ? fs_stream_empty(n, x->stream) : replace_file(x);
}

static void tell_existing(struct opening *x)
{
    uint32_t filter = x->stream ? FS_CHANGE_STREAM_SIZE | FS_CHANGE_STREAM_WRITE
                                : FS_CHANGE_SIZE | FS_CHANGE_LAST_WRITE;
    uint32_t action = FS_MODIFIED;
    if (!x->path.dir)
        return;
    if (x->action == FS_CREATED) {
        action = FS_ADDED_STREAM;
        filter = FS_CHANGE_STREAM_NAME;
    }
    fs_tell(x->q, x->path.dir, x->path.name, x->path.n, action, filter);
}

/* With the node's lock: is the name that was looked up still its name? */
static bool has_moved(const struct opening *x)
{
    const struct fs_path *p = &x->path;
    return p->dir && atomic_load(&fsn(p->dir)->moves) != p->moves && !fs_still_named(p->dir, p->name, p->n, p->node);
}

/* With the node's lock: an open that overwrites asks for all bytes that there are. */
static bool has_grown(const struct opening *x)
{
    struct st_attr now;
    struct st_node *n = x->path.node;
    return open_truncates(x->a) && n->store->ops->getattr(n, &now) == ST_OK && now.size > x->attr.size;
}

static size_t asks_of(struct opening *x, struct co_ask asks[3])
{
    struct st_node *n = x->path.node;
    size_t nasks = 0;
    if (x->stream)
        asks[nasks++] = open_ask_base(x, n);
    asks[nasks++] = open_ask(x, n);
    x->open->priv->key = asks[nasks - 1].key;
    if (open_truncates(x->a))
        nasks += fs_parent_ask(x->q, n, NULL, &asks[nasks]);
    return nasks;
}

static enum fs_action action_of(const struct opening *x)
{
    if (x->stream && !x->stream_exists)
        return FS_CREATED;
    return !open_truncates(x->a) ? FS_OPENED : x->a->disposition == FS_SUPERSEDE ? FS_SUPERSEDED : FS_OVERWRITTEN;
}

void open_grant(struct opening *x)
{
    const struct fs_open_args *a = x->a;
    struct fs_open_result *ret = &x->caching;
    struct fs_open *o = x->open;
    struct fs *fs = o->fs;
    bool is_dir = o->node->type == ST_DIR && !o->stream;
    struct co_key key = fs_open_key(o);
    if (is_dir && a->lease_kind == CO_OPLOCK)
        return; /* a directory has leases only */
    if (!a->lease_want && (a->lease_kind != CO_LEASE || !memcmp(o->party.lease, (uint8_t[16]){0}, 16)))
        return; /* under a lease's key an open that wants nothing joins the lease */
    ret->lease_epoch = a->lease_epoch;
    /* Told before it is granted: nobody may change an entry in between without looking (parent.c). */
    if (is_dir) {
        atomic_store(&fs->dir_leases, true);
        if (!o->priv->sees_local)
            fs_local_begin(o->node);
        o->priv->sees_local = true;
    }
    ret->lease = co_lease(fs->co, &key, &o->party, a->lease_kind, a->lease_want,
                          (is_dir ? CO_DIRECTORY : 0) | (a->reclaim ? CO_RECLAIM : 0),
                          a->lease_epoch, clock_now(), &ret->lease_epoch, &ret->lease_breaking);
}

static enum st open_existing(struct opening *x, bool *ret_raced)
{
    struct st_node *n = x->path.node;
    struct co_ask asks[3];
    enum st st = open_check_existing(x);
    if (st != ST_OK)
        return st;
    x->action = action_of(x);
    x->open = open_new(x);
    if (!x->open)
        return ST_NOMEM;
    x->open->node = st_ref(n);
    /* The gate is passed with the object's lock, which moves of its name take: the engine and the table of opens know
     * the open by the same name from its first moment on. */
    fsn_lock_all(&n, 1);
    *ret_raced = has_moved(x) || has_grown(x);
    st = *ret_raced ? ST_OK : fs_gate(x->q, asks, asks_of(x, asks));
    if (*ret_raced || st != ST_OK) {
        fsn_unlock_all(&n, 1);
        return st;
    }
    if (x->action != FS_OPENED)
        st = act_locked(x);
    if (st == ST_OK) {
        open_publish(x);
        open_grant(x);
    } else {
        open_drop_holds(x->q->fs, x->open, x->link);
    }
    fsn_unlock_all(&n, 1);
    if (st == ST_OK && x->action != FS_OPENED)
        tell_existing(x);
    fs_leave(x->q);
    return st;
}

/* --- result */
static void fill_result(struct opening *x, struct fs_open_result *ret)
{
    struct fs_open *o = x->open;
    struct st_attr st = x->attr;
    if (x->action != FS_OPENED) /* what was changed since it was looked at */
        o->node->store->ops->getattr(o->node, &st);
    *ret = (struct fs_open_result){.open = o, .action = x->action, .maximal_access = x->maximal};
    open_attr_fill(o->node, &st, x->path.name, x->path.n, x->stream, &ret->attr);
    ret->lease = x->caching.lease;
    ret->lease_epoch = x->caching.lease_epoch;
    ret->lease_breaking = x->caching.lease_breaking;
    if (x->path.dir && o->node->type != ST_DIR)
        fs_parent_seen(o->fs, x->path.dir, o->node);
}

static void opening_done(struct opening *x)
{
    fs_path_done(&x->path);
    fs_open_unref(x->open);
    x->open = NULL;
}

enum st fs_open(struct fs_req *q, const struct fs_open_args *a, struct fs_open_result *ret)
{
    enum st st = ST_DELAY;
    bool raced = true;
    for (int tries = 0; tries < FS_RETRIES && raced; tries++) {
        struct opening x = {.q = q, .a = a};
        raced = false;
        st = open_check_args(&x);
        if (st == ST_OK)
            st = resolve(&x);
        if (st == ST_OK)
            st = x.path.node ? open_existing(&x, &raced) : open_create(&x, &raced);
        if (st == ST_OK && !raced) {
            fill_result(&x, ret);
            x.open = NULL;
        }
        opening_done(&x);
        if (raced)
            st = ST_DELAY;
    }
    return st;
}
