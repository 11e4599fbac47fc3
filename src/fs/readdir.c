/* readdir.c - the entries of a directory (RFC 1813 §3.3.16, §3.3.17). Cookies are the store's; 1 and 2 are behind "."
 * and "..". Constant memory, whatever the directory's size. Breaks nobody's cache, so it has no gate. */
#include "internal.h"

#define COOKIE_DOT 1
#define COOKIE_DOTDOT 2
#define INLINE_SIZE (64u << 10) /* bytes of directory: bigger ones are read on a pool thread */

struct walk {
    struct fs_req *q;
    struct st_node *dir;
    bool attrs;
    bool (*fn)(void *arg, const struct fs_dirent *e);
    void *arg;
};

static bool entry(void *arg, const struct st_dirent *d)
{
    const struct walk *w = arg;
    uint8_t fh[FS_HANDLE_MAX];
    struct fs_dirent e = {.name = d->name, .n = d->nname, .fileid = d->ino, .cookie = d->cookie, .attr = d->attr};
    if (d->attr && d->nhandle) {
        e.fh = fh;
        e.nfh = fs_handle_of(fs_volume_of(w->dir), d->handle, d->nhandle, fh);
    }
    return w->fn(w->arg, &e);
}

static bool emit_dot(const struct walk *w, const char *name, uint64_t cookie, struct st_node *node)
{
    struct st_attr a;
    uint8_t fh[FS_HANDLE_MAX];
    struct fs_dirent e = {.name = name, .n = strlen(name), .fileid = fs_node_id(node), .cookie = cookie};
    if (w->attrs && node->store->ops->getattr(node, &a) == ST_OK) {
        e.attr = &a;
        e.fh = fh;
        if (fs_handle(w->q, node, fh, &e.nfh) != ST_OK)
            e.nfh = 0;
    }
    return w->fn(w->arg, &e);
}

static enum st dots(const struct walk *w, uint64_t cookie, bool *ret_more)
{
    *ret_more = true;
    if (cookie < COOKIE_DOT)
        *ret_more = emit_dot(w, ".", COOKIE_DOT, w->dir);
    if (cookie >= COOKIE_DOTDOT || !*ret_more)
        return ST_OK;
    _cleanup_node_ struct st_node *parent = NULL;
    enum st st = w->dir->store->ops->parent(w->dir, &parent);
    if (st == ST_OK)
        *ret_more = emit_dot(w, "..", COOKIE_DOTDOT, parent);
    return st;
}

enum st fs_readdir(struct fs_req *q, struct st_node *dir, uint64_t cookie, bool attrs,
                   bool (*fn)(void *arg, const struct fs_dirent *e), void *arg, bool *ret_end)
{
    struct walk w = {.q = q, .dir = dir, .attrs = attrs, .fn = fn, .arg = arg};
    struct st_attr a;
    enum st st = fs_dir_resolve(dir, &a);
    if (st == ST_OK)
        st = fs_permit(q, dir, &a, FS_LIST);
    if (st != ST_OK)
        return st;
    if ((a.size > INLINE_SIZE || (attrs && dir->store->waits)) && fs_must_move(q))
        return ST_OFFLOAD;
    bool more;
    const struct store_ops *ops = dir->store->ops;
    st = dots(&w, cookie, &more);
    if (st == ST_OK && more)
        st = (attrs ? ops->list : ops->readdir)(dir, cookie <= COOKIE_DOTDOT ? 0 : cookie, entry, &w);
    if (st != ST_OK && st != ST_END)
        return st;
    *ret_end = st == ST_END;
    return ST_OK;
}
