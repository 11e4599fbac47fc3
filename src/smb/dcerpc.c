/* dcerpc.c - see dcerpc.h. Knows PDUs, binding and fragments; must not know what an interface does. */
#include "dcerpc.h"
#include <strings.h>

/* [C706] 12.6.3 */
enum { PDU_REQUEST = 0, PDU_RESPONSE = 2, PDU_FAULT = 3, PDU_BIND = 11, PDU_BIND_ACK = 12, PDU_BIND_NAK = 13,
       PDU_ALTER = 14, PDU_ALTER_ACK = 15, PDU_CO_CANCEL = 18, PDU_ORPHANED = 19 };
enum { PFC_FIRST = 0x01, PFC_LAST = 0x02, PFC_OBJECT_UUID = 0x80 };
enum { RESULT_ACCEPTANCE = 0, RESULT_PROVIDER_REJECTION = 2 };
enum { REASON_ABSTRACT_SYNTAX = 1, REASON_TRANSFER_SYNTAX = 2 };
#define NAK_AUTHENTICATION_TYPE 8
#define HEADER 16
#define RESPONSE_HEADER 24
#define FRAGMENT_MIN 1432 /* [C706] 12.6.3.1: MustRecvFragSize */

static const uint8_t ndr_syntax[20] = {0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8,
                                       0x08, 0x00, 0x2b, 0x10, 0x48, 0x60, 2,    0,    0,    0};

const struct dcerpc_interface *dcerpc_interface_find(const char *pipe)
{
    static const struct dcerpc_interface *const all[] = {&dcerpc_srvsvc, &dcerpc_wkssvc, &dcerpc_lsarpc};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (!strcasecmp(all[i]->pipe, pipe))
            return all[i];
    return NULL;
}

void dcerpc_conn_done(struct dcerpc_conn *c)
{
    free(TAKE_PTR(c->stub));
    c->nstub = 0;
}

size_t dcerpc_frame(const uint8_t *p, size_t n)
{
    if (n < HEADER)
        return 0;
    size_t len = get_le16(p + 8);
    /* Version 5.0, little-endian integers: nobody sends others over SMB. */
    return p[0] != 5 || p[1] != 0 || (p[4] & 0xf0) != 0x10 || len < HEADER ? SIZE_MAX : len;
}

static size_t pdu_begin(struct wbuf *w, uint8_t type, uint8_t flags, uint32_t call_id)
{
    size_t start = wbuf_len(w);
    wbuf_le16(w, 5);
    wbuf_u8(w, type);
    wbuf_u8(w, flags);
    wbuf_le32(w, 0x10); /* little-endian, ASCII, IEEE */
    wbuf_le32(w, 0);    /* lengths of fragment and authentication */
    wbuf_le32(w, call_id);
    return start;
}

static void pdu_end(struct wbuf *w, size_t start)
{
    wbuf_patch_le16(w, start + 8, (uint16_t)(wbuf_len(w) - start));
}

static void put_fault(struct wbuf *w, uint32_t call_id, uint16_t context, uint32_t code)
{
    size_t start = pdu_begin(w, PDU_FAULT, PFC_FIRST | PFC_LAST, call_id);
    wbuf_le32(w, 0);
    wbuf_le16(w, context);
    wbuf_le16(w, 0);
    wbuf_le32(w, code);
    wbuf_le32(w, 0);
    pdu_end(w, start);
}

static void put_nak(struct wbuf *w, uint32_t call_id, uint16_t reason)
{
    size_t start = pdu_begin(w, PDU_BIND_NAK, PFC_FIRST | PFC_LAST, call_id);
    wbuf_le16(w, reason);
    wbuf_le16(w, 1); /* one version: 5.0 */
    wbuf_le16(w, 5);
    pdu_end(w, start);
}

/* One presentation context of a bind: accepted when it is our interface in NDR. */
static void bind_context(struct dcerpc_conn *c, struct cursor *in, struct wbuf *w)
{
    uint16_t id = cursor_le16(in), result = RESULT_PROVIDER_REJECTION, reason = REASON_ABSTRACT_SYNTAX;
    uint8_t n = cursor_u8(in);
    cursor_skip(in, 1);
    const uint8_t *uuid = cursor_take(in, 16);
    uint16_t major = cursor_le16(in);
    cursor_skip(in, 2);
    bool ours = uuid && !memcmp(uuid, c->iface->uuid, 16) && major == c->iface->major, ndr = false;
    for (uint8_t i = 0; i < n; i++) {
        const uint8_t *syntax = cursor_take(in, 20);
        ndr |= syntax && !memcmp(syntax, ndr_syntax, 20);
    }
    if (ours)
        reason = REASON_TRANSFER_SYNTAX;
    if (ours && ndr && c->ncontexts < RPC_CONTEXTS_MAX) {
        c->contexts[c->ncontexts++] = id;
        result = RESULT_ACCEPTANCE;
        reason = 0;
    }
    wbuf_le16(w, result);
    wbuf_le16(w, reason);
    if (result == RESULT_ACCEPTANCE)
        wbuf_put(w, ndr_syntax, sizeof ndr_syntax);
    else
        wbuf_zero(w, sizeof ndr_syntax);
}

static bool bind(struct dcerpc_conn *c, struct cursor *in, bool alter, uint32_t call_id, struct wbuf *w)
{
    uint16_t xmit = cursor_le16(in), recv = cursor_le16(in);
    uint32_t group = cursor_le32(in);
    uint8_t n = cursor_u8(in);
    cursor_skip(in, 3);
    if (n > RPC_CONTEXTS_MAX) /* the answer is one fragment */
        return false;
    if (!alter) {
        c->ncontexts = 0;
        c->max_xmit = MIN(MAX(recv, (uint16_t)FRAGMENT_MIN), (uint16_t)RPC_FRAGMENT_MAX);
    }
    size_t start = pdu_begin(w, alter ? PDU_ALTER_ACK : PDU_BIND_ACK, PFC_FIRST | PFC_LAST, call_id);
    wbuf_le16(w, c->max_xmit);
    wbuf_le16(w, MIN(MAX(xmit, (uint16_t)FRAGMENT_MIN), (uint16_t)RPC_FRAGMENT_MAX));
    wbuf_le32(w, group ? group : 0x53f0);
    if (alter) {
        wbuf_le16(w, 0);
    } else { /* secondary address: "\PIPE\name" with its NUL */
        wbuf_le16(w, (uint16_t)(strlen("\\PIPE\\") + strlen(c->iface->pipe) + 1));
        wbuf_put(w, "\\PIPE\\", strlen("\\PIPE\\"));
        wbuf_put(w, c->iface->pipe, strlen(c->iface->pipe) + 1);
    }
    wbuf_align(w, start, 4);
    wbuf_le32(w, n);
    for (uint8_t i = 0; i < n; i++)
        bind_context(c, in, w);
    pdu_end(w, start);
    return !in->bad;
}

static uint32_t call(struct dcerpc_conn *c, const struct dcerpc_env *env, struct arena *a, struct wbuf *out)
{
    bool bound = false;
    for (size_t i = 0; i < c->ncontexts; i++)
        bound |= c->contexts[i] == c->context;
    if (!bound)
        return RPC_FAULT_UNKNOWN_IF;
    struct dcerpc_call k = {.env = env, .arena = a, .in = cursor_of(c->stub, c->nstub), .out = out};
    for (size_t i = 0; i < c->iface->nmethods; i++) {
        if (c->iface->methods[i].opnum != c->opnum)
            continue;
        uint32_t fault = c->iface->methods[i].run(&k);
        if (fault == RPC_OK && k.in.bad)
            fault = RPC_FAULT_NDR;
        return fault == RPC_OK && out->bad ? RPC_FAULT_NO_MEMORY : fault;
    }
    return RPC_FAULT_OP_RANGE;
}

static void put_response(const struct dcerpc_conn *c, struct wbuf *stub, struct wbuf *w)
{
    size_t n = wbuf_len(stub), at = 0, most = c->max_xmit - RESPONSE_HEADER;
    do {
        size_t part = MIN(n - at, most);
        uint8_t flags = (at ? 0 : PFC_FIRST) | (at + part == n ? PFC_LAST : 0);
        size_t start = pdu_begin(w, PDU_RESPONSE, flags, c->call_id);
        wbuf_le32(w, (uint32_t)(n - at));
        wbuf_le16(w, c->context);
        wbuf_le16(w, 0);
        wbuf_put(w, wbuf_at(stub, at), part);
        pdu_end(w, start);
        at += part;
    } while (at < n);
}

static void run_call(struct dcerpc_conn *c, const struct dcerpc_env *env, struct arena *a, struct wbuf *w)
{
    struct wbuf stub _cleanup_(wbuf_done);
    wbuf_init(&stub, 1024, BLK_MAX);
    uint32_t fault = call(c, env, a, &stub);
    if (fault == RPC_OK)
        put_response(c, &stub, w);
    else
        put_fault(w, c->call_id, c->context, fault);
    dcerpc_conn_done(c);
    c->collecting = false;
}

static bool request(struct dcerpc_conn *c, const struct dcerpc_env *env, struct arena *a, struct cursor *in,
                    uint8_t flags, uint32_t call_id, struct wbuf *w)
{
    cursor_skip(in, 4); /* alloc_hint: not believed */
    uint16_t context = cursor_le16(in), opnum = cursor_le16(in);
    if (flags & PFC_OBJECT_UUID)
        cursor_skip(in, 16);
    bool first = flags & PFC_FIRST;
    if (in->bad || first == c->collecting || (!first && (call_id != c->call_id || opnum != c->opnum)))
        return false;
    size_t n = cursor_left(in);
    if (c->nstub + n > RPC_REQUEST_MAX)
        return false;
    uint8_t *stub = realloc(c->stub, c->nstub + n + 1);
    if (!stub)
        return false;
    c->stub = stub;
    memcpy(stub + c->nstub, cursor_take(in, n), n);
    c->nstub += n;
    c->collecting = true;
    c->call_id = call_id;
    c->context = context;
    c->opnum = opnum;
    if (flags & PFC_LAST)
        run_call(c, env, a, w);
    return true;
}

bool dcerpc_pdu(struct dcerpc_conn *c, const struct dcerpc_env *env, struct arena *a, const uint8_t *p, size_t n,
             struct wbuf *out)
{
    struct cursor in = cursor_of(p, n);
    cursor_skip(&in, 2);
    uint8_t type = cursor_u8(&in), flags = cursor_u8(&in);
    cursor_skip(&in, 6);
    uint16_t nauth = cursor_le16(&in);
    uint32_t call_id = cursor_le32(&in);
    if (in.bad)
        return false;
    switch (type) {
    case PDU_BIND:
    case PDU_ALTER:
        if (type == PDU_ALTER && !c->max_xmit)
            return false;
        if (nauth) { /* the SMB session is who the caller is */
            put_nak(out, call_id, NAK_AUTHENTICATION_TYPE);
            return true;
        }
        return bind(c, &in, type == PDU_ALTER, call_id, out);
    case PDU_REQUEST:
        if (!c->max_xmit || nauth) {
            put_fault(out, call_id, 0, nauth ? RPC_FAULT_ACCESS_DENIED : RPC_FAULT_PROTOCOL);
            return true;
        }
        return request(c, env, a, &in, flags, call_id, out);
    case PDU_CO_CANCEL:
    case PDU_ORPHANED: /* nothing runs longer than its PDU */
        return true;
    default:
        return false;
    }
}
