/* latency.c - how long those wait whom others' rights make wait, and what the waiting costs everybody else:
 *   - a holder's acknowledgement is sent, and the NFS operation that it kept is answered;
 *   - a lock is given back over one protocol, and granted over the other;
 *   - other files, while thousands of requests are parked on leases that nobody acknowledges;
 *   - one more lock on a file that has a hundred thousand.
 * All of it through the wire, as clients see it, with concord-torture's clients on hosts of their own. Prints figures
 * and, for each one that has a limit, whether it holds.
 *
 *     latency NFS:PORT SMB:PORT /SHARE USER SERVERPID [PART...]     a part: ack, handover, parked, locks; none: all.
 * The password is in CONCORD_BENCH_PASSWORD. */
#include "bench.h"
#include "process.h"
#include "tools/torture/nlm.h"
#include "tools/torture/smb.h"
#include <stdio.h>

enum { TIMES = 1000, BATCH = 100, PARKED = 10000, LINES = 40, LOCKS = 100000, BYTES = 4096 };
enum { ROUNDS = 9, CALLS = 1000, DEPTH = 25 /* of pairs under way; CALLS is a multiple */ };
static const double handover_limit = 1000, tail_limit = 100000, lock_limit = 20; /* us; the last: of CPU */
static const double slower_limit = 1.15;

static struct wire wire;
static struct target target;
static struct host holder_host, leaser_host, nfs_host, line_host;
static struct smb smb;
static struct nfs nfs;
static struct nlm nlm;
static struct nfs_fh dir;
static pid_t server;
static bool all_hold = true;
static uint8_t payload[BYTES];

/* --- Figures. */

static int ascending(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return (d > 0) - (d < 0);
}

struct figures {
    double v[TIMES];
    size_t n;
};
static void figure(struct figures *f, double v)
{
    if (f->n < TIMES)
        f->v[f->n++] = v;
}
static double percentile(struct figures *f, double q)
{
    qsort(f->v, f->n, sizeof f->v[0], ascending);
    return f->n ? f->v[MIN((size_t)(q * (double)f->n), f->n - 1)] : 0;
}

static void verdict(bool holds, const char *limit)
{
    all_hold &= holds;
    printf("  %s (%s)\n", holds ? "holds" : "DOES NOT HOLD", limit);
}

static void report_wait(const char *what, struct figures *f)
{
    double median = percentile(f, .5), tail = percentile(f, .99);
    printf("%-52s median %7.1f us, 99th %7.1f us, n=%zu", what, median, tail, f->n);
    verdict(f->n == TIMES && median < handover_limit && tail < tail_limit, "median under 1 ms, 99th under 100 ms");
}

static double server_cpu_us(void)
{
    double seconds = process_cpu(server);
    if (!seconds)
        torture_fail("the server's CPU time cannot be read");
    return seconds * 1e6;
}

/* --- Files and clients. */

static void must(uint32_t status, const char *what)
{
    if (status)
        torture_fail("%s: status 0x%X", what, status);
}
static void opened(const char *wrong, const char *what)
{
    if (wrong)
        torture_fail("%s: %s", what, wrong);
}

static struct nfs_fh make_file(const char *name)
{
    struct call_result r;
    must(call_result(nfs_create(&nfs, &dir, name, UNCHECKED, NFS_NO_SIZE, 0), &r), "CREATE");
    must(call_end(nfs_write(&nfs, &r.fh, 0, payload, BYTES, UNSTABLE)), "WRITE");
    return r.fh;
}

static void remove_file(const char *name) { must(call_end(nfs_remove(&nfs, &dir, name)), "REMOVE"); }

static struct smb_file open_file(struct smb *s, const char *name, uint32_t lease, const uint8_t key[16])
{
    char path[64];
    struct call_result r;
    struct smb_how how = {.name = path, .access = ACCESS_ALL, .share = SHARE_ALL, .disposition = FILE_OPEN,
                          .oplock = lease ? OPLOCK_LEASE : OPLOCK_NONE, .lease = lease, .key = key, .v2 = true};
    snprintf(path, sizeof path, "bench\\%s", name);
    must(call_result(smb_create(s, &how), &r), "CREATE over SMB");
    if (lease && r.lease != lease)
        torture_fail("a lease %u was asked for, %u granted", lease, r.lease);
    return r.file;
}

static void key_of(unsigned n, uint8_t out[16])
{
    memset(out, 0xA5, 16);
    put_le32(out, n);
}

/* --- From the acknowledgement to the answer. */

struct broken {
    const uint8_t *key;
    const struct smb_break *after;
};
static bool is_broken(void *arg)
{
    const struct broken *b = arg;
    return smb_break_of(&smb, b->key, b->after) != NULL;
}

static struct call *send_read(const struct nfs_fh *fh, unsigned i) { return nfs_read(&nfs, fh, 0, BYTES); }
static struct call *send_write(const struct nfs_fh *fh, unsigned i)
{
    return nfs_write(&nfs, fh, 0, payload, BYTES, UNSTABLE);
}
static struct call *send_lock(const struct nfs_fh *fh, unsigned i)
{
    const struct nlm_lock l = {.fh = *fh, .svid = i, .exclusive = true, .nonmonitored = true, .len = 1};
    return nlm_lock(&nlm, &l);
}

/* A file of its own each time: what was broken is not granted again at once. */
static void ack_to_answer(const char *what, struct call *(*send)(const struct nfs_fh *fh, unsigned i), uint32_t keep)
{
    static unsigned keys;
    struct figures f = {0};
    for (unsigned i = 0; i < TIMES; i++) {
        uint8_t key[16];
        struct broken b = {.key = key};
        struct nfs_fh fh = make_file("ack");
        key_of(++keys, key);
        struct smb_file file = open_file(&smb, "ack", LEASE_RWH, key);
        struct call *parked = send(&fh, i);
        if (!wire_wait(&wire, wire.patience, is_broken, &b) || parked->done)
            torture_fail("%s: the lease is not broken, or nobody waits for it", what);
        struct call *ack = smb_ack_lease(&smb, key, keep);
        if (call_wait(parked, wire.patience) && parked->status == 0)
            figure(&f, (double)(parked->answered - ack->sent) / 1e3);
        call_free(parked);
        must(call_end(ack), "acknowledgement");
        must(call_end(smb_close_file(&smb, &file)), "CLOSE");
        remove_file("ack");
    }
    report_wait(what, &f);
}

/* --- From an UNLOCK over one protocol to the lock over the other. */

static struct nlm_lock nlm_range(const struct nfs_fh *fh, unsigned i)
{
    return (struct nlm_lock){
        .fh = *fh, .svid = 1000 + i, .exclusive = true, .block = true, .offset = 16ull * i, .len = 8};
}

struct granted {
    uint32_t svid;
    const struct nlm_grant *grant;
};
static bool is_granted(void *arg)
{
    struct granted *g = arg;
    const struct nlm_grant *n;
    list_each(n, &nlm.grants, link)
        if (n->svid == g->svid)
            g->grant = n;
    return g->grant != NULL;
}

static void smb_unlock_to_granted(void)
{
    struct figures f = {0};
    struct nfs_fh fh = make_file("over");
    struct smb_file file = open_file(&smb, "over", 0, NULL);
    for (unsigned base = 0; base < TIMES; base += BATCH) {
        struct call *waiting[BATCH];
        for (unsigned i = base; i < base + BATCH; i++)
            must(call_end(smb_lock(&smb, &file, 16ull * i, 8, LOCK_EXCLUSIVE | LOCK_FAIL_IMMEDIATELY)), "LOCK");
        for (unsigned i = base; i < base + BATCH; i++) {
            struct nlm_lock l = nlm_range(&fh, i);
            waiting[i - base] = nlm_lock(&nlm, &l);
        }
        for (unsigned i = base; i < base + BATCH; i++)
            if (call_end(waiting[i - base]) != NLM4_BLOCKED)
                torture_fail("an NLM LOCK that must wait is not told BLOCKED");
        for (unsigned i = base; i < base + BATCH; i++) {
            struct granted g = {.svid = 1000 + i};
            struct nlm_lock l = nlm_range(&fh, i);
            struct call *unlock = smb_lock(&smb, &file, 16ull * i, 8, LOCK_UNLOCK);
            if (wire_wait(&wire, wire.patience, is_granted, &g))
                figure(&f, (double)(g.grant->at - unlock->sent) / 1e3);
            must(call_end(unlock), "UNLOCK");
            must(call_end(nlm_unlock(&nlm, &l)), "NLM UNLOCK");
        }
    }
    must(call_end(smb_close_file(&smb, &file)), "CLOSE");
    remove_file("over");
    report_wait("SMB UNLOCK sent -> NLM GRANTED received", &f);
}

static bool is_pending(void *arg) { return ((struct call *)arg)->pending; }

static void nlm_unlock_to_success(void)
{
    struct figures f = {0};
    struct nfs_fh fh = make_file("back");
    struct smb_file file = open_file(&smb, "back", 0, NULL);
    for (unsigned base = 0; base < TIMES; base += BATCH) {
        struct call *waiting[BATCH];
        for (unsigned i = base; i < base + BATCH; i++) {
            struct nlm_lock l = nlm_range(&fh, i);
            must(call_end(nlm_lock(&nlm, &l)), "NLM LOCK");
            struct call *c = waiting[i - base] = smb_lock(&smb, &file, 16ull * i, 8, LOCK_EXCLUSIVE);
            if (!wire_wait(&wire, wire.patience, is_pending, c))
                torture_fail("an SMB LOCK that must wait is not told PENDING");
        }
        for (unsigned i = base; i < base + BATCH; i++) {
            struct nlm_lock l = nlm_range(&fh, i);
            struct call *c = waiting[i - base], *unlock = nlm_unlock(&nlm, &l);
            if (call_wait(c, wire.patience) && c->status == STATUS_OK)
                figure(&f, (double)(c->answered - unlock->sent) / 1e3);
            call_free(c);
            must(call_end(unlock), "NLM UNLOCK");
        }
    }
    must(call_end(smb_close_file(&smb, &file)), "CLOSE");
    remove_file("back");
    report_wait("NLM UNLOCK sent -> SMB LOCK answered", &f);
}

/* --- Others, while thousands are parked. */

struct other { /* what is done meanwhile, on files that nobody waits for */
    const char *name;
    void (*once)(unsigned i);
    double us[3], cpu[3]; /* before, beside them, after */
};
static struct nfs_fh other_fh;
static struct smb_file other_file;

static void other_getattr(unsigned i) { must(call_end(nfs_getattr(&nfs, &other_fh)), "GETATTR"); }
static void other_lookup(unsigned i) { must(call_end(nfs_lookup(&nfs, &dir, "other")), "LOOKUP"); }
static void other_write(unsigned i) { must(call_end(send_write(&other_fh, i)), "WRITE"); }
static void other_nlm(unsigned i)
{
    const struct nlm_lock l = {.fh = other_fh, .svid = 1, .exclusive = true, .nonmonitored = true, .len = 1};
    must(call_end(nlm_lock(&nlm, &l)), "NLM LOCK");
    must(call_end(nlm_unlock(&nlm, &l)), "NLM UNLOCK");
}
static void other_read(unsigned i) { must(call_end(smb_read(&smb, &other_file, 0, BYTES)), "READ over SMB"); }
static void other_open(unsigned i)
{
    uint8_t key[16];
    key_of(i + (1u << 30), key);
    struct smb_file file = open_file(&smb, "leased", LEASE_RWH, key);
    must(call_end(smb_close_file(&smb, &file)), "CLOSE");
}
static struct other others[] = {
    {"NFS GETATTR", other_getattr}, {"NFS LOOKUP", other_lookup},     {"NFS WRITE, 4 KiB", other_write},
    {"NLM LOCK + UNLOCK", other_nlm}, {"SMB READ, 4 KiB", other_read}, {"SMB CREATE with RWH + CLOSE", other_open},
};

enum { BEFORE, BESIDE, AFTER };
static void measure_other(struct other *o, int when)
{
    struct figures f = {0};
    double cpu = server_cpu_us();
    for (unsigned i = 0; i < CALLS; i++) {
        uint64_t from = wire_now();
        o->once(i);
        figure(&f, (double)(wire_now() - from) / 1e3);
    }
    o->cpu[when] = MIN(o->cpu[when], (server_cpu_us() - cpu) / CALLS);
    o->us[when] = MIN(o->us[when], percentile(&f, .5));
}

/* The best of several rounds, which lie apart in time: what other programs do to the machine only ever adds. */
static void measure_others(int when)
{
    for (struct other *o = others; o < others + ARRAY_LEN(others); o++)
        o->us[when] = o->cpu[when] = 1e9;
    for (int round = 0; round < 2 * ROUNDS; round++)
        for (struct other *o = others; o < others + ARRAY_LEN(others); o++)
            measure_other(o, when);
}

static void report_others(void)
{
    for (const struct other *o = others; o < others + ARRAY_LEN(others); o++) {
        printf("%-28s before %6.1f us, beside %6.1f us, after %6.1f us; server CPU %5.1f, %5.1f, %5.1f us", o->name,
               o->us[BEFORE], o->us[BESIDE], o->us[AFTER], o->cpu[BEFORE], o->cpu[BESIDE], o->cpu[AFTER]);
        verdict(o->us[BESIDE] < MAX(o->us[BEFORE], o->us[AFTER]) * slower_limit + 1, "no slower: within 15 % and 1 us");
    }
}

static struct nfs lines[LINES];
static struct call *parked[PARKED];

static struct smb leaser; /* holds, and answers nothing */

static bool all_broken(void *arg)
{
    return list_count(&leaser.breaks) >= *(size_t *)arg;
}

static void park_all(size_t leases)
{
    uint64_t before = process_pss(server);
    for (unsigned i = 0; i < leases; i++) {
        char name[32];
        uint8_t key[16];
        snprintf(name, sizeof name, "parked-%u", i);
        key_of(i + (1u << 29), key);
        struct nfs_fh fh = make_file(name);
        open_file(&leaser, name, LEASE_RWH, key);
        for (size_t k = 0; k < PARKED / leases; k++) {
            size_t n = i * (PARKED / leases) + k;
            parked[n] = nfs_write(&lines[n % LINES], &fh, 0, payload, 64, UNSTABLE);
        }
        wire_idle(&wire, 0);
    }
    if (!wire_wait(&wire, wire.patience, all_broken, &leases))
        torture_fail("not every lease is broken");
    wire_idle(&wire, 300);
    printf("parked: %d requests behind %zu leases, %.1f KiB of the server's memory each\n", PARKED, leases,
           (double)(process_pss(server) - before) / PARKED);
}

static void beside_parked(void)
{
    enum { LEASES = 1000 };
    size_t answered = 0;
    char name[32];
    host_init(&line_host, &wire, &target);
    host_init(&leaser_host, &wire, &target);
    opened(smb_open(&leaser, &leaser_host), "SMB");
    for (size_t i = 0; i < LINES; i++)
        opened(nfs_open(&lines[i], &line_host), "NFS");
    other_fh = make_file("other");
    make_file("leased");
    other_file = open_file(&smb, "other", 0, NULL);
    measure_others(BEFORE);
    park_all(LEASES);
    measure_others(BESIDE);
    for (size_t i = 0; i < PARKED; i++)
        answered += parked[i]->done;
    if (answered)
        torture_fail("%zu of those that were to wait were answered meanwhile", answered);
    uint64_t from = wire_now();
    smb_close(&leaser);
    for (size_t i = 0; i < PARKED; i++)
        must(call_end(parked[i]), "parked WRITE");
    printf("all of them answered %.0f ms after the holder's connection broke off\n", (double)(wire_now() - from) / 1e6);
    measure_others(AFTER);
    report_others();
    must(call_end(smb_close_file(&smb, &other_file)), "CLOSE");
    for (unsigned i = 0; i < LEASES; i++) {
        snprintf(name, sizeof name, "parked-%u", i);
        remove_file(name);
    }
    for (size_t i = 0; i < LINES; i++)
        nfs_close(&lines[i]);
    remove_file("other");
    remove_file("leased");
}

/* --- One lock more. */

/* 100,000 locks either each on a place of its own, or all shared and on the same bytes; and one more in between. */
struct crowd {
    const char *name;
    bool same_place;
    uint32_t owners; /* over NLM; over SMB it is one open */
};
static const struct crowd crowds[] = {
    {"apart, of 1,000 owners", false, 1000},
    {"in one place, each of its own owner", true, LOCKS},
};

static struct nlm_lock crowd_lock(const struct crowd *k, const struct nfs_fh *fh, uint32_t i)
{
    return (struct nlm_lock){.fh = *fh, .svid = 100 + i % k->owners, .exclusive = !k->same_place, .nonmonitored = true,
                             .len = 1, .offset = k->same_place ? 0 : 2ull * i};
}

/* The further one: all over the file, in the gaps; or where everybody is. */
static uint64_t pair_place(const struct crowd *k, unsigned i)
{
    return k->same_place ? 0 : 2ull * (i * (uint64_t)LOCKS / CALLS) + 1;
}

static void report_pair(const char *protocol, const struct crowd *k, double alone, double beside)
{
    printf("%s LOCK + UNLOCK, alone on the file %.1f us of server CPU, beside 100,000 %s %.1f us", protocol, alone,
           k->name, beside);
    verdict(beside < lock_limit, "under 20 us");
}

/* The calls of a pair are under way together with those of others, so that what is counted is the lock, not a processor
 * that goes to sleep and wakes up for every message. */
static double nlm_pairs(const struct crowd *k, const struct nfs_fh *fh)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double cpu = server_cpu_us();
        for (unsigned base = 0; base < CALLS; base += DEPTH) {
            struct call *c[2 * DEPTH];
            for (unsigned i = 0; i < DEPTH; i++) {
                struct nlm_lock l = {.fh = *fh, .svid = 7, .exclusive = !k->same_place, .nonmonitored = true, .len = 1,
                                     .offset = pair_place(k, base + i)};
                c[2 * i] = nlm_lock(&nlm, &l);
                c[2 * i + 1] = nlm_unlock(&nlm, &l);
            }
            for (unsigned i = 0; i < 2 * DEPTH; i++)
                must(call_end(c[i]), "NLM LOCK or UNLOCK");
        }
        best = MIN(best, (server_cpu_us() - cpu) / CALLS);
    }
    return best;
}

static void nlm_many(const struct crowd *k)
{
    struct nfs_fh fh = make_file("many");
    double alone = nlm_pairs(k, &fh);
    for (unsigned base = 0; base < LOCKS; base += BATCH) {
        struct call *c[BATCH];
        for (unsigned i = 0; i < BATCH; i++) {
            struct nlm_lock l = crowd_lock(k, &fh, base + i);
            c[i] = nlm_lock(&nlm, &l);
        }
        for (unsigned i = 0; i < BATCH; i++)
            must(call_end(c[i]), "NLM LOCK");
    }
    report_pair("NLM", k, alone, nlm_pairs(k, &fh));
    uint64_t from = wire_now();
    must(call_end(nlm_free_all(&nlm, 1)), "FREE_ALL");
    printf("FREE_ALL of them: %.1f ms\n", (double)(wire_now() - from) / 1e6);
    remove_file("many");
}

static double smb_pairs(const struct crowd *k, const struct smb_file *file)
{
    uint32_t how = (k->same_place ? LOCK_SHARED : LOCK_EXCLUSIVE) | LOCK_FAIL_IMMEDIATELY;
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double cpu = server_cpu_us();
        for (unsigned base = 0; base < CALLS; base += DEPTH) {
            struct call *c[2 * DEPTH];
            for (unsigned i = 0; i < DEPTH; i++) {
                uint64_t at = pair_place(k, base + i);
                c[2 * i] = smb_lock(&smb, file, at, 1, how);
                c[2 * i + 1] = smb_lock(&smb, file, at, 1, LOCK_UNLOCK);
            }
            for (unsigned i = 0; i < 2 * DEPTH; i++)
                must(call_end(c[i]), "LOCK or UNLOCK");
        }
        best = MIN(best, (server_cpu_us() - cpu) / CALLS);
    }
    return best;
}

static void smb_many(const struct crowd *k)
{
    make_file("many");
    struct smb_file file = open_file(&smb, "many", 0, NULL);
    uint32_t how = (k->same_place ? LOCK_SHARED : LOCK_EXCLUSIVE) | LOCK_FAIL_IMMEDIATELY;
    double alone = smb_pairs(k, &file);
    for (unsigned base = 0; base < LOCKS; base += BATCH / 2) { /* no more at once than there are credits */
        struct call *c[BATCH / 2];
        for (unsigned i = 0; i < BATCH / 2; i++)
            c[i] = smb_lock(&smb, &file, k->same_place ? 0 : 2ull * (base + i), 1, how);
        for (unsigned i = 0; i < BATCH / 2; i++)
            must(call_end(c[i]), "LOCK");
    }
    report_pair("SMB", k, alone, smb_pairs(k, &file));
    uint64_t from = wire_now();
    must(call_end(smb_close_file(&smb, &file)), "CLOSE");
    printf("CLOSE that drops them: %.1f ms\n", (double)(wire_now() - from) / 1e6);
    remove_file("many");
}

/* --- */

static void begin(char **argv)
{
    struct call_result r;
    opened(target_local(&target, argv[1], argv[2], argv[3], argv[4], getenv("CONCORD_BENCH_PASSWORD"), 10),
           "addresses");
    server = (pid_t)atoi(argv[5]);
    wire_init(&wire);
    host_init(&holder_host, &wire, &target);
    host_init(&nfs_host, &wire, &target);
    opened(smb_open(&smb, &holder_host), "SMB");
    opened(nfs_open(&nfs, &nfs_host), "NFS");
    opened(nlm_open(&nlm, &nfs_host, true), "NLM");
    if (!nlm.reachable)
        torture_fail("no port for the locks' callbacks");
    must(call_result(nfs_mkdir(&nfs, &nfs.root, "bench"), &r), "MKDIR");
    dir = r.fh;
}

static void end(void)
{
    nlm_close(&nlm);
    must(call_end(nfs_rmdir(&nfs, &nfs.root, "bench")), "RMDIR");
    nfs_close(&nfs);
    smb_close(&smb);
    wire_done(&wire);
}

static void acks(void)
{
    ack_to_answer("lease acknowledged -> NFS WRITE answered", send_write, 0);
    ack_to_answer("lease acknowledged -> NFS READ answered", send_read, LEASE_RH);
    ack_to_answer("lease acknowledged -> NLM LOCK answered", send_lock, 0);
}
static void handovers(void)
{
    smb_unlock_to_granted();
    nlm_unlock_to_success();
}
static void locks(void)
{
    for (size_t i = 0; i < ARRAY_LEN(crowds); i++) {
        nlm_many(&crowds[i]);
        smb_many(&crowds[i]);
    }
}
static const struct {
    const char *name;
    void (*run)(void);
} parts[] = {{"ack", acks}, {"handover", handovers}, {"parked", beside_parked}, {"locks", locks}};

static bool chosen(const char *name, char **argv)
{
    bool any = argv[6];
    for (char **a = argv + 6; *a; a++)
        if (!strcmp(*a, name))
            return true;
    return !any;
}

int main(int argc, char **argv)
{
    if (argc < 6 || !getenv("CONCORD_BENCH_PASSWORD"))
        return fputs("usage: latency NFS:PORT SMB:PORT /SHARE USER SERVERPID [PART...]\n", stderr), 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    begin(argv);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (chosen(parts[i].name, argv))
            parts[i].run();
    end();
    puts(all_hold ? "every limit holds" : "NOT every limit holds");
    return all_hold ? 0 : 1;
}
