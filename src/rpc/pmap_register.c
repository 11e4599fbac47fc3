/* pmap_register.c - telling the system's port mapper what is served here. One call after the other: UNSET of what an
 * earlier server may have left, then SET; when that fails, all of it again later. Everything on one loop, but for the
 * start and the stop. */
#include "portmap.h"
#include "rpc_client.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>

#define REGISTER_TIMEOUT (5 * NSEC_PER_SEC)
#define REGISTER_AGAIN (30 * NSEC_PER_SEC)
#define REGISTER_GIVE_UP NSEC_PER_SEC /* when stopping */

struct pmap_register {
    struct loop *loop;
    struct rpc_out *out;
    struct timer again;
    size_t at; /* calls made: first n times UNSET, then n times SET */
    bool stopping, warned, stopped;
    pthread_mutex_t lock; /* of stopped */
    pthread_cond_t done;
    size_t n;
    struct portmap_entry own[];
};

static void next(struct pmap_register *r);

static void signal_stopped(struct pmap_register *r)
{
    pthread_mutex_lock(&r->lock);
    r->stopped = true;
    pthread_cond_signal(&r->done);
    pthread_mutex_unlock(&r->lock);
}

static void failed(struct pmap_register *r, const char *why)
{
    if (r->stopping) {
        signal_stopped(r);
        return;
    }
    if (!r->warned)
        log_warn("rpc", "event=portmap_register_failed reason=\"%s\"", why);
    r->warned = true;
    r->at = 0;
    loop_timer(r->loop, &r->again, loop_now(r->loop) + REGISTER_AGAIN);
}

static void call_done(void *arg, enum st st, struct cursor *results)
{
    struct pmap_register *r = arg;
    r->out = NULL;
    bool set = r->at >= r->n;
    if (st != ST_OK || (set && xdr_u32(results) != 1)) {
        failed(r, st == ST_OK ? "refused" : st_text(st));
        return;
    }
    r->at++;
    next(r);
}

static void next(struct pmap_register *r)
{
    size_t end = r->stopping ? r->n : 2 * r->n;
    if (r->at >= end) {
        if (r->stopping)
            signal_stopped(r);
        else
            log_info("rpc", "event=portmap_registered mappings=%zu", r->n);
        return;
    }
    const struct portmap_entry *e = &r->own[r->at % r->n];
    uint8_t args[16];
    put_be32(args, e->prog);
    put_be32(args + 4, e->vers);
    put_be32(args + 8, e->udp ? IPPROTO_UDP : IPPROTO_TCP);
    put_be32(args + 12, e->port);
    struct rpc_out_call c = {.reserved_port = true,
                             .prog = PMAP_PROGRAM,
                             .vers = 2,
                             .proc = r->at < r->n ? PMAPPROC_UNSET : PMAPPROC_SET,
                             .args = args,
                             .nargs = sizeof args,
                             .timeout = r->stopping ? REGISTER_GIVE_UP : REGISTER_TIMEOUT,
                             .done = call_done,
                             .arg = r};
    *(struct sockaddr_in *)&c.to = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(rpc_out_pmap_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (rpc_out_start(r->loop, &c, &r->out) < 0)
        failed(r, "no connection");
}

static void again(struct timer *t) { next(container_of(t, struct pmap_register, again)); }
static void start_run(void *arg) { next(arg); }

static void stop_run(void *arg)
{
    struct pmap_register *r = arg;
    rpc_out_cancel(TAKE_PTR(r->out));
    loop_timer(r->loop, &r->again, 0);
    r->stopping = true;
    r->at = 0;
    next(r);
}
static void stop_now(void *arg)
{
    struct pmap_register *r = arg;
    rpc_out_cancel(TAKE_PTR(r->out));
}

int pmap_register_start(struct loop *l, const struct portmap_entry *own, size_t n, struct pmap_register **ret)
{
    struct pmap_register *r = calloc(1, sizeof *r + n * sizeof *own);
    if (!r)
        return -ENOMEM;
    r->loop = l;
    r->n = n;
    r->again.fn = again;
    memcpy(r->own, own, n * sizeof *own);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->done, NULL);
    *ret = r;
    loop_call(l, start_run, r);
    return 0;
}

void pmap_register_stop(struct pmap_register *r)
{
    if (!r)
        return;
    loop_call(r->loop, stop_run, r);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&r->lock);
    while (!r->stopped && pthread_cond_timedwait(&r->done, &r->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&r->lock);
    loop_call(r->loop, stop_now, r);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->done);
    free(r);
}
