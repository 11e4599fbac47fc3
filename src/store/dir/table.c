/* table.c - the handle table: for processes that may not open by the kernel's file handles.
 *
 * In the state database, (ino, gen) -> the names that the object is known by, each as {parent ino, parent gen, name}.
 * An object enters when its handle is first asked for, with its ancestors; changes of names that go through the server
 * are written along. A handle is resolved by resolving a parent, looking the name up and checking the identity; when a
 * local program renamed the object, its last known directories are searched. An unchanged entry is never written again.
 *
 * `names` of a node and a value of the table are the same bytes: {le64 ino, le64 gen, u8 length, name}...
 * dnode.mu guards them. Must not know what handles look like outside (handle.c). */
#include "dir.h"
#include "base/bytes.h"
#include "base/cursor.h"
#include "base/kv.h"
#include "base/log.h"
#include <errno.h>
#include <limits.h>

#define NAME_HEAD 17
#define NAMES_MAX 4096 /* bytes: at least 15 hard links; of more, the first ones are known */
#define DEPTH_MAX 1024 /* directories above one another */

struct name {
    uint64_t pino, pgen;
    size_t n;
    const char *name;
};

static bool name_next(struct cursor *c, struct name *ret)
{
    ret->pino = cursor_le64(c);
    ret->pgen = cursor_le64(c);
    ret->n = cursor_u8(c);
    ret->name = (const char *)cursor_take(c, ret->n);
    return !c->bad && ret->n > 0;
}

static bool name_is(const struct name *a, const struct dnode *dir, const char *name, size_t n)
{
    return a->pino == dir->n.id.ino && a->pgen == dir->n.id.gen && a->n == n && memcmp(a->name, name, n) == 0;
}

/* Offset of the name in n->names, or -1. */
static ssize_t find_locked(const struct dnode *n, const struct dnode *dir, const char *name, size_t len)
{
    struct cursor c = cursor_of(n->names, n->nnames);
    struct name a;
    for (size_t at = 0; at < n->nnames && name_next(&c, &a); at = cursor_pos(&c))
        if (name_is(&a, dir, name, len))
            return (ssize_t)at;
    return -1;
}

static bool append_locked(struct dnode *n, const struct dnode *dir, const char *name, size_t len)
{
    size_t size = n->nnames + NAME_HEAD + len;
    uint8_t *p = size <= NAMES_MAX ? realloc(n->names, size) : NULL;
    if (!p)
        return false;
    n->names = p;
    p += n->nnames;
    put_le64(p, dir->n.id.ino);
    put_le64(p + 8, dir->n.id.gen);
    p[16] = (uint8_t)len;
    memcpy(p + NAME_HEAD, name, len);
    n->nnames = size;
    return true;
}

static void key_of(uint64_t ino, uint64_t gen, uint8_t out[16])
{
    put_le64(out, ino);
    put_le64(out + 8, gen);
}

/* Under dnode.mu, so that two writers of one node cannot leave the older value. */
static enum st write_locked(struct dnode *n)
{
    struct dstore *ds = dnode_store(n);
    uint8_t key[16];
    key_of(n->n.id.ino, n->n.id.gen, key);
    int r = kv_put(ds->kv, ds->table, key, sizeof key, n->names, n->nnames);
    if (r < 0) {
        log_error("store", "event=handle_table_write table=%s errno=%d", ds->table, -r);
        return st_from_errno(-r);
    }
    n->stored = DIR_STORED;
    return ST_OK;
}

void dir_names_note(struct dnode *n, const struct dnode *dir, const char *name, bool only)
{
    size_t len = strlen(name);
    if (!dnode_store(n)->kv)
        return;
    pthread_mutex_lock(&n->mu);
    ssize_t at = find_locked(n, dir, name, len);
    bool changed = at < 0 || (only && n->nnames != NAME_HEAD + len);
    if (changed) {
        if (only)
            n->nnames = 0;
        if ((only || at < 0) && append_locked(n, dir, name, len) && n->stored == DIR_STORED)
            (void)write_locked(n);
    }
    pthread_mutex_unlock(&n->mu);
}

static bool kv_has(struct dstore *ds, uint64_t ino, uint64_t gen, void **ret_val, size_t *ret_n)
{
    uint8_t key[16];
    key_of(ino, gen, key);
    return kv_get(ds->kv, ds->table, key, sizeof key, ret_val, ret_n) == 0;
}

/* The object may be in the table from an earlier life of its node: then its names are taken from there. */
static void load_locked(struct dnode *n)
{
    _cleanup_free_ void *val = NULL;
    size_t size = 0;
    if (n->stored == DIR_STORED || !kv_has(dnode_store(n), n->n.id.ino, n->n.id.gen, &val, &size))
        return;
    n->stored = DIR_STORED;
    if (n->nnames && size == n->nnames && memcmp(val, n->names, size) == 0)
        return;
    if (n->nnames) { /* newer than the table */
        (void)write_locked(n);
        return;
    }
    free(n->names);
    n->names = TAKE_PTR(val);
    n->nnames = size;
}

void dir_names_drop(struct dnode *n, const struct dnode *dir, const char *name)
{
    struct dstore *ds = dnode_store(n);
    size_t len = strlen(name);
    struct stat sb;
    if (!ds->kv)
        return;
    pthread_mutex_lock(&n->mu);
    bool gone = fstat(n->fd, &sb) == 0 && sb.st_nlink == 0;
    load_locked(n);
    ssize_t at = find_locked(n, dir, name, len);
    if (at >= 0) {
        size_t end = (size_t)at + NAME_HEAD + len;
        memmove(n->names + at, n->names + end, n->nnames - end);
        n->nnames -= NAME_HEAD + len;
    }
    if (n->stored == DIR_STORED && gone) {
        uint8_t key[16];
        key_of(n->n.id.ino, n->n.id.gen, key);
        (void)kv_del(ds->kv, ds->table, key, sizeof key);
        n->stored = DIR_UNKNOWN;
    } else if (n->stored == DIR_STORED && at >= 0 && n->nnames) {
        (void)write_locked(n);
    }
    pthread_mutex_unlock(&n->mu);
}

/* The node's directory by its current path, noting the name in it: for nodes reached without a name. */
static enum st parent_by_path(struct dnode *n, struct dnode **ret)
{
    struct dstore *ds = dnode_store(n);
    char path[PATH_MAX + 1];
    enum st st = dir_path(&n->n, path, sizeof path);
    if (st != ST_OK)
        return st == ST_NOENT ? ST_STALE : st;
    _cleanup_dnode_ struct dnode *at = DNODE(st_ref(&ds->root->n));
    char *name = path, *slash;
    for (; (slash = strchr(name, '/')); name = slash + 1) {
        struct dnode *next;
        *slash = '\0';
        st = dir_lookup_name(at, name, &next);
        if (st != ST_OK)
            return ST_STALE;
        st_unref(&at->n);
        at = next;
    }
    dir_names_note(n, at, name, n->n.type == ST_DIR);
    *ret = TAKE_PTR(at);
    return ST_OK;
}

/* A directory of the node, or NULL with ST_OK when the table knows it although nobody holds it. */
static enum st parent_of(struct dnode *n, struct dnode **ret)
{
    struct dstore *ds = dnode_store(n);
    struct name a;
    pthread_mutex_lock(&n->mu);
    struct cursor c = cursor_of(n->names, n->nnames);
    bool named = n->nnames && name_next(&c, &a);
    pthread_mutex_unlock(&n->mu);
    *ret = NULL;
    if (named) {
        struct dnode *p = dir_cache_find(ds, a.pino, n->dev);
        if (p && p->n.id.gen == a.pgen) {
            *ret = p;
            return ST_OK;
        }
        dir_unrefp(&p);
        _cleanup_free_ void *val = NULL;
        size_t size;
        if (kv_has(ds, a.pino, a.pgen, &val, &size))
            return ST_OK;
    }
    return parent_by_path(n, ret);
}

bool dir_table_has(struct dnode *n)
{
    if (n == dnode_store(n)->root || !dnode_store(n)->kv)
        return true;
    pthread_mutex_lock(&n->mu);
    load_locked(n);
    bool stored = n->stored == DIR_STORED;
    pthread_mutex_unlock(&n->mu);
    return stored;
}

enum st dir_table_store(struct dnode *n)
{
    struct dstore *ds = dnode_store(n);
    if (!ds->kv)
        return ST_NOTSUP;
    if (n == ds->root || dir_table_has(n))
        return ST_OK;
    _cleanup_dnode_ struct dnode *p = NULL;
    enum st st = parent_of(n, &p);
    if (st == ST_OK && p)
        st = dir_table_store(p);
    if (st != ST_OK)
        return st;
    pthread_mutex_lock(&n->mu);
    st = n->stored == DIR_STORED ? ST_OK : n->nnames ? write_locked(n) : ST_STALE;
    pthread_mutex_unlock(&n->mu);
    return st;
}

/* The names that one of them had when it was written. */
struct unwritten {
    uint8_t key[16];
    uint8_t *names;
};

static size_t gather(struct dnode *const *nodes, size_t n, struct unwritten *to, struct kv_item *items)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        struct unwritten *u = &to[i];
        pthread_mutex_lock(&nodes[i]->mu);
        size_t size = nodes[i]->stored == DIR_STORED ? 0 : nodes[i]->nnames;
        if (size && (u->names = malloc(size))) {
            memcpy(u->names, nodes[i]->names, size);
            key_of(nodes[i]->n.id.ino, nodes[i]->n.id.gen, u->key);
            items[count++] = (struct kv_item){u->key, sizeof u->key, u->names, size};
        }
        pthread_mutex_unlock(&nodes[i]->mu);
    }
    return count;
}

/* It is in the table, with names that may have changed meanwhile. */
static void written(struct dnode *n, const struct kv_item *item)
{
    pthread_mutex_lock(&n->mu);
    n->stored = DIR_STORED;
    if (n->nnames && (n->nnames != item->n || memcmp(n->names, item->val, item->n) != 0))
        (void)write_locked(n);
    pthread_mutex_unlock(&n->mu);
}

enum st dir_table_store_all(struct dnode *dir, struct dnode *const *nodes, size_t n)
{
    struct dstore *ds = dnode_store(dir);
    enum st st = dir_table_store(dir);
    if (st != ST_OK)
        return st;
    _cleanup_free_ struct unwritten *to = calloc(n, sizeof *to);
    _cleanup_free_ struct kv_item *items = calloc(n, sizeof *items);
    if (!to || !items)
        return ST_NOMEM;
    size_t count = gather(nodes, n, to, items);
    int r = kv_put_all(ds->kv, ds->table, items, count);
    for (size_t i = 0, at = 0; i < n; i++) {
        if (to[i].names && r == 0)
            written(nodes[i], &items[at]);
        at += to[i].names != NULL;
        free(to[i].names);
    }
    return r < 0 ? st_from_errno(-r) : ST_OK;
}

static bool is_it(const struct dnode *n, uint64_t ino, uint64_t gen)
{
    return n->n.id.ino == ino && n->n.id.gen == gen;
}

static enum st find_in(struct dnode *dir, const struct name *a, uint64_t ino, uint64_t gen, struct dnode **ret)
{
    char z[ST_NAME_MAX + 1];
    struct dnode *n;
    enum st st = store_name(a->name, a->n, z);
    if (st == ST_OK)
        st = dir_usable(dir, true);
    if (st == ST_OK)
        st = dir_lookup_name(dir, z, &n);
    if (st == ST_OK && is_it(n, ino, gen)) {
        *ret = n;
        return ST_OK;
    }
    if (st == ST_OK)
        st_unref(&n->n);
    return ST_NOENT;
}

/* First by the known names, then (a local program renamed it) through their directories. */
static enum st find_by(struct dstore *ds, const uint8_t *names, size_t size, uint64_t ino, uint64_t gen, unsigned depth,
                       struct dnode **ret)
{
    for (int pass = 0; pass < 2; pass++) {
        struct cursor c = cursor_of(names, size);
        struct name a;
        while (cursor_left(&c) && name_next(&c, &a)) {
            _cleanup_dnode_ struct dnode *dir = NULL;
            if (dir_table_find(ds, a.pino, a.pgen, depth + 1, &dir) != ST_OK || dir->n.type != ST_DIR)
                continue;
            enum st st = pass == 0 ? find_in(dir, &a, ino, gen, ret) : dir_search(dir, ino, gen, ret);
            if (st == ST_OK)
                return ST_OK;
        }
    }
    return ST_STALE;
}

enum st dir_table_find(struct dstore *ds, uint64_t ino, uint64_t gen, unsigned depth, struct dnode **ret)
{
    struct dnode *n = dir_cache_find(ds, ino, ds->dev);
    if (n && is_it(n, ino, gen)) {
        *ret = n;
        return ST_OK;
    }
    dir_unrefp(&n);
    if (!ds->kv || depth > DEPTH_MAX)
        return ST_STALE;
    _cleanup_free_ void *val = NULL;
    size_t size;
    if (!kv_has(ds, ino, gen, &val, &size))
        return ST_STALE;
    return find_by(ds, val, size, ino, gen, depth, ret);
}
