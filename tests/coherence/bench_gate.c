/* What the gate costs: nanoseconds for a pair of co_enter() and co_leave(), best of a few. A tool, not a test. */
#include "base/clock.h"
#include "coherence/coherence.h"
#include <stdio.h>

enum { PAIRS = 1000000 };
static void wake(struct co_ticket *t) { (void)t; }

static void measure(struct co *co, const char *what, const struct co_party *p, const struct co_ask *ask)
{
    uint64_t best = UINT64_MAX;
    for (int r = 0; r < 5; r++) {
        uint64_t t0 = clock_now();
        for (int i = 0; i < PAIRS; i++) {
            struct co_ticket t = {.wake = wake};
            struct co_out out = {0};
            if (co_enter(co, &t, p, ask, 1, 1, &out) == ST_OK)
                co_leave(co, &t, 1, &out);
            co_out_done(&out);
        }
        uint64_t ns = clock_now() - t0;
        best = ns < best ? ns : best;
    }
    printf("%-50s %6.1f ns\n", what, (double)best / PAIRS);
}

/* Many requests parked on one lease: queued, let go by the acknowledgement, run again. */
enum { PARKED = 10000 };
static void measure_parked(struct co *co, const struct co_party *holder, const struct co_party *nobody)
{
    static struct co_ticket t[PARKED];
    struct co_key key = {1, 44, 1};
    struct co_ask open = {.key = key, .op = CO_OPEN, .access = CO_ACC_READ}, *o = &open;
    struct co_ask read = {.key = key, .op = CO_READ, .flags = CO_ADVISORY, .last = 4095};
    struct co_ticket h = {.wake = wake};
    struct co_out out = {0};
    uint16_t epoch;
    bool breaking;
    co_enter(co, &h, holder, o, 1, 1, &out);
    co_leave(co, &h, 1, &out);
    co_lease(co, &key, holder, CO_OPLOCK, CO_R | CO_W, 0, 0, 1, &epoch, &breaking);
    uint64_t t0 = clock_now();
    for (int i = 0; i < PARKED; i++) {
        t[i] = (struct co_ticket){.wake = wake};
        co_enter(co, &t[i], nobody, &read, 1, 1, &out);
    }
    uint64_t t1 = clock_now();
    co_ack(co, &key, holder, CO_OPLOCK, CO_R, 1, &out);
    uint64_t t2 = clock_now();
    for (int i = 0; i < PARKED; i++) {
        co_enter(co, &t[i], nobody, &read, 1, 1, &out);
        co_leave(co, &t[i], 1, &out);
    }
    uint64_t t3 = clock_now();
    printf("%d parked on one oplock: park %.0f ns, wake %.0f ns, run again %.0f ns each\n", PARKED,
           (double)(t1 - t0) / PARKED, (double)(t2 - t1) / PARKED, (double)(t3 - t2) / PARKED);
    co_close(co, &key, holder, 0, 1, &out);
    co_out_done(&out);
}

int main(void)
{
    struct co_policy pol;
    struct co *co;
    co_policy_default(&pol);
    if (co_create(&pol, &co) != ST_OK)
        return 1;
    struct co_key key = {1, 42, 1}, busy = {1, 43, 1};
    struct co_party nobody = {.flavour = CO_POSIX}, smb = {.flavour = CO_WINDOWS, .client = 1, .open = 1};
    struct co_ask read = {.key = key, .op = CO_READ, .flags = CO_ADVISORY, .last = 4095};
    struct co_ask open = {.key = busy, .op = CO_OPEN, .access = CO_ACC_READ | CO_ACC_WRITE};
    struct co_ask io = {.key = busy, .op = CO_WRITE, .flags = CO_DENY_NOWAIT, .last = 4095};
    struct co_ticket t = {.wake = wake};
    struct co_out out = {0};
    uint16_t epoch;
    bool breaking;
    measure(co, "read of a file without state", &nobody, &read);
    co_enter(co, &t, &smb, &open, 1, 1, &out);
    co_leave(co, &t, 1, &out);
    measure(co, "write through an open", &smb, &io);
    co_lease(co, &busy, &smb, CO_OPLOCK, CO_R | CO_W | CO_H, 0, 0, 1, &epoch, &breaking);
    measure(co, "write through an open with a batch oplock", &smb, &io);
    co_close(co, &busy, &smb, 0, 1, &out);
    measure_parked(co, &smb, &nobody);
    co_out_done(&out);
    co_free(co);
    return 0;
}
