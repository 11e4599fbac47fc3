/* kv.h - the state database: named tables of bytes to bytes, durable and transactional (LMDB).
 *
 * Every call is one transaction, or part of one that it shares with calls of other threads: writing waits for the
 * disk, and those who wait at the same time wait once. Functions return 0 or a negative errno (-ENOENT: no such
 * key). Callable from any thread; loops do not write on the hot path. */
#pragma once
#include "util.h"

struct kv;

/* Opens DIR/state.mdb, creating DIR (0700) and the database. `*ret` is closed with kv_close(). -EBUSY: another
 * process has it open for writing. */
int kv_open(const char *dir, struct kv **ret);
void kv_close(struct kv *kv);
/* Value of `key`, malloced into *ret_val (also NUL-terminated, the NUL not counted); caller frees. */
int kv_get(struct kv *kv, const char *table, const void *key, size_t nkey, void **ret_val, size_t *ret_n);
int kv_put(struct kv *kv, const char *table, const void *key, size_t nkey, const void *val, size_t n);
/* All of them, or none. */
struct kv_item {
    const void *key;
    size_t nkey;
    const void *val;
    size_t n;
};
int kv_put_all(struct kv *kv, const char *table, const struct kv_item *items, size_t n);
int kv_del(struct kv *kv, const char *table, const void *key, size_t nkey);
/* Calls fn for every pair in key order until it returns nonzero, which is returned. fn must not call kv. */
int kv_each(struct kv *kv, const char *table,
            int (*fn)(void *arg, const void *key, size_t nkey, const void *val, size_t n), void *arg);
