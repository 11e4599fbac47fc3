/* fiber.h - straight lines that wait: each player's program runs on a stack of its own and gives way while it waits
 * for an answer. One thread; the scheduler is fiber_run(). */
#pragma once
#include "wire.h"
#include <ucontext.h>

struct fiber {
    struct list link;
    ucontext_t context;
    void *stack;
    void (*main)(void *arg);
    void *arg;
    struct call *call;            /* waits for its answer; or */
    bool (*until)(void *arg);     /* for this; or */
    uint64_t wake_at;             /* for a time */
    bool ended;
};
struct fibers {
    struct list all;
    struct wire *wire;
    ucontext_t scheduler;
    struct fiber *running;
};
void fiber_start(struct fibers *fs, struct fiber *f, void (*main)(void *arg), void *arg);
/* Runs all of them until each has ended, or `limit` (ns, wire_now()) has passed. True: all have ended. */
bool fiber_run(struct fibers *fs, uint64_t limit);
void fiber_done(struct fiber *f);

/* From within one: waits. fiber_call() also frees the call and gives its status. */
void fiber_wait(struct fibers *fs, struct call *c);
uint32_t fiber_call(struct fibers *fs, struct call *c, struct call_result *ret);
void fiber_sleep(struct fibers *fs, unsigned ms);
void fiber_until(struct fibers *fs, bool (*done)(void *arg), void *arg, unsigned ms); /* until done(), or ms are over */
