/* dcerpc_wkssvc.c - the Workstation Service ([MS-WKST]), of which clients ask one thing: the names of computer and
 * domain. */
#include "dcerpc.h"

#define PLATFORM_ID_NT 500
enum { ERROR_SUCCESS = 0, ERROR_INVALID_LEVEL = 124 };

/* 3.2.4.1 NetrWkstaGetInfo, level 100 (2.2.5.1) */
static uint32_t get_info(struct dcerpc_call *c)
{
    if (ndr_pointer(&c->in))
        (void)ndr_string(c->arena, &c->in);
    uint32_t level = ndr_u32(&c->in);
    if (c->in.bad)
        return RPC_FAULT_NDR;
    ndr_put_u32(c->out, level);
    ndr_put_pointer(c->out, level == 100);
    if (level == 100) {
        ndr_put_u32(c->out, PLATFORM_ID_NT);
        ndr_put_pointer(c->out, true);
        ndr_put_pointer(c->out, true);
        ndr_put_u32(c->out, 10);
        ndr_put_u32(c->out, 0);
        ndr_put_string(c->out, c->env->server_name);
        ndr_put_string(c->out, c->env->domain);
    }
    ndr_put_u32(c->out, level == 100 ? ERROR_SUCCESS : ERROR_INVALID_LEVEL);
    return RPC_OK;
}

static const struct dcerpc_method methods[] = {{0, get_info}};
const struct dcerpc_interface dcerpc_wkssvc = {
    .pipe = "wkssvc",
    .uuid = {0x98, 0xd0, 0xff, 0x6b, 0x12, 0xa1, 0x10, 0x36, 0x98, 0x33, 0x46, 0xc3, 0xf8, 0x7e, 0x34, 0x5a},
    .major = 1,
    .methods = methods,
    .nmethods = ARRAY_LEN(methods),
};
