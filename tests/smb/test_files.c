/* What is asked about files and set on them, byte by byte: information classes, directory levels, controls. */
#include "wire.h"
#include "smb/file.h"

static struct wire w;
static struct client c;
static uint64_t id[2];

static int start(void **state)
{
    wire_start(&w, NULL);
    client_ready(&c, &w, SMB_3_1_1);
    return 0;
}
static int stop(void **state)
{
    client_close(&c);
    wire_stop(&w);
    return 0;
}

static void put_id(void)
{
    client_u64(&c, id[0]);
    client_u64(&c, id[1]);
}

static uint32_t set_info(uint8_t class_, const void *p, size_t n)
{
    client_begin(&c, SMB2_SET_INFO);
    client_u16(&c, 33);
    client_u8(&c, 1);
    client_u8(&c, class_);
    client_u32(&c, (uint32_t)n);
    client_u32(&c, SMB2_HEADER + 32);
    client_u32(&c, 0);
    put_id();
    client_put(&c, p, n);
    assert_true(client_call(&c));
    return c.status;
}

/* *ret: the answer's data. */
static uint32_t query_info(uint8_t class_, uint32_t max, const uint8_t **ret, size_t *ret_n)
{
    client_begin(&c, SMB2_QUERY_INFO);
    client_u16(&c, 41);
    client_u8(&c, 1);
    client_u8(&c, class_);
    client_u32(&c, max);
    client_put(&c, (uint8_t[16]){0}, 16);
    put_id();
    assert_true(client_call(&c));
    *ret = c.reply + get_le16(c.reply + SMB2_HEADER + 2);
    *ret_n = get_le32(c.reply + SMB2_HEADER + 4);
    return c.status;
}

static uint32_t ioctl(uint32_t code, const void *p, size_t n, uint32_t max, const uint8_t **ret, size_t *ret_n)
{
    client_begin(&c, SMB2_IOCTL);
    client_u32(&c, 57);
    client_u32(&c, code);
    put_id();
    client_u32(&c, SMB2_HEADER + 56);
    client_u32(&c, (uint32_t)n);
    client_put(&c, (uint8_t[12]){0}, 12);
    client_u32(&c, max);
    client_u32(&c, 1);
    client_u32(&c, 0);
    client_put(&c, p, n);
    assert_true(client_call(&c));
    *ret = c.reply + get_le32(c.reply + SMB2_HEADER + 32);
    *ret_n = get_le32(c.reply + SMB2_HEADER + 36);
    return c.status;
}

static void write_file(const char *text, uint64_t at)
{
    client_begin(&c, SMB2_WRITE);
    client_u16(&c, 49);
    client_u16(&c, SMB2_HEADER + 48);
    client_u32(&c, (uint32_t)strlen(text));
    client_u64(&c, at);
    put_id();
    client_put(&c, (uint8_t[16]){0}, 16);
    client_put(&c, text, strlen(text));
    assert_true(client_call(&c));
    assert_int_equal(c.status, STATUS_SUCCESS);
}

static void open_file(const char *name, bool dir)
{
    assert_int_equal(client_create(&c, name, dir, id), STATUS_SUCCESS);
}
static void close_file(void)
{
    client_put_close(&c, id);
    assert_true(client_call(&c));
    assert_int_equal(c.status, STATUS_SUCCESS);
}

struct basic {
    uint64_t create, access, write, change;
    uint32_t attributes, reserved;
};
static struct basic basic(void)
{
    const uint8_t *p;
    size_t n;
    struct basic b;
    assert_int_equal(query_info(4, 40, &p, &n), STATUS_SUCCESS);
    assert_int_equal(n, 40);
    memcpy(&b, p, sizeof b);
    return b;
}

static void times(void **state)
{
    const uint64_t then = 126000000000000000u, freeze = UINT64_MAX, thaw = UINT64_MAX - 1;
    struct basic set = {.create = then, .access = then + 1, .write = then + 2, .change = then + 3}, got;
    open_file("times", false);
    assert_int_equal(set_info(4, &set, 40), STATUS_SUCCESS);
    write_file("behind it", 0);
    got = basic();
    assert_true(got.create == then && got.write == then + 2 && got.change == then + 3);
    set = (struct basic){.write = thaw, .change = thaw};
    assert_int_equal(set_info(4, &set, 40), STATUS_SUCCESS);
    write_file("now they move", 0);
    got = basic();
    assert_true(got.create == then && got.write != then + 2 && got.change != then + 3);
    set = (struct basic){.write = freeze};
    assert_int_equal(set_info(4, &set, 40), STATUS_SUCCESS);
    write_file("and now they do not", 0);
    struct basic later = basic();
    assert_true(later.write == got.write);
    set = (struct basic){.write = UINT64_MAX - 2};
    assert_int_equal(set_info(4, &set, 40), STATUS_INVALID_PARAMETER);
    close_file();
}

static void attributes(void **state)
{
    static const struct {
        bool dir;
        uint32_t set, status, shown;
    } t[] = {
        {false, FS_DOS_HIDDEN | FS_DOS_SYSTEM, STATUS_SUCCESS, FS_DOS_HIDDEN | FS_DOS_SYSTEM},
        {false, 0, STATUS_SUCCESS, FS_DOS_HIDDEN | FS_DOS_SYSTEM},
        {false, 0100755, STATUS_SUCCESS, FS_DOS_TEMPORARY | FS_DOS_ARCHIVE | FS_DOS_SYSTEM | FS_DOS_READONLY},
        {false, FS_DOS_NORMAL, STATUS_SUCCESS, FS_DOS_NORMAL},
        {false, FS_DOS_DIRECTORY, STATUS_INVALID_PARAMETER, FS_DOS_NORMAL},
        {true, FS_DOS_TEMPORARY, STATUS_INVALID_PARAMETER, FS_DOS_DIRECTORY},
        {true, FS_DOS_HIDDEN | FS_DOS_DIRECTORY, STATUS_SUCCESS, FS_DOS_HIDDEN | FS_DOS_DIRECTORY},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct basic set = {.attributes = t[i].set};
        open_file(t[i].dir ? "attributes dir" : "attributes", t[i].dir);
        assert_int_equal(set_info(4, &set, 40), t[i].status);
        assert_int_equal(basic().attributes, t[i].shown);
        if (t[i].shown & FS_DOS_READONLY) { /* else it could not be opened again for everything */
            set.attributes = FS_DOS_NORMAL;
            assert_int_equal(set_info(4, &set, 40), STATUS_SUCCESS);
        }
        close_file();
    }
}

/* Every level that has one gives the same id, and the name where it says. */
static void directory_levels(void **state)
{
    static const struct {
        uint8_t class_;
        size_t id, id128, short_name, name;
    } t[] = {
        {1, 0, 0, 0, 64},    {2, 0, 0, 0, 68},    {3, 0, 0, 68, 94},     {12, 0, 0, 0, 12},    {37, 96, 0, 68, 104},
        {38, 72, 0, 0, 80},  {60, 0, 72, 0, 88},  {63, 0, 72, 88, 114},  {78, 72, 0, 0, 80},   {79, 72, 0, 80, 106},
        {80, 72, 80, 0, 96}, {81, 72, 80, 96, 122},
    };
    const uint8_t *p;
    size_t n;
    open_file("levels", true);
    close_file();
    open_file("levels\\a long name.text", false);
    assert_int_equal(query_info(6, 8, &p, &n), STATUS_SUCCESS);
    uint64_t file = get_le64(p);
    close_file();
    open_file("levels", true);
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        client_begin(&c, SMB2_QUERY_DIRECTORY);
        client_u16(&c, 33);
        client_u8(&c, t[i].class_);
        client_u8(&c, 3); /* RESTART_SCANS, RETURN_SINGLE_ENTRY */
        client_u32(&c, 0);
        put_id();
        client_u16(&c, SMB2_HEADER + 32);
        client_u16(&c, 4);
        client_u32(&c, 4096);
        client_put(&c, "a\0*", 4);
        assert_true(client_call(&c));
        assert_int_equal(c.status, STATUS_SUCCESS);
        p = c.reply + get_le16(c.reply + SMB2_HEADER + 2);
        n = get_le32(c.reply + SMB2_HEADER + 4);
        assert_int_equal(n, t[i].name + 32);
        assert_memory_equal(p + t[i].name, "a\0 \0l\0o\0n\0g\0 \0n\0a\0m\0e\0.\0t\0e\0x\0t", 32);
        assert_int_equal(get_le32(p + (t[i].class_ == 12 ? 8 : 60)), 32);
        if (t[i].id)
            assert_int_equal(get_le64(p + t[i].id), file);
        if (t[i].id128)
            assert_true(get_le64(p + t[i].id128) == file && get_le64(p + t[i].id128 + 8) == 0);
        if (t[i].short_name)
            assert_true(p[t[i].short_name] == 24 && p[t[i].short_name + 1] == 0 && p[t[i].short_name + 2] == 'A');
    }
    close_file();
}

static void file_regions(void **state)
{
    static const struct {
        uint64_t from, length;
        uint32_t usage, max, status, entries, there;
        uint64_t first, bytes;
    } t[] = {
        {0, 100, 1, 4096, STATUS_SUCCESS, 1, 1, 0, 10},      {4, 3, 1, 4096, STATUS_SUCCESS, 1, 1, 4, 3},
        {10, 5, 1, 4096, STATUS_SUCCESS, 0, 0, 0, 0},        {0, 100, 1, 16, STATUS_BUFFER_OVERFLOW, 1, 0, 0, 0},
        {0, 100, 1, 15, STATUS_BUFFER_TOO_SMALL, 0, 0, 0, 0}, {0, 100, 0, 4096, STATUS_INVALID_PARAMETER, 0, 0, 0, 0},
        {UINT64_MAX, 1, 1, 4096, STATUS_INVALID_PARAMETER, 0, 0, 0, 0},
    };
    const uint8_t *p;
    size_t n;
    open_file("regions", false);
    write_file("0123456789", 0);
    assert_int_equal(ioctl(0x90284, "", 0, 4096, &p, &n), STATUS_SUCCESS);
    assert_int_equal(n, 40);
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        uint8_t in[24] = {0};
        put_le64(in, t[i].from);
        put_le64(in + 8, t[i].length);
        put_le32(in + 16, t[i].usage);
        assert_int_equal(ioctl(0x90284, in, sizeof in, t[i].max, &p, &n), t[i].status);
        if (t[i].status != STATUS_SUCCESS && t[i].status != STATUS_BUFFER_OVERFLOW)
            continue;
        assert_int_equal(n, 16 + 24 * t[i].there);
        assert_true(get_le32(p + 4) == t[i].entries && get_le32(p + 8) == t[i].there);
        if (t[i].there)
            assert_true(get_le64(p + 16) == t[i].first && get_le64(p + 24) == t[i].bytes && get_le32(p + 32) == 1);
    }
    close_file();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times), cmocka_unit_test(attributes), cmocka_unit_test(directory_levels),
        cmocka_unit_test(file_regions),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
