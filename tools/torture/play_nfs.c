/* play_nfs.c - see play.h: what an NFS player does with files and names. What is sent again after a restart may happen
 * twice, with somebody else's change in between, because the server does not remember: so only that is sent again which
 * nobody can tell from its first time; of the rest nobody knows whether it happened. */
#include "play.h"

bool nfs_again(struct player *p, uint32_t status)
{
    if (status == CALL_LOST)
        nfs_return(p);
    if (status != NFS3ERR_JUKEBOX)
        return false;
    p->world->stats.later++;
    fiber_sleep(&p->world->fibers, 100);
    return true;
}

bool nfs_retry(struct player *p, uint32_t status)
{
    if (nfs_again(p, status))
        return true;
    return status == CALL_LOST && p->nfs.rpc.conn && p->nlm.rpc.conn;
}

void nfs_return(struct player *p)
{
    struct target *t = p->world->target;
    while (!p->nfs.rpc.conn && !rpc_open(&p->nfs.rpc, &p->host, &t->nfs, 2049) && wire_now() < p->world->end)
        fiber_sleep(&p->world->fibers, 50);
    while (!p->nlm.rpc.conn && !rpc_open(&p->nlm.rpc, &p->host, &t->nlm, 2049) && wire_now() < p->world->end)
        fiber_sleep(&p->world->fibers, 50);
}

void nfs_join(struct player *p)
{
    struct world *w = p->world;
    host_init(&p->host, w->wire, w->target);
    const char *bad = nfs_open(&p->nfs, &p->host);
    if (!bad)
        bad = nlm_open(&p->nlm, &p->host, true);
    if (bad)
        torture_fail("client %u cannot join: %s", p->number, bad);
    if (w->play->kills && !p->nlm.reachable)
        torture_fail("kills need clients that the server can notify: port 111 of their addresses, or a port mapper");
    p->nsm_state = 1;
}

static const struct nfs_fh *dir_of(const struct world *w, unsigned file)
{
    return file < BOTH ? &w->dir_fh : file < QUIET ? &w->both_fh : &w->names_fh;
}

/* The object that a name leads to; 0: none, or nobody could say. */
static uint64_t look_up(struct player *p, unsigned file)
{
    struct world *w = p->world;
    struct call_result r;
    char name[8];
    uint64_t object;
    uint32_t status;
    snprintf(name, sizeof name, "f%u", file);
    struct history_op op = begin(p, name_of(file), HISTORY_READ, 0);
    do
        status = play_call(p, nfs_lookup(&p->nfs, dir_of(w, file), name), &r);
    while (nfs_again(p, status));
    uint64_t answered = p->answered;
    if (status == NFS3ERR_NOENT)
        end(p, op, HAPPENED);
    if (status)
        return 0;
    p->fh[file] = r.fh;
    do
        status = read_value(p, nfs_read(&p->nfs, &r.fh, 0, 8), &object);
    while (nfs_retry(p, status));
    if (status || !object)
        return 0;
    op.value = object;
    p->answered = answered;
    end(p, op, HAPPENED);
    return object;
}

static bool nfs_find(struct player *p, unsigned file)
{
    if (!p->object[file])
        p->object[file] = look_up(p, file);
    return p->object[file];
}

void nfs_look(struct player *p, unsigned file) { p->object[file] = look_up(p, file); }

static void nfs_truncate(struct player *p, unsigned file)
{
    uint32_t status;
    struct history_op op = begin(p, 0, HISTORY_ERASE, 0);
    do
        status = play_call(p, nfs_setattr(&p->nfs, &p->fh[file], HEADER_BYTES, ~0u, ~0u, false), NULL);
    while (nfs_again(p, status));
    for (unsigned i = 0; i < REGISTERS; i++) {
        op.reg = register_of(p->object[file], i);
        end(p, op, outcome_of(status));
    }
    p->world->stats.erased += !status;
    if (status == NFS3ERR_STALE)
        p->object[file] = 0;
}

void nfs_use(struct player *p, unsigned file, unsigned r, enum history_kind kind)
{
    uint8_t data[8];
    uint32_t status;
    if (!nfs_find(p, file))
        return;
    if (kind == HISTORY_ERASE) {
        nfs_truncate(p, file);
        return;
    }
    struct nfs_fh *fh = &p->fh[file];
    uint64_t value = kind == HISTORY_WRITE ? new_value(p) : 0;
    struct history_op op = begin(p, register_of(p->object[file], r), kind, value);
    put_le64(data, value);
    do {
        if (kind == HISTORY_READ)
            status = read_value(p, nfs_read(&p->nfs, fh, offset_of(r), 8), &op.value);
        else
            status =
                play_call(p, nfs_write(&p->nfs, fh, offset_of(r), data, 8, dice(p, 2) ? FILE_SYNC : UNSTABLE), NULL);
    } while (nfs_again(p, status));
    if (status == NFS3ERR_STALE)
        p->object[file] = 0;
    end(p, op, outcome_of(status));
}

/* A new object takes the name. */
void nfs_replace(struct player *p, unsigned file)
{
    struct world *w = p->world;
    struct call_result r;
    char name[8], temporary[24];
    uint8_t header[8];
    uint64_t object = ++w->objects;
    put_le64(header, object);
    snprintf(name, sizeof name, "f%u", file);
    snprintf(temporary, sizeof temporary, "new%llu", (unsigned long long)object);
    if (play_call(p, nfs_create(&p->nfs, &w->new_fh, temporary, GUARDED, NFS_NO_SIZE, 0), &r) ||
        play_call(p, nfs_write(&p->nfs, &r.fh, 0, header, 8, FILE_SYNC), NULL)) {
        nfs_return(p);
        return;
    }
    uint32_t status;
    struct history_op op = begin(p, name_of(file), HISTORY_WRITE, object);
    do
        status = play_call(p, nfs_rename(&p->nfs, &w->new_fh, temporary, dir_of(w, file), name), NULL);
    while (nfs_again(p, status));
    end(p, op, outcome_of(status));
    w->stats.replaced += !status;
    p->object[file] = 0;
    if (outcome_of(status) == NEVER)
        play_call(p, nfs_remove(&p->nfs, &w->new_fh, temporary), NULL);
}

void nfs_remove_name(struct player *p, unsigned file)
{
    char name[8];
    uint32_t status;
    snprintf(name, sizeof name, "f%u", file);
    struct history_op op = begin(p, name_of(file), HISTORY_ERASE, 0);
    do
        status = play_call(p, nfs_remove(&p->nfs, dir_of(p->world, file), name), NULL);
    while (nfs_again(p, status));
    end(p, op, outcome_of(status));
    p->world->stats.removed += !status;
    p->object[file] = 0;
}
