/* setattr.c - mode, owner, times and size (RFC 1813 §3.3.2), and through an open also what only Windows has: DOS
 * attributes, creation time, allocation size ([MS-FSA] 2.1.5.15).
 *
 * Permission follows POSIX: mode and explicit times are the owner's, "now" is also for who may write, the owner is
 * given away by the superuser only. Through an open its granted access counts, and POSIX's rules of ownership. */
#include "internal.h"

#define OWNER_ONLY (ST_SET_MODE | ST_SET_ATIME | ST_SET_MTIME)
#define TIMES_NOW (ST_SET_ATIME_NOW | ST_SET_MTIME_NOW)
#define STORE_BITS                                                                                                     \
    (ST_SET_MODE | ST_SET_UID | ST_SET_GID | ST_SET_SIZE | ST_SET_ATIME | ST_SET_MTIME | TIMES_NOW)
#define SHRINK_INLINE (1u << 20) /* bytes that may be cut off without a pool thread */

struct change {
    struct st_node *n;
    struct fs_open *o;
    const struct fs_setattr *sa;
    struct fs_wcc *wcc;
    struct st_attr pre; /* as asked for; then as found under the lock */
    bool resizes;
    bool wide;          /* the size does not stand still: asks for all bytes */
};

/* --- permit */
static enum st permit_owner(const struct fs_req *q, const struct change *c)
{
    const struct fs_cred *cred = fs_cred_of(q);
    const struct fs_setattr *sa = c->sa;
    bool owner = cred->uid == c->pre.uid;
    if (cred->superuser)
        return ST_OK;
    if (sa->set & ST_SET_UID && (sa->a.uid != c->pre.uid || !owner))
        return ST_PERM;
    if (sa->set & ST_SET_GID && (!owner || (sa->a.gid != c->pre.gid && !fs_in_group(cred, sa->a.gid))))
        return ST_PERM;
    return ST_OK;
}

static enum st permit_open(const struct change *c)
{
    static const struct {
        uint32_t set, access;
    } needs[] = {
        {ST_SET_ATIME | ST_SET_MTIME | TIMES_NOW | FS_SET_DOS | FS_SET_CREATE | FS_SET_CHANGE, FS_WRITE_ATTRIBUTES},
        {ST_SET_SIZE | FS_SET_ALLOC, FS_WRITE_DATA},
        {ST_SET_MODE, FS_WRITE_DAC},
        {ST_SET_UID | ST_SET_GID, FS_WRITE_OWNER},
    };
    for (size_t i = 0; i < ARRAY_LEN(needs); i++)
        if (c->sa->set & needs[i].set && !(c->o->access & needs[i].access))
            return ST_ACCESS;
    return c->resizes ? fs_permit_io(c->o, FS_WRITE_DATA) : ST_OK;
}

static enum st permit(struct fs_req *q, const struct change *c)
{
    const struct fs_setattr *sa = c->sa;
    const struct fs_cred *cred = fs_cred_of(q);
    if (fs_read_only(q))
        return ST_ROFS;
    enum st st = c->o ? permit_open(c) : ST_OK;
    if (st == ST_OK)
        st = permit_owner(q, c);
    if (st != ST_OK || c->o)
        return st;
    bool owner = cred->superuser || cred->uid == c->pre.uid;
    if (sa->set & OWNER_ONLY && !owner)
        return ST_PERM;
    if (sa->set & (FS_SET_DOS | FS_SET_CREATE) && (st = fs_permit(q, c->n, &c->pre, FS_WRITE_ATTRIBUTES)) != ST_OK)
        return st;
    if (sa->set & TIMES_NOW && !owner && (st = fs_permit(q, c->n, &c->pre, FS_WRITE_DATA)) != ST_OK)
        return st;
    return c->resizes ? fs_permit(q, c->n, &c->pre, FS_WRITE_DATA) : ST_OK;
}

/* --- gate */
static uint64_t new_size(const struct change *c)
{
    return c->sa->set & ST_SET_SIZE ? c->sa->a.size : MIN(c->sa->alloc, c->pre.size);
}

static bool frees_much(const struct change *c)
{
    return c->resizes && c->pre.size > new_size(c) && c->pre.size - new_size(c) > SHRINK_INLINE;
}

static enum st gate(struct fs_req *q, const struct change *c)
{
    struct co_ask asks[3];
    size_t n = 0;
    if (c->resizes) {
        uint64_t from = MIN(c->pre.size, new_size(c)), to = MAX(c->pre.size, new_size(c));
        bool all = c->wide || (c->o && c->o->stream);
        asks[n] = fs_ask_io(c->n, c->o, CO_RESIZE, 0, UINT64_MAX);
        if (!all)
            fs_ask_bytes(&asks[n], from, to);
        n++;
    }
    if (!n || c->sa->set & ~(uint32_t)(ST_SET_SIZE | FS_SET_ALLOC))
        asks[n++] = fs_ask(c->n, CO_SETATTR);
    n += fs_parent_ask(q, c->n, c->o, &asks[n]);
    return fs_gate(q, asks, n);
}

/* --- act */
/* What the store is told: set-id bits go when the owner changes or somebody else changes the data (POSIX chown(),
 * write()), and a caller outside the file's group cannot set set-group-id. */
static uint32_t settle(const struct fs_req *q, const struct change *c, struct st_attr *to)
{
    const struct fs_cred *cred = fs_cred_of(q);
    uint32_t set = c->sa->set & STORE_BITS, mode;
    *to = c->sa->a;
    if (set & ST_SET_UID && to->uid == c->pre.uid)
        set &= ~(uint32_t)ST_SET_UID;
    if (set & ST_SET_GID && to->gid == c->pre.gid)
        set &= ~(uint32_t)ST_SET_GID;
    if (c->n->type == ST_LNK)
        set &= ~(uint32_t)ST_SET_MODE; /* a link's mode means nothing */
    mode = set & ST_SET_MODE ? to->mode & 07777 : c->pre.mode;
    if (c->n->type != ST_DIR && c->n->type != ST_LNK) {
        uint32_t gid = set & ST_SET_GID ? to->gid : c->pre.gid;
        if (set & ST_SET_MODE && !cred->superuser && !fs_in_group(cred, gid))
            mode &= ~02000u;
        bool chowned = set & (ST_SET_UID | ST_SET_GID), written = set & ST_SET_SIZE && !cred->superuser;
        if (chowned || written)
            mode &= mode & 010 ? ~06000u : ~04000u;
    }
    to->mode = mode;
    return mode != c->pre.mode ? set | ST_SET_MODE : set;
}

/* [MS-FSA] 2.1.5.15.1: an allocation below the end of the file moves the end, one above it reserves. */
static enum st set_alloc(const struct change *c)
{
    const struct store_ops *ops = c->n->store->ops;
    struct st_attr to = {.size = c->sa->alloc};
    if (c->sa->alloc < c->pre.size)
        return ops->setattr(c->n, ST_SET_SIZE, &to);
    if (c->sa->alloc <= c->pre.used)
        return ST_OK;
    enum st st = ops->allocate(c->n, 0, c->sa->alloc, ST_ALLOC_KEEP_SIZE);
    return st == ST_NOTSUP ? ST_OK : st;
}

/* What is set stays as it was set; reserving space is no writing. */
static void settle_times(const struct change *c, struct st_attr *post)
{
    bool reserves = c->sa->set & FS_SET_ALLOC && c->sa->alloc >= c->pre.size;
    unsigned given =
        (c->sa->set & ST_SET_MTIME ? FS_TIME_WRITE : 0) | (c->sa->set & FS_SET_CHANGE ? FS_TIME_CHANGE : 0);
    fs_open_freeze(c->o, given, 0);
    fs_times_put_back(c->n, (fs_times_kept(c->o) | (reserves ? FS_TIME_WRITE : 0)) & ~given, &c->pre, post);
    if (given & FS_TIME_CHANGE)
        fs_meta_change_time(c->n, &post->ctime, &c->sa->change);
}

static enum st act_locked(struct fs_req *q, struct change *c, bool *ret_moved)
{
    const struct store_ops *ops = c->n->store->ops;
    const struct fs_setattr *sa = c->sa;
    uint64_t asked = c->pre.size;
    enum st st = ops->getattr(c->n, &c->pre);
    if (st != ST_OK)
        return st;
    *ret_moved = c->resizes && !c->wide && c->pre.size != asked && !(c->o && c->o->stream);
    if (*ret_moved)
        return ST_OK;
    fs_wcc_known(c->wcc, &c->pre);
    if (sa->guard && !timespec_same(&sa->guard_ctime, &c->pre.ctime))
        return ST_NOTSYNC;
    struct st_attr to, post;
    uint32_t set = settle(q, c, &to);
    if (c->o && c->o->stream && set & ST_SET_SIZE) {
        st = fs_stream_resize(q, c->o, to.size);
        set &= ~(uint32_t)ST_SET_SIZE;
    }
    if (st == ST_OK && set)
        st = ops->setattr(c->n, set, &to);
    if (st == ST_OK && set & (ST_SET_MODE | ST_SET_UID | ST_SET_GID))
        fs_sd_mode_changed(c->n);
    if (st == ST_OK && sa->set & FS_SET_ALLOC && !(c->o && c->o->stream))
        st = set_alloc(c);
    bool meta = sa->set & (FS_SET_DOS | FS_SET_CREATE);
    if (st == ST_OK && meta)
        st = fs_meta_store(c->n, sa->set & FS_SET_DOS ? &sa->dos : NULL, sa->set & FS_SET_CREATE ? &sa->create : NULL);
    if (ops->getattr(c->n, &post) == ST_OK) {
        if (st == ST_OK && c->o)
            settle_times(c, &post);
        fs_wcc_post(c->wcc, &post);
        if (!meta && !(set & (ST_SET_MODE | ST_SET_UID | ST_SET_GID)))
            fsn_carry(c->n, &c->pre.ctime, &post.ctime);
    } else if (c->wcc) {
        c->wcc->has_post = false;
    }
    return st;
}

static enum st act(struct fs_req *q, struct change *c, bool *ret_moved)
{
    fsn_lock_all(&c->n, 1);
    enum st st = act_locked(q, c, ret_moved);
    fsn_unlock_all(&c->n, 1);
    return st;
}

/* --- tell */
static void tell(struct fs_req *q, const struct change *c)
{
    static const struct {
        uint32_t set, filter;
    } map[] = {
        {ST_SET_MODE | FS_SET_DOS, FS_CHANGE_ATTRIBUTES},
        {ST_SET_MODE | ST_SET_UID | ST_SET_GID, FS_CHANGE_SECURITY},
        {ST_SET_SIZE | FS_SET_ALLOC, FS_CHANGE_SIZE | FS_CHANGE_LAST_WRITE},
        {ST_SET_ATIME | ST_SET_ATIME_NOW, FS_CHANGE_LAST_ACCESS},
        {ST_SET_MTIME | ST_SET_MTIME_NOW, FS_CHANGE_LAST_WRITE},
        {FS_SET_CREATE, FS_CHANGE_CREATION},
    };
    uint32_t filter = 0;
    for (size_t i = 0; i < ARRAY_LEN(map); i++)
        if (c->sa->set & map[i].set)
            filter |= map[i].filter;
    if (filter)
        fs_tell_node(q, c->n, c->o, filter);
}

static enum st resolve(struct fs_req *q, struct change *c)
{
    enum st st = c->n->store->ops->getattr(c->n, &c->pre);
    if (st != ST_OK)
        return st;
    fs_wcc_known(c->wcc, &c->pre);
    if (c->resizes && c->n->type != ST_REG && !(c->o && c->o->stream))
        return c->n->type == ST_DIR ? ST_ISDIR : ST_INVAL;
    if (c->sa->set & ST_SET_SIZE && c->sa->a.size > INT64_MAX)
        return ST_FBIG;
    if (c->sa->guard && !timespec_same(&c->sa->guard_ctime, &c->pre.ctime))
        return ST_NOTSYNC; /* before anybody's cache is broken for nothing; asked again under the lock */
    return ST_OK;
}

enum st fs_setattr(struct fs_req *q, struct st_node *n, struct fs_open *o, const struct fs_setattr *sa,
                   struct fs_wcc *wcc)
{
    struct change c = {.n = n, .o = o, .sa = sa, .wcc = wcc, .resizes = sa->set & (ST_SET_SIZE | FS_SET_ALLOC)};
    if (!fsn(n))
        return ST_NOMEM;
    FS_THROUGH(q, o);
    for (int tries = 0;; tries++) {
        enum st st = resolve(q, &c);
        if (st == ST_OK)
            st = permit(q, &c);
        if (st != ST_OK)
            return st;
        if (frees_much(&c) && !q->may_block && q->job)
            return ST_OFFLOAD;
        c.wide = tries >= FS_RETRIES;
        st = gate(q, &c);
        if (st != ST_OK)
            return st;
        bool moved = false;
        st = act(q, &c, &moved);
        if (st == ST_OK && !moved)
            tell(q, &c);
        fs_leave(q);
        if (!moved)
            return st;
    }
}
