/* smb_call.c - see smb.h: the requests of an SMB client, one function each ([MS-SMB2] 2.2). */
#include "smb_int.h"
#include <stdio.h>

/* --- CREATE. */

/* 2.2.13.2: next, name (4 bytes at 16), data at 24; contexts begin at multiples of 8. */
static void put_context(struct wbuf *w, const char name[4], const void *data, size_t n, bool last)
{
    size_t padded = last ? 24 + n : ALIGN_UP(24 + n, 8);
    wbuf_le32(w, last ? 0 : (uint32_t)padded);
    wbuf_le16(w, 16);
    wbuf_le16(w, 4);
    wbuf_le16(w, 0);
    wbuf_le16(w, n ? 24 : 0);
    wbuf_le32(w, (uint32_t)n);
    wbuf_put(w, name, 4);
    wbuf_zero(w, 4);
    wbuf_put(w, data, n);
    wbuf_zero(w, padded - 24 - n);
}

static size_t lease_context(const struct smb_how *how, uint8_t out[52])
{
    bool v2 = how->v2 || how->parent;
    memset(out, 0, 52);
    memcpy(out, how->key, 16);
    put_le32(out + 16, how->lease);
    if (how->parent) {
        put_le32(out + 20, 4); /* PARENT_LEASE_KEY_SET */
        memcpy(out + 32, how->parent, 16);
    }
    return v2 ? 52 : 32;
}

static void put_durable(struct wbuf *w, const struct smb_how *how)
{
    uint8_t data[36] = {0};
    if (how->durable == 1) {
        if (how->reconnect)
            memcpy(data, how->reconnect->id, 16);
        put_context(w, how->reconnect ? "DHnC" : "DHnQ", data, 16, true);
    } else if (how->reconnect) {
        memcpy(data, how->reconnect->id, 16);
        memcpy(data + 16, how->create_guid, 16);
        put_le32(data + 32, how->durable == 3 ? 2 : 0);
        put_context(w, "DH2C", data, 36, true);
    } else {
        put_le32(data, how->durable_ms);
        put_le32(data + 4, how->durable == 3 ? 2 : 0);
        memcpy(data + 16, how->create_guid, 16);
        put_context(w, "DH2Q", data, 32, true);
    }
}

static void get_contexts(struct call *c, struct cursor list)
{
    for (uint32_t next = 1; next && cursor_left(&list) >= 16;) {
        size_t at = cursor_pos(&list);
        next = cursor_le32(&list);
        uint16_t name = cursor_le16(&list);
        cursor_skip(&list, 4);
        uint16_t data = cursor_le16(&list);
        struct cursor body = cursor_slice(&list, at + data, cursor_le32(&list));
        struct cursor tag = cursor_slice(&list, at + name, 4);
        const uint8_t *id = cursor_take(&tag, 4);
        if (id && !memcmp(id, "RqLs", 4)) {
            cursor_skip(&body, 16);
            c->r.lease = cursor_le32(&body);
            c->r.lease_flags = cursor_le32(&body);
            cursor_skip(&body, 24);
            c->r.epoch = cursor_left(&body) >= 2 ? cursor_le16(&body) : 0;
        } else if (id && (!memcmp(id, "DHnQ", 4) || !memcmp(id, "DH2Q", 4))) {
            c->r.durable = true;
            cursor_skip(&body, 4);
            c->r.persistent = id[2] == '2' && cursor_left(&body) >= 4 && cursor_le32(&body) & 2;
        }
        cursor_seek(&list, at + next);
    }
}

static void got_create(struct call *c, struct cursor *in)
{
    cursor_skip(in, 2);
    c->r.oplock = cursor_u8(in);
    cursor_skip(in, 1);
    c->r.action = cursor_le32(in);
    cursor_skip(in, 40);
    c->r.size = cursor_le64(in);
    c->r.has_attr = true;
    c->r.mode = cursor_le32(in);
    cursor_skip(in, 4);
    const uint8_t *id = cursor_take(in, 16);
    if (id)
        memcpy(c->r.file.id, id, 16);
    uint32_t at = cursor_le32(in), n = cursor_le32(in);
    if (n)
        get_contexts(c, cursor_slice(in, at, n));
}

struct call *smb_create(struct smb *s, const struct smb_how *how)
{
    uint8_t lease[52];
    struct wbuf w;
    size_t n = 2 * strlen(how->name), contexts = ALIGN_UP(SMB2_HEADER + 56 + n, 8);
    bool leased = how->oplock == OPLOCK_LEASE, any = leased || how->durable;
    smb_begin(s, &w, SMB2_CREATE, 0);
    wbuf_le16(&w, 57);
    wbuf_u8(&w, 0);
    wbuf_u8(&w, how->oplock);
    wbuf_le32(&w, 2); /* impersonation */
    wbuf_zero(&w, 16);
    wbuf_le32(&w, how->access);
    wbuf_le32(&w, 0);
    wbuf_le32(&w, how->share);
    wbuf_le32(&w, how->disposition);
    wbuf_le32(&w, how->options);
    wbuf_le16(&w, SMB2_HEADER + 56);
    wbuf_le16(&w, (uint16_t)n);
    wbuf_le32(&w, any ? (uint32_t)contexts : 0);
    wbuf_le32(&w, 0);
    put_utf16(&w, how->name);
    wbuf_zero(&w, contexts + 4 - wbuf_len(&w));
    if (leased)
        put_context(&w, "RqLs", lease, lease_context(how, lease), !how->durable);
    if (how->durable)
        put_durable(&w, how);
    if (any)
        wbuf_patch_le32(&w, 4 + SMB2_HEADER + 52, (uint32_t)(wbuf_len(&w) - 4 - contexts));
    return smb_send(s, &w, "CREATE", got_create);
}

/* --- With a file id. */

static struct wbuf begin_sized(struct smb *s, uint16_t command, uint16_t structure_size)
{
    struct wbuf w;
    smb_begin(s, &w, command, 0);
    wbuf_le16(&w, structure_size);
    return w;
}

static struct call *by_id(struct smb *s, uint16_t command, const struct smb_file *f, const char *what)
{
    struct wbuf w = begin_sized(s, command, 24);
    wbuf_zero(&w, 6);
    wbuf_put(&w, f->id, 16);
    return smb_send(s, &w, what, NULL);
}
struct call *smb_close_file(struct smb *s, const struct smb_file *f) { return by_id(s, SMB2_CLOSE, f, "CLOSE"); }
struct call *smb_flush(struct smb *s, const struct smb_file *f) { return by_id(s, SMB2_FLUSH, f, "FLUSH"); }

static void got_data(struct call *c, struct cursor *in) /* READ, QUERY_DIRECTORY, CHANGE_NOTIFY */
{
    cursor_skip(in, 2);
    uint16_t at = c->what[0] == 'R' ? cursor_u8(in) : cursor_le16(in);
    if (c->what[0] == 'R')
        cursor_skip(in, 1);
    struct cursor data = cursor_slice(in, at, cursor_le32(in));
    in->bad |= data.bad;
    c->r.data = data.base;
    c->r.ndata = cursor_left(&data);
    c->r.count = (uint32_t)c->r.ndata;
}

struct call *smb_read(struct smb *s, const struct smb_file *f, uint64_t offset, uint32_t n)
{
    struct wbuf w;
    smb_begin(s, &w, SMB2_READ, n);
    wbuf_le16(&w, 49);
    wbuf_u8(&w, 0x50);
    wbuf_u8(&w, 0);
    wbuf_le32(&w, n);
    wbuf_le64(&w, offset);
    wbuf_put(&w, f->id, 16);
    wbuf_zero(&w, 17);
    return smb_send(s, &w, "READ", got_data);
}

static void got_written(struct call *c, struct cursor *in)
{
    cursor_skip(in, 4);
    c->r.count = cursor_le32(in);
}

struct call *smb_write(struct smb *s, const struct smb_file *f, uint64_t offset, const void *data, uint32_t n)
{
    struct wbuf w;
    smb_begin(s, &w, SMB2_WRITE, n);
    wbuf_le16(&w, 49);
    wbuf_le16(&w, SMB2_HEADER + 48);
    wbuf_le32(&w, n);
    wbuf_le64(&w, offset);
    wbuf_put(&w, f->id, 16);
    wbuf_zero(&w, 16);
    wbuf_put(&w, data, n);
    return smb_send(s, &w, "WRITE", got_written);
}

struct call *smb_lock(struct smb *s, const struct smb_file *f, uint64_t offset, uint64_t len, uint32_t flags)
{
    struct wbuf w = begin_sized(s, SMB2_LOCK, 48);
    wbuf_le16(&w, 1);
    wbuf_le32(&w, 0);
    wbuf_put(&w, f->id, 16);
    wbuf_le64(&w, offset);
    wbuf_le64(&w, len);
    wbuf_le32(&w, flags);
    wbuf_le32(&w, 0);
    return smb_send(s, &w, "LOCK", NULL);
}

/* --- SET_INFO. */

enum { FILE_BASIC = 4, FILE_RENAME = 10, FILE_LINK = 11, FILE_DISPOSITION = 13, FILE_ALLOCATION = 19,
       FILE_END_OF_FILE = 20 };
enum { INFO_FILE = 1, INFO_SECURITY = 3, DACL_SECURITY = 4 };

static struct call *set(struct smb *s, const struct smb_file *f, uint8_t type, uint8_t level, uint32_t additional,
                        const void *data, size_t n, const char *what)
{
    struct wbuf w = begin_sized(s, SMB2_SET_INFO, 33);
    wbuf_u8(&w, type);
    wbuf_u8(&w, level);
    wbuf_le32(&w, (uint32_t)n);
    wbuf_le16(&w, SMB2_HEADER + 32);
    wbuf_zero(&w, 2);
    wbuf_le32(&w, additional);
    wbuf_put(&w, f->id, 16);
    wbuf_put(&w, data, n);
    return smb_send(s, &w, what, NULL);
}

static struct call *set_info(struct smb *s, const struct smb_file *f, uint8_t level, const void *data, size_t n,
                             const char *what)
{
    return set(s, f, INFO_FILE, level, 0, data, n, what);
}

/* A descriptor with nothing but a list, at 20, of one entry: everybody, all access ([MS-DTYP] 2.4.6, 2.4.5,
 * 2.4.4.2). */
struct call *smb_open_to_all(struct smb *s, const struct smb_file *f)
{
    static const uint8_t descriptor[] = {1, 0, 4, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0,
                                         2, 0, 28, 0, 1, 0, 0, 0,                                       /* one entry */
                                         0, 0, 20, 0, 0xff, 0x01, 0x1f, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
    return set(s, f, INFO_SECURITY, 0, DACL_SECURITY, descriptor, sizeof descriptor, "SET_INFO security");
}

struct call *smb_set_allocation(struct smb *s, const struct smb_file *f, uint64_t size)
{
    uint8_t data[8];
    put_le64(data, size);
    return set_info(s, f, FILE_ALLOCATION, data, sizeof data, "SET_INFO allocation");
}

struct call *smb_set_size(struct smb *s, const struct smb_file *f, uint64_t size)
{
    uint8_t data[8];
    put_le64(data, size);
    return set_info(s, f, FILE_END_OF_FILE, data, sizeof data, "SET_INFO size");
}

struct call *smb_touch(struct smb *s, const struct smb_file *f, uint64_t mtime)
{
    uint8_t data[40] = {0};
    put_le64(data + 16, mtime);
    return set_info(s, f, FILE_BASIC, data, sizeof data, "SET_INFO times");
}

static struct call *set_name(struct smb *s, const struct smb_file *f, uint8_t level, const char *to, bool replace,
                             const char *what)
{
    struct wbuf data;
    wbuf_init(&data, 256, 4096);
    wbuf_u8(&data, replace);
    wbuf_zero(&data, 15);
    wbuf_le32(&data, (uint32_t)(2 * strlen(to)));
    put_utf16(&data, to);
    if (wbuf_len(&data) < 24)
        wbuf_zero(&data, 24 - wbuf_len(&data));
    struct call *c = set_info(s, f, level, wbuf_at(&data, 0), wbuf_len(&data), what);
    wbuf_done(&data);
    return c;
}
struct call *smb_rename(struct smb *s, const struct smb_file *f, const char *to, bool replace)
{
    return set_name(s, f, FILE_RENAME, to, replace, "SET_INFO rename");
}
struct call *smb_link(struct smb *s, const struct smb_file *f, const char *to)
{
    return set_name(s, f, FILE_LINK, to, false, "SET_INFO link");
}

struct call *smb_set_delete(struct smb *s, const struct smb_file *f, bool remove)
{
    uint8_t data = remove;
    return set_info(s, f, FILE_DISPOSITION, &data, 1, "SET_INFO disposition");
}

/* --- Directories. */

struct call *smb_list(struct smb *s, const struct smb_file *f)
{
    struct wbuf w = begin_sized(s, SMB2_QUERY_DIRECTORY, 33);
    wbuf_u8(&w, 37); /* FileIdBothDirectoryInformation */
    wbuf_u8(&w, 1);  /* from the beginning */
    wbuf_le32(&w, 0);
    wbuf_put(&w, f->id, 16);
    wbuf_le16(&w, SMB2_HEADER + 32);
    wbuf_le16(&w, 2);
    wbuf_le32(&w, 65536);
    put_utf16(&w, "*");
    return smb_send(s, &w, "QUERY_DIRECTORY", got_data);
}

/* [MS-FSCC] 2.7.1: next, action, bytes of the name, the name. */
static void got_changes(struct call *c, struct cursor *in)
{
    static const char *const actions[] = {"?", "added", "removed", "modified", "renamed-from", "renamed-to"};
    size_t n = 0;
    got_data(c, in);
    struct cursor list = cursor_of(c->r.data, c->r.ndata);
    for (uint32_t next = 1, at = 0; next && cursor_left(&list) && n < sizeof c->r.changes - 80; at += next) {
        cursor_seek(&list, at);
        next = cursor_le32(&list);
        uint32_t action = cursor_le32(&list), bytes = cursor_le32(&list);
        n += (size_t)sprintf(c->r.changes + n, "%s ", action < ARRAY_LEN(actions) ? actions[action] : "?");
        for (uint32_t i = 0; i + 1 < bytes && i < 100; i += 2)
            c->r.changes[n++] = (char)cursor_le16(&list);
        c->r.changes[n++] = ';';
    }
}

struct call *smb_notify(struct smb *s, const struct smb_file *f)
{
    struct wbuf w = begin_sized(s, SMB2_CHANGE_NOTIFY, 32);
    wbuf_le16(&w, 0);
    wbuf_le32(&w, 65536);
    wbuf_put(&w, f->id, 16);
    wbuf_le32(&w, 0xfff);
    wbuf_le32(&w, 0);
    return smb_send(s, &w, "CHANGE_NOTIFY", got_changes);
}

/* --- Without one. */

static struct call *bare(struct smb *s, uint16_t command, const char *what)
{
    struct wbuf w = begin_sized(s, command, 4);
    wbuf_le16(&w, 0);
    return smb_send(s, &w, what, NULL);
}
struct call *smb_echo(struct smb *s) { return bare(s, SMB2_ECHO, "ECHO"); }
struct call *smb_logoff(struct smb *s) { return bare(s, SMB2_LOGOFF, "LOGOFF"); }
struct call *smb_tree_disconnect(struct smb *s) { return bare(s, SMB2_TREE_DISCONNECT, "TREE_DISCONNECT"); }

struct call *smb_ack_lease(struct smb *s, const uint8_t key[16], uint32_t state)
{
    struct wbuf w = begin_sized(s, SMB2_OPLOCK_BREAK, 36);
    wbuf_zero(&w, 6);
    wbuf_put(&w, key, 16);
    wbuf_le32(&w, state);
    wbuf_zero(&w, 8);
    return smb_send(s, &w, "lease acknowledgement", NULL);
}

struct call *smb_ack_oplock(struct smb *s, const struct smb_file *f, uint8_t level)
{
    struct wbuf w = begin_sized(s, SMB2_OPLOCK_BREAK, 24);
    wbuf_u8(&w, level);
    wbuf_zero(&w, 5);
    wbuf_put(&w, f->id, 16);
    return smb_send(s, &w, "oplock acknowledgement", NULL);
}
