/* verbs_smb.c - the verbs of a script (script.h) that an SMB client does. Knows how the words become a request; what
 * comes of it is looked at in verbs_see.c. */
#include "script_int.h"
#include <stdio.h>

static struct smb *client(const struct script *s) { return stage_smb(s->g, side(s)); }
static struct smb_file *file(const struct script *s) { return &s->g->file[side(s)]; }

/* --- Opens. */

static uint32_t disposition_of(const char *name)
{
    static const char *const names[] = {"supersede", "open", "create", "open-if", "overwrite", "overwrite-if"};
    for (uint32_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(names[i], name))
            return i;
    torture_fail("script: no such disposition: %s", name);
}

static struct call *send_create(struct script *s, const struct smb_how *how)
{
    s->here.keep = &s->got[side(s)];
    s->here.file = file(s);
    s->oplock[side(s)] = how->oplock != OPLOCK_LEASE && how->oplock != OPLOCK_NONE;
    return smb_create(client(s), how);
}

static struct call *do_create(struct script *s)
{
    static const uint32_t access[] = {ACCESS_READ, ACCESS_WRITE, ACCESS_DELETE, ACCESS_ATTRIBUTES, ACCESS_CONTROL};
    static const uint32_t share[] = {SHARE_READ, SHARE_WRITE, SHARE_DELETE};
    struct smb_how how = stage_how(s->g, side(s), word(s, 6));
    char *path = s->path[side(s)];
    snprintf(path, sizeof s->path[0], "%s\\%s", s->g->dir, word(s, 2));
    how.name = path;
    how.access = bits_of(word(s, 3), "RWDAC", access);
    how.share = bits_of(word(s, 4), "RWD", share);
    how.disposition = disposition_of(word(s, 5));
    how.options |= has_word(s, 7, "delete") ? OPTION_DELETE_ON_CLOSE : 0;
    how.options |= has_word(s, 7, "directory") ? OPTION_DIRECTORY : 0;
    static const char *const kinds[] = {NULL, "durable-1", "durable-2", "persistent"};
    for (uint8_t i = 1; i < ARRAY_LEN(kinds); i++)
        if (has_word(s, 7, kinds[i]))
            how.durable = i;
    how.durable_ms = has_word(s, 7, "brief") ? 3000 : 0;
    how.create_guid = s->g->key[side(s)];
    s->how[side(s)] = how;
    return send_create(s, &how);
}

/* Comes back to a durable open, over a new connection if the old one is gone. */
static struct call *do_return(struct script *s)
{
    struct smb_how how = s->how[side(s)];
    struct smb_file before = *file(s);
    how.disposition = FILE_OPEN;
    how.reconnect = &before;
    return send_create(s, &how);
}

static struct call *do_watch(struct script *s)
{
    char path[64];
    struct smb_how how = stage_how(s->g, side(s), "none");
    snprintf(path, sizeof path, "%s%s%s", s->g->dir, s->n > 2 ? "\\" : "", s->n > 2 ? s->word[2] : "");
    how.name = path;
    how.access = ACCESS_READ;
    how.options = OPTION_DIRECTORY;
    s->here.file = &s->dir[side(s)];
    return smb_create(client(s), &how);
}
static struct call *do_notify(struct script *s)
{
    s->here.keep = &s->got[side(s)];
    return smb_notify(client(s), &s->dir[side(s)]);
}
static struct call *do_unwatch(struct script *s) { return smb_close_file(client(s), &s->dir[side(s)]); }

/* --- Through an open. */

static struct call *do_read(struct script *s)
{
    return smb_read(client(s), file(s), number(s, 2), (uint32_t)number(s, 3));
}
static struct call *do_write(struct script *s)
{
    static const uint8_t data[FILE_BYTES];
    return smb_write(client(s), file(s), number(s, 2), data, (uint32_t)MIN(number(s, 3), sizeof data));
}
static struct call *do_lock(struct script *s)
{
    static const struct {
        const char *verb;
        uint32_t flags;
    } kinds[] = {{"lock-sh", LOCK_SHARED},
                 {"lock-ex", LOCK_EXCLUSIVE},
                 {"try-sh", LOCK_SHARED | LOCK_FAIL_IMMEDIATELY},
                 {"try-ex", LOCK_EXCLUSIVE | LOCK_FAIL_IMMEDIATELY},
                 {"unlock", LOCK_UNLOCK}};
    uint32_t flags = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (!strcmp(kinds[i].verb, s->word[0]))
            flags = kinds[i].flags;
    return smb_lock(client(s), file(s), number(s, 2), number(s, 3), flags);
}
static struct call *do_size(struct script *s) { return smb_set_size(client(s), file(s), number(s, 2)); }
static struct call *do_flush(struct script *s) { return smb_flush(client(s), file(s)); }
static struct call *do_touch(struct script *s) { return smb_touch(client(s), file(s), 132000000000000000ull); }
static struct call *do_delete(struct script *s) { return smb_set_delete(client(s), file(s), s->word[0][0] == 'd'); }
static struct call *do_close(struct script *s) { return smb_close_file(client(s), file(s)); }
static struct call *do_logoff(struct script *s) { return smb_logoff(client(s)); }
static struct call *do_leave(struct script *s) { return smb_tree_disconnect(client(s)); }
static struct call *do_rename(struct script *s)
{
    char path[64];
    snprintf(path, sizeof path, "%s\\%s", s->g->dir, word(s, 2));
    return s->word[0][0] == 'l' ? smb_link(client(s), file(s), path) : smb_rename(client(s), file(s), path, true);
}
static struct call *do_reserve(struct script *s) { return smb_set_allocation(client(s), file(s), number(s, 2)); }
static struct call *do_secure(struct script *s) { return smb_open_to_all(client(s), file(s)); }

/* What is acknowledged follows what is held: an oplock's level, or a lease's state. */
static struct call *do_ack(struct script *s)
{
    static const struct {
        const char *name;
        uint8_t level, lease;
    } states[] = {{"NONE", OPLOCK_NONE, 0},    {"II", OPLOCK_II, 0},        {"EX", OPLOCK_EX, 0},
                  {"BATCH", OPLOCK_BATCH, 0},  {"LEASE", OPLOCK_LEASE, 0},  {"R", 0, LEASE_R},
                  {"RH", 0, LEASE_RH},         {"RW", 0, LEASE_RW},         {"RWH", 0, LEASE_RWH}};
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (!strcmp(states[i].name, word(s, 2)))
            return s->oplock[side(s)] ? smb_ack_oplock(client(s), file(s), states[i].level)
                                      : smb_ack_lease(client(s), s->g->key[side(s)], states[i].lease);
    torture_fail("script: no such state: %s", word(s, 2));
}
static struct call *do_ack_strange(struct script *s)
{
    static const uint8_t nobody[16] = "nobody's key";
    return smb_ack_lease(client(s), nobody, LEASE_R);
}


const struct verb verbs_smb[] = {
    {"create", do_create}, {"return", do_return}, {"watch", do_watch}, {"notify", do_notify}, {"unwatch", do_unwatch},
    {"read", do_read}, {"write", do_write}, {"size", do_size}, {"reserve", do_reserve}, {"secure", do_secure},
    {"lock-sh", do_lock}, {"lock-ex", do_lock}, {"try-sh", do_lock}, {"try-ex", do_lock}, {"unlock", do_lock},
    {"flush", do_flush}, {"touch", do_touch}, {"delete", do_delete}, {"undelete", do_delete}, {"close", do_close},
    {"logoff", do_logoff}, {"leave", do_leave}, {"rename", do_rename}, {"link", do_rename}, {"ack", do_ack},
    {"ack-strange", do_ack_strange}, {0},
};
