/* sd.c - asking for and setting the security descriptor of a file (MS-FSA 2.1.5.14, 2.1.5.17). What is set is stored
 * as it is, and also becomes owner, group and mode bits, so that local programs and NFS clients see the nearest
 * thing. */
#include "sd.h"
#include "winmeta.h"

/* Rights for parts ([MS-DTYP] 2.4.7). */
static uint32_t need_to_get(uint32_t info)
{
    return (info & (FS_SEC_OWNER | FS_SEC_GROUP | FS_SEC_DACL) ? FS_READ_CONTROL : 0) |
           (info & FS_SEC_SACL ? FS_ACCESS_SYSTEM_SECURITY : 0);
}

static uint32_t need_to_set(uint32_t info)
{
    return (info & (FS_SEC_OWNER | FS_SEC_GROUP) ? FS_WRITE_OWNER : 0) | (info & FS_SEC_DACL ? FS_WRITE_DAC : 0) |
           (info & FS_SEC_SACL ? FS_ACCESS_SYSTEM_SECURITY : 0);
}

static enum st permit(struct fs_req *q, struct st_node *n, const struct fs_open *o, const struct st_attr *a,
                      uint32_t need)
{
    if (need & FS_ACCESS_SYSTEM_SECURITY && !fs_cred_of(q)->superuser)
        return ST_ACCESS;
    if (o)
        return need & ~o->access ? ST_ACCESS : ST_OK;
    return fs_permit(q, n, a, need & ~(uint32_t)FS_ACCESS_SYSTEM_SECURITY);
}

/* The descriptor that is in force: the stored one, or what the mode bits amount to. Lies in the arena. */
static enum st current(struct fs_req *q, struct st_node *n, const struct st_attr *a, struct sd *ret)
{
    uint8_t *p;
    size_t len;
    struct sd made;
    enum st st = sd_stored(q->arena, n, a, &p, &len);
    if (st == ST_OK && !p)
        return sd_from_mode(q->arena, a, ret);
    if (st == ST_OK)
        st = sd_parse(p, len, ret);
    if (st != ST_OK || (ret->owner.p && ret->group.p))
        return st;
    st = sd_from_mode(q->arena, a, &made);
    if (st == ST_OK && !ret->owner.p)
        ret->owner = made.owner;
    if (st == ST_OK && !ret->group.p)
        ret->group = made.group;
    return st;
}

#define DACL_CONTROL (SD_DACL_PRESENT | SD_DACL_DEFAULTED | SD_DACL_AUTO_INHERITED | SD_DACL_PROTECTED)
#define SACL_CONTROL (SD_SACL_PRESENT | SD_SACL_DEFAULTED | SD_SACL_AUTO_INHERITED | SD_SACL_PROTECTED)

enum st fs_sd_get(struct fs_req *q, struct st_node *n, struct fs_open *o, uint32_t info, uint8_t **ret, size_t *ret_n)
{
    struct st_attr a;
    struct sd sd;
    enum st st = fs_getattr(q, n, &a);
    if (st == ST_OK)
        st = permit(q, n, o, &a, need_to_get(info));
    if (st == ST_OK)
        st = current(q, n, &a, &sd);
    if (st != ST_OK)
        return st;
    if (!(info & FS_SEC_OWNER))
        sd.owner.p = NULL, sd.owner.n = 0;
    if (!(info & FS_SEC_GROUP))
        sd.group.p = NULL, sd.group.n = 0;
    if (!(info & FS_SEC_DACL)) {
        sd.dacl = (struct sd_part){NULL, 0};
        sd.control &= (uint16_t)~DACL_CONTROL;
    }
    if (!(info & FS_SEC_SACL)) {
        sd.sacl = (struct sd_part){NULL, 0};
        sd.control &= (uint16_t)~SACL_CONTROL;
    }
    return sd_emit(q->arena, &sd, ret, ret_n);
}

/* --- Setting. */
struct change {
    uint32_t set; /* ST_SET_UID, ST_SET_GID, ST_SET_MODE */
    struct st_attr a;
    uint8_t *sd;
    size_t nsd;
};

/* A DACL's "inherited automatically" is believed only when it was asked for ([MS-FSA] 2.1.5.17; both bits set). */
static uint16_t merged_control(uint16_t old, uint16_t given, uint32_t info)
{
    uint16_t control = old;
    if (info & FS_SEC_DACL) {
        control = (uint16_t)((control & ~DACL_CONTROL) | (given & DACL_CONTROL) | SD_DACL_PRESENT);
        if (!(given & SD_DACL_AUTO_INHERIT_REQ))
            control &= (uint16_t)~SD_DACL_AUTO_INHERITED;
    }
    if (info & FS_SEC_SACL) {
        control = (uint16_t)((control & ~SACL_CONTROL) | (given & SACL_CONTROL));
        if (!(given & SD_SACL_AUTO_INHERIT_REQ))
            control &= (uint16_t)~SD_SACL_AUTO_INHERITED;
    }
    return control | SD_SELF_RELATIVE;
}

static struct sd merge(const struct sd *old, const struct sd *given, uint32_t info)
{
    struct sd sd = *old;
    if (info & FS_SEC_OWNER)
        sd.owner = given->owner;
    if (info & FS_SEC_GROUP)
        sd.group = given->group;
    if (info & FS_SEC_DACL)
        sd.dacl = given->control & SD_DACL_PRESENT ? given->dacl : (struct sd_part){NULL, 0};
    if (info & FS_SEC_SACL)
        sd.sacl = given->sacl;
    sd.control = merged_control(old->control, given->control, info);
    return sd;
}

/* WRITE_OWNER lets one take a file, not give it away; and a group is given by its members ([MS-FSA] 2.1.5.17). */
static enum st settle_ids(const struct fs_req *q, const struct sd *given, uint32_t info, const struct st_attr *a,
                          struct change *c)
{
    const struct fs_cred *cred = fs_cred_of(q);
    uint32_t id;
    if (info & FS_SEC_OWNER) {
        if (!sid_to_user(&given->owner, &id))
            return ST_INVAL;
        if (id != a->uid && !cred->superuser && id != cred->uid)
            return ST_PERM;
        if (id != a->uid)
            c->set |= ST_SET_UID;
        c->a.uid = id;
    }
    if (info & FS_SEC_GROUP) {
        if (!given->group.p)
            return ST_INVAL;
        /* A group that is none of this machine's stands in the descriptor only. */
        if (sid_to_group(&given->group, &id) && id != a->gid) {
            if (!cred->superuser && !fs_in_group(cred, id))
                return ST_PERM;
            c->set |= ST_SET_GID;
            c->a.gid = id;
        }
    }
    return ST_OK;
}

static enum st prepare(struct fs_req *q, struct st_node *n, struct fs_open *o, uint32_t info, const struct sd *given,
                       struct change *c)
{
    struct sd old, sd;
    enum st st = n->store->ops->getattr(n, &c->a);
    struct st_attr a = c->a;
    if (st == ST_OK && fs_read_only(q))
        st = ST_ROFS;
    if (st == ST_OK)
        st = permit(q, n, o, &a, need_to_set(info));
    c->set = 0;
    if (st == ST_OK)
        st = settle_ids(q, given, info, &a, c);
    if (st == ST_OK)
        st = current(q, n, &a, &old);
    if (st != ST_OK)
        return st;
    sd = merge(&old, given, info);
    if (info & FS_SEC_DACL) {
        c->a.mode = sd_mode(&sd, a.mode);
        if (c->a.mode != a.mode)
            c->set |= ST_SET_MODE;
    }
    return sd_emit(q->arena, &sd, &c->sd, &c->nsd);
}

static enum st act(struct st_node *n, struct fs_open *o, const struct change *c)
{
    struct fs_times times;
    fsn_lock_all(&n, 1);
    fs_times_begin(&times, o);
    enum st st = c->set ? n->store->ops->setattr(n, c->set, &c->a) : ST_OK;
    if (st == ST_OK)
        st = sd_save(n, c->sd, c->nsd);
    fs_times_end(&times);
    fsn_unlock_all(&n, 1);
    return st;
}

enum st fs_sd_set(struct fs_req *q, struct st_node *n, struct fs_open *o, uint32_t info, const uint8_t *sd, size_t len)
{
    struct sd given;
    struct change c;
    enum st st = sd_parse(sd, len, &given);
    if (st != ST_OK)
        return st;
    if (n->type != ST_REG && n->type != ST_DIR)
        return ST_NOTSUP;
    FS_THROUGH(q, o);
    st = prepare(q, n, o, info, &given, &c);
    if (st != ST_OK || !info)
        return st;
    struct co_ask asks[2] = {fs_ask(n, CO_SETATTR)};
    size_t nasks = 1 + fs_parent_ask(q, n, o, &asks[1]);
    st = fs_gate(q, asks, nasks);
    if (st != ST_OK)
        return st;
    st = act(n, o, &c);
    if (st == ST_OK)
        fs_tell_node(q, n, o, FS_CHANGE_SECURITY);
    fs_leave(q);
    return st;
}

enum st fs_sd_for_new(struct fs_req *q, struct st_node *dir, const struct st_attr *dir_attr, bool is_dir,
                      const uint8_t *given, size_t ngiven, struct st_attr *a, struct fs_new_sd *ret)
{
    struct sd sd, parent;
    bool any = false;
    uint8_t *p;
    size_t len;
    ret->p = NULL;
    ret->n = 0;
    enum st st = given ? sd_parse(given, ngiven, &sd) : sd_stored(q->arena, dir, dir_attr, &p, &len);
    if (st != ST_OK)
        return st;
    if (given) {
        struct sd plain;
        any = true;
        st = sd_from_mode(q->arena, a, &plain);
        /* Owner and group of a new object are its maker's; the rest is as given. */
        if (!(sd.control & SD_DACL_PRESENT))
            sd.dacl = plain.dacl;
        sd.control = merged_control(SD_SELF_RELATIVE, sd.control, FS_SEC_DACL | FS_SEC_SACL);
        if (!fs_cred_of(q)->superuser) { /* what is audited is not everybody's to say */
            sd.sacl = (struct sd_part){NULL, 0};
            sd.control &= (uint16_t)~SACL_CONTROL;
        }
        sd.owner = plain.owner;
        if (!sd.group.p)
            sd.group = plain.group;
    } else if (p && (st = sd_parse(p, len, &parent)) == ST_OK) {
        st = sd_inherit(q->arena, &parent, is_dir, a->uid, a->gid, &sd, &any);
    }
    if (st != ST_OK || !any)
        return st;
    a->mode = sd_mode(&sd, a->mode);
    return sd_emit(q->arena, &sd, &ret->p, &ret->n);
}
