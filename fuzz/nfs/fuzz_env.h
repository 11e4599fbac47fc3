/* fuzz_env.h - the NFS server for fuzz targets: one thread, no network, time that only moves when told.
 *
 * Connections are socket pairs whose peers claim to be 127.0.0.1 and 127.0.0.2, calls to clients go nowhere. Every
 * input starts with a fresh share and must leave nothing behind: fuzz_end() aborts when a call is still alive. */
#pragma once
#include "nfs/nlm_int.h"
#include "rpc/portmap.h"
#include "rpc/rpc_int.h"

#define FUZZ_HANDLES 5 /* share's root, directory, file, symbolic link, and one that is stale */

struct fuzz_env {
    struct loop *loop;
    struct fs *fs;
    struct nfs_server *srv;
    struct rpc_listener nfs, portmap; /* what accept() is called with */
    struct portmap *map;
    uint8_t fh[FUZZ_HANDLES][FS_HANDLE_MAX];
    size_t nfh[FUZZ_HANDLES];
};
extern struct fuzz_env fuzz;

void fuzz_begin(void);
void fuzz_end(void);
int fuzz_connect(const struct rpc_listener *li, uint8_t host); /* the client's end */
void fuzz_send(int fd, const void *p, size_t n);
void fuzz_turn(uint64_t ns); /* time moves on by that much; runs until nothing happens any more */
