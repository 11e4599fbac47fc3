/* auth.c - a logon's exchange against the users of the state database, and the keys that come out of it. */
#include "auth.h"
#include "fs/users.h"

#define GUEST_ID 65534

static bool lookup(void *arg, const char *user, uint8_t nt_hash[16], bool *ret_disabled)
{
    struct smb_server *srv = arg;
    struct fs_user u;
    if (fs_user_get(srv->kv, user, &u) != ST_OK)
        return false;
    memcpy(nt_hash, u.nt_hash, 16);
    *ret_disabled = u.disabled;
    smb_wipe(&u, sizeof u);
    return true;
}

uint32_t smb_auth_step(struct smb_auth *a, struct cursor token, uint8_t *out, size_t cap, size_t *ret_n)
{
    struct smb_server *srv = a->channel->conn->srv;
    const struct smb_config *k = &srv->cfg;
    const struct ntlm_config cfg = {.server = k->server_name[0] ? k->server_name : "CONCORD",
                                    .domain = k->domain[0] ? k->domain : "WORKGROUP",
                                    .guest = k->guest, .anonymous = k->anonymous, .lookup = lookup, .arg = srv};
    static const uint32_t statuses[] = {[NTLM_MORE] = STATUS_MORE_PROCESSING_REQUIRED, [NTLM_DONE] = STATUS_SUCCESS,
                                        [NTLM_BAD] = STATUS_INVALID_PARAMETER, [NTLM_DENIED] = STATUS_LOGON_FAILURE,
                                        [NTLM_DISABLED] = STATUS_ACCOUNT_DISABLED};
    return statuses[spnego_step(&a->spnego, &cfg, token.p, cursor_left(&token), out, cap, ret_n)];
}

bool smb_auth_cred(const struct smb_auth *a, struct fs_cred *ret)
{
    const struct ntlm_result *who = &a->spnego.ntlm.result;
    struct fs_user u;
    if (who->guest || who->anonymous) {
        *ret = (struct fs_cred){.uid = GUEST_ID, .gid = GUEST_ID, .guest = true};
        return true;
    }
    if (fs_user_get(a->channel->conn->srv->kv, who->user, &u) != ST_OK || u.disabled)
        return false;
    fs_user_cred(&u, ret);
    smb_wipe(&u, sizeof u);
    return true;
}

/* Labels and contexts count with their terminating zero. */
#define KDF(key, label, context, ncontext, out, len) smb_kdf(key, label, sizeof label, context, ncontext, out, len)

void smb_auth_keys(const struct smb_auth *a, struct smb_keys *k)
{
    const struct smb_conn *c = a->channel->conn;
    uint16_t cipher = a->channel->session->cipher;
    size_t len = cipher == SMB2_ENCRYPTION_AES256_CCM || cipher == SMB2_ENCRYPTION_AES256_GCM ? 32 : 16;
    memset(k, 0, sizeof *k);
    memcpy(k->session, a->spnego.ntlm.result.session_key, 16);
    if (c->dialect < SMB_3_0_0) {
        memcpy(k->signing, k->session, 16);
        memcpy(k->application, k->session, 16);
    } else if (c->dialect < SMB_3_1_1) {
        KDF(k->session, "SMB2AESCMAC", "SmbSign", sizeof "SmbSign", k->signing, 16);
        KDF(k->session, "SMB2APP", "SmbRpc", sizeof "SmbRpc", k->application, 16);
        KDF(k->session, "SMB2AESCCM", "ServerOut", sizeof "ServerOut", k->encrypt, len);
        KDF(k->session, "SMB2AESCCM", "ServerIn ", sizeof "ServerIn ", k->decrypt, len);
    } else {
        KDF(k->session, "SMBSigningKey", a->preauth, 64, k->signing, 16);
        KDF(k->session, "SMBAppKey", a->preauth, 64, k->application, 16);
        KDF(k->session, "SMBS2CCipherKey", a->preauth, 64, k->encrypt, len);
        KDF(k->session, "SMBC2SCipherKey", a->preauth, 64, k->decrypt, len);
    }
}
