/* Create contexts, extended attribute lists and symbolic link buffers: what is read, and what is refused. */
#include "tests/base/cm.h"
#include "smb/create_contexts.h"
#include "smb/reparse.h"

static struct arena arena;
static uint8_t buf[1024];
static size_t len, last;

static void reset(void) { len = last = 0; }

/* Appends a context whose data lies right behind its name. */
static void context(const char *name, size_t nname, const void *data, size_t n)
{
    if (len) {
        len = ALIGN_UP(len, (size_t)8);
        put_le32(buf + last, (uint32_t)(len - last));
    }
    last = len;
    memset(buf + len, 0, sizeof buf - len);
    put_le16(buf + len + 4, 16);
    put_le16(buf + len + 6, (uint16_t)nname);
    put_le16(buf + len + 10, (uint16_t)(n ? ALIGN_UP(16 + nname, (size_t)8) : 0));
    put_le32(buf + len + 12, (uint32_t)n);
    memcpy(buf + len + 16, name, nname);
    size_t at = len + ALIGN_UP(16 + nname, (size_t)8);
    if (n)
        memcpy(buf + at, data, n);
    len = at + n;
}

static uint32_t decode(uint16_t dialect, struct smb_create_contexts *cx)
{
    return smb_create_contexts_decode(&arena, cursor_of(buf, len), dialect, cx);
}

static void known(void **state)
{
    static const uint8_t alsi[8] = {0, 0, 0x10}, lease[52] = {[0] = 1, [16] = 7, [20] = 4, [32] = 9, [48] = 5};
    struct smb_create_contexts cx;
    reset();
    context("MxAc", 4, NULL, 0);
    context("QFid", 4, NULL, 0);
    context("FooO", 4, "xyz", 3);
    context("AlSi", 4, alsi, 8);
    context("RqLs", 4, lease, 52);
    assert_int_equal(decode(SMB_3_1_1, &cx), STATUS_SUCCESS);
    assert_true(cx.mxac && cx.qfid && cx.has_alloc && !cx.aapl);
    assert_int_equal(cx.alloc, 0x100000);
    assert_int_equal(cx.lease_version, 2);
    assert_int_equal(cx.lease_state, 7);
    assert_int_equal(cx.lease_epoch, 5);
    assert_int_equal(cx.parent_key[0], 9);
    assert_int_equal(decode(SMB_2_1_0, &cx), STATUS_SUCCESS);
    assert_int_equal(cx.lease_version, 0);
}

static void refused(void **state)
{
    struct smb_create_contexts cx;
    reset();
    context("xxx", 3, NULL, 0); /* names have at least four bytes */
    assert_int_equal(decode(SMB_3_1_1, &cx), STATUS_INVALID_PARAMETER);
    reset();
    context("AlSi", 4, "1234", 4);
    assert_int_equal(decode(SMB_3_1_1, &cx), STATUS_INVALID_PARAMETER);
    reset();
    context("MxAc", 4, NULL, 0);
    put_le32(buf, 24); /* the next would lie behind the end */
    assert_int_equal(decode(SMB_3_1_1, &cx), STATUS_INVALID_PARAMETER);
    reset();
    context("MxAc", 4, NULL, 0);
    put_le16(buf + 10, 24);
    put_le32(buf + 12, 8); /* data that is not there */
    assert_int_equal(decode(SMB_3_1_1, &cx), STATUS_INVALID_PARAMETER);
}

static void eas(void **state)
{
    static const uint8_t list[] = {16, 0, 0, 0, 0, 3, 2, 0, 'O', 'N', 'E', 0, '1', '2', 0, 0,
                                   0,  0, 0, 0, 0, 1, 0, 0, 'X', 0};
    const struct fs_ea *ea;
    size_t n;
    uint8_t bad[sizeof list];
    assert_int_equal(smb_ea_decode(&arena, cursor_of(list, sizeof list), &ea, &n), STATUS_SUCCESS);
    assert_int_equal(n, 2);
    assert_memory_equal(ea[0].name, "ONE", 3);
    assert_int_equal(ea[0].nvalue, 2);
    assert_int_equal(ea[1].nvalue, 0);
    for (size_t cut = 1; cut < sizeof list; cut++)
        assert_int_equal(smb_ea_decode(&arena, cursor_of(list, cut), &ea, &n), STATUS_EA_LIST_INCONSISTENT);
    memcpy(bad, list, sizeof list);
    bad[8] = '*';
    assert_int_equal(smb_ea_decode(&arena, cursor_of(bad, sizeof bad), &ea, &n), STATUS_INVALID_EA_NAME);
    bad[8] = 'O';
    bad[0] = 4; /* overlaps itself */
    assert_int_equal(smb_ea_decode(&arena, cursor_of(bad, sizeof bad), &ea, &n), STATUS_EA_LIST_INCONSISTENT);
}

static void symlinks(void **state)
{
    static const char *const targets[] = {"a", "../b/c", "/abs/olute", "dir with blank/."};
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        struct wbuf w;
        char *back;
        size_t n;
        wbuf_init(&w, 256, 16384);
        smb_symlink_encode(&w, targets[i], strlen(targets[i]), 0);
        struct cursor c = cursor_of(wbuf_at(&w, 0), wbuf_len(&w));
        assert_int_equal(smb_symlink_decode(&arena, c, &back, &n), STATUS_SUCCESS);
        assert_int_equal(n, strlen(targets[i]));
        assert_string_equal(back, targets[i]);
        c.end--;
        assert_int_equal(smb_symlink_decode(&arena, c, &back, &n), STATUS_IO_REPARSE_DATA_INVALID);
        wbuf_done(&w);
    }
}

int main(void)
{
    arena_init(&arena);
    const struct CMUnitTest tests[] = {cmocka_unit_test(known), cmocka_unit_test(refused), cmocka_unit_test(eas),
                                       cmocka_unit_test(symlinks)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_reset(&arena);
    return failed;
}
