/* nfs3_readdir.c - READDIR and READDIRPLUS (RFC 1813 §3.3.16, §3.3.17). Entries are written into the reply as they
 * come.
 *
 * Cookies are the store's and stay valid while the directory changes, so the verifier only says which directory a
 * cookie belongs to: it never ages. Budgets: READDIR's count and READDIRPLUS's maxcount bound the whole resok
 * structure, XDR overhead included; dircount bounds what an entry has in READDIR (the first entry is given anyway:
 * it only hints). */
#include "nfs3.h"

struct args {
    struct nfs_fh dir;
    uint64_t cookie, verf;
    uint32_t dircount, maxcount;
};
struct res {
    struct nfs3_post dir; /* for failures */
};

#define READDIR_MIN_REPLY 4096u
#define READDIR_FIRST_BLOCK 65536u

struct listing {
    struct wbuf *w;
    size_t end, dir_left;  /* where the structure must end; bytes left of dircount */
    bool plus, first, full;
};

static void decode_readdir(struct cursor *in, void *args)
{
    struct args *a = args;
    nfs3_get_fh(in, &a->dir);
    a->cookie = xdr_u64(in);
    a->verf = xdr_u64(in);
    a->maxcount = xdr_u32(in);
    a->dircount = UINT32_MAX;
}

static void decode_readdirplus(struct cursor *in, void *args)
{
    struct args *a = args;
    decode_readdir(in, args);
    a->dircount = a->maxcount;
    a->maxcount = xdr_u32(in);
}

/* One entry, or false when it does not fit. Room for the end of the list (no entry follows, eof) is always kept. */
static bool add_entry(void *arg, const struct fs_dirent *e)
{
    struct listing *l = arg;
    size_t dir_size = 4 + 8 + 4 + XDR_PAD(e->n) + 8;
    size_t size = dir_size;
    if (l->plus)
        size += 4 + (e->attr ? NFS3_FATTR_SIZE : 0) + 4 + (e->nfh ? 4 + XDR_PAD(e->nfh) : 0);
    if (wbuf_len(l->w) + size + 8 > l->end || (dir_size > l->dir_left && !l->first)) {
        l->full = true;
        return false;
    }
    l->first = false;
    l->dir_left -= MIN(dir_size, l->dir_left);
    xdr_put_bool(l->w, true);
    xdr_put_u64(l->w, e->fileid);
    xdr_put_opaque(l->w, e->name, e->n);
    xdr_put_u64(l->w, e->cookie);
    if (l->plus) {
        xdr_put_bool(l->w, e->attr != NULL);
        if (e->attr)
            nfs3_put_fattr(l->w, e->attr);
        nfs3_put_post_fh(l->w, e->fh, e->nfh);
    }
    return !l->w->bad;
}

static uint64_t verifier_of(const struct st_node *dir)
{
    struct co_key k = fs_node_key(dir);
    return (k.ino * 0x9e3779b97f4a7c15ull) ^ k.gen;
}

static enum st list_dir(struct nfs_call *c, struct st_node *dir, const struct args *a, struct res *r, bool plus)
{
    struct wbuf *w = &c->rpc.out;
    uint64_t verf = verifier_of(dir);
    bool eof = false;
    if (a->cookie != 0 && a->verf != verf)
        return ST_BADCOOKIE;
    uint32_t budget = MIN(a->maxcount, nfs_of(c)->io_max);
    rpc_reply(&c->rpc, MAX(MIN(budget, READDIR_FIRST_BLOCK), READDIR_MIN_REPLY));
    nfs3_put_status(w, ST_OK);
    struct listing l = {.w = w, .end = wbuf_len(w) + budget, .dir_left = a->dircount, .plus = plus, .first = true};
    nfs3_put_post(w, &r->dir);
    xdr_put_u64(w, verf);
    if (wbuf_len(w) + 8 > l.end)
        return ST_BUFSIZE;
    enum st st = fs_readdir(&c->q, dir, a->cookie, plus, add_entry, &l, &eof);
    if (st != ST_OK && st != ST_END)
        return st;
    if (l.first && l.full)
        return ST_BUFSIZE;
    xdr_put_bool(w, false);
    xdr_put_bool(w, eof && !l.full);
    return w->bad ? ST_NOMEM : ST_OK;
}

static enum st run(struct rpc_call *rc, bool plus)
{
    struct nfs_call *c = nfs_call(rc);
    const struct args *a = rc->args;
    struct res *r = rc->res;
    _cleanup_nfs_node_ struct st_node *dir = NULL;
    enum st st = nfs_node(c, &a->dir, &dir);
    if (st != ST_OK)
        return st;
    nfs3_post(c, dir, &r->dir);
    return list_dir(c, dir, a, r, plus);
}

static enum st run_readdir(struct rpc_call *rc) { return run(rc, false); }
static enum st run_readdirplus(struct rpc_call *rc) { return run(rc, true); }

static void encode(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    const struct res *r = rc->res;
    if (st == ST_OK)
        return; /* run() has written it */
    wbuf_cut(w, rc->body);
    nfs3_put_status(w, st);
    nfs3_put_post(w, &r->dir);
}

const struct rpc_proc nfs3_proc_readdir = {
    .name = "READDIR",
    .decode = decode_readdir,
    .run = run_readdir,
    .encode = encode,
    .args = sizeof(struct args),
    .res = sizeof(struct res),
    .flags = RPC_DELAY,
};
const struct rpc_proc nfs3_proc_readdirplus = {
    .name = "READDIRPLUS",
    .decode = decode_readdirplus,
    .run = run_readdirplus,
    .encode = encode,
    .args = sizeof(struct args),
    .res = sizeof(struct res),
    .flags = RPC_DELAY,
};
