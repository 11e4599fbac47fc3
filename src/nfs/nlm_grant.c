/* nlm_grant.c - telling clients: GRANTED for a lock they were told to wait for, and the answers to _MSG calls.
 *
 * A grant holds its range from the moment it is made. The client is called at once, then after 5, 10 and 20 seconds
 * when nobody answers; after a minute it loses the lock, so that a dead host does not keep others waiting.
 * Everything here runs on the server's own loop, except where it says otherwise; whether a grant is still wanted is
 * read under nlm->lock.
 * */
#include "nlm_int.h"
#include "base/clock.h"

#define GRANT_TOTAL (60 * NSEC_PER_SEC)
#define GRANT_TIMEOUT (5 * NSEC_PER_SEC)
#define GRANT_AFTER_GRACE (10 * NSEC_PER_SEC) /* the client's own lock manager has just restarted */
#define SEND_TIMEOUT (5 * NSEC_PER_SEC)
#define SENDS_MAX 4096u
#define CALL_ARGS_MAX 8192u
static const uint64_t grant_delays[] = {5 * NSEC_PER_SEC, 10 * NSEC_PER_SEC, 20 * NSEC_PER_SEC};

static void grant_try(struct nlm_wait *w);

/* Any thread; the client's own rights do not matter any more. */
void nlm_release(const struct nlm_wait *w)
{
    struct arena arena;
    struct fs_req q;
    struct fs_share *share;
    struct st_node *n;
    static const struct fs_cred cred = {.superuser = true};
    const struct fs_range range = {.first = w->id.first, .last = w->id.last};
    struct fs *fs = w->nlm->srv->fs;
    if (fs_from_handle(fs, w->id.fh, w->id.nfh, &share, &n) != ST_OK)
        return; /* the file is gone, and its locks with it */
    arena_init(&arena);
    fs_req_init(&q, fs, NULL, &arena);
    q.share = share;
    q.cred = &cred;
    q.party = &w->party;
    fs_unlock(&q, n, NULL, &range, 1);
    fs_node_unref(n);
    fs_share_put(share);
    arena_reset(&arena);
}

/* True when the grant was still open: this caller ends it. */
static bool grant_claim(struct nlm_wait *w)
{
    pthread_mutex_lock(&w->nlm->lock);
    bool open = w->state == NLM_GRANTING;
    w->state = NLM_OVER;
    pthread_mutex_unlock(&w->nlm->lock);
    return open;
}
static bool grant_is_open(struct nlm_wait *w)
{
    pthread_mutex_lock(&w->nlm->lock);
    bool open = w->state == NLM_GRANTING;
    pthread_mutex_unlock(&w->nlm->lock);
    return open;
}

static void grant_end(struct nlm_wait *w, bool refused, const char *why)
{
    struct loop *l = w->nlm->srv->loop;
    loop_timer(l, &w->timer, 0);
    rpc_out_cancel(TAKE_PTR(w->out));
    if (grant_claim(w) && refused) {
        nlm_release(w);
        log_info("nlm", "event=grant_dropped host=%s reason=\"%s\"", log_quote(w->lock.caller.p, w->lock.caller.n),
                 why);
    }
    nlm_wait_free(w);
}

static void grant_timer(struct timer *t) { grant_try(container_of(t, struct nlm_wait, timer)); }

static void grant_again(struct nlm_wait *w, uint64_t delay)
{
    struct loop *l = w->nlm->srv->loop;
    if (loop_now(l) + delay > w->deadline) {
        grant_end(w, true, "no answer");
        return;
    }
    w->timer.fn = grant_timer;
    loop_timer(l, &w->timer, loop_now(l) + delay);
}

static uint64_t next_delay(struct nlm_wait *w)
{
    size_t i = MIN((size_t)w->tries++, ARRAY_LEN(grant_delays) - 1);
    return grant_delays[i];
}

static void grant_answered(void *arg, enum st st, struct cursor *in)
{
    struct nlm_wait *w = arg;
    uint32_t n;
    w->out = NULL;
    if (st != ST_OK || w->msg) { /* GRANTED_MSG is answered by GRANTED_RES: nlm_grant_confirm() */
        grant_again(w, next_delay(w));
        return;
    }
    xdr_opaque(in, NLM_NETOBJ_MAX, &n);
    uint32_t stat = xdr_u32(in);
    if (in->bad)
        grant_again(w, next_delay(w));
    else if (stat == NLM4_DENIED_GRACE_PERIOD)
        grant_again(w, GRANT_AFTER_GRACE);
    else
        grant_end(w, stat != NLM4_GRANTED, "refused by the client");
}

/* nlm4_testargs */
static void put_grant(struct wbuf *args, const struct nlm_wait *w)
{
    uint8_t cookie[8];
    put_be64(cookie, w->cookie);
    xdr_put_opaque(args, cookie, sizeof cookie);
    xdr_put_bool(args, w->id.exclusive);
    nlm_put_lock(args, w->vers, &w->lock);
}

static void grant_try(struct nlm_wait *w)
{
    if (!grant_is_open(w)) {
        grant_end(w, false, "");
        return;
    }
    struct wbuf args;
    wbuf_init(&args, 512, CALL_ARGS_MAX);
    put_grant(&args, w);
    struct rpc_out_call call = {.to = w->peer,
                                .udp = w->udp,
                                .reserved_port = true,
                                .lines = w->nlm->lines,
                                .prog = NLM_PROGRAM,
                                .vers = w->vers,
                                .proc = w->msg ? NLM_GRANTED_MSG : NLM_GRANTED,
                                .timeout = GRANT_TIMEOUT,
                                .done = grant_answered,
                                .arg = w};
    rpc_addr_set_port(&call.to, 0);
    int r = -1;
    if (!args.bad) {
        call.args = wbuf_at(&args, 0);
        call.nargs = wbuf_len(&args);
        r = rpc_out_start(w->nlm->srv->loop, &call, &w->out);
    }
    wbuf_done(&args);
    if (r < 0)
        grant_again(w, next_delay(w));
}

static void grant_start(struct task *t)
{
    struct nlm_wait *w = container_of(t, struct nlm_wait, task);
    w->deadline = loop_now(w->nlm->srv->loop) + GRANT_TOTAL;
    grant_try(w);
}

/* On the call's loop. */
void nlm_late(struct rpc_call *rc, enum st st)
{
    struct nfs_call *c = nfs_call(rc);
    if (st != ST_OK || !c->wait)
        return;
    struct nlm_wait *w = TAKE_PTR(c->wait);
    pthread_mutex_lock(&w->nlm->lock);
    w->call = NULL;
    w->cookie = w->nlm->next_cookie++;
    list_append(&w->nlm->grants, &w->in_grants);
    pthread_mutex_unlock(&w->nlm->lock);
    w->task.fn = grant_start;
    loop_post(w->nlm->srv->loop, &w->task);
}

/* Any thread. Only the client was given the cookie. The entry is freed by the loop when it next looks. */
void nlm_grant_confirm(struct nlm *nlm, const struct nfs_name *cookie, uint32_t stat)
{
    struct nlm_wait *w, refused;
    bool release = false;
    if (cookie->n != 8 || stat == NLM4_DENIED_GRACE_PERIOD)
        return;
    uint64_t id = get_be64(cookie->p);
    pthread_mutex_lock(&nlm->lock);
    list_each(w, &nlm->grants, in_grants) {
        if (w->cookie != id || w->state != NLM_GRANTING)
            continue;
        w->state = NLM_OVER;
        if (stat != NLM4_GRANTED) {
            refused = *w;
            release = true;
        }
    }
    pthread_mutex_unlock(&nlm->lock);
    if (release)
        nlm_release(&refused);
}

/* --- Answers to _MSG calls. */

struct send {
    struct list link; /* in nlm->sends, on the loop */
    struct task task;
    struct nlm *nlm;
    struct rpc_out *out;
    struct rpc_out_call call;
    struct wbuf args;
};

static void send_free(struct send *s)
{
    atomic_fetch_sub(&s->nlm->sending, 1);
    list_remove(&s->link);
    wbuf_done(&s->args);
    free(s);
}
static void send_done(void *arg, enum st st, struct cursor *in) { send_free(arg); } /* lost: the client asks again */

static void send_start(struct task *t)
{
    struct send *s = container_of(t, struct send, task);
    list_append(&s->nlm->sends, &s->link);
    if (rpc_out_start(s->nlm->srv->loop, &s->call, &s->out) < 0)
        send_free(s);
}

void nlm_send_res(struct rpc_call *c, uint32_t proc, enum st st,
                  void (*encode)(struct rpc_call *c, struct wbuf *w, enum st st))
{
    struct nlm *nlm = nfs_of(nfs_call(c))->nlm;
    struct send *s = atomic_load(&nlm->sending) < SENDS_MAX ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return;
    wbuf_init(&s->args, 512, CALL_ARGS_MAX);
    encode(c, &s->args, st);
    if (s->args.bad) {
        wbuf_done(&s->args);
        free(s);
        return;
    }
    atomic_fetch_add(&nlm->sending, 1);
    list_init(&s->link);
    s->nlm = nlm;
    s->call = (struct rpc_out_call){.to = *c->peer,
                                    .udp = c->udp != NULL,
                                    .reserved_port = true,
                                    .lines = nlm->lines,
                                    .prog = NLM_PROGRAM,
                                    .vers = c->prog->vers,
                                    .proc = proc,
                                    .args = wbuf_at(&s->args, 0),
                                    .nargs = wbuf_len(&s->args),
                                    .timeout = SEND_TIMEOUT,
                                    .done = send_done,
                                    .arg = s};
    rpc_addr_set_port(&s->call.to, 0);
    s->task.fn = send_start;
    loop_post(nlm->srv->loop, &s->task);
}

void nlm_grant_stop(struct nlm *nlm)
{
    struct nlm_wait *w;
    struct send *s;
    while ((w = list_first(&nlm->grants, struct nlm_wait, in_grants)) != NULL) {
        loop_timer(nlm->srv->loop, &w->timer, 0);
        rpc_out_cancel(TAKE_PTR(w->out));
        nlm_wait_free(w);
    }
    while ((s = list_first(&nlm->sends, struct send, link)) != NULL) {
        rpc_out_cancel(TAKE_PTR(s->out));
        send_free(s);
    }
    rpc_lines_free(TAKE_PTR(nlm->lines));
}
