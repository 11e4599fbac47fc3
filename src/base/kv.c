/* kv.c - the state database on LMDB: opening it, its tables and its map, and reading. kv_write.c writes.
 *
 * LMDB wants its map resized only while this process has no transaction, and a named table opened by one transaction
 * at a time. So each transaction holds `lock` for reading, and growing the map or opening a table holds it for
 * writing. One flock() beside the database keeps a second server out. Knows nothing of what is stored. */
#include "kv_int.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define KV_MAP_START (64ull << 20)
#define KV_READERS 512

int kv_errno(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return 0;
    case MDB_NOTFOUND:
        return -ENOENT;
    case MDB_MAP_FULL:
        return -ENOSPC;
    case MDB_BAD_VALSIZE:
        return -EINVAL;
    case MDB_DBS_FULL:
    case MDB_READERS_FULL:
    case MDB_TXN_FULL:
        return -ENOMEM;
    default:
        return rc > 0 ? -rc : -EIO;
    }
}

/* Each missing directory of the path, 0700. */
static int kv_mkdir(const char *dir)
{
    _cleanup_free_ char *path = strdup(dir);
    if (!path)
        return -ENOMEM;
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return -errno;
        *p = '/';
    }
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int kv_lock(struct kv *kv, const char *dir)
{
    _cleanup_free_ char *path = NULL;
    if (asprintf(&path, "%s/state.lock", dir) < 0)
        return -ENOMEM;
    kv->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (kv->lock_fd < 0)
        return -errno;
    if (flock(kv->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    return 0;
}

static int kv_open_env(struct kv *kv, const char *dir)
{
    _cleanup_free_ char *path = NULL;
    if (asprintf(&path, "%s/state.mdb", dir) < 0)
        return -ENOMEM;
    int rc = mdb_env_create(&kv->env);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_set_maxdbs(kv->env, KV_TABLES);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_set_maxreaders(kv->env, KV_READERS);
    if (rc == MDB_SUCCESS)
        rc = mdb_env_set_mapsize(kv->env, KV_MAP_START);
    /* MDB_NOTLS: a reader's slot belongs to its transaction, not to a thread that may end. */
    if (rc == MDB_SUCCESS)
        rc = mdb_env_open(kv->env, path, MDB_NOSUBDIR | MDB_NOTLS, 0600);
    return kv_errno(rc);
}

int kv_open(const char *dir, struct kv **ret)
{
    struct kv *kv = calloc(1, sizeof *kv);
    if (!kv)
        return -ENOMEM;
    kv->lock_fd = -1;
    pthread_rwlock_init(&kv->lock, NULL);
    kv_writer_init(kv);
    int r = *dir ? kv_mkdir(dir) : -EINVAL;
    if (r == 0)
        r = kv_lock(kv, dir);
    if (r == 0)
        r = kv_open_env(kv, dir);
    if (r < 0) {
        kv_close(kv);
        return r;
    }
    *ret = kv;
    return 0;
}

void kv_close(struct kv *kv)
{
    if (!kv)
        return;
    if (kv->env)
        mdb_env_close(kv->env);
    util_closep(&kv->lock_fd); /* last: it is what keeps others out */
    pthread_rwlock_destroy(&kv->lock);
    kv_writer_done(kv);
    free(kv);
}

bool kv_known_locked(const struct kv *kv, const char *name, MDB_dbi *ret)
{
    for (unsigned i = 0; i < kv->ntables; i++) {
        if (strcmp(kv->tables[i].name, name) == 0) {
            *ret = kv->tables[i].dbi;
            return true;
        }
    }
    return false;
}

/* With the write lock. Learns the number of a table; makes it only for a writer. */
static int kv_learn_locked(struct kv *kv, const char *name, bool write)
{
    MDB_dbi dbi;
    MDB_txn *txn;
    if (kv_known_locked(kv, name, &dbi))
        return MDB_SUCCESS;
    if (strlen(name) >= KV_NAME_MAX)
        return MDB_BAD_VALSIZE;
    if (kv->ntables == KV_TABLES)
        return MDB_DBS_FULL;
    int rc = mdb_txn_begin(kv->env, NULL, write ? 0 : MDB_RDONLY, &txn);
    if (rc != MDB_SUCCESS)
        return rc;
    rc = mdb_dbi_open(txn, name, write ? MDB_CREATE : 0, &dbi);
    if (rc != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return rc;
    }
    /* A table opened by a read transaction stays open only if that commits. */
    rc = mdb_txn_commit(txn);
    if (rc == MDB_SUCCESS) {
        struct kv_table *t = &kv->tables[kv->ntables++];
        memcpy(t->name, name, strlen(name) + 1);
        t->dbi = dbi;
    }
    return rc;
}

/* With the write lock. Doubles the map, unless another thread has done so since it was `seen` bytes (0: not known). */
static int kv_grow_locked(struct kv *kv, size_t seen)
{
    MDB_envinfo info;
    int rc = mdb_env_info(kv->env, &info);
    if (rc == MDB_SUCCESS && (!seen || info.me_mapsize == seen))
        rc = info.me_mapsize > SIZE_MAX / 2 ? MDB_MAP_FULL : mdb_env_set_mapsize(kv->env, info.me_mapsize * 2);
    return rc;
}

int kv_prepare(struct kv *kv, const char *table, bool write, int rc, size_t map)
{
    bool full = rc == MDB_MAP_FULL;
    if (rc != MDB_BAD_DBI && !full)
        return rc;
    pthread_rwlock_wrlock(&kv->lock);
    if (!full)
        rc = kv_learn_locked(kv, table, write);
    if (full || rc == MDB_MAP_FULL)
        rc = kv_grow_locked(kv, map);
    pthread_rwlock_unlock(&kv->lock);
    return rc == MDB_SUCCESS ? KV_AGAIN : rc;
}

/* What one reading transaction does; returns an LMDB code. */
struct kv_call {
    int (*fn)(struct kv_call *, MDB_txn *, MDB_dbi);
    MDB_val key;
    void **ret_val;
    size_t *ret_n;
    int (*each)(void *arg, const void *key, size_t nkey, const void *val, size_t n);
    void *arg;
    int stopped; /* what `each` returned */
};

static int kv_read_locked(struct kv *kv, const char *table, struct kv_call *call)
{
    MDB_dbi dbi;
    MDB_txn *txn;
    if (!kv_known_locked(kv, table, &dbi))
        return MDB_BAD_DBI;
    int rc = mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &txn);
    if (rc == MDB_SUCCESS) {
        rc = call->fn(call, txn, dbi);
        mdb_txn_abort(txn);
    }
    return rc;
}

static int kv_read(struct kv *kv, const char *table, struct kv_call *call)
{
    int rc;
    do {
        pthread_rwlock_rdlock(&kv->lock);
        rc = kv_read_locked(kv, table, call);
        pthread_rwlock_unlock(&kv->lock);
        rc = kv_prepare(kv, table, false, rc, 0);
    } while (rc == KV_AGAIN);
    return kv_errno(rc);
}

static int kv_get_run(struct kv_call *c, MDB_txn *txn, MDB_dbi dbi)
{
    MDB_val v;
    int rc = mdb_get(txn, dbi, &c->key, &v);
    if (rc != MDB_SUCCESS)
        return rc;
    uint8_t *out = malloc(v.mv_size + 1);
    if (!out)
        return ENOMEM;
    memcpy(out, v.mv_data, v.mv_size);
    out[v.mv_size] = 0;
    *c->ret_val = out;
    *c->ret_n = v.mv_size;
    return MDB_SUCCESS;
}

static int kv_each_run(struct kv_call *c, MDB_txn *txn, MDB_dbi dbi)
{
    MDB_cursor *cur;
    MDB_val k, v;
    int rc = mdb_cursor_open(txn, dbi, &cur);
    if (rc != MDB_SUCCESS)
        return rc;
    while ((rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) == MDB_SUCCESS) {
        c->stopped = c->each(c->arg, k.mv_data, k.mv_size, v.mv_data, v.mv_size);
        if (c->stopped)
            break;
    }
    mdb_cursor_close(cur);
    return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

int kv_get(struct kv *kv, const char *table, const void *key, size_t nkey, void **ret_val, size_t *ret_n)
{
    size_t n;
    struct kv_call c = {.fn = kv_get_run, .key = kv_val(key, nkey), .ret_val = ret_val, .ret_n = ret_n ? ret_n : &n};
    return kv_read(kv, table, &c);
}

int kv_each(struct kv *kv, const char *table,
            int (*fn)(void *arg, const void *key, size_t nkey, const void *val, size_t n), void *arg)
{
    struct kv_call c = {.fn = kv_each_run, .each = fn, .arg = arg};
    int r = kv_read(kv, table, &c);
    if (r == -ENOENT)
        return 0; /* a table that nobody wrote to yet is empty */
    return r ? r : c.stopped;
}
