/* persist.c - persistent opens outlive the server ([MS-SMB2] 3.3.5.9.10, 3.3.1.10): a record of each in the state
 * database from before its CREATE is answered until it is closed, with the ranges it has locked. At the next start each
 * is opened again under its old number and waits for its client like any disconnected open.
 *
 * Writing waits for the disk: on the pool only. */
#include "create_contexts.h"
#include "internal.h"
#include "base/kv.h"
#include "fs/open.h"

#define TABLE "smb_persistent"
#define VERSION 1
#define RECORD_MAX (64 << 10)
#define RANGES_MAX 1024 /* of one open; with more it is no longer persistent */

static enum co_lease_kind kind_of(const struct smb_open *o)
{
    return o->oplock_level == SMB2_OPLOCK_LEVEL_LEASE ? CO_LEASE : CO_OPLOCK;
}

/* --- Writing. */
struct ranges {
    struct wbuf *w;
    const struct co_party *party;
    uint32_t n;
    const struct fs_range *gone; /* not to be written, each once */
    size_t ngone;
    uint64_t skipped[RANGES_MAX / 64];
};

static bool skip(struct ranges *g, const struct co_hold *h)
{
    for (size_t i = 0; i < g->ngone; i++) {
        const struct fs_range *x = &g->gone[i];
        if (x->first != h->first || x->zero_len != h->zero_len || (!x->zero_len && x->last != h->last) ||
            g->skipped[i / 64] >> i % 64 & 1)
            continue;
        g->skipped[i / 64] |= 1ull << i % 64;
        return true;
    }
    return false;
}

static bool put_range(void *arg, const struct co_hold *h)
{
    struct ranges *g = arg;
    if (h->kind != CO_KIND_RANGE || h->party.client != g->party->client || h->party.open != g->party->open ||
        skip(g, h))
        return true;
    wbuf_le64(g->w, h->first);
    wbuf_le64(g->w, h->last);
    wbuf_u8(g->w, h->exclusive);
    wbuf_u8(g->w, h->zero_len);
    return ++g->n < RANGES_MAX;
}

static void put_cred(struct wbuf *w, const struct fs_cred *c)
{
    wbuf_le32(w, c->uid);
    wbuf_le32(w, c->gid);
    wbuf_u8(w, c->superuser);
    wbuf_u8(w, c->guest);
    wbuf_put(w, c->name, sizeof c->name);
    wbuf_le32(w, c->ngroups);
    for (uint32_t i = 0; i < c->ngroups; i++)
        wbuf_le32(w, c->groups[i]);
}

static bool put_record(struct wbuf *w, struct smb_open *o, const struct fs_range *gone, size_t ngone)
{
    const struct fs_open *f = o->fso;
    struct fs_req q;
    uint8_t handle[FS_HANDLE_MAX];
    size_t n, stream = f->stream ? strlen(f->stream) : 0;
    uint16_t epoch;
    bool breaking;
    fs_req_init(&q, o->srv->fs, NULL, NULL);
    q.may_block = true;
    if (fs_handle(&q, f->node, handle, &n) != ST_OK)
        return false;
    uint8_t caching = fs_open_caching(o->fso, kind_of(o), &epoch, &breaking);
    wbuf_u8(w, VERSION);
    wbuf_put(w, o->client_guid, 16);
    wbuf_put(w, o->create_guid, 16);
    wbuf_put(w, o->lease_key, 16);
    wbuf_put(w, f->party.parent_lease, 16);
    wbuf_u8(w, o->oplock_level);
    wbuf_u8(w, o->lease_v2);
    wbuf_u8(w, caching);
    wbuf_le16(w, epoch);
    wbuf_u8(w, o->action);
    wbuf_le32(w, o->timeout);
    wbuf_le32(w, f->access);
    wbuf_le32(w, f->share_access);
    wbuf_le32(w, f->options);
    put_cred(w, &f->cred);
    wbuf_le16(w, (uint16_t)n);
    wbuf_put(w, handle, n);
    wbuf_le16(w, (uint16_t)stream);
    wbuf_put(w, f->stream, stream);
    struct ranges g = {.w = w, .party = &f->party, .gone = gone, .ngone = ngone};
    fs_open_each_hold(o->fso, put_range, &g);
    return !w->bad && g.n < RANGES_MAX;
}

/* One writer of a record at a time, so that none puts what it saw over what a later one did; by number. */
static pthread_mutex_t writing[16] = {[0 ... 15] = PTHREAD_MUTEX_INITIALIZER};
static pthread_mutex_t *writer(uint64_t id) { return &writing[id % ARRAY_LEN(writing)]; }

static bool save(struct smb_open *o, const struct fs_range *gone, size_t ngone)
{
    uint8_t key[8];
    struct wbuf w _cleanup_(wbuf_done);
    put_be64(key, o->persistent_id);
    wbuf_init(&w, 512, RECORD_MAX);
    return o->srv->kv && put_record(&w, o, gone, ngone) &&
           kv_put(o->srv->kv, TABLE, key, 8, wbuf_at(&w, 0), wbuf_len(&w)) == 0;
}

bool smb_persist_save(struct smb_open *o)
{
    pthread_mutex_lock(writer(o->persistent_id));
    bool saved = save(o, NULL, 0);
    pthread_mutex_unlock(writer(o->persistent_id));
    return saved;
}

static void drop(struct smb_server *srv, uint64_t id)
{
    uint8_t key[8];
    put_be64(key, id);
    (void)kv_del(srv->kv, TABLE, key, 8);
}

void smb_persist_drop(struct smb_open *o)
{
    pthread_mutex_lock(writer(o->persistent_id));
    drop(o->srv, o->persistent_id);
    pthread_mutex_unlock(writer(o->persistent_id));
}

/* Not when it has been closed meanwhile, or another object stands for it. */
void smb_persist_unlocking(struct smb_open *o, const struct fs_range *gone, size_t n)
{
    pthread_mutex_lock(writer(o->persistent_id));
    if (!o->closed && !save(o, gone, MIN(n, (size_t)RANGES_MAX))) {
        log_warn("smb", "event=persistent_not_saved user=%s", log_quote(o->fso->cred.name, strlen(o->fso->cred.name)));
        o->persistent = false; /* rather not again than with other ranges than it has */
        drop(o->srv, o->persistent_id);
    }
    pthread_mutex_unlock(writer(o->persistent_id));
}

void smb_persist_update(struct smb_open *o) { smb_persist_unlocking(o, NULL, 0); }

/* --- Reading. */
struct record {
    struct record *next;
    uint64_t id;
    struct smb_open *open; /* once it is open again */
    uint8_t lease;         /* what it might cache */
    uint16_t epoch;
    size_t n;
    uint8_t b[];
};

static int collect(void *arg, const void *key, size_t nkey, const void *val, size_t n)
{
    struct record ***end = arg, *e = nkey == 8 ? malloc(sizeof *e + n) : NULL;
    if (!e)
        return 0;
    *e = (struct record){.id = get_be64(key), .n = n};
    memcpy(e->b, val, n);
    **end = e;
    *end = &e->next;
    return 0;
}

struct restoring {
    struct smb_open *open;
    struct fs_open_args a;
    struct fs_cred cred;
    struct co_party party;
    struct cursor handle;
    char *stream;
    uint8_t lease;
};

static void take(struct cursor *c, void *to, size_t n)
{
    const uint8_t *p = cursor_take(c, n);
    if (p)
        memcpy(to, p, n);
}

static bool take_cred(struct cursor *c, struct fs_cred *to)
{
    to->uid = cursor_le32(c);
    to->gid = cursor_le32(c);
    to->superuser = cursor_u8(c);
    to->guest = cursor_u8(c);
    take(c, to->name, sizeof to->name);
    to->name[sizeof to->name - 1] = 0;
    to->ngroups = cursor_le32(c);
    if (to->ngroups > FS_GROUPS_MAX)
        return false;
    for (uint32_t i = 0; i < to->ngroups; i++)
        to->groups[i] = cursor_le32(c);
    return !c->bad;
}

static bool take_record(struct cursor *c, struct arena *arena, struct restoring *x)
{
    struct smb_open *o = x->open;
    if (cursor_u8(c) != VERSION)
        return false;
    take(c, o->client_guid, 16);
    take(c, o->create_guid, 16);
    take(c, o->lease_key, 16);
    take(c, x->party.parent_lease, 16);
    o->oplock_level = cursor_u8(c);
    o->lease_v2 = cursor_u8(c);
    x->lease = cursor_u8(c);
    x->a.lease_epoch = cursor_le16(c);
    o->action = cursor_u8(c);
    o->timeout = cursor_le32(c);
    x->a.access = cursor_le32(c);
    x->a.share = cursor_le32(c);
    x->a.options = cursor_le32(c);
    if (!take_cred(c, &x->cred))
        return false;
    uint16_t n = cursor_le16(c);
    x->handle = cursor_slice(c, cursor_pos(c), n);
    cursor_skip(c, n);
    n = cursor_le16(c);
    const uint8_t *stream = cursor_take(c, n);
    if (n && stream)
        x->a.stream = x->stream = arena_strndup(arena, (const char *)stream, n);
    return !c->bad && !x->handle.bad;
}

static enum st lock_again(struct fs_req *q, struct fs_open *o, struct cursor *c)
{
    enum st st = ST_OK;
    while (st == ST_OK && cursor_left(c)) {
        struct fs_range g = {.first = cursor_le64(c), .last = cursor_le64(c)};
        g.exclusive = cursor_u8(c);
        g.zero_len = cursor_u8(c);
        st = c->bad ? ST_INVAL : fs_lock(q, o->node, o, &g, 1, false, fs_in_grace(q->fs));
    }
    return st;
}

static bool open_again(struct restoring *x, struct cursor *c, struct fs_req *q)
{
    char path[4096];
    struct fs_share *share = NULL;
    _cleanup_node_ struct st_node *node = NULL;
    struct fs_open_result res = {0};
    size_t n = cursor_left(&x->handle);
    if (fs_from_handle(q->fs, cursor_take(&x->handle, n), n, &share, &node) != ST_OK)
        return false;
    q->share = share;
    enum st st = share->cfg.continuous_availability ? node->store->ops->path(node, path, sizeof path) : ST_STALE;
    if (st == ST_OK) {
        x->a.base = share->root;
        x->a.path = path;
        x->a.npath = strlen(path);
        x->a.disposition = FS_OPEN;
        x->a.reclaim = true;
        st = fs_open(q, &x->a, &res);
    }
    if (st == ST_OK)
        x->open->fso = res.open;
    if (st == ST_OK && (st = lock_again(q, res.open, c)) != ST_OK)
        fs_close(q, TAKE_PTR(x->open->fso), NULL);
    fs_share_put(share);
    return st == ST_OK;
}

/* Without caching: a record may tell of more than there was in the end, and nobody is there yet who could give anything
 * back. */
static bool restore(struct smb_server *srv, struct record *e)
{
    struct restoring x = {.open = smb_open_loose(srv)};
    struct cursor c = cursor_of(e->b, e->n);
    struct arena arena;
    struct fs_req q;
    if (!x.open)
        return true; /* next time */
    struct smb_open *o = x.open;
    arena_init(&arena);
    fs_req_init(&q, srv->fs, NULL, &arena);
    bool ok = take_record(&c, &arena, &x);
    if (ok) {
        o->client = smb_client_id(o->client_guid);
        o->persistent_id = e->id;
        o->durable = true;
        o->persistent = true;
        x.a.lease_kind = kind_of(o);
        x.party.label = CO_LABEL_SMB;
        x.party.flavour = CO_WINDOWS;
        x.party.client = o->client;
        x.party.open = e->id;
        memcpy(x.party.who, x.cred.name, MIN(sizeof x.party.who, sizeof x.cred.name) - 1);
        if (kind_of(o) == CO_LEASE)
            memcpy(x.party.lease, o->lease_key, 16);
        q.cred = &x.cred;
        q.party = &x.party;
        q.may_block = true;
        ok = open_again(&x, &c, &q);
    }
    if (ok) {
        smb_durable_restored(o);
        e->open = smb_open_ref(o);
        e->lease = x.lease;
        e->epoch = x.a.lease_epoch;
    }
    smb_open_unref(o);
    arena_reset(&arena);
    return ok;
}

void smb_persist_restore(struct smb_server *srv)
{
    struct record *all = NULL, **end = &all, *e;
    unsigned restored = 0, lost = 0;
    if (!srv->kv)
        return;
    (void)kv_each(srv->kv, TABLE, collect, &end);
    for (e = all; e; e = e->next) {
        bool ok = restore(srv, e);
        restored += ok;
        lost += !ok;
        if (!ok)
            drop(srv, e->id);
    }
    while ((e = all)) { /* everything is open again: everybody may cache what goes together with that */
        all = e->next;
        if (e->open)
            fs_open_regrant(e->open->fso, kind_of(e->open), e->lease, e->epoch);
        smb_open_unref(e->open);
        free(e);
    }
    if (restored || lost)
        log_info("smb", "event=persistent_restored opens=%u lost=%u", restored, lost);
}
