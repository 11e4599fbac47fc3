/* nlm.c - see nlm.h: the calls. What comes back is in callback.c. */
#include "nlm.h"
#include "callback.h"
#include <stdio.h>

enum { NLM_PROGRAM = 100021, NSM_PROGRAM = 100024, SM_NOTIFY = 6 };
enum { TEST = 1, LOCK, CANCEL, UNLOCK, SHARE = 20, UNSHARE, NM_LOCK, FREE_ALL };

const char *nlm_open(struct nlm *n, struct host *h, bool callbacks)
{
    memset(n, 0, sizeof *n);
    list_init(&n->grants);
    list_init(&n->messages);
    if (!rpc_open(&n->rpc, h, &h->target->nlm, 2049))
        return "no connection to NLM";
    if (callbacks)
        callback_open(n);
    return NULL;
}

void nlm_close(struct nlm *n)
{
    struct nlm_grant *g;
    callback_close(n);
    call_lose(&n->messages);
    rpc_close(&n->rpc);
    if (n->udp.host)
        rpc_close(&n->udp);
    while ((g = list_first(&n->grants, struct nlm_grant, link)) != NULL) {
        list_remove(&g->link);
        free(g);
    }
}

bool nlm_reconnect(struct nlm *n)
{
    struct host *h = n->rpc.host;
    rpc_close(&n->rpc);
    return rpc_open(&n->rpc, h, &h->target->nlm, 2049);
}

/* --- Arguments. A procedure's _MSG form has a number of its own, five further on (XNFS, chapter 10). */

enum { MESSAGE_FORM = 5 };

static struct rpc *transport(struct nlm *n, const struct nlm_lock *l)
{
    struct host *h = n->rpc.host;
    if (!l || !l->udp)
        return &n->rpc;
    if (!n->udp.host && !rpc_open_udp(&n->udp, h, &h->target->nlm, 2049))
        torture_fail("no UDP socket");
    return &n->udp;
}

static struct wbuf nlm_begin(struct nlm *n, const struct nlm_lock *l, uint32_t proc)
{
    struct wbuf w;
    struct rpc *r = transport(n, l);
    rpc_begin(r, &w, NLM_PROGRAM, 4, l && l->message ? proc + MESSAGE_FORM : proc);
    wbuf_be32(&w, 4); /* the cookie: by it a _RES tells whose it is */
    wbuf_be32(&w, r->xid);
    return w;
}

static void put_lock(struct wbuf *w, const struct nlm *n, const struct nlm_lock *l)
{
    char owner[64];
    snprintf(owner, sizeof owner, "%u@%s", l->svid, n->rpc.host->name);
    xdr_string(w, n->rpc.host->name);
    xdr_opaque(w, l->fh.bytes, l->fh.n);
    xdr_string(w, owner);
    wbuf_be32(w, l->svid);
    wbuf_be64(w, l->offset);
    wbuf_be64(w, l->len);
}

/* --- Results. */

static void got_stat(struct call *c, struct cursor *in)
{
    uint32_t n;
    xdr_get_opaque(in, &n);
    c->status = cursor_be32(in);
    if (in->bad)
        c->status = CALL_GARBLED;
}

static void got_test(struct call *c, struct cursor *in)
{
    uint32_t n;
    got_stat(c, in);
    if (c->status != NLM4_DENIED)
        return;
    c->r.holder_exclusive = cursor_be32(in);
    c->r.holder_svid = cursor_be32(in);
    xdr_get_opaque(in, &n);
    c->r.holder_offset = cursor_be64(in);
    c->r.holder_len = cursor_be64(in);
    if (in->bad)
        c->status = CALL_GARBLED;
}

/* --- Calls. */

static struct call *nlm_send(struct nlm *n, struct wbuf *w, const struct nlm_lock *l, const char *what,
                             void (*decode)(struct call *c, struct cursor *in))
{
    struct rpc *r = transport(n, l);
    struct call *c = NULL;
    if (l && l->message) { /* what RPC answers to the message itself says nothing */
        c = call_new(r->host->wire, &n->messages, what, r->xid);
        c->decode = decode;
        call_free(rpc_send(r, w, what, NULL));
    } else {
        c = rpc_send(r, w, what, decode);
    }
    c->nlm = true;
    return c;
}

struct call *nlm_lock(struct nlm *n, const struct nlm_lock *l)
{
    struct wbuf w = nlm_begin(n, l, l->nonmonitored ? NM_LOCK : LOCK);
    wbuf_be32(&w, l->block);
    wbuf_be32(&w, l->exclusive);
    put_lock(&w, n, l);
    wbuf_be32(&w, l->reclaim);
    wbuf_be32(&w, 1); /* NSM state */
    return nlm_send(n, &w, l, l->reclaim ? "NLM LOCK, reclaim" : "NLM LOCK", got_stat);
}

struct call *nlm_test(struct nlm *n, const struct nlm_lock *l)
{
    struct wbuf w = nlm_begin(n, l, TEST);
    wbuf_be32(&w, l->exclusive);
    put_lock(&w, n, l);
    return nlm_send(n, &w, l, "NLM TEST", got_test);
}

struct call *nlm_unlock(struct nlm *n, const struct nlm_lock *l)
{
    struct wbuf w = nlm_begin(n, l, UNLOCK);
    put_lock(&w, n, l);
    return nlm_send(n, &w, l, "NLM UNLOCK", got_stat);
}

struct call *nlm_cancel(struct nlm *n, const struct nlm_lock *l)
{
    struct wbuf w = nlm_begin(n, l, CANCEL);
    wbuf_be32(&w, l->block);
    wbuf_be32(&w, l->exclusive);
    put_lock(&w, n, l);
    return nlm_send(n, &w, l, "NLM CANCEL", got_stat);
}

static struct call *share(struct nlm *n, uint32_t proc, const char *what, const struct nfs_fh *fh, uint32_t owner,
                          uint32_t access, uint32_t deny, bool reclaim)
{
    struct wbuf w = nlm_begin(n, NULL, proc);
    xdr_string(&w, n->rpc.host->name);
    xdr_opaque(&w, fh->bytes, fh->n);
    xdr_opaque(&w, &owner, sizeof owner);
    wbuf_be32(&w, deny);
    wbuf_be32(&w, access);
    wbuf_be32(&w, reclaim);
    return nlm_send(n, &w, NULL, what, got_stat);
}
struct call *nlm_share(struct nlm *n, const struct nfs_fh *fh, uint32_t owner, uint32_t access, uint32_t deny,
                       bool reclaim)
{
    return share(n, SHARE, "NLM SHARE", fh, owner, access, deny, reclaim);
}
struct call *nlm_unshare(struct nlm *n, const struct nfs_fh *fh, uint32_t owner, uint32_t access, uint32_t deny)
{
    return share(n, UNSHARE, "NLM UNSHARE", fh, owner, access, deny, false);
}

struct call *nlm_free_all(struct nlm *n, uint32_t state)
{
    struct wbuf w;
    rpc_begin(&n->rpc, &w, NLM_PROGRAM, 4, FREE_ALL);
    xdr_string(&w, n->rpc.host->name);
    wbuf_be32(&w, state);
    return nlm_send(n, &w, NULL, "NLM FREE_ALL", NULL);
}

struct call *nsm_notify(struct nlm *n, uint32_t state) { return nsm_notify_of(n, n->rpc.host->name, state); }

struct call *nsm_notify_of(struct nlm *n, const char *name, uint32_t state)
{
    struct rpc monitor;
    struct wbuf w;
    if (!rpc_open(&monitor, n->rpc.host, &n->rpc.host->target->nsm, 2049))
        return NULL;
    rpc_begin(&monitor, &w, NSM_PROGRAM, 1, SM_NOTIFY);
    xdr_string(&w, name);
    wbuf_be32(&w, state);
    struct call *c = rpc_send(&monitor, &w, "SM_NOTIFY", NULL);
    call_wait(c, c->wire->patience);
    rpc_close(&monitor);
    return c;
}
