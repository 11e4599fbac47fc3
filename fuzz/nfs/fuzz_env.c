/* fuzz_env.c - see fuzz_env.h. */
#include "fuzz_env.h"
#include "../turn.h"
#include "base/log.h"
#include "fs/ops.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct fuzz_env fuzz;

/* Names are not looked up. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
    struct in_addr in;
    if (!node || inet_pton(AF_INET, node, &in) != 1)
        return EAI_NONAME;
    struct addrinfo *ai = calloc(1, sizeof *ai + sizeof(struct sockaddr_in));
    if (!ai)
        return EAI_MEMORY;
    struct sockaddr_in *sin = (struct sockaddr_in *)(ai + 1);
    *sin = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = in};
    ai->ai_family = AF_INET;
    ai->ai_addr = (struct sockaddr *)sin;
    ai->ai_addrlen = sizeof *sin;
    *ret = ai;
    return 0;
}
void freeaddrinfo(struct addrinfo *ai) { free(ai); }

void fuzz_turn(uint64_t ns)
{
    turn(fuzz.loop, ns);
}

static void start(void)
{
    struct fs_config fc = {0};
    log_init(2, LOG_ERROR);
    log_threshold = LOG_ERROR;
    fuzz.loop = turn_loop();
    fc.loop = fuzz.loop;
    co_policy_default(&fc.lock);
    if (fs_create(&fc, &fuzz.fs) != ST_OK)
        abort();
    struct nfs_config nc = {.listen = "127.0.0.1:0",
                            .portmap = NFS_PORTMAP_OFF,
                            .park = NSEC_PER_SEC,
                            .drc_entries = 64,
                            .limits = {.max_message = 256 << 10},
                            .max_connections = 100,
                            .name = "fuzz"};
    rpc_out_pmap_port = 9;
    if (nfs_server_create(&nc, fuzz.fs, NULL, &fuzz.loop, 1, NULL, &fuzz.srv) < 0 || nfs_server_listen(fuzz.srv) < 0)
        abort();
    static const struct portmap_entry own[] = {{100003, 3, false, 2049}, {100005, 3, true, 2049}};
    static struct rpc_service portmap_service;
    if (portmap_create(own, ARRAY_LEN(own), &fuzz.map) < 0)
        abort();
    portmap_service =
        (struct rpc_service){.name = "portmap", .programs = portmap_programs, .nprograms = 3, .ctx = fuzz.map};
    fuzz.nfs = (struct rpc_listener){.srv = fuzz.srv->rpc, .svc = &fuzz.srv->svc};
    fuzz.portmap = (struct rpc_listener){.srv = fuzz.srv->rpc, .svc = &portmap_service};
}

static struct st_node *make(struct fs_req *q, struct st_node *dir, const char *name, enum st_type type)
{
    struct fs_make m = {.a = {.type = type, .mode = 0666}, .set = ST_SET_MODE, .target = type == ST_LNK ? "a/b" : NULL};
    struct st_node *n;
    struct st_attr a;
    struct fs_wcc wcc = {0};
    if (fs_make(q, dir, name, strlen(name), &m, &n, &a, &wcc) != ST_OK)
        abort();
    return n;
}

void fuzz_begin(void)
{
    static const struct fs_cred cred = {.superuser = true};
    static struct fs_export_rule rule = {.squash = FS_SQUASH_NONE};
    struct fs_share_config cfg = {.name = "share", .store = "mem", .nfs = true, .rules = &rule, .nrules = 1};
    struct arena arena;
    struct fs_req q;
    if (!fuzz.loop)
        start();
    if (fs_share_set(fuzz.fs, "share", &cfg) != ST_OK)
        abort();
    arena_init(&arena);
    fs_req_init(&q, fuzz.fs, NULL, &arena);
    q.cred = &cred;
    q.share = fs_share_get(fuzz.fs, "share", 5);
    struct fs_wcc wcc = {0};
    struct st_node *n[FUZZ_HANDLES] = {fs_node_ref(q.share->root)};
    n[1] = make(&q, n[0], "dir", ST_DIR);
    n[2] = make(&q, n[1], "file", ST_REG);
    n[3] = make(&q, n[0], "link", ST_LNK);
    n[4] = make(&q, n[0], "gone", ST_REG);
    for (int i = 0; i < FUZZ_HANDLES; i++) {
        if (fs_handle(&q, n[i], fuzz.fh[i], &fuzz.nfh[i]) != ST_OK)
            abort();
        if (i == 4)
            fs_remove(&q, n[0], "gone", 4, false, &wcc);
        fs_node_unref(n[i]);
    }
    fs_share_put(q.share);
    arena_reset(&arena);
}

/* Whatever clients hold or wait for goes. */
static bool forget_client(void *arg, const struct co_hold *h)
{
    uint64_t *client = arg;
    *client = h->party.client;
    return h->party.label != CO_LABEL_NLM;
}

void fuzz_end(void)
{
    struct rpc_loop *home = &fuzz.srv->rpc->loops[0];
    struct nlm *nlm = fuzz.srv->nlm;
    fuzz_turn(NSEC_PER_SEC);      /* early answers, JUKEBOX */
    fuzz_turn(120 * NSEC_PER_SEC); /* callbacks nobody answers */
    for (int i = 0; i < 1000 && nlm->waits.count > 0; i++) {
        for (size_t s = 0; s <= nlm->waits.mask; s++)
            if (nlm->waits.slots[s])
                nlm_wait_host_gone(nlm, container_of(nlm->waits.slots[s], struct nlm_wait, link)->id.client);
        fuzz_turn(120 * NSEC_PER_SEC);
    }
    for (int i = 0; i < 1000; i++) {
        uint64_t client = 0;
        co_each(fs_engine(fuzz.fs), NULL, forget_client, &client);
        if (!client)
            break;
        fs_client_gone(fuzz.fs, client);
    }
    fuzz_turn(120 * NSEC_PER_SEC);
    if (!list_empty(&home->live) || !list_empty(&home->conns))
        abort(); /* a call or a connection was left behind */
    fs_share_set(fuzz.fs, "share", NULL);
}

int fuzz_connect(const struct rpc_listener *li, uint8_t host)
{
    int fd[2];
    struct sockaddr_storage peer = {0};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) < 0)
        abort();
    *(struct sockaddr_in *)&peer = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(700), .sin_addr.s_addr = htonl(0x7f000001u + (host & 1))};
    struct rpc_loop *home = &fuzz.srv->rpc->loops[0];
    rpc_listener_ops.accept((void *)(uintptr_t)li, fuzz.loop, fd[0], &peer);
    struct conn *c = list_entry(home->conns.prev, struct rpc_conn, in_loop)->net;
    c->peer = peer;
    addr_format(&peer, c->peer_name, sizeof c->peer_name);
    return fd[1];
}

void fuzz_send(int fd, const void *p, size_t n)
{
    uint8_t sink[65536];
    for (size_t at = 0; at < n;) {
        ssize_t w = send(fd, (const uint8_t *)p + at, n - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (w > 0)
            at += (size_t)w;
        else if (errno != EAGAIN)
            return;
        fuzz_turn(0);
        while (recv(fd, sink, sizeof sink, MSG_DONTWAIT) > 0)
            ;
    }
    fuzz_turn(0);
    while (recv(fd, sink, sizeof sink, MSG_DONTWAIT) > 0)
        ;
}
