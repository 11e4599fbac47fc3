/* target.h - what is tested: a pair of endpoints on one directory; and the simulated hosts that talk to it. A host is a
 * source address, a name by which it locks, and a GUID by which it leases: a new one has nothing in common with those
 * before it. */
#pragma once
#include "wire.h"

struct target {
    struct sockaddr_in nfs, mount, nlm, nsm, smb;
    const char *export_path;   /* what MOUNT is asked for */
    const char *share, *user, *password, *domain;
    uint32_t uid, gid;         /* of NFS */
    uint16_t dialect;          /* newest SMB dialect to offer: 0x202, 0x210, 0x300, 0x302, 0x311 */
    struct in_addr sources;    /* the first host's address; each further one has the next */
    bool one_source;           /* all hosts share that address */
    uint32_t hosts;            /* made so far */
    const char *restart;       /* the command that restarts the server and returns when it serves again; NULL: none */
};
/* "HOST", or "HOST:PORT"; NULL, or what is wrong. Without a port: *port stays 0. */
const char *target_address(const char *text, struct sockaddr_in *ret);
/* Aims at a server that has all of NFS on one port; hosts are 127.0.0.N and on. NULL, or what is wrong. All the
 * texts are kept, not copied. */
const char *target_local(struct target *t, const char *nfs, const char *smb, const char *export, const char *user,
                         const char *password, uint8_t first_host);
/* Asks the port mapper of `at` for a program over TCP; 0: it has none. */
uint16_t target_portmap(struct wire *w, const struct sockaddr_in *at, uint32_t prog, uint32_t vers);

struct host {
    struct wire *wire;
    struct target *target;
    struct sockaddr_in source; /* port 0 */
    char name[32];             /* its address in letters: lock managers look their callers up by name */
    uint8_t guid[16];
    bool keep;                 /* its NFS calls remember what they sent */
};
void host_init(struct host *h, struct wire *w, struct target *t);
