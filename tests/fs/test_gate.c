/* test_gate.c - operations wait at the gate and only there; events go out, are counted, and deadlines are met. */
#include "base/clock.h"
#include "base/log.h"
#include "net/job.h"
#include "world.h"
#include <fcntl.h>
#include <stdio.h>

static struct world w;
static struct caller nfs, smb, nlm;
static struct co_event broken[16];
static unsigned nbroken;

static void on_event(void *arg, const struct co_event *ev, struct fs_told *told)
{
    if (nbroken < ARRAY_LEN(broken))
        broken[nbroken++] = *ev;
}

static int setup(void **state)
{
    if (world_open(&w, "mem", false) != 0)
        return -1;
    w.fs->cfg.again_percent = *state ? 50 : 0;
    caller_init(&nfs, &w, 0, 0);
    caller_init(&smb, &w, 0, 0);
    caller_init(&nlm, &w, 0, 0);
    caller_smb(&smb, 7, 1);
    nlm.party.label = CO_LABEL_NLM;
    nlm.party.client = 99;
    nlm.party.open = 5;
    struct fs_sink sink = {.event = on_event};
    fs_set_sink(w.fs, CO_LABEL_SMB, &sink);
    nbroken = 0;
    return 0;
}
static int teardown(void **state)
{
    caller_done(&nfs), caller_done(&smb), caller_done(&nlm);
    world_close(&w);
    return 0;
}

/* An SMB open that holds a lease, without src/fs's opens. */
static void hold(struct st_node *n, uint8_t lease, uint8_t deny)
{
    struct co_ask ask = fs_ask(n, CO_OPEN);
    struct co_key key = fs_node_key(n);
    uint16_t epoch;
    bool breaking;
    ask.access = CO_ACC_READ | CO_ACC_WRITE;
    ask.deny = deny;
    assert_st(RUN(&smb, fs_gate(&smb.q, &ask, 1) ?: (fs_leave(&smb.q), ST_OK)), ST_OK);
    if (lease)
        assert_int_equal(lease, co_lease(w.fs->co, &key, &smb.party, CO_LEASE, lease, 0, 0, clock_now(), &epoch,
                                         &breaking));
}

static void drop(struct st_node *n)
{
    struct co_key key = fs_node_key(n);
    struct co_out out = fs_out();
    co_close(w.fs->co, &key, &smb.party, 0, clock_now(), &out);
    fs_deliver(w.fs, &out);
}

static enum st ack(struct st_node *n, uint8_t keep)
{
    struct co_key key = fs_node_key(n);
    struct co_out out = fs_out();
    enum st st = co_ack(w.fs->co, &key, &smb.party, CO_LEASE, keep, clock_now(), &out);
    fs_deliver(w.fs, &out);
    return st;
}

static uint64_t conflicts(enum co_label from, enum fs_conflict_kind kind, enum fs_conflict_outcome outcome)
{
    return fs_metrics(w.fs)->conflicts[from][CO_LABEL_SMB][kind][outcome];
}

static void write_waits_for_lease(void **state)
{
    struct st_node *n = mk(&nfs, w.root, "f", ST_REG, 0666);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    hold(n, CO_R | CO_W | CO_H, 0);
    log_init(fds[1], LOG_INFO);
    uint64_t mutations = n->store->mutations;
    assert_st(fs_write(&nfs.q, n, NULL, 0, "abc", 3, FS_UNSTABLE, NULL), ST_AGAIN);
    assert_int_equal(nbroken, 1);
    assert_int_equal(broken[0].kind, CO_EV_BREAK);
    assert_int_equal(broken[0].from, CO_R | CO_W | CO_H);
    assert_int_equal(broken[0].to, 0);
    assert_st(fs_write(&nfs.q, n, NULL, 0, "abc", 3, FS_UNSTABLE, NULL), ST_AGAIN);
    assert_int_equal(nbroken, 1); /* beginning is idempotent */
    assert_int_equal(n->store->mutations, mutations);
    unsigned wakes = w.wakes;
    assert_st(ack(n, 0), ST_OK);
    assert_int_equal(w.wakes, wakes + 1);
    assert_st(fs_write(&nfs.q, n, NULL, 0, "abc", 3, FS_UNSTABLE, NULL), ST_OK);
    assert_int_equal(attr_of(n).size, 3);
    assert_int_equal(conflicts(CO_LABEL_NFS3, FS_CONFLICT_LEASE, FS_GRANTED), 1);
    assert_int_equal(fs_metrics(w.fs)->break_to_ack.count, 1);
    assert_int_equal(fs_metrics(w.fs)->break_to_grant.count, 1);
    log_init(2, LOG_WARN);
    close(fds[1]);
    char line[1024] = "";
    assert_true(read(fds[0], line, sizeof line - 1) > 0);
    close(fds[0]);
    assert_non_null(strstr(line, "event=conflict from=nfs3 to=smb kind=lease op=write file=\"/share/f\""));
    assert_non_null(strstr(line, "outcome=granted"));
    drop(n);
    st_unref(n);
}

static void cancelled_and_jukeboxed(void **state)
{
    struct st_node *n = mk(&nfs, w.root, "f", ST_REG, 0666);
    struct co_stats s;
    hold(n, CO_R | CO_W, 0);
    assert_st(fs_write(&nfs.q, n, NULL, 0, "abc", 3, FS_UNSTABLE, NULL), ST_AGAIN);
    fs_cancel(&nfs.q);
    co_stats(w.fs->co, &s);
    assert_int_equal(s.waiters, 0);
    struct job *job = nfs.q.job;
    nfs.q.job = NULL; /* nobody to wake */
    nfs.q.may_block = true;
    assert_st(fs_write(&nfs.q, n, NULL, 0, "abc", 3, FS_UNSTABLE, NULL), ST_DELAY);
    nfs.q.job = job;
    assert_st(fs_write(&nfs.q, n, NULL, 0, "abc", 3, FS_UNSTABLE, NULL), ST_AGAIN);
    co_stats(w.fs->co, &s);
    assert_int_equal(s.waiting[CO_WRITE], 1);
    fs_cancel_reserve(&nfs.q);
    co_stats(w.fs->co, &s);
    assert_int_equal(s.waiters, 0);
    assert_int_equal(s.waiting[CO_WRITE], 0);
    assert_int_equal(conflicts(CO_LABEL_NFS3, FS_CONFLICT_LEASE, FS_CANCELLED), 2);
    assert_int_equal(conflicts(CO_LABEL_NFS3, FS_CONFLICT_LEASE, FS_DEFERRED), 1);
    assert_int_equal(attr_of(n).size, 0);
    drop(n);
    st_unref(n);
}

static void names_wait_for_handles(void **state)
{
    struct st_node *n = mk(&nfs, w.root, "f", ST_REG, 0666), *m = mk(&nfs, w.root, "g", ST_REG, 0666);
    struct fs_rename r = {.sdir = w.root, .sname = "g", .sn = 1, .ddir = w.root, .dname = "f", .dn = 1,
                          .replace = true};
    hold(n, CO_R | CO_W | CO_H, 0);
    uint64_t mutations = n->store->mutations;
    assert_st(fs_rename(&nfs.q, &r), ST_AGAIN);
    assert_int_equal(n->store->mutations, mutations);
    assert_int_equal(nbroken, 1);
    struct caller other; /* the name changes hands while it waits */
    caller_init(&other, &w, 0, 0);
    struct fs_rename aside = {.sdir = w.root, .sname = "g", .sn = 1, .ddir = w.root, .dname = "h", .dn = 1};
    assert_st(fs_rename(&other.q, &aside), ST_OK);
    struct st_node *g2 = mk(&other, w.root, "g", ST_REG, 0600);
    assert_st(ack(n, broken[0].to), ST_OK);
    assert_st(fs_rename(&nfs.q, &r), ST_OK);
    struct st_node *now = at(&nfs, w.root, "f");
    assert_ptr_equal(now, g2);
    assert_int_equal(attr_of(n).nlink, 0);
    drop(n);
    caller_done(&other);
    st_unref(now), st_unref(g2), st_unref(n), st_unref(m);
}

static void share_modes_refuse(void **state)
{
    struct st_node *n = mk(&nfs, w.root, "f", ST_REG, 0666);
    char buf[4];
    size_t len;
    bool eof;
    put(&nfs, n, 0, "data");
    hold(n, 0, CO_ACC_WRITE | CO_ACC_DELETE);
    assert_st(RUN(&nfs, fs_write(&nfs.q, n, NULL, 0, "x", 1, FS_UNSTABLE, NULL)), ST_SHARE_CONFLICT);
    assert_st(RUN(&nfs, fs_remove(&nfs.q, w.root, "f", 1, false, NULL)), ST_SHARE_CONFLICT);
    assert_st(RUN(&nfs, fs_read(&nfs.q, n, NULL, 0, buf, 4, &len, &eof, NULL)), ST_OK);
    struct fs_setattr cut = {.set = ST_SET_SIZE};
    assert_st(RUN(&nfs, fs_setattr(&nfs.q, n, NULL, &cut, NULL)), ST_SHARE_CONFLICT);
    struct fs_setattr mode = {.set = ST_SET_MODE, .a.mode = 0600};
    assert_st(RUN(&nfs, fs_setattr(&nfs.q, n, NULL, &mode, NULL)), ST_OK);
    assert_true(conflicts(CO_LABEL_NFS3, FS_CONFLICT_SHARE, FS_DENIED) >= 3);
    drop(n);
    assert_st(RUN(&nfs, fs_remove(&nfs.q, w.root, "f", 1, false, NULL)), ST_OK);
    st_unref(n);
}

static void ranges(void **state)
{
    struct st_node *n = mk(&nfs, w.root, "f", ST_REG, 0666);
    struct fs_range all = {.last = UINT64_MAX, .exclusive = true}, some[70];
    struct co_hold holder;
    hold(n, 0, 0);
    for (size_t i = 0; i < ARRAY_LEN(some); i++)
        some[i] = (struct fs_range){.first = i * 10, .last = i * 10 + 4, .exclusive = true};
    some[69].first = some[69].last = 41; /* meets one of its own, which the engine has taken before */
    assert_st(RUN(&smb, fs_lock(&smb.q, n, NULL, some, 70, false, false)), ST_LOCK_DENIED);
    assert_st(RUN(&nlm, fs_test_lock(&nlm.q, n, &all, &holder)), ST_OK); /* nothing stays of it */
    assert_st(RUN(&smb, fs_lock(&smb.q, n, NULL, some, 69, false, false)), ST_OK);
    assert_st(RUN(&nlm, fs_test_lock(&nlm.q, n, &all, &holder)), ST_LOCK_DENIED);
    assert_int_equal(holder.party.label, CO_LABEL_SMB);
    assert_int_equal(holder.kind, CO_KIND_RANGE);
    assert_st(RUN(&nlm, fs_lock(&nlm.q, n, NULL, &all, 1, false, false)), ST_LOCK_DENIED);
    put(&nfs, n, 5, "free"); /* between the locks */
    struct fs_setattr cut = {.set = ST_SET_SIZE, .a.size = 9};
    assert_st(RUN(&nfs, fs_setattr(&nfs.q, n, NULL, &cut, NULL)), ST_OK);
    cut.a.size = 11; /* byte 10 would appear under a lock */
    enum st st;
    for (int i = 0; i < 400 && (st = fs_setattr(&nfs.q, n, NULL, &cut, NULL)) == ST_AGAIN; i++) {
        usleep(5000);
        fs_tick(w.fs);
    }
    assert_st(st, ST_LOCK_CONFLICT);
    assert_st(RUN(&smb, fs_unlock(&smb.q, n, NULL, some, 69)), ST_OK);
    assert_st(RUN(&smb, fs_unlock(&smb.q, n, NULL, some, 1)), ST_NOLOCK);
    assert_st(RUN(&nlm, fs_lock(&nlm.q, n, NULL, &all, 1, false, false)), ST_OK);
    assert_st(RUN(&smb, fs_write(&smb.q, n, NULL, 0, "x", 1, FS_UNSTABLE, NULL)), ST_LOCK_CONFLICT);
    put(&nfs, n, 0, "advisory");
    fs_client_gone(w.fs, 99);
    assert_st(RUN(&smb, fs_write(&smb.q, n, NULL, 0, "x", 1, FS_UNSTABLE, NULL)), ST_OK);
    drop(n);
    st_unref(n);
}

static void lock_is_handed_over(void **state)
{
    struct st_node *n = mk(&nfs, w.root, "f", ST_REG, 0666);
    struct fs_range r = {.first = 1, .last = 2, .exclusive = true};
    hold(n, 0, 0);
    assert_st(RUN(&smb, fs_lock(&smb.q, n, NULL, &r, 1, false, false)), ST_OK);
    assert_st(fs_lock(&nlm.q, n, NULL, &r, 1, true, false), ST_AGAIN);
    unsigned wakes = w.wakes;
    assert_st(RUN(&smb, fs_unlock(&smb.q, n, NULL, &r, 1)), ST_OK);
    assert_true(w.wakes > wakes);
    assert_st(RUN(&nlm, fs_lock(&nlm.q, n, NULL, &r, 1, true, false)), ST_OK);
    assert_int_equal(fs_metrics(w.fs)->lock_handover.count, 1);
    assert_st(RUN(&nlm, fs_share_reserve(&nlm.q, n, CO_ACC_READ, CO_ACC_WRITE, false)), ST_SHARE_CONFLICT);
    drop(n);
    assert_st(RUN(&nlm, fs_share_reserve(&nlm.q, n, CO_ACC_READ, CO_ACC_WRITE, false)), ST_OK);
    fs_share_release(&nlm.q, n);
    fs_client_gone(w.fs, 99);
    st_unref(n);
}

static void unacknowledged_is_revoked(void **state)
{
    struct co_policy p;
    co_policy_default(&p);
    p.lease_break_timeout = 50 * NSEC_PER_MSEC;
    fs_set_policy(w.fs, &p);
    struct st_node *n = mk(&nfs, w.root, "f", ST_REG, 0666);
    hold(n, CO_R | CO_W | CO_H, 0);
    assert_st(fs_remove(&nfs.q, w.root, "f", 1, false, NULL), ST_AGAIN);
    usleep(80000);
    unsigned wakes = w.wakes;
    fs_tick(w.fs);
    assert_int_equal(w.wakes, wakes + 1);
    assert_st(fs_remove(&nfs.q, w.root, "f", 1, false, NULL), ST_OK);
    assert_int_equal(conflicts(CO_LABEL_NFS3, FS_CONFLICT_LEASE, FS_REVOKED), 1);
    assert_st(ack(n, 0), ST_NO_BREAK);
    drop(n);
    st_unref(n);
}

static void entries_attributes(void **state)
{
    struct st_node *d = mk(&nfs, w.root, "d", ST_DIR, 0777), *n = mk(&nfs, d, "f", ST_REG, 0666);
    struct co_key key = fs_node_key(d);
    struct fs_setattr mode = {.set = ST_SET_MODE, .a.mode = 0600};
    for (int known = 0; known < 2; known++) { /* by its path, then by where it was looked up */
        uint16_t epoch;
        bool breaking;
        struct co_ask ask = fs_ask(d, CO_OPEN);
        nbroken = 0;
        ask.access = CO_ACC_READ;
        smb.party.open = 10 + (uint64_t)known;
        memset(smb.party.lease, 10 + known, sizeof smb.party.lease);
        assert_st(RUN(&smb, fs_gate(&smb.q, &ask, 1) ?: (fs_leave(&smb.q), ST_OK)), ST_OK);
        w.fs->dir_leases = true;
        uint8_t got = co_lease(w.fs->co, &key, &smb.party, CO_LEASE, CO_R, CO_DIRECTORY, 0, clock_now(), &epoch,
                               &breaking);
        if (known)
            st_unref(at(&nfs, d, "f"));
        if (got) {
            assert_st(RUN(&nfs, known ? fs_write(&nfs.q, n, NULL, 0, "x", 1, FS_UNSTABLE, NULL)
                                      : fs_setattr(&nfs.q, n, NULL, &mode, NULL)), ST_OK);
            assert_int_equal(nbroken, 1);
            assert_int_equal(broken[0].key.ino, key.ino);
        }
        assert_true(got || known); /* after a break the directory may be kept back for a while */
        drop(d);
    }
    st_unref(n), st_unref(d);
}

/* The same with a loop: nobody ticks, the timer does. */
struct waiting {
    struct job job;
    struct fs_req q;
    struct arena arena;
    struct st_node *root;
    _Atomic int done;
};
static enum st step(struct job *j)
{
    struct waiting *x = container_of(j, struct waiting, job);
    x->q.may_block = j->on_pool;
    return fs_remove(&x->q, x->root, "f", 1, false, NULL);
}
static void parked(struct job *j) {}
static void done(struct job *j, enum st st)
{
    container_of(j, struct waiting, job)->done = st == ST_OK ? 1 : -1;
}
static const struct job_ops ops = {.step = step, .parked = parked, .done = done};
static void start(struct task *t);
static struct waiting *starting;
static struct task start_task = {.fn = start};
static void start(struct task *t)
{
    job_start(&starting->job);
}

static void timed_on_a_loop(void **state)
{
    struct loop *loop;
    struct pool *pool;
    struct fs_config cfg = {.again_percent = 50};
    struct fs_share_config share = {.name = "s", .store = "mem", .nfs = true};
    struct world own = w; /* what hold() and mk() work with */
    assert_int_equal(loop_create(&loop), 0);
    assert_int_equal(pool_create(1, &pool), 0);
    assert_int_equal(loop_start(loop, 0), 0);
    co_policy_default(&cfg.lock);
    cfg.lock.lease_break_timeout = 100 * NSEC_PER_MSEC;
    cfg.loop = loop;
    assert_st(fs_create(&cfg, &w.fs), ST_OK);
    assert_st(fs_share_set(w.fs, "s", &share), ST_OK);
    w.share = fs_share_get(w.fs, "s", 1);
    w.root = st_ref(w.share->root);
    nfs.q.fs = smb.q.fs = w.fs;
    nfs.q.share = smb.q.share = w.share;
    struct st_node *n = mk(&nfs, w.root, "f", ST_REG, 0600);
    hold(n, CO_R | CO_W | CO_H, 0);

    struct waiting x = {.root = w.root};
    arena_init(&x.arena);
    job_init(&x.job, &ops, loop, pool);
    fs_req_init(&x.q, w.fs, &x.job, &x.arena);
    x.q.cred = &nfs.cred;
    x.q.party = &nfs.party;
    x.q.share = w.share;
    x.q.posix = true;
    starting = &x;
    uint64_t began = clock_now();
    loop_post(loop, &start_task);
    while (!x.done && clock_now() - began < 5 * NSEC_PER_SEC)
        usleep(1000);
    assert_int_equal(x.done, 1);
    assert_true(clock_now() - began >= 90 * NSEC_PER_MSEC);
    drop(n);
    st_unref(n);
    st_unref(w.root);
    fs_share_put(w.share);
    loop_stop(loop);
    fs_free(w.fs);
    pool_free(pool);
    loop_free(loop);
    w = own;
    nfs.q.fs = smb.q.fs = w.fs;
}

#define PLAIN(fn) {#fn, fn, setup, teardown, NULL}
#define AGAIN(fn) {#fn " again", fn, setup, teardown, ""}
int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(write_waits_for_lease), PLAIN(cancelled_and_jukeboxed), PLAIN(names_wait_for_handles),
        PLAIN(share_modes_refuse), AGAIN(share_modes_refuse), PLAIN(ranges), AGAIN(ranges), PLAIN(lock_is_handed_over),
        PLAIN(unacknowledged_is_revoked), PLAIN(entries_attributes), PLAIN(timed_on_a_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
