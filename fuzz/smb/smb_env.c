/* smb_env.c - see smb_env.h. */
#include "smb_env.h"
#include "../turn.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

struct env env;

void env_turn(uint64_t ns)
{
    turn(env.loop, ns);
}

static void start(void)
{
    struct fs_config fc = {0};
    log_init(2, LOG_ERROR);
    env.loop = turn_loop();
    fc.loop = env.loop;
    co_policy_default(&fc.lock);
    if (fs_create(&fc, &env.fs) != ST_OK)
        abort();
    env.srv.fs = env.fs;
    env.srv.cfg.signing = env.srv.cfg.encryption = FS_OFFERED;
    env.srv.cfg.max_read = env.srv.cfg.max_write = env.srv.cfg.max_transact = 1 << 20;
    env.srv.cfg.anonymous = env.srv.cfg.guest = true;
    env.srv.cfg.durable_timeout = 60 * NSEC_PER_SEC;
    env.srv.cfg.limits = (struct conn_limits){.max_message = 2 << 20, .max_inflight = 256, .max_queued = 8 << 20};
    if (smb_server_start(&env.srv, &env.loop, 1, "127.0.0.1:0") < 0)
        abort();
}

void env_begin(void)
{
    struct fs_share_config k = {.name = "share", .store = "mem", .smb = true, .guest_ok = true, .file_mode_mask = 0777,
                                .dir_mode_mask = 0777, .signing = FS_OFFERED, .encryption = FS_OFFERED};
    if (!env.loop)
        start();
    if (fs_share_set(env.fs, "share", &k) != ST_OK)
        abort();
    atomic_store(&env.srv.next_id, 1);
}

void env_end(void)
{
    env_turn(NSEC_PER_SEC);
    env_turn(120 * NSEC_PER_SEC); /* breaks that nobody acknowledges, logons that do not end */
    env_turn(120 * NSEC_PER_SEC);
    env_turn(301 * NSEC_PER_SEC); /* and clients that do not come back */
    if (env.srv.alive || env.srv.sessions.count || env.srv.opens.count || env.srv.leases.count) {
        fprintf(stderr, "left behind: %u alive, %zu sessions, %zu opens, %zu leases\n", env.srv.alive,
                env.srv.sessions.count, env.srv.opens.count, env.srv.leases.count);
        abort();
    }
    fs_share_set(env.fs, "share", NULL);
}

void env_connect(struct env_client *c)
{
    int fd[2];
    struct sockaddr_storage peer = {0};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) < 0)
        abort();
    smb_accept(&env.srv, env.loop, fd[0], &peer);
    *c = (struct env_client){.fd = fd[1],
                             .conn = smb_conn_ref(list_entry(env.srv.conns.prev, struct smb_conn, in_server))};
    env_turn(0);
}

void env_leave(struct env_client *c)
{
    close(c->fd);
    smb_conn_unref(c->conn);
}

static void drain(struct env_client *c)
{
    static uint8_t sink[1 << 16];
    while (recv(c->fd, sink, sizeof sink, MSG_DONTWAIT) > 0)
        ;
}

void env_send(struct env_client *c, const void *p, size_t n)
{
    static uint8_t buf[1 << 17];
    n = MIN(n, sizeof buf - SMB_FRAMING);
    put_be32(buf, (uint32_t)n);
    memcpy(buf + SMB_FRAMING, p, n);
    n += SMB_FRAMING;
    for (size_t at = 0; at < n;) {
        ssize_t w = send(c->fd, buf + at, n - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (w > 0)
            at += (size_t)w;
        else if (errno != EAGAIN)
            return;
        env_turn(0);
        drain(c);
    }
    env_turn(0);
    drain(c);
    env_turn(0);
}

/* --- A client with a session. */
static size_t header(struct env_client *c, uint8_t *p, uint16_t command)
{
    memset(p, 0, SMB2_HEADER);
    put_be32(p, SMB2_PROTOCOL_ID);
    put_le16(p + SMB2_HDR_STRUCTURE_SIZE, SMB2_HEADER);
    put_le16(p + SMB2_HDR_COMMAND, command);
    put_le16(p + SMB2_HDR_CREDITS, 512);
    put_le64(p + SMB2_HDR_MESSAGE_ID, c->mid++);
    put_le64(p + SMB2_HDR_SESSION_ID, c->session);
    return SMB2_HEADER;
}

static void tree_connect(struct env_client *c, const char *path)
{
    uint8_t m[256];
    size_t n = header(c, m, SMB2_TREE_CONNECT), len = strlen(path);
    memset(m + n, 0, 8 + 2 * len);
    put_le16(m + n, 9);
    put_le16(m + n + 4, (uint16_t)(n + 8));
    put_le16(m + n + 6, (uint16_t)(2 * len));
    for (size_t i = 0; i < len; i++)
        m[n + 8 + 2 * i] = (uint8_t)path[i];
    env_send(c, m, n + 8 + 2 * len);
}

void env_ready(struct env_client *c, uint16_t dialect)
{
    static const uint8_t body[] = {36,  0,   1,   0,   1,   0,   0,   0,   0x40, 0,   0,    0,   'g',
                                   'u', 'i', 'd', 'g', 'u', 'i', 'd', 'g', 'u',  'i', 'd',  'g', 'u',
                                   'i', 'd', 0,   0,   0,   0,   0,   0,   0,    0,   0x02, 0x03};
    uint8_t m[256];
    env_connect(c);
    size_t n = header(c, m, SMB2_NEGOTIATE);
    memcpy(m + n, body, sizeof body);
    env_send(c, m, n + sizeof body);
    struct smb_session *s = c->conn->dialect == SMB_3_0_2 ? smb_session_new(c->conn) : NULL;
    if (!s)
        abort();
    static const uint8_t key[16] = {1};
    s->cred = (struct fs_cred){.superuser = true, .name = "fuzz"};
    s->cipher = SMB2_ENCRYPTION_NONE;
    if (!smb_channel_keys(smb_channel_find(c->conn, s->id), key))
        abort();
    atomic_store(&s->state, SMB_SESSION_VALID);
    c->conn->authenticated = c->conn->known_user = true;
    c->session = s->id;
    smb_session_unref(s);
    tree_connect(c, "\\\\h\\share");
    tree_connect(c, "\\\\h\\IPC$");
    c->conn->dialect = dialect;
    c->conn->multi_credit = dialect >= SMB_2_1_0;
}
