/* tree.c - SMB2 TREE_CONNECT and TREE_DISCONNECT ([MS-SMB2] 2.2.9 to 2.2.12, 3.3.5.7, 3.3.5.8), and a session's trees.
 *
 * Decides who may use a share; what may be done in it is decided per file by the file service. */
#include "base/utf.h"
#include "internal.h"
#include "fs/ops.h"
#include <strings.h>

enum { SMB2_SHARE_TYPE_DISK = 1, SMB2_SHARE_TYPE_PIPE = 2 };
enum { SMB2_SHAREFLAG_NO_CACHING = 0x30, SMB2_SHAREFLAG_ENCRYPT_DATA = 0x8000 };
enum { SMB2_SHARE_CAP_CONTINUOUS_AVAILABILITY = 0x10 };
enum { SMB2_TREE_CONNECT_FLAG_EXTENSION_PRESENT = 4 };
#define MAXIMAL_READ_ONLY 0x001200A9u
#define MAXIMAL_PIPE 0x001F00A9u
#define PATH_BYTES_MAX 1024

struct smb_tree *smb_tree_find(struct smb_session *s, uint32_t id)
{
    struct smb_tree *t, *found = NULL;
    pthread_mutex_lock(&s->lock);
    list_each(t, &s->trees, in_session)
        if (t->id == id) {
            atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
            found = t;
            break;
        }
    pthread_mutex_unlock(&s->lock);
    return found;
}

void smb_tree_unref(struct smb_tree *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    fs_share_put(t->share);
    free(t);
}

/* False: somebody else did. */
static bool tree_drop(struct smb_session *s, struct smb_tree *t)
{
    pthread_mutex_lock(&s->lock);
    bool mine = !atomic_exchange(&t->gone, true);
    if (mine) {
        list_remove(&t->in_session);
        s->ntrees--;
    }
    pthread_mutex_unlock(&s->lock);
    if (mine)
        smb_tree_unref(t);
    return mine;
}

void smb_trees_drop(struct smb_session *s)
{
    for (;;) {
        pthread_mutex_lock(&s->lock);
        struct smb_tree *t = list_first(&s->trees, struct smb_tree, in_session);
        if (t)
            atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
        pthread_mutex_unlock(&s->lock);
        if (!t)
            return;
        tree_drop(s, t);
        smb_tree_unref(t);
    }
}

/* The share's name in \\server\share. Empty: no such form. */
static size_t share_name(struct cursor path, char out[256])
{
    char text[PATH_BYTES_MAX * 2];
    size_t n = utf16le_to_utf8(path.p, cursor_left(&path), text, sizeof text);
    if (n == (size_t)-1)
        return 0;
    const char *p = text, *end = text + n;
    while (p < end && *p == '\\')
        p++;
    const char *slash = memchr(p, '\\', (size_t)(end - p));
    if (p == text || !slash)
        return 0;
    n = (size_t)(end - slash - 1);
    if (!n || n >= 256 || memchr(slash + 1, '\\', n))
        return 0;
    memcpy(out, slash + 1, n);
    out[n] = 0;
    return n;
}

static bool user_listed(const char *users, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = users; *p;) {
        size_t len = strcspn(p, " ,");
        if (len && utf8_casecmp(p, len, name, n) == 0)
            return true;
        p += len;
        p += strspn(p, " ,");
    }
    return false;
}

static uint32_t admit(const struct smb_req *r, const struct fs_share *share)
{
    const struct smb_session *s = r->session;
    const struct fs_share_config *k = &share->cfg;
    if (!k->smb)
        return STATUS_BAD_NETWORK_NAME;
    if ((s->guest || s->anonymous) && !k->guest_ok)
        return STATUS_ACCESS_DENIED;
    if (k->valid_users[0] && !user_listed(k->valid_users, s->cred.name))
        return STATUS_ACCESS_DENIED;
    if (k->encryption == FS_REQUIRED && !s->cipher)
        return STATUS_ACCESS_DENIED;
    if (k->signing == FS_REQUIRED && !r->sealed && !r->sign)
        return STATUS_ACCESS_DENIED;
    return STATUS_SUCCESS;
}

static struct smb_tree *tree_new(struct smb_session *s, struct fs_share *share)
{
    struct smb_tree *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    atomic_init(&t->refs, 2); /* the session's, and the request's */
    t->session = s;
    t->share = share;
    t->read_only = share && share->cfg.read_only;
    t->encrypt = share && share->cfg.encryption == FS_REQUIRED;
    t->maximal_access = !share ? MAXIMAL_PIPE : t->read_only ? MAXIMAL_READ_ONLY : FS_ALL_ACCESS;
    pthread_mutex_lock(&s->lock);
    bool room = s->ntrees < s->srv->cfg.max_trees && s->state != SMB_SESSION_GONE;
    if (room) {
        struct smb_tree *other;
        bool taken;
        do { /* ids are not reused soon; when the counter has gone round, not those in use */
            t->id = s->next_tree++;
            taken = !t->id || t->id == UINT32_MAX;
            list_each(other, &s->trees, in_session)
                taken |= other->id == t->id;
        } while (taken);
        s->ntrees++;
        list_prepend(&s->trees, &t->in_session);
    }
    pthread_mutex_unlock(&s->lock);
    if (room)
        return t;
    free(t);
    return NULL;
}

/* Signing may be demanded for one share only: from its first tree on the session's messages must be signed. */
static void require_signing(struct smb_session *s, const struct fs_share *share)
{
    if (share && share->cfg.signing == FS_REQUIRED)
        s->signing_required = true;
}

static uint32_t find_share(struct smb_req *r, struct cursor path, struct fs_share **ret)
{
    char name[256];
    *ret = NULL;
    if (cursor_left(&path) % 2 || cursor_left(&path) > PATH_BYTES_MAX)
        return STATUS_BAD_NETWORK_NAME;
    size_t n = share_name(path, name);
    if (!n)
        return STATUS_BAD_NETWORK_NAME;
    if (strcasecmp(name, "IPC$") == 0)
        return STATUS_SUCCESS;
    struct fs_share *share = fs_share_get(r->conn->srv->fs, name, n);
    uint32_t status = share ? admit(r, share) : STATUS_BAD_NETWORK_NAME;
    if (status == STATUS_SUCCESS) {
        *ret = share;
        return STATUS_SUCCESS;
    }
    log_info("smb", "event=tree_refused user=%s share=%s peer=%s",
             log_quote(r->session->cred.name, strlen(r->session->cred.name)), log_quote(name, n),
             r->conn->net->peer_name);
    fs_share_put(share);
    return status;
}

uint32_t smb_tree_connect(struct smb_req *r)
{
    struct cursor *c = &r->in;
    cursor_skip(c, 2);
    cursor_skip(c, 2); /* Flags: the extension's contexts are for clusters; its path is where it always is */
    uint16_t offset = cursor_le16(c), length = cursor_le16(c);
    struct cursor path = cursor_slice(c, offset, length);
    if (c->bad || path.bad)
        return STATUS_INVALID_PARAMETER;
    /* [MS-SMB2] 3.3.5.7: 3.1.1 clients prove with this message that nobody changed the negotiation. */
    if (r->conn->dialect == SMB_3_1_1 && !r->session->guest && !r->session->anonymous && !r->sign && !r->sealed) {
        smb_conn_bad(r->conn, "tree connect neither signed nor encrypted");
        return STATUS_ACCESS_DENIED;
    }
    struct fs_share *share;
    uint32_t status = find_share(r, path, &share);
    if (status != STATUS_SUCCESS)
        return status;
    require_signing(r->session, share);
    struct smb_tree *t = tree_new(r->session, share);
    if (!t) {
        fs_share_put(share);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    r->tree = t;
    r->wire_tree = t->id;
    struct wbuf *w = &r->out;
    wbuf_le16(w, 16);
    wbuf_u8(w, share ? SMB2_SHARE_TYPE_DISK : SMB2_SHARE_TYPE_PIPE);
    wbuf_u8(w, 0);
    wbuf_le32(w, !share ? SMB2_SHAREFLAG_NO_CACHING : t->encrypt ? SMB2_SHAREFLAG_ENCRYPT_DATA : 0);
    bool available = share && share->cfg.continuous_availability && r->conn->dialect >= SMB_3_0_0;
    wbuf_le32(w, available ? SMB2_SHARE_CAP_CONTINUOUS_AVAILABILITY : 0);
    wbuf_le32(w, t->maximal_access);
    if (share)
        log_info("smb", "event=tree_connect user=%s share=%s peer=%s",
                 log_quote(r->session->cred.name, strlen(r->session->cred.name)),
                 log_quote(share->cfg.name, strlen(share->cfg.name)), r->conn->net->peer_name);
    return STATUS_SUCCESS;
}

uint32_t smb_tree_disconnect(struct smb_req *r)
{
    struct smb_session *s = r->session;
    struct smb_open *o;
    bool opens = false;
    pthread_mutex_lock(&s->lock);
    list_each(o, &s->opens, in_session)
        opens |= o->tree == r->tree;
    pthread_mutex_unlock(&s->lock);
    if (opens && !r->job.on_pool)
        return SMB_OFFLOAD;
    /* The tree first: no new opens then. */
    if (!tree_drop(s, r->tree))
        return STATUS_NETWORK_NAME_DELETED;
    smb_session_close_opens(s, r->tree);
    wbuf_le16(&r->out, 4);
    wbuf_le16(&r->out, 0);
    return STATUS_SUCCESS;
}
