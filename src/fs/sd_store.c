/* sd_store.c - where a descriptor set over SMB is kept: the extended attribute "sd", together with the mode, owner and
 * group that the object had when it was stored. Once those are different somebody changed them behind it, and what they
 * say now is what counts: the descriptor is void. Knows nothing of what is in a descriptor. */
#include "sd.h"
#include "base/cursor.h"
#include "winmeta.h"

#define SD_VERSION 1
#define SD_STAMP 16 /* u8 version, u8 0, u16 0, u32 mode, u32 uid, u32 gid */

static void make_stamp(uint8_t out[SD_STAMP], const struct st_attr *a)
{
    memset(out, 0, SD_STAMP);
    out[0] = SD_VERSION;
    put_le32(out + 4, a->mode & 07777);
    put_le32(out + 8, a->uid);
    put_le32(out + 12, a->gid);
}

static bool fits(const uint8_t *blob, size_t n, const struct st_attr *a)
{
    uint8_t stamp[SD_STAMP];
    make_stamp(stamp, a);
    return n > SD_STAMP && memcmp(blob, stamp, SD_STAMP) == 0;
}

static enum st read_blob(struct st_node *n, uint8_t **ret, size_t *ret_n)
{
    size_t need = 0;
    enum st st = n->store->ops->xattr_get(n, SD_XATTR, NULL, 0, &need);
    if (st != ST_OK && st != ST_BUFSIZE)
        return st;
    for (int tries = 0; tries < 4; tries++) { /* it may grow in between */
        uint8_t *p = malloc(need + 1);
        if (!p)
            return ST_NOMEM;
        st = n->store->ops->xattr_get(n, SD_XATTR, p, need, ret_n);
        if (st == ST_OK) {
            *ret = p;
            return ST_OK;
        }
        free(p);
        if (st != ST_BUFSIZE)
            return st;
        need = *ret_n;
    }
    return ST_DELAY;
}

enum st sd_load(struct st_node *n, const struct st_attr *a, uint8_t **ret, size_t *ret_n)
{
    uint8_t *blob = NULL;
    size_t len = 0;
    struct sd sd;
    *ret = NULL;
    *ret_n = 0;
    enum st st = read_blob(n, &blob, &len);
    if (st != ST_OK)
        return st == ST_NOATTR || st == ST_NOTSUP ? ST_OK : st;
    if (!fits(blob, len, a) || sd_parse(blob + SD_STAMP, len - SD_STAMP, &sd) != ST_OK) {
        free(blob);
        return ST_OK;
    }
    memmove(blob, blob + SD_STAMP, len - SD_STAMP);
    *ret = blob;
    *ret_n = len - SD_STAMP;
    return ST_OK;
}

enum st sd_save(struct st_node *n, const uint8_t *sd, size_t len)
{
    struct st_attr a;
    enum st st = n->store->ops->getattr(n, &a);
    if (st != ST_OK)
        return st;
    _cleanup_free_ uint8_t *blob = malloc(SD_STAMP + len);
    if (!blob)
        return ST_NOMEM;
    make_stamp(blob, &a);
    memcpy(blob + SD_STAMP, sd, len);
    st = n->store->ops->xattr_set(n, SD_XATTR, blob, SD_STAMP + len);
    fs_meta_forget(n);
    return st;
}

enum st sd_stored(struct arena *arena, struct st_node *n, const struct st_attr *a, uint8_t **ret, size_t *ret_n)
{
    struct fsn *f;
    *ret = NULL;
    *ret_n = 0;
    enum st st = fs_meta_lock(n, a, &f);
    if (st != ST_OK)
        return st;
    if (f->sd) {
        *ret = arena_dup(arena, f->sd, f->nsd);
        *ret_n = f->nsd;
        st = *ret ? ST_OK : ST_NOMEM;
    }
    fs_meta_unlock(f);
    return st;
}

bool fs_sd_rights(struct fs_req *q, struct st_node *n, const struct st_attr *a, uint32_t *ret_granted)
{
    struct fsn *f;
    struct sd sd;
    if ((n->type != ST_REG && n->type != ST_DIR) || fs_meta_lock(n, a, &f) != ST_OK)
        return false;
    bool there = f->sd && sd_parse(f->sd, f->nsd, &sd) == ST_OK;
    if (there)
        *ret_granted = sd_rights(&sd, fs_cred_of(q), a);
    fs_meta_unlock(f);
    return there;
}

void fs_sd_mode_changed(struct st_node *n)
{
    struct st_attr a;
    uint8_t *blob = NULL;
    size_t len = 0;
    fs_meta_forget(n);
    if (read_blob(n, &blob, &len) != ST_OK)
        return;
    /* Removed, and not only void: a later change back to the same mode must not bring it to life again. */
    if (n->store->ops->getattr(n, &a) != ST_OK || !fits(blob, len, &a))
        n->store->ops->xattr_del(n, SD_XATTR);
    free(blob);
    fs_meta_forget(n);
}
