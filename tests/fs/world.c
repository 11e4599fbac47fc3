/* world.c - see world.h. */
#include "world.h"
#include "base/log.h"
#include <stdio.h>
#include <sys/stat.h>

struct fs_share_config world_config(const struct world *w)
{
    struct fs_share_config cfg = {.name = "share", .nfs = true, .smb = true, .anon_uid = 65534, .anon_gid = 65534};
    snprintf(cfg.store, sizeof cfg.store, "%s", w->store);
    if (!strcmp(w->store, "dir"))
        snprintf(cfg.path, sizeof cfg.path, "%s/tree", w->dir);
    return cfg;
}

int world_start(struct world *w)
{
    struct fs_config cfg = {.kv = w->kv, .again_percent = 50};
    struct fs_share_config share = world_config(w);
    char path[80];
    snprintf(path, sizeof path, "%s/state", w->dir);
    if (w->dir[0] && kv_open(path, &w->kv) != 0)
        return -1;
    cfg.kv = w->kv;
    co_policy_default(&cfg.lock);
    if (fs_create(&cfg, &w->fs) != ST_OK || fs_share_set(w->fs, "share", &share) != ST_OK)
        return -1;
    w->share = fs_share_get(w->fs, "SHARE", 5);
    w->root = w->share ? st_ref(w->share->root) : NULL;
    return w->root ? 0 : -1;
}

void world_stop(struct world *w)
{
    world_check(w);
    st_unref(w->root);
    fs_share_put(w->share);
    fs_free(w->fs);
    if (w->kv)
        kv_close(w->kv);
    w->kv = NULL;
    w->fs = NULL;
}

int world_open(struct world *w, const char *store, bool with_kv)
{
    memset(w, 0, sizeof *w);
    log_init(2, LOG_WARN);
    snprintf(w->store, sizeof w->store, "%s", store);
    if (with_kv || !strcmp(store, "dir")) {
        char tree[80];
        snprintf(w->dir, sizeof w->dir, "/tmp/concord-fs-XXXXXX");
        if (!mkdtemp(w->dir))
            return -1;
        snprintf(tree, sizeof tree, "%s/tree", w->dir);
        if (mkdir(tree, 0777) != 0 || chmod(tree, 0777) != 0)
            return -1;
    }
    return world_start(w);
}

void world_close(struct world *w)
{
    char cmd[128];
    world_stop(w);
    if (w->dir[0]) {
        snprintf(cmd, sizeof cmd, "rm -rf '%s'", w->dir);
        assert_int_equal(system(cmd), 0);
    }
}

void world_check(struct world *w)
{
    struct co_stats s;
    co_stats(w->fs->co, &s);
    assert_int_equal(s.entered, 0);
    assert_int_equal(fs_metrics(w->fs)->gate_violations, 0);
}

static void wake(struct co_ticket *t)
{
    container_of(container_of(t, struct fs_req, ticket), struct caller, q)->w->wakes++;
}

void caller_init(struct caller *c, struct world *w, uint32_t uid, uint32_t gid)
{
    static char job; /* only its being there counts */
    memset(&c->cred, 0, sizeof c->cred);
    memset(&c->party, 0, sizeof c->party);
    arena_init(&c->arena);
    c->w = w;
    fs_req_init(&c->q, w->fs, (struct job *)(void *)&job, &c->arena);
    c->q.ticket.wake = wake;
    c->cred.uid = uid;
    c->cred.gid = gid;
    c->cred.superuser = uid == 0;
    c->party.label = CO_LABEL_NFS3;
    c->party.flavour = CO_POSIX;
    snprintf(c->party.who, sizeof c->party.who, "uid%u", uid);
    c->q.cred = &c->cred;
    c->q.party = &c->party;
    c->q.share = w->share;
    c->q.posix = true;
}

void caller_smb(struct caller *c, uint64_t client, uint64_t open)
{
    c->party.label = CO_LABEL_SMB;
    c->party.flavour = CO_WINDOWS;
    c->party.client = client;
    c->party.open = open;
    memset(c->party.lease, (int)open, sizeof c->party.lease);
    c->q.posix = false;
}

void caller_done(struct caller *c)
{
    fs_cancel(&c->q);
    arena_reset(&c->arena);
}

struct st_attr attr_of(struct st_node *n)
{
    struct st_attr a;
    assert_st(n->store->ops->getattr(n, &a), ST_OK);
    return a;
}

struct st_node *mk(struct caller *c, struct st_node *dir, const char *name, enum st_type type, uint32_t mode)
{
    struct fs_make m = {.a = {.type = type, .mode = mode}, .set = ST_SET_MODE, .how = FS_CREATE_GUARDED, .target = "t"};
    struct st_node *n = NULL;
    struct st_attr a;
    assert_st(RUN(c, fs_make(&c->q, dir, name, strlen(name), &m, &n, &a, NULL)), ST_OK);
    return n;
}

struct st_node *at(struct caller *c, struct st_node *dir, const char *name)
{
    struct st_node *n = NULL;
    enum st st = RUN(c, fs_lookup(&c->q, dir, name, strlen(name), &n, NULL));
    assert_true(st == ST_OK || st == ST_NOENT);
    return n;
}

void put(struct caller *c, struct st_node *n, uint64_t off, const char *text)
{
    assert_st(RUN(c, fs_write(&c->q, n, NULL, off, text, strlen(text), FS_UNSTABLE, NULL)), ST_OK);
}
