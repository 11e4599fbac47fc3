/* history.h - what many clients did to shared registers, and whether it can have happened in one order that agrees with
 * time (linearizability, Herlihy and Wing). A register is a place in a file; every value is written once at most, so a
 * history is checked in O(n log n) (Gibbons and Korach: zones). Times are ns of one clock. */
#pragma once
#include "base/util.h"

#define HISTORY_NEVER UINT64_MAX /* response: the answer never came */
enum history_kind { HISTORY_READ, HISTORY_WRITE, HISTORY_ERASE }; /* ERASE: to zero, by truncation */

struct history_op {
    uint64_t reg, value;          /* value 0: erased, or never written */
    uint64_t invoked, responded;
    enum history_kind kind;
    uint16_t who;
    uint8_t cached;               /* it never left the client: by which right, for people (0: it did) */
};
struct history_lost { /* values of a register */
    uint64_t reg, first, last;
};
struct history {
    struct history_op *op;
    size_t n, cap;
    struct history_lost *lost;
    size_t nlost, lost_cap;
};
size_t history_add(struct history *h, const struct history_op *op); /* its index */
void history_done(struct history *h);
/* The writes of these values, and what read them, were lost with their client's cache: left out when it is checked. */
void history_drop(struct history *h, uint64_t reg, uint64_t first, uint64_t last);
/* The number of registers whose history has no order; describes the first ones. The operations are sorted. */
size_t history_check(struct history *h, void (*explain)(const struct history_op *a, const struct history_op *b,
                                                        const char *what));
