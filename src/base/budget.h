/* budget.h - how much of something each of many accounts has taken, so that none takes all of it. Counts without memory
 * of its own and without a lock: accounts fall into bins by a hash that nobody outside can choose, and those of one bin
 * share what each may have. Header only. Thread-safe. */
#pragma once
#include "util.h"
#include <stdatomic.h>

#define BUDGET_BINS 4096u

struct budget {
    _Atomic uint32_t used[BUDGET_BINS];
};

/* account: from hash_bytes(); 0 is nobody's and is neither counted nor limited. limit 0: none. */
static inline bool budget_allows(const struct budget *b, uint64_t account, uint32_t limit, uint32_t more)
{
    return !account || !limit ||
           atomic_load_explicit(&b->used[account % BUDGET_BINS], memory_order_relaxed) + (uint64_t)more <= limit;
}
static inline void budget_take(struct budget *b, uint64_t account)
{
    if (account)
        atomic_fetch_add_explicit(&b->used[account % BUDGET_BINS], 1, memory_order_relaxed);
}
static inline void budget_give(struct budget *b, uint64_t account)
{
    if (account)
        atomic_fetch_sub_explicit(&b->used[account % BUDGET_BINS], 1, memory_order_relaxed);
}
