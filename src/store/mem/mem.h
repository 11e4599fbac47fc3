/* mem.h - the inside of the `mem` store: its node, its directories, its sparse files.
 *
 * Locks, in order: mstore.names_mu (whoever changes names: one at a time, so that the tree stands still for the check
 * that a directory does not move into itself), mnode.lock (a reader never holds two), mshard.mu. */
#pragma once
#include "../name.h"
#include "base/hash.h"
#include "base/list.h"
#include <pthread.h>

#define MEM_SHARDS 16
#define MEM_CHUNK_SHIFT 16
#define MEM_CHUNK (1u << MEM_CHUNK_SHIFT)
#define MEM_NODE_COST 512 /* what an object counts against the capacity beside its bytes */

struct mchunk {
    uint32_t cap; /* bytes at data; what is missing up to MEM_CHUNK is zero */
    uint8_t data[];
};
/* Chunk number to chunk: a tree as high as its largest number needs. */
struct mtree {
    void *root;
    unsigned height; /* 0: root is chunk 0 or NULL */
};

struct ment {
    struct hash_link link;
    struct mnode *child; /* alive while it has a name */
    uint64_t cookie;
    uint8_t nname;
    char name[];
};
struct mdir {
    struct hash names;
    /* In order of cookies; a removed entry leaves a gap (NULL) until gaps are half of all. */
    struct mslot {
        uint64_t cookie;
        struct ment *e;
    } * slots;
    size_t nslots, cap, live;
    uint64_t next_cookie;
    struct mnode *parent; /* mstore.names_mu; the root's is itself */
};

struct mnode {
    struct st_node n;
    struct hash_link link;  /* mshard.nodes */
    _Atomic uint32_t nlink; /* 0: freed with the last reference */
    pthread_rwlock_t lock;  /* everything below */
    struct st_attr attr;    /* but nlink, used */
    uint64_t used;
    struct list xattrs;
    union {
        struct mtree data;
        struct mdir dir;
        char *target;
    };
};

struct mshard {
    pthread_mutex_t mu;
    struct hash nodes;
} __attribute__((aligned(64)));

struct mstore {
    struct store s;
    uint64_t boot; /* generation of all objects: another store's handles are never ours */
    uint64_t capacity;
    _Atomic uint64_t used, next_ino, count;
    struct mnode *root;
    pthread_mutex_t names_mu;
    struct mshard shards[MEM_SHARDS];
};

#define MNODE(st) container_of(st, struct mnode, n)
#define MSTORE(st) container_of(st, struct mstore, s)
static inline struct mstore *mnode_store(const struct mnode *n) { return MSTORE(n->n.store); }

/* nodes.c */
bool mem_charge(struct mstore *ms, uint64_t bytes); /* false: the store is full */
void mem_refund(struct mstore *ms, uint64_t bytes);
struct mnode *mem_node_new(struct mstore *ms, const struct st_attr *a, enum st *ret_st); /* refs 1, nlink 0 */
void mem_node_release(struct st_node *n);
void mem_node_destroy(struct mnode *n);
struct mnode *mem_node_find(struct mstore *ms, uint64_t ino);
enum st mem_handle(struct st_node *n, bool wait, uint8_t *out, size_t *ret_n);
enum st mem_from_handle(struct store *s, const uint8_t *h, size_t n, struct st_node **ret);
void mem_touch_locked(struct mnode *n, bool data); /* ctime, and mtime when `data` */

/* chunks.c */
#define MTREE_BITS 6
#define MTREE_FAN (1u << MTREE_BITS)
struct mchunk **mtree_slot(struct mtree *t, uint64_t i, bool make);   /* NULL: not there, or out of memory */
bool mtree_next(const struct mtree *t, uint64_t from, uint64_t *ret); /* the next chunk at or after `from` */
uint64_t mtree_cut(struct mtree *t, uint64_t from); /* frees chunks from there on; the bytes they had */

/* names.c, readdir.c */
struct ment *mdir_find(const struct mdir *d, const char *name, size_t n);
void mdir_done(struct mdir *d);
enum st mem_lookup(struct st_node *dir, const char *name, size_t n, struct st_node **ret);
enum st mem_make(struct st_node *dir, const char *name, size_t n, const struct st_attr *a, const char *target,
                 struct st_node **ret);
enum st mem_link(struct st_node *n, struct st_node *dir, const char *name, size_t len);
enum st mem_unlink(struct st_node *dir, const char *name, size_t n, const struct st_node *expect, unsigned flags);
enum st mem_rename(struct st_node *sdir, const char *sname, size_t sn, struct st_node *ddir, const char *dname,
                   size_t dn, unsigned flags);
enum st mem_known(struct store *s, const struct st_id *id, struct st_node **ret);
enum st mem_path(struct st_node *n, char *out, size_t cap);
enum st mem_parent(struct st_node *n, struct st_node **ret);
enum st mdir_add(struct mdir *d, const char *name, size_t n, struct mnode *child);
void mdir_remove(struct mdir *d, struct ment *e);
enum st mem_readdir(struct st_node *dir, uint64_t cookie, bool (*fn)(void *, const struct st_dirent *), void *arg);

/* attr.c, io.c, xattr.c */
enum st mem_getattr(struct st_node *n, struct st_attr *ret);
enum st mem_setattr(struct st_node *n, uint32_t set, const struct st_attr *a);
enum st mem_readlink(struct st_node *n, char *out, size_t cap, size_t *ret_n);
enum st mem_statfs(struct store *s, struct st_fsinfo *ret);
enum st mem_resize_locked(struct mnode *n, uint64_t size);
enum st mem_read(struct st_node *n, uint64_t off, void *buf, size_t len, unsigned flags, size_t *ret_n);
enum st mem_write(struct st_node *n, uint64_t off, const struct iovec *iov, int niov, unsigned flags, size_t *ret_n);
enum st mem_sync(struct st_node *n, bool data_only);
enum st mem_allocate(struct st_node *n, uint64_t off, uint64_t len, enum st_alloc how);
enum st mem_seek(struct st_node *n, uint64_t off, bool hole, uint64_t *ret);
enum st mem_copy(struct st_node *src, uint64_t soff, struct st_node *dst, uint64_t doff, uint64_t len, bool clone,
                 uint64_t *ret_n);
void mem_xattrs_done(struct mnode *n);
enum st mem_xattr_get(struct st_node *n, const char *name, void *buf, size_t cap, size_t *ret_n);
enum st mem_xattr_set(struct st_node *n, const char *name, const void *val, size_t len);
enum st mem_xattr_del(struct st_node *n, const char *name);
enum st mem_xattr_list(struct st_node *n, bool (*fn)(void *arg, const char *name), void *arg);
