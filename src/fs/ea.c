/* ea.c - extended attributes of Windows ([MS-FSCC] 2.4.15): the host's user attributes under the same names, so Linux
 * programs see what Windows wrote and the other way round. Names without case, kept as first written. */
#include "winmeta.h"

#define EA_NAME_MAX 255
#define EA_VALUE_MAX 65535

/* Samba's own bookkeeping in user attributes is nobody's EA. */
bool fs_ea_visible(const char *xattr)
{
    static const char *const hidden[] = {"DOSATTRIB", "DosStream.", "SAMBA_PAI"};
    size_t skip = strlen(FS_EA_PREFIX);
    if (strncmp(xattr, FS_EA_PREFIX, skip) != 0 || !xattr[skip])
        return false;
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
        if (strncmp(xattr + skip, hidden[i], strlen(hidden[i])) == 0)
            return false;
    return true;
}

struct list_eas {
    struct arena *arena;
    struct st_node *n;
    struct fs_ea *ea;
    size_t count, cap;
    enum st st;
};

static enum st read_value(struct list_eas *l, const char *xattr, struct fs_ea *e)
{
    size_t n = 0;
    enum st st = l->n->store->ops->xattr_get(l->n, xattr, NULL, 0, &n);
    if (st != ST_OK && st != ST_BUFSIZE)
        return st;
    uint8_t *value = arena_alloc(l->arena, n + 1);
    if (!value)
        return ST_NOMEM;
    st = l->n->store->ops->xattr_get(l->n, xattr, value, n, &n);
    e->value = value;
    e->nvalue = n;
    return st;
}

static bool list_one(void *arg, const char *xattr)
{
    struct list_eas *l = arg;
    const char *name = xattr + strlen(FS_EA_PREFIX);
    if (!fs_ea_visible(xattr) || strlen(name) > EA_NAME_MAX)
        return true;
    if (l->count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 8;
        struct fs_ea *more = arena_alloc(l->arena, cap * sizeof *more);
        if (!more) {
            l->st = ST_NOMEM;
            return false;
        }
        if (l->count)
            memcpy(more, l->ea, l->count * sizeof *more);
        l->ea = more;
        l->cap = cap;
    }
    struct fs_ea *e = &l->ea[l->count];
    *e = (struct fs_ea){.name = arena_strndup(l->arena, name, strlen(name)), .nname = strlen(name)};
    enum st st = e->name ? read_value(l, xattr, e) : ST_NOMEM;
    if (st == ST_NOMEM)
        l->st = st;
    else if (st == ST_OK && e->nvalue && e->nvalue <= EA_VALUE_MAX) /* an empty value is none to Windows */
        l->count++;
    return l->st == ST_OK;
}

static enum st list(struct arena *arena, struct st_node *n, const struct fs_ea **ret, size_t *ret_n)
{
    struct list_eas l = {.arena = arena, .n = n, .st = ST_OK};
    enum st st = n->type == ST_REG || n->type == ST_DIR ? n->store->ops->xattr_list(n, list_one, &l) : ST_OK;
    if (l.st != ST_OK)
        return l.st;
    if (st != ST_OK && st != ST_NOTSUP)
        return st;
    *ret = l.ea;
    *ret_n = l.count;
    return ST_OK;
}

enum st fs_ea_list(struct fs_req *q, struct fs_open *o, const struct fs_ea **ret, size_t *ret_n)
{
    enum st st = fs_permit_open(o, FS_READ_EA);
    return st == ST_OK ? list(q->arena, o->node, ret, ret_n) : st;
}

/* --- Setting. */

/* [MS-FSCC] 2.4.15: what an EaName may not contain. */
static bool name_ok(const struct fs_ea *e)
{
    if (!e->nname || e->nname > EA_NAME_MAX - strlen(FS_EA_PREFIX))
        return false;
    for (size_t i = 0; i < e->nname; i++)
        if ((uint8_t)e->name[i] < 0x20 || strchr("\"*+,/:;<=>?[\\]|", e->name[i]))
            return false;
    return true;
}

struct find {
    const struct fs_ea *want;
    char *out;
    bool found;
};

static bool match_name(void *arg, const char *xattr)
{
    struct find *f = arg;
    const char *name = xattr + strlen(FS_EA_PREFIX);
    if (!fs_ea_visible(xattr) || strlen(xattr) > ST_NAME_MAX ||
        !name_fold_equal(name, strlen(name), f->want->name, f->want->nname))
        return true;
    memcpy(f->out, xattr, strlen(xattr) + 1);
    f->found = true;
    return false;
}

static enum st set_one(struct st_node *n, const struct fs_ea *e)
{
    char xattr[ST_NAME_MAX + 1];
    struct find f = {.want = e, .out = xattr};
    enum st st = n->store->ops->xattr_list(n, match_name, &f);
    if (st != ST_OK)
        return st;
    if (!f.found) {
        size_t skip = strlen(FS_EA_PREFIX);
        memcpy(xattr, FS_EA_PREFIX, skip);
        memcpy(xattr + skip, e->name, e->nname);
        xattr[skip + e->nname] = '\0';
        if (!fs_ea_visible(xattr))
            return ST_PERM;
    }
    if (e->nvalue)
        return n->store->ops->xattr_set(n, xattr, e->value, e->nvalue);
    return f.found ? n->store->ops->xattr_del(n, xattr) : ST_OK;
}

enum st fs_eas_check(const struct fs_ea *ea, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!name_ok(&ea[i]))
            return ST_BADNAME;
        if (ea[i].nvalue > EA_VALUE_MAX)
            return ST_FBIG;
    }
    return ST_OK;
}

enum st fs_eas_write(struct st_node *n, const struct fs_ea *ea, size_t nea)
{
    enum st st = ST_OK;
    for (size_t i = 0; i < nea && st == ST_OK; i++)
        st = set_one(n, &ea[i]);
    if (nea)
        fs_meta_forget(n);
    return st;
}

enum st fs_ea_set(struct fs_req *q, struct fs_open *o, const struct fs_ea *ea, size_t n)
{
    FS_THROUGH(q, o);
    enum st st = fs_read_only(q) ? ST_ROFS : fs_permit_open(o, FS_WRITE_EA);
    if (st == ST_OK)
        st = fs_eas_check(ea, n);
    if (st != ST_OK || !n)
        return st;
    if (o->node->type != ST_REG && o->node->type != ST_DIR)
        return ST_NOTSUP;
    if (!fsn(o->node))
        return ST_NOMEM;
    struct co_ask asks[2] = {fs_ask(o->node, CO_SETATTR)};
    size_t nasks = 1 + fs_parent_ask(q, o->node, o, &asks[1]);
    st = fs_gate(q, asks, nasks);
    if (st != ST_OK)
        return st;
    struct fs_times times;
    fsn_lock_all(&o->node, 1);
    fs_times_begin(&times, o);
    st = fs_eas_write(o->node, ea, n);
    fs_times_end(&times);
    fsn_unlock_all(&o->node, 1);
    if (st == ST_OK)
        fs_tell_node(q, o->node, o, FS_CHANGE_EA);
    fs_leave(q);
    return st;
}
