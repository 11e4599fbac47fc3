/* create_contexts.h - the create contexts of CREATE ([MS-SMB2] 2.2.13.2 and 2.2.14.2). */
#pragma once
#include "ea.h"

/* [MS-SMB2] 2.2.13.2.8, 2.2.13.2.10, 2.2.14.2.10 */
enum { SMB2_LEASE_FLAG_BREAK_IN_PROGRESS = 0x2, SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET = 0x4 };

enum { SMB_DHNQ = 1, SMB_DHNC = 2, SMB_DH2Q = 4, SMB_DH2C = 8, SMB_DURABLE_RECONNECT = SMB_DHNC | SMB_DH2C };
enum { SMB2_DHANDLE_FLAG_PERSISTENT = 0x2 }; /* [MS-SMB2] 2.2.13.2.11 */

struct smb_create_contexts {
    bool mxac, mxac_has_time;
    uint64_t mxac_time;
    bool qfid;
    bool has_alloc;
    uint64_t alloc;
    const uint8_t *sd;
    size_t nsd;
    const struct fs_ea *ea;
    size_t nea;
    bool timewarp;
    int lease_version; /* 0: none asked for */
    uint8_t lease_key[16], parent_key[16];
    uint32_t lease_state, lease_flags;
    uint16_t lease_epoch;
    unsigned durable;     /* SMB_DH* that the request carries */
    uint64_t reconnect_id; /* of DHnC, DH2C */
    uint32_t durable_timeout, durable_flags; /* of DH2Q, DH2C */
    uint8_t create_guid[16];
    unsigned durable_granted; /* SMB_DHNQ or SMB_DH2Q to be answered, with timeout and flags from above */
    bool aapl;
    uint64_t aapl_bitmap;
};

/* Reads the chain; names that are not known are skipped, as the specification says. */
uint32_t smb_create_contexts_decode(struct arena *a, struct cursor in, uint16_t dialect,
                                    struct smb_create_contexts *ret);
/* Appends the answers to what was asked; returns the bytes written, 0 for none. `base` is 8-byte aligned already. */
size_t smb_create_contexts_encode(struct wbuf *w, const struct smb_create_contexts *cx,
                                  const struct fs_open_result *res);
