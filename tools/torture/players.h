/* players.h - a random history: many clients of both protocols work on the same few files at once, with caching, locks,
 * truncations, renames over one another, deletes and crashes, theirs and the server's; then what they saw is checked
 * (history.h). */
#pragma once
#include "target.h"

struct play {
    unsigned clients, seconds, kills;
    uint64_t seed;
};
/* Prints what happened and the verdict. True: nothing is wrong. */
bool players_run(struct wire *w, struct target *t, const struct play *play);
