/* ntlmssp.h - the server's side of NTLM ([MS-NLMP]): NTLMv2 only, with message integrity and key exchange. Pure: users
 * come from a function, time and random numbers from the configuration's owner; nothing is logged. */
#pragma once
#include "base/util.h"

enum ntlm_status {
    NTLM_MORE,
    NTLM_DONE,
    NTLM_BAD,       /* malformed: STATUS_INVALID_PARAMETER */
    NTLM_DENIED,    /* wrong user or password: STATUS_LOGON_FAILURE */
    NTLM_DISABLED,  /* STATUS_ACCOUNT_DISABLED */
};

struct ntlm_config {
    const char *server, *domain; /* NetBIOS names */
    bool guest, anonymous;       /* are they let in? */
    /* False: no such user. `user` in UTF-8. */
    bool (*lookup)(void *arg, const char *user, uint8_t nt_hash[16], bool *ret_disabled);
    void *arg;
};

struct ntlm_result {
    char user[256], domain[256], workstation[256];
    bool guest, anonymous;
    uint8_t session_key[16]; /* ExportedSessionKey */
};

struct ntlm {
    enum { NTLM_START, NTLM_CHALLENGED, NTLM_FINISHED } state;
    uint32_t flags;
    uint8_t challenge[8];
    uint8_t negotiate[1024], challenge_message[1024];
    size_t nnegotiate, nchallenge;
    struct ntlm_result result;
    uint32_t seq_in, seq_out;
};

bool ntlm_is(const uint8_t *in, size_t n); /* does it start like an NTLMSSP message? */
enum ntlm_status ntlm_step(struct ntlm *s, const struct ntlm_config *cfg, const uint8_t *in, size_t n, uint8_t *out,
                           size_t cap, size_t *ret_n);
/* [MS-NLMP] 3.4.4.2 over `data`, as mechListMIC wants it; after NTLM_DONE. */
void ntlm_sign(struct ntlm *s, bool from_server, const uint8_t *data, size_t n, uint8_t out[16]);

/* For the tests: [MS-NLMP] 3.3.2. */
void ntlm_ntowfv2(const uint8_t nt_hash[16], const uint8_t *user, size_t nuser, const uint8_t *domain, size_t ndomain,
                  uint8_t out[16]);
