/* world.h - a small world that explores the engine: four parties, their actions on one file numbered 0..n, and the
 * invariants that must hold after each. Looks inside (engine.h), so that it can see what no caller could. Shared by the
 * exhaustive exploration, the random walk and the fuzz target. */
#pragma once
#include "coherence/engine.h"
#include <stdio.h>

enum { WORLD_PARTIES = 4, WORLD_TICKETS = 4 };
struct world_ticket {
    struct co_ticket t;
    struct co_ask ask;
    unsigned wakes;
    enum { SLOT_FREE, SLOT_WAITING, SLOT_ENTERED } state;
    uint64_t waits_since;
    bool expired;           /* it went when its time was over, whoever had not answered */
};
struct world {
    struct co *co;
    struct co_key key;
    uint64_t now;
    struct co_party party[WORLD_PARTIES]; /* two Windows opens, one POSIX owner, nobody */
    struct world_ticket ticket[WORLD_TICKETS]; /* one each */
    uint8_t belief[2]; /* what the clients of the two opens think that they hold, when they are told */
    struct {
        uint64_t lease;
        uint8_t from;
    } untold[2][8];                       /* notifications that are not on their way yet, in order */
    unsigned n_untold[2];
    bool asked[2], last_oplock;
    enum st last_ack;
    const char *broken;                   /* the invariant that does not hold */
    unsigned long grants, waits, denials, breaks, revokes;
};

bool world_init(struct world *w, const struct co_policy *pol);
void world_done(struct world *w);
/* Everything is given back and the next file begins; false: something leaked. */
bool world_reset(struct world *w);
unsigned world_actions(void);
/* Does action number `a`; false: it makes no sense in this state (nothing was done). Sets w->broken. */
bool world_act(struct world *w, unsigned a);
void world_name(unsigned a, char *buf, size_t n);
/* What the engine holds on the file, as a number: equal states, equal numbers. */
uint64_t world_state(const struct world *w);
struct file *world_file(const struct world *w);
/* What the holder may still be doing: it has not heard yet of what was taken from it. */
uint8_t world_thinks(const struct world *w, const struct lease *l);
/* The reference: what co_enter() must answer to this ask, found the slow and obvious way (reference.c). ST_MAX: no
 * opinion. */
enum st reference_answer(const struct world *w, unsigned party, const struct co_ask *ask);
