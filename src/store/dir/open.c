/* open.c - opening and closing a `dir` store: the root, what the kernel and the process's rights allow, the vtable.
 * Must not know objects below the root. */
#include "dir.h"
#include "base/log.h"
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/syscall.h>

static struct st_node *dir_root(struct store *s) { return st_ref(&DSTORE(s)->root->n); }

static void dir_free(struct store *s)
{
    struct dstore *ds = DSTORE(s);
    dir_watch_stop(ds);
    if (ds->root)
        st_unref(&ds->root->n);
    dir_cache_stop(ds);
    dir_streams_close(ds->streams);
    dir_seen_close(ds->seen);
    util_closep(&ds->root_fd);
    pthread_mutex_destroy(&ds->root_mu);
    pthread_mutex_destroy(&ds->watch_mu);
    free(ds->root_path);
    free(ds);
}

static const struct store_ops dir_ops = {
    .kind = "dir",
    .free = dir_free,
    .root = dir_root,
    .node_free = dir_cache_release,
    .statfs = dir_statfs,
    .handle = dir_handle,
    .from_handle = dir_from_handle,
    .known = dir_known,
    .path = dir_path,
    .parent = dir_parent,
    .lookup = dir_lookup,
    .getattr = dir_getattr,
    .setattr = dir_setattr,
    .make = dir_make,
    .link = dir_link,
    .unlink = dir_unlink,
    .rename = dir_rename,
    .readlink = dir_readlink,
    .readdir = dir_readdir,
    .list = dir_list,
    .read = dir_read,
    .write = dir_write,
    .sync = dir_sync,
    .allocate = dir_allocate,
    .seek = dir_seek,
    .copy = dir_copy,
    .xattr_get = dir_xattr_get,
    .xattr_set = dir_xattr_set,
    .xattr_del = dir_xattr_del,
    .xattr_list = dir_xattr_list,
    .watch = dir_watch,
};

static bool has_capability(unsigned cap)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &head, data) < 0)
        return false;
    return data[cap / 32].effective & (1u << (cap % 32));
}

/* What the file system and the process's rights allow, found by trying. */
static void probe_handles(struct dstore *ds)
{
    struct {
        struct file_handle h;
        uint8_t room[MAX_HANDLE_SZ];
    } kh = {.h.handle_bytes = MAX_HANDLE_SZ};
    int mnt;
    ds->kernel_ids = name_to_handle_at(ds->root_fd, "", &kh.h, &mnt, AT_EMPTY_PATH) == 0;
    if (!ds->kernel_ids)
        return;
    _cleanup_close_ int fd = open_by_handle_at(ds->root_fd, &kh.h, O_PATH | O_CLOEXEC);
    ds->kernel_handles = fd >= 0;
}

static enum st open_root(struct dstore *ds, const char *path)
{
    struct statx sx;
    ds->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ds->root_fd < 0)
        return st_from_errno(errno);
    if (statx(ds->root_fd, "", AT_EMPTY_PATH, DIR_STATX_MASK, &sx) < 0)
        return st_from_errno(errno);
    ds->dev = dir_dev(&sx);
    ds->mnt_id = sx.stx_mask & STATX_MNT_ID ? sx.stx_mnt_id : 0;
    dir_fs_probe(ds);
    probe_handles(ds);
    char proc[DIR_PROC_MAX], c;
    dir_proc(ds->root_fd, proc);
    if (readlink(proc, &c, 1) < 0) {
        log_error("store", "event=no_proc text=\"/proc is needed to serve a directory\"");
        return ST_NOTSUP;
    }
    _cleanup_close_ int test = dir_open_at(ds, ds->root_fd, ".", O_PATH | O_DIRECTORY, 0);
    if (test < 0) {
        log_error("store", "event=no_openat2 errno=%d text=\"Linux 5.6 or later is needed to serve a directory\"",
                  errno);
        return errno == ENOSYS ? ST_NOTSUP : st_from_errno(errno);
    }
    return dir_node_of(ds, &test, DIR_PATH, &ds->root);
}

enum st store_dir_open(const char *path, const char *name, struct kv *kv, struct store **ret)
{
    struct dstore *ds = NULL;
    if (posix_memalign((void **)&ds, 64, sizeof *ds) != 0)
        return ST_NOMEM;
    memset(ds, 0, sizeof *ds);
    ds->s.ops = &dir_ops;
    ds->root_fd = -1;
    ds->kv = kv;
    ds->may_chown = has_capability(CAP_CHOWN);
    snprintf(ds->table, sizeof ds->table, "handle.%s", name);
    pthread_mutex_init(&ds->root_mu, NULL);
    pthread_mutex_init(&ds->watch_mu, NULL);
    enum st st = dir_streams_open(&ds->streams);
    if (st == ST_OK)
        st = dir_seen_open(&ds->seen);
    if (st == ST_OK)
        st = dir_cache_start(ds);
    if (st == ST_OK)
        st = open_root(ds, path);
    if (st != ST_OK) {
        dir_free(&ds->s);
        return st;
    }
    ds->s.waits = !ds->kernel_handles && kv;
    log_info("store", "event=open kind=dir path=%s handles=%s", log_quote(path, strlen(path)),
             ds->kernel_handles ? "kernel"
             : kv               ? "table"
                                : "none");
    *ret = &ds->s;
    return ST_OK;
}
