/* sd_acl.c - what a DACL grants, and its relation to mode bits. Knows [MS-DTYP] 2.5.3.2 and who somebody is; touches no
 * file. */
#include "sd.h"

/* What a subject is called in ACLs. */
struct subject {
    struct sid user;      /* n = 0: no particular one */
    const uint32_t *gids; /* of groups */
    size_t ngids;
    bool owner, authenticated, superuser;
};

static bool in_gids(const struct subject *s, uint32_t gid)
{
    for (size_t i = 0; i < s->ngids; i++)
        if (s->gids[i] == gid)
            return true;
    return false;
}

static bool subject_is(const struct subject *s, const struct sd_part *sid)
{
    uint32_t gid;
    if (!sid->p)
        return false;
    if (sid_is(sid, &sid_everyone) || (s->user.n && sid_is(sid, &s->user)))
        return true;
    if (s->authenticated && (sid_is(sid, &sid_authenticated) || sid_is(sid, &sid_network)))
        return true;
    if (s->owner && sid_is(sid, &sid_owner_rights))
        return true;
    if (s->superuser && (sid_is(sid, &sid_administrators) || sid_is(sid, &sid_system)))
        return true;
    return sid_to_group(sid, &gid) && !sid_is(sid, &sid_administrators) && !sid_is(sid, &sid_system) && in_gids(s, gid);
}

/* Entries in order: what the first one that names a right says, counts. */
static uint32_t evaluate(const struct sd *sd, const struct subject *s, bool *ret_owner_rights)
{
    uint32_t allowed = 0, denied = 0;
    struct ace ace;
    size_t at = 0;
    *ret_owner_rights = false;
    if (!(sd->control & SD_DACL_PRESENT) || !sd->dacl.p)
        return FS_ALL_ACCESS;
    while (sd_next_ace(&sd->dacl, &at, &ace)) {
        if (ace.flags & ACE_INHERIT_ONLY || !ace.sid.p)
            continue;
        *ret_owner_rights |= sid_is(&ace.sid, &sid_owner_rights);
        if (!subject_is(s, &ace.sid))
            continue;
        uint32_t mask = fs_map_generic(ace.mask);
        if (ace.type == ACE_ALLOWED || ace.type == ACE_ALLOWED_OBJECT)
            allowed |= mask & ~denied;
        else if (ace.type == ACE_DENIED || ace.type == ACE_DENIED_OBJECT)
            denied |= mask & ~allowed;
    }
    return allowed;
}

static bool owns(const struct sd *sd, const struct sid *user, uint32_t uid, const struct st_attr *a)
{
    return sd->owner.p ? sid_is(&sd->owner, user) : uid == a->uid;
}

uint32_t sd_rights(const struct sd *sd, const struct fs_cred *c, const struct st_attr *a)
{
    uint32_t gids[FS_GROUPS_MAX + 1];
    gids[0] = c->gid;
    memcpy(gids + 1, c->groups, c->ngroups * sizeof gids[0]);
    struct subject s = {.user = sid_of_user(c->uid), .gids = gids, .ngids = c->ngroups + 1u,
                        .authenticated = !c->guest, .superuser = c->superuser};
    s.owner = owns(sd, &s.user, c->uid, a);
    bool owner_rights;
    uint32_t rights = evaluate(sd, &s, &owner_rights);
    /* The owner may always look at and mend the descriptor, unless an entry for OWNER RIGHTS says what the owner
     * may. */
    if (s.owner && !owner_rights)
        rights |= FS_READ_CONTROL | FS_WRITE_DAC;
    return rights;
}

/* --- Mode bits. */

static uint32_t rwx_of(uint32_t rights)
{
    uint32_t write = FS_WRITE_DATA | FS_APPEND_DATA;
    return (rights & FS_READ_DATA ? 4 : 0) | ((rights & write) == write ? 2 : 0) | (rights & FS_EXECUTE ? 1 : 0);
}

uint32_t sd_mode(const struct sd *sd, uint32_t mode)
{
    uint32_t gid, bits = mode & 07000;
    bool ignored;
    struct subject owner = {.owner = true, .authenticated = true}, group = {.authenticated = true}, other = group;
    if (sd->owner.p && sd->owner.n <= FS_SID_MAX) {
        memcpy(owner.user.b, sd->owner.p, sd->owner.n);
        owner.user.n = sd->owner.n;
    }
    if (sid_to_group(&sd->group, &gid)) {
        /* The owner is counted a member of the group, which is what it is nearly always. */
        owner.gids = group.gids = &gid;
        owner.ngids = group.ngids = 1;
    }
    bits |= rwx_of(evaluate(sd, &owner, &ignored)) << 6;
    bits |= rwx_of(evaluate(sd, &group, &ignored)) << 3;
    return bits | rwx_of(evaluate(sd, &other, &ignored));
}

#define MODE_READ (FS_READ_DATA | FS_READ_EA)
#define MODE_WRITE (FS_WRITE_DATA | FS_APPEND_DATA | FS_WRITE_EA | FS_WRITE_ATTRIBUTES)
#define MODE_ANY (FS_READ_ATTRIBUTES | FS_READ_CONTROL | FS_SYNCHRONIZE)
#define MODE_OWNER (FS_WRITE_DAC | FS_WRITE_OWNER | FS_WRITE_ATTRIBUTES | FS_WRITE_EA | FS_DELETE)

static uint32_t rights_of(uint32_t rwx, bool is_dir)
{
    return (rwx & 4 ? MODE_READ : 0) | (rwx & 2 ? MODE_WRITE | (is_dir ? FS_DELETE_CHILD : 0) : 0) |
           (rwx & 1 ? FS_EXECUTE : 0);
}

static uint8_t *put_ace(uint8_t *p, uint8_t type, uint8_t flags, uint32_t mask, const uint8_t *sid, size_t n)
{
    p[0] = type;
    p[1] = flags;
    put_le16(p + 2, (uint16_t)(8 + n));
    put_le32(p + 4, mask);
    memcpy(p + 8, sid, n);
    return p + 8 + n;
}

static void start_acl(uint8_t *p)
{
    memset(p, 0, 8);
    p[0] = 2; /* ACL_REVISION; sd_emit() fills in size and count */
}

/* One class of mode bits. POSIX gives a caller its own class only, so what a wider class has and this one lacks is
 * denied first; ordinary modes need no such entry. */
static uint8_t *put_class(uint8_t *p, const struct sid *sid, uint32_t rwx, uint32_t wider, uint32_t more, bool is_dir)
{
    if (wider & ~rwx)
        p = put_ace(p, ACE_DENIED, 0, rights_of(wider & ~rwx, is_dir) & ~more, sid->b, sid->n);
    uint32_t mask = MODE_ANY | rights_of(rwx, is_dir) | more;
    if (rwx == 7 && more)
        mask = FS_ALL_ACCESS;
    return put_ace(p, ACE_ALLOWED, 0, mask, sid->b, sid->n);
}

enum st sd_from_mode(struct arena *arena, const struct st_attr *a, struct sd *ret)
{
    struct {
        struct sid owner, group;
        uint8_t acl[8 + 5 * (8 + FS_SID_MAX)];
    } *m = arena_alloc(arena, sizeof *m);
    if (!m)
        return ST_NOMEM;
    uint32_t u = a->mode >> 6 & 7, g = a->mode >> 3 & 7, o = a->mode & 7;
    bool is_dir = a->type == ST_DIR;
    m->owner = sid_of_user(a->uid);
    m->group = sid_of_group(a->gid);
    start_acl(m->acl);
    uint8_t *p = m->acl + 8;
    p = put_class(p, &m->owner, u, g | o, MODE_OWNER, is_dir);
    p = put_class(p, &m->group, g, o, 0, is_dir);
    p = put_class(p, &sid_everyone, o, 0, 0, is_dir);
    *ret = (struct sd){.control = SD_DACL_PRESENT | SD_SELF_RELATIVE, .owner = sid_part(&m->owner),
                       .group = sid_part(&m->group), .dacl = {m->acl, (size_t)(p - m->acl)}};
    return ST_OK;
}

/* --- Inheritance ([MS-DTYP] 2.5.3.4). */

struct inherit {
    uint8_t *p, *end;
    bool is_dir, any;
    uint8_t inherited; /* ACE_INHERITED where the parent takes part in automatic inheritance */
    struct sid owner, group;
};

static bool room(const struct inherit *h, size_t n)
{
    return (size_t)(h->end - h->p) >= n;
}

static void add_raw(struct inherit *h, const struct ace *ace, uint8_t flags)
{
    if (!room(h, ace->raw.n))
        return;
    memcpy(h->p, ace->raw.p, ace->raw.n);
    h->p[1] = flags;
    h->p += ace->raw.n;
    h->any = true;
}

/* The entry as it acts on the new object itself. */
static void add_effective(struct inherit *h, const struct ace *ace, uint8_t flags)
{
    const struct sid *who = sid_is(&ace->sid, &sid_creator_owner)   ? &h->owner
                            : sid_is(&ace->sid, &sid_creator_group) ? &h->group
                                                                    : NULL;
    if (!who && (!ace->sid.p || ace->type > ACE_AUDIT)) {
        add_raw(h, ace, flags);
        return;
    }
    size_t n = who ? who->n : ace->sid.n;
    if (!room(h, 8 + n))
        return;
    h->p = put_ace(h->p, ace->type, flags, fs_map_generic(ace->mask), who ? who->b : ace->sid.p, n);
    h->any = true;
}

static void inherit_ace(struct inherit *h, const struct ace *ace)
{
    uint8_t down = ace->flags & (ACE_OBJECT_INHERIT | ACE_CONTAINER_INHERIT);
    uint8_t flags = (ace->flags & (uint8_t)~(0xf | ACE_INHERITED)) | h->inherited; /* audit bits stay */
    bool creator = sid_is(&ace->sid, &sid_creator_owner) || sid_is(&ace->sid, &sid_creator_group);
    bool passes = !(ace->flags & ACE_NO_PROPAGATE);
    if (!h->is_dir) {
        if (down & ACE_OBJECT_INHERIT)
            add_effective(h, ace, flags);
        return;
    }
    if (down & ACE_CONTAINER_INHERIT) {
        uint32_t mapped = fs_map_generic(ace->mask);
        /* What means something else below is kept beside what acts here: as it was, for inheriting only. */
        bool two = passes && (creator || mapped != ace->mask);
        add_effective(h, ace, two || !passes ? flags : (uint8_t)(flags | down));
        if (two)
            add_raw(h, ace, flags | down | ACE_INHERIT_ONLY);
    } else if (down && passes) {
        add_raw(h, ace, flags | down | ACE_INHERIT_ONLY);
    }
}

enum st sd_inherit(struct arena *arena, const struct sd *parent, bool is_dir, uint32_t uid, uint32_t gid,
                   struct sd *ret, bool *ret_any)
{
    *ret_any = false;
    if (!(parent->control & SD_DACL_PRESENT) || !parent->dacl.p)
        return ST_OK;
    size_t cap = 2 * parent->dacl.n + 1024; /* an entry becomes two at most, an exchanged SID is short */
    struct inherit *h = arena_alloc(arena, sizeof *h);
    uint8_t *acl = arena_alloc(arena, cap);
    if (!h || !acl)
        return ST_NOMEM;
    bool automatic = parent->control & SD_DACL_AUTO_INHERITED;
    *h = (struct inherit){.p = acl + 8, .end = acl + MIN(cap, (size_t)SD_MAX), .is_dir = is_dir,
                          .inherited = automatic ? ACE_INHERITED : 0, .owner = sid_of_user(uid),
                          .group = sid_of_group(gid)};
    start_acl(acl);
    struct ace ace;
    size_t at = 0;
    while (sd_next_ace(&parent->dacl, &at, &ace))
        inherit_ace(h, &ace);
    if (!h->any)
        return ST_OK;
    *ret = (struct sd){.control = SD_DACL_PRESENT | SD_SELF_RELATIVE | (automatic ? SD_DACL_AUTO_INHERITED : 0),
                       .owner = sid_part(&h->owner), .group = sid_part(&h->group),
                       .dacl = {acl, (size_t)(h->p - acl)}};
    *ret_any = true;
    return ST_OK;
}
