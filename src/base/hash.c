/* hash.c - the growing chained table. Doubles when it holds as many entries as slots; never shrinks, so that a table
 * that was once big does not pay for it again. Knows nothing of keys, locks or what the entries are. */
#include "hash.h"
#include <errno.h>

#define HASH_MIN_SLOTS 8

int hash_init(struct hash *h, size_t slots)
{
    size_t n = HASH_MIN_SLOTS;
    while (n < slots && n <= SIZE_MAX / 2 / sizeof *h->slots)
        n *= 2;
    *h = (struct hash){.slots = calloc(n, sizeof *h->slots), .mask = n - 1};
    return h->slots ? 0 : -ENOMEM;
}

void hash_done(struct hash *h)
{
    free(h->slots);
    *h = (struct hash){0};
}

static void hash_grow(struct hash *h)
{
    size_t n = (h->mask + 1) * 2;
    struct hash_link **slots = calloc(n, sizeof *slots);
    if (!slots)
        return;
    for (size_t i = 0; i <= h->mask; i++) {
        for (struct hash_link *e = h->slots[i], *next; e; e = next) {
            next = e->next;
            e->next = slots[e->hash & (n - 1)];
            slots[e->hash & (n - 1)] = e;
        }
    }
    free(h->slots);
    h->slots = slots;
    h->mask = n - 1;
}

void hash_insert(struct hash *h, struct hash_link *e, uint64_t hash)
{
    if (unlikely(h->count > h->mask))
        hash_grow(h);
    struct hash_link **slot = &h->slots[hash & h->mask];
    e->hash = hash;
    e->next = *slot;
    *slot = e;
    h->count++;
}

void hash_remove(struct hash *h, struct hash_link *e)
{
    for (struct hash_link **at = &h->slots[e->hash & h->mask]; *at; at = &(*at)->next) {
        if (*at == e) {
            *at = e->next;
            e->next = NULL;
            h->count--;
            return;
        }
    }
}

static struct hash_link *hash_match(struct hash_link *e, uint64_t hash)
{
    while (e && e->hash != hash)
        e = e->next;
    return e;
}

struct hash_link *hash_first(const struct hash *h, uint64_t hash)
{
    return hash_match(h->slots[hash & h->mask], hash);
}

struct hash_link *hash_next(const struct hash_link *e)
{
    return hash_match(e->next, e->hash);
}
