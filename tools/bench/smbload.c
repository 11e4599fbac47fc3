/* smbload.c - SMB 3.1.1 or 2.1 load over one or more TCP connections ([MS-SMB2]), unsigned, signed or encrypted.
 * Expects in the share's root the file big.dat and the directory dir10k that scripts/bench makes. Knows requests and
 * as much of their answers as it takes to see that they are right; asks for no oplocks and caches nothing. */
#include "bench.h"
#include "smbauth.h"
#include <stdio.h>

enum { SMB2_NEGOTIATE = 0, SMB2_SESSION_SETUP = 1, SMB2_TREE_CONNECT = 3, SMB2_CREATE = 5, SMB2_CLOSE = 6, SMB2_FLUSH = 7,
       SMB2_READ = 8, SMB2_WRITE = 9, SMB2_ECHO = 13, SMB2_QUERY_DIRECTORY = 14, SMB2_QUERY_INFO = 16 };
enum { SMB2_FLAGS_SIGNED = 8, SMB2_GLOBAL_CAP_LARGE_MTU = 4, SMB2_GLOBAL_CAP_ENCRYPTION = 0x40 };
enum { FILE_OPEN = 1, FILE_OVERWRITE_IF = 5, FILE_DIRECTORY_FILE = 1, FILE_NON_DIRECTORY_FILE = 0x40,
       FILE_DELETE_ON_CLOSE = 0x1000, SHARE_ALL = 7 };
enum { GENERIC_READ = 0x120089, READ_WRITE = 0x12019F, DELETE_ONLY = 0x10080 };
enum { FILE_ID_BOTH_DIRECTORY_INFORMATION = 37, FILE_NETWORK_OPEN_INFORMATION = 34, LIST_BYTES = 65536 };
#define STATUS_PENDING 0x00000103u
#define STATUS_NO_MORE_FILES 0x80000006u
#define STATUS_MORE_PROCESSING_REQUIRED 0xC0000016u

#define WINDOW 8192u      /* message ids in flight at most */
#define CREDITS_KEPT 1024

struct smb_conn {
    struct smbauth auth;
    uint64_t message, session;
    uint32_t tree;
    int credits;
    bool sign, seal;
    uint8_t file[16];
    uint16_t slot_of[WINDOW]; /* by message id */
};
static struct {
    const char *share, *user, *password;
    uint16_t dialect;
    bool sign, seal;
} options = {.share = "share", .user = "", .password = "", .dialect = 0x311};

static struct smb_conn *smb(const struct bench_conn *c) { return c->state; }

/* --- One request: the length, room for the transform when encrypting, the header, the body. */
static size_t header_at(const struct smb_conn *s) { return 4 + (s->seal ? SMB2_TRANSFORM : 0); }

static void begin(struct bench_conn *c, struct wbuf *w, uint16_t command, uint32_t bytes, uint32_t slot)
{
    struct smb_conn *s = smb(c);
    uint16_t charge = (uint16_t)(bytes ? 1 + (bytes - 1) / 65536 : 1);
    wbuf_init(w, 1024 + (command == SMB2_WRITE ? bytes : 0), BENCH_MESSAGE_MAX);
    wbuf_zero(w, header_at(s));
    wbuf_put(w, "\xFESMB", 4);
    wbuf_le16(w, SMB2_HEADER);
    wbuf_le16(w, charge);
    wbuf_le32(w, 0);
    wbuf_le16(w, command);
    wbuf_le16(w, (uint16_t)(charge + (s->credits < CREDITS_KEPT ? 256 : 0)));
    wbuf_le32(w, s->sign ? SMB2_FLAGS_SIGNED : 0);
    wbuf_le32(w, 0);
    wbuf_le64(w, s->message);
    wbuf_le32(w, 0);
    wbuf_le32(w, s->tree);
    wbuf_le64(w, s->session);
    wbuf_zero(w, 16);
    s->slot_of[s->message % WINDOW] = (uint16_t)slot;
    s->message += charge;
    s->credits -= charge;
}

static void end(struct bench_conn *c, struct wbuf *w)
{
    struct smb_conn *s = smb(c);
    size_t at = header_at(s), n = wbuf_len(w) - at;
    wbuf_patch_be32(w, 0, (uint32_t)(wbuf_len(w) - 4));
    if (s->sign)
        smbauth_sign(&s->auth, wbuf_at(w, at), n);
    if (s->seal)
        smbauth_seal(&s->auth, s->session, wbuf_at(w, 4), n);
    bench_send(c, w);
}

/* The header's fields that matter; the cursor is at the body, offsets count from the header. */
struct answer {
    struct cursor c;
    uint32_t status;
    uint64_t message;
};

static struct answer answer_open(struct bench_conn *conn, uint8_t *m, size_t n)
{
    struct smb_conn *s = smb(conn);
    if (n && m[0] == 0xFD && !(m = smbauth_unseal(&s->auth, m, &n)))
        bench_fail("an encrypted answer is not authentic");
    struct answer a = {.c = cursor_of(m, n)};
    cursor_skip(&a.c, 8);
    a.status = cursor_le32(&a.c);
    cursor_skip(&a.c, 2);
    s->credits += cursor_le16(&a.c);
    cursor_skip(&a.c, 8);
    a.message = cursor_le64(&a.c);
    cursor_seek(&a.c, SMB2_HEADER);
    if (a.c.bad)
        bench_fail("a short answer");
    return a;
}

/* While setting up: the final answer to the only request in flight. */
static struct answer call_wait(struct bench_conn *c, struct wbuf *w, const char *what)
{
    struct answer a;
    end(c, w);
    do {
        size_t n;
        uint8_t *m = bench_wait(c, &n);
        a = answer_open(c, m, n);
    } while (a.status == STATUS_PENDING);
    if (a.status && a.status != STATUS_MORE_PROCESSING_REQUIRED)
        bench_fail("%s: status 0x%08X", what, a.status);
    return a;
}

/* --- Bodies. */
static void put_create(struct wbuf *w, const char *name, uint32_t access, uint32_t disposition, uint32_t create_options)
{
    wbuf_le16(w, 57);
    wbuf_le16(w, 0); /* no oplock */
    wbuf_le32(w, 2); /* Impersonation */
    wbuf_zero(w, 16);
    wbuf_le32(w, access);
    wbuf_le32(w, 0);
    wbuf_le32(w, SHARE_ALL);
    wbuf_le32(w, disposition);
    wbuf_le32(w, create_options);
    wbuf_le16(w, SMB2_HEADER + 56);
    wbuf_le16(w, (uint16_t)(2 * strlen(name)));
    wbuf_zero(w, 8);
    put_utf16(w, name);
}

static void get_file_id(struct cursor *c, uint8_t id[16]) /* of a CREATE response */
{
    cursor_skip(c, 64);
    const uint8_t *p = cursor_take(c, 16);
    if (p)
        memcpy(id, p, 16);
}

static void put_file_id_body(struct wbuf *w, const uint8_t id[16]) /* CLOSE and FLUSH */
{
    wbuf_le16(w, 24);
    wbuf_zero(w, 6);
    wbuf_put(w, id, 16);
}

static void put_write(struct wbuf *w, const uint8_t id[16], uint64_t offset)
{
    wbuf_le16(w, 49);
    wbuf_le16(w, SMB2_HEADER + 48);
    wbuf_le32(w, bench.io);
    wbuf_le64(w, offset);
    wbuf_put(w, id, 16);
    wbuf_zero(w, 16);
    wbuf_put(w, bench.payload, bench.io);
}

/* --- Workloads. */
static void slot_begin(struct bench_slot *s, struct wbuf *w, uint16_t command, uint32_t bytes)
{
    begin(s->conn, w, command, bytes, s->index);
}

static void echo_put(struct bench_slot *s)
{
    struct wbuf w;
    slot_begin(s, &w, SMB2_ECHO, 0);
    wbuf_le32(&w, 4);
    end(s->conn, &w);
}
static bool done_reply(struct bench_slot *s, struct cursor *c) { return true; }

static void queryinfo_put(struct bench_slot *s)
{
    struct wbuf w;
    slot_begin(s, &w, SMB2_QUERY_INFO, 0);
    wbuf_le16(&w, 41);
    wbuf_u8(&w, 1); /* SMB2_0_INFO_FILE */
    wbuf_u8(&w, FILE_NETWORK_OPEN_INFORMATION);
    wbuf_le32(&w, 56);
    wbuf_zero(&w, 16);
    wbuf_put(&w, smb(s->conn)->file, 16);
    end(s->conn, &w);
}

/* CREATE and CLOSE of a random file of the directory. */
static void openclose_put(struct bench_slot *s)
{
    struct wbuf w;
    char name[64] = "dir10k\\";
    slot_begin(s, &w, s->step == 0 ? SMB2_CREATE : SMB2_CLOSE, 0);
    if (s->step == 0) {
        bench_entry_name(name + strlen(name));
        put_create(&w, name, GENERIC_READ, FILE_OPEN, FILE_NON_DIRECTORY_FILE);
    } else {
        put_file_id_body(&w, s->id);
    }
    end(s->conn, &w);
}
static bool openclose_reply(struct bench_slot *s, struct cursor *c)
{
    if (s->step == 0)
        get_file_id(c, s->id);
    return s->step++ == 1;
}

static void read_put(struct bench_slot *s)
{
    struct wbuf w;
    slot_begin(s, &w, SMB2_READ, bench.io);
    wbuf_le16(&w, 49);
    wbuf_u8(&w, SMB2_HEADER + 16);
    wbuf_u8(&w, 0);
    wbuf_le32(&w, bench.io);
    wbuf_le64(&w, bench_place(s));
    wbuf_put(&w, smb(s->conn)->file, 16);
    wbuf_zero(&w, 17);
    end(s->conn, &w);
}
static bool read_reply(struct bench_slot *s, struct cursor *c)
{
    cursor_skip(c, 4);
    uint32_t n = cursor_le32(c);
    if (n != bench.io)
        bench_fail("READ gave %u bytes", n);
    return true;
}

static void write_put(struct bench_slot *s)
{
    struct wbuf w;
    slot_begin(s, &w, SMB2_WRITE, bench.io);
    put_write(&w, smb(s->conn)->file, bench_place(s));
    end(s->conn, &w);
}
static bool write_reply(struct bench_slot *s, struct cursor *c)
{
    cursor_skip(c, 4);
    uint32_t n = cursor_le32(c);
    if (n != bench.io)
        bench_fail("WRITE took %u bytes", n);
    return true;
}

/* CREATE, WRITE of 4 KiB, CLOSE; CREATE to delete on close, CLOSE. */
static void small_put(struct bench_slot *s)
{
    static const uint16_t steps[] = {SMB2_CREATE, SMB2_WRITE, SMB2_CLOSE, SMB2_CREATE, SMB2_CLOSE};
    struct wbuf w;
    char name[48];
    bench_small_name(s, name);
    slot_begin(s, &w, steps[s->step], s->step == 1 ? bench.io : 0);
    if (s->step == 0)
        put_create(&w, name, READ_WRITE, FILE_OVERWRITE_IF, FILE_NON_DIRECTORY_FILE);
    else if (s->step == 1)
        put_write(&w, s->id, 0);
    else if (s->step == 3)
        put_create(&w, name, DELETE_ONLY, FILE_OPEN, FILE_NON_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE);
    else
        put_file_id_body(&w, s->id);
    end(s->conn, &w);
}
static bool small_reply(struct bench_slot *s, struct cursor *c)
{
    if (s->step == 0 || s->step == 3)
        get_file_id(c, s->id);
    return s->step++ == 4;
}

/* One operation opens the directory, lists it and closes it; entries are counted. id[16]: how many so far. */
static void readdir_put(struct bench_slot *s)
{
    static const uint16_t steps[] = {SMB2_CREATE, SMB2_QUERY_DIRECTORY, SMB2_CLOSE};
    struct wbuf w;
    slot_begin(s, &w, steps[s->step], s->step == 1 ? LIST_BYTES : 0);
    if (s->step == 0) {
        put_create(&w, "dir10k", GENERIC_READ, FILE_OPEN, FILE_DIRECTORY_FILE);
    } else if (s->step == 1) {
        wbuf_le16(&w, 33);
        wbuf_le16(&w, FILE_ID_BOTH_DIRECTORY_INFORMATION);
        wbuf_le32(&w, 0);
        wbuf_put(&w, s->id, 16);
        wbuf_le16(&w, SMB2_HEADER + 32);
        wbuf_le16(&w, 2);
        wbuf_le32(&w, LIST_BYTES);
        put_utf16(&w, "*");
    } else {
        put_file_id_body(&w, s->id);
    }
    end(s->conn, &w);
}

/* cursor: at the body, empty when there are no more files. */
static void readdir_count(struct bench_slot *s, struct cursor *c)
{
    cursor_skip(c, 2);
    uint16_t at = cursor_le16(c);
    struct cursor list = cursor_slice(c, at, cursor_le32(c));
    uint32_t entries = 0;
    for (uint32_t next = 1; next; entries++) {
        size_t here = cursor_pos(&list);
        next = cursor_le32(&list);
        if (list.bad)
            bench_fail("a malformed list");
        cursor_seek(&list, here + next);
    }
    put_le32(s->id + 16, get_le32(s->id + 16) + entries);
    bench.counted += entries;
}

static bool readdir_reply(struct bench_slot *s, struct cursor *c)
{
    switch (s->step) {
    case 0:
        get_file_id(c, s->id);
        put_le32(s->id + 16, 0);
        s->step = 1;
        return false;
    case 1:
        if (cursor_left(c)) {
            readdir_count(s, c);
            return false;
        }
        if (get_le32(s->id + 16) < BENCH_DIR_FILES)
            bench_fail("the list ended after %u entries", get_le32(s->id + 16));
        s->step = 2;
        return false;
    default:
        return true;
    }
}

static const struct bench_work works[] = {
    {"echo", echo_put, done_reply, .depth = 64},
    {"queryinfo", queryinfo_put, done_reply, .depth = 32},
    {"openclose", openclose_put, openclose_reply, .depth = 32},
    {"seqread", read_put, read_reply, .depth = 8, .io = 1u << 20},
    {"seqwrite", write_put, write_reply, .depth = 8, .io = 1u << 20, .whole = true},
    {"randread", read_put, read_reply, .depth = 32, .random = true},
    {"randwrite", write_put, write_reply, .depth = 32, .random = true},
    {"small", small_put, small_reply, .depth = 8},
    {"readdir", readdir_put, readdir_reply, .depth = 1},
    {"memory", read_put, read_reply, .depth = 1, .io = 64u << 10, .once = true},
};

/* --- Logging on. */
static void put_contexts(struct wbuf *w) /* [MS-SMB2] 2.2.3.1: type, length, 0, 0, data to a multiple of 8 bytes */
{
    static const uint16_t words[] = {
        1, 6, 0, 0, 1, 0, 1, 0,                            /* preauthentication integrity: SHA-512, no salt */
        2, 4, 0, 0, 1, 2, 0, 0,                            /* encryption: AES-128-GCM */
        8, 6, 0, 0, 2, SIGN_AES_GMAC, SIGN_AES_CMAC};      /* signing */
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        wbuf_le16(w, words[i]);
}

static void negotiate_answer(struct smb_conn *s, struct answer *a)
{
    cursor_skip(&a->c, 4);
    s->auth.dialect = cursor_le16(&a->c);
    uint16_t contexts = cursor_le16(&a->c);
    cursor_skip(&a->c, 52);
    size_t at = cursor_le32(&a->c);
    if (a->c.bad || s->auth.dialect != options.dialect)
        bench_fail("the server chose dialect 0x%x", s->auth.dialect);
    s->auth.signing_algorithm = SIGN_AES_CMAC;
    for (uint16_t i = 0; options.dialect == 0x311 && i < contexts; i++) {
        cursor_seek(&a->c, at);
        uint16_t type = cursor_le16(&a->c), n = cursor_le16(&a->c);
        cursor_skip(&a->c, 6);
        if (type == 8)
            s->auth.signing_algorithm = cursor_le16(&a->c);
        at += ALIGN_UP(8 + (size_t)n, 8);
    }
}

static void preauth_request(struct smb_conn *s, struct wbuf *w)
{
    smbauth_preauth(&s->auth, wbuf_at(w, 4), wbuf_len(w) - 4);
}
static void preauth_answer(struct smb_conn *s, const struct answer *a)
{
    smbauth_preauth(&s->auth, a->c.base, (size_t)(a->c.end - a->c.base));
}

static void negotiate(struct bench_conn *c)
{
    static uint64_t clients; /* every connection is another client to the server */
    struct smb_conn *s = smb(c);
    struct wbuf w;
    bool v3 = options.dialect == 0x311;
    begin(c, &w, SMB2_NEGOTIATE, 0, 0);
    wbuf_le16(&w, 36);
    wbuf_le16(&w, 1);
    wbuf_le16(&w, options.sign ? 3 : 1);
    wbuf_le16(&w, 0);
    wbuf_le32(&w, v3 ? SMB2_GLOBAL_CAP_LARGE_MTU | SMB2_GLOBAL_CAP_ENCRYPTION : 0);
    wbuf_le64(&w, (uint64_t)getpid());
    wbuf_le64(&w, ++clients);
    wbuf_le32(&w, v3 ? SMB2_HEADER + 40 : 0);
    wbuf_le32(&w, v3 ? 3 : 0);
    wbuf_le16(&w, options.dialect);
    if (v3) {
        wbuf_le16(&w, 0);
        put_contexts(&w);
    }
    preauth_request(s, &w);
    struct answer a = call_wait(c, &w, "NEGOTIATE");
    preauth_answer(s, &a);
    negotiate_answer(s, &a);
}

static struct answer session_setup(struct bench_conn *c, const struct wbuf *token)
{
    struct wbuf w;
    begin(c, &w, SMB2_SESSION_SETUP, 0, 0);
    wbuf_le16(&w, 25);
    wbuf_u8(&w, 0);
    wbuf_u8(&w, options.sign ? 3 : 1);
    wbuf_zero(&w, 8);
    wbuf_le16(&w, SMB2_HEADER + 24);
    wbuf_le16(&w, (uint16_t)wbuf_len(token));
    wbuf_zero(&w, 8);
    wbuf_put(&w, token->blk->data, wbuf_len(token));
    preauth_request(smb(c), &w);
    return call_wait(c, &w, "SESSION_SETUP");
}

/* NTLMSSP without SPNEGO around it, as servers accept it. */
static void logon(struct bench_conn *c)
{
    struct smb_conn *s = smb(c);
    _cleanup_(wbuf_done) struct wbuf hello, proof;
    wbuf_init(&hello, 64, 64);
    wbuf_init(&proof, 1024, 8192);
    ntlm_negotiate(&hello);
    struct answer a = session_setup(c, &hello);
    preauth_answer(s, &a);
    s->session = get_le64(a.c.base + 40);
    size_t n = cursor_left(&a.c);
    const uint8_t *challenge = memmem(a.c.p, n, "NTLMSSP", 8);
    if (a.status != STATUS_MORE_PROCESSING_REQUIRED || !challenge ||
        !ntlm_authenticate(&s->auth, challenge, (size_t)(a.c.end - challenge), options.user, options.password, &proof))
        bench_fail("SESSION_SETUP: no NTLM challenge");
    if (session_setup(c, &proof).status)
        bench_fail("SESSION_SETUP: not done after the second message");
    smbauth_keys(&s->auth);
}

static void open_share(struct bench_conn *c)
{
    struct smb_conn *s = c->state = calloc(1, sizeof *s);
    struct wbuf w;
    char path[256];
    if (!s)
        bench_fail("out of memory");
    s->credits = 1;
    negotiate(c);
    logon(c);
    s->sign = options.sign || options.dialect == 0x311; /* 3.1.1: the TREE_CONNECT is signed ([MS-SMB2] 3.2.4.1.1) */
    snprintf(path, sizeof path, "\\\\%s\\%s", bench.host, options.share);
    begin(c, &w, SMB2_TREE_CONNECT, 0, 0);
    wbuf_le32(&w, 9);
    wbuf_le16(&w, SMB2_HEADER + 8);
    wbuf_le16(&w, (uint16_t)(2 * strlen(path)));
    put_utf16(&w, path);
    struct answer a = call_wait(c, &w, path);
    s->tree = get_le32(a.c.base + 36);
    s->sign = options.sign && !options.seal;
    s->seal = options.seal;
    begin(c, &w, SMB2_CREATE, 0, 0);
    put_create(&w, "big.dat", READ_WRITE, FILE_OPEN, FILE_NON_DIRECTORY_FILE);
    a = call_wait(c, &w, "big.dat");
    get_file_id(&a.c, s->file);
}

static void forget(struct bench_conn *c)
{
    smbauth_done(&smb(c)->auth);
    free(TAKE_PTR(c->state));
}

/* --- The protocol for bench.c. */
static void message(struct bench_conn *conn, uint8_t *m, size_t n)
{
    struct answer a = answer_open(conn, m, n);
    if (a.status == STATUS_PENDING)
        return;
    struct bench_slot *s = bench_slot_at(smb(conn)->slot_of[a.message % WINDOW]);
    if (a.status == STATUS_NO_MORE_FILES)
        a.c.p = a.c.end;
    else if (a.status)
        bench_fail("step %u: status 0x%08X", s->step, a.status);
    bench_answer(s, &a.c);
}

static bool ready(const struct bench_slot *s) { return smb(s->conn)->credits >= (int)(1 + (bench.io - 1) / 65536); }

static void flush(struct bench_conn *c)
{
    struct wbuf w;
    begin(c, &w, SMB2_FLUSH, 0, 0);
    put_file_id_body(&w, smb(c)->file);
    call_wait(c, &w, "FLUSH");
}

static void option(int o, const char *value)
{
    switch (o) {
    case 's': options.share = value; break;
    case 'u': options.user = value; break;
    case 'x': options.password = value; break;
    case 'd': options.dialect = strcmp(value, "2.1") == 0 ? 0x210 : 0x311; break;
    case 'S': options.sign = true; break;
    case 'E': options.seal = true; break;
    }
}

int main(int argc, char **argv)
{
    static const struct bench_protocol smb2 = {
        .program = "smbload", .options = "s:u:x:d:SE",
        .usage = "  -s SHARE (share)         -u USER, -x PASSWORD\n"
                 "  -d DIALECT 2.1 or 3.1.1  -S signed, -E encrypted (3.1.1)\n",
        .works = works, .nworks = ARRAY_LEN(works),
        .option = option, .open = open_share, .close = forget, .message = message, .ready = ready, .durable = flush};
    return bench_main(argc, argv, &smb2);
}
