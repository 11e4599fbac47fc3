/* play_smb.c - see play.h: what an SMB player does with files and names, and how it comes back when it has lost its
 * connection: its durable opens are there, or they are not, and what it caches counts only with those that are. */
#include "play.h"
#include <sys/random.h>

static const struct want {
    uint8_t oplock, lease;
} wants[] = {{OPLOCK_LEASE, LEASE_RWH}, {OPLOCK_LEASE, LEASE_RWH}, {OPLOCK_LEASE, LEASE_RH},
             {OPLOCK_LEASE, LEASE_R},   {OPLOCK_LEASE, LEASE_RW},  {OPLOCK_BATCH, LEASE_RWH},
             {OPLOCK_EX, LEASE_RW},     {OPLOCK_II, LEASE_R}};

static void draw(uint8_t out[16])
{
    if (getrandom(out, 16, 0) != 16)
        torture_fail("no randomness");
}

const char *name_in(const struct player *p, unsigned file, char path[64])
{
    const char *dir = file < BOTH ? "" : file < QUIET ? "\\both" : "\\names";
    snprintf(path, 64, "%s%s\\f%u", p->world->dir, dir, file);
    return path;
}

static uint8_t granted(const struct call_result *r)
{
    switch (r->oplock) {
    case OPLOCK_LEASE: return (uint8_t)r->lease;
    case OPLOCK_BATCH: return LEASE_RWH;
    case OPLOCK_EX: return LEASE_RW;
    case OPLOCK_II: return LEASE_R;
    default: return 0;
    }
}

static bool modern(const struct player *p) { return p->world->target->dialect >= 0x300; }
static void close_quietly(struct player *p, const struct smb_file *f)
{
    play_call(p, smb_close_file(&p->smb, f), NULL);
}

/* The object that an open leads to, as the name's value at the time of the open. */
static uint64_t identify(struct player *p, const struct smb_file *f, struct history_op name)
{
    uint64_t object, answered = p->answered;
    if (read_value(p, smb_read(&p->smb, f, 0, 8), &object) || !object)
        return 0;
    name.value = object;
    p->answered = answered;
    end(p, name, HAPPENED);
    return object;
}

static struct smb_how how_of(const struct player *p, struct slot *s, const char *path, uint8_t oplock, uint8_t lease)
{
    return (struct smb_how){.name = path, .access = ACCESS_RW, .share = SHARE_ALL, .disposition = FILE_OPEN,
                            .oplock = oplock, .lease = lease, .key = s->key, .v2 = modern(p), .durable = s->durable,
                            .create_guid = s->guid};
}

static bool smb_find(struct player *p, unsigned file)
{
    struct slot *s = &p->slot[file];
    struct call_result r = {0};
    char path[64];
    if (s->open)
        return true;
    memset(s, 0, sizeof *s);
    const struct want *want = &wants[dice(p, ARRAY_LEN(wants))];
    draw(s->key);
    draw(s->guid);
    s->oplock = want->oplock != OPLOCK_LEASE;
    s->durable = (uint8_t)dice(p, modern(p) ? 4 : 2);
    struct smb_how how = how_of(p, s, name_in(p, file, path), want->oplock, want->lease);
    struct history_op name = begin(p, name_of(file), HISTORY_READ, 0);
    s->busy = true;
    uint32_t status = play_call(p, smb_create(&p->smb, &how), &r);
    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        end(p, name, HAPPENED);
    if (!status) {
        s->file = r.file;
        if (s->oplock)
            memcpy(s->key, r.file.id, sizeof s->key);
        s->object = identify(p, &r.file, name);
        s->open = s->object != 0;
        s->lease = granted(&r);
        s->durable = !r.durable ? 0 : s->durable == 3 && !r.persistent ? 2 : s->durable;
        if (!s->open)
            close_quietly(p, &r.file);
    }
    s->busy = false;
    if (!s->open)
        memset(s->key, 0, sizeof s->key);
    return s->open;
}

void smb_release(struct player *p, struct slot *s)
{
    if (!s->open || !p->smb.conn)
        return;
    s->busy = true;
    write_back(p, s);
    uint32_t status = play_call(p, smb_close_file(&p->smb, &s->file), NULL);
    s->closed = status == CALL_LOST;
    s->busy = false;
    s->open = s->closed;
    wait_settled(p, s);
    if (!s->open)
        forget(p, s);
}

/* --- Data. */

static void smb_erase(struct player *p, struct slot *s)
{
    write_back(p, s);
    uint64_t object = s->object;
    struct history_op op = begin(p, 0, HISTORY_ERASE, 0);
    uint32_t status = play_call(p, smb_set_size(&p->smb, &s->file, HEADER_BYTES), NULL);
    if (!status)
        memset(s->known, 0, sizeof s->known);
    p->world->stats.erased += !status;
    for (unsigned i = 0; i < REGISTERS; i++) {
        op.reg = register_of(object, i);
        end(p, op, outcome_of(status));
    }
}

static void smb_use_wire(struct player *p, struct slot *s, unsigned r, enum history_kind kind)
{
    unsigned changes = s->changes;
    uint64_t value = kind == HISTORY_WRITE ? new_value(p) : 0;
    struct history_op op = begin(p, register_of(s->object, r), kind, value);
    uint8_t data[8];
    uint32_t status;
    put_le64(data, value);
    if (kind == HISTORY_READ) {
        status = read_value(p, smb_read(&p->smb, &s->file, offset_of(r), 8), &op.value);
        if (status == STATUS_END_OF_FILE)
            status = STATUS_OK;
    } else {
        status = play_call(p, smb_write(&p->smb, &s->file, offset_of(r), data, 8), NULL);
    }
    end(p, op, outcome_of(status));
    s->known[r] = !status && s->lease & LEASE_R && s->changes == changes && valid(p, s);
    s->value[r] = op.value;
}

static void use_cache(struct player *p, struct slot *s, unsigned r, enum history_kind kind, uint64_t asked)
{
    uint64_t value = kind == HISTORY_READ ? s->value[r] : new_value(p);
    end_cached(p, begin(p, register_of(s->object, r), kind, value), asked, s);
    if (kind == HISTORY_WRITE && !s->dirty[r]) {
        s->dirty[r] = true;
        s->unwritten[r] = value;
    }
    s->known[r] = true;
    s->value[r] = value;
    fiber_sleep(&p->world->fibers, dice(p, 2));
}

void smb_use(struct player *p, unsigned file, unsigned r, enum history_kind kind)
{
    struct slot *s = &p->slot[file];
    uint64_t asked;
    if (s->open && !s->lease && dice(p, 4) == 0)
        smb_release(p, s); /* it would like to cache again */
    if (!smb_find(p, file))
        return;
    while (!usable(p, s, &asked) && s->open && p->smb.conn)
        fiber_sleep(&p->world->fibers, 1);
    if (!s->open || !p->smb.conn)
        return;
    bool reads = s->lease & LEASE_R && s->known[r], writes = s->lease & LEASE_W;
    bool cached = kind == HISTORY_READ ? reads : kind == HISTORY_WRITE && writes;
    if (cached) {
        use_cache(p, s, r, kind, asked);
        return;
    }
    s->busy = true;
    if (kind == HISTORY_ERASE)
        smb_erase(p, s);
    else
        smb_use_wire(p, s, r, kind);
    s->busy = false;
}

/* --- Names. */

void smb_watch(struct player *p)
{
    struct slot *s = &p->names;
    struct call_result r = {0};
    char path[64];
    if (s->open && !(s->lease && dice(p, 4)))
        smb_release(p, s);
    if (s->open || !modern(p))
        return;
    memset(s, 0, sizeof *s);
    draw(s->key);
    snprintf(path, sizeof path, "%s\\names", p->world->dir);
    struct smb_how how = how_of(p, s, path, OPLOCK_LEASE, LEASE_RH);
    how.access = ACCESS_READ;
    how.options = OPTION_DIRECTORY;
    s->busy = true;
    s->open = !play_call(p, smb_create(&p->smb, &how), &r);
    s->file = r.file;
    s->lease = (uint8_t)r.lease;
    s->busy = false;
    if (!s->open)
        memset(s, 0, sizeof *s);
}

static bool look_in_cache(struct player *p, unsigned file)
{
    struct slot *s = &p->slot[file];
    uint64_t asked, object;
    if (usable(p, s, &asked) && s->lease & LEASE_H)
        object = s->object;
    else if (file >= QUIET && usable(p, s = &p->names, &asked) && s->lease & LEASE_R && s->known[file])
        object = s->value[file];
    else
        return false;
    end_cached(p, begin(p, name_of(file), HISTORY_READ, object), asked, s);
    fiber_sleep(&p->world->fibers, dice(p, 2));
    return true;
}

void smb_look(struct player *p, unsigned file)
{
    struct slot *names = &p->names;
    struct call_result r;
    char path[64];
    uint64_t asked, object = 0;
    if (look_in_cache(p, file))
        return;
    bool watched = file >= QUIET && usable(p, names, &asked) && names->lease & LEASE_R;
    unsigned changes = names->changes;
    struct smb_how how = {
        .name = name_in(p, file, path), .access = ACCESS_READ, .share = SHARE_ALL, .disposition = FILE_OPEN};
    struct history_op name = begin(p, name_of(file), HISTORY_READ, 0);
    uint32_t status = play_call(p, smb_create(&p->smb, &how), &r);
    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
        end(p, name, HAPPENED);
    else if (status || !(object = identify(p, &r.file, name)))
        watched = false;
    if (!status)
        close_quietly(p, &r.file);
    if (watched && valid(p, names) && names->changes == changes) {
        names->known[file] = true;
        names->value[file] = object;
    }
}

/* A new object takes the name. */
void smb_replace(struct player *p, unsigned file)
{
    struct world *w = p->world;
    struct call_result r;
    uint8_t header[8];
    uint64_t object = ++w->objects;
    char path[64], temporary[64];
    snprintf(temporary, sizeof temporary, "%s\\new\\new%llu", w->dir, (unsigned long long)object);
    struct smb_how how = {.name = temporary, .access = ACCESS_ALL, .share = SHARE_ALL, .disposition = FILE_CREATE};
    smb_release(p, &p->slot[file]);
    if (play_call(p, smb_create(&p->smb, &how), &r))
        return;
    put_le64(header, object);
    uint32_t status = play_call(p, smb_write(&p->smb, &r.file, 0, header, 8), NULL);
    if (!status) {
        struct history_op op = begin(p, name_of(file), HISTORY_WRITE, object);
        status = play_call(p, smb_rename(&p->smb, &r.file, name_in(p, file, path), true), NULL);
        end(p, op, outcome_of(status));
        w->stats.replaced += !status;
    }
    if (status)
        play_call(p, smb_set_delete(&p->smb, &r.file, true), NULL);
    close_quietly(p, &r.file);
}

/* The name goes when the last open of it is closed, whoever's. */
static bool wait_removed(struct player *p, const char *path)
{
    struct smb_how how = {.name = path, .access = ACCESS_ATTRIBUTES, .share = SHARE_ALL, .disposition = FILE_OPEN};
    struct call_result r;
    for (int tries = 0; tries < 50; tries++) {
        uint32_t status = play_call(p, smb_create(&p->smb, &how), &r);
        if (!status)
            close_quietly(p, &r.file);
        if (status != STATUS_DELETE_PENDING)
            return outcome_of(status) != PERHAPS;
        fiber_sleep(&p->world->fibers, 20);
    }
    return false;
}

void smb_remove_name(struct player *p, unsigned file)
{
    struct call_result r;
    char path[64];
    struct smb_how how = {.name = name_in(p, file, path), .access = ACCESS_DELETE, .share = SHARE_ALL,
                          .disposition = FILE_OPEN, .options = OPTION_DELETE_ON_CLOSE};
    smb_release(p, &p->slot[file]);
    struct history_op op = begin(p, name_of(file), HISTORY_ERASE, 0);
    uint32_t status = play_call(p, smb_create(&p->smb, &how), &r);
    bool done = false;
    if (!status) {
        status = play_call(p, smb_close_file(&p->smb, &r.file), NULL);
        done = !status && wait_removed(p, path);
        status = 0;
    }
    end(p, op, done ? HAPPENED : status && status != CALL_LOST ? NEVER : PERHAPS);
    p->world->stats.removed += done;
}

/* --- Coming, going and coming back. */

static void open_counters(struct player *p)
{
    struct call_result r = {0};
    char path[64];
    snprintf(path, sizeof path, "%s\\new\\counters", p->world->dir);
    struct smb_how how = {.name = path, .access = ACCESS_RW, .share = SHARE_ALL, .disposition = FILE_OPEN,
                          .durable = modern(p) && dice(p, 2) ? 3 : 0, .create_guid = p->counters_guid};
    draw(p->counters_guid);
    p->counters_kept = call_result(smb_create(&p->smb, &how), &r) == STATUS_OK && r.persistent;
    p->counters = r.file;
}

static void connect_anew(struct player *p)
{
    struct world *w = p->world;
    const char *bad;
    while ((bad = smb_open(&p->smb, &p->host)) != NULL) {
        if (!w->kills || wire_now() > w->end + PATIENCE * NSEC_PER_SEC)
            torture_fail("client %u cannot join: %s", p->number, bad);
        smb_close(&p->smb);
        fiber_sleep(&w->fibers, 50);
    }
    p->kills_seen = w->kills;
}

void smb_join(struct player *p)
{
    host_init(&p->host, p->world->wire, p->world->target);
    connect_anew(p);
    open_counters(p);
}

void smb_crash(struct player *p)
{
    for (unsigned i = 0; i < FILES; i++)
        wait_settled(p, &p->slot[i]);
    wait_settled(p, &p->names);
    for (unsigned i = 0; i < FILES; i++)
        forget(p, &p->slot[i]);
    forget(p, &p->names);
    smb_close(&p->smb);
    drop_holds(p);
    smb_join(p);
    p->world->stats.crashes++;
}

/* Is the open's file still where it was? One that is gone cannot be opened again after a restart. */
static bool still_there(struct player *p, unsigned file, uint64_t object)
{
    struct call_result r;
    char path[64];
    uint64_t found = 0;
    struct smb_how how = {
        .name = name_in(p, file, path), .access = ACCESS_READ, .share = SHARE_ALL, .disposition = FILE_OPEN};
    if (play_call(p, smb_create(&p->smb, &how), &r))
        return false;
    read_value(p, smb_read(&p->smb, &r.file, 0, 8), &found);
    close_quietly(p, &r.file);
    return found == object;
}

static void take_up(struct player *p, unsigned file, bool restarted)
{
    struct slot *s = &p->slot[file];
    struct call_result r = {0};
    char path[64];
    struct smb_how how = how_of(p, s, name_in(p, file, path), s->oplock ? OPLOCK_BATCH : OPLOCK_LEASE, s->lease);
    how.reconnect = &s->file;
    s->open = false; /* a break that comes now waits until it is known of what */
    s->busy = true;
    uint32_t status = s->durable ? play_call(p, smb_create(&p->smb, &how), &r) : STATUS_OBJECT_NAME_NOT_FOUND;
    bool lost = outcome_of(status) == PERHAPS, persistent = s->durable == 3;
    if (!status) {
        s->file = r.file;
        s->open = true;
        s->lease = granted(&r);
        if (s->oplock)
            memcpy(s->key, r.file.id, sizeof s->key);
        if (!(s->lease & LEASE_W))
            forget_unwritten(p, s);
        if (!(s->lease & LEASE_R))
            memset(s->known, 0, sizeof s->known);
        p->world->stats.kept++;
    }
    s->busy = false;
    if (restarted && !lost && !persistent && status != STATUS_OBJECT_NAME_NOT_FOUND)
        wrong(p->world, "an open that is not persistent is there after a restart", p);
    if (status && !lost && persistent && !s->closed && still_there(p, file, s->object))
        wrong(p->world, "a persistent open is gone", p);
    if (status) {
        wait_settled(p, s);
        forget(p, s);
    }
}

/* Its ranges are there too when the counters' open is. */
static void take_up_counters(struct player *p)
{
    struct call_result r = {0};
    char path[64];
    snprintf(path, sizeof path, "%s\\new\\counters", p->world->dir);
    struct smb_how how = {.name = path, .access = ACCESS_RW, .share = SHARE_ALL, .disposition = FILE_OPEN, .durable = 3,
                          .create_guid = p->counters_guid, .reconnect = &p->counters};
    uint32_t status = p->counters_kept ? play_call(p, smb_create(&p->smb, &how), &r) : CALL_LOST;
    if (!status) {
        p->counters = r.file;
        p->world->stats.kept++;
        return;
    }
    if (status != CALL_LOST)
        wrong(p->world, "a persistent open is gone", p);
    drop_holds(p);
    open_counters(p);
}

void smb_return(struct player *p)
{
    for (unsigned i = 0; i < FILES; i++)
        wait_settled(p, &p->slot[i]);
    wait_settled(p, &p->names);
    smb_close(&p->smb);
    bool restarted = p->kills_seen != p->world->kills;
    connect_anew(p);
    take_up_counters(p);
    forget(p, &p->names);
    for (unsigned i = 0; i < FILES; i++)
        if (p->slot[i].open)
            take_up(p, i, restarted);
}
