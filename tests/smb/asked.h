/* asked.h - what a client may say in a CREATE, beyond names: oplocks, leases, durability, as contexts. */
#pragma once
#include "wire.h"
#include "smb/create_contexts.h"

#define GUID_A "aaaaaaaaaaaaaaaa"
#define GUID_B "bbbbbbbbbbbbbbbb"
#define KEY_A "AAAAAAAAAAAAAAAA"
#define KEY_B "BBBBBBBBBBBBBBBB"

struct asked {
    uint8_t oplock, share;
    const char *lease;    /* key: version 2, RWH unless `state` */
    uint32_t state;
    unsigned durable;     /* SMB_DH* */
    const char *guid;
    uint32_t timeout, flags, options;
    const uint64_t *back; /* ids of the open that is wanted back */
};
struct asked_contexts {
    uint8_t b[512];
    size_t n, last;
};

static inline void asked_context(struct asked_contexts *x, const char *name, const void *data, size_t n)
{
    size_t at = ALIGN_UP(x->n, (size_t)8);
    if (x->n)
        put_le32(x->b + x->last, (uint32_t)(at - x->last));
    memset(x->b + x->n, 0, at + 24 - x->n);
    put_le16(x->b + at + 4, 16);
    put_le16(x->b + at + 6, 4);
    put_le16(x->b + at + 10, 24);
    put_le32(x->b + at + 12, (uint32_t)n);
    memcpy(x->b + at + 16, name, 4);
    memcpy(x->b + at + 24, data, n);
    x->last = at;
    x->n = at + 24 + n;
}

static inline void asked_build(struct asked_contexts *x, const struct asked *a)
{
    uint8_t data[52] = {0};
    if (a->durable & SMB_DHNQ)
        asked_context(x, "DHnQ", data, 16);
    if (a->durable & SMB_DH2Q) {
        put_le32(data, a->timeout);
        put_le32(data + 4, a->flags);
        memcpy(data + 16, a->guid, 16);
        asked_context(x, "DH2Q", data, 32);
    }
    if (a->durable & SMB_DURABLE_RECONNECT) {
        put_le64(data, a->back[0]);
        put_le64(data + 8, a->back[1]);
        memcpy(data + 16, a->guid ? a->guid : GUID_A, 16);
        put_le32(data + 32, a->flags);
    }
    if (a->durable & SMB_DHNC)
        asked_context(x, "DHnC", data, 16);
    if (a->durable & SMB_DH2C)
        asked_context(x, "DH2C", data, 36);
    memset(data, 0, sizeof data);
    if (a->lease) {
        memcpy(data, a->lease, 16);
        put_le32(data + 16, a->state ? a->state : CO_R | CO_W | CO_H);
        asked_context(x, "RqLs", data, 52);
    }
}

/* The status; ret_id is written on success only. */
static inline uint32_t client_ask(struct client *k, const char *name, const struct asked *a, uint64_t ret_id[2])
{
    struct asked_contexts x = {.n = 0};
    asked_build(&x, a);
    client_put_create(k, name, false);
    uint8_t *body = k->out + k->header + SMB2_HEADER;
    body[3] = a->lease ? SMB2_OPLOCK_LEVEL_LEASE : a->oplock;
    put_le32(body + 32, a->share ? 7 : 0);
    put_le32(body + 40, 0x40 | a->options);
    while ((k->n - k->header) % 8)
        client_u8(k, 0);
    put_le32(body + 48, (uint32_t)(k->n - k->header));
    put_le32(body + 52, (uint32_t)x.n);
    client_put(k, x.b, x.n);
    if (client_answer(k) == STATUS_SUCCESS) {
        ret_id[0] = get_le64(k->reply + SMB2_HEADER + 64);
        ret_id[1] = get_le64(k->reply + SMB2_HEADER + 72);
    }
    return k->status;
}
