/* wire.c - see wire.h. */
#include "wire.h"
#include "base/utf.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* --- The server. */
static void add_share(struct wire *w, const char *name, enum fs_tristate encryption)
{
    struct fs_share_config k = {.store = "mem", .smb = true, .file_mode_mask = 0777, .dir_mode_mask = 0777,
                                .signing = FS_OFFERED, .encryption = encryption, .guest_ok = true};
    snprintf(k.name, sizeof k.name, "%s", name);
    assert_int_equal(fs_share_set(w->fs, name, &k), ST_OK);
}

void wire_start(struct wire *w, const struct smb_config *cfg)
{
    struct fs_config fc = {0};
    memset(w, 0, sizeof *w);
    log_init(2, LOG_ERROR);
    snprintf(w->dir, sizeof w->dir, "/tmp/smb-wire-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(kv_open(w->dir, &w->kv), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(loop_create(&w->loops[i]), 0);
        assert_int_equal(loop_start(w->loops[i], i), 0);
    }
    assert_int_equal(pool_create(2, &w->pool), 0);
    assert_int_equal(fs_user_set(w->kv, "ann", "secret", 0, 0, true), ST_OK);
    assert_int_equal(fs_user_set(w->kv, "bob", "secret2", 0, 0, true), ST_OK);
    fc.kv = w->kv;
    fc.loop = w->loops[0];
    co_policy_default(&fc.lock);
    assert_int_equal(fs_create(&fc, &w->fs), ST_OK);
    add_share(w, "share", FS_OFFERED);
    add_share(w, "sealed", FS_REQUIRED);
    if (cfg)
        w->srv.cfg = *cfg;
    else
        w->srv.cfg.signing = w->srv.cfg.encryption = FS_OFFERED;
    w->srv.fs = w->fs;
    w->srv.kv = w->kv;
    w->srv.pool = w->pool;
    w->srv.cfg.durable_timeout = 60 * NSEC_PER_SEC;
    w->srv.cfg.limits.max_inflight = 512;
    w->srv.cfg.limits.max_queued = 16 << 20;
    w->srv.cfg.limits.stall_timeout = 30 * NSEC_PER_SEC;
    assert_int_equal(smb_server_start(&w->srv, w->loops, 2, "127.0.0.1:0"), 0);
}

void wire_stop(struct wire *w)
{
    char command[128];
    smb_server_stop(&w->srv);
    pool_free(w->pool);
    for (int i = 0; i < 2; i++)
        loop_stop(w->loops[i]);
    fs_free(w->fs);
    for (int i = 0; i < 2; i++)
        loop_free(w->loops[i]);
    kv_close(w->kv);
    snprintf(command, sizeof command, "rm -rf %s", w->dir);
    assert_int_equal(system(command), 0);
}

/* --- The client. */
void client_open(struct client *c, const struct wire *w)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(smb_server_port(&w->srv)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 20};
    int one = 1;
    memset(c, 0, sizeof *c);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    c->credits = 1;
    c->n = SMB_FRAMING;
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&to, sizeof to), 0);
}

void client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    smb_signer_free(c->signer);
    c->signer = NULL;
}

void client_put(struct client *c, const void *p, size_t n)
{
    assert_true(c->n + n <= sizeof c->out);
    if (n)
        memcpy(c->out + c->n, p, n);
    c->n += n;
}
void client_u8(struct client *c, uint8_t v) { client_put(c, &v, 1); }
void client_u16(struct client *c, uint16_t v) { client_put(c, (uint8_t[]){(uint8_t)v, (uint8_t)(v >> 8)}, 2); }
void client_u32(struct client *c, uint32_t v)
{
    client_u16(c, (uint16_t)v);
    client_u16(c, (uint16_t)(v >> 16));
}
void client_u64(struct client *c, uint64_t v)
{
    client_u32(c, (uint32_t)v);
    client_u32(c, (uint32_t)(v >> 32));
}

/* Signs the current request, which ends at c->n. */
static void seal_request(struct client *c)
{
    uint8_t *h = c->out + c->header;
    if (!c->header || !c->sign || !c->signer)
        return;
    put_le32(h + SMB2_HDR_FLAGS, get_le32(h + SMB2_HDR_FLAGS) | SMB2_FLAGS_SIGNED);
    uint8_t signature[16];
    assert_true(smb_sign(c->signer, h, c->n - c->header, false, signature));
    memcpy(h + SMB2_HDR_SIGNATURE, signature, 16);
}

void client_begin(struct client *c, uint16_t command)
{
    if (c->header) {
        while ((c->n - SMB_FRAMING) % 8)
            client_u8(c, 0);
        put_le32(c->out + c->header + SMB2_HDR_NEXT_COMMAND, (uint32_t)(c->n - c->header));
        seal_request(c);
    }
    c->header = c->n;
    client_put(c, "\xfeSMB", 4);
    client_u16(c, SMB2_HEADER);
    client_u16(c, c->charge);
    client_u32(c, 0);
    client_u16(c, command);
    client_u16(c, c->credits);
    client_u32(c, c->flags);
    client_u32(c, 0);
    client_u64(c, c->mid);
    client_u32(c, 0);
    client_u32(c, c->tree);
    client_u64(c, c->session);
    client_put(c, (uint8_t[16]){0}, 16);
    if (command != SMB2_CANCEL)
        c->mid += MAX(c->charge, 1);
}

void client_send(struct client *c)
{
    seal_request(c);
    put_be32(c->out, (uint32_t)(c->n - SMB_FRAMING));
    assert_true(send(c->fd, c->out, c->n, MSG_NOSIGNAL) == (ssize_t)c->n);
    c->n = SMB_FRAMING;
    c->header = 0;
}

static bool read_all(int fd, uint8_t *p, size_t n)
{
    while (n) {
        ssize_t got = recv(fd, p, n, 0);
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

static void take(struct client *c)
{
    c->status = get_le32(c->reply + SMB2_HDR_STATUS);
    c->granted = get_le16(c->reply + SMB2_HDR_CREDITS);
    if (c->signer && (get_le32(c->reply + SMB2_HDR_FLAGS) & SMB2_FLAGS_SIGNED)) {
        uint8_t copy[sizeof c->in], want[16];
        memcpy(copy, c->reply, c->nreply);
        memset(copy + SMB2_HDR_SIGNATURE, 0, 16);
        assert_true(smb_sign(c->signer, copy, c->nreply, true, want));
        assert_memory_equal(want, c->reply + SMB2_HDR_SIGNATURE, 16);
    }
}

static void point_at(struct client *c, size_t at)
{
    uint32_t next = get_le32(c->in + at + SMB2_HDR_NEXT_COMMAND);
    assert_true(next % 8 == 0 && at + next <= c->nin);
    c->reply = c->in + at;
    c->nreply = next ? next : c->nin - at;
    assert_int_equal(get_be32(c->reply), SMB2_PROTOCOL_ID);
    take(c);
}

bool client_recv(struct client *c)
{
    uint8_t framing[4];
    if (!read_all(c->fd, framing, 4))
        return false;
    c->nin = get_be32(framing);
    assert_true(c->nin >= SMB2_HEADER && c->nin <= sizeof c->in);
    if (!read_all(c->fd, c->in, c->nin))
        return false;
    point_at(c, 0);
    return true;
}

bool client_next(struct client *c)
{
    size_t at = (size_t)(c->reply - c->in);
    uint32_t next = get_le32(c->reply + SMB2_HDR_NEXT_COMMAND);
    if (!next)
        return false;
    point_at(c, at + next);
    return true;
}

bool client_call(struct client *c)
{
    client_send(c);
    return client_recv(c);
}

uint32_t client_final(struct client *c)
{
    do
        assert_true(client_recv(c));
    while (c->status == STATUS_PENDING);
    return c->status;
}

uint32_t client_answer(struct client *c)
{
    client_send(c);
    return client_final(c);
}

bool client_closed(struct client *c)
{
    uint8_t b[4096];
    ssize_t n;
    while ((n = recv(c->fd, b, sizeof b, 0)) > 0)
        ;
    return n == 0 || errno == ECONNRESET;
}

/* --- Exchanges. */
static void put_negotiate(struct client *c, const uint16_t *dialects, uint16_t n)
{
    client_begin(c, SMB2_NEGOTIATE);
    client_u16(c, 36);
    client_u16(c, n);
    client_u16(c, 1);
    client_u16(c, 0);
    client_u32(c, SMB2_GLOBAL_CAP_ENCRYPTION);
    client_put(c, "0123456789abcdef", 16);
    client_u64(c, 0);
    for (uint16_t i = 0; i < n; i++)
        client_u16(c, dialects[i]);
}

/* Preauthentication integrity, of what was said and heard last. */
static void preauth_out(struct client *c)
{
    if (c->dialect == SMB_3_1_1)
        smb_preauth_update(c->preauth, c->out + SMB_FRAMING, c->n - SMB_FRAMING);
}
static void preauth_in(struct client *c)
{
    if (c->dialect == SMB_3_1_1)
        smb_preauth_update(c->preauth, c->in, c->nin);
}

void client_contexts(struct client *c, const uint8_t *contexts, size_t n, uint16_t count)
{
    c->dialect = SMB_3_1_1;
    put_negotiate(c, (uint16_t[]){SMB_3_1_1}, 1);
    while ((c->n - SMB_FRAMING) % 8)
        client_u8(c, 0);
    put_le32(c->out + c->header + SMB2_HEADER + 28, (uint32_t)(c->n - c->header));
    put_le16(c->out + c->header + SMB2_HEADER + 32, count);
    client_put(c, contexts, n);
    memset(c->preauth, 0, 64);
    preauth_out(c);
    if (client_call(c))
        preauth_in(c);
}

uint32_t client_negotiate(struct client *c, uint16_t dialect)
{
    static const uint8_t preauth_only[] = {1, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0};
    c->dialect = dialect;
    c->alg = dialect >= SMB_3_0_0 ? SMB2_SIGNING_AES_CMAC : SMB2_SIGNING_HMAC_SHA256;
    if (dialect == SMB_3_1_1) {
        client_contexts(c, preauth_only, sizeof preauth_only, 1);
        return c->status;
    }
    put_negotiate(c, &dialect, 1);
    assert_true(client_call(c));
    return c->status;
}

static bool setup_call(struct client *c, const uint8_t *token, size_t n)
{
    client_begin(c, SMB2_SESSION_SETUP);
    client_u16(c, 25);
    client_u8(c, c->binds != NULL);
    client_u8(c, 1);
    client_u64(c, 0);
    client_u16(c, SMB2_HEADER + 24);
    client_u16(c, (uint16_t)n);
    client_u64(c, c->previous);
    client_put(c, token, n);
    preauth_out(c);
    if (c->binds)
        c->signer = c->binds->signer;
    client_send(c);
    if (c->binds)
        c->signer = NULL;
    if (!client_recv(c))
        return false;
    if (c->status == STATUS_MORE_PROCESSING_REQUIRED)
        preauth_in(c);
    c->session = get_le64(c->reply + SMB2_HDR_SESSION_ID);
    return true;
}

static void make_signer(struct client *c, const uint8_t key[16])
{
    uint8_t signing[16];
    memcpy(signing, key, 16);
    if (c->dialect == SMB_3_1_1)
        smb_kdf(key, "SMBSigningKey", 14, c->preauth, 64, signing, 16);
    else if (c->dialect >= SMB_3_0_0)
        smb_kdf(key, "SMB2AESCMAC", 12, "SmbSign", 8, signing, 16);
    smb_signer_free(c->signer);
    c->signer = smb_signer_new(c->alg, signing);
}

uint32_t client_logon(struct client *c, const char *user, const char *password)
{
    struct ntlm_client ntlm = {
        .user = user, .password = password, .domain = "GROUP", .mic = true, .key_exchange = true};
    uint8_t message[2048], hash[64];
    size_t n;
    memcpy(hash, c->preauth, 64); /* every session's chain starts where NEGOTIATE's ended */
    assert_true(setup_call(c, message, ntlm_client_negotiate(&ntlm, message)));
    if (c->status == STATUS_MORE_PROCESSING_REQUIRED) {
        const uint8_t *challenge = ntlm_inside_token(c->reply, c->nreply, &n);
        assert_non_null(challenge);
        n = ntlm_client_authenticate(&ntlm, challenge, n, message);
        assert_true(setup_call(c, message, n));
        if (c->status == STATUS_SUCCESS && !c->signer) { /* logging on again leaves the keys what they are */
            make_signer(c, ntlm.key);
            take(c);
        }
    }
    memcpy(c->preauth, hash, 64);
    return c->status;
}

static size_t utf16(const char *s, uint8_t *out, size_t cap)
{
    return utf8_to_utf16le(s, strlen(s), out, cap);
}

uint32_t client_tree(struct client *c, const char *path)
{
    uint8_t name[512];
    size_t n = utf16(path, name, sizeof name);
    client_begin(c, SMB2_TREE_CONNECT);
    client_u16(c, 9);
    client_u16(c, 0);
    client_u16(c, SMB2_HEADER + 8);
    client_u16(c, (uint16_t)n);
    client_put(c, name, n);
    if (!client_call(c))
        return STATUS_PIPE_BROKEN;
    if (c->status == STATUS_SUCCESS)
        c->tree = get_le32(c->reply + SMB2_HDR_TREE_ID);
    return c->status;
}

void client_ready(struct client *c, const struct wire *w, uint16_t dialect)
{
    client_open(c, w);
    assert_int_equal(client_negotiate(c, dialect), STATUS_SUCCESS);
    c->credits = 100;
    assert_int_equal(client_logon(c, "ann", "secret"), STATUS_SUCCESS);
    c->sign = true;
    assert_int_equal(client_tree(c, "\\\\host\\share"), STATUS_SUCCESS);
}

void client_bind(struct client *c, const struct wire *w, const struct client *first)
{
    client_open(c, w);
    assert_int_equal(client_negotiate(c, first->dialect), STATUS_SUCCESS);
    c->credits = 100;
    c->binds = first;
    c->sign = true;
    c->session = first->session;
    c->tree = first->tree;
    assert_int_equal(client_logon(c, "ann", "secret"), STATUS_SUCCESS);
    c->binds = NULL;
}

uint32_t client_simple(struct client *c, uint16_t command, uint16_t structure_size)
{
    client_begin(c, command);
    client_u16(c, structure_size);
    client_u16(c, 0);
    return client_call(c) ? c->status : STATUS_PIPE_BROKEN;
}

void client_put_create(struct client *c, const char *name, bool dir)
{
    uint8_t path[512];
    size_t n = utf16(name, path, sizeof path);
    client_begin(c, SMB2_CREATE);
    client_u16(c, 57);
    client_u16(c, 0);
    client_u32(c, 2);
    client_put(c, (uint8_t[16]){0}, 16);
    client_u32(c, 0x1f01ff);
    client_u32(c, 0);
    client_u32(c, 7);
    client_u32(c, 3); /* FILE_OPEN_IF */
    client_u32(c, dir ? 1 : 0x40);
    client_u16(c, SMB2_HEADER + 56);
    client_u16(c, (uint16_t)n);
    client_u64(c, 0);
    client_put(c, path, n);
    if (!n)
        client_u8(c, 0);
}

uint32_t client_create(struct client *c, const char *name, bool dir, uint64_t ret_id[2])
{
    client_put_create(c, name, dir);
    assert_true(client_call(c));
    if (c->status == STATUS_SUCCESS) {
        ret_id[0] = get_le64(c->reply + SMB2_HEADER + 64);
        ret_id[1] = get_le64(c->reply + SMB2_HEADER + 72);
    }
    return c->status;
}

void client_put_close(struct client *c, const uint64_t id[2])
{
    client_begin(c, SMB2_CLOSE);
    client_u16(c, 24);
    client_u16(c, 0);
    client_u32(c, 0);
    client_u64(c, id[0]);
    client_u64(c, id[1]);
}
