/* portmap.h - who serves which RPC program on which port (RFC 1833): a port mapper of our own (PMAP version 2,
 * RPCBIND versions 3 and 4), or registration with the system's.
 *
 * Local programs with privileged ports may add their own mappings to the built-in one; the server's cannot be
 * removed. Calls are never passed on (CALLIT and its kin would make the server attack others). */
#pragma once
#include "rpc.h"

struct portmap_entry {
    uint32_t prog, vers;
    bool udp;
    uint16_t port;
};

/* --- Our own. */
struct portmap;
int portmap_create(const struct portmap_entry *own, size_t n, struct portmap **ret); /* 0 or -ENOMEM */
void portmap_free(struct portmap *pm); /* after the rpc_server */
/* Listens on TCP and UDP. 0 or -errno. */
int portmap_listen(struct portmap *pm, struct rpc_server *s, const char *addr, uint16_t *ret_port);
extern const struct rpc_program *const portmap_programs[3];

/* --- The system's: registers now, and again until it has worked. */
struct pmap_register;
int pmap_register_start(struct loop *l, const struct portmap_entry *own, size_t n, struct pmap_register **ret);
void pmap_register_stop(struct pmap_register *r); /* takes the mappings back, waiting a second at most; not on a loop */
