/* The judge is judged: histories that can have happened are accepted, and each that cannot is rejected, with a
 * reason. */
#include "tools/torture/history.h"
#include "tools/torture/wire.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define R HISTORY_READ
#define W HISTORY_WRITE
#define E HISTORY_ERASE
#define NEVER HISTORY_NEVER

void torture_fail(const char *format, ...) /* of wire.c */
{
    fprintf(stderr, "%s\n", format);
    exit(2);
}

static const char *why;
static void explain(const struct history_op *a, const struct history_op *b, const char *what) { why = what; }

struct step {
    enum history_kind kind;
    uint64_t value, invoked, responded;
};
/* The reason, or NULL: it has an order. In any order of being noted down. */
#define JUDGE(...) \
    judge((const struct step[]){__VA_ARGS__}, sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step))
static const char *judge(const struct step *s, size_t n)
{
    const char *found = NULL;
    for (int backwards = 0; backwards < 2; backwards++) {
        struct history h = {0};
        why = NULL;
        for (size_t i = 0; i < n; i++) {
            const struct step *x = &s[backwards ? n - 1 - i : i];
            history_add(&h, &(struct history_op){.reg = 3, .kind = x->kind, .value = x->value, .invoked = x->invoked,
                                                 .responded = x->responded});
            /* another register's history beside it makes no difference */
            history_add(&h, &(struct history_op){.reg = 4 + backwards, .kind = W, .value = 100 + i, .invoked = 10 * i,
                                                 .responded = 10 * i + 5});
        }
        size_t wrong = history_check(&h, explain);
        assert_int_equal(wrong, why ? 1 : 0);
        history_done(&h);
        if (backwards)
            assert_true(found == why);
        found = why;
    }
    return found;
}
#define ACCEPTED(...) assert_null(JUDGE(__VA_ARGS__))
#define REJECTED(reason, ...)                                                                                          \
    do {                                                                                                               \
        const char *why_ = JUDGE(__VA_ARGS__);                                                                         \
        assert_non_null(why_);                                                                                         \
        assert_string_equal(why_, reason);                                                                             \
    } while (0)

static void what_can_have_happened(void **state)
{
    ACCEPTED({R, 0, 0, 1});
    ACCEPTED({W, 1, 0, 10}, {R, 1, 11, 12}, {W, 2, 20, 30}, {R, 2, 31, 40});
    ACCEPTED({W, 1, 0, 10}, {R, 1, 5, 6}, {R, 0, 1, 4});                   /* seen, or not yet, while it goes on */
    ACCEPTED({W, 1, 0, 10}, {W, 2, 5, 15}, {R, 2, 16, 17}, {R, 1, 6, 14}); /* two at once, in either order */
    ACCEPTED({W, 1, 0, 10}, {W, 2, 5, 15}, {R, 1, 16, 17});
    ACCEPTED({W, 1, 0, 10}, {R, 1, 20, 40}, {W, 2, 25, 35}); /* read while it is overwritten */
    ACCEPTED({W, 1, 0, NEVER}, {R, 0, 5, 6});                /* the answer was lost: it did not happen, */
    ACCEPTED({W, 1, 0, NEVER}, {R, 0, 5, 6}, {R, 1, 50, 51}); /* or it did, late */
    ACCEPTED({W, 1, 0, 10}, {E, 0, 11, 20}, {R, 0, 21, 22}, {W, 2, 23, 24}, {R, 2, 25, 26});
    ACCEPTED({W, 1, 0, 10}, {E, 0, 11, NEVER}, {R, 1, 21, 22}, {R, 0, 30, 31});
    ACCEPTED({W, 1, 0, 10}, {E, 0, 5, 15}, {R, 0, 16, 17});
}

static void what_cannot(void **state)
{
    /* a stale read: of a cache whose holder was not told, or by somebody who did not wait */
    REJECTED("reads what had been overwritten before", {W, 1, 0, 10}, {W, 2, 20, 30}, {R, 1, 31, 32});
    REJECTED("both values were there at once", {W, 1, 0, 10}, {W, 2, 20, 30}, {R, 2, 31, 32}, {R, 1, 32, 33});
    REJECTED("both values were there at once", {W, 1, 0, 10}, {R, 1, 11, 12}, {W, 2, 20, 30}, {R, 1, 31, 32},
             {R, 2, 40, 41});
    REJECTED("reads what had been overwritten before", {W, 1, 0, 10}, {E, 0, 20, 30}, {R, 1, 31, 32});
    /* it goes back and forth */
    REJECTED("both values were there at once", {W, 1, 0, 100}, {W, 2, 0, 100}, {R, 1, 101, 102}, {R, 2, 103, 104},
             {R, 1, 105, 106});
    /* what was acknowledged is lost */
    REJECTED("reads nothing where something had been written", {W, 1, 0, 10}, {R, 0, 11, 12});
    REJECTED("reads nothing where something had been written", {E, 0, 0, 5}, {W, 1, 6, 10}, {R, 0, 11, 12});
    /* a size that is older than the data */
    REJECTED("reads nothing where something had been written", {W, 1, 0, 10}, {R, 0, 11, 12}, {E, 0, 13, 20});
    REJECTED("reads what nobody wrote", {R, 7, 0, 10});
    REJECTED("reads what is written only later", {R, 1, 0, 10}, {W, 1, 11, 20});
}

static void what_is_lost_with_a_cache(void **state)
{
    struct history h = {0};
    for (uint64_t v = 1; v <= 3; v++) {
        history_add(&h,
                    &(struct history_op){.reg = 3, .kind = W, .value = v, .invoked = 10 * v, .responded = 10 * v + 1});
        history_add(
            &h, &(struct history_op){.reg = 3, .kind = R, .value = v, .invoked = 10 * v + 2, .responded = 10 * v + 3});
    }
    history_add(&h, &(struct history_op){.reg = 3, .kind = R, .value = 1, .invoked = 50, .responded = 51});
    history_drop(&h, 3, 2, 3);
    assert_int_equal(history_check(&h, explain), 0);
    assert_int_equal(h.n, 3);
    history_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_have_happened),
        cmocka_unit_test(what_cannot),
        cmocka_unit_test(what_is_lost_with_a_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
