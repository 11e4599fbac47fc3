/* durable.h - opens that outlive their connection, for the tests of them: two clients, one of which loses it. */
#pragma once
#include "asked.h"
#include "fs/open.h"

static struct wire w;
static struct client c, d;
static uint64_t id[2];

static inline int start(void **state)
{
    wire_start(&w, NULL);
    client_ready(&c, &w, SMB_3_1_1);
    return 0;
}
static inline int stop(void **state)
{
    client_close(&c);
    client_close(&d);
    wire_stop(&w);
    return 0;
}

/* The connection is cut, and the server has noticed: it keeps `kept` opens. */
static inline void lose(struct client *k, uint32_t kept)
{
    client_close(k);
    for (int i = 0; i < 2000; i++) {
        pthread_rwlock_rdlock(&w.srv.lock);
        bool done = w.srv.ndisconnected == kept && w.srv.sessions.count == (k == &c ? d.fd > 0 : c.fd > 0);
        pthread_rwlock_unlock(&w.srv.lock);
        if (done)
            return;
        usleep(5000);
    }
    fail_msg("%u opens are kept", w.srv.ndisconnected);
}

static inline uint32_t create(struct client *k, const char *name, const struct asked *a)
{
    return client_ask(k, name, a, id);
}

/* A context of the last answer; NULL: not there. */
static inline const uint8_t *answered(const struct client *k, const char *name)
{
    uint32_t at = get_le32(k->reply + SMB2_HEADER + 80), next;
    if (!at)
        return NULL;
    for (const uint8_t *p = k->reply + at;; p += next) {
        next = get_le32(p);
        if (memcmp(p + 16, name, 4) == 0)
            return p + 24;
        if (!next)
            return NULL;
    }
}

static inline void close_open(struct client *k, uint32_t want)
{
    client_put_close(k, id);
    assert_true(client_call(k));
    assert_int_equal(k->status, want);
}

static inline uint32_t lock_byte(struct client *k, uint32_t sequence, uint32_t flags)
{
    client_begin(k, SMB2_LOCK);
    client_u16(k, 48);
    client_u16(k, 1);
    client_u32(k, sequence);
    client_u64(k, id[0]);
    client_u64(k, id[1]);
    client_u64(k, 0);
    client_u64(k, 1);
    client_u32(k, flags);
    client_u32(k, 0);
    assert_true(client_call(k));
    return k->status;
}

static const struct asked batch = {.oplock = SMB2_OPLOCK_LEVEL_BATCH, .durable = SMB_DHNQ};
static const struct asked batch_v2 = {.oplock = SMB2_OPLOCK_LEVEL_BATCH, .durable = SMB_DH2Q, .guid = GUID_A};
static const struct asked leased = {
    .share = 7, .lease = KEY_A, .durable = SMB_DH2Q, .guid = GUID_A, .timeout = UINT32_MAX};

static inline uint32_t come_back(const char *name, const struct asked *a)
{
    const uint64_t was[2] = {id[0], id[1]};
    struct asked back = *a;
    back.durable = a->durable == SMB_DHNQ ? SMB_DHNC : SMB_DH2C;
    back.oplock = 0;
    back.flags = a->flags & SMB2_DHANDLE_FLAG_PERSISTENT;
    back.back = was;
    if (c.fd < 0)
        client_ready(&c, &w, SMB_3_1_1);
    uint32_t status = create(&c, name, &back);
    if (status == STATUS_SUCCESS) {
        assert_int_equal(id[0], was[0]);
        assert_int_not_equal(id[1], was[1]);
    }
    return status;
}

/* NFS reads or writes the file. */
static inline enum st by_nobody(const char *name, bool write)
{
    struct arena arena;
    struct fs_req q;
    struct fs_cred root = {.superuser = true};
    struct co_party nobody = {.label = CO_LABEL_NFS3};
    struct st_node *n = NULL;
    uint8_t buf[1];
    size_t got;
    bool eof;
    arena_init(&arena);
    fs_req_init(&q, w.fs, NULL, &arena);
    q.share = fs_share_get(w.fs, "share", 5);
    q.cred = &root;
    q.party = &nobody;
    q.posix = q.may_block = true;
    assert_int_equal(fs_lookup(&q, q.share->root, name, strlen(name), &n, NULL), ST_OK);
    enum st st =
        write ? fs_write(&q, n, NULL, 0, "y", 1, FS_UNSTABLE, NULL) : fs_read(&q, n, NULL, 0, buf, 1, &got, &eof, NULL);
    fs_cancel(&q);
    fs_node_unref(n);
    fs_share_put(q.share);
    arena_reset(&arena);
    return st;
}
