/* libFuzzer target: the input is a string of actions of the small world (tests/coherence/world.c), which checks the
 * engine's invariants and a slow reading of the rules after each. The first byte chooses the policy. */
#include "../../tests/coherence/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void policy_of(uint8_t bits, struct co_policy *pol)
{
    co_policy_default(pol);
    pol->delete_break_all = bits & 1;
    pol->delete_wait = !(bits & 2);
    pol->nlm_break_deny = bits & 4;
    pol->lock_break_write = bits & 8;
    pol->on_break_timeout = bits & 16 ? CO_CLOSE : CO_REVOKE;
    pol->regrant_holdoff = bits & 32 ? 0 : pol->regrant_holdoff;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct world w;
    struct co_policy pol;
    if (!w.co) {
        co_policy_default(&pol);
        if (!world_init(&w, &pol))
            return 0;
    }
    if (n == 0)
        return 0;
    policy_of(data[0], &pol);
    co_set_policy(w.co, &pol);
    for (size_t i = 1; i < n && i < 512; i++) {
        world_act(&w, data[i] % world_actions());
        if (w.broken) {
            fprintf(stderr, "%s\n", w.broken);
            abort();
        }
    }
    if (!world_reset(&w))
        abort();
    return 0;
}
