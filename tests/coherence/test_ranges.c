/* Byte ranges of both flavours against a model that knows each byte, their edges, and their cost with 100,000. */
#include "kit.h"
#include "base/clock.h"

#define EX CO_EXCLUSIVE

static enum st lock(struct kit *k, struct co_party p, uint32_t flags, uint64_t first, uint64_t last)
{
    return kit_try(k, p, kit_lock(1, flags, first, last));
}

struct found {
    size_t n;
    struct co_hold h[16];
};
static bool found_add(void *arg, const struct co_hold *h)
{
    struct found *f = arg;
    if (h->kind == CO_KIND_RANGE && f->n < 16)
        f->h[f->n++] = *h;
    return true;
}
static struct found look(struct kit *k)
{
    struct found f = {0};
    struct co_key key = kit_key(1);
    co_each(k->co, &key, found_add, &f);
    return f;
}
static void assert_range(const struct found *f, size_t i, uint64_t first, uint64_t last, bool ex)
{
    assert_true(i < f->n);
    assert_int_equal(f->h[i].first, first);
    assert_int_equal(f->h[i].last, last);
    assert_int_equal(f->h[i].exclusive, ex);
}

static void test_posix_split_merge(void **state)
{
    struct kit *k = kit_new(NULL);
    struct co_party a = kit_posix(1, 1);
    struct found f;
    assert_int_equal(lock(k, a, EX, 10, 19), ST_OK);
    assert_int_equal(lock(k, a, EX, 20, 29), ST_OK); /* adjacent: one */
    f = look(k);
    assert_int_equal(f.n, 1);
    assert_range(&f, 0, 10, 29, true);
    assert_int_equal(lock(k, a, 0, 15, 19), ST_OK); /* downgrade of the middle */
    f = look(k);
    assert_int_equal(f.n, 3);
    assert_range(&f, 0, 10, 14, true);
    assert_range(&f, 1, 15, 19, false);
    assert_range(&f, 2, 20, 29, true);
    assert_int_equal(lock(k, a, EX, 0, UINT64_MAX), ST_OK); /* swallows them */
    f = look(k);
    assert_int_equal(f.n, 1);
    assert_int_equal(kit_unlock(k, 1, a, 100, UINT64_MAX - 1), ST_OK);
    f = look(k);
    assert_int_equal(f.n, 2);
    assert_range(&f, 0, 0, 99, true);
    assert_range(&f, 1, UINT64_MAX, UINT64_MAX, true);
    assert_int_equal(kit_unlock(k, 1, a, 200, 300), ST_OK); /* nothing there: fine */
    assert_int_equal(kit_unlock(k, 1, a, 0, UINT64_MAX), ST_OK);
    kit_empty(k);
}

static void test_last_byte(void **state)
{
    struct kit *k = kit_new(NULL);
    struct co_party a = kit_posix(1, 1), b = kit_posix(2, 1), w = kit_win(3, 3, 0);
    assert_int_equal(lock(k, a, EX, UINT64_MAX, UINT64_MAX), ST_OK);
    assert_int_equal(lock(k, b, 0, 5, UINT64_MAX), ST_LOCK_DENIED);
    assert_int_equal(lock(k, w, 0, UINT64_MAX, UINT64_MAX), ST_LOCK_DENIED);
    assert_int_equal(lock(k, b, EX, 0, UINT64_MAX - 1), ST_OK);
    assert_int_equal(kit_unlock(k, 1, a, 0, UINT64_MAX), ST_OK);
    assert_int_equal(kit_unlock(k, 1, b, 0, UINT64_MAX), ST_OK);
    assert_int_equal(lock(k, w, EX, UINT64_MAX, UINT64_MAX), ST_OK);
    assert_int_equal(kit_unlock(k, 1, w, UINT64_MAX, UINT64_MAX), ST_OK);
    kit_empty(k);
}

static void test_windows_stack(void **state)
{
    struct kit *k = kit_new(NULL);
    struct co_party a = kit_win(1, 1, 0), b = kit_win(1, 2, 0);
    assert_int_equal(lock(k, a, EX, 0, 9), ST_OK);
    assert_int_equal(lock(k, a, EX, 0, 9), ST_LOCK_DENIED); /* exclusive never over one's own */
    assert_int_equal(lock(k, a, 0, 0, 9), ST_OK);
    assert_int_equal(lock(k, a, 0, 5, 9), ST_OK);
    assert_int_equal(lock(k, b, 0, 5, 5), ST_LOCK_DENIED); /* another open of the same client */
    assert_int_equal(kit_unlock(k, 1, a, 0, 8), ST_NOLOCK);
    assert_int_equal(kit_unlock(k, 1, b, 0, 9), ST_NOLOCK);
    assert_int_equal(kit_unlock(k, 1, a, 0, 9), ST_OK); /* the exclusive one goes first */
    assert_int_equal(lock(k, b, 0, 5, 5), ST_OK);
    assert_int_equal(lock(k, b, EX, 20, 29), ST_OK);
    /* own shared: may read, may not write; own exclusive: both; another's shared: read */
    assert_int_equal(kit_try(k, a, (struct co_ask){.key = kit_key(1), .op = CO_WRITE, .flags = CO_DENY_NOWAIT,
                                                   .first = 0, .last = 0}), ST_LOCK_CONFLICT);
    assert_int_equal(kit_try(k, a, kit_io(1, CO_READ, 0, 9)), ST_OK);
    assert_int_equal(kit_try(k, b, kit_io(1, CO_WRITE, 20, 29)), ST_OK);
    kit_close(k, 1, a);
    kit_close(k, 1, b);
    kit_empty(k);
}

static enum st zero(struct kit *k, struct co_party p, uint64_t at)
{
    return lock(k, p, EX | CO_ZERO_LEN, at, 0);
}

static void test_zero_length(void **state)
{
    struct kit *k = kit_new(NULL);
    struct co_party a = kit_win(1, 1, 0), b = kit_win(2, 2, 0);
    struct co_key key = kit_key(1);
    assert_int_equal(lock(k, a, EX, 10, 19), ST_OK);
    assert_int_equal(zero(k, b, 10), ST_OK); /* at the edge: no byte in common */
    assert_int_equal(zero(k, b, 11), ST_LOCK_DENIED);
    assert_int_equal(zero(k, b, 19), ST_LOCK_DENIED);
    assert_int_equal(zero(k, b, 20), ST_OK);
    assert_int_equal(zero(k, a, 20), ST_OK); /* two of them never conflict */
    assert_int_equal(lock(k, a, EX, 20, 29), ST_OK);
    assert_int_equal(lock(k, kit_win(3, 3, 0), EX, 30, 39), ST_OK);
    assert_int_equal(zero(k, b, 0), ST_OK);
    assert_int_equal(co_unlock(k->co, &key, &b, 20, 0, CO_ZERO_LEN, k->now, &k->out), ST_OK);
    assert_int_equal(co_unlock(k->co, &key, &b, 20, 0, CO_ZERO_LEN, k->now, &k->out), ST_NOLOCK);
    /* I/O that spans a zero-length lock strictly is refused */
    assert_int_equal(zero(k, b, 100), ST_OK);
    struct co_ask io = {.key = key, .op = CO_WRITE, .flags = CO_DENY_NOWAIT, .first = 99, .last = 100};
    assert_int_equal(kit_try(k, a, io), ST_LOCK_CONFLICT);
    io.first = 100;
    assert_int_equal(kit_try(k, a, io), ST_OK);
    kit_close(k, 1, a);
    kit_close(k, 1, b);
    kit_close(k, 1, kit_win(3, 3, 0));
    kit_empty(k);
}

static void test_elements(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket t = {.t.wake = kit_wake};
    struct co_party a = kit_win(1, 1, 0), b = kit_win(2, 2, 0);
    struct co_ask asks[CO_LOCKS_MAX];
    for (size_t i = 0; i < CO_LOCKS_MAX; i++)
        asks[i] = kit_lock(1, EX, 10 * i, 10 * i + 4);
    assert_int_equal(lock(k, b, 0, 10 * CO_LOCKS_MAX - 8, 10 * CO_LOCKS_MAX), ST_OK);
    assert_int_equal(co_enter(k->co, &t.t, &a, asks, CO_LOCKS_MAX, k->now, &k->out), ST_LOCK_DENIED);
    assert_int_equal(look(k).n, 1); /* all or nothing */
    kit_close(k, 1, b);
    assert_int_equal(co_enter(k->co, &t.t, &a, asks, CO_LOCKS_MAX, k->now, &k->out), ST_OK);
    kit_leave(k, &t);
    assert_int_equal(look(k).n, 16);
    kit_close(k, 1, a);
    asks[1] = asks[0]; /* they exclude each other, too */
    assert_int_equal(co_enter(k->co, &t.t, &a, asks, 2, k->now, &k->out), ST_LOCK_DENIED);
    assert_int_equal(look(k).n, 0);
    kit_empty(k);
}

/* ---- against a model that knows each byte ------------------------------------------------------------------ */

enum { BYTES = 12, OWNERS = 4, MODEL_MAX = 64 };
struct model {
    uint8_t posix[2][BYTES]; /* owners 0, 1: 0 none, 1 shared, 2 exclusive */
    struct {
        int owner, first, last;
        bool ex, on;
    } win[MODEL_MAX];        /* owners 2, 3 */
};

static bool model_conflict(const struct model *m, int owner, int first, int last, bool ex)
{
    for (int o = 0; o < 2; o++)
        for (int b = first; b <= last; b++)
            if (o != owner && m->posix[o][b] && (ex || m->posix[o][b] == 2))
                return true;
    for (int i = 0; i < MODEL_MAX; i++) {
        if (!m->win[i].on || m->win[i].last < first || last < m->win[i].first)
            continue;
        if (m->win[i].owner == owner ? ex : ex || m->win[i].ex)
            return true;
    }
    return false;
}

static void model_lock(struct model *m, int owner, int first, int last, bool ex)
{
    if (owner < 2) {
        for (int b = first; b <= last; b++)
            m->posix[owner][b] = ex ? 2 : 1;
        return;
    }
    int i = 0;
    while (m->win[i].on)
        i++;
    m->win[i].owner = owner;
    m->win[i].first = first;
    m->win[i].last = last;
    m->win[i].ex = ex;
    m->win[i].on = true;
}

static enum st model_unlock(struct model *m, int owner, int first, int last)
{
    if (owner < 2) {
        for (int b = first; b <= last; b++)
            m->posix[owner][b] = 0;
        return ST_OK;
    }
    for (int ex = 1; ex >= 0; ex--)
        for (int i = 0; i < MODEL_MAX; i++)
            if (m->win[i].on && m->win[i].owner == owner && m->win[i].first == first && m->win[i].last == last &&
                m->win[i].ex == ex) {
                m->win[i].on = false;
                return ST_OK;
            }
    return ST_NOLOCK;
}

static size_t model_count(const struct model *m)
{
    size_t n = 0;
    for (int o = 0; o < 2; o++)
        for (int b = 0; b < BYTES; b++)
            n += m->posix[o][b] && (b == 0 || m->posix[o][b] != m->posix[o][b - 1]);
    for (int i = 0; i < MODEL_MAX; i++)
        n += m->win[i].on;
    return n;
}

static void test_model(void **state)
{
    struct kit *k = kit_new(NULL);
    struct model m = {0};
    struct co_stats s;
    const struct co_party p[OWNERS] = {kit_posix(1, 1), kit_posix(1, 2), kit_win(2, 1, 0), kit_win(2, 2, 0)};
    unsigned seed = 12345;
    for (int i = 0; i < 200000; i++) {
        int owner = rand_r(&seed) % OWNERS, a = rand_r(&seed) % BYTES, b = rand_r(&seed) % BYTES;
        int first = MIN(a, b), last = MAX(a, b), what = rand_r(&seed) % 8;
        bool ex = what & 1;
        if (what < 4 && model_count(&m) < MODEL_MAX / 2) {
            bool conflict = model_conflict(&m, owner, first, last, ex);
            assert_int_equal(lock(k, p[owner], ex ? EX : 0, 100 + first, 100 + last),
                             conflict ? ST_LOCK_DENIED : ST_OK);
            if (!conflict)
                model_lock(&m, owner, first, last, ex);
        } else {
            enum st st = model_unlock(&m, owner, first, last);
            assert_int_equal(kit_unlock(k, 1, p[owner], 100 + first, 100 + last), st);
        }
        if (i % 500)
            continue;
        co_stats(k->co, &s);
        assert_int_equal(s.ranges, model_count(&m));
    }
    for (int o = 0; o < OWNERS; o++)
        kit_close(k, 1, p[o]);
    kit_empty(k);
}

/* ---- cost: a ratio, not a time ----------------------------------------------------------------------------- */

static uint64_t cost(struct kit *k, unsigned rounds)
{
    struct co_party p = kit_posix(9, 9);
    uint64_t best = UINT64_MAX;
    for (int r = 0; r < 5; r++) {
        uint64_t t0 = clock_now();
        for (unsigned i = 0; i < rounds; i++) {
            assert_int_equal(lock(k, p, EX, 50 * 16 + 8 + (i & 3), 50 * 16 + 12), ST_OK);
            assert_int_equal(kit_unlock(k, 1, p, 0, 50 * 16 + 12), ST_OK);
        }
        best = MIN(best, clock_now() - t0);
    }
    return best;
}

static void fill(struct kit *k, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        struct co_party p = i % 3 ? kit_posix(1, i % 7) : kit_win(2, i % 5, 0);
        assert_int_equal(lock(k, p, i & 1 ? EX : 0, 16 * (uint64_t)i, 16 * (uint64_t)i + 7), ST_OK);
    }
}

static void test_many(void **state)
{
    struct kit *k = kit_new(NULL);
    struct co_stats s;
    fill(k, 0, 100);
    uint64_t few = cost(k, 2000);
    fill(k, 100, 100000);
    uint64_t many = cost(k, 2000);
    co_stats(k->co, &s);
    assert_int_equal(s.ranges, 100000);
    print_message("lock and unlock beside 100 ranges: %u ns, beside 100,000: %u ns\n", (unsigned)(few / 2000),
                  (unsigned)(many / 2000));
    assert_true(many < 12 * few + 1000000);
    co_client_gone(k->co, 1, k->now, &k->out);
    co_client_gone(k->co, 2, k->now, &k->out);
    kit_empty(k);
}

/* Nor does it matter that all the others are in the same place, or whose they are; nor to who reads there. */
static void test_crowd(void **state)
{
    enum { N = 20000 };
    struct kit *k = kit_new(NULL);
    struct co_party w = kit_win(2, 1, 0), p = kit_posix(9, 9);
    uint64_t took[2] = {0};
    for (unsigned n = 0; n <= N; n++) {
        if (n == 100 || n == N) {
            uint64_t t0 = clock_now();
            for (unsigned i = 0; i < 1000; i++) {
                assert_int_equal(lock(k, p, 0, 0, 9), ST_OK);
                assert_int_equal(kit_try(k, kit_anon(), kit_io(1, CO_READ, 0, 99)), ST_OK);
                assert_int_equal(kit_unlock(k, 1, p, 3, 4), ST_OK);
                assert_int_equal(kit_unlock(k, 1, p, 0, 9), ST_OK);
                assert_int_equal(kit_unlock(k, 1, w, 0, 50), n > 50 ? ST_OK : ST_NOLOCK);
                assert_int_equal(lock(k, w, 0, 0, 50), ST_OK);
            }
            took[n == N] = clock_now() - t0;
        }
        assert_int_equal(lock(k, n & 1 ? kit_posix(1, n + 1) : w, 0, 0, n & 1 ? 9 : n), ST_OK);
    }
    print_message("beside 100: %u ns, beside %u: %u ns\n", (unsigned)(took[0] / 1000), N, (unsigned)(took[1] / 1000));
    assert_true(took[1] < 12 * took[0] + 1000000);
    kit_close(k, 1, w);
    co_client_gone(k->co, 1, k->now, &k->out);
    kit_empty(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posix_split_merge), cmocka_unit_test(test_last_byte),
        cmocka_unit_test(test_windows_stack),     cmocka_unit_test(test_zero_length),
        cmocka_unit_test(test_elements),          cmocka_unit_test(test_model),
        cmocka_unit_test(test_many),              cmocka_unit_test(test_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
