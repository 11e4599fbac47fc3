/* names.c - names in memory: lookup, make, link, unlink, rename, and the way back up.
 *
 * Changes are made one at a time under names_mu; each takes a directory's lock only around the change itself, so that
 * readers wait for nothing else. Must not know bytes or permissions. */
#include "mem.h"

#define LINK_MAX_MEM 65000
#define TARGET_MAX 4095 /* PATH_MAX - 1 */

static enum st begin(const struct st_node *dir, const char *name, size_t n)
{
    char z[ST_NAME_MAX + 1];
    return dir->type != ST_DIR ? ST_NOTDIR : store_name(name, n, z);
}

enum st mem_lookup(struct st_node *st_dir, const char *name, size_t n, struct st_node **ret)
{
    struct mnode *dir = MNODE(st_dir);
    enum st st = begin(st_dir, name, n);
    if (st != ST_OK)
        return st;
    pthread_rwlock_rdlock(&dir->lock);
    struct ment *e = mdir_find(&dir->dir, name, n);
    struct mnode *found = e ? mem_node_find(mnode_store(dir), e->child->n.id.ino) : NULL;
    pthread_rwlock_unlock(&dir->lock);
    if (!found)
        return ST_NOENT;
    *ret = &found->n;
    return ST_OK;
}

/* With names_mu: nobody else changes a directory, so looking needs no lock. */
static struct ment *find_names_locked(struct mnode *dir, const char *name, size_t n)
{
    return mdir_find(&dir->dir, name, n);
}

static void count_link(struct mnode *n, int by)
{
    pthread_rwlock_wrlock(&n->lock);
    atomic_store(&n->nlink, atomic_load(&n->nlink) + (uint32_t)by);
    mem_touch_locked(n, false);
    pthread_rwlock_unlock(&n->lock);
}

/* A directory whose last name is gone takes no new ones. */
static enum st add_name(struct mnode *dir, const char *name, size_t n, struct mnode *child)
{
    if (atomic_load(&dir->nlink) == 0)
        return ST_STALE;
    pthread_rwlock_wrlock(&dir->lock);
    enum st st = mdir_add(&dir->dir, name, n, child);
    if (st == ST_OK) {
        dir->attr.size = dir->dir.live * 32;
        if (child->n.type == ST_DIR)
            atomic_fetch_add(&dir->nlink, 1);
        mem_touch_locked(dir, true);
    }
    pthread_rwlock_unlock(&dir->lock);
    return st;
}

static void remove_name(struct mnode *dir, struct ment *e)
{
    pthread_rwlock_wrlock(&dir->lock);
    if (e->child->n.type == ST_DIR)
        atomic_fetch_sub(&dir->nlink, 1);
    mdir_remove(&dir->dir, e);
    dir->attr.size = dir->dir.live * 32;
    mem_touch_locked(dir, true);
    pthread_rwlock_unlock(&dir->lock);
}

static enum st make_names_locked(struct mnode *dir, const char *name, size_t n, struct mnode *node)
{
    if (find_names_locked(dir, name, n))
        return ST_EXIST;
    if (node->n.type == ST_DIR)
        node->dir.parent = dir;
    enum st st = add_name(dir, name, n, node);
    if (st == ST_OK)
        atomic_store(&node->nlink, node->n.type == ST_DIR ? 2 : 1);
    return st;
}

enum st mem_make(struct st_node *st_dir, const char *name, size_t n, const struct st_attr *a, const char *target,
                 struct st_node **ret)
{
    struct mstore *ms = MSTORE(st_dir->store);
    enum st st = begin(st_dir, name, n);
    if (st != ST_OK)
        return st;
    if (a->type < ST_REG || a->type > ST_SOCK)
        return ST_BADTYPE;
    if (a->type == ST_LNK && (!target || !*target))
        return ST_INVAL;
    if (a->type == ST_LNK && strlen(target) > TARGET_MAX)
        return ST_NAMETOOLONG;
    struct mnode *node = mem_node_new(ms, a, &st);
    if (!node)
        return st;
    if (a->type == ST_LNK) {
        node->target = strdup(target);
        node->attr.size = strlen(target);
        st = node->target ? ST_OK : ST_NOMEM;
    }
    if (st == ST_OK) {
        pthread_mutex_lock(&ms->names_mu);
        st = make_names_locked(MNODE(st_dir), name, n, node);
        pthread_mutex_unlock(&ms->names_mu);
    }
    if (st != ST_OK) {
        st_unref(&node->n);
        return st;
    }
    *ret = &node->n;
    return store_mutated(&ms->s, ST_OK);
}

static enum st link_names_locked(struct mnode *n, struct mnode *dir, const char *name, size_t len)
{
    uint32_t links = atomic_load(&n->nlink);
    if (find_names_locked(dir, name, len))
        return ST_EXIST;
    if (links == 0)
        return ST_STALE;
    if (links >= LINK_MAX_MEM)
        return ST_MLINK;
    enum st st = add_name(dir, name, len, n);
    if (st == ST_OK)
        count_link(n, 1);
    return st;
}

enum st mem_link(struct st_node *n, struct st_node *dir, const char *name, size_t len)
{
    struct mstore *ms = MSTORE(n->store);
    if (n->type == ST_DIR)
        return ST_ISDIR;
    enum st st = begin(dir, name, len);
    if (st != ST_OK)
        return st;
    pthread_mutex_lock(&ms->names_mu);
    st = link_names_locked(MNODE(n), MNODE(dir), name, len);
    pthread_mutex_unlock(&ms->names_mu);
    return store_mutated(&ms->s, st);
}

/* The child of a removed name: a reference keeps it until the caller has unlocked. */
static struct mnode *lose_name(struct mnode *dir, struct ment *e)
{
    struct mnode *n = mem_node_find(mnode_store(dir), e->child->n.id.ino);
    remove_name(dir, e);
    if (n->n.type == ST_DIR)
        count_link(n, -2);
    else
        count_link(n, -1);
    return n;
}

static enum st may_remove(const struct mnode *n, bool as_dir)
{
    if (as_dir && n->n.type != ST_DIR)
        return ST_NOTDIR;
    if (!as_dir && n->n.type == ST_DIR)
        return ST_ISDIR;
    return as_dir && n->dir.live ? ST_NOTEMPTY : ST_OK;
}

enum st mem_unlink(struct st_node *st_dir, const char *name, size_t n, const struct st_node *expect, unsigned flags)
{
    struct mstore *ms = MSTORE(st_dir->store);
    struct mnode *dir = MNODE(st_dir), *lost = NULL;
    enum st st = begin(st_dir, name, n);
    if (st != ST_OK)
        return st;
    pthread_mutex_lock(&ms->names_mu);
    struct ment *e = find_names_locked(dir, name, n);
    st = !e || (expect && &e->child->n != expect) ? ST_NOENT : may_remove(e->child, flags & ST_UNLINK_DIR);
    if (st == ST_OK)
        lost = lose_name(dir, e);
    pthread_mutex_unlock(&ms->names_mu);
    if (lost)
        st_unref(&lost->n);
    return store_mutated(&ms->s, st);
}

static bool is_below(const struct mstore *ms, const struct mnode *n, const struct mnode *above)
{
    for (; n != above; n = n->dir.parent)
        if (n == ms->root || !n->dir.parent)
            return false;
    return true;
}

static enum st rename_check(struct mnode *sdir, struct ment *se, struct mnode *ddir, struct ment *de, unsigned flags)
{
    struct mnode *n = se->child;
    if (de && (flags & ST_RENAME_NOREPLACE))
        return ST_EXIST;
    if (atomic_load(&ddir->nlink) == 0)
        return ST_STALE;
    if (n->n.type == ST_DIR && is_below(mnode_store(n), ddir, n))
        return ST_INVAL;
    if (de && de->child != n && de->child->n.type == ST_DIR && is_below(mnode_store(n), sdir, de->child))
        return n->n.type == ST_DIR ? ST_NOTEMPTY : ST_ISDIR;
    return de && de->child != n ? may_remove(de->child, n->n.type == ST_DIR) : ST_OK;
}

/* The entry stays, with its cookie, and names another object of the same kind from now on. */
static struct mnode *replace_name(struct mnode *dir, struct ment *e, struct mnode *n)
{
    struct mnode *old = mem_node_find(mnode_store(dir), e->child->n.id.ino);
    pthread_rwlock_wrlock(&dir->lock);
    e->child = n;
    mem_touch_locked(dir, true);
    pthread_rwlock_unlock(&dir->lock);
    count_link(old, old->n.type == ST_DIR ? -2 : -1);
    return old;
}

static enum st rename_names_locked(struct mnode *sdir, const char *sname, size_t sn, struct mnode *ddir,
                                   const char *dname, size_t dn, unsigned flags, struct mnode **ret_lost)
{
    struct ment *se = find_names_locked(sdir, sname, sn), *de = find_names_locked(ddir, dname, dn);
    if (!se)
        return ST_NOENT;
    struct mnode *n = se->child;
    enum st st = rename_check(sdir, se, ddir, de, flags);
    if (st != ST_OK || (de && de->child == n))
        return st;
    if (de)
        *ret_lost = replace_name(ddir, de, n);
    else
        st = add_name(ddir, dname, dn, n);
    if (st != ST_OK)
        return st;
    remove_name(sdir, se);
    if (n->n.type == ST_DIR)
        n->dir.parent = ddir;
    count_link(n, 0);
    return ST_OK;
}

enum st mem_rename(struct st_node *sdir, const char *sname, size_t sn, struct st_node *ddir, const char *dname,
                   size_t dn, unsigned flags)
{
    struct mstore *ms = MSTORE(sdir->store);
    struct mnode *lost = NULL;
    enum st st = begin(sdir, sname, sn);
    if (st == ST_OK)
        st = begin(ddir, dname, dn);
    if (st != ST_OK)
        return st;
    pthread_mutex_lock(&ms->names_mu);
    st = rename_names_locked(MNODE(sdir), sname, sn, MNODE(ddir), dname, dn, flags, &lost);
    pthread_mutex_unlock(&ms->names_mu);
    if (lost)
        st_unref(&lost->n);
    return store_mutated(&ms->s, st);
}

enum st mem_parent(struct st_node *st, struct st_node **ret)
{
    struct mnode *n = MNODE(st);
    struct mstore *ms = mnode_store(n);
    if (st->type != ST_DIR)
        return ST_NOTDIR;
    pthread_mutex_lock(&ms->names_mu);
    struct mnode *p = n == ms->root || atomic_load(&n->nlink) ? mem_node_find(ms, n->dir.parent->n.id.ino) : NULL;
    pthread_mutex_unlock(&ms->names_mu);
    if (!p)
        return ST_STALE;
    *ret = &p->n;
    return ST_OK;
}

/* Depth first for the first name of n. The store is small or for tests; the path is for people. */
static bool path_names_locked(const struct mnode *dir, const struct mnode *n, char *out, size_t cap, size_t at,
                              unsigned depth)
{
    for (size_t i = 0; i < dir->dir.nslots; i++) {
        const struct ment *e = dir->dir.slots[i].e;
        if (!e || at + e->nname + 2 > cap)
            continue;
        memcpy(out + at, e->name, e->nname);
        size_t end = at + e->nname;
        out[end] = '\0';
        if (e->child == n)
            return true;
        out[end] = '/';
        if (depth < 256 && e->child->n.type == ST_DIR && path_names_locked(e->child, n, out, cap, end + 1, depth + 1))
            return true;
    }
    return false;
}

enum st mem_path(struct st_node *st, char *out, size_t cap)
{
    struct mnode *n = MNODE(st);
    struct mstore *ms = mnode_store(n);
    if (cap == 0)
        return ST_BUFSIZE;
    out[0] = '\0';
    if (n == ms->root)
        return ST_OK;
    pthread_mutex_lock(&ms->names_mu);
    bool found = path_names_locked(ms->root, n, out, cap, 0, 0);
    pthread_mutex_unlock(&ms->names_mu);
    return found ? ST_OK : ST_NOENT;
}
