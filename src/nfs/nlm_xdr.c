/* nlm_xdr.c - NLM's arguments, results and status, from and to the wire (XNFS chapter 10; RFC 1813 §6 for version
 * 4). */
#include "nlm_int.h"

static void get_netobj(struct cursor *in, struct nfs_name *ret) { ret->p = xdr_string(in, NLM_NETOBJ_MAX, &ret->n); }
static void get_fh(struct cursor *in, struct nfs_fh *ret) { ret->p = xdr_opaque(in, NLM_NETOBJ_MAX, &ret->n); }
static void get_caller(struct cursor *in, struct nfs_name *ret) { ret->p = xdr_string(in, NLM_NAME_MAX, &ret->n); }

static void get_lock(struct cursor *in, struct nlm_lock *l, bool wide)
{
    get_caller(in, &l->caller);
    get_fh(in, &l->fh);
    get_netobj(in, &l->oh);
    l->svid = xdr_u32(in);
    l->offset = wide ? xdr_u64(in) : xdr_u32(in);
    l->len = wide ? xdr_u64(in) : xdr_u32(in);
}

static void get_test(struct cursor *in, struct nlm_args *a, bool wide)
{
    get_netobj(in, &a->cookie);
    a->exclusive = xdr_bool(in);
    get_lock(in, &a->lock, wide);
}
static void get_lock_args(struct cursor *in, struct nlm_args *a, bool wide)
{
    get_netobj(in, &a->cookie);
    a->block = xdr_bool(in);
    a->exclusive = xdr_bool(in);
    get_lock(in, &a->lock, wide);
    a->reclaim = xdr_bool(in);
    a->state = xdr_u32(in);
}
static void get_cancel(struct cursor *in, struct nlm_args *a, bool wide)
{
    get_netobj(in, &a->cookie);
    a->block = xdr_bool(in);
    a->exclusive = xdr_bool(in);
    get_lock(in, &a->lock, wide);
}
static void get_unlock(struct cursor *in, struct nlm_args *a, bool wide)
{
    get_netobj(in, &a->cookie);
    get_lock(in, &a->lock, wide);
}

#define NLM_DECODERS(bits, wide)                                                                                       \
    void nlm_decode_test##bits(struct cursor *in, void *args) { get_test(in, args, wide); }                            \
    void nlm_decode_lock##bits(struct cursor *in, void *args) { get_lock_args(in, args, wide); }                       \
    void nlm_decode_cancel##bits(struct cursor *in, void *args) { get_cancel(in, args, wide); }                        \
    void nlm_decode_unlock##bits(struct cursor *in, void *args) { get_unlock(in, args, wide); }
NLM_DECODERS(32, false)
NLM_DECODERS(64, true)
#undef NLM_DECODERS

void nlm_decode_share(struct cursor *in, void *args)
{
    struct nlm_args *a = args;
    get_netobj(in, &a->cookie);
    get_caller(in, &a->lock.caller);
    get_fh(in, &a->lock.fh);
    get_netobj(in, &a->lock.oh);
    a->mode = xdr_enum(in, 3);
    a->access = xdr_enum(in, 3);
    a->reclaim = xdr_bool(in);
}

void nlm_decode_res(struct cursor *in, void *args)
{
    struct nlm_args *a = args;
    get_netobj(in, &a->cookie);
    a->stat = xdr_u32(in);
}

void nlm_decode_notify(struct cursor *in, void *args)
{
    struct nlm_args *a = args;
    get_caller(in, &a->lock.caller);
    a->state = xdr_u32(in);
}

static void put_range(struct wbuf *w, uint32_t vers, uint64_t offset, uint64_t len)
{
    if (vers >= 4) {
        xdr_put_u64(w, offset);
        xdr_put_u64(w, len);
    } else { /* what cannot be said in 32 bits reaches to the end */
        bool fits = offset <= UINT32_MAX && len <= UINT32_MAX - offset;
        xdr_put_u32(w, (uint32_t)MIN(offset, (uint64_t)UINT32_MAX));
        xdr_put_u32(w, fits ? (uint32_t)len : 0);
    }
}

void nlm_put_lock(struct wbuf *w, uint32_t vers, const struct nlm_lock *l)
{
    xdr_put_opaque(w, l->caller.p, l->caller.n);
    xdr_put_opaque(w, l->fh.p, l->fh.n);
    xdr_put_opaque(w, l->oh.p, l->oh.n);
    xdr_put_u32(w, l->svid);
    put_range(w, vers, l->offset, l->len);
}

/* Holders of other protocols have no svid; their owner handle says only who is the same (semantics 1.3). */
static void put_holder(struct wbuf *w, uint32_t vers, const struct co_hold *h)
{
    uint8_t oh[8];
    put_be64(oh, h->party.client ^ h->party.open);
    xdr_put_bool(w, h->exclusive);
    xdr_put_u32(w, h->party.label == CO_LABEL_NLM ? (uint32_t)h->party.open : 0);
    xdr_put_opaque(w, oh, sizeof oh);
    uint64_t len = h->last == UINT64_MAX ? 0 : h->last - h->first + 1;
    put_range(w, vers, h->first, h->zero_len ? 1 : len);
}

static enum nlm4_stats stat_of(struct rpc_call *c, enum st st)
{
    const struct nlm_res *r = c->res;
    if (r && r->blocked)
        return NLM4_BLOCKED;
    return r && r->denied_grace ? NLM4_DENIED_GRACE_PERIOD : nlm_status(st, c->prog->vers);
}

static void put_cookie(struct wbuf *w, const struct rpc_call *c)
{
    const struct nlm_args *a = c->args;
    xdr_put_opaque(w, a->cookie.p, a->cookie.n);
}

void nlm_encode_test(struct rpc_call *c, struct wbuf *w, enum st st)
{
    const struct nlm_res *r = c->res;
    enum nlm4_stats stat = stat_of(c, st);
    put_cookie(w, c);
    xdr_put_u32(w, stat);
    if (stat == NLM4_DENIED)
        put_holder(w, c->prog->vers, &r->holder);
}

void nlm_encode_res(struct rpc_call *c, struct wbuf *w, enum st st)
{
    put_cookie(w, c);
    xdr_put_u32(w, stat_of(c, st));
}

void nlm_encode_share(struct rpc_call *c, struct wbuf *w, enum st st)
{
    nlm_encode_res(c, w, st);
    xdr_put_u32(w, 0); /* sequence: of use to nobody */
}

/* DENIED means "held by another": clients take it for EAGAIN and may try again for ever. So what will not pass by
 * itself is FAILED. What the server gives up while it stops is asked again by everybody who is told
 * DENIED_GRACE_PERIOD. */
static const uint8_t map[ST_MAX] = {
    [ST_OK] = NLM4_GRANTED,
    [ST_AGAIN] = NLM4_BLOCKED,
    [ST_OFFLOAD] = NLM4_FAILED,
    [ST_END] = NLM4_FAILED,
    [ST_NOENT] = NLM4_STALE_FH,
    [ST_NOPATH] = NLM4_STALE_FH,
    [ST_EXIST] = NLM4_FAILED,
    [ST_NOTDIR] = NLM4_FAILED,
    [ST_ISDIR] = NLM4_FAILED,
    [ST_NOTEMPTY] = NLM4_FAILED,
    [ST_SYMLINK] = NLM4_FAILED,
    [ST_BADTYPE] = NLM4_FAILED,
    [ST_NAMETOOLONG] = NLM4_FAILED,
    [ST_BADNAME] = NLM4_FAILED,
    [ST_XDEV] = NLM4_FAILED,
    [ST_LOOP] = NLM4_FAILED,
    [ST_MLINK] = NLM4_FAILED,
    [ST_STALE] = NLM4_STALE_FH,
    [ST_BADHANDLE] = NLM4_STALE_FH,
    [ST_BADCOOKIE] = NLM4_FAILED,
    [ST_NOTSYNC] = NLM4_FAILED,
    [ST_NOATTR] = NLM4_FAILED,
    [ST_PERM] = NLM4_FAILED,
    [ST_ACCESS] = NLM4_FAILED,
    [ST_ROFS] = NLM4_ROFS,
    [ST_NOSUCHUSER] = NLM4_FAILED,
    [ST_BADPASSWORD] = NLM4_FAILED,
    [ST_SHARE_CONFLICT] = NLM4_DENIED,
    [ST_LOCK_CONFLICT] = NLM4_DENIED,
    [ST_LOCK_DENIED] = NLM4_DENIED,
    [ST_NOLOCK] = NLM4_GRANTED, /* unlocking what is not locked has succeeded */
    [ST_DEADLOCK] = NLM4_DEADLCK,
    [ST_GRACE] = NLM4_DENIED_GRACE_PERIOD,
    [ST_NOGRACE] = NLM4_DENIED,
    [ST_DELETE_PENDING] = NLM4_DENIED,
    [ST_CANNOT_DELETE] = NLM4_DENIED,
    [ST_CANCELLED] = NLM4_DENIED,
    [ST_TIMEOUT] = NLM4_DENIED,
    [ST_BAD_ACK] = NLM4_FAILED,
    [ST_NO_BREAK] = NLM4_FAILED,
    [ST_INVAL] = NLM4_FAILED,
    [ST_BADRANGE] = NLM4_FBIG,
    [ST_NOTSUP] = NLM4_FAILED,
    [ST_BUFSIZE] = NLM4_FAILED,
    [ST_EOF] = NLM4_FAILED,
    [ST_FBIG] = NLM4_FBIG,
    [ST_NOSPC] = NLM4_DENIED_NOLOCKS,
    [ST_DQUOT] = NLM4_DENIED_NOLOCKS,
    [ST_NXIO] = NLM4_FAILED,
    [ST_IO] = NLM4_FAILED,
    [ST_NOMEM] = NLM4_DENIED_NOLOCKS,
    [ST_TOOMANY] = NLM4_DENIED_NOLOCKS,
    [ST_DELAY] = NLM4_DENIED_GRACE_PERIOD,
    [ST_CLOSED] = NLM4_STALE_FH,
    [ST_BADMSG] = NLM4_FAILED,
    [ST_SERVERFAULT] = NLM4_FAILED,
};

enum nlm4_stats nlm_status(enum st st, uint32_t vers)
{
    unsigned i = (unsigned)st;
    enum nlm4_stats stat = i < ST_MAX ? (enum nlm4_stats)map[i] : NLM4_FAILED;
    if (stat == NLM4_GRANTED && st != ST_OK && st != ST_NOLOCK)
        stat = NLM4_FAILED;
    /* Versions 1 and 3 end with DENIED_GRACE_PERIOD, DEADLCK being known to most as well. */
    return vers < 4 && stat > NLM4_DEADLCK ? NLM4_DENIED_NOLOCKS : stat;
}
