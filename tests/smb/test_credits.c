/* The command sequence window. */
#include "tests/base/cm.h"
#include "smb/internal.h"

static void in_order(void **state)
{
    struct smb_credits *k = smb_credits_new(16);
    assert_false(smb_credits_consume(k, 1, 1)); /* only id 0 was given */
    assert_true(smb_credits_consume(k, 0, 1));
    assert_false(smb_credits_consume(k, 0, 1));
    assert_int_equal(smb_credits_grant(k, 1, 1, false), 1);
    assert_true(smb_credits_consume(k, 1, 1));
    assert_int_equal(smb_credits_grant(k, 1, 100, true), 16);
    assert_false(smb_credits_consume(k, 18, 1));
    for (uint64_t id = 2; id < 18; id++)
        assert_true(smb_credits_consume(k, id, 1));
    assert_false(smb_credits_consume(k, 18, 1));
    smb_credits_free(k);
}

/* An id left out keeps the window where it is: the client starves itself, and gets all back when it uses it. */
static void skipped(void **state)
{
    struct smb_credits *k = smb_credits_new(64);
    assert_true(smb_credits_consume(k, 0, 1));
    assert_int_equal(smb_credits_grant(k, 1, 64, true), 64);
    unsigned used = 0, granted = 0;
    for (uint64_t id = 2; smb_credits_consume(k, id, 1); id++, used++)
        granted += smb_credits_grant(k, 1, 64, true);
    assert_int_equal(used, 63);
    assert_int_equal(granted, 0);
    assert_true(smb_credits_consume(k, 1, 1));
    assert_int_equal(smb_credits_grant(k, 1, 64, true), 64);
    smb_credits_free(k);
}

static void charges(void **state)
{
    struct smb_credits *k = smb_credits_new(64);
    assert_true(smb_credits_consume(k, 0, 1));
    assert_int_equal(smb_credits_grant(k, 1, 10, true), 10);
    assert_false(smb_credits_consume(k, 1, 11));
    assert_true(smb_credits_consume(k, 1, 4));
    assert_false(smb_credits_consume(k, 4, 1));
    assert_true(smb_credits_consume(k, 5, 1));
    assert_int_equal(smb_credits_grant(k, 4, 0, true), 4); /* at least what was spent */
    assert_false(smb_credits_consume(k, UINT64_MAX, 1));
    assert_false(smb_credits_consume(k, UINT64_MAX - 1, 4));
    smb_credits_free(k);
}

/* However it is used, no more than `max` are ever open, and no id is accepted twice. */
static void random_use(void **state)
{
    struct smb_credits *k = smb_credits_new(32);
    static bool seen[20000];
    unsigned open = 1;
    uint64_t low = 0;
    srand(1);
    for (int i = 0; i < 20000; i++) {
        uint64_t id = low + (uint64_t)(rand() % 40);
        uint16_t charge = (uint16_t)(1 + rand() % 3);
        if (id + charge >= ARRAY_LEN(seen))
            break;
        if (smb_credits_consume(k, id, charge)) {
            for (uint16_t j = 0; j < charge; j++) {
                assert_false(seen[id + j]);
                seen[id + j] = true;
            }
            open -= charge;
            open += smb_credits_grant(k, charge, (uint16_t)(rand() % 8), true);
            assert_true(open <= 32);
        } else if (open) { /* a refused one may have marked some: only a closed connection follows; start again */
            smb_credits_free(k);
            k = smb_credits_new(32);
            memset(seen, 0, sizeof seen);
            open = 1;
            low = 0;
            continue;
        }
        while (seen[low])
            low++;
    }
    smb_credits_free(k);
}

static void statuses(void **state)
{
    for (int st = 0; st < ST_MAX; st++) {
        uint32_t got = smb_status((enum st)st);
        if (st == ST_OK)
            assert_int_equal(got, STATUS_SUCCESS);
        else
            assert_int_not_equal(got, STATUS_SUCCESS);
        if (got == STATUS_INTERNAL_ERROR && st != ST_SERVERFAULT)
            fail_msg("%s has no NTSTATUS", st_name((enum st)st));
    }
    assert_int_equal(smb_status(ST_MAX), STATUS_INTERNAL_ERROR);
    assert_int_equal(smb_status((enum st)-1), STATUS_INTERNAL_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order), cmocka_unit_test(skipped), cmocka_unit_test(charges), cmocka_unit_test(random_use),
        cmocka_unit_test(statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
