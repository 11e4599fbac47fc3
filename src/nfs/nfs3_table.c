/* nfs3_table.c - NFS version 3 as a program: its procedures by number (RFC 1813 §3.3). */
#include "nfs3.h"

static const struct rpc_proc proc_null = {.name = "NULL"};

static const struct rpc_proc *const procs[NFS3_PROCS] = {
    [NFS3_NULL] = &proc_null,
    [NFS3_GETATTR] = &nfs3_proc_getattr,
    [NFS3_SETATTR] = &nfs3_proc_setattr,
    [NFS3_LOOKUP] = &nfs3_proc_lookup,
    [NFS3_ACCESS] = &nfs3_proc_access,
    [NFS3_READLINK] = &nfs3_proc_readlink,
    [NFS3_READ] = &nfs3_proc_read,
    [NFS3_WRITE] = &nfs3_proc_write,
    [NFS3_CREATE] = &nfs3_proc_create,
    [NFS3_MKDIR] = &nfs3_proc_mkdir,
    [NFS3_SYMLINK] = &nfs3_proc_symlink,
    [NFS3_MKNOD] = &nfs3_proc_mknod,
    [NFS3_REMOVE] = &nfs3_proc_remove,
    [NFS3_RMDIR] = &nfs3_proc_rmdir,
    [NFS3_RENAME] = &nfs3_proc_rename,
    [NFS3_LINK] = &nfs3_proc_link,
    [NFS3_READDIR] = &nfs3_proc_readdir,
    [NFS3_READDIRPLUS] = &nfs3_proc_readdirplus,
    [NFS3_FSSTAT] = &nfs3_proc_fsstat,
    [NFS3_FSINFO] = &nfs3_proc_fsinfo,
    [NFS3_PATHCONF] = &nfs3_proc_pathconf,
    [NFS3_COMMIT] = &nfs3_proc_commit,
};

const struct rpc_program nfs3_program = {
    .name = "nfs",
    .prog = NFS3_PROGRAM,
    .vers = 3,
    .procs = procs,
    .nprocs = NFS3_PROCS,
    .transports = RPC_TCP,
};
