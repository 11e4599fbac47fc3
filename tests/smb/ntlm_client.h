/* ntlm_client.h - the client's side of NTLMv2 and just enough SPNEGO, for tests. */
#pragma once
#include "base/util.h"

struct ntlm_client {
    const char *user, *password, *domain;
    bool mic, key_exchange, anonymous;
    uint8_t client_challenge[8];
    uint8_t negotiate[64], challenge[2048];
    size_t nnegotiate, nchallenge;
    uint8_t key[16]; /* exported session key, after the last message */
    uint32_t flags;
};
size_t ntlm_client_negotiate(struct ntlm_client *c, uint8_t *out);
size_t ntlm_client_authenticate(struct ntlm_client *c, const uint8_t *challenge, size_t n, uint8_t *out);
/* DER: wraps n bytes at p (room before is made by moving) as one element; returns the new length. */
size_t der_element(uint8_t *p, size_t n, uint8_t tag);
/* NegTokenInit with the mechanisms' OIDs (bytes with length first) and a token, or NegTokenResp. */
size_t spnego_client_init(const uint8_t *mechs, size_t nmechs, const uint8_t *token, size_t n, uint8_t *out);
size_t spnego_client_response(const uint8_t *token, size_t n, const uint8_t *mic, uint8_t *out);
/* The NTLMSSP message inside any token. */
const uint8_t *ntlm_inside_token(const uint8_t *p, size_t n, size_t *ret_n);
