/* nsm_notify.c - NOTIFY, both ways: telling hosts that we have restarted, and hearing that they have.
 *
 * A host knows us by the name or the address that it mounted from, and compares what NOTIFY says with that: so it is
 * told both, our name and the address that it used. Hosts that do not answer are tried for a quarter of an hour. */
#include "nsm_int.h"
#include "base/clock.h"
#include "base/log.h"
#include <arpa/inet.h>

#define NOTIFY_TOTAL (900 * NSEC_PER_SEC)
#define NOTIFY_TIMEOUT (4 * NSEC_PER_SEC)
#define NOTIFY_FIRST (5 * NSEC_PER_SEC)
#define NOTIFY_LAST (60 * NSEC_PER_SEC)
#define NOTIFY_APART (10 * NSEC_PER_MSEC) /* between hosts: thousands are not called at once */
#define TELL_TIMEOUT (5 * NSEC_PER_SEC)
#define TELLS_MAX 1024u

/* --- Telling. On the server's loop. */

static void notify_try(struct nsm_host *h);
static void notify_timer(struct timer *t) { notify_try(container_of(t, struct nsm_host, timer)); }

static void notify_over(struct nsm_host *h, const char *result)
{
    struct nsm *nsm = h->nsm;
    log_info("nsm", "event=notify host=%s result=\"%s\"", log_quote(h->name, strlen(h->name)), result);
    h->notifying = false;
    pthread_mutex_lock(&nsm->lock);
    h->to_notify = false;
    pthread_mutex_unlock(&nsm->lock);
    nsm_host_store_later(nsm, h);
}

static void notify_done(void *arg, enum st st, struct cursor *in)
{
    struct nsm_host *h = arg;
    struct loop *l = h->nsm->srv->loop;
    h->out = NULL;
    if (st == ST_OK && !h->second) {
        h->second = true;
        h->tries = 0;
        notify_try(h);
        return;
    }
    if (st == ST_OK || loop_now(l) > h->give_up) {
        notify_over(h, st == ST_OK ? "told" : "no answer");
        return;
    }
    uint64_t delay = MIN(NOTIFY_FIRST << MIN(h->tries, 8u), NOTIFY_LAST);
    h->tries++;
    loop_timer(l, &h->timer, loop_now(l) + delay);
}

static void put_our_name(struct wbuf *w, const struct nsm_host *h)
{
    static const uint8_t none[16], v4_mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN];
    bool v4 = memcmp(h->local, v4_mapped, sizeof v4_mapped) == 0;
    if (h->second || memcmp(h->local, none, sizeof none) == 0) {
        xdr_put_string(w, h->nsm->name);
        return;
    }
    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? h->local + 12 : h->local, text, sizeof text);
    xdr_put_string(w, text);
}

static void notify_try(struct nsm_host *h)
{
    struct wbuf args;
    wbuf_init(&args, 256, 2048);
    put_our_name(&args, h);
    xdr_put_u32(&args, nsm_state(h->nsm));
    struct rpc_out_call call = {.to = h->addr,
                                .udp = true,
                                .reserved_port = true,
                                .prog = NSM_PROGRAM,
                                .vers = 1,
                                .proc = SM_NOTIFY,
                                .timeout = NOTIFY_TIMEOUT,
                                .done = notify_done,
                                .arg = h};
    int r = -1;
    if (!args.bad) {
        call.args = wbuf_at(&args, 0);
        call.nargs = wbuf_len(&args);
        r = rpc_out_start(h->nsm->srv->loop, &call, &h->out);
    }
    wbuf_done(&args);
    if (r < 0)
        notify_done(h, ST_CLOSED, NULL);
}

void nsm_notify_all(struct nsm *nsm)
{
    struct loop *l = nsm->srv->loop;
    uint64_t at = loop_now(l);
    pthread_mutex_lock(&nsm->lock);
    for (size_t i = 0; i <= nsm->hosts.mask; i++) {
        for (struct hash_link *e = nsm->hosts.slots[i]; e; e = e->next) {
            struct nsm_host *h = container_of(e, struct nsm_host, link);
            if (!h->to_notify || h->notifying)
                continue;
            h->notifying = true;
            h->second = false;
            h->tries = 0;
            h->give_up = at + NOTIFY_TOTAL;
            h->timer.fn = notify_timer;
            at += NOTIFY_APART;
            loop_timer(l, &h->timer, at);
        }
    }
    pthread_mutex_unlock(&nsm->lock);
}

/* --- Hearing. */

static void tell_free(struct nsm_tell *t)
{
    list_remove(&t->link);
    wbuf_done(&t->args);
    free(t);
}
static void tell_done(void *arg, enum st st, struct cursor *in) { tell_free(arg); }

static void tell_start(struct task *task)
{
    struct nsm_tell *t = container_of(task, struct nsm_tell, task);
    list_append(&t->nsm->tells, &t->link);
    if (rpc_out_start(t->nsm->srv->loop, &t->call, &t->out) < 0)
        tell_free(t);
}

/* To a program of this machine: struct status of XNFS §11.4. */
static void tell_local(struct nsm *nsm, const struct nsm_local *m, uint32_t state)
{
    struct nsm_tell *t = calloc(1, sizeof *t);
    if (!t)
        return;
    t->nsm = nsm;
    wbuf_init(&t->args, 256, 2048);
    xdr_put_string(&t->args, m->mon_name);
    xdr_put_u32(&t->args, state);
    xdr_put_fixed(&t->args, m->priv, SM_PRIV_SIZE);
    if (t->args.bad) {
        free(t);
        return;
    }
    t->call = (struct rpc_out_call){.udp = true,
                                    .reserved_port = true,
                                    .prog = m->prog,
                                    .vers = m->vers,
                                    .proc = m->proc,
                                    .args = wbuf_at(&t->args, 0),
                                    .nargs = wbuf_len(&t->args),
                                    .timeout = TELL_TIMEOUT,
                                    .done = tell_done,
                                    .arg = t};
    *(struct sockaddr_in *)&t->call.to =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    list_init(&t->link);
    t->task.fn = tell_start;
    loop_post(nsm->srv->loop, &t->task);
}

static void tell_locals(struct nsm *nsm, uint32_t state, const uint8_t peer[16])
{
    struct nsm_local *m;
    unsigned told = 0;
    pthread_mutex_lock(&nsm->lock);
    list_each(m, &nsm->locals, link)
        if (told < TELLS_MAX && m->has_addr && memcmp(m->addr, peer, 16) == 0 && ++told)
            tell_local(nsm, m, state);
    pthread_mutex_unlock(&nsm->lock);
}

/* The next host from this address that is meant and has not heard of this state; it is off the list now. */
static struct nsm_host *take_host(struct nsm *nsm, const struct nfs_name *name, uint32_t state, const uint8_t peer[16])
{
    uint8_t addr[16];
    struct nsm_host *found = NULL;
    pthread_mutex_lock(&nsm->lock);
    for (size_t i = 0; i <= nsm->hosts.mask && !found; i++) {
        for (struct hash_link *l = nsm->hosts.slots[i]; l && !found; l = l->next) {
            struct nsm_host *h = container_of(l, struct nsm_host, link);
            rpc_addr_bytes(&h->addr, addr);
            bool old = h->has_state && (int32_t)(state - h->last_state) <= 0;
            if (!h->monitored || old || memcmp(addr, peer, 16) != 0 || !nsm_name_equal(h->name, name->p, name->n))
                continue;
            h->has_state = true;
            h->last_state = state;
            h->monitored = false;
            if (h->before && !h->reclaimed) { /* it has nothing to reclaim */
                h->reclaimed = true;
                nsm->before_left--;
            }
            found = h;
        }
    }
    pthread_mutex_unlock(&nsm->lock);
    return found;
}

void nsm_notified(struct nsm *nsm, const struct nfs_name *name, uint32_t state, const struct sockaddr_storage *peer)
{
    uint8_t bytes[16];
    struct nsm_host *h;
    rpc_addr_bytes(peer, bytes);
    while ((h = take_host(nsm, name, state, bytes)) != NULL) {
        log_info("nsm", "event=host_restarted host=%s state=%u", log_quote(h->name, strlen(h->name)), state);
        nlm_wait_host_gone(nsm->srv->nlm, h->client);
        fs_client_gone(nsm->srv->fs, h->client);
        nsm_host_store_later(nsm, h);
    }
    tell_locals(nsm, state, bytes);
}

void nsm_notify_stop(struct nsm *nsm)
{
    struct nsm_tell *t;
    while ((t = list_first(&nsm->tells, struct nsm_tell, link)) != NULL) {
        rpc_out_cancel(TAKE_PTR(t->out));
        tell_free(t);
    }
    for (size_t i = 0; i <= nsm->hosts.mask; i++) {
        for (struct hash_link *l = nsm->hosts.slots[i]; l; l = l->next) {
            struct nsm_host *h = container_of(l, struct nsm_host, link);
            loop_timer(nsm->srv->loop, &h->timer, 0);
            rpc_out_cancel(TAKE_PTR(h->out));
        }
    }
}
