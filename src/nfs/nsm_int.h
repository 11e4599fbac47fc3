/* nsm_int.h - what the files of NSM share.
 *
 * Locks: `db` is held while the database is written, so that list and database agree; only pool threads, and the
 * start and the stop, take it. `lock` is taken inside it for a few instructions. Notifications run on the server's
 * loop. */
#pragma once
#include "base/budget.h"
#include "base/hash.h"
#include "nlm_int.h"
#include "nsm.h"

struct nsm_host {
    struct hash_link link; /* by client; under lock, as is all up to notifying */
    uint64_t client;       /* nlm_client() */
    struct sockaddr_storage addr; /* port 0 */
    uint8_t local[16];     /* our address that it used: the name it knows us by */
    bool monitored, stored;
    bool to_notify;        /* it has not been told yet of our restart */
    bool before, reclaimed; /* was on the list when we started; and has reclaimed since */
    bool has_state;
    uint32_t last_state;   /* its NOTIFYs before this one are old */
    /* On the server's loop. */
    struct nsm *nsm;
    bool notifying, second; /* the second name */
    unsigned tries;
    uint64_t give_up;
    struct rpc_out *out;
    struct timer timer;
    char name[];
};
struct nsm_local { /* a program of this machine that wants to know */
    struct list link;
    uint32_t prog, vers, proc;
    uint8_t priv[SM_PRIV_SIZE];
    uint8_t addr[16];
    bool has_addr;
    char *my_name;
    char mon_name[];
};
struct nsm_tell { /* a callback to such a program */
    struct list link;
    struct nsm *nsm;
    struct rpc_out *out;
    struct task task;
    struct rpc_out_call call;
    struct wbuf args;
};
struct nsm {
    struct nfs_server *srv;
    pthread_mutex_t db, lock;
    struct hash hosts;
    struct budget by_address; /* hosts of one address */
    struct list locals; /* under lock */
    unsigned nlocals, before_left; /* hosts of before that have not reclaimed */
    uint64_t last_reclaim;
    _Atomic uint32_t state;
    char name[256];
    struct list tells;  /* loop */
    struct timer grace; /* loop */
    uint64_t grace_until; /* clock_now(), 0: none */
    struct task wake;   /* loop: everybody has reclaimed */
    bool wake_posted;   /* under lock */
    _Atomic unsigned jobs; /* pool tasks under way */
};

struct nsm_host *nsm_host_find(struct nsm *nsm, uint64_t client); /* under lock */
/* Writes or deletes the host's record, as the list says at that moment. Blocks. */
enum st nsm_host_store(struct nsm *nsm, struct nsm_host *h);
/* The same on a pool thread, later. */
void nsm_host_store_later(struct nsm *nsm, struct nsm_host *h);
/* A host to be monitored; made when not known. Blocks. */
enum st nsm_host_monitor(struct nsm *nsm, const struct nfs_name *name, const struct sockaddr_storage *addr,
                         const struct sockaddr_storage *local);
bool nsm_name_equal(const char *a, const char *b, size_t nb); /* also when one has a domain and the other none */

/* nsm_notify.c */
void nsm_notify_all(struct nsm *nsm); /* loop */
void nsm_notify_stop(struct nsm *nsm); /* loop */
/* A host says that it has restarted. Any thread. */
void nsm_notified(struct nsm *nsm, const struct nfs_name *name, uint32_t state, const struct sockaddr_storage *peer);
int nsm_state_raise(struct nsm *nsm); /* blocks */
