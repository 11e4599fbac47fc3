/* world.h - a file service with one share for tests, and a driver that runs an operation again until it has an answer:
 * what a job does, without threads. Half of the gates say ST_AGAIN for no reason. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/kv.h"
#include "fs/internal.h"

struct world {
    struct fs *fs;
    struct fs_share *share;
    struct kv *kv;
    struct st_node *root;
    char dir[64];   /* everything is below; "" = nothing on disk */
    char store[16]; /* "mem", "dir" */
    unsigned wakes;
};
struct caller {
    struct fs_req q;
    struct fs_cred cred;
    struct co_party party;
    struct arena arena;
    struct world *w;
};

int world_open(struct world *w, const char *store, bool with_kv);
void world_close(struct world *w);
void world_stop(struct world *w);  /* keeps what is on disk */
int world_start(struct world *w);
struct fs_share_config world_config(const struct world *w);

void caller_init(struct caller *c, struct world *w, uint32_t uid, uint32_t gid);
void caller_done(struct caller *c);
/* An SMB client's party: its own lease key and open. */
void caller_smb(struct caller *c, uint64_t client, uint64_t open);

/* Runs `call` until it is neither ST_AGAIN nor ST_OFFLOAD; nothing may be left entered. */
#define RUN(c, call)                                                                                                   \
    ({                                                                                                                 \
        enum st run_;                                                                                                  \
        int again_ = 0;                                                                                                \
        (c)->q.may_block = false;                                                                                      \
        while (((run_ = (call)) == ST_AGAIN || run_ == ST_OFFLOAD) && ++again_ < 64)                                   \
            (c)->q.may_block = (c)->q.may_block || run_ == ST_OFFLOAD;                                                 \
        world_check((c)->w);                                                                                           \
        run_;                                                                                                          \
    })
void world_check(struct world *w);
#define assert_st(got, want) assert_string_equal(st_name(got), st_name(want))

/* Shortcuts that must succeed. */
struct st_node *mk(struct caller *c, struct st_node *dir, const char *name, enum st_type type, uint32_t mode);
struct st_node *at(struct caller *c, struct st_node *dir, const char *name); /* NULL: no such name */
struct st_attr attr_of(struct st_node *n);
void put(struct caller *c, struct st_node *n, uint64_t off, const char *text);
