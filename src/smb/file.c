/* file.c - see file.h. */
#include "file.h"
#include "internal.h"
#include "base/utf.h"
#include "fs/names.h"

/* Seconds between 1601-01-01 and 1970-01-01. */
#define NT_EPOCH 11644473600ll
#define NT_PER_SEC 10000000ll
/* names.h: what Windows cannot express, as private-use code points */
enum { NAME_PRIVATE = 0xF000, NAME_LAST_BLANK = 0xF028, NAME_LAST_DOT = 0xF029 };

uint64_t smb_time(const struct timespec *t)
{
    if (t->tv_sec < -NT_EPOCH || t->tv_sec > INT64_MAX / NT_PER_SEC - NT_EPOCH)
        return 0;
    return (uint64_t)(((int64_t)t->tv_sec + NT_EPOCH) * NT_PER_SEC + t->tv_nsec / 100);
}

struct timespec smb_time_to_timespec(uint64_t nt)
{
    return (struct timespec){
        .tv_sec = (time_t)((int64_t)(nt / (uint64_t)NT_PER_SEC) - NT_EPOCH),
        .tv_nsec = (long)(nt % (uint64_t)NT_PER_SEC) * 100,
    };
}

void smb_act_for(struct smb_req *r, struct smb_open *o)
{
    if (!o->fso)
        return;
    r->fs.share = o->fso->share;
    r->fs.party = &o->fso->party;
    r->fs.cred = &o->fso->cred;
    r->fs.read_only = o->tree->read_only;
}

void smb_act_again(struct smb_req *r, struct smb_open *o)
{
    if (!r->opens[0])
        r->opens[0] = smb_open_ref(o);
    smb_act_for(r, o);
}

uint32_t smb_any_open(struct smb_req *r, struct smb_open **ret)
{
    struct smb_open *o = smb_open_find(r);
    if (!o)
        return STATUS_FILE_CLOSED;
    uint32_t status = smb_replay_check(r, o);
    if (status != STATUS_SUCCESS)
        return status;
    smb_act_for(r, o);
    *ret = o;
    return STATUS_SUCCESS;
}

uint32_t smb_file_open(struct smb_req *r, struct smb_open **ret)
{
    uint32_t status = smb_any_open(r, ret);
    return status == STATUS_SUCCESS && !(*ret)->fso ? STATUS_INVALID_DEVICE_REQUEST : status;
}

static uint32_t unit_at(const uint8_t *utf16, size_t i)
{
    return get_le16(utf16 + 2 * i);
}

/* A '/' can be in no name on either side: clients that write it mean a separator. */
static bool is_separator(uint32_t unit) { return unit == '\\' || unit == '/'; }

static bool type_is(const uint8_t *utf16, size_t n, const char *type)
{
    size_t len = strlen(type);
    if (n != len)
        return false;
    for (size_t i = 0; i < n; i++)
        if (utf_upcase(unit_at(utf16, i)) != (uint8_t)type[i])
            return false;
    return true;
}

/* In a stream's name all characters but these are allowed; names.h knows those of files. So what it refuses goes
 * through as the private-use code point that stands for it on the server, and smb_put_stream() turns it back. */
static bool is_private(uint32_t unit) { return unit > NAME_PRIVATE && unit < NAME_PRIVATE + 0x80; }
static uint32_t to_private(uint32_t unit, bool last)
{
    static const char refused[] = "\"*<>?|";
    if (last && (unit == ' ' || unit == '.'))
        return unit == ' ' ? NAME_LAST_BLANK : NAME_LAST_DOT;
    return unit && (unit < 0x20 || (unit < 0x80 && strchr(refused, (int)unit))) ? NAME_PRIVATE + unit : unit;
}

static uint32_t stream_name(struct arena *a, const uint8_t *utf16, size_t n, struct smb_path *ret)
{
    size_t cap = 3 * n + 1, len;
    uint8_t *units = arena_alloc(a, 2 * n);
    ret->stream = arena_alloc(a, cap);
    if (!units || !ret->stream)
        return STATUS_INSUFFICIENT_RESOURCES;
    for (size_t i = 0; i < n; i++)
        put_le16(units + 2 * i, (uint16_t)to_private(unit_at(utf16, i), i == n - 1));
    enum st st = name_from_windows(units, 2 * n, 0, ret->stream, cap, &len);
    return st == ST_OK ? STATUS_SUCCESS : STATUS_OBJECT_NAME_INVALID;
}

/* [MS-FSCC] 2.1.5: ":stream", ":stream:$DATA", "::$DATA", ":$I30:$INDEX_ALLOCATION". `utf16` starts behind the first
 * colon; n in units. */
static uint32_t stream_split(struct arena *a, const uint8_t *utf16, size_t n, struct smb_path *ret)
{
    size_t colon = 0;
    while (colon < n && unit_at(utf16, colon) != ':')
        colon++;
    if (colon < n) {
        const uint8_t *type = utf16 + 2 * (colon + 1);
        size_t ntype = n - colon - 1;
        if (type_is(type, ntype, "$INDEX_ALLOCATION") && (colon == 0 || type_is(utf16, colon, "$I30"))) {
            ret->directory = true;
            return STATUS_SUCCESS;
        }
        if (!type_is(type, ntype, "$DATA"))
            return STATUS_OBJECT_NAME_INVALID;
        if (colon == 0) {
            ret->data = true;
            return STATUS_SUCCESS;
        }
    }
    if (colon == 0)
        return STATUS_OBJECT_NAME_INVALID;
    return stream_name(a, utf16, colon, ret);
}

uint32_t smb_stream_parse(struct arena *a, const uint8_t *utf16, size_t nbytes, struct smb_path *ret)
{
    *ret = (struct smb_path){0};
    if (nbytes < 2 || nbytes % 2 || unit_at(utf16, 0) != ':')
        return STATUS_INVALID_PARAMETER;
    for (size_t i = 0; i < nbytes / 2; i++)
        if (is_separator(unit_at(utf16, i)))
            return STATUS_OBJECT_NAME_INVALID;
    return stream_split(a, utf16 + 2, nbytes / 2 - 1, ret);
}

/* Turns '/' into '\\' and lets ".." take back the component before it, in place. False: it leads out of the share. */
static bool path_tidy(uint8_t *units, size_t *n)
{
    size_t out = 0, start = 0;
    for (size_t i = 0; i <= *n; i++) {
        if (i < *n && !is_separator(unit_at(units, i)))
            continue;
        if (i - start == 2 && unit_at(units, start) == '.' && unit_at(units, start + 1) == '.') {
            if (!out)
                return false;
            for (out--; out && unit_at(units, out - 1) != '\\';)
                out--;
        } else {
            for (; start < i; start++)
                put_le16(units + 2 * out++, (uint16_t)unit_at(units, start));
            if (i < *n)
                put_le16(units + 2 * out++, '\\');
        }
        start = i + 1;
    }
    if (out && *n && !is_separator(unit_at(units, *n - 1)) && unit_at(units, out - 1) == '\\')
        out--; /* what stood behind it was taken back */
    *n = out;
    return true;
}

uint32_t smb_path_parse(struct arena *a, const uint8_t *utf16, size_t nbytes, struct smb_path *ret)
{
    *ret = (struct smb_path){.path = (char *)""};
    if (nbytes % 2)
        return STATUS_INVALID_PARAMETER;
    size_t n = nbytes / 2, last = 0, colon;
    if (n > SMB_PATH_MAX)
        return STATUS_OBJECT_NAME_INVALID;
    if (n && is_separator(unit_at(utf16, 0)))
        return STATUS_INVALID_PARAMETER; /* [MS-SMB2] 3.3.5.9: names are relative to the share */
    for (size_t i = 0; i < n; i++)
        if (is_separator(unit_at(utf16, i)))
            last = i + 1;
    for (colon = last; colon < n && unit_at(utf16, colon) != ':';)
        colon++;
    if (colon < n) {
        uint32_t status = stream_split(a, utf16 + 2 * (colon + 1), n - colon - 1, ret);
        if (status != STATUS_SUCCESS)
            return status;
        n = colon;
    }
    if (!n)
        return STATUS_SUCCESS;
    size_t cap = 3 * n + 1;
    uint8_t *units = arena_dup(a, utf16, 2 * n);
    ret->path = arena_alloc(a, cap);
    if (!units || !ret->path)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (!path_tidy(units, &n))
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    ret->path[0] = '\0';
    if (!n)
        return STATUS_SUCCESS;
    enum st st = name_from_windows(units, 2 * n, NAME_PATH, ret->path, cap, &ret->n);
    return smb_status(st);
}

bool smb_is_dots(const char *name, size_t n)
{
    return n && name[0] == '.' && (n == 1 || (n == 2 && name[1] == '.'));
}

/* "." and ".." are no names and have no trailing dot to be mapped. */
size_t smb_put_name(struct wbuf *w, const char *name, size_t n)
{
    size_t pos = wbuf_len(w);
    if (smb_is_dots(name, n)) {
        for (size_t i = 0; i < n; i++)
            wbuf_le16(w, '.');
        return 2 * n;
    }
    uint8_t *p = wbuf_room(w, 2 * n);
    if (!p)
        return 0;
    size_t len = name_to_windows(name, n, p, 2 * n);
    if (len == (size_t)-1)
        len = 0;
    wbuf_cut(w, pos + len);
    return len;
}

size_t smb_put_stream(struct wbuf *w, const char *name, size_t n)
{
    size_t pos = wbuf_len(w), len = smb_put_name(w, name, n);
    for (size_t i = pos; !w->bad && i < pos + len; i += 2) {
        uint32_t unit = get_le16(wbuf_at(w, i));
        if (unit == NAME_LAST_BLANK || unit == NAME_LAST_DOT)
            put_le16(wbuf_at(w, i), unit == NAME_LAST_BLANK ? ' ' : '.');
        else if (is_private(unit))
            put_le16(wbuf_at(w, i), (uint16_t)(unit - NAME_PRIVATE));
    }
    return len;
}

size_t smb_put_path(struct wbuf *w, const char *path, size_t n)
{
    size_t len = 0;
    const char *end = path + n;
    while (path < end) {
        const char *slash = memchr(path, '/', (size_t)(end - path));
        size_t part = (size_t)((slash ? slash : end) - path);
        len += smb_put_name(w, path, part);
        if (!slash)
            break;
        wbuf_le16(w, '\\');
        len += 2;
        path = slash + 1;
    }
    return len;
}

size_t smb_put_text(struct wbuf *w, const char *text)
{
    size_t n = strlen(text), pos = wbuf_len(w);
    uint8_t *p = wbuf_room(w, 2 * n);
    if (!p)
        return 0;
    size_t len = utf8_to_utf16le(text, n, p, 2 * n);
    if (len == (size_t)-1)
        len = 0;
    wbuf_cut(w, pos + len);
    return len;
}

/* [MS-SMB2] 2.2.2 and, for 3.1.1, 2.2.2.1 with SMB2_ERROR_ID_DEFAULT. */
uint32_t smb_error_data(struct smb_req *r, uint32_t status, const void *data, size_t n)
{
    struct wbuf *w = &r->out;
    bool context = r->conn->dialect == SMB_3_1_1;
    wbuf_le16(w, 9);
    wbuf_u8(w, context);
    wbuf_u8(w, 0);
    wbuf_le32(w, (uint32_t)(context ? n + 8 : n));
    if (context) {
        wbuf_le32(w, (uint32_t)n);
        wbuf_le32(w, 0);
    }
    wbuf_put(w, data, n);
    r->has_body = true;
    return status;
}
