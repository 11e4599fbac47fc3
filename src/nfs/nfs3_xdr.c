/* nfs3_xdr.c - the types of NFSv3 that several procedures share (RFC 1813 §2.5, §2.6), from and to the wire. */
#include "nfs3.h"

static const uint8_t type_to_wire[] = {
    [ST_REG] = NF3REG, [ST_DIR] = NF3DIR, [ST_LNK] = NF3LNK,   [ST_BLK] = NF3BLK,
    [ST_CHR] = NF3CHR, [ST_FIFO] = NF3FIFO, [ST_SOCK] = NF3SOCK,
};

/* --- Reading. */

void nfs3_get_fh(struct cursor *in, struct nfs_fh *ret) { ret->p = xdr_opaque(in, NFS3_FHSIZE, &ret->n); }
void nfs3_get_name(struct cursor *in, struct nfs_name *ret) { ret->p = xdr_string(in, NFS3_NAME_MAX, &ret->n); }
void nfs3_get_diropargs(struct cursor *in, struct nfs3_diropargs *ret)
{
    nfs3_get_fh(in, &ret->dir);
    nfs3_get_name(in, &ret->name);
}
void nfs3_decode_fh(struct cursor *in, void *args) { nfs3_get_fh(in, args); }
void nfs3_decode_diropargs(struct cursor *in, void *args) { nfs3_get_diropargs(in, args); }

/* set_mode3, set_uid3 and set_gid3 have one form. */
static uint32_t get_set32(struct cursor *in, struct nfs3_sattr *s, uint32_t bit)
{
    if (!xdr_bool(in))
        return 0;
    s->set |= bit;
    return xdr_u32(in);
}

/* set_atime, set_mtime: DONT_CHANGE, SET_TO_SERVER_TIME, SET_TO_CLIENT_TIME. */
static void get_set_time(struct cursor *in, struct nfs3_sattr *s, uint32_t given, uint32_t now, struct timespec *ret)
{
    switch (xdr_enum(in, 2)) {
    case 1:
        s->set |= now;
        break;
    case 2:
        s->set |= given;
        ret->tv_sec = xdr_u32(in);
        ret->tv_nsec = xdr_u32(in);
        s->invalid |= ret->tv_nsec >= (long)NSEC_PER_SEC;
        break;
    }
}

void nfs3_get_sattr(struct cursor *in, struct nfs3_sattr *ret)
{
    ret->set = 0;
    ret->a.mode = get_set32(in, ret, ST_SET_MODE) & 07777;
    ret->a.uid = get_set32(in, ret, ST_SET_UID);
    ret->a.gid = get_set32(in, ret, ST_SET_GID);
    if (xdr_bool(in)) {
        ret->set |= ST_SET_SIZE;
        ret->a.size = xdr_u64(in);
    }
    get_set_time(in, ret, ST_SET_ATIME, ST_SET_ATIME_NOW, &ret->a.atime);
    get_set_time(in, ret, ST_SET_MTIME, ST_SET_MTIME_NOW, &ret->a.mtime);
}

/* --- Writing. */

void nfs3_put_status(struct wbuf *w, enum st st) { xdr_put_u32(w, nfs3_status(st)); }

static uint8_t *put_time(uint8_t *p, const struct timespec *t)
{
    put_be32(p, (uint32_t)t->tv_sec);
    put_be32(p + 4, (uint32_t)t->tv_nsec);
    return p + 8;
}

void nfs3_put_fattr(struct wbuf *w, const struct st_attr *a)
{
    uint8_t *p = wbuf_room(w, NFS3_FATTR_SIZE);
    if (!p)
        return;
    put_be32(p, type_to_wire[a->type]);
    put_be32(p + 4, a->mode & 07777);
    put_be32(p + 8, a->nlink);
    put_be32(p + 12, a->uid);
    put_be32(p + 16, a->gid);
    put_be64(p + 20, a->size);
    put_be64(p + 28, a->used);
    put_be32(p + 36, a->rdev_major);
    put_be32(p + 40, a->rdev_minor);
    put_be64(p + 44, a->fsid);
    put_be64(p + 52, a->ino);
    put_time(put_time(put_time(p + 60, &a->atime), &a->mtime), &a->ctime);
}

void nfs3_put_post(struct wbuf *w, const struct nfs3_post *p)
{
    xdr_put_bool(w, p->has);
    if (p->has)
        nfs3_put_fattr(w, &p->a);
}

void nfs3_put_post_fh(struct wbuf *w, const uint8_t *fh, size_t n)
{
    xdr_put_bool(w, n > 0);
    if (n > 0)
        xdr_put_opaque(w, fh, n);
}

void nfs3_put_wcc(struct wbuf *w, const struct fs_wcc *wcc)
{
    xdr_put_bool(w, wcc->has_pre);
    uint8_t *p = wcc->has_pre ? wbuf_room(w, 24) : NULL;
    if (p) {
        put_be64(p, wcc->pre_size);
        put_time(put_time(p + 8, &wcc->pre_mtime), &wcc->pre_ctime);
    }
    xdr_put_bool(w, wcc->has_post);
    if (wcc->has_post)
        nfs3_put_fattr(w, &wcc->post);
}

void nfs3_encode_made(struct rpc_call *c, struct wbuf *w, enum st st)
{
    const struct nfs3_made *r = c->res;
    nfs3_put_status(w, st);
    if (st == ST_OK) {
        nfs3_put_post_fh(w, r->fh, r->nfh);
        nfs3_put_post(w, &r->attr);
    }
    nfs3_put_wcc(w, &r->dir);
}

/* --- Attributes for replies. */

void nfs3_post(struct nfs_call *c, struct st_node *n, struct nfs3_post *ret)
{
    ret->has = n && fs_getattr(&c->q, n, &ret->a) == ST_OK;
}

void nfs3_wcc_complete(struct nfs_call *c, struct st_node *n, struct fs_wcc *wcc)
{
    if (n && !wcc->has_post)
        wcc->has_post = fs_getattr(&c->q, n, &wcc->post) == ST_OK;
}
