/* xattr.c - extended attributes in memory: a short list per object. Must not know what callers keep in them. */
#include "mem.h"

struct mxattr {
    struct list link;
    size_t nname, len;
    char *name;
    uint8_t data[]; /* the value, then the name with its NUL */
};

static uint64_t cost(const struct mxattr *x) { return sizeof *x + x->nname + x->len; }

static void drop(struct mnode *n, struct mxattr *x)
{
    mem_refund(mnode_store(n), cost(x));
    list_remove(&x->link);
    free(x);
}

void mem_xattrs_done(struct mnode *n)
{
    struct mxattr *x;
    while ((x = list_first(&n->xattrs, struct mxattr, link)))
        drop(n, x);
}

/* Full names are kept, so that both spellings of one attribute meet. */
static enum st begin(const struct mnode *n, const char *name, char full[STORE_XATTR_NAME_MAX + 1])
{
    if (n->n.type != ST_REG && n->n.type != ST_DIR)
        return ST_NOTSUP;
    return store_xattr_name(name, full);
}

static struct mxattr *find_locked(struct mnode *n, const char *full)
{
    struct mxattr *x;
    list_each (x, &n->xattrs, link)
        if (strcmp(x->name, full) == 0)
            return x;
    return NULL;
}

enum st mem_xattr_get(struct st_node *st_node, const char *name, void *buf, size_t cap, size_t *ret_n)
{
    struct mnode *n = MNODE(st_node);
    char full[STORE_XATTR_NAME_MAX + 1];
    enum st st = begin(n, name, full);
    if (st != ST_OK)
        return st == ST_PERM ? ST_NOATTR : st;
    pthread_rwlock_rdlock(&n->lock);
    struct mxattr *x = find_locked(n, full);
    if (!x) {
        st = ST_NOATTR;
    } else {
        *ret_n = x->len;
        st = x->len > cap ? ST_BUFSIZE : ST_OK;
        if (st == ST_OK && x->len)
            memcpy(buf, x->data, x->len);
    }
    pthread_rwlock_unlock(&n->lock);
    return st;
}

enum st mem_xattr_set(struct st_node *st_node, const char *name, const void *val, size_t len)
{
    struct mnode *n = MNODE(st_node);
    char full[STORE_XATTR_NAME_MAX + 1];
    enum st st = begin(n, name, full);
    if (st == ST_OK && len > STORE_XATTR_VALUE_MAX)
        st = ST_FBIG;
    if (st != ST_OK)
        return st;
    size_t nname = strlen(full);
    struct mxattr *x = malloc(sizeof *x + len + nname + 1);
    if (!x)
        return ST_NOMEM;
    x->nname = nname;
    x->len = len;
    x->name = (char *)x->data + len;
    if (len)
        memcpy(x->data, val, len);
    memcpy(x->name, full, nname + 1);
    if (!mem_charge(mnode_store(n), cost(x))) {
        free(x);
        return ST_NOSPC;
    }
    pthread_rwlock_wrlock(&n->lock);
    struct mxattr *old = find_locked(n, full);
    if (old)
        drop(n, old);
    list_append(&n->xattrs, &x->link);
    mem_touch_locked(n, false);
    pthread_rwlock_unlock(&n->lock);
    return store_mutated(st_node->store, ST_OK);
}

enum st mem_xattr_del(struct st_node *st_node, const char *name)
{
    struct mnode *n = MNODE(st_node);
    char full[STORE_XATTR_NAME_MAX + 1];
    enum st st = begin(n, name, full);
    if (st != ST_OK)
        return st;
    pthread_rwlock_wrlock(&n->lock);
    struct mxattr *x = find_locked(n, full);
    if (x) {
        drop(n, x);
        mem_touch_locked(n, false);
    } else {
        st = ST_NOATTR;
    }
    pthread_rwlock_unlock(&n->lock);
    return store_mutated(st_node->store, st);
}

/* The names are copied first: fn may call the store. */
enum st mem_xattr_list(struct st_node *st_node, bool (*fn)(void *arg, const char *name), void *arg)
{
    struct mnode *n = MNODE(st_node);
    char name[STORE_XATTR_NAME_MAX + 1];
    struct mxattr *x;
    size_t size = 0, used = 0;
    if (n->n.type != ST_REG && n->n.type != ST_DIR)
        return ST_NOTSUP;
    pthread_rwlock_rdlock(&n->lock);
    list_each (x, &n->xattrs, link)
        size += x->nname + 1;
    _cleanup_free_ char *all = malloc(size + 1);
    if (all)
        list_each (x, &n->xattrs, link) {
            memcpy(all + used, x->name, x->nname + 1);
            used += x->nname + 1;
        }
    pthread_rwlock_unlock(&n->lock);
    if (!all)
        return ST_NOMEM;
    for (const char *p = all; p < all + used; p += strlen(p) + 1)
        if (store_xattr_unname(p, name) && !fn(arg, name))
            break;
    return ST_OK;
}
