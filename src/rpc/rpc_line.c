/* rpc_line.c - connections that are kept for the next call to the same peer (rpc_client.h), and shared by calls that
 * are under way at once. Without them every call would leave a reserved port waiting for a minute after its end, and
 * there are only some four hundred. Knows connections and transaction ids; what a call is, rpc_client.c says. */
#include "rpc_out.h"
#include <errno.h>

#define LINES_MAX 200u /* half of the reserved ports */
#define LINE_IDLE (60 * NSEC_PER_SEC)

struct rpc_line {
    struct list link; /* in lines->all; those used last are at the end */
    struct rpc_lines *lines;
    struct list outs; /* calls under way */
    struct conn *conn;
    uint8_t addr[16];
    uint32_t prog, vers;
    struct sockaddr_storage to;
    uint64_t heard; /* when it last had an answer, 0: never */
    struct timer idle;
};
struct rpc_lines {
    struct loop *loop;
    struct list all;
    unsigned n;
};

struct rpc_lines *rpc_lines_new(struct loop *l)
{
    struct rpc_lines *ls = calloc(1, sizeof *ls);
    if (!ls)
        return NULL;
    ls->loop = l;
    list_init(&ls->all);
    return ls;
}

/* Whoever waits for an answer on it is told, or begins anew. */
static void line_end(struct rpc_line *line)
{
    struct rpc_out *o;
    bool was_good = line->heard != 0;
    struct conn *c = TAKE_PTR(line->conn);
    loop_timer(line->lines->loop, &line->idle, 0);
    list_remove(&line->link);
    line->lines->n--;
    if (c) {
        c->owner = NULL;
        conn_close(c); /* line_closed() drops the reference */
    }
    while ((o = list_first(&line->outs, struct rpc_out, on_line)) != NULL) {
        list_remove(&o->on_line);
        o->line = NULL;
        rpc_out_lost(o, was_good);
    }
    free(line);
}

void rpc_lines_free(struct rpc_lines *ls)
{
    struct rpc_line *line;
    if (!ls)
        return;
    while ((line = list_first(&ls->all, struct rpc_line, link)) != NULL)
        line_end(line);
    free(ls);
}

/* --- Its connection. */

static void line_message(struct conn *c, struct msg *m)
{
    struct msg own = *m;
    struct rpc_line *line = c->owner;
    size_t n;
    const uint8_t *p = rpc_defragment((uint8_t *)(uintptr_t)own.data, own.len, &n);
    uint32_t xid = n >= 4 ? get_be32(p) : 0;
    struct rpc_out *o;
    conn_finish(c);
    if (line) {
        line->heard = loop_now(line->lines->loop);
        list_each(o, &line->outs, on_line)
            if (o->xid == xid)
                break;
        if (&o->on_line != &line->outs)
            rpc_out_received(o, p, n);
    }
    msg_done(&own);
}

static void line_closed(struct conn *c)
{
    struct rpc_line *line = c->owner;
    conn_unref(c);
    if (!line)
        return;
    line->conn = NULL;
    line_end(line);
}
static const struct conn_ops line_ops = {.frame = rpc_out_frame, .message = line_message, .closed = line_closed};

static void on_idle(struct timer *t) { line_end(container_of(t, struct rpc_line, idle)); }

/* --- Finding one, and making one. */

static struct rpc_line *line_find(struct rpc_lines *ls, const struct rpc_out_call *call)
{
    struct rpc_line *line;
    uint8_t addr[16];
    rpc_addr_bytes(&call->to, addr);
    list_each(line, &ls->all, link)
        if (line->prog == call->prog && line->vers == call->vers && !memcmp(line->addr, addr, sizeof addr))
            return line;
    return NULL;
}

bool rpc_line_known(const struct rpc_out_call *call) { return line_find(call->lines, call) != NULL; }

static bool make_room(struct rpc_lines *ls)
{
    struct rpc_line *line;
    if (ls->n < LINES_MAX)
        return true;
    list_each(line, &ls->all, link)
        if (list_empty(&line->outs)) {
            line_end(line);
            return true;
        }
    return false;
}

static struct rpc_line *line_open(struct rpc_lines *ls, const struct rpc_out_call *call)
{
    struct rpc_line *line = make_room(ls) ? calloc(1, sizeof *line) : NULL;
    if (!line)
        return NULL;
    line->lines = ls;
    line->prog = call->prog;
    line->vers = call->vers;
    line->idle.fn = on_idle;
    list_init(&line->outs);
    rpc_addr_bytes(&call->to, line->addr);
    if (conn_connect(ls->loop, &call->to, rpc_addr_len(&call->to), call->reserved_port, &line_ops, &rpc_out_limits,
                     line, &line->conn) < 0) {
        free(line);
        return NULL;
    }
    list_append(&ls->all, &line->link);
    ls->n++;
    return line;
}

bool rpc_line_send(struct rpc_out *o)
{
    struct rpc_lines *ls = o->call.lines;
    struct rpc_line *line = line_find(ls, &o->call);
    if (!line && !(line = line_open(ls, &o->call)))
        return false;
    loop_timer(ls->loop, &line->idle, 0);
    list_remove(&line->link);
    list_append(&ls->all, &line->link);
    list_append(&line->outs, &o->on_line);
    o->line = line;
    o->sent = loop_now(ls->loop);
    conn_send(line->conn, blk_ref(o->request));
    return true;
}

void rpc_line_leave(struct rpc_out *o, bool unanswered)
{
    struct rpc_line *line = TAKE_PTR(o->line);
    struct loop *l = line->lines->loop;
    list_remove(&o->on_line);
    if (unanswered && line->heard < o->sent)
        line_end(line); /* nobody is there any more, and nothing says so */
    else if (list_empty(&line->outs))
        loop_timer(l, &line->idle, loop_now(l) + LINE_IDLE);
}
