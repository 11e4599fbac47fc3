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
    rpc_close(&n->rpc);
    while ((g = list_first(&n->grants, struct nlm_grant, link)) != NULL) {
        list_remove(&g->link);
        free(g);
    }
}

/* --- Arguments. */

static struct wbuf nlm_begin(struct nlm *n, uint32_t proc)
{
    struct wbuf w;
    rpc_begin(&n->rpc, &w, NLM_PROGRAM, 4, proc);
    wbuf_be32(&w, 4); /* the cookie: unused, the connection tells answers apart */
    wbuf_be32(&w, n->rpc.xid);
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

static struct call *nlm_send(struct nlm *n, struct wbuf *w, const char *what, void (*decode)(struct call *c, struct cursor *in))
{
    struct call *c = rpc_send(&n->rpc, w, what, decode);
    c->nlm = true;
    return c;
}

struct call *nlm_lock(struct nlm *n, const struct nlm_lock *l)
{
    struct wbuf w = nlm_begin(n, l->nonmonitored ? NM_LOCK : LOCK);
    wbuf_be32(&w, l->block);
    wbuf_be32(&w, l->exclusive);
    put_lock(&w, n, l);
    wbuf_be32(&w, l->reclaim);
    wbuf_be32(&w, 1); /* NSM state */
    return nlm_send(n, &w, "NLM LOCK", got_stat);
}

struct call *nlm_test(struct nlm *n, const struct nlm_lock *l)
{
    struct wbuf w = nlm_begin(n, TEST);
    wbuf_be32(&w, l->exclusive);
    put_lock(&w, n, l);
    return nlm_send(n, &w, "NLM TEST", got_test);
}

struct call *nlm_unlock(struct nlm *n, const struct nlm_lock *l)
{
    struct wbuf w = nlm_begin(n, UNLOCK);
    put_lock(&w, n, l);
    return nlm_send(n, &w, "NLM UNLOCK", got_stat);
}

struct call *nlm_cancel(struct nlm *n, const struct nlm_lock *l)
{
    struct wbuf w = nlm_begin(n, CANCEL);
    wbuf_be32(&w, l->block);
    wbuf_be32(&w, l->exclusive);
    put_lock(&w, n, l);
    return nlm_send(n, &w, "NLM CANCEL", got_stat);
}

static struct call *share(struct nlm *n, uint32_t proc, const char *what, const struct nfs_fh *fh, uint32_t owner,
                          uint32_t access, uint32_t deny, bool reclaim)
{
    struct wbuf w = nlm_begin(n, proc);
    xdr_string(&w, n->rpc.host->name);
    xdr_opaque(&w, fh->bytes, fh->n);
    xdr_opaque(&w, &owner, sizeof owner);
    wbuf_be32(&w, deny);
    wbuf_be32(&w, access);
    wbuf_be32(&w, reclaim);
    return nlm_send(n, &w, what, got_stat);
}
struct call *nlm_share(struct nlm *n, const struct nfs_fh *fh, uint32_t owner, uint32_t access, uint32_t deny, bool reclaim)
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
    return nlm_send(n, &w, "NLM FREE_ALL", NULL);
}

struct call *nsm_notify(struct nlm *n, uint32_t state)
{
    struct rpc monitor;
    struct wbuf w;
    if (!rpc_open(&monitor, n->rpc.host, &n->rpc.host->target->nsm, 2049))
        return NULL;
    rpc_begin(&monitor, &w, NSM_PROGRAM, 1, SM_NOTIFY);
    xdr_string(&w, n->rpc.host->name);
    wbuf_be32(&w, state);
    struct call *c = rpc_send(&monitor, &w, "SM_NOTIFY", NULL);
    call_wait(c, c->wire->patience);
    rpc_close(&monitor);
    return c;
}
