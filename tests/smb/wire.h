/* wire.h - an SMB server in the test's own process, and a client that says exactly what it is told to. */
#pragma once
#include "tests/base/cm.h"
#include "base/kv.h"
#include "fs/users.h"
#include "ntlm_client.h"
#include "smb/internal.h"

struct wire {
    char dir[64];
    struct loop *loops[2];
    struct pool *pool;
    struct kv *kv;
    struct fs *fs;
    struct smb_server srv;
};
/* Shares "share" (memory) and "sealed" (encryption required); users ann/secret and bob/secret2. `cfg` may be NULL. */
void wire_start(struct wire *w, const struct smb_config *cfg);
void wire_stop(struct wire *w);

struct client {
    int fd;
    uint16_t dialect;
    uint64_t mid, session;
    uint64_t previous;         /* session that a logon replaces */
    const struct client *binds; /* whose session a logon binds to this connection */
    uint32_t tree;
    uint16_t charge, credits;  /* of the next request; credits asked for */
    uint32_t flags;            /* ORed into the next requests' headers */
    bool sign;                 /* requests, with `signer` */
    struct smb_signer *signer;
    uint16_t alg;
    uint8_t preauth[64];
    uint32_t granted;          /* credits of the last response */
    uint8_t out[70000];        /* the message under construction: framing and all */
    size_t n, header;          /* bytes; where the current request's header is */
    uint8_t in[70000];
    size_t nin;
    uint32_t status;           /* of the last response */
    const uint8_t *reply;      /* its header */
    size_t nreply;
};

void client_open(struct client *c, const struct wire *w);
void client_close(struct client *c);
void client_begin(struct client *c, uint16_t command); /* a request; a second one makes a compound */
void client_u8(struct client *c, uint8_t v);
void client_u16(struct client *c, uint16_t v);
void client_u32(struct client *c, uint32_t v);
void client_u64(struct client *c, uint64_t v);
void client_put(struct client *c, const void *p, size_t n);
void client_send(struct client *c); /* what was built */
bool client_recv(struct client *c); /* the next message: its first response. False: closed */
bool client_next(struct client *c); /* the next response of the same message */
bool client_call(struct client *c); /* both */
/* The status in the end, of what may have to wait for a moment: of the next such message; of a request. */
uint32_t client_final(struct client *c);
uint32_t client_answer(struct client *c);
bool client_closed(struct client *c); /* waits for the server to close */

/* Whole exchanges; they give the status. dialect 0: no further ones than those in `dialects`. */
uint32_t client_negotiate(struct client *c, uint16_t dialect);
void client_contexts(struct client *c, const uint8_t *contexts, size_t n, uint16_t count); /* 3.1.1 with these */
uint32_t client_logon(struct client *c, const char *user, const char *password);
uint32_t client_tree(struct client *c, const char *path);
void client_ready(struct client *c, const struct wire *w, uint16_t dialect); /* all of it, on "share" */
void client_bind(struct client *c, const struct wire *w, const struct client *first); /* a channel; up to 3.0.2 */
uint32_t client_simple(struct client *c, uint16_t command, uint16_t structure_size); /* ECHO, LOGOFF ... */
uint32_t client_create(struct client *c, const char *name, bool dir, uint64_t ret_id[2]);
void client_put_create(struct client *c, const char *name, bool dir);
void client_put_close(struct client *c, const uint64_t id[2]);
