/* local.c - what local programs do to directories that somebody watches, or has a lease on: the store says so, and
 * it is told like any other change. Who did it is nobody that could be asked to wait: it has happened. */
#include "base/log.h"
#include "notify.h"
#include "open_impl.h"

static const struct co_party local = {.label = CO_LABEL_LOCAL, .who = "local"};

void fs_local_begin(struct st_node *dir)
{
    enum st st = dir->store->ops->watch ? dir->store->ops->watch(dir, true) : ST_OK;
    static struct log_rate rate;
    if (st != ST_OK && log_allow(&rate, 1, 3600 * NSEC_PER_SEC))
        log_warn("fs", "event=local_changes_unseen share=%s error=\"%s\"",
                 atomic_load(&fs_volume_of(dir)->share)->cfg.name, st_text(st));
}

void fs_local_end(struct st_node *dir)
{
    if (dir->store->ops->watch)
        (void)dir->store->ops->watch(dir, false);
}

static void break_leases(struct fs *fs, struct st_node *dir, enum st_change what)
{
    struct co_ticket t;
    bool names = what == ST_ADDED || what == ST_REMOVED || what == ST_LOST;
    struct co_ask ask = fs_ask(dir, names ? CO_CHILD : CO_CHILD_ATTR);
    if (atomic_load_explicit(&fs->dir_leases, memory_order_relaxed) && fs_force(fs, &local, &ask, 1, &t) == ST_OK)
        fs_force_end(fs, &t);
}

void fs_local_change(struct st_node *dir, enum st_change what, bool is_dir, const char *name, size_t n)
{
    static const struct {
        uint32_t action, filter;
    } as[] = {
        [ST_ADDED] = {FS_ADDED, 0},
        [ST_REMOVED] = {FS_REMOVED, 0},
        [ST_MODIFIED] = {FS_MODIFIED, FS_CHANGE_SIZE | FS_CHANGE_LAST_WRITE},
        [ST_ATTRIBUTES] = {FS_MODIFIED, FS_CHANGE_ATTRIBUTES | FS_CHANGE_LAST_WRITE | FS_CHANGE_CREATION |
                                            FS_CHANGE_SECURITY},
    };
    struct fs *fs = fs_volume_of(dir)->fs;
    break_leases(fs, dir, what);
    if (what == ST_LOST)
        fs_watch_lost(dir);
    else
        fs_tell_change(fs, dir, name, n, as[what].action,
                       as[what].filter ? as[what].filter : is_dir ? FS_CHANGE_DIR_NAME : FS_CHANGE_FILE_NAME);
}
