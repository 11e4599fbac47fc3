/* auth.h - one logon under way on a connection: what session_setup.c and auth.c share. */
#pragma once
#include "internal.h"
#include "spnego.h"

enum smb_auth_kind { SMB_AUTH_NEW, SMB_AUTH_AGAIN, SMB_AUTH_BIND };
struct smb_auth {
    struct list in_conn;
    struct smb_channel *channel; /* reference; its session is the one that logs on */
    enum smb_auth_kind kind;
    uint8_t preauth[64];         /* of this exchange, 3.1.1 */
    struct spnego spnego;
};

/* One step of the exchange; token for the client in out. STATUS_SUCCESS, STATUS_MORE_PROCESSING_REQUIRED or why not. */
uint32_t smb_auth_step(struct smb_auth *a, struct cursor token, uint8_t *out, size_t cap, size_t *ret_n);
/* After success: who it is. False: cannot be served (users changed in between). */
bool smb_auth_cred(const struct smb_auth *a, struct fs_cred *ret);
/* Derives the session's keys ([MS-SMB2] 3.1.4.2, 3.3.5.5.3), or only the channel's signing key. */
void smb_auth_keys(const struct smb_auth *a, struct smb_keys *k);
