/* dirop.c - what operations on names share: names that are allowed, a directory with its attributes, and whether a name
 * still means what it meant before the gate. Only looks; changes nothing. */
#include "internal.h"

enum st fs_name_check(const char *name, size_t n)
{
    if (!n)
        return ST_INVAL;
    if (n > ST_NAME_MAX)
        return ST_NAMETOOLONG;
    if (name[0] == '.' && (n == 1 || (n == 2 && name[1] == '.')))
        return ST_INVAL;
    if (memchr(name, '/', n) || memchr(name, '\0', n))
        return ST_BADNAME;
    return ST_OK;
}

enum st fs_dir_resolve(struct st_node *dir, struct st_attr *ret)
{
    if (dir->type != ST_DIR)
        return ST_NOTDIR;
    if (!fsn(dir))
        return ST_NOMEM;
    return dir->store->ops->getattr(dir, ret);
}

enum st fs_entry(struct st_node *dir, const char *name, size_t n, struct st_node **ret)
{
    enum st st = dir->store->ops->lookup(dir, name, n, ret);
    struct fsn *f = __atomic_load_n((struct fsn **)&dir->fs, __ATOMIC_ACQUIRE);
    if (st == ST_OK && f && unlikely(atomic_load(&f->making))) {
        pthread_mutex_lock(&f->lock);
        pthread_mutex_unlock(&f->lock);
    }
    return st;
}

enum st fs_name_resolve(struct st_node *dir, const char *name, size_t n, struct st_node **ret, struct st_attr *ret_attr)
{
    _cleanup_node_ struct st_node *node = NULL;
    enum st st = fs_entry(dir, name, n, &node);
    if (st == ST_OK && !fsn(node))
        st = ST_NOMEM;
    if (st == ST_OK)
        st = dir->store->ops->getattr(node, ret_attr);
    if (st == ST_STALE) /* removed while we looked */
        st = ST_NOENT;
    if (st == ST_OK)
        *ret = TAKE_PTR(node);
    return st;
}

bool fs_still_named(struct st_node *dir, const char *name, size_t n, const struct st_node *expect)
{
    _cleanup_node_ struct st_node *node = NULL;
    enum st st = dir->store->ops->lookup(dir, name, n, &node);
    return expect ? st == ST_OK && node == expect : st == ST_NOENT;
}
