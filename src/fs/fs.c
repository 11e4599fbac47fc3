/* fs.c - the life of the file service: its keys and verifiers, the engine under it, and what front ends register.
 * Shares are share.c's, requests req.c's. */
#include "base/clock.h"
#include "base/kv.h"
#include "base/log.h"
#include "internal.h"
#include <errno.h>
#include <sys/random.h>

#define SERVER_TABLE "server"
#define HANDLE_KEY "handle-key"

static enum st random_bytes(void *out, size_t n)
{
    uint8_t *p = out;
    while (n) {
        ssize_t r = getrandom(p, n, 0);
        if (r < 0 && errno != EINTR)
            return st_from_errno(errno);
        if (r > 0) {
            p += r;
            n -= (size_t)r;
        }
    }
    return ST_OK;
}

/* Handles live as long as the state database does: its key is made once. */
static enum st load_handle_key(struct fs *fs)
{
    struct kv *kv = fs->cfg.kv;
    _cleanup_free_ void *val = NULL;
    size_t n = 0;
    int r = kv ? kv_get(kv, SERVER_TABLE, HANDLE_KEY, strlen(HANDLE_KEY), &val, &n) : -ENOENT;
    if (r == 0 && n == sizeof fs->handle_key) {
        memcpy(fs->handle_key, val, n);
        return ST_OK;
    }
    if (r != 0 && r != -ENOENT)
        return st_from_errno(-r);
    enum st st = random_bytes(fs->handle_key, sizeof fs->handle_key);
    if (st != ST_OK || !kv)
        return st;
    r = kv_put(kv, SERVER_TABLE, HANDLE_KEY, strlen(HANDLE_KEY), fs->handle_key, sizeof fs->handle_key);
    return r ? st_from_errno(-r) : ST_OK;
}

/* RFC 1813 §3.3.7: the write verifier changes whenever the server may have lost what was not committed. */
static enum st make_boot_verifier(struct fs *fs)
{
    enum st st = random_bytes(&fs->boot_verifier, sizeof fs->boot_verifier);
    struct timespec now = clock_wall();
    fs->boot_verifier ^= (uint64_t)now.tv_sec << 32 ^ (uint64_t)now.tv_nsec;
    return st;
}

static void load_self(struct fs *fs)
{
    struct fs_cred *c = &fs->self;
    gid_t groups[FS_GROUPS_MAX];
    c->uid = geteuid();
    c->gid = getegid();
    int n = getgroups(FS_GROUPS_MAX, groups);
    for (int i = 0; i < n; i++)
        c->groups[i] = groups[i];
    c->ngroups = n > 0 ? (uint32_t)n : 0;
}

/* What is decided here, and not by the engine. */
static void take_policy(struct fs *fs, const struct co_policy *p)
{
    atomic_store_explicit(&fs->attr_lazy, p->attr_lazy, memory_order_relaxed);
    atomic_store_explicit(&fs->orphan_error, p->orphan_error, memory_order_relaxed);
    atomic_store_explicit(&fs->dir_rename_strict, p->dir_rename_strict, memory_order_relaxed);
}

enum st fs_create(const struct fs_config *cfg, struct fs **ret)
{
    struct fs *fs = calloc(1, sizeof *fs);
    if (!fs)
        return ST_NOMEM;
    fs->cfg = *cfg;
    take_policy(fs, &cfg->lock);
    pthread_rwlock_init(&fs->shares_lock, NULL);
    pthread_mutex_init(&fs->opens_lock, NULL);
    load_self(fs);
    enum st st = hash_init(&fs->opens, 256) ? ST_NOMEM : ST_OK;
    if (st == ST_OK)
        st = load_handle_key(fs);
    if (st == ST_OK)
        st = make_boot_verifier(fs);
    if (st == ST_OK)
        st = fs_gate_start(fs);
    if (st != ST_OK) {
        fs_free(fs);
        return st;
    }
    *ret = fs;
    return ST_OK;
}

void fs_free(struct fs *fs)
{
    if (!fs)
        return;
    fs_shares_free(fs); /* first: stores tell of local changes until they are closed */
    fs_gate_stop(fs);
    hash_done(&fs->opens);
    pthread_rwlock_destroy(&fs->shares_lock);
    pthread_mutex_destroy(&fs->opens_lock);
    explicit_bzero(fs->handle_key, sizeof fs->handle_key);
    free(fs);
}

void fs_set_policy(struct fs *fs, const struct co_policy *p)
{
    co_set_policy(fs->co, p);
    take_policy(fs, p);
}

struct co *fs_engine(struct fs *fs)
{
    return fs->co;
}

uint64_t fs_boot_verifier(const struct fs *fs)
{
    return fs->boot_verifier;
}

void fs_set_sink(struct fs *fs, enum co_label label, const struct fs_sink *sink)
{
    if ((unsigned)label < CO_LABEL_MAX)
        fs->sinks[label] = *sink;
}
