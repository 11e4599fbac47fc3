/* ops.c - see ops.h. */
#include "ops.h"

static const uint8_t data[10] = "0123456789";

static struct nfs *nfs(struct stage *g) { return stage_nfs(g, 1); }
static struct nlm *nlm(struct stage *g) { return stage_nlm(g, 1); }

struct nlm_lock ops_lock(const struct stage *g, bool exclusive, bool block)
{
    return (struct nlm_lock){.fh = g->fh, .svid = OPS_SVID, .exclusive = exclusive, .block = block, .offset = OPS_FIRST,
                             .len = OPS_LEN};
}

/* --- What must be there first. */
static void another(struct stage *g)
{
    struct nfs_fh fh;
    stage_file(g, "src", &fh);
}
static void subdirectory(struct stage *g)
{
    struct call_result r = {0};
    if (call_result(nfs_mkdir(stage_nfs(g, SIDES - 1), &g->dir_fh, "sub"), &r))
        stage_fail(g, "the subdirectory cannot be made");
    g->sub_fh = r.fh;
}
static void another_below(struct stage *g)
{
    subdirectory(g);
    if (call_end(nfs_create(stage_nfs(g, SIDES - 1), &g->sub_fh, "src", GUARDED, NFS_NO_SIZE, 0)))
        stage_fail(g, "the file in the subdirectory cannot be made");
}

/* --- NFS. */
static struct call *op_read(struct stage *g) { return nfs_read(nfs(g), &g->fh, 0, 10); }
static struct call *op_write(struct stage *g) { return nfs_write(nfs(g), &g->fh, 0, data, sizeof data, FILE_SYNC); }
static struct call *op_size(struct stage *g) { return nfs_setattr(nfs(g), &g->fh, FILE_BYTES / 2, ~0u, ~0u, false); }
static struct call *op_create_truncate(struct stage *g) { return nfs_create(nfs(g), &g->dir_fh, g->name, UNCHECKED, 0, 0); }
static struct call *op_mode(struct stage *g) { return nfs_setattr(nfs(g), &g->fh, NFS_NO_SIZE, 0640, ~0u, false); }
static struct call *op_owner(struct stage *g) { return nfs_setattr(nfs(g), &g->fh, NFS_NO_SIZE, ~0u, g->target->uid, false); }
static struct call *op_times(struct stage *g) { return nfs_setattr(nfs(g), &g->fh, NFS_NO_SIZE, ~0u, ~0u, true); }
static struct call *op_getattr(struct stage *g) { return nfs_getattr(nfs(g), &g->fh); }
static struct call *op_lookup(struct stage *g) { return nfs_lookup(nfs(g), &g->dir_fh, g->name); }
static struct call *op_access(struct stage *g) { return nfs_access(nfs(g), &g->fh); }
static struct call *op_readlink(struct stage *g) { return nfs_readlink(nfs(g), &g->fh); }
static struct call *op_readdir(struct stage *g) { return nfs_readdir(nfs(g), &g->dir_fh); }
static struct call *op_readdirplus(struct stage *g) { return nfs_readdirplus(nfs(g), &g->dir_fh); }
static struct call *op_fsstat(struct stage *g) { return nfs_fsstat(nfs(g), &g->fh); }
static struct call *op_commit(struct stage *g) { return nfs_commit(nfs(g), &g->fh); }
static struct call *op_guarded(struct stage *g) { return nfs_create(nfs(g), &g->dir_fh, g->name, GUARDED, NFS_NO_SIZE, 0); }
static struct call *op_exclusive(struct stage *g) { return nfs_create(nfs(g), &g->dir_fh, g->name, EXCLUSIVE, 0, 4711); }
static struct call *op_unchecked(struct stage *g) { return nfs_create(nfs(g), &g->dir_fh, g->name, UNCHECKED, NFS_NO_SIZE, 0); }
static struct call *op_create(struct stage *g) { return nfs_create(nfs(g), &g->dir_fh, "new", GUARDED, NFS_NO_SIZE, 0); }
static struct call *op_mkdir(struct stage *g) { return nfs_mkdir(nfs(g), &g->dir_fh, "sub"); }
static struct call *op_mkdir_same(struct stage *g) { return nfs_mkdir(nfs(g), &g->dir_fh, g->name); }
static struct call *op_symlink(struct stage *g) { return nfs_symlink(nfs(g), &g->dir_fh, "new", "f"); }
static struct call *op_mknod(struct stage *g) { return nfs_mkfifo(nfs(g), &g->dir_fh, "new"); }
static struct call *op_link(struct stage *g) { return nfs_link(nfs(g), &g->fh, &g->dir_fh, "link"); }
static struct call *op_remove(struct stage *g) { return nfs_remove(nfs(g), &g->dir_fh, g->name); }
static struct call *op_rename(struct stage *g) { return nfs_rename(nfs(g), &g->dir_fh, g->name, &g->dir_fh, "new"); }
static struct call *op_rename_over(struct stage *g) { return nfs_rename(nfs(g), &g->dir_fh, "src", &g->dir_fh, g->name); }
static struct call *op_rename_out(struct stage *g) { return nfs_rename(nfs(g), &g->dir_fh, g->name, &g->sub_fh, "new"); }
static struct call *op_rename_into(struct stage *g) { return nfs_rename(nfs(g), &g->sub_fh, "src", &g->dir_fh, "new"); }
static struct call *op_link_out(struct stage *g) { return nfs_link(nfs(g), &g->fh, &g->sub_fh, "link"); }
static struct call *op_symlink_same(struct stage *g) { return nfs_symlink(nfs(g), &g->dir_fh, g->name, "f"); }
static struct call *op_mknod_same(struct stage *g) { return nfs_mkfifo(nfs(g), &g->dir_fh, g->name); }
static struct call *op_rmdir(struct stage *g) { return nfs_rmdir(nfs(g), &g->dir_fh, "sub"); }
static struct call *op_rename_dir(struct stage *g) { return nfs_rename(nfs(g), &g->dir_fh, "sub", &g->dir_fh, "moved"); }

/* --- NLM. */
static struct call *lock(struct stage *g, bool exclusive, bool block)
{
    struct nlm_lock l = ops_lock(g, exclusive, block);
    return nlm_lock(nlm(g), &l);
}
static struct call *op_lock_ex(struct stage *g) { return lock(g, true, false); }
static struct call *op_lock_sh(struct stage *g) { return lock(g, false, false); }
static struct call *op_block_ex(struct stage *g) { return lock(g, true, true); }
static struct call *op_block_sh(struct stage *g) { return lock(g, false, true); }
static struct call *op_test(struct stage *g)
{
    struct nlm_lock l = ops_lock(g, true, false);
    return nlm_test(nlm(g), &l);
}
static struct call *op_test_sh(struct stage *g)
{
    struct nlm_lock l = ops_lock(g, false, false);
    return nlm_test(nlm(g), &l);
}
static struct call *op_unlock(struct stage *g)
{
    struct nlm_lock l = ops_lock(g, true, false);
    return nlm_unlock(nlm(g), &l);
}
static struct call *op_cancel(struct stage *g)
{
    struct nlm_lock l = ops_lock(g, true, true);
    return nlm_cancel(nlm(g), &l);
}
static struct call *op_share_r(struct stage *g) { return nlm_share(nlm(g), &g->fh, 1, FSA_R, FSM_DN, false); }
static struct call *op_share_w(struct stage *g) { return nlm_share(nlm(g), &g->fh, 1, FSA_W, FSM_DN, false); }
static struct call *op_share_rw(struct stage *g) { return nlm_share(nlm(g), &g->fh, 1, FSA_RW, FSM_DN, false); }
static struct call *op_share_deny(struct stage *g) { return nlm_share(nlm(g), &g->fh, 1, FSA_R, FSM_DRW, false); }
static struct call *op_unshare(struct stage *g) { return nlm_unshare(nlm(g), &g->fh, 1, FSA_RW, FSM_DN); }
static struct call *op_free_all(struct stage *g) { return nlm_free_all(nlm(g), 0); }

const struct op ops[] = {
    {"READ", op_read}, {"WRITE", op_write}, {"SETATTR-size", op_size}, {"CREATE-truncate", op_create_truncate},
    {"SETATTR-mode", op_mode}, {"SETATTR-owner", op_owner}, {"SETATTR-times", op_times}, {"GETATTR", op_getattr},
    {"LOOKUP", op_lookup}, {"ACCESS", op_access}, {"READLINK", op_readlink}, {"READDIR", op_readdir},
    {"READDIRPLUS", op_readdirplus}, {"FSSTAT", op_fsstat}, {"COMMIT", op_commit}, {"CREATE-guarded", op_guarded},
    {"CREATE-exclusive", op_exclusive}, {"CREATE-unchecked", op_unchecked}, {"CREATE", op_create}, {"MKDIR", op_mkdir},
    {"MKDIR-same-name", op_mkdir_same}, {"SYMLINK", op_symlink}, {"MKNOD", op_mknod}, {"LINK", op_link},
    {"REMOVE", op_remove}, {"RENAME", op_rename}, {"RENAME-over", op_rename_over, another},
    {"RENAME-out", op_rename_out, subdirectory}, {"RENAME-into", op_rename_into, another_below},
    {"LINK-out", op_link_out, subdirectory}, {"SYMLINK-same-name", op_symlink_same}, {"MKNOD-same-name", op_mknod_same},
    {"RMDIR", op_rmdir, subdirectory}, {"RENAME-directory", op_rename_dir, subdirectory},
    {"LOCK-exclusive", op_lock_ex}, {"LOCK-shared", op_lock_sh}, {"LOCK-exclusive-blocking", op_block_ex},
    {"LOCK-shared-blocking", op_block_sh}, {"TEST", op_test}, {"TEST-shared", op_test_sh}, {"UNLOCK", op_unlock},
    {"CANCEL", op_cancel}, {"SHARE-read", op_share_r}, {"SHARE-write", op_share_w}, {"SHARE", op_share_rw},
    {"SHARE-deny", op_share_deny}, {"UNSHARE", op_unshare}, {"FREE_ALL", op_free_all}, {0},
};
const struct op *op_of(const char *name)
{
    for (const struct op *o = ops; o->name; o++)
        if (!strcmp(o->name, name))
            return o;
    torture_fail("no such operation: %s", name);
}
