/* bench.h - what the load generators share: options, connections, requests in flight, and the account of what a server
 * spent. One thread, one protocol and one workload a run. Knows message framing (4-byte length, RPC record marks), no
 * protocol. Errors end the program: a benchmark that goes on after one measures something else. */
#pragma once
#include "base/cursor.h"
#include "base/wbuf.h"
#include <sys/types.h>

#define BENCH_DEPTH_MAX 4096u
#define BENCH_DIR_FILES 10000u           /* entry-000000.txt to entry-009999.txt */
#define BENCH_MESSAGE_MAX ((1u << 20) + 4096)

/* A TCP connection that never blocks but in bench_wait(). */
struct bench_conn {
    int fd;
    struct blk *first, *last; /* messages to be sent */
    size_t sent;              /* bytes of the first that are */
    uint8_t *in;              /* received: [at, len) are not consumed */
    size_t at, len, cap;
    unsigned held;            /* slots that wait until the protocol is ready for them */
    void *state;              /* the protocol's */
};

/* One operation in flight: one or several requests, one after another. */
struct bench_slot {
    struct bench_conn *conn;
    uint64_t number, began;
    uint32_t index, tag; /* tag: the protocol's, to tell a late answer */
    unsigned step;       /* 0 at the operation's first request */
    bool busy, held;
    uint8_t id[64];      /* handle of the file that it made or opened */
    size_t nid;
};

struct bench_work {
    const char *name;
    void (*put)(struct bench_slot *s);                     /* sends the request of the current step */
    bool (*reply)(struct bench_slot *s, struct cursor *c); /* takes its answer; true: the operation is complete */
    uint32_t depth, io;                                    /* in flight; bytes of one I/O */
    bool random;                                           /* places in the file */
    bool whole;                                            /* once over the file, then durable, instead of for a time */
    bool once;                                             /* one operation per connection: to look at memory */
};

struct bench_protocol {
    const char *program, *options, *usage; /* options and their usage beyond the common ones; getopt's format */
    const struct bench_work *works;
    size_t nworks;
    bool record_marks;
    void (*option)(int option, const char *value);
    void (*open)(struct bench_conn *c);                                   /* log on, find the files */
    void (*close)(struct bench_conn *c);                                  /* frees its state; or NULL */
    void (*message)(struct bench_conn *c, uint8_t *message, size_t n);    /* finds the slot: bench_answer() */
    bool (*ready)(const struct bench_slot *s);                            /* may it send its next request? */
    void (*durable)(struct bench_conn *c);                                /* COMMIT, FLUSH */
};

extern struct bench {
    const char *host;
    uint16_t port;
    uint32_t depth, conns, io;
    uint64_t file_size;
    double seconds, warm;
    pid_t server;
    const struct bench_protocol *protocol;
    const struct bench_work *work;
    uint64_t counted; /* what the workload counts itself (entries); 0: operations */
    uint8_t *payload; /* BENCH_MESSAGE_MAX random bytes to write */
} bench;

/* bench.c */
int bench_main(int argc, char **argv, const struct bench_protocol *p);
void bench_fail(const char *fmt, ...) _printf_(1, 2) __attribute__((noreturn));
void bench_connect(struct bench_conn *c, uint16_t port);
void bench_disconnect(struct bench_conn *c);
void bench_send(struct bench_conn *c, struct wbuf *w);          /* takes the block */
uint8_t *bench_wait(struct bench_conn *c, size_t *ret_n); /* flushes; the next message, valid until the next read */
void bench_answer(struct bench_slot *s, struct cursor *c);
struct bench_slot *bench_slot_at(uint32_t index);               /* fails when it is not in flight */
uint64_t bench_random(void);                                    /* the same sequence in every run */
uint64_t bench_place(const struct bench_slot *s);               /* where in the file its I/O goes */
void bench_entry_name(char out[32]);                            /* of a random file of the directory */
void bench_small_name(const struct bench_slot *s, char out[48]);

/* account.c */
struct bench_account {
    uint64_t time;                        /* ns */
    double server, own, machine;          /* CPU seconds: the server's processes, this one, everything */
    uint64_t pss_kib, processes;
};
void bench_account(struct bench_account *a, bool memory);
void bench_latency(uint64_t ns);
void bench_latency_reset(void);
void bench_report(const struct bench_account *from, const struct bench_account *to, uint64_t operations);
