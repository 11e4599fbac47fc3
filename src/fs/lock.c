/* lock.c - byte ranges and NLM shares. The engine holds them; here is who may, and all-or-nothing for arrays.
 *
 * Without an open a shared lock needs the right to read and an exclusive one the right to write, as fcntl() needs a
 * descriptor opened so. */
#include "base/clock.h"
#include "internal.h"

static enum st permit(struct fs_req *q, struct st_node *n, const struct fs_open *o, uint32_t want)
{
    if (o)
        return fs_permit_io(o, FS_READ_DATA | FS_WRITE_DATA | FS_APPEND_DATA | FS_EXECUTE);
    struct st_attr a;
    enum st st = n->store->ops->getattr(n, &a);
    return st != ST_OK ? st : fs_permit(q, n, &a, want);
}

static struct co_key key_of(struct st_node *n, const struct fs_open *o)
{
    return o ? fs_open_key(o) : fs_node_key(n);
}

static uint32_t range_flags(const struct fs_range *r)
{
    return (r->exclusive ? CO_EXCLUSIVE : 0) | (r->zero_len ? CO_ZERO_LEN : 0);
}

static struct co_ask range_ask(struct st_node *n, const struct fs_open *o, enum co_op op, const struct fs_range *r)
{
    struct co_ask ask = fs_ask_io(n, o, op, r->first, r->last);
    ask.flags |= range_flags(r);
    return ask;
}

static enum st unlock(struct fs_req *q, struct st_node *n, struct fs_open *o, const struct fs_range *r)
{
    struct co_key key = key_of(n, o);
    struct co_out out = fs_out();
    enum st st = co_unlock(q->fs->co, &key, q->party, r->first, r->last, range_flags(r), clock_now(), &out);
    fs_deliver(q->fs, &out);
    return st;
}

/* The engine takes CO_LOCKS_MAX ranges of one file at once. A longer request goes through in batches; when one is not
 * granted those before it are given back, so that nothing is held while it waits. */
static enum st lock_batch(struct fs_req *q, struct st_node *n, struct fs_open *o, const struct fs_range *r, size_t nr,
                          uint32_t flags)
{
    struct co_ask asks[CO_LOCKS_MAX];
    for (size_t i = 0; i < nr; i++) {
        asks[i] = range_ask(n, o, CO_LOCK, &r[i]);
        asks[i].flags |= flags;
    }
    enum st st = fs_gate(q, asks, nr);
    if (st == ST_OK)
        fs_leave(q);
    return st;
}

enum st fs_lock(struct fs_req *q, struct st_node *n, struct fs_open *o, const struct fs_range *r, size_t nr, bool wait,
                bool reclaim)
{
    uint32_t want = 0, flags = (wait ? CO_WAIT : 0) | (reclaim ? CO_RECLAIM : 0);
    for (size_t i = 0; i < nr; i++)
        want |= r[i].exclusive ? FS_WRITE_DATA : FS_READ_DATA;
    FS_THROUGH(q, o);
    enum st st = permit(q, n, o, want);
    size_t done = 0;
    while (st == ST_OK && done < nr) {
        size_t batch = MIN(nr - done, (size_t)CO_LOCKS_MAX);
        st = lock_batch(q, n, o, r + done, batch, flags);
        if (st == ST_OK)
            done += batch;
    }
    if (st != ST_OK)
        while (done--)
            unlock(q, n, o, &r[done]);
    return st;
}

/* [MS-SMB2] 3.3.5.14.1: an array of unlocks stops at the first that fails; what is unlocked stays so. */
enum st fs_unlock(struct fs_req *q, struct st_node *n, struct fs_open *o, const struct fs_range *r, size_t nr)
{
    enum st st = ST_OK;
    FS_THROUGH(q, o);
    for (size_t i = 0; i < nr && st == ST_OK; i++)
        st = unlock(q, n, o, &r[i]);
    return st;
}

enum st fs_test_lock(struct fs_req *q, struct st_node *n, const struct fs_range *r, struct co_hold *ret_holder)
{
    enum st st = permit(q, n, NULL, r->exclusive ? FS_WRITE_DATA : FS_READ_DATA);
    if (st != ST_OK)
        return st;
    struct co_ask ask = range_ask(n, NULL, CO_TEST, r);
    st = fs_gate(q, &ask, 1);
    if (st == ST_OK)
        fs_leave(q);
    if (st == ST_LOCK_DENIED)
        *ret_holder = q->ticket.blocker;
    return st;
}

enum st fs_share_reserve(struct fs_req *q, struct st_node *n, uint8_t access, uint8_t deny, bool reclaim)
{
    uint32_t want = (access & CO_ACC_READ ? FS_READ_DATA : 0) | (access & CO_ACC_WRITE ? FS_WRITE_DATA : 0);
    enum st st = permit(q, n, NULL, want);
    if (st != ST_OK)
        return st;
    struct co_ask ask = fs_ask(n, CO_OPEN);
    ask.access = access;
    ask.deny = deny;
    ask.flags |= reclaim ? CO_RECLAIM : 0;
    st = fs_gate(q, &ask, 1);
    if (st == ST_OK)
        fs_leave(q);
    return st;
}

void fs_share_release(struct fs_req *q, struct st_node *n)
{
    struct co_key key = fs_node_key(n);
    struct co_out out = fs_out();
    co_unshare(q->fs->co, &key, q->party, clock_now(), &out);
    fs_deliver(q->fs, &out);
}

void fs_client_gone(struct fs *fs, uint64_t client)
{
    struct co_out out = fs_out();
    co_client_gone(fs->co, client, clock_now(), &out);
    fs_deliver(fs, &out);
}
