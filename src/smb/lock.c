/* lock.c - SMB2 LOCK ([MS-SMB2] 2.2.26, 2.2.27, 3.3.5.14). Knows the wire's rules for arrays, flags and sequence
 * numbers; ranges, conflicts and waiting are fs_lock()'s. */
#include "file.h"
#include "internal.h"

/* [MS-SMB2] 2.2.26.1 */
enum { SMB2_LOCKFLAG_SHARED_LOCK = 0x1, SMB2_LOCKFLAG_EXCLUSIVE_LOCK = 0x2, SMB2_LOCKFLAG_UNLOCK = 0x4,
       SMB2_LOCKFLAG_FAIL_IMMEDIATELY = 0x10 };
#define LOCK_ELEMENT 24
#define LOCKS_MAX 1024 /* one request; 64 KiB would hold 2730 */

/* Survives re-runs: a waiting lock keeps its open, also while that is being closed. */
struct lock_state {
    struct smb_open *open;
    struct fs_range *ranges;
    size_t n, good;    /* of n elements, those before the first that is wrong */
    uint32_t status;   /* what is wrong with that */
    bool unlock, wait;
    uint32_t sequence; /* LockSequenceIndex << 4 | LockSequenceNumber */
};

static uint32_t range_decode(struct cursor *c, size_t i, struct lock_state *s)
{
    uint64_t offset = cursor_le64(c), length = cursor_le64(c);
    uint32_t flags = cursor_le32(c);
    cursor_skip(c, 4);
    if (c->bad)
        return STATUS_INVALID_PARAMETER;
    struct fs_range *g = &s->ranges[i];
    if (i == 0) {
        s->unlock = flags == SMB2_LOCKFLAG_UNLOCK;
        s->wait = !(flags & (SMB2_LOCKFLAG_FAIL_IMMEDIATELY | SMB2_LOCKFLAG_UNLOCK));
    }
    uint32_t kind = flags & ~(uint32_t)SMB2_LOCKFLAG_FAIL_IMMEDIATELY;
    if (s->unlock ? flags != SMB2_LOCKFLAG_UNLOCK
                  : kind != SMB2_LOCKFLAG_SHARED_LOCK && kind != SMB2_LOCKFLAG_EXCLUSIVE_LOCK)
        return STATUS_INVALID_PARAMETER;
    /* 3.3.5.14.2: only a single lock may wait. */
    if (!s->unlock && s->n > 1 && !(flags & SMB2_LOCKFLAG_FAIL_IMMEDIATELY))
        return STATUS_INVALID_PARAMETER;
    if (length && length - 1 > UINT64_MAX - offset)
        return STATUS_INVALID_LOCK_RANGE;
    *g = (struct fs_range){.first = offset, .last = length ? offset + (length - 1) : offset, .zero_len = !length,
                           .exclusive = kind == SMB2_LOCKFLAG_EXCLUSIVE_LOCK, .unlock = s->unlock};
    return STATUS_SUCCESS;
}

static uint32_t lock_decode(struct smb_req *r, struct lock_state *s)
{
    struct cursor *c = &r->in;
    cursor_skip(c, 2); /* StructureSize */
    s->n = cursor_le16(c);
    s->sequence = cursor_le32(c);
    struct smb_open *o;
    uint32_t status = smb_file_open(r, &o);
    if (status != STATUS_SUCCESS)
        return status == STATUS_INVALID_DEVICE_REQUEST ? STATUS_INVALID_PARAMETER : status;
    s->open = smb_open_ref(o);
    if (!s->n || s->n > LOCKS_MAX || cursor_left(c) / LOCK_ELEMENT < s->n)
        return STATUS_INVALID_PARAMETER;
    s->ranges = arena_alloc(&r->arena, s->n * sizeof *s->ranges);
    return s->ranges ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* Unlocks are done one by one, as far as the array is good; locks only when all of it is. */
static uint32_t lock_ranges(struct smb_req *r, struct lock_state *s)
{
    while (s->good < s->n && (s->status = range_decode(&r->in, s->good, s)) == STATUS_SUCCESS)
        s->good++;
    return s->unlock && s->good ? STATUS_SUCCESS : s->status;
}

static uint32_t unlock_run(struct smb_req *r, struct lock_state *s)
{
    struct fs_open *o = s->open->fso;
    bool persistent = s->open->persistent;
    if (persistent)
        smb_persist_unlocking(s->open, s->ranges, s->good);
    for (size_t i = 0; i < s->good; i++) {
        enum st st = fs_unlock(&r->fs, o->node, o, &s->ranges[i], 1);
        if (st == ST_OK)
            continue;
        if (persistent)
            smb_persist_update(s->open); /* the rest is still locked */
        return smb_status(st);
    }
    return s->status;
}

/* 3.3.5.14: a bucket of LockSequenceArray for requests that may be sent again on another channel or after a
 * reconnect; NULL where the client makes no such promise. */
static uint8_t *sequence_bucket(const struct smb_req *r, const struct lock_state *s)
{
    uint32_t index = s->sequence >> 4;
    bool counts = r->conn->dialect >= SMB_3_0_0;
    return counts && index >= 1 && index <= ARRAY_LEN(s->open->lock_sequence) ? &s->open->lock_sequence[index - 1]
                                                                              : NULL;
}

static uint32_t lock_first(struct smb_req *r, struct lock_state *s)
{
    uint32_t status = lock_decode(r, s);
    if (status != STATUS_SUCCESS)
        return status;
    uint8_t *bucket = sequence_bucket(r, s);
    if (bucket && *bucket == (s->sequence & 0xf) + 1) {
        s->n = 0; /* done already: the answer was lost */
        return STATUS_SUCCESS;
    }
    if (bucket)
        *bucket = 0;
    return lock_ranges(r, s);
}

static uint32_t lock_run(struct smb_req *r, struct lock_state *s)
{
    if (!s->n)
        return STATUS_SUCCESS;
    if (s->unlock)
        return unlock_run(r, s);
    /* 3.3.4.17, 3.3.5.10: a waiting lock whose open is closed under it. */
    if (s->open->closed)
        return STATUS_RANGE_NOT_LOCKED;
    if (r->cancelled)
        return STATUS_CANCELLED;
    struct fs_open *o = s->open->fso;
    smb_act_again(r, s->open);
    enum st st = fs_lock(&r->fs, o->node, o, s->ranges, s->n, s->wait, false);
    return st == ST_LOCK_DENIED || st == ST_LOCK_CONFLICT ? STATUS_LOCK_NOT_GRANTED : smb_status(st);
}

static void lock_encode(struct smb_req *r, struct lock_state *s)
{
    uint8_t *bucket = sequence_bucket(r, s);
    if (bucket)
        *bucket = (uint8_t)((s->sequence & 0xf) + 1);
    wbuf_le16(&r->out, 4);
    wbuf_le16(&r->out, 0);
}

uint32_t smb_lock(struct smb_req *r)
{
    struct lock_state *s = r->scratch;
    uint32_t status = STATUS_SUCCESS;
    if (!s) {
        s = r->scratch = arena_zalloc(&r->arena, sizeof *s);
        if (!s)
            return STATUS_INSUFFICIENT_RESOURCES;
        status = lock_first(r, s);
    }
    if (status == STATUS_SUCCESS && s->open->persistent && !r->job.on_pool && !r->cancelled)
        return SMB_OFFLOAD; /* what it has locked is written down */
    if (status == STATUS_SUCCESS)
        status = lock_run(r, s);
    if (status == STATUS_SUCCESS && s->open->persistent && !s->unlock && s->n)
        smb_persist_update(s->open);
    if (status == SMB_PARKED || status == SMB_OFFLOAD)
        return status;
    if (status == STATUS_SUCCESS)
        lock_encode(r, s);
    if (s->open)
        smb_open_unref(TAKE_PTR(s->open));
    return status;
}
