/* delete.c - the name, or the stream, that an open stands under is to be deleted with its last open, or is not, after
 * all: FileDispositionInformation ([MS-FSA] 2.1.5.15.3), and an open's own end that was to bring that about. The
 * deleting itself is close.c's. */
#include "base/clock.h"
#include "open_impl.h"

static enum st check(struct fs_req *q, struct fs_open *o, bool on)
{
    struct fs_attr a;
    if (fs_read_only(q))
        return ST_ROFS;
    if (!(o->access & FS_DELETE))
        return ST_ACCESS;
    if (!on)
        return ST_OK;
    if (o->node == fs_volume_of(o->node)->root && !o->stream)
        return ST_CANNOT_DELETE;
    enum st st = fs_open_attr(q, o, &a);
    if (st != ST_OK)
        return st;
    if (a.dos & FS_DOS_READONLY && o->node->type != ST_DIR)
        return ST_CANNOT_DELETE;
    return !o->stream && o->node->type == ST_DIR && !fs_dir_empty(o->node) ? ST_NOTEMPTY : ST_OK;
}

enum mark { MARK_OFF, MARK_ON, MARK_POSIX, MARK_AT_END };

static void remember(struct fs_open *o, enum mark how)
{
    struct fs_open_priv *p = o->priv;
    pthread_mutex_lock(&p->lock);
    if (how != MARK_AT_END)
        p->posix_delete = how == MARK_POSIX;
    if (how == MARK_OFF || how == MARK_AT_END)
        p->delete_on_close = false; /* [MS-FSA] 2.1.5.15.3 clears both; or it is done */
    pthread_mutex_unlock(&p->lock);
}

/* An open's end does not wait for what others have to give back, only until they have been told to. */
static enum st mark(struct fs_req *q, struct fs_open *o, enum mark how)
{
    struct co_ask ask = fs_ask(o->node, CO_DISPOSITION);
    ask.key = fs_open_key(o);
    ask.link = o->stream ? FS_STREAM_LINK : fs_open_link(o);
    ask.flags |= how == MARK_AT_END ? CO_FORCE : 0;
    enum st st = fs_gate(q, &ask, 1);
    if (st != ST_OK)
        return st;
    struct co_out out = fs_out();
    fsn_lock_all(&o->node, 1); /* it does not move now: what is marked is the name that it has */
    if (!o->stream) {
        ask.link = fs_open_link(o);
        memcpy(fsn(o->node)->deleter, o->party.parent_lease, sizeof o->party.parent_lease);
    }
    co_set_delete(q->fs->co, &ask.key, &o->party, ask.link, how != MARK_OFF, clock_now(), &out);
    remember(o, how);
    fsn_unlock_all(&o->node, 1);
    fs_deliver(q->fs, &out);
    fs_leave(q);
    if (how != MARK_OFF && o->node->type == ST_DIR && !o->stream)
        fs_watch_gone(o->node);
    return ST_OK;
}

enum st fs_set_delete(struct fs_req *q, struct fs_open *o, bool on, bool posix)
{
    FS_THROUGH(q, o);
    enum st st = check(q, o, on);
    return st == ST_OK ? mark(q, o, !on ? MARK_OFF : posix ? MARK_POSIX : MARK_ON) : st;
}

enum st fs_close_begin(struct fs_req *q, struct fs_open *o)
{
    FS_THROUGH(q, o);
    pthread_mutex_lock(&o->priv->lock);
    bool dispose = o->priv->delete_on_close && !o->priv->closed;
    pthread_mutex_unlock(&o->priv->lock);
    if (!dispose || (!o->stream && o->node->type == ST_DIR && !fs_dir_empty(o->node)))
        return ST_OK;
    return mark(q, o, MARK_AT_END);
}

bool fs_is_delete_pending(struct fs_open *o)
{
    struct co_key key = fs_open_key(o);
    return co_delete_pending(o->fs->co, &key, o->stream ? FS_STREAM_LINK : fs_open_link(o));
}
