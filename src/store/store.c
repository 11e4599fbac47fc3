/* store.c - what every store shares: giving back references, checking names, spelling extended attribute names.
 *
 * Knows only the contract in store.h. Must not know any store, file system or client. */
#include "name.h"

/* All references but the last go without a lock. The last one is dropped by the store under the lock of its table:
 * were it dropped here, a second holder could look the node up, give it back and have it freed under our hands. */
void st_unref(struct st_node *n)
{
    if (!n)
        return;
    uint32_t refs = atomic_load_explicit(&n->refs, memory_order_relaxed);
    while (refs > 1)
        if (atomic_compare_exchange_weak_explicit(&n->refs, &refs, refs - 1, memory_order_release,
                                                  memory_order_relaxed))
            return;
    n->store->ops->node_free(n);
}

enum st store_name(const char *name, size_t n, char out[ST_NAME_MAX + 1])
{
    if (n > ST_NAME_MAX)
        return ST_NAMETOOLONG;
    if (n == 0 || (n == 1 && name[0] == '.') || (n == 2 && name[0] == '.' && name[1] == '.'))
        return ST_BADNAME;
    if (memchr(name, '/', n) || memchr(name, '\0', n))
        return ST_BADNAME;
    memcpy(out, name, n);
    out[n] = '\0';
    return ST_OK;
}

struct listing {
    struct st_node *dir;
    bool (*fn)(void *arg, const struct st_dirent *e);
    void *arg;
};

static bool list_entry(void *arg, const struct st_dirent *d)
{
    const struct listing *l = arg;
    const struct store_ops *ops = l->dir->store->ops;
    struct st_dirent full = *d;
    struct st_attr a;
    uint8_t handle[ST_HANDLE_MAX];
    _cleanup_node_ struct st_node *n = NULL;
    if (ops->lookup(l->dir, d->name, d->nname, &n) == ST_OK && ops->getattr(n, &a) == ST_OK) {
        full.attr = &a;
        full.handle = handle;
        if (ops->handle(n, true, handle, &full.nhandle) != ST_OK)
            full.nhandle = 0;
    }
    return l->fn(l->arg, &full);
}

enum st store_list(struct st_node *dir, uint64_t cookie, bool (*fn)(void *arg, const struct st_dirent *e), void *arg)
{
    struct listing l = {dir, fn, arg};
    return dir->store->ops->readdir(dir, cookie, list_entry, &l);
}

#define OPEN_MARK "user:"   /* how callers spell the attributes of local programs */
#define OPEN_PREFIX "user." /* how the file system does */

enum st store_xattr_name(const char *name, char out[STORE_XATTR_NAME_MAX + 1])
{
    const char *prefix = STORE_XATTR_PREFIX, *rest = name;
    if (strncmp(name, OPEN_MARK, strlen(OPEN_MARK)) == 0) {
        prefix = OPEN_PREFIX;
        rest = name + strlen(OPEN_MARK);
    }
    size_t np = strlen(prefix), nr = strlen(rest);
    if (nr == 0)
        return ST_BADNAME;
    if (np + nr > STORE_XATTR_NAME_MAX)
        return ST_NAMETOOLONG;
    memcpy(out, prefix, np);
    memcpy(out + np, rest, nr + 1);
    bool ours = strncmp(out, STORE_XATTR_PREFIX, strlen(STORE_XATTR_PREFIX)) == 0;
    return ours && rest != name ? ST_PERM : ST_OK;
}

bool store_xattr_unname(const char *full, char out[STORE_XATTR_NAME_MAX + 1])
{
    size_t n = strlen(full), own = strlen(STORE_XATTR_PREFIX), open = strlen(OPEN_PREFIX);
    if (n > STORE_XATTR_NAME_MAX)
        return false;
    if (n > own && memcmp(full, STORE_XATTR_PREFIX, own) == 0) {
        memcpy(out, full + own, n - own + 1);
        return true;
    }
    if (n <= open || memcmp(full, OPEN_PREFIX, open) != 0)
        return false;
    memcpy(out, OPEN_MARK, strlen(OPEN_MARK));
    memcpy(out + strlen(OPEN_MARK), full + open, n - open + 1);
    return true;
}
