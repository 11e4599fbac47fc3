/* play_cache.c - see play.h: what an SMB player caches of a file, and how it obeys a break: what is unwritten goes to
 * the server, what may no longer be known is forgotten, and only then it acknowledges. */
#include "play.h"

void write_back(struct player *p, struct slot *s)
{
    uint8_t data[8];
    for (unsigned r = 0; r < REGISTERS; r++) {
        if (!s->dirty[r])
            continue;
        put_le64(data, s->value[r]);
        if (!play_call(p, smb_write(&p->smb, &s->file, offset_of(r), data, 8), NULL))
            s->dirty[r] = false;
    }
}

void forget_unwritten(struct player *p, struct slot *s)
{
    for (unsigned r = 0; r < REGISTERS; r++) {
        if (!s->dirty[r])
            continue;
        history_drop(&p->world->history, register_of(s->object, r), s->unwritten[r], s->value[r]);
        s->dirty[r] = s->known[r] = false;
    }
}

void forget(struct player *p, struct slot *s)
{
    forget_unwritten(p, s);
    memset(s, 0, sizeof *s);
}

bool valid(const struct player *p, const struct slot *s)
{
    return s->open && p->smb.conn && !s->breaking && !smb_break_of(&p->smb, s->key, NULL);
}

/* A server puts a notification on its connection before it answers who caused it, so what anybody was answered before
 * `*ret_asked` has been said here too. */
bool usable(struct player *p, struct slot *s, uint64_t *ret_asked)
{
    *ret_asked = wire_now();
    wire_drain(p->smb.conn);
    return valid(p, s);
}

/* --- Breaks. */

static struct slot *slot_of(struct player *p, const uint8_t key[16])
{
    for (unsigned i = 0; i < FILES; i++)
        if (!memcmp(p->slot[i].key, key, 16))
            return &p->slot[i];
    return memcmp(p->names.key, key, 16) ? NULL : &p->names;
}

static uint8_t bits_of(const struct smb_break *b)
{
    return b->lease ? b->to : b->to == OPLOCK_II ? LEASE_R : 0;
}

static bool slot_idle(void *arg) { return !((struct slot *)arg)->busy; }

static void obey(struct player *p, struct slot *s, const struct smb_break *b)
{
    uint8_t to = bits_of(b);
    bool ack = b->lease ? b->ack : (s->lease & (LEASE_W | LEASE_H)) != 0;
    p->world->stats.breaks++;
    if (s->busy && (!s->open || s->lease & LEASE_W))
        fiber_until(&p->world->fibers, slot_idle, s, 60000);
    ack = b->lease ? ack : (s->lease & (LEASE_W | LEASE_H)) != 0;
    if (s->open && !(to & LEASE_W))
        write_back(p, s);
    if (!(to & LEASE_R))
        memset(s->known, 0, sizeof s->known);
    s->lease = to;
    s->changes++;
    if (ack && s->open)
        play_call(p, b->lease ? smb_ack_lease(&p->smb, b->key, to) : smb_ack_oplock(&p->smb, &s->file, b->to), NULL);
}

/* One whose open has not been answered yet is not known by its oplock's name. */
static bool somebody_opens(const struct player *p)
{
    for (unsigned i = 0; i < FILES; i++)
        if (p->slot[i].busy && !p->slot[i].open)
            return true;
    return false;
}

static struct smb_break *next_break(struct player *p, struct slot **ret)
{
    struct smb_break *b;
    list_each(b, &p->smb.breaks, link)
        if ((*ret = slot_of(p, b->key)) != NULL || b->lease || !somebody_opens(p))
            return b;
    return NULL;
}

static bool break_came(void *arg)
{
    struct slot *s;
    return ((struct player *)arg)->ended || next_break(arg, &s) != NULL;
}

void breaker_main(void *arg)
{
    struct player *p = arg;
    struct slot *s;
    while (!p->ended) {
        fiber_until(&p->world->fibers, break_came, p, 1000);
        struct smb_break *b = next_break(p, &s);
        if (!b)
            continue;
        struct smb_break copy = *b;
        if (s)
            s->breaking = true; /* before it is off the list: never valid in between */
        list_remove(&b->link);
        free(b);
        if (!s)
            continue;
        obey(p, s, &copy);
        s->breaking = false;
    }
}

static bool settled(void *arg) { return !((struct slot *)arg)->breaking; }
void wait_settled(struct player *p, struct slot *s)
{
    while (s->breaking)
        fiber_until(&p->world->fibers, settled, s, 1000);
}
