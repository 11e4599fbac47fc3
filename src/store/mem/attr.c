/* attr.c - attributes of objects in memory, where links point, and how full the store is. Must not know names. */
#include "mem.h"
#include "base/clock.h"
#include <stdio.h>

#define TOTAL_UNLIMITED (1ull << 40) /* what a store without a capacity claims to have */

enum st mem_getattr(struct st_node *st, struct st_attr *ret)
{
    struct mnode *n = MNODE(st);
    pthread_rwlock_rdlock(&n->lock);
    *ret = n->attr;
    ret->nlink = atomic_load(&n->nlink);
    ret->used = n->used;
    pthread_rwlock_unlock(&n->lock);
    return ST_OK;
}

static void set_time(uint32_t set, uint32_t given, uint32_t now, struct timespec t, struct timespec wall,
                     struct timespec *ret)
{
    if (set & now)
        *ret = wall;
    else if (set & given)
        *ret = t;
}

enum st mem_setattr(struct st_node *st_node, uint32_t set, const struct st_attr *a)
{
    struct mnode *n = MNODE(st_node);
    enum st st = ST_OK;
    if ((set & ST_SET_SIZE) && n->n.type != ST_REG)
        return n->n.type == ST_DIR ? ST_ISDIR : ST_BADTYPE;
    if (!set)
        return ST_OK;
    pthread_rwlock_wrlock(&n->lock);
    if (set & ST_SET_SIZE)
        st = mem_resize_locked(n, a->size);
    if (st == ST_OK) {
        if (set & ST_SET_UID)
            n->attr.uid = a->uid;
        if (set & ST_SET_GID)
            n->attr.gid = a->gid;
        if ((set & ST_SET_MODE) && n->n.type != ST_LNK)
            n->attr.mode = a->mode & 07777;
        mem_touch_locked(n, set & ST_SET_SIZE);
        set_time(set, ST_SET_ATIME, ST_SET_ATIME_NOW, a->atime, n->attr.ctime, &n->attr.atime);
        set_time(set, ST_SET_MTIME, ST_SET_MTIME_NOW, a->mtime, n->attr.ctime, &n->attr.mtime);
    }
    pthread_rwlock_unlock(&n->lock);
    return store_mutated(st_node->store, st);
}

enum st mem_readlink(struct st_node *st_node, char *out, size_t cap, size_t *ret_n)
{
    struct mnode *n = MNODE(st_node); /* a target never changes: no lock */
    if (n->n.type != ST_LNK)
        return ST_BADTYPE;
    *ret_n = strlen(n->target);
    if (*ret_n > cap)
        return ST_BUFSIZE;
    memcpy(out, n->target, *ret_n);
    return ST_OK;
}

enum st mem_statfs(struct store *s, struct st_fsinfo *ret)
{
    struct mstore *ms = MSTORE(s);
    uint64_t used = atomic_load(&ms->used), total = ms->capacity ? ms->capacity : MAX(TOTAL_UNLIMITED, used);
    uint64_t count = atomic_load(&ms->count), left = used < total ? total - used : 0;
    *ret = (struct st_fsinfo){
        .total = total,
        .free = left,
        .avail = left,
        .files = count + left / MEM_NODE_COST,
        .ffree = left / MEM_NODE_COST,
        .block = 4096,
        .can_sparse = true,
        .time_delta_ns = 1,
    };
    snprintf(ret->fstype, sizeof ret->fstype, "mem");
    return ST_OK;
}
