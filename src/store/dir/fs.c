/* fs.c - the file system below the root: how much room it has, what it is called, what it can do. Knows file systems
 * by the magic numbers of statfs(2). Must not know objects. */
#include "dir.h"
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#define MAGIC_XFS 0x58465342
#define MAGIC_ZFS 0x2fc12fc1
#define MAGIC_BCACHEFS 0xca451a4e
#define MAGIC_NTFS3 0x7366746e
#define MAGIC_FUSE 0x65735546
#define MAGIC_EXFAT 0x2011bab0

enum { FS_CLONE = 1, FS_CASELESS = 2, FS_DENSE = 4 };
static const struct fs_kind {
    uint64_t magic;
    const char *name;
    uint64_t time_delta;
    unsigned flags;
} kinds[] = {
    {EXT4_SUPER_MAGIC, "ext4", 1, 0},
    {MAGIC_XFS, "xfs", 1, FS_CLONE},
    {BTRFS_SUPER_MAGIC, "btrfs", 1, FS_CLONE},
    {MAGIC_BCACHEFS, "bcachefs", 1, FS_CLONE},
    {MAGIC_ZFS, "zfs", 1, FS_CLONE},
    {TMPFS_MAGIC, "tmpfs", 1, 0},
    {OVERLAYFS_SUPER_MAGIC, "overlay", 1, 0},
    {F2FS_SUPER_MAGIC, "f2fs", 1, 0},
    {NFS_SUPER_MAGIC, "nfs", 1, 0},
    {MAGIC_FUSE, "fuse", 1, 0},
    {MAGIC_NTFS3, "ntfs", 100, FS_CASELESS},
    {MAGIC_EXFAT, "exfat", 10000000, FS_CASELESS | FS_DENSE},
    {MSDOS_SUPER_MAGIC, "vfat", 2 * NSEC_PER_SEC, FS_CASELESS | FS_DENSE},
};
static const struct fs_kind kind_other = {0, "unknown", 1, 0};

static const struct fs_kind *kind_of(uint64_t magic)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].magic == magic)
            return &kinds[i];
    return &kind_other;
}

void dir_fs_probe(struct dstore *ds)
{
    struct statfs sf;
    struct statvfs sv;
    if (fstatfs(ds->root_fd, &sf) == 0)
        ds->fs_type = (uint64_t)(uint32_t)sf.f_type;
    ds->in_memory = ds->fs_type == TMPFS_MAGIC || ds->fs_type == RAMFS_MAGIC;
    /* The file system's own number outlives a restart of the machine; a device's may not. */
    ds->fsid = fstatvfs(ds->root_fd, &sv) == 0 && sv.f_fsid ? sv.f_fsid : ds->dev;
}

enum st dir_statfs(struct store *s, struct st_fsinfo *ret)
{
    struct dstore *ds = DSTORE(s);
    const struct fs_kind *k = kind_of(ds->fs_type);
    struct statvfs sv;
    if (fstatvfs(ds->root_fd, &sv) < 0)
        return st_from_errno(errno);
    *ret = (struct st_fsinfo){
        .total = sv.f_blocks * sv.f_frsize,
        .free = sv.f_bfree * sv.f_frsize,
        .avail = sv.f_bavail * sv.f_frsize,
        .files = sv.f_files,
        .ffree = sv.f_ffree,
        .block = (uint32_t)sv.f_bsize,
        .case_insensitive = k->flags & FS_CASELESS,
        .can_clone = k->flags & FS_CLONE,
        .can_sparse = !(k->flags & FS_DENSE),
        .time_delta_ns = k->time_delta,
    };
    snprintf(ret->fstype, sizeof ret->fstype, "%s", k->name);
    return ST_OK;
}
