/* kv_int.h - what the files of the state database share. Nobody else includes it. */
#pragma once
#include "kv.h"
#include <lmdb.h>
#include <pthread.h>

#define KV_TABLES 64
#define KV_NAME_MAX 64
#define KV_AGAIN (-1) /* no code of LMDB, no errno */

struct kv_group;
struct kv {
    MDB_env *env;
    int lock_fd;
    pthread_rwlock_t lock; /* see kv.c */
    unsigned ntables;
    struct kv_table {
        char name[KV_NAME_MAX];
        MDB_dbi dbi;
    } tables[KV_TABLES];
    /* kv_write.c's */
    pthread_mutex_t write_lock;
    pthread_cond_t committed;
    struct kv_group *first, **end;
    bool writing;
};

void kv_writer_init(struct kv *kv);
void kv_writer_done(struct kv *kv);

int kv_errno(int rc); /* an LMDB code as 0 or a negative errno */
bool kv_known_locked(const struct kv *kv, const char *name, MDB_dbi *ret);
/* After a transaction ended with `rc` while the map had `map` bytes (0: not known): what it lacked (the table, room) is
 * made and the answer is KV_AGAIN; else `rc` or what went wrong. */
int kv_prepare(struct kv *kv, const char *table, bool write, int rc, size_t map);

static inline MDB_val kv_val(const void *p, size_t n)
{
    return (MDB_val){.mv_size = n, .mv_data = (void *)(uintptr_t)p};
}
