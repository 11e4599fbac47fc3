/* open.c - opening and closing a `mem` store, and its vtable. */
#include "mem.h"
#include "base/clock.h"

static struct st_node *mem_root(struct store *s) { return st_ref(&MSTORE(s)->root->n); }

static void mem_free(struct store *s)
{
    struct mstore *ms = MSTORE(s);
    for (unsigned i = 0; i < MEM_SHARDS; i++) {
        struct hash *h = &ms->shards[i].nodes;
        for (size_t at = 0; h->slots && at <= h->mask; at++) {
            for (struct hash_link *l = h->slots[at], *next; l; l = next) {
                next = l->next;
                mem_node_destroy(container_of(l, struct mnode, link));
            }
        }
        if (h->slots)
            hash_done(h);
        pthread_mutex_destroy(&ms->shards[i].mu);
    }
    pthread_mutex_destroy(&ms->names_mu);
    free(ms);
}

static const struct store_ops mem_ops = {
    .kind = "mem",
    .free = mem_free,
    .root = mem_root,
    .node_free = mem_node_release,
    .statfs = mem_statfs,
    .handle = mem_handle,
    .from_handle = mem_from_handle,
    .known = mem_known,
    .path = mem_path,
    .parent = mem_parent,
    .lookup = mem_lookup,
    .getattr = mem_getattr,
    .setattr = mem_setattr,
    .make = mem_make,
    .link = mem_link,
    .unlink = mem_unlink,
    .rename = mem_rename,
    .readlink = mem_readlink,
    .readdir = mem_readdir,
    .list = store_list,
    .read = mem_read,
    .write = mem_write,
    .sync = mem_sync,
    .allocate = mem_allocate,
    .seek = mem_seek,
    .copy = mem_copy,
    .xattr_get = mem_xattr_get,
    .xattr_set = mem_xattr_set,
    .xattr_del = mem_xattr_del,
    .xattr_list = mem_xattr_list,
};

enum st store_mem_open(uint64_t capacity, struct store **ret)
{
    struct mstore *ms = NULL;
    if (posix_memalign((void **)&ms, 64, sizeof *ms) != 0)
        return ST_NOMEM;
    memset(ms, 0, sizeof *ms);
    ms->s.ops = &mem_ops;
    ms->capacity = capacity;
    struct timespec now = clock_wall();
    uint64_t seed[3] = {(uint64_t)now.tv_sec, (uint64_t)now.tv_nsec, (uint64_t)(uintptr_t)ms};
    ms->boot = hash_bytes(seed, sizeof seed);
    atomic_init(&ms->next_ino, 2); /* numbers 0 and 1 mean "none" to some clients */
    pthread_mutex_init(&ms->names_mu, NULL);
    enum st st = ST_OK;
    for (unsigned i = 0; i < MEM_SHARDS; i++) {
        pthread_mutex_init(&ms->shards[i].mu, NULL);
        if (hash_init(&ms->shards[i].nodes, 16) < 0)
            st = ST_NOMEM;
    }
    if (st == ST_OK)
        ms->root =
            mem_node_new(ms, &(struct st_attr){.type = ST_DIR, .mode = 0755, .uid = geteuid(), .gid = getegid()}, &st);
    if (!ms->root) {
        mem_free(&ms->s);
        return st;
    }
    atomic_store(&ms->root->nlink, 2);
    ms->root->dir.parent = ms->root;
    *ret = &ms->s;
    return ST_OK;
}
