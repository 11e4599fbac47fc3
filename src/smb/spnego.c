/* spnego.c - SPNEGO tokens (RFC 4178 §4.2, [MS-SPNG] 2.2.1), with a DER reader and writer of just what they need. */
#include "spnego.h"
#include "base/cursor.h"
#include "crypto.h"

/* X.690: universal and context tags as single bytes. */
enum { DER_BIT_STRING = 0x03, DER_OCTET_STRING = 0x04, DER_OID = 0x06, DER_ENUMERATED = 0x0A, DER_GENERAL_STRING = 0x1B,
       DER_SEQUENCE = 0x30, DER_APPLICATION_0 = 0x60, DER_CONTEXT_0 = 0xA0, DER_CONTEXT_1, DER_CONTEXT_2, DER_CONTEXT_3 };
enum { ACCEPT_COMPLETED, ACCEPT_INCOMPLETE, REJECT, REQUEST_MIC };

static const uint8_t oid_spnego[] = {0x2B, 0x06, 0x01, 0x05, 0x05, 0x02};
static const uint8_t oid_ntlmssp[] = {0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0A};

/* --- Reading. The contents of the element of this tag that comes next; bad when another does. */
static struct cursor der_get(struct cursor *c, uint8_t tag)
{
    struct cursor none = {.bad = true, .base = c->end, .p = c->end, .end = c->end};
    if (cursor_u8(c) != tag || c->bad) {
        c->bad = true;
        return none;
    }
    size_t n = cursor_u8(c);
    if (n & 0x80) {
        size_t bytes = n & 0x7F;
        if (!bytes || bytes > 3) {
            c->bad = true;
            return none;
        }
        for (n = 0; bytes; bytes--)
            n = n << 8 | cursor_u8(c);
    }
    struct cursor in = cursor_slice(c, cursor_pos(c), n);
    cursor_skip(c, n);
    return in;
}

static bool der_next_is(const struct cursor *c, uint8_t tag)
{
    return !c->bad && cursor_left(c) && *c->p == tag;
}

static bool oid_is(const struct cursor *c, const uint8_t *oid, size_t n)
{
    return !c->bad && cursor_left(c) == n && memcmp(c->p, oid, n) == 0;
}

/* --- Writing: contents first, then the header is put before them. */
struct der {
    uint8_t *p;
    size_t n, cap;
    bool bad;
};

static void der_put(struct der *d, const void *data, size_t n)
{
    if (d->bad || n > d->cap - d->n) {
        d->bad = true;
        return;
    }
    memcpy(d->p + d->n, data, n);
    d->n += n;
}

/* What was written since `from` becomes the contents of an element. */
static void der_wrap(struct der *d, size_t from, uint8_t tag)
{
    uint8_t h[4] = {tag};
    size_t n = d->n - from, nh;
    if (n < 0x80) {
        h[1] = (uint8_t)n;
        nh = 2;
    } else if (n < 0x100) {
        h[1] = 0x81;
        h[2] = (uint8_t)n;
        nh = 3;
    } else {
        h[1] = 0x82;
        h[2] = (uint8_t)(n >> 8);
        h[3] = (uint8_t)n;
        nh = 4;
    }
    if (d->bad || nh > d->cap - d->n || n > 0xFFFF) {
        d->bad = true;
        return;
    }
    memmove(d->p + from + nh, d->p + from, n);
    memcpy(d->p + from, h, nh);
    d->n += nh;
}

static void der_field(struct der *d, uint8_t context, uint8_t tag, const void *data, size_t n)
{
    size_t at = d->n;
    der_put(d, data, n);
    der_wrap(d, at, tag);
    der_wrap(d, at, context);
}

/* [MS-SPNG] 2.2.1: NegTokenInit2, with the hint that says there is none. */
size_t spnego_hint(uint8_t *out, size_t cap)
{
    static const char hint[] = "not_defined_in_RFC4178@please_ignore";
    struct der d = {.p = out, .cap = cap};
    der_put(&d, oid_spnego, sizeof oid_spnego);
    der_wrap(&d, 0, DER_OID);
    size_t init = d.n;
    der_put(&d, oid_ntlmssp, sizeof oid_ntlmssp);
    der_wrap(&d, init, DER_OID);
    der_wrap(&d, init, DER_SEQUENCE);
    der_wrap(&d, init, DER_CONTEXT_0);
    size_t hints = d.n;
    der_field(&d, DER_CONTEXT_0, DER_GENERAL_STRING, hint, sizeof hint - 1);
    der_wrap(&d, hints, DER_SEQUENCE);
    der_wrap(&d, hints, DER_CONTEXT_3);
    der_wrap(&d, init, DER_SEQUENCE);
    der_wrap(&d, init, DER_CONTEXT_0);
    der_wrap(&d, 0, DER_APPLICATION_0);
    return d.bad ? 0 : d.n;
}

/* RFC 4178 §4.2.2 */
static size_t put_response(uint8_t *out, size_t cap, uint8_t state, bool mech, const uint8_t *token, size_t ntoken,
                           const uint8_t *mic)
{
    struct der d = {.p = out, .cap = cap};
    der_field(&d, DER_CONTEXT_0, DER_ENUMERATED, &state, 1);
    if (mech)
        der_field(&d, DER_CONTEXT_1, DER_OID, oid_ntlmssp, sizeof oid_ntlmssp);
    if (ntoken)
        der_field(&d, DER_CONTEXT_2, DER_OCTET_STRING, token, ntoken);
    if (mic)
        der_field(&d, DER_CONTEXT_3, DER_OCTET_STRING, mic, 16);
    der_wrap(&d, 0, DER_SEQUENCE);
    der_wrap(&d, 0, DER_CONTEXT_1);
    return d.bad ? 0 : d.n;
}

struct token {
    struct cursor mechs, token, mic; /* bad = not there */
};

static struct cursor optional(struct cursor *seq, uint8_t context, uint8_t tag)
{
    if (!der_next_is(seq, context))
        return (struct cursor){.bad = true};
    struct cursor f = der_get(seq, context);
    struct cursor in = der_get(&f, tag);
    if (in.bad)
        seq->bad = true;
    return in;
}

/* RFC 4178 §4.2.1, inside the GSS-API framing of RFC 2743 §3.1. */
static bool init_decode(struct cursor in, struct token *t)
{
    struct cursor app = der_get(&in, DER_APPLICATION_0), oid = der_get(&app, DER_OID);
    if (!oid_is(&oid, oid_spnego, sizeof oid_spnego))
        return false;
    struct cursor choice = der_get(&app, DER_CONTEXT_0), seq = der_get(&choice, DER_SEQUENCE);
    struct cursor list = der_get(&seq, DER_CONTEXT_0);
    t->mechs = list;
    if (der_next_is(&seq, DER_CONTEXT_1))
        (void)der_get(&seq, DER_CONTEXT_1); /* reqFlags */
    t->token = optional(&seq, DER_CONTEXT_2, DER_OCTET_STRING);
    t->mic = optional(&seq, DER_CONTEXT_3, DER_OCTET_STRING);
    return !list.bad && !seq.bad;
}

static bool response_decode(struct cursor in, struct token *t)
{
    struct cursor choice = der_get(&in, DER_CONTEXT_1), seq = der_get(&choice, DER_SEQUENCE);
    (void)optional(&seq, DER_CONTEXT_0, DER_ENUMERATED);
    (void)optional(&seq, DER_CONTEXT_1, DER_OID);
    t->token = optional(&seq, DER_CONTEXT_2, DER_OCTET_STRING);
    t->mic = optional(&seq, DER_CONTEXT_3, DER_OCTET_STRING);
    return !seq.bad;
}

/* Position of our mechanism in the client's list; -1: not there. */
static int mech_index(struct cursor mechs)
{
    struct cursor list = der_get(&mechs, DER_SEQUENCE);
    for (int i = 0; cursor_left(&list) && !list.bad; i++) {
        struct cursor oid = der_get(&list, DER_OID);
        if (oid_is(&oid, oid_ntlmssp, sizeof oid_ntlmssp))
            return i;
    }
    return -1;
}

static enum ntlm_status finish(struct spnego *s, const struct token *t, uint8_t *out, size_t cap, size_t *ret_n)
{
    uint8_t theirs[16], ours[16];
    bool mic = !t->mic.bad;
    if (!mic && s->mic_needed && !s->ntlm.result.anonymous && !s->ntlm.result.guest)
        return NTLM_DENIED;
    if (mic) {
        ntlm_sign(&s->ntlm, false, s->mechs, s->nmechs, theirs);
        if (!s->ntlm.result.guest && (cursor_left(&t->mic) != 16 || !smb_equal(t->mic.p, theirs, 16)))
            return NTLM_DENIED;
        ntlm_sign(&s->ntlm, true, s->mechs, s->nmechs, ours);
    }
    s->state = SPNEGO_DONE;
    *ret_n = put_response(out, cap, ACCEPT_COMPLETED, false, NULL, 0, mic ? ours : NULL);
    return *ret_n ? NTLM_DONE : NTLM_BAD;
}

static enum ntlm_status ntlm_inside(struct spnego *s, const struct ntlm_config *cfg, const struct token *t, bool first,
                                    uint8_t *out, size_t cap, size_t *ret_n)
{
    uint8_t reply[1024];
    size_t n;
    enum ntlm_status st = ntlm_step(&s->ntlm, cfg, t->token.p, cursor_left(&t->token), reply, sizeof reply, &n);
    if (st == NTLM_DONE)
        return finish(s, t, out, cap, ret_n);
    if (st != NTLM_MORE)
        return st;
    s->state = SPNEGO_NTLM;
    *ret_n = put_response(out, cap, ACCEPT_INCOMPLETE, first, reply, n, NULL);
    return *ret_n ? NTLM_MORE : NTLM_BAD;
}

static enum ntlm_status begin(struct spnego *s, const struct ntlm_config *cfg, struct cursor in, uint8_t *out, size_t cap,
                              size_t *ret_n)
{
    struct token t;
    if (!init_decode(in, &t))
        return NTLM_BAD;
    int at = mech_index(t.mechs);
    size_t n = cursor_left(&t.mechs);
    if (at < 0 || n > sizeof s->mechs)
        return NTLM_DENIED;
    memcpy(s->mechs, t.mechs.p, n);
    s->nmechs = n;
    s->mic_needed = at > 0;
    if (at == 0 && !t.token.bad)
        return ntlm_inside(s, cfg, &t, true, out, cap, ret_n);
    s->state = SPNEGO_MECH;
    *ret_n = put_response(out, cap, at > 0 ? REQUEST_MIC : ACCEPT_INCOMPLETE, true, NULL, 0, NULL);
    return *ret_n ? NTLM_MORE : NTLM_BAD;
}

enum ntlm_status spnego_step(struct spnego *s, const struct ntlm_config *cfg, const uint8_t *in, size_t n, uint8_t *out,
                             size_t cap, size_t *ret_n)
{
    *ret_n = 0;
    if (s->state == SPNEGO_DONE)
        return NTLM_BAD;
    if (s->raw || (s->state == SPNEGO_NEW && ntlm_is(in, n))) {
        s->raw = true;
        s->state = SPNEGO_NTLM;
        return ntlm_step(&s->ntlm, cfg, in, n, out, cap, ret_n);
    }
    if (s->state == SPNEGO_NEW)
        return begin(s, cfg, cursor_of(in, n), out, cap, ret_n);
    struct token t;
    if (!response_decode(cursor_of(in, n), &t) || t.token.bad)
        return NTLM_BAD;
    return ntlm_inside(s, cfg, &t, false, out, cap, ret_n);
}
