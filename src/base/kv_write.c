/* kv_write.c - writing to the state database: concurrent writers share one transaction.
 *
 * A commit waits for the disk twice, whatever it holds. Who comes while one runs leaves its writes in the queue; when
 * the commit is over, one of those who wait takes everything that has gathered into the next. Writes of one key keep
 * their order. Commits are synchronous: who returns has its writes on the disk.
 *
 * `write_lock` guards the queue and is never held over a transaction. */
#include "kv_int.h"
#include <errno.h>

/* One caller's writes, on its stack. */
struct kv_group {
    struct kv_group *next;
    const char *table;
    const struct kv_item *items;
    size_t n;
    bool del, done;
    int rc;
};

void kv_writer_init(struct kv *kv)
{
    pthread_mutex_init(&kv->write_lock, NULL);
    pthread_cond_init(&kv->committed, NULL);
    kv->end = &kv->first;
}

void kv_writer_done(struct kv *kv)
{
    pthread_cond_destroy(&kv->committed);
    pthread_mutex_destroy(&kv->write_lock);
}

static int apply(struct kv_group *g, MDB_txn *txn, MDB_dbi dbi)
{
    g->rc = MDB_SUCCESS;
    for (size_t i = 0; i < g->n; i++) {
        MDB_val key = kv_val(g->items[i].key, g->items[i].nkey), val = kv_val(g->items[i].val, g->items[i].n);
        int rc = g->del ? mdb_del(txn, dbi, &key, NULL) : mdb_put(txn, dbi, &key, &val, 0);
        if (rc == MDB_NOTFOUND)
            g->rc = rc; /* its own affair; the others' writes are good */
        else if (rc != MDB_SUCCESS)
            return rc;
    }
    return MDB_SUCCESS;
}

static int try_locked(struct kv *kv, struct kv_group *all, size_t *ret_map)
{
    MDB_dbi dbi;
    MDB_txn *txn;
    MDB_envinfo info;
    int rc = mdb_env_info(kv->env, &info);
    if (rc == MDB_SUCCESS)
        rc = mdb_txn_begin(kv->env, NULL, 0, &txn);
    if (rc != MDB_SUCCESS)
        return rc;
    *ret_map = info.me_mapsize;
    for (struct kv_group *g = all; g && rc == MDB_SUCCESS; g = g->next)
        rc = kv_known_locked(kv, g->table, &dbi) ? apply(g, txn, dbi) : MDB_BAD_DBI;
    if (rc == MDB_SUCCESS)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

/* All of them in one transaction; each learns its own result. */
static void commit(struct kv *kv, struct kv_group *all)
{
    int rc;
    do {
        size_t map = 0;
        pthread_rwlock_rdlock(&kv->lock);
        rc = try_locked(kv, all, &map);
        pthread_rwlock_unlock(&kv->lock);
        rc = kv_prepare(kv, all->table, true, rc, map);
    } while (rc == KV_AGAIN);
    for (struct kv_group *g = all; g && rc != MDB_SUCCESS; g = g->next)
        g->rc = rc;
}

/* Waits until it is done; commits for everybody in the queue when nobody else does. */
static int write_group(struct kv *kv, struct kv_group *g)
{
    pthread_mutex_lock(&kv->write_lock);
    *kv->end = g;
    kv->end = &g->next;
    while (!g->done) {
        if (kv->writing) {
            pthread_cond_wait(&kv->committed, &kv->write_lock);
            continue;
        }
        struct kv_group *all = kv->first;
        kv->first = NULL;
        kv->end = &kv->first;
        kv->writing = true;
        pthread_mutex_unlock(&kv->write_lock);
        commit(kv, all);
        pthread_mutex_lock(&kv->write_lock);
        kv->writing = false;
        for (struct kv_group *next; all; all = next) {
            next = all->next; /* a group that is done is its owner's again */
            all->done = true;
        }
        pthread_cond_broadcast(&kv->committed);
    }
    pthread_mutex_unlock(&kv->write_lock);
    return kv_errno(g->rc);
}

/* What is wrong with one caller's writes is found here, where it spoils nobody else's transaction. */
static int check(struct kv *kv, const struct kv_group *g)
{
    MDB_dbi dbi;
    size_t most = (size_t)mdb_env_get_maxkeysize(kv->env);
    for (size_t i = 0; i < g->n; i++)
        if (!g->items[i].nkey || g->items[i].nkey > most)
            return MDB_BAD_VALSIZE;
    pthread_rwlock_rdlock(&kv->lock);
    int rc = kv_known_locked(kv, g->table, &dbi) ? MDB_SUCCESS : MDB_BAD_DBI;
    pthread_rwlock_unlock(&kv->lock);
    rc = kv_prepare(kv, g->table, true, rc, 0);
    return rc == KV_AGAIN ? MDB_SUCCESS : rc;
}

static int write_checked(struct kv *kv, struct kv_group *g)
{
    int rc = check(kv, g);
    return rc == MDB_SUCCESS && g->n ? write_group(kv, g) : kv_errno(rc);
}

int kv_put_all(struct kv *kv, const char *table, const struct kv_item *items, size_t n)
{
    struct kv_group g = {.table = table, .items = items, .n = n};
    return write_checked(kv, &g);
}

int kv_put(struct kv *kv, const char *table, const void *key, size_t nkey, const void *val, size_t n)
{
    struct kv_item item = {key, nkey, val, n};
    return kv_put_all(kv, table, &item, 1);
}

int kv_del(struct kv *kv, const char *table, const void *key, size_t nkey)
{
    struct kv_item item = {.key = key, .nkey = nkey};
    struct kv_group g = {.table = table, .items = &item, .n = 1, .del = true};
    return write_checked(kv, &g);
}
