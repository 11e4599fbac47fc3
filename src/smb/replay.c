/* replay.c - requests that are sent again because their answer was lost with a channel: the CreateGuids that CREATE
 * may be repeated under ([MS-SMB2] 3.3.5.9.10), and channel sequence numbers, which keep a late request of a lost
 * channel from undoing what was sent again over another one (3.3.5.2.10). The lock sequence, LOCK's own, is in
 * lock.c. */
#include "create_contexts.h"
#include "internal.h"

/* --- CreateGuids. The table borrows: an open leaves it before it ends. */
static uint64_t guid_hash(uint64_t client, const uint8_t guid[16])
{
    uint8_t both[24];
    put_le64(both, client);
    memcpy(both + 8, guid, 16);
    return hash_bytes(both, sizeof both);
}

static struct smb_open *find(struct smb_server *srv, uint64_t client, const uint8_t guid[16])
{
    for (struct hash_link *l = hash_first(&srv->create_guids, guid_hash(client, guid)); l; l = hash_next(l)) {
        struct smb_open *o = container_of(l, struct smb_open, by_guid);
        if (o->client == client && memcmp(o->create_guid, guid, 16) == 0)
            return o;
    }
    return NULL;
}

static void list(struct smb_open *o)
{
    hash_insert(&o->srv->create_guids, &o->by_guid, guid_hash(o->client, o->create_guid));
    o->has_guid = true;
}

void smb_replay_unlist(struct smb_open *o)
{
    if (o->has_guid)
        hash_remove(&o->srv->create_guids, &o->by_guid);
    o->has_guid = false;
}

void smb_replay_move(struct smb_open *from, struct smb_open *to)
{
    if (!from->has_guid)
        return;
    smb_replay_unlist(from);
    list(to);
}

void smb_replay_forget(struct smb_open *o)
{
    pthread_rwlock_wrlock(&o->srv->lock);
    if (!o->published)
        smb_replay_unlist(o);
    pthread_rwlock_unlock(&o->srv->lock);
}

/* `other` was asked for under the same guid. */
static uint32_t claim_beside(const struct smb_req *r, struct smb_open *other)
{
    if (!other->published)
        return STATUS_FILE_NOT_AVAILABLE; /* the first request is under way: come back for its result */
    if (!(r->flags & SMB2_FLAGS_REPLAY_OPERATION) || other->session != r->session)
        return STATUS_DUPLICATE_OBJECTID;
    return STATUS_SUCCESS;
}

uint32_t smb_replay_claim(struct smb_req *r, struct smb_open *o, struct smb_open **ret_earlier)
{
    struct smb_server *srv = o->srv;
    uint32_t status = STATUS_SUCCESS;
    pthread_rwlock_wrlock(&srv->lock);
    struct smb_open *other = find(srv, o->client, o->create_guid);
    if (other && other->published && !other->session) { /* its client does not know of it, or wants a new one */
        smb_replay_unlist(other);
        other = NULL;
    }
    if (!other)
        list(o);
    else if ((status = claim_beside(r, other)) == STATUS_SUCCESS)
        *ret_earlier = smb_open_ref(other);
    pthread_rwlock_unlock(&srv->lock);
    return status;
}

/* --- Channel sequence. */

/* After which nothing is as before: these must not be done late. */
static bool modifies(enum smb_command c)
{
    return c == SMB2_WRITE || c == SMB2_SET_INFO || c == SMB2_IOCTL;
}

/* Sequence numbers go round: one is newer when it lies in the half circle ahead. */
static bool count(struct smb_open *o, uint16_t sequence, bool replay)
{
    uint16_t ahead = (uint16_t)(sequence - o->channel_sequence);
    if (ahead > INT16_MAX || (replay && o->earlier_requests))
        return false;
    if (ahead) {
        o->channel_sequence = sequence;
        o->earlier_requests += o->requests;
        o->requests = 0;
    }
    o->requests++;
    return true;
}

uint32_t smb_replay_check(struct smb_req *r, struct smb_open *o)
{
    if (r->conn->dialect < SMB_3_0_0 || r->counted || !o->fso)
        return STATUS_SUCCESS;
    if (o->has_guid) { /* who uses the open has had the answer that made it */
        pthread_rwlock_wrlock(&o->srv->lock);
        smb_replay_unlist(o);
        pthread_rwlock_unlock(&o->srv->lock);
    }
    pthread_mutex_lock(&o->lock);
    bool counted = count(o, r->channel_sequence, r->flags & SMB2_FLAGS_REPLAY_OPERATION);
    pthread_mutex_unlock(&o->lock);
    if (counted)
        r->counted = o;
    return counted || !modifies(r->command) ? STATUS_SUCCESS : STATUS_FILE_NOT_AVAILABLE;
}

void smb_replay_done(struct smb_req *r)
{
    struct smb_open *o = r->counted;
    if (!o)
        return;
    pthread_mutex_lock(&o->lock);
    if (r->channel_sequence == o->channel_sequence)
        o->requests--;
    else
        o->earlier_requests--;
    pthread_mutex_unlock(&o->lock);
    r->counted = NULL;
}
