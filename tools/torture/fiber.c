/* fiber.c - see fiber.h. */
#include "fiber.h"

enum { STACK = 256 << 10, TURN = 50 /* ms */ };

static void enter(unsigned low, unsigned high)
{
    struct fiber *f = (struct fiber *)(((uintptr_t)high << 32) | low);
    f->main(f->arg);
    f->ended = true;
}

void fiber_start(struct fibers *fs, struct fiber *f, void (*main)(void *arg), void *arg)
{
    uintptr_t p = (uintptr_t)f;
    *f = (struct fiber){.main = main, .arg = arg, .stack = malloc(STACK)};
    if (!f->stack || getcontext(&f->context) < 0)
        torture_fail("out of memory");
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK;
    f->context.uc_link = &fs->scheduler;
    makecontext(&f->context, (void (*)(void))enter, 2, (unsigned)p, (unsigned)(p >> 32));
    list_append(&fs->all, &f->link);
}

void fiber_done(struct fiber *f)
{
    list_remove(&f->link);
    free(f->stack);
}

static bool ready(const struct fiber *f, uint64_t now)
{
    if (f->ended)
        return false;
    if (f->call)
        return f->call->done;
    return now >= f->wake_at || (f->until && f->until(f->arg));
}

static bool any_ready(void *arg)
{
    struct fibers *fs = arg;
    struct fiber *f;
    uint64_t now = wire_now();
    list_each(f, &fs->all, link)
        if (ready(f, now))
            return true;
    return false;
}

bool fiber_run(struct fibers *fs, uint64_t limit)
{
    struct fiber *f;
    for (bool left = true; left && wire_now() < limit;) {
        uint64_t now = wire_now(), next = now + TURN * NSEC_PER_MSEC;
        left = false;
        list_each(f, &fs->all, link) {
            if (ready(f, wire_now())) {
                fs->running = f;
                swapcontext(&fs->scheduler, &f->context);
            }
            left |= !f->ended;
            if (!f->ended && !f->call)
                next = MIN(next, f->wake_at);
        }
        wire_idle(fs->wire, 0); /* also when somebody is always ready */
        wire_wait(fs->wire, next > now ? (unsigned)((next - now) / NSEC_PER_MSEC) + 1 : 1, any_ready, fs);
    }
    list_each(f, &fs->all, link)
        if (!f->ended)
            return false;
    return true;
}

static void give_way(struct fibers *fs)
{
    struct fiber *f = fs->running;
    swapcontext(&f->context, &fs->scheduler);
}

void fiber_wait(struct fibers *fs, struct call *c)
{
    fs->running->call = c;
    while (!c->done)
        give_way(fs);
    fs->running->call = NULL;
}

uint32_t fiber_call(struct fibers *fs, struct call *c, struct call_result *ret)
{
    fiber_wait(fs, c);
    uint32_t status = c->status;
    if (ret)
        *ret = c->r;
    call_free(c);
    return status;
}

void fiber_until(struct fibers *fs, bool (*done)(void *arg), void *arg, unsigned ms)
{
    struct fiber *f = fs->running;
    void *own = f->arg;
    f->wake_at = wire_now() + ms * NSEC_PER_MSEC;
    f->until = done;
    f->arg = arg;
    give_way(fs);
    f->arg = own;
    f->until = NULL;
}

void fiber_sleep(struct fibers *fs, unsigned ms) { fiber_until(fs, NULL, NULL, ms); }
