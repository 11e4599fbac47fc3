/* winmeta.c - DOS attributes, creation time and the size of the extended attributes of a node, and the cache of what
 * lies in extended attributes. Knows the layout of the attribute "dos"; of "sd" only what sd_store.h offers.
 *
 * A file without "dos" is one that nobody gave Windows attributes: it shows as ARCHIVE, which is also what a file made
 * over SMB has. So an ordinary file costs no extended attribute. */
#include "winmeta.h"
#include "base/bytes.h"
#include "base/cursor.h"
#include "sd.h"

#define DOS_XATTR "dos"
#define DOS_VERSION 1
#define DOS_HAS_ATTR 1
#define DOS_HAS_CREATE 2
#define DOS_SIZE 20 /* u8 version, u8 has, u16 0, u32 attributes, i64 seconds, u32 nanoseconds */

/* What a client can set, and what is kept: [MS-FSCC] 2.6; SPARSE only by FSCTL_SET_SPARSE. */
#define DOS_SETTABLE                                                                                                   \
    (FS_DOS_READONLY | FS_DOS_HIDDEN | FS_DOS_SYSTEM | FS_DOS_ARCHIVE | FS_DOS_TEMPORARY | FS_DOS_OFFLINE |            \
     FS_DOS_NOT_INDEXED)

static bool dos_decode(struct fsn *f, const uint8_t *p, size_t n)
{
    struct cursor c = cursor_of(p, n);
    if (cursor_u8(&c) != DOS_VERSION)
        return false;
    uint8_t has = cursor_u8(&c);
    cursor_skip(&c, 2);
    uint32_t dos = cursor_le32(&c);
    int64_t sec = (int64_t)cursor_le64(&c);
    uint32_t nsec = cursor_le32(&c);
    if (c.bad || nsec >= NSEC_PER_SEC)
        return false;
    f->has_dos = has & DOS_HAS_ATTR;
    f->dos = f->has_dos ? dos & (DOS_SETTABLE | FS_DOS_SPARSE) : 0;
    f->has_create = has & DOS_HAS_CREATE;
    f->create = (struct timespec){.tv_sec = sec, .tv_nsec = nsec};
    return true;
}

static enum st dos_write(struct st_node *n, const struct fsn *f)
{
    uint8_t b[DOS_SIZE] = {DOS_VERSION};
    b[1] = (f->has_dos ? DOS_HAS_ATTR : 0) | (f->has_create ? DOS_HAS_CREATE : 0);
    put_le32(b + 4, f->dos);
    put_le64(b + 8, (uint64_t)f->create.tv_sec);
    put_le32(b + 16, (uint32_t)f->create.tv_nsec);
    return n->store->ops->xattr_set(n, DOS_XATTR, b, sizeof b);
}

/* --- Loading: one listing says which of the attributes are there at all. */
struct present {
    struct st_node *n;
    bool dos, sd;
    uint32_t ea_size;
};

static bool see_name(void *arg, const char *name)
{
    struct present *p = arg;
    if (strcmp(name, DOS_XATTR) == 0)
        p->dos = true;
    else if (strcmp(name, SD_XATTR) == 0)
        p->sd = true;
    else if (fs_ea_visible(name))
        p->ea_size = 1;
    return true;
}

/* As OS/2's FEALIST counts, which is what FileEaInformation reports: 4 for the list, and for each 4 + name + NUL +
 * value. */
static bool add_ea(void *arg, const char *name)
{
    struct present *p = arg;
    size_t size = 0;
    if (!fs_ea_visible(name))
        return true;
    enum st st = p->n->store->ops->xattr_get(p->n, name, NULL, 0, &size);
    if (st == ST_OK || st == ST_BUFSIZE)
        p->ea_size += (uint32_t)(4 + strlen(name) - strlen(FS_EA_PREFIX) + 1 + size);
    return true;
}

static enum st load_locked(struct st_node *n, const struct st_attr *a, struct fsn *f)
{
    struct present p = {.n = n};
    uint8_t b[DOS_SIZE];
    size_t nb = 0;
    f->meta_valid = false;
    f->dos = 0;
    f->has_dos = f->has_create = false;
    f->ea_size = 0;
    free(f->sd);
    f->sd = NULL;
    f->nsd = 0;
    if (n->type == ST_REG || n->type == ST_DIR) {
        enum st st = n->store->ops->xattr_list(n, see_name, &p);
        if (st != ST_OK && st != ST_NOTSUP)
            return st;
        if (p.ea_size) {
            p.ea_size = 4;
            n->store->ops->xattr_list(n, add_ea, &p);
        }
    }
    if (p.dos && n->store->ops->xattr_get(n, DOS_XATTR, b, sizeof b, &nb) == ST_OK)
        dos_decode(f, b, nb);
    if (p.sd) {
        enum st st = sd_load(n, a, &f->sd, &f->nsd);
        if (st != ST_OK)
            return st;
    }
    f->ea_size = p.ea_size;
    f->meta_ctime = a->ctime;
    f->meta_valid = true;
    return ST_OK;
}

/* The lock is held on success. */
static enum st load_and_lock(struct st_node *n, const struct st_attr *a, struct fsn **ret)
{
    struct fsn *f = fsn(n);
    if (!f)
        return ST_NOMEM;
    pthread_mutex_lock(&f->meta_lock);
    enum st st = ST_OK;
    if (!f->meta_valid || f->meta_ctime.tv_sec != a->ctime.tv_sec || f->meta_ctime.tv_nsec != a->ctime.tv_nsec)
        st = load_locked(n, a, f);
    if (st != ST_OK)
        pthread_mutex_unlock(&f->meta_lock);
    *ret = f;
    return st;
}

enum st fs_meta_lock(struct st_node *n, const struct st_attr *a, struct fsn **ret)
{
    return load_and_lock(n, a, ret);
}

void fs_meta_unlock(struct fsn *f)
{
    pthread_mutex_unlock(&f->meta_lock);
}

enum st fs_meta_load(struct st_node *n, const struct st_attr *a)
{
    struct fsn *f;
    enum st st = load_and_lock(n, a, &f);
    if (st == ST_OK)
        pthread_mutex_unlock(&f->meta_lock);
    return st;
}

void fs_meta_forget(struct st_node *n)
{
    struct fsn *f = fsn(n);
    if (!f)
        return;
    pthread_mutex_lock(&f->meta_lock);
    f->meta_valid = false;
    pthread_mutex_unlock(&f->meta_lock);
}

/* --- Storing. */

/* Attributes that a client may not give such a node ([MS-FSA] 2.1.5.15.2). */
bool fs_dos_ok(enum st_type type, uint32_t dos)
{
    return !(type == ST_DIR && (dos & FS_DOS_TEMPORARY)) && !(type == ST_REG && (dos & FS_DOS_DIRECTORY));
}

static enum st change(struct st_node *n, const uint32_t *dos, const struct timespec *create, const bool *sparse)
{
    struct st_attr a;
    struct fsn *f;
    enum st st = n->store->ops->getattr(n, &a);
    if (st != ST_OK || (st = load_and_lock(n, &a, &f)) != ST_OK)
        return st;
    if (dos)
        f->dos = (*dos & DOS_SETTABLE) | (f->dos & FS_DOS_SPARSE);
    if (sparse) {
        uint32_t others = f->has_dos ? f->dos & ~(uint32_t)FS_DOS_SPARSE : (uint32_t)FS_DOS_ARCHIVE;
        f->dos = others | (*sparse ? (uint32_t)FS_DOS_SPARSE : 0);
    }
    f->has_dos |= dos || sparse;
    if (create) {
        f->has_create = true;
        f->create = *create;
    }
    st = dos_write(n, f);
    f->meta_valid = false; /* ctime moved */
    pthread_mutex_unlock(&f->meta_lock);
    return st;
}

enum st fs_meta_store(struct st_node *n, const uint32_t *dos, const struct timespec *create)
{
    return change(n, dos, create, NULL);
}

enum st fs_meta_sparse(struct st_node *n, bool on)
{
    return change(n, NULL, NULL, &on);
}

/* --- What Windows sees. */
static uint32_t dos_shown(enum st_type type, bool has, uint32_t stored)
{
    uint32_t dos = has ? stored : type == ST_REG ? (uint32_t)FS_DOS_ARCHIVE : 0;
    if (type == ST_DIR)
        dos |= FS_DOS_DIRECTORY;
    if (type == ST_LNK)
        dos |= FS_DOS_REPARSE_POINT;
    return dos ? dos : (uint32_t)FS_DOS_NORMAL;
}

static bool earlier(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

void fs_meta_change_time(struct st_node *n, const struct timespec *ctime, const struct timespec *change)
{
    struct fsn *f = fsn(n);
    if (!f)
        return;
    pthread_mutex_lock(&f->meta_lock);
    f->has_change = true;
    f->change = *change;
    f->change_ctime = *ctime;
    pthread_mutex_unlock(&f->meta_lock);
}

void fs_meta_change_kept(struct st_node *n, const struct timespec *before, const struct timespec *after)
{
    struct fsn *f = fsn(n);
    if (!f)
        return;
    pthread_mutex_lock(&f->meta_lock);
    if (!f->has_change || !timespec_same(&f->change_ctime, before))
        f->change = *before;
    f->has_change = true;
    f->change_ctime = *after;
    pthread_mutex_unlock(&f->meta_lock);
}

void fs_attr_fill(struct st_node *n, const struct st_attr *st, struct fs_attr *ret)
{
    struct fsn *f;
    uint32_t stored = 0;
    bool has = false;
    *ret = (struct fs_attr){.st = *st, .create = st->btime, .change = st->ctime};
    /* A file system without birth times: the oldest time there is. */
    if (!st->btime.tv_sec && !st->btime.tv_nsec)
        ret->create = earlier(&st->mtime, &st->ctime) ? st->mtime : st->ctime;
    /* Metadata that cannot be read is shown as not there: the file itself is still good. */
    if (load_and_lock(n, st, &f) == ST_OK) {
        stored = f->dos;
        has = f->has_dos;
        ret->ea_size = f->ea_size;
        if (f->has_create)
            ret->create = f->create;
        if (f->has_change && timespec_same(&f->change_ctime, &st->ctime))
            ret->change = f->change;
        pthread_mutex_unlock(&f->meta_lock);
    }
    ret->dos = dos_shown(st->type, has, stored);
    if (st->type == ST_LNK)
        ret->reparse_tag = FS_REPARSE_TAG_SYMLINK;
}

enum st fs_getattr_windows(struct fs_req *q, struct st_node *n, struct fs_attr *ret)
{
    struct st_attr a;
    enum st st = fs_getattr(q, n, &a);
    if (st == ST_OK)
        fs_attr_fill(n, &a, ret);
    return st;
}
