/* nodes.c - the objects of a `mem` store: making and freeing them, finding them by number, their handles, and what they
 * count against the capacity. An object lives while it has a name or a reference. Must not know names or bytes. */
#include "mem.h"
#include "base/bytes.h"
#include "base/clock.h"

#define TAG_MEM 0x4d
#define HANDLE_SIZE 17

bool mem_charge(struct mstore *ms, uint64_t bytes)
{
    uint64_t had = atomic_fetch_add_explicit(&ms->used, bytes, memory_order_relaxed);
    if (!ms->capacity || (had <= ms->capacity && bytes <= ms->capacity - had))
        return true;
    mem_refund(ms, bytes);
    return false;
}

void mem_refund(struct mstore *ms, uint64_t bytes)
{
    atomic_fetch_sub_explicit(&ms->used, bytes, memory_order_relaxed);
}

void mem_touch_locked(struct mnode *n, bool data)
{
    n->attr.ctime = clock_wall();
    if (data)
        n->attr.mtime = n->attr.ctime;
}

static struct mshard *shard_of(struct mstore *ms, uint64_t ino) { return &ms->shards[ino % MEM_SHARDS]; }

struct mnode *mem_node_new(struct mstore *ms, const struct st_attr *a, enum st *ret_st)
{
    struct mnode *n = mem_charge(ms, MEM_NODE_COST) ? calloc(1, sizeof *n) : NULL;
    *ret_st = ST_NOSPC;
    if (!n)
        return NULL;
    n->n.store = &ms->s;
    n->n.type = a->type;
    n->n.id = (struct st_id){.ino = atomic_fetch_add(&ms->next_ino, 1), .gen = ms->boot};
    atomic_init(&n->n.refs, 1);
    pthread_rwlock_init(&n->lock, NULL);
    list_init(&n->xattrs);
    struct timespec now = clock_wall();
    n->attr = (struct st_attr){.type = a->type,
                               .mode = a->mode & 07777,
                               .uid = a->uid,
                               .gid = a->gid,
                               .blksize = 4096,
                               .fsid = ms->boot,
                               .ino = n->n.id.ino,
                               .atime = now,
                               .mtime = now,
                               .ctime = now,
                               .btime = now};
    if (a->type == ST_BLK || a->type == ST_CHR) {
        n->attr.rdev_major = a->rdev_major;
        n->attr.rdev_minor = a->rdev_minor;
    }
    if (a->type == ST_LNK)
        n->attr.mode = 0777;
    if (a->type == ST_DIR && hash_init(&n->dir.names, 8) < 0) {
        mem_node_destroy(n);
        *ret_st = ST_NOMEM;
        return NULL;
    }
    n->dir.next_cookie = a->type == ST_DIR ? 3 : 0;
    struct mshard *sh = shard_of(ms, n->n.id.ino);
    pthread_mutex_lock(&sh->mu);
    hash_insert(&sh->nodes, &n->link, hash_u64(n->n.id.ino));
    pthread_mutex_unlock(&sh->mu);
    atomic_fetch_add(&ms->count, 1);
    *ret_st = ST_OK;
    return n;
}

void mem_node_destroy(struct mnode *n)
{
    struct mstore *ms = mnode_store(n);
    if (n->n.fs && ms->s.fs_fini)
        ms->s.fs_fini(&n->n);
    if (n->n.type == ST_REG)
        mem_refund(ms, mtree_cut(&n->data, 0));
    else if (n->n.type == ST_DIR)
        mdir_done(&n->dir);
    else if (n->n.type == ST_LNK)
        free(n->target);
    mem_xattrs_done(n);
    mem_refund(ms, MEM_NODE_COST);
    pthread_rwlock_destroy(&n->lock);
    free(n);
}

/* The last reference. Nobody else has one, so nobody removes the last name at the same time; a lookup takes its
 * reference under the same lock. */
void mem_node_release(struct st_node *st)
{
    struct mnode *n = MNODE(st);
    struct mstore *ms = mnode_store(n);
    struct mshard *sh = shard_of(ms, n->n.id.ino);
    pthread_mutex_lock(&sh->mu);
    bool last = atomic_fetch_sub_explicit(&n->n.refs, 1, memory_order_acq_rel) == 1;
    bool gone = last && atomic_load(&n->nlink) == 0;
    if (gone)
        hash_remove(&sh->nodes, &n->link);
    pthread_mutex_unlock(&sh->mu);
    if (gone) {
        atomic_fetch_sub(&ms->count, 1);
        mem_node_destroy(n);
    }
}

struct mnode *mem_node_find(struct mstore *ms, uint64_t ino)
{
    struct mshard *sh = shard_of(ms, ino);
    struct mnode *found = NULL;
    pthread_mutex_lock(&sh->mu);
    for (struct hash_link *e = hash_first(&sh->nodes, hash_u64(ino)); e && !found; e = hash_next(e)) {
        struct mnode *n = container_of(e, struct mnode, link);
        if (n->n.id.ino == ino)
            found = MNODE(st_ref(&n->n));
    }
    pthread_mutex_unlock(&sh->mu);
    return found;
}

enum st mem_known(struct store *s, const struct st_id *id, struct st_node **ret)
{
    struct mnode *n = mem_node_find(MSTORE(s), id->ino);
    if (n && n->n.id.gen == id->gen)
        return *ret = &n->n, ST_OK;
    if (n)
        st_unref(&n->n);
    return ST_NOENT;
}

enum st mem_handle(struct st_node *n, bool wait, uint8_t *out, size_t *ret_n)
{
    out[0] = TAG_MEM;
    put_le64(out + 1, n->id.ino);
    put_le64(out + 9, n->id.gen);
    *ret_n = HANDLE_SIZE;
    return ST_OK;
}

enum st mem_from_handle(struct store *s, const uint8_t *h, size_t n, struct st_node **ret)
{
    struct mstore *ms = MSTORE(s);
    if (n != HANDLE_SIZE || h[0] != TAG_MEM)
        return ST_BADHANDLE;
    if (get_le64(h + 9) != ms->boot)
        return ST_STALE;
    struct mnode *found = mem_node_find(ms, get_le64(h + 1));
    if (!found)
        return ST_STALE;
    *ret = &found->n;
    return ST_OK;
}
