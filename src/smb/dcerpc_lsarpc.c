/* dcerpc_lsarpc.c - the Local Security Authority ([MS-LSAD]): a policy handle can be opened and closed, which is how
 * clients find out that there is one. Translations are not offered: identities are told apart by their SIDs. */
#include "dcerpc.h"

#define POLICY_HANDLE 20 /* 2.2.2.1: a context handle */
#define STATUS_OK 0

/* There is one policy, the same for everybody, and nothing is kept for a handle. */
static const uint8_t policy[POLICY_HANDLE] = {0, 0, 0, 0, 'p', 'o', 'l', 'i', 'c', 'y'};

/* 3.1.4.4.1, 3.1.4.4.2: what is asked for in names and rights makes no difference. */
static uint32_t open_policy(struct dcerpc_call *c)
{
    wbuf_put(c->out, policy, sizeof policy);
    ndr_put_u32(c->out, STATUS_OK);
    return RPC_OK;
}

/* 3.1.4.9.4 */
static uint32_t close_handle(struct dcerpc_call *c)
{
    if (!cursor_take(&c->in, POLICY_HANDLE))
        return RPC_FAULT_NDR;
    wbuf_zero(c->out, POLICY_HANDLE);
    ndr_put_u32(c->out, STATUS_OK);
    return RPC_OK;
}

static const struct dcerpc_method methods[] = {{0, close_handle}, {6, open_policy}, {44, open_policy}};
const struct dcerpc_interface dcerpc_lsarpc = {
    .pipe = "lsarpc",
    .uuid = {0x78, 0x57, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab, 0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab},
    .major = 0,
    .methods = methods,
    .nmethods = ARRAY_LEN(methods),
};
