/* spnego.h - the negotiation of an authentication mechanism around NTLMSSP (RFC 4178, [MS-SPNG]). Pure: bytes in, bytes
 * out, no connection. */
#pragma once
#include "base/util.h"
#include "ntlmssp.h"

#define SPNEGO_MECHS_MAX 1024

/* One exchange. Zero-initialised = before its first message. */
struct spnego {
    enum { SPNEGO_NEW, SPNEGO_MECH, SPNEGO_NTLM, SPNEGO_DONE } state;
    bool raw;            /* the client speaks NTLMSSP without SPNEGO */
    bool mic_needed;     /* our mechanism was not the client's first choice */
    uint8_t mechs[SPNEGO_MECHS_MAX]; /* DER of MechTypeList as received: what mechListMIC covers */
    size_t nmechs;
    struct ntlm ntlm;
};

/* NegTokenInit2 for the NEGOTIATE response; bytes written. */
size_t spnego_hint(uint8_t *out, size_t cap);
/* Takes the client's token, writes ours to out (*ret_n bytes; 0: none). NTLM_MORE: send it and wait; NTLM_DONE: the
 * logon is complete, s->ntlm.result says who; anything else: failed, why. */
enum ntlm_status spnego_step(struct spnego *s, const struct ntlm_config *cfg, const uint8_t *in, size_t n, uint8_t *out,
                             size_t cap, size_t *ret_n);
