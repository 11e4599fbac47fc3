/* nsm.h - the Network Status Monitor (XNFS chapter 11): statd's role, built in.
 *
 * Every host that locks is remembered in the state database before its first lock is granted. After a restart those
 * hosts are told (NOTIFY) so that they reclaim, and a grace period keeps their locks for them. When a host tells us
 * that it has restarted, what it held is given up. Programs on this machine may have hosts monitored as well. */
#pragma once
#include "nfs_int.h"

#define NSM_PROGRAM 100024u
#define SM_MAXSTRLEN 1024u
#define SM_PRIV_SIZE 16u
enum { SM_NULL, SM_STAT, SM_MON, SM_UNMON, SM_UNMON_ALL, SM_SIMU_CRASH, SM_NOTIFY, SM_PROCS };
enum { STAT_SUCC, STAT_FAIL };

/* Raises the state number, reads the list. 0 or -errno. */
int nsm_create(struct nfs_server *s, struct nsm **ret);
/* Begins the grace period if there are hosts that may have something to reclaim, before anybody is answered; then the
 * notifications, when they can come. Not on a loop's thread. */
void nsm_begin_grace(struct nsm *nsm);
void nsm_start(struct nsm *nsm);
/* Forgets hosts that hold nothing; after the rpc server's end. */
void nsm_free(struct nsm *nsm);

/* Before a lock: the host must be on the list, durably. ST_OK, ST_OFFLOAD, ST_TOOMANY, ST_IO. */
enum st nsm_monitor(struct nsm *nsm, struct rpc_call *c, const struct nfs_name *caller, uint64_t client, bool reclaim);
void nsm_each(struct nsm *nsm, void (*fn)(void *arg, const char *name, const struct sockaddr_storage *addr), void *arg);
uint32_t nsm_state(struct nsm *nsm);
extern const struct rpc_program nsm_program;
