/* nfsload.c - NFSv3 load over one or more TCP connections (RFC 1813, RFC 5531; AUTH_SYS). Expects in the export's root
 * the file big.dat and the directory dir10k that scripts/bench makes. Knows requests and as much of their replies as it
 * takes to see that they are right; caches nothing, so that every operation reaches the server. */
#include "bench.h"
#include <stdio.h>

enum { RPC_VERSION = 2, MSG_ACCEPTED = 0, AUTH_NONE = 0, AUTH_SYS = 1 };
enum { MOUNT_PROGRAM = 100005, MOUNT_V3 = 3, MOUNTPROC3_MNT = 1, NFS_PROGRAM = 100003, NFS_V3 = 3 };
enum { NFSPROC3_NULL = 0, NFSPROC3_GETATTR = 1, NFSPROC3_LOOKUP = 3, NFSPROC3_READ = 6, NFSPROC3_WRITE = 7,
       NFSPROC3_CREATE = 8, NFSPROC3_REMOVE = 12, NFSPROC3_READDIR = 16, NFSPROC3_READDIRPLUS = 17, NFSPROC3_COMMIT = 21 };
enum { UNSTABLE = 0, UNCHECKED = 0, FATTR3_SIZE = 84, WCC_ATTR_SIZE = 24, NFS3_COOKIEVERFSIZE = 8 };
enum { READDIR_BYTES = 32768, READDIRPLUS_BYTES = 131072 };

struct handle {
    uint32_t n;
    uint8_t data[64]; /* NFS3_FHSIZE */
};
static struct {
    const char *export;
    uint16_t mount_port; /* 0: that of NFS */
    uint32_t uid, gid;
} options = {.export = "/"};
static struct handle root, file, directory;

/* --- XDR (RFC 4506). */
static void put_opaque(struct wbuf *w, const void *data, size_t n)
{
    wbuf_be32(w, (uint32_t)n);
    wbuf_put(w, data, n);
    wbuf_zero(w, ALIGN_UP(n, 4) - n);
}
static void put_string(struct wbuf *w, const char *s) { put_opaque(w, s, strlen(s)); }
static void put_handle(struct wbuf *w, const struct handle *h) { put_opaque(w, h->data, h->n); }

static void get_handle(struct cursor *c, struct handle *h)
{
    h->n = cursor_be32(c);
    const uint8_t *p = cursor_take(c, ALIGN_UP((size_t)h->n, 4));
    if (!p || h->n > sizeof h->data)
        bench_fail("a bad file handle");
    memcpy(h->data, p, h->n);
}

static void skip_attributes(struct cursor *c) /* post_op_attr */
{
    if (cursor_be32(c))
        cursor_skip(c, FATTR3_SIZE);
}

/* --- RPC. */
static void call_begin(struct wbuf *w, uint32_t xid, uint32_t program, uint32_t procedure, size_t more)
{
    wbuf_init(w, more + 512, BENCH_MESSAGE_MAX);
    const uint32_t head[] = {0, xid, 0, RPC_VERSION, program, 3, procedure}; /* record mark, CALL; both programs: v3 */
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        wbuf_be32(w, head[i]);
    if (procedure == NFSPROC3_NULL) {
        wbuf_zero(w, 16); /* AUTH_NONE, twice */
        return;
    }
    const uint32_t cred[] = {AUTH_SYS, 28, 0, 5}; /* length, stamp, length of the machine's name */
    for (size_t i = 0; i < ARRAY_LEN(cred); i++)
        wbuf_be32(w, cred[i]);
    wbuf_put(w, "bench\0\0", 8);
    wbuf_be32(w, options.uid);
    wbuf_be32(w, options.gid);
    wbuf_be32(w, 0); /* no further groups */
    wbuf_zero(w, 8);
}

static void call_end(struct bench_conn *c, struct wbuf *w)
{
    wbuf_patch_be32(w, 0, 0x80000000u | (uint32_t)(wbuf_len(w) - 4)); /* the only fragment */
    bench_send(c, w);
}

/* The results' start. */
static struct cursor reply_open(const uint8_t *m, size_t n, uint32_t *ret_xid)
{
    struct cursor c = cursor_of(m, n);
    *ret_xid = cursor_be32(&c);
    uint32_t type = cursor_be32(&c), accepted = cursor_be32(&c);
    cursor_skip(&c, 4);
    cursor_skip(&c, ALIGN_UP((size_t)cursor_be32(&c), 4));
    uint32_t status = cursor_be32(&c);
    if (c.bad || type != 1 || accepted != MSG_ACCEPTED || status != 0)
        bench_fail("the call is rejected (%u, %u)", accepted, status);
    return c;
}

static void status_ok(struct cursor *c, const char *what)
{
    uint32_t status = cursor_be32(c);
    if (status)
        bench_fail("%s: status %u", what, status);
}

static struct cursor call_wait(struct bench_conn *c, struct wbuf *w)
{
    size_t n;
    uint32_t xid;
    call_end(c, w);
    uint8_t *m = bench_wait(c, &n);
    return reply_open(m, n, &xid);
}

/* --- Workloads. */
static void begin(struct bench_slot *s, struct wbuf *w, uint32_t procedure, size_t more)
{
    s->tag += BENCH_DEPTH_MAX;
    call_begin(w, s->tag | s->index, NFS_PROGRAM, procedure, more);
}

static void null_put(struct bench_slot *s)
{
    struct wbuf w;
    begin(s, &w, NFSPROC3_NULL, 0);
    call_end(s->conn, &w);
}
static bool null_reply(struct bench_slot *s, struct cursor *c) { return true; }

static void getattr_put(struct bench_slot *s)
{
    struct wbuf w;
    begin(s, &w, NFSPROC3_GETATTR, 0);
    put_handle(&w, &file);
    call_end(s->conn, &w);
}
static bool status_reply(struct bench_slot *s, struct cursor *c)
{
    status_ok(c, "answer");
    return true;
}

static void lookup_put(struct bench_slot *s)
{
    struct wbuf w;
    char name[32];
    bench_entry_name(name);
    begin(s, &w, NFSPROC3_LOOKUP, 0);
    put_handle(&w, &directory);
    put_string(&w, name);
    call_end(s->conn, &w);
}

static void read_put(struct bench_slot *s)
{
    struct wbuf w;
    begin(s, &w, NFSPROC3_READ, 0);
    put_handle(&w, &file);
    wbuf_be64(&w, bench_place(s));
    wbuf_be32(&w, bench.io);
    call_end(s->conn, &w);
}
static bool read_reply(struct bench_slot *s, struct cursor *c)
{
    status_ok(c, "READ");
    skip_attributes(c);
    uint32_t count = cursor_be32(c);
    if (count != bench.io)
        bench_fail("READ gave %u bytes", count);
    return true;
}

static void put_write(struct bench_slot *s, const struct handle *h, uint64_t offset, uint32_t n)
{
    struct wbuf w;
    begin(s, &w, NFSPROC3_WRITE, n);
    put_handle(&w, h);
    wbuf_be64(&w, offset);
    wbuf_be32(&w, n);
    wbuf_be32(&w, UNSTABLE);
    put_opaque(&w, bench.payload, n);
    call_end(s->conn, &w);
}
static void write_put(struct bench_slot *s) { put_write(s, &file, bench_place(s), bench.io); }
static bool write_reply(struct bench_slot *s, struct cursor *c)
{
    status_ok(c, "WRITE");
    if (cursor_be32(c))
        cursor_skip(c, WCC_ATTR_SIZE);
    skip_attributes(c);
    uint32_t count = cursor_be32(c);
    if (count != bench.io)
        bench_fail("WRITE took %u bytes", count);
    return true;
}

/* CREATE, WRITE of 4 KiB, REMOVE. */
static void small_put(struct bench_slot *s)
{
    struct wbuf w;
    struct handle h = {.n = (uint32_t)s->nid};
    char name[48];
    if (s->step == 1) {
        memcpy(h.data, s->id, s->nid);
        put_write(s, &h, 0, bench.io);
        return;
    }
    bench_small_name(s, name);
    begin(s, &w, s->step == 0 ? NFSPROC3_CREATE : NFSPROC3_REMOVE, 0);
    put_handle(&w, &root);
    put_string(&w, name);
    if (s->step == 0) {
        wbuf_be32(&w, UNCHECKED);
        wbuf_be32(&w, 1);
        wbuf_be32(&w, 0644);
        wbuf_zero(&w, 20); /* of sattr3 only the mode */
    }
    call_end(s->conn, &w);
}
static bool small_reply(struct bench_slot *s, struct cursor *c)
{
    static const char *const steps[] = {"CREATE", "WRITE", "REMOVE"};
    status_ok(c, steps[s->step]);
    if (s->step == 0) {
        struct handle h;
        if (!cursor_be32(c))
            bench_fail("CREATE gave no handle");
        get_handle(c, &h);
        memcpy(s->id, h.data, h.n);
        s->nid = h.n;
    }
    return ++s->step == 3;
}

/* One operation lists the whole directory; entries are counted. id holds the cookie and its verifier. */
static void put_readdir(struct bench_slot *s, bool plus)
{
    struct wbuf w;
    if (s->step == 0)
        memset(s->id, 0, 8 + NFS3_COOKIEVERFSIZE);
    begin(s, &w, plus ? NFSPROC3_READDIRPLUS : NFSPROC3_READDIR, 0);
    put_handle(&w, &directory);
    wbuf_put(&w, s->id, 8 + NFS3_COOKIEVERFSIZE);
    wbuf_be32(&w, READDIR_BYTES);
    if (plus)
        wbuf_be32(&w, READDIRPLUS_BYTES);
    call_end(s->conn, &w);
}
static void readdir_put(struct bench_slot *s) { put_readdir(s, false); }
static void readdirplus_put(struct bench_slot *s) { put_readdir(s, true); }

static bool list_reply(struct bench_slot *s, struct cursor *c, bool plus)
{
    unsigned before = s->step;
    status_ok(c, "READDIR");
    skip_attributes(c);
    const uint8_t *verifier = cursor_take(c, NFS3_COOKIEVERFSIZE), *cookie = NULL;
    while (cursor_be32(c)) {
        cursor_skip(c, 8);
        cursor_skip(c, ALIGN_UP((size_t)cursor_be32(c), 4));
        cookie = cursor_take(c, 8);
        s->step++;
        if (!plus)
            continue;
        skip_attributes(c);
        if (cursor_be32(c))
            cursor_skip(c, ALIGN_UP((size_t)cursor_be32(c), 4));
    }
    bool eof = cursor_be32(c);
    if (c->bad || (eof ? s->step < BENCH_DIR_FILES : s->step == before))
        bench_fail("READDIR ended after %u entries", s->step);
    bench.counted += s->step - before;
    if (cookie) {
        memcpy(s->id, cookie, 8);
        memcpy(s->id + 8, verifier, NFS3_COOKIEVERFSIZE);
    }
    return eof;
}
static bool readdir_reply(struct bench_slot *s, struct cursor *c) { return list_reply(s, c, false); }
static bool readdirplus_reply(struct bench_slot *s, struct cursor *c) { return list_reply(s, c, true); }

static const struct bench_work works[] = {
    {"null", null_put, null_reply, .depth = 64},
    {"getattr", getattr_put, status_reply, .depth = 32},
    {"lookup", lookup_put, status_reply, .depth = 32},
    {"seqread", read_put, read_reply, .depth = 8, .io = 1u << 20},
    {"seqwrite", write_put, write_reply, .depth = 8, .io = 1u << 20, .whole = true},
    {"randread", read_put, read_reply, .depth = 32, .random = true},
    {"randwrite", write_put, write_reply, .depth = 32, .random = true},
    {"small", small_put, small_reply, .depth = 8},
    {"readdir", readdir_put, readdir_reply, .depth = 1},
    {"readdirplus", readdirplus_put, readdirplus_reply, .depth = 1},
    {"memory", read_put, read_reply, .depth = 1, .io = 64u << 10, .once = true},
};

/* --- The protocol for bench.c. */
static void find(struct bench_conn *c, const char *name, struct handle *h)
{
    struct wbuf w;
    call_begin(&w, 1, NFS_PROGRAM, NFSPROC3_LOOKUP, 0);
    put_handle(&w, &root);
    put_string(&w, name);
    struct cursor r = call_wait(c, &w);
    status_ok(&r, name);
    get_handle(&r, h);
}

static void open_export(struct bench_conn *c)
{
    struct bench_conn mount;
    struct wbuf w;
    if (root.n)
        return; /* handles are the same on every connection */
    bench_connect(&mount, options.mount_port ? options.mount_port : bench.port);
    call_begin(&w, 1, MOUNT_PROGRAM, MOUNTPROC3_MNT, 0);
    put_string(&w, options.export);
    struct cursor r = call_wait(&mount, &w);
    status_ok(&r, options.export);
    get_handle(&r, &root);
    bench_disconnect(&mount);
    find(c, "big.dat", &file);
    find(c, "dir10k", &directory);
}

static void message(struct bench_conn *conn, uint8_t *m, size_t n)
{
    uint32_t xid;
    struct cursor c = reply_open(m, n, &xid);
    struct bench_slot *s = bench_slot_at(xid % BENCH_DEPTH_MAX);
    if (xid != (s->tag | s->index))
        bench_fail("an answer to no call");
    bench_answer(s, &c);
}

static void commit(struct bench_conn *c)
{
    struct wbuf w;
    call_begin(&w, 1, NFS_PROGRAM, NFSPROC3_COMMIT, 0);
    put_handle(&w, &file);
    wbuf_zero(&w, 12); /* the whole file */
    struct cursor r = call_wait(c, &w);
    status_ok(&r, "COMMIT");
}

static void option(int o, const char *value)
{
    switch (o) {
    case 'm': options.mount_port = (uint16_t)strtoul(value, NULL, 10); break;
    case 'e': options.export = value; break;
    case 'u': options.uid = (uint32_t)strtoul(value, NULL, 10); break;
    case 'g': options.gid = (uint32_t)strtoul(value, NULL, 10); break;
    }
}

int main(int argc, char **argv)
{
    static const struct bench_protocol nfs = {
        .program = "nfsload", .options = "m:e:u:g:",
        .usage = "  -e EXPORT (/)            -m PORT of MOUNT (that of NFS)\n"
                 "  -u UID, -g GID of AUTH_SYS (0)\n",
        .works = works, .nworks = ARRAY_LEN(works), .record_marks = true,
        .option = option, .open = open_export, .message = message, .durable = commit};
    return bench_main(argc, argv, &nfs);
}
