/* opens.h - shortcuts for tests that open files. */
#pragma once
#include "world.h"

#define RW                                                                                                             \
    (FS_READ_DATA | FS_WRITE_DATA | FS_READ_ATTRIBUTES | FS_WRITE_ATTRIBUTES | FS_READ_EA | FS_WRITE_EA |              \
     FS_READ_CONTROL)
#define SHARE_ALL (FS_SHARE_READ | FS_SHARE_WRITE | FS_SHARE_DELETE)

/* An SMB caller with a client and a number for its next open. */
struct smb {
    struct caller c;
    uint64_t next;
};

static inline void smb_init(struct smb *s, struct world *w, uint32_t uid, uint64_t client)
{
    caller_init(&s->c, w, uid, uid);
    s->next = client * 1000;
    caller_smb(&s->c, client, s->next);
    memset(s->c.party.lease, 0, 16);
}
static inline void smb_done(struct smb *s) { caller_done(&s->c); }

static inline struct fs_open_args args(struct world *w, const char *path, uint32_t access, enum fs_disposition d)
{
    return (struct fs_open_args){.base = w->root, .path = path, .npath = strlen(path), .access = access,
                                 .share = SHARE_ALL, .disposition = d};
}

static inline enum st open_args(struct smb *s, const struct fs_open_args *a, struct fs_open_result *r)
{
    memset(r, 0, sizeof *r);
    s->c.party.open = ++s->next;
    s->c.q.party = &s->c.party;
    return RUN(&s->c, fs_open(&s->c.q, a, r));
}

static inline enum st try_open(struct smb *s, const char *path, uint32_t access, uint32_t share, enum fs_disposition d,
                               uint32_t options, struct fs_open **ret)
{
    struct fs_open_args a = args(s->c.w, path, access, d);
    struct fs_open_result r;
    a.share = share;
    a.options = options;
    char *colon = strchr(path, ':');
    if (colon) {
        a.npath = (size_t)(colon - path);
        a.stream = colon + 1;
    }
    enum st st = open_args(s, &a, &r);
    if (ret)
        *ret = r.open;
    return st;
}

static inline void close_open(struct smb *s, struct fs_open *o)
{
    fs_close(&s->c.q, o, NULL);
    s->c.q.party = &s->c.party;
    world_check(s->c.w);
}

static inline struct fs_open *must_open(struct smb *s, const char *path, uint32_t access, enum fs_disposition d)
{
    struct fs_open *o = NULL;
    assert_st(try_open(s, path, access, SHARE_ALL, d, 0, &o), ST_OK);
    assert_non_null(o);
    return o;
}
/* Opens and closes again. */
static inline enum st touch(struct smb *s, const char *path, uint32_t access, uint32_t share, enum fs_disposition d,
                            uint32_t options)
{
    struct fs_open *o = NULL;
    enum st st = try_open(s, path, access, share, d, options, &o);
    if (st == ST_OK)
        close_open(s, o);
    return st;
}
