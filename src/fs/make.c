/* make.c - new objects by name: CREATE, MKDIR, SYMLINK, MKNOD (RFC 1813 §3.3.8 to §3.3.11).
 *
 * EXCLUSIVE creation keeps the client's verifier in the new file's access and modification times, as the RFC proposes:
 * that is as durable as the file, costs nothing, and the client that succeeded sets proper times next. */
#include "internal.h"

#define VERIFIER_SECONDS 0x7fffffffu /* what every file system can store */

struct make {
    struct st_node *dir;
    const char *name;
    size_t n;
    const struct fs_make *m;
    struct fs_wcc *dir_wcc;
    struct st_attr dir_attr;
    struct st_node *node;   /* out */
    struct st_attr attr;    /* out */
};

static void verifier_times(uint64_t verifier, struct st_attr *a)
{
    a->atime = (struct timespec){.tv_sec = verifier >> 32 & VERIFIER_SECONDS};
    a->mtime = (struct timespec){.tv_sec = verifier & VERIFIER_SECONDS};
}

static bool verifier_matches(uint64_t verifier, const struct st_attr *a)
{
    struct st_attr want;
    verifier_times(verifier, &want);
    return a->atime.tv_sec == want.atime.tv_sec && a->mtime.tv_sec == want.mtime.tv_sec;
}

/* --- The name exists. */
static enum st truncate_existing(struct fs_req *q, struct make *k)
{
    struct fs_setattr sa = {.set = ST_SET_SIZE, .a = {.size = k->m->a.size}};
    struct fs_wcc wcc = {0};
    enum st st = fs_setattr(q, k->node, NULL, &sa, &wcc);
    if (st == ST_OK && wcc.has_post)
        k->attr = wcc.post;
    return st;
}

static enum st existing(struct fs_req *q, struct make *k)
{
    const struct fs_make *m = k->m;
    if (m->a.type != ST_REG || m->how == FS_CREATE_GUARDED || k->node->type != ST_REG)
        return ST_EXIST;
    if (m->how == FS_CREATE_EXCLUSIVE)
        return verifier_matches(m->verifier, &k->attr) ? ST_OK : ST_EXIST;
    struct co_key key = fs_node_key(k->node);
    if (co_delete_pending(q->fs->co, &key, fs_link_id(k->dir, k->name, k->n)))
        return ST_DELETE_PENDING;
    return m->set & ST_SET_SIZE ? truncate_existing(q, k) : ST_OK;
}

/* --- The name is new. */
static enum st permit(struct fs_req *q, const struct make *k)
{
    enum st_type type = k->m->a.type;
    enum st st = fs_permit(q, k->dir, &k->dir_attr, type == ST_DIR ? FS_ADD_SUBDIR : FS_ADD_FILE);
    if (st == ST_OK && (type == ST_BLK || type == ST_CHR) && !fs_cred_of(q)->superuser)
        return ST_PERM;
    return st;
}

/* Owner, group and mode of a new object, as POSIX open(O_CREAT) and mkdir() have them: the directory's set-group-id
 * gives its group, and itself to directories. */
static struct st_attr initial(const struct fs_req *q, const struct make *k)
{
    static const uint32_t modes[] = {[ST_REG] = 0644, [ST_DIR] = 0755, [ST_LNK] = 0777, [ST_BLK] = 0600,
                                     [ST_CHR] = 0600, [ST_FIFO] = 0644, [ST_SOCK] = 0644};
    const struct fs_cred *c = fs_cred_of(q);
    const struct fs_make *m = k->m;
    struct st_attr a = {.type = m->a.type, .rdev_major = m->a.rdev_major, .rdev_minor = m->a.rdev_minor};
    bool inherits = k->dir_attr.mode & 02000;
    a.mode = m->set & ST_SET_MODE && a.type != ST_LNK ? m->a.mode & 07777 : modes[a.type];
    a.uid = c->uid;
    a.gid = inherits ? k->dir_attr.gid : c->gid;
    if (m->set & ST_SET_UID && c->superuser)
        a.uid = m->a.uid;
    if (m->set & ST_SET_GID && (c->superuser || fs_in_group(c, m->a.gid)))
        a.gid = m->a.gid;
    if (a.type == ST_DIR && inherits)
        a.mode |= 02000;
    else if (a.mode & 02000 && !c->superuser && !fs_in_group(c, a.gid))
        a.mode &= ~02000u;
    return a;
}

/* What make() of a store does not set. */
static enum st finish(const struct make *k)
{
    const uint32_t later = ST_SET_SIZE | ST_SET_ATIME | ST_SET_MTIME | ST_SET_ATIME_NOW | ST_SET_MTIME_NOW;
    struct st_attr a = k->m->a;
    uint32_t set = k->m->set & later;
    if (a.type != ST_REG)
        set &= ~(uint32_t)ST_SET_SIZE;
    if (a.type == ST_REG && k->m->how == FS_CREATE_EXCLUSIVE) {
        verifier_times(k->m->verifier, &a);
        set = ST_SET_ATIME | ST_SET_MTIME;
    }
    if (set & ST_SET_SIZE && !a.size)
        set &= ~(uint32_t)ST_SET_SIZE;
    return set ? k->node->store->ops->setattr(k->node, set, &a) : ST_OK;
}

static enum st make(struct make *k, const struct st_attr *a)
{
    const struct store_ops *ops = k->dir->store->ops;
    fsn_making_begin(k->dir);
    enum st st = ops->make(k->dir, k->name, k->n, a, k->m->target, &k->node);
    if (st == ST_OK) {
        st = finish(k);
        if (st == ST_OK)
            st = ops->getattr(k->node, &k->attr);
        if (st != ST_OK)
            ops->unlink(k->dir, k->name, k->n, k->node, a->type == ST_DIR ? ST_UNLINK_DIR : 0);
    }
    fsn_making_end(k->dir);
    return st;
}

static enum st act_locked(struct fs_req *q, struct make *k)
{
    const struct store_ops *ops = k->dir->store->ops;
    struct st_attr before = k->dir_attr, a;
    enum st st = ops->getattr(k->dir, &before);
    if (st != ST_OK)
        return st;
    fs_wcc_known(k->dir_wcc, &before);
    k->dir_attr = before;
    a = initial(q, k);
    st = make(k, &a);
    if (st == ST_OK)
        fsn_names_changed(k->dir, &before.ctime, NULL, 0, k->name, k->n);
    if (ops->getattr(k->dir, &a) == ST_OK) {
        fs_wcc_post(k->dir_wcc, &a);
        fsn_carry(k->dir, &before.ctime, &a.ctime);
    } else if (k->dir_wcc) {
        k->dir_wcc->has_post = false;
    }
    return st;
}

static enum st create(struct fs_req *q, struct make *k)
{
    enum st st = permit(q, k);
    if (st != ST_OK)
        return st;
    struct co_ask ask = fs_ask(k->dir, CO_CHILD);
    st = fs_gate(q, &ask, 1);
    if (st != ST_OK)
        return st;
    fsn_lock_all(&k->dir, 1);
    st = act_locked(q, k);
    fsn_unlock_all(&k->dir, 1);
    if (st == ST_OK) {
        bool is_dir = k->m->a.type == ST_DIR;
        if (!is_dir)
            fs_parent_seen(q->fs, k->dir, k->node);
        fs_tell(q, k->dir, k->name, k->n, FS_ADDED, is_dir ? FS_CHANGE_DIR_NAME : FS_CHANGE_FILE_NAME);
    }
    fs_leave(q);
    return st;
}

/* One attempt; ST_EXIST of the store after the look-up found nothing: *ret_raced. */
static enum st attempt(struct fs_req *q, struct make *k, bool *ret_raced)
{
    *ret_raced = false;
    enum st st = fs_dir_resolve(k->dir, &k->dir_attr);
    if (st != ST_OK)
        return st;
    fs_wcc_known(k->dir_wcc, &k->dir_attr);
    if ((st = fs_permit(q, k->dir, &k->dir_attr, FS_TRAVERSE)) != ST_OK)
        return st;
    st = fs_name_resolve(k->dir, k->name, k->n, &k->node, &k->attr);
    if (st == ST_OK)
        return existing(q, k);
    if (st != ST_NOENT)
        return st;
    st = create(q, k);
    *ret_raced = st == ST_EXIST;
    return st;
}

enum st fs_make(struct fs_req *q, struct st_node *dir, const char *name, size_t n, const struct fs_make *m,
                struct st_node **ret, struct st_attr *ret_attr, struct fs_wcc *dir_wcc)
{
    struct make k = {.dir = dir, .name = name, .n = n, .m = m, .dir_wcc = dir_wcc};
    if (fs_names_move(q, dir))
        return ST_OFFLOAD;
    bool dots = n && n <= 2 && !memcmp(name, "..", n);
    enum st st = dots ? ST_EXIST : fs_name_check(name, n);
    if (m->a.type < ST_REG || m->a.type > ST_SOCK)
        st = ST_BADTYPE;
    if (st != ST_OK) {
        if (fs_dir_resolve(dir, &k.dir_attr) == ST_OK)
            fs_wcc_known(dir_wcc, &k.dir_attr);
        return st;
    }
    bool raced = true;
    for (int tries = 0; tries < FS_RETRIES && raced; tries++) {
        st_unref(k.node);
        k.node = NULL;
        st = attempt(q, &k, &raced);
    }
    if (st != ST_OK) {
        st_unref(k.node);
        return st;
    }
    *ret = k.node;
    if (ret_attr)
        *ret_attr = k.attr;
    return ST_OK;
}
