/* server.h - the daemon's parts, put together: loops, pool, state database, file service, front ends,
 * administration. */
#pragma once
#include "config.h"
#include "net/conn.h"
#include "nfs/nfs.h"
#include "smb/smb.h"
#include <jansson.h>

struct admin;
struct metrics;

struct server {
    struct config cfg;
    struct config_input input; /* for reading it again */
    struct kv *kv;
    struct loop **loops;
    size_t nloops;
    struct pool *pool;
    struct fs *fs;
    struct nfs_server *nfs;
    struct smb_server *smb;
    struct admin *admin;
    struct metrics *metrics;
    struct timespec started;
};

/* Brings everything up as s->cfg says; false: the reason was logged. */
bool server_start(struct server *s);
void server_stop(struct server *s);
/* Reads the configuration again: shares, [lock], log level. Mistakes are logged and change nothing. */
bool server_reload(struct server *s);

/* The demonstration: one directory on ports that need no privilege, no configuration. serve.c */
/* Adds what `--serve DIR` stands for to the input (memory is the program's for its life). False: said why. */
bool serve_input(const char *dir, struct config_input *in);
void serve_greeting(struct server *s, const char *dir); /* first user, mount lines */

/* Administration over a UNIX socket: one JSON array of words per line in, one JSON object per line out. Only root and
 * the server's own user are answered. */
int admin_start(struct server *s, struct admin **ret);
void admin_stop(struct admin *a);
const char *admin_path(const struct config *c, char out[600]);

/* What concordctl can ask, daemon up or down (then `s` is NULL and only the state database is there). */
struct admin_call {
    struct server *s;
    struct kv *kv;
    const char *const *words;
    size_t n;
    json_t *out; /* an object to fill in: "error" says what went wrong */
};
struct admin_command {
    const char *name, *args, *help;
    size_t name_words, min, max; /* words of the name; words behind it */
    bool offline;                /* works when the daemon is down */
    void (*run)(struct admin_call *c);
};
extern const struct admin_command admin_commands[];
extern const size_t admin_ncommands;
/* Finds and runs; sets "error" otherwise. */
void admin_run(struct admin_call *c);

/* Prometheus text at http://ADDRESS/metrics. 0 or -errno. */
int metrics_start(struct server *s, const char *listen, struct metrics **ret);
void metrics_stop(struct metrics *m);
