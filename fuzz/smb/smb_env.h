/* smb_env.h - the SMB server for fuzz targets: one thread, no network, no pool, time that only moves when told.
 *
 * Connections are socket pairs. Every input starts with a fresh share and must leave nothing behind: env_end()
 * aborts when a connection, session, open or lease is left. */
#pragma once
#include "fs/users.h"
#include "smb/internal.h"

struct env {
    struct loop *loop;
    struct fs *fs;
    struct smb_server srv;
};
extern struct env env;

struct env_client {
    int fd;
    struct smb_conn *conn;
    uint64_t mid, session;
};

void env_begin(void);
void env_end(void);
void env_connect(struct env_client *c);
void env_leave(struct env_client *c);
/* Negotiated, with a session of a user who may do all, tree 1 (a share in memory) and tree 2 (IPC$). */
void env_ready(struct env_client *c, uint16_t dialect);
void env_send(struct env_client *c, const void *p, size_t n); /* framed here; replies are read and dropped */
void env_turn(uint64_t ns); /* time moves on by that much; runs until nothing happens any more */
