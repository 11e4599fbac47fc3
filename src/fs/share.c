/* share.c - shares by name and by number, and the volumes under them. Knows nothing of requests.
 *
 * A share's number stands in file handles, so it is kept in the state database under the share's name, also while the
 * share does not exist. Changing a share makes a new `struct fs_share`; the old one stays as it was for those who refer
 * to it. Both stand on one volume while path and kind of store are the same: nodes stay what they are. */
#include "base/bytes.h"
#include "base/kv.h"
#include "base/log.h"
#include "base/utf.h"
#include "internal.h"
#include <errno.h>

#define SHARES_TABLE "shares"
#define KEY_STORE_FS (1ull << 63) /* co_key.store made of a file system's number, else of the share's */

static void volume_free(struct fs_volume *v)
{
    for (struct fs_share *s = v->all, *older; s; s = older) {
        older = s->older;
        free(s->cfg.rules);
        free(s);
    }
    st_unref(v->root);
    if (v->store)
        v->store->ops->free(v->store);
    pthread_mutex_destroy(&v->rename_lock);
    free(v);
}

void fs_share_put(struct fs_share *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    if (atomic_fetch_sub(&s->vol->live, 1) == 1)
        volume_free(s->vol);
}

static struct fs_share *share_ref(struct fs_share *s)
{
    if (s)
        atomic_fetch_add(&s->refs, 1);
    return s;
}

/* Holds shares_lock. */
static struct fs_share **share_slot(struct fs *fs, const char *name, size_t n)
{
    struct fs_share **at = &fs->shares;
    while (*at && utf8_casecmp((*at)->cfg.name, strlen((*at)->cfg.name), name, n) != 0)
        at = &(*at)->next;
    return at;
}

/* --- Numbers. */
static int largest_id(void *arg, const void *key, size_t nkey, const void *val, size_t n)
{
    uint32_t *largest = arg;
    if (n == 4 && get_be32(val) > *largest)
        *largest = get_be32(val);
    return 0;
}

static size_t id_key(const char *name, char out[320])
{
    const uint8_t *p = (const uint8_t *)name, *end = p + strlen(name);
    size_t n = 0;
    while (p < end && n + 4 < 320) {
        uint32_t cp;
        size_t used = utf8_decode(p, end, &cp);
        if (used) {
            n += utf8_encode(utf_upcase(cp), (uint8_t *)out + n);
            p += used;
        } else {
            out[n++] = (char)*p++;
        }
    }
    return n;
}

static enum st share_id(struct fs *fs, const char *name, uint32_t *ret)
{
    struct kv *kv = fs->cfg.kv;
    if (!kv) {
        *ret = ++fs->next_share;
        return ST_OK;
    }
    char key[320];
    size_t nkey = id_key(name, key);
    _cleanup_free_ void *val = NULL;
    size_t n = 0;
    int r = kv_get(kv, SHARES_TABLE, key, nkey, &val, &n);
    if (r == 0 && n == 4) {
        *ret = get_be32(val);
        return ST_OK;
    }
    if (r != 0 && r != -ENOENT)
        return st_from_errno(-r);
    uint32_t largest = 0;
    r = kv_each(kv, SHARES_TABLE, largest_id, &largest);
    if (r != 0 && r != -ENOENT)
        return st_from_errno(-r);
    uint8_t id[4];
    put_be32(id, largest + 1);
    r = kv_put(kv, SHARES_TABLE, key, nkey, id, sizeof id);
    if (r)
        return st_from_errno(-r);
    *ret = largest + 1;
    return ST_OK;
}

/* --- Volumes. */
static enum st store_open(struct fs *fs, const struct fs_share_config *cfg, struct store **ret)
{
    static const char *const kinds[] = {"dir", "mem"};
    if (!strcmp(cfg->store, kinds[1]))
        return store_mem_open(0, ret);
    if (!cfg->store[0] || !strcmp(cfg->store, kinds[0]))
        return store_dir_open(cfg->path, cfg->name, fs->cfg.kv, ret);
    return ST_INVAL;
}

static enum st volume_open(struct fs *fs, const struct fs_share_config *cfg, uint32_t id, struct fs_volume **ret)
{
    struct fs_volume *v = calloc(1, sizeof *v);
    if (!v)
        return ST_NOMEM;
    pthread_mutex_init(&v->rename_lock, NULL);
    v->fs = fs;
    v->id = id;
    struct st_attr a;
    enum st st = store_open(fs, cfg, &v->store);
    if (st == ST_OK) {
        v->store->fs_fini = fsn_free;
        v->store->changed = fs_local_change;
        v->store->fs = v;
        v->root = v->store->ops->root(v->store);
        st = v->root ? v->store->ops->getattr(v->root, &a) : ST_NOMEM;
    }
    if (st != ST_OK) {
        volume_free(v);
        return st;
    }
    /* Two shares over one file system see the same files, and each other's locks. */
    v->key_store = strcmp(v->store->ops->kind, "dir") == 0 ? a.fsid | KEY_STORE_FS : id;
    *ret = v;
    return ST_OK;
}

/* --- Configuration. */
static enum st share_make(const struct fs_share_config *cfg, struct fs_share **ret)
{
    struct fs_share *s = calloc(1, sizeof *s);
    if (!s)
        return ST_NOMEM;
    s->cfg = *cfg;
    s->cfg.rules = NULL;
    s->refs = 1;
    if (cfg->nrules) {
        s->cfg.rules = calloc(cfg->nrules, sizeof cfg->rules[0]);
        if (!s->cfg.rules) {
            free(s);
            return ST_NOMEM;
        }
        memcpy(s->cfg.rules, cfg->rules, cfg->nrules * sizeof cfg->rules[0]);
    }
    *ret = s;
    return ST_OK;
}

static bool same_volume(const struct fs_share *s, const struct fs_share_config *cfg)
{
    return s && !strcmp(s->cfg.store, cfg->store) && !strcmp(s->cfg.path, cfg->path);
}

/* Holds shares_lock. *old: the share of that name, or NULL. */
static enum st share_stand(struct fs *fs, const struct fs_share *old, struct fs_share *s)
{
    struct fs_volume *v = NULL;
    if (same_volume(old, &s->cfg)) {
        v = old->vol;
    } else {
        uint32_t id = 0;
        enum st st = old ? ST_OK : share_id(fs, s->cfg.name, &id);
        if (st == ST_OK)
            st = volume_open(fs, &s->cfg, old ? old->id : id, &v);
        if (st != ST_OK)
            return st;
    }
    s->fs = fs;
    s->vol = v;
    s->id = v->id;
    s->store = v->store;
    s->root = v->root;
    s->older = v->all;
    v->all = s;
    atomic_fetch_add(&v->live, 1);
    atomic_store_explicit(&v->share, s, memory_order_release);
    return ST_OK;
}

enum st fs_share_set(struct fs *fs, const char *name, const struct fs_share_config *cfg)
{
    struct fs_share *s = NULL, *old;
    enum st st = cfg ? share_make(cfg, &s) : ST_OK;
    if (st != ST_OK)
        return st;
    pthread_rwlock_wrlock(&fs->shares_lock);
    struct fs_share **at = share_slot(fs, name, strlen(name));
    old = *at;
    st = cfg ? share_stand(fs, old, s) : old ? ST_OK : ST_NOENT;
    if (st == ST_OK && s) {
        s->next = old ? old->next : NULL;
        *at = s;
    } else if (st == ST_OK) {
        *at = old->next;
    }
    pthread_rwlock_unlock(&fs->shares_lock);
    if (st == ST_OK) {
        fs_share_put(old);
    } else if (s) {
        free(s->cfg.rules);
        free(s);
    }
    return st;
}

void fs_shares_free(struct fs *fs)
{
    for (struct fs_share *s = fs->shares, *next; s; s = next) {
        next = s->next;
        fs_share_put(s);
    }
    fs->shares = NULL;
}

/* --- Finding. */
struct fs_share *fs_share_get(struct fs *fs, const char *name, size_t n)
{
    pthread_rwlock_rdlock(&fs->shares_lock);
    struct fs_share *s = share_ref(*share_slot(fs, name, n));
    pthread_rwlock_unlock(&fs->shares_lock);
    return s;
}

struct fs_share *fs_share_by_id(struct fs *fs, uint32_t id)
{
    pthread_rwlock_rdlock(&fs->shares_lock);
    struct fs_share *s = fs->shares;
    while (s && s->id != id)
        s = s->next;
    share_ref(s);
    pthread_rwlock_unlock(&fs->shares_lock);
    return s;
}

void fs_share_each(struct fs *fs, bool (*fn)(void *arg, struct fs_share *s), void *arg)
{
    pthread_rwlock_rdlock(&fs->shares_lock);
    size_t n = 0, i = 0;
    for (struct fs_share *s = fs->shares; s; s = s->next)
        n++;
    _cleanup_free_ struct fs_share **list = n ? calloc(n, sizeof *list) : NULL;
    if (list)
        for (struct fs_share *s = fs->shares; s; s = s->next)
            list[i++] = share_ref(s);
    pthread_rwlock_unlock(&fs->shares_lock);
    bool more = true;
    for (size_t k = 0; k < i; k++) { /* without the lock: fn may change shares */
        more = more && fn(arg, list[k]);
        fs_share_put(list[k]);
    }
}
