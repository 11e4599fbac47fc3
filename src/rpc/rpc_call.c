/* rpc_call.c - one call on its way: from received bytes to the reply, over the duplicate request cache and the job.
 *
 * Everything here runs on the call's loop, except rpc_step(), which may run on a pool thread and then has the call for
 * itself. Knows no transport beyond "send this block", and nothing of what procedures do. */
#include "rpc_int.h"
#include "base/clock.h"

#define RPC_HEADER_MAX 40u         /* the longest reply header with its mark: PROG_MISMATCH */
#define RPC_EXPECT 192u            /* results, when a procedure does not say */
#define RPC_UDP_REPLY_MAX 65000u
#define RPC_LOG_BURST 5
#define RPC_LOG_PERIOD (60 * NSEC_PER_SEC)

struct rpc_call *rpc_call_get(struct rpc_loop *home, const struct rpc_service *svc)
{
    struct rpc_call *c = list_first(&home->free, struct rpc_call, live);
    if (c) {
        list_remove(&c->live);
        home->nfree--;
    } else {
        c = malloc(home->srv->cfg.call_size);
        if (!c)
            return NULL;
    }
    /* Everything up to the arena, and not the arena's inline kilobytes nor the service's part behind it. */
    memset(c, 0, offsetof(struct rpc_call, udp_peer));
    memset(&c->xid, 0, offsetof(struct rpc_call, arena) - offsetof(struct rpc_call, xid));
    arena_init(&c->arena);
    c->home = home;
    c->svc = svc;
    list_append(&home->live, &c->live);
    atomic_fetch_add_explicit(&home->srv->refs, 1, memory_order_relaxed);
    return c;
}

static void call_put(struct rpc_call *c)
{
    struct rpc_loop *home = c->home;
    if (c->timer.at)
        loop_timer(home->loop, &c->timer, 0);
    if (c->begun && c->svc->hooks && c->svc->hooks->release)
        c->svc->hooks->release(c);
    wbuf_done(&c->out);
    if (c->msg.blk)
        msg_done(&c->msg);
    if (c->conn)
        rpc_conn_unref(c->conn);
    arena_reset(&c->arena);
    list_remove(&c->live);
    if (home->nfree < home->srv->cfg.max_free) {
        list_prepend(&home->free, &c->live);
        home->nfree++;
    } else {
        free(c);
    }
    rpc_server_unref(home->srv);
}

void rpc_call_free_all(struct rpc_loop *home)
{
    struct rpc_call *c;
    list_each(c, &home->free, live) {
        list_remove(&c->live);
        free(c);
    }
}

/* --- Replies. */

static size_t reply_limit(const struct rpc_call *c) { return c->udp ? RPC_UDP_REPLY_MAX : BLK_MAX; }

void rpc_reply(struct rpc_call *c, size_t expect)
{
    if (c->out.blk && !c->out.bad) {
        wbuf_cut(&c->out, 0); /* of an earlier run */
    } else {
        wbuf_done(&c->out);
        wbuf_init(&c->out, RPC_HEADER_MAX + expect, reply_limit(c));
    }
    rpc_put_accepted(&c->out, c->xid, RPC_SUCCESS);
    c->body = wbuf_len(&c->out);
}

/* Puts a reply without results in the place of whatever was written. */
static struct wbuf *reply_plain(struct rpc_call *c)
{
    wbuf_done(&c->out);
    wbuf_init(&c->out, RPC_HEADER_MAX, RPC_HEADER_MAX);
    return &c->out;
}

static void transmit(struct rpc_call *c, struct blk *b)
{
    if (c->udp) {
        udp_send(c->udp, c->peer, b->data + RPC_MARK, b->len - RPC_MARK);
        blk_put(b);
    } else {
        conn_send(c->conn->net, b);
    }
}

/* Waiting for others: this does not count against the connection's requests in flight. */
static void hold(struct rpc_call *c)
{
    if (c->conn && !c->held) {
        c->held = true;
        conn_hold(c->conn->net);
    }
}

/* The client has its answer, or gets none. */
static void answered(struct rpc_call *c)
{
    if (c->conn) {
        if (c->held)
            conn_unhold(c->conn->net);
        conn_finish(c->conn->net);
    }
    c->answered = true;
}

static void send_reply(struct rpc_call *c, bool keep)
{
    struct blk *b = NULL;
    if (!c->out.bad && wbuf_len(&c->out) > RPC_MARK) {
        wbuf_patch_be32(&c->out, 0, RPC_LAST_FRAGMENT | (uint32_t)(wbuf_len(&c->out) - RPC_MARK));
        b = wbuf_take(&c->out);
    }
    if (c->drc)
        drc_end(c->home->srv->drc, TAKE_PTR(c->drc), loop_now(c->home->loop), b ? b->data : NULL, b ? b->len : 0, keep);
    if (b)
        transmit(c, b);
    answered(c);
}

static void log_peer(struct rpc_call *c, const char *event, const char *why)
{
    static struct log_rate udp_rate; /* datagrams come on one loop */
    if (log_allow(c->conn ? &c->conn->net->bad_input : &udp_rate, RPC_LOG_BURST, RPC_LOG_PERIOD))
        log_info("rpc", "event=%s service=%s peer=%s reason=\"%s\"", event, c->svc->name, c->peer_name, why);
}

static void refuse(struct rpc_call *c, const char *why)
{
    rpc_count(&c->home->rejected);
    log_peer(c, "rpc_refused", why);
    send_reply(c, false);
    call_put(c);
}

static void refuse_accepted(struct rpc_call *c, enum rpc_accept stat, const char *why)
{
    rpc_put_accepted(reply_plain(c), c->xid, stat);
    refuse(c, why);
}

/* --- The job. */

static void decode(struct rpc_call *c, struct cursor *in)
{
    if (c->proc->args)
        memset(c->args, 0, c->proc->args);
    c->proc->decode(in, c->args);
}

static const struct rpc_hooks no_hooks;
static const struct rpc_hooks *hooks(const struct rpc_call *c) { return c->svc->hooks ? c->svc->hooks : &no_hooks; }

/* A reply that could not be written (no memory, or longer than the transport takes) becomes SYSTEM_ERR. */
static void encode(struct rpc_call *c, enum st st)
{
    if (c->body == 0)
        rpc_reply(c, c->proc->expect ? c->proc->expect : RPC_EXPECT);
    if (c->proc->encode)
        c->proc->encode(c, &c->out, st);
    if (c->out.bad)
        rpc_put_accepted(reply_plain(c), c->xid, RPC_SYSTEM_ERR);
}

/* run() has to wait, and this is the moment to say whether it still may. */
static enum st wait_or_give_up(struct rpc_call *c)
{
    bool stopping = atomic_load_explicit(&c->home->stopping, memory_order_relaxed);
    bool expired = atomic_load_explicit(&c->expired, memory_order_relaxed);
    if (stopping || (expired && (c->proc->flags & RPC_DELAY))) {
        c->silent = hooks(c)->give_up && !hooks(c)->give_up(c);
        return ST_DELAY;
    }
    if (expired && (c->proc->flags & RPC_EARLY) && !c->answered && !c->early_ready) {
        encode(c, ST_AGAIN);
        c->early_ready = true; /* sent by rpc_parked(), on the loop */
    }
    return ST_AGAIN;
}

static enum st rpc_step(struct job *j)
{
    struct rpc_call *c = container_of(j, struct rpc_call, job);
    enum st st = ST_OK;
    c->body = 0;
    if (c->proc->res)
        memset(c->res, 0, c->proc->res);
    if (c->proc->run)
        st = c->proc->run(c);
    if (st == ST_AGAIN)
        st = wait_or_give_up(c);
    if (st == ST_AGAIN || st == ST_OFFLOAD)
        return st;
    c->st = st;
    if (c->silent) {
        wbuf_done(&c->out); /* what run() may have begun */
    } else if (!c->answered) {
        c->early_ready = false; /* overtaken by the real answer */
        encode(c, st);
    }
    return ST_OK;
}

static void rpc_expire(struct timer *t)
{
    struct rpc_call *c = container_of(t, struct rpc_call, timer);
    rpc_count(&c->home->delayed);
    atomic_store(&c->expired, true);
    job_wake(&c->job);
}

static void rpc_parked(struct job *j)
{
    struct rpc_call *c = container_of(j, struct rpc_call, job);
    if (!c->detached) {
        c->detached = true;
        rpc_count(&c->home->parked);
        msg_detach(&c->msg);
        struct cursor in = cursor_of(c->msg.data, c->msg.len);
        cursor_skip(&in, c->args_pos);
        if (c->proc->decode)
            decode(c, &in);
    }
    if (!c->answered)
        hold(c);
    if (c->early_ready) {
        c->early_ready = false;
        send_reply(c, true);
    }
    if (!c->timer.at && !c->expired && (c->proc->flags & (RPC_DELAY | RPC_EARLY)) && hooks(c)->park) {
        uint64_t ns = hooks(c)->park(c);
        c->timer.fn = rpc_expire;
        if (ns)
            loop_timer(c->home->loop, &c->timer, loop_now(c->home->loop) + ns);
    }
}

static void rpc_done(struct job *j, enum st st)
{
    struct rpc_call *c = container_of(j, struct rpc_call, job);
    c->started = false;
    if (c->answered) {
        if (hooks(c)->late)
            hooks(c)->late(c, c->st);
    } else {
        /* "Come back" is no result: the next call with this xid runs. */
        send_reply(c, c->st != ST_DELAY);
    }
    call_put(c);
}

static const struct job_ops rpc_job_ops = {.step = rpc_step, .parked = rpc_parked, .done = rpc_done};

/* --- From bytes to the procedure. */

static const struct rpc_program *find_program(struct rpc_call *c, const struct rpc_header *h)
{
    unsigned transport = c->udp ? RPC_UDP : RPC_TCP;
    uint32_t low = UINT32_MAX, high = 0;
    for (size_t i = 0; i < c->svc->nprograms; i++) {
        const struct rpc_program *p = c->svc->programs[i];
        if (p->prog != h->prog || !(p->transports & transport))
            continue;
        if (p->vers == h->vers)
            return p;
        low = MIN(low, p->vers);
        high = MAX(high, p->vers);
    }
    if (high == 0)
        rpc_put_accepted(reply_plain(c), c->xid, RPC_PROG_UNAVAIL);
    else
        rpc_put_prog_mismatch(reply_plain(c), c->xid, low, high);
    return NULL;
}

/* False: answered or refused, and gone. */
static bool read_header(struct rpc_call *c, struct cursor *in)
{
    struct rpc_header h;
    enum rpc_auth_stat why;
    enum rpc_parse parsed = rpc_parse_call(in, &h, &why);
    c->xid = h.xid;
    switch (parsed) {
    case RPC_PARSE_DROP:
        /* A record that is no call leaves nothing to answer; over TCP the peer does not speak RPC. */
        rpc_count(&c->home->garbage);
        log_peer(c, "rpc_garbage", "not a call");
        if (c->conn)
            conn_close(c->conn->net);
        answered(c);
        call_put(c);
        return false;
    case RPC_PARSE_MISMATCH:
        rpc_put_rpc_mismatch(reply_plain(c), c->xid);
        return refuse(c, "RPC version"), false;
    case RPC_PARSE_AUTH:
        rpc_put_auth_error(reply_plain(c), c->xid, why);
        return refuse(c, "credentials"), false;
    case RPC_PARSE_OK:
        break;
    }
    c->auth = h.auth;
    c->prog = find_program(c, &h);
    if (!c->prog) { /* clients find out like this what there is: no fault of theirs */
        send_reply(c, false);
        call_put(c);
        return false;
    }
    if (h.proc >= c->prog->nprocs || !c->prog->procs[h.proc])
        return refuse_accepted(c, RPC_PROC_UNAVAIL, "procedure"), false;
    c->proc = c->prog->procs[h.proc];
    c->proc_number = h.proc;
    if ((c->proc->flags & RPC_LOCAL) && !rpc_is_local(c)) {
        rpc_put_auth_error(reply_plain(c), c->xid, RPC_AUTH_TOOWEAK);
        return refuse(c, "not local"), false;
    }
    return true;
}

/* A duplicate's original has ended: its reply, or NULL. Any thread. */
static void replay_run(struct task *t)
{
    struct rpc_call *c = container_of(t, struct rpc_call, task);
    if (c->replay)
        transmit(c, TAKE_PTR(c->replay));
    answered(c);
    call_put(c);
}
static void replay_ready(struct drc_waiter *w, struct blk *reply)
{
    struct rpc_call *c = container_of(w, struct rpc_call, waiter);
    c->replay = reply;
    c->task.fn = replay_run;
    loop_post(c->home->loop, &c->task);
}

/* True: the call is new and is to be run. */
static bool not_a_duplicate(struct rpc_call *c, const struct cursor *args)
{
    struct drc_key k = {.xid = c->xid,
                        .prog = c->prog->prog,
                        .vers = c->prog->vers,
                        .proc = c->proc_number,
                        .sum = drc_sum(args->p, cursor_left(args)),
                        .origin = c->conn ? c->conn->serial : 0};
    struct blk *reply;
    rpc_addr_bytes(c->peer, k.addr);
    c->waiter.ready = replay_ready;
    switch (drc_begin(c->home->srv->drc, &k, loop_now(c->home->loop), c->conn ? &c->waiter : NULL, &c->drc, &reply)) {
    case DRC_NEW:
        return true;
    case DRC_WAITING: /* until replay_ready(), which may have come already, but not on this thread */
        rpc_count(&c->home->absorbed);
        hold(c);
        return false;
    case DRC_ABSORBED:
        rpc_count(&c->home->absorbed);
        break;
    case DRC_REPLAY:
        rpc_count(&c->home->replayed);
        transmit(c, reply);
        break;
    }
    answered(c);
    call_put(c);
    return false;
}

void rpc_call_receive(struct rpc_call *c)
{
    struct cursor in = cursor_of(c->msg.data, c->msg.len);
    rpc_count(&c->home->calls);
    if (!read_header(c, &in))
        return;
    c->args_pos = (uint32_t)cursor_pos(&in);
    if ((c->proc->flags & RPC_CACHED) && !not_a_duplicate(c, &in))
        return;
    c->args = c->proc->args ? arena_alloc(&c->arena, c->proc->args) : NULL;
    c->res = c->proc->res ? arena_alloc(&c->arena, c->proc->res) : NULL;
    if ((c->proc->args && !c->args) || (c->proc->res && !c->res))
        return refuse_accepted(c, RPC_SYSTEM_ERR, "out of memory");
    if (c->proc->decode) {
        decode(c, &in);
        if (in.bad) {
            rpc_count(&c->home->garbage);
            return refuse_accepted(c, RPC_GARBAGE_ARGS, c->proc->name);
        }
    }
    c->begun = true;
    if (hooks(c)->begin)
        hooks(c)->begin(c);
    job_init(&c->job, &rpc_job_ops, c->home->loop, c->home->srv->cfg.pool);
    c->started = true;
    job_start(&c->job);
}
