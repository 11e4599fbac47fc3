/* list.c - the entries of a directory with their attributes and handles, for READDIRPLUS and its like.
 *
 * A node costs a descriptor; an entry that is only listed gets none. Its attributes and its handle come from one look
 * at it, or from the last one (seen.c). Where handles come from the handle table, what is not in it yet is written with
 * one commit before the caller has the listing. Must not know what names mean. */
#include "dir.h"
#include <errno.h>

#define STORE_AT 512 /* entries whose handles wait for one commit */

struct listing {
    struct dnode *dir;
    bool (*fn)(void *, const struct st_dirent *);
    void *arg;
    uint64_t now;
    struct dnode **news; /* not in the handle table yet; STORE_AT of them */
    size_t nnews;
};

static enum st news_store(struct listing *l)
{
    enum st st = l->nnews ? dir_table_store_all(l->dir, l->news, l->nnews) : ST_OK;
    for (size_t i = 0; i < l->nnews; i++)
        st_unref(&l->news[i]->n);
    l->nnews = 0;
    return st;
}

/* Takes the reference. */
static enum st news_add(struct listing *l, struct dnode *n)
{
    if (!l->news && !(l->news = malloc(STORE_AT * sizeof *l->news))) {
        st_unref(&n->n);
        return ST_NOMEM;
    }
    l->news[l->nnews++] = n;
    return l->nnews == STORE_AT ? news_store(l) : ST_OK;
}

static void look_begin(struct listing *l, uint64_t ino, struct dseen_entry *e)
{
    e->time = l->now;
    e->changes = dir_changes(dnode_store(l->dir), ino); /* before: a change in between is then seen */
}

/* Known by a look that is too old: is it the same still? Then what it is like now. */
static bool look_again(struct listing *l, const struct st_dirent *d, struct dseen_entry *e)
{
    struct dstore *ds = dnode_store(l->dir);
    struct statx sx;
    struct st_attr a;
    look_begin(l, d->ino, e);
    if (dir_stat(l->dir, d->name, &sx) != ST_OK)
        return false;
    dir_attr_of(ds, &sx, &a);
    if (a.ino != e->attr.ino || a.fsid != e->attr.fsid || a.type != e->attr.type ||
        a.btime.tv_sec != e->attr.btime.tv_sec || a.btime.tv_nsec != e->attr.btime.tv_nsec)
        return false;
    e->attr = a;
    dir_seen_put(ds, e);
    return true;
}

/* An object that has no node, by a descriptor of a moment. ST_NOTSUP: its handle is not the kernel's. */
static enum st look_open(struct listing *l, const struct st_dirent *d, struct dseen_entry *e)
{
    struct dstore *ds = dnode_store(l->dir);
    struct didentity id;
    struct statx sx;
    look_begin(l, d->ino, e);
    _cleanup_close_ int fd = dir_open_at(ds, l->dir->fd, d->name, O_PATH, 0);
    if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, DIR_STATX_MASK, &sx) < 0)
        return st_from_errno(errno);
    enum st st = dir_same_mount(ds, &sx);
    if (st == ST_OK)
        st = dir_identify(ds, fd, &sx, &id);
    if (st == ST_OK && !id.nhandle)
        st = ST_NOTSUP;
    if (st != ST_OK)
        return st;
    dir_attr_of(ds, &sx, &e->attr);
    e->nhandle = id.nhandle;
    memcpy(e->handle, id.handle, id.nhandle);
    dir_seen_put(ds, e);
    return ST_OK;
}

/* By its node, as a look-up finds it. */
static enum st look_up(struct listing *l, const struct st_dirent *d, struct dseen_entry *e)
{
    _cleanup_dnode_ struct dnode *n = NULL;
    size_t nhandle = 0;
    enum st st = dir_lookup_name(l->dir, d->name, &n);
    if (st != ST_OK)
        return st;
    look_begin(l, n->n.id.ino, e);
    st = dir_getattr(&n->n, &e->attr);
    if (st != ST_OK)
        return st;
    bool stored = !dir_uses_table(n) || dir_table_has(n);
    if (stored)
        (void)dir_handle(&n->n, true, e->handle, &nhandle);
    else
        dir_table_key(n, e->handle, &nhandle);
    e->nhandle = (uint8_t)nhandle;
    if (!stored)
        return news_add(l, TAKE_PTR(n));
    if (nhandle)
        dir_seen_put(dnode_store(l->dir), e);
    return ST_OK;
}

static enum st look(struct listing *l, const struct st_dirent *d, struct dseen_entry *e)
{
    struct dstore *ds = dnode_store(l->dir);
    if (ds->kernel_handles) {
        struct dnode *n = dir_cache_find(ds, d->ino, ds->dev);
        enum st st = n ? ST_NOTSUP : look_open(l, d, e);
        dir_unrefp(&n);
        if (st != ST_NOTSUP)
            return st;
    }
    return look_up(l, d, e);
}

static bool show_entry(void *arg, const struct st_dirent *d)
{
    struct listing *l = arg;
    struct dstore *ds = dnode_store(l->dir);
    struct st_dirent full = *d;
    struct dseen_entry e;
    uint64_t name = dir_seen_name(l->dir, d->name, d->nname);
    bool known = dir_seen_get(ds, name, d->ino, &e);
    if (known && !dir_seen_fresh(ds, &e, l->now))
        known = look_again(l, d, &e);
    if (!known) {
        e = (struct dseen_entry){.name = name};
        known = look(l, d, &e) == ST_OK; /* else vanished meanwhile, or out of bounds: listed without, as it is */
    }
    if (known) {
        full.attr = &e.attr;
        full.handle = e.handle;
        full.nhandle = e.nhandle;
    }
    return l->fn(l->arg, &full);
}

enum st dir_list(struct st_node *dir, uint64_t cookie, bool (*fn)(void *, const struct st_dirent *), void *arg)
{
    struct listing l = {.dir = DNODE(dir), .fn = fn, .arg = arg, .now = dir_now()};
    enum st st = dir_readdir(dir, cookie, show_entry, &l);
    enum st stored = news_store(&l);
    free(l.news);
    return stored != ST_OK ? stored : st;
}
