/* hash.h - SipHash-2-4 and an intrusive chained hash table that grows. The table is not thread-safe: whoever
 * owns it locks it. Keys live in the entries; the caller hashes and compares. */
#pragma once
#include "util.h"

struct hash_link {
    struct hash_link *next;
    uint64_t hash;
};
struct hash {
    struct hash_link **slots; /* power of two */
    size_t mask, count;
};

/* Returns ST_OK's 0 or -ENOMEM. `slots` is rounded up to a power of two. */
int hash_init(struct hash *h, size_t slots);
void hash_done(struct hash *h); /* frees the slots, not the entries */
/* Never fails: a table that cannot grow gets longer chains. */
void hash_insert(struct hash *h, struct hash_link *e, uint64_t hash);
void hash_remove(struct hash *h, struct hash_link *e);
/* First entry with this hash, or NULL; then the following ones. */
struct hash_link *hash_first(const struct hash *h, uint64_t hash);
struct hash_link *hash_next(const struct hash_link *e);

uint64_t siphash(const uint8_t key[16], const void *data, size_t n);
/* For tables: siphash under a key drawn at start, so that clients cannot choose collisions. */
uint64_t hash_bytes(const void *data, size_t n);
uint64_t hash_u64(uint64_t v);
