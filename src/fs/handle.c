/* handle.c - file handles that clients keep: made only here, known again only with the server's key.
 *
 *   1 byte   version
 *   3 bytes  zero
 *   4 bytes  share, big-endian
 *   n bytes  the store's own handle
 *   8 bytes  SipHash-2-4 of all before
 *
 * A client that makes up or changes a handle gets ST_BADHANDLE: it reaches no store. */
#include "base/bytes.h"
#include "base/cursor.h"
#include "internal.h"

#define HANDLE_VERSION 1
#define HANDLE_HEAD 8
#define HANDLE_TAG 8
_Static_assert(HANDLE_HEAD + ST_HANDLE_MAX + HANDLE_TAG <= FS_HANDLE_MAX, "a handle fits NFS3_FHSIZE");

/* The store's part is in its place. */
static size_t seal(const struct fs_volume *v, uint8_t out[FS_HANDLE_MAX], size_t len)
{
    put_be32(out, (uint32_t)HANDLE_VERSION << 24);
    put_be32(out + 4, v->id);
    put_be64(out + HANDLE_HEAD + len, siphash(v->fs->handle_key, out, HANDLE_HEAD + len));
    return HANDLE_HEAD + len + HANDLE_TAG;
}

enum st fs_handle(const struct fs_req *q, struct st_node *n, uint8_t out[FS_HANDLE_MAX], size_t *ret_n)
{
    size_t len = 0;
    enum st st = n->store->ops->handle(n, !fs_must_move(q), out + HANDLE_HEAD, &len);
    if (st == ST_OK)
        *ret_n = seal(fs_volume_of(n), out, len);
    return st;
}

size_t fs_handle_of(const struct fs_volume *v, const uint8_t *h, size_t n, uint8_t out[FS_HANDLE_MAX])
{
    memcpy(out + HANDLE_HEAD, h, n);
    return seal(v, out, n);
}

enum st fs_from_handle(struct fs *fs, const uint8_t *h, size_t n, struct fs_share **ret_share, struct st_node **ret)
{
    if (n < HANDLE_HEAD + HANDLE_TAG || n > FS_HANDLE_MAX)
        return ST_BADHANDLE;
    size_t len = n - HANDLE_HEAD - HANDLE_TAG;
    struct cursor c = cursor_of(h, n);
    uint32_t version = cursor_be32(&c), id = cursor_be32(&c);
    const uint8_t *inner = cursor_take(&c, len);
    uint64_t tag = cursor_be64(&c);
    if (c.bad || tag != siphash(fs->handle_key, h, n - HANDLE_TAG) || version >> 24 != HANDLE_VERSION)
        return ST_BADHANDLE;
    struct fs_share *s = fs_share_by_id(fs, id);
    if (!s)
        return ST_STALE;
    enum st st = s->store->ops->from_handle(s->store, inner, len, ret);
    if (st != ST_OK) {
        fs_share_put(s);
        return st == ST_BADHANDLE || st == ST_NOENT ? ST_STALE : st; /* ours it is: of a store that was here before */
    }
    *ret_share = s;
    return ST_OK;
}
