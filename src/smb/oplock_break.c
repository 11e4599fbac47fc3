/* oplock_break.c - acknowledgements of oplock and lease breaks ([MS-SMB2] 2.2.24, 2.2.25, 3.3.5.22). What they lead
 * to is the engine's business; here are the wire's forms and statuses. */
#include "internal.h"
#include "fs/open.h"

static const struct {
    uint8_t level, keep;
} levels[] = {
    {SMB2_OPLOCK_LEVEL_NONE, 0},
    {SMB2_OPLOCK_LEVEL_II, CO_R},
    {SMB2_OPLOCK_LEVEL_EXCLUSIVE, CO_R | CO_W},
    {SMB2_OPLOCK_LEVEL_BATCH, CO_R | CO_W | CO_H},
    {SMB2_OPLOCK_LEVEL_LEASE, CO_R | CO_W | CO_H}, /* never offered: it ends the break, with nothing kept */
};

static uint32_t ack_oplock(struct smb_req *r)
{
    uint8_t level = cursor_u8(&r->in), keep = 0;
    bool known = false;
    cursor_skip(&r->in, 5);
    if (cursor_left(&r->in) < 16)
        return STATUS_INVALID_PARAMETER;
    struct smb_open *o = smb_open_find(r);
    if (!o || !o->fso)
        return STATUS_FILE_CLOSED;
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (levels[i].level == level) {
            keep = levels[i].keep;
            known = true;
        }
    if (!known)
        return STATUS_INVALID_PARAMETER;
    uint32_t lease = level == SMB2_OPLOCK_LEVEL_LEASE ? STATUS_INVALID_PARAMETER : 0;
    pthread_mutex_lock(&o->lock);
    struct co_key key = o->breaking ? o->break_key : fs_node_key(o->fso->node);
    bool lost = !o->breaking && o->oplock_level == SMB2_OPLOCK_LEVEL_NONE; /* unasked: level II's end */
    bool lower = level == SMB2_OPLOCK_LEVEL_NONE ||
                 (level == SMB2_OPLOCK_LEVEL_II && o->oplock_level != SMB2_OPLOCK_LEVEL_II);
    pthread_mutex_unlock(&o->lock);
    enum st st = fs_lease_ack(r->conn->srv->fs, &key, &o->fso->party, CO_OPLOCK, keep);
    if (st == ST_NO_BREAK || st == ST_NOENT)
        return lease ? lease : lower && !lost ? STATUS_INVALID_DEVICE_STATE : STATUS_INVALID_OPLOCK_PROTOCOL;
    pthread_mutex_lock(&o->lock);
    o->breaking = false;
    o->oplock_level = st == ST_OK ? level : SMB2_OPLOCK_LEVEL_NONE;
    pthread_mutex_unlock(&o->lock);
    if (st == ST_BAD_ACK) { /* [MS-SMB2] 3.3.5.22.1: more than was offered: the break is complete, with nothing kept */
        (void)fs_lease_ack(r->conn->srv->fs, &key, &o->fso->party, CO_OPLOCK, 0);
        return lease ? lease : STATUS_INVALID_OPLOCK_PROTOCOL;
    }
    if (st != ST_OK)
        return smb_status(st);
    struct wbuf *w = &r->out;
    wbuf_le16(w, 24);
    wbuf_u8(w, level);
    wbuf_zero(w, 5);
    wbuf_le64(w, o->persistent_id);
    wbuf_le64(w, o->volatile_id);
    return STATUS_SUCCESS;
}

static uint32_t ack_lease(struct smb_req *r)
{
    uint8_t lease_key[16] = {0};
    cursor_skip(&r->in, 6); /* Reserved, Flags */
    const uint8_t *p = cursor_take(&r->in, 16);
    uint32_t state = cursor_le32(&r->in);
    cursor_skip(&r->in, 8);
    if (r->in.bad)
        return STATUS_INVALID_PARAMETER;
    memcpy(lease_key, p, 16);
    struct co_party party = r->party;
    memcpy(party.lease, lease_key, 16);
    struct co_key file;
    if (!smb_lease_file(r->conn->srv, party.client, lease_key, &file))
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (state & ~(uint32_t)(CO_R | CO_W | CO_H))
        return STATUS_REQUEST_NOT_ACCEPTED;
    enum st st = fs_lease_ack(r->conn->srv->fs, &file, &party, CO_LEASE, (uint8_t)state);
    if (st == ST_NOENT) /* opens under the key are there, but nothing was granted any more */
        return STATUS_UNSUCCESSFUL;
    if (st != ST_OK)
        return smb_status(st);
    struct wbuf *w = &r->out;
    wbuf_le16(w, 36);
    wbuf_zero(w, 6);
    wbuf_put(w, lease_key, 16);
    wbuf_le32(w, state);
    wbuf_zero(w, 8);
    return STATUS_SUCCESS;
}

uint32_t smb_oplock_break(struct smb_req *r)
{
    switch (cursor_le16(&r->in)) {
    case 24:
        return ack_oplock(r);
    case 36:
        return r->conn->dialect >= SMB_2_1_0 ? ack_lease(r) : STATUS_INVALID_PARAMETER;
    default:
        return STATUS_INVALID_PARAMETER;
    }
}
