/* times.c - times that stand still ([MS-FSA] 2.1.1.6, Open.UserSet...Time): a time that a client has set through an
 * open, or has asked to leave alone, is not moved by what it does later through the same open. So a copy keeps the
 * time of its original though its last bytes arrive behind SetFileTime(). Everybody else's work moves the time at
 * once, and ctime, by which NFS clients notice changes, moves always.
 *
 * The access time is not among them: putting it back would move ctime, which reading does not. */
#include "internal.h"

void fs_open_freeze(struct fs_open *o, unsigned freeze, unsigned thaw)
{
    atomic_fetch_and(&o->priv->keeps, (uint8_t)~thaw);
    atomic_fetch_or(&o->priv->keeps, (uint8_t)freeze);
}

void fs_times_put_back(struct st_node *n, unsigned keep, const struct st_attr *before, struct st_attr *after)
{
    const struct store_ops *ops = n->store->ops;
    if (keep & FS_TIME_WRITE && !timespec_same(&before->mtime, &after->mtime) &&
        (ops->setattr(n, ST_SET_MTIME, before) != ST_OK || ops->getattr(n, after) != ST_OK))
        return;
    if (keep & FS_TIME_CHANGE)
        fs_meta_change_kept(n, &before->ctime, &after->ctime);
}

void fs_times_begin(struct fs_times *t, struct fs_open *o)
{
    t->keep = fs_times_kept(o);
    t->node = o ? o->node : NULL;
    if (t->keep && t->node->store->ops->getattr(t->node, &t->before) != ST_OK)
        t->keep = 0;
}

void fs_times_end(struct fs_times *t)
{
    struct st_attr after;
    if (t->keep && t->node->store->ops->getattr(t->node, &after) == ST_OK)
        fs_times_put_back(t->node, t->keep, &t->before, &after);
}
