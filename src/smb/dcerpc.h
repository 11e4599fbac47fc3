/* dcerpc.h - connection-oriented DCE/RPC ([C706] chapter 12, [MS-RPCE]) over a named pipe: PDUs in, PDUs out. */
#pragma once
#include "ndr.h"

/* What interfaces answer from. */
struct dcerpc_env {
    struct fs *fs;
    const char *server_name, *domain;
};
struct dcerpc_call {
    const struct dcerpc_env *env;
    struct arena *arena;
    struct cursor in; /* stub data */
    struct wbuf *out; /* stub data of the answer */
};

/* Fault codes ([C706] appendix E, [MS-RPCE] 2.2.2.11 lets Win32 ones through) */
#define RPC_OK 0
#define RPC_FAULT_ACCESS_DENIED 0x00000005u
#define RPC_FAULT_NDR 0x000006F7u
#define RPC_FAULT_UNKNOWN_IF 0x1C010003u
#define RPC_FAULT_OP_RANGE 0x1C010002u
#define RPC_FAULT_PROTOCOL 0x1C01000Bu
#define RPC_FAULT_NO_MEMORY 0x1C01001Du

struct dcerpc_method {
    uint16_t opnum;
    uint32_t (*run)(struct dcerpc_call *c); /* RPC_OK or a fault */
};
struct dcerpc_interface {
    const char *pipe; /* lower case */
    uint8_t uuid[16]; /* as on the wire */
    uint16_t major;
    const struct dcerpc_method *methods;
    size_t nmethods;
};
extern const struct dcerpc_interface dcerpc_srvsvc, dcerpc_wkssvc, dcerpc_lsarpc;
const struct dcerpc_interface *dcerpc_interface_find(const char *pipe); /* NULL: no such pipe */

#define RPC_FRAGMENT_MAX 4280 /* what everybody offers */
#define RPC_REQUEST_MAX (64u << 10)
#define RPC_CONTEXTS_MAX 32
struct dcerpc_conn {
    const struct dcerpc_interface *iface;
    uint16_t contexts[RPC_CONTEXTS_MAX]; /* accepted presentation context ids */
    size_t ncontexts;
    uint16_t max_xmit;
    /* The request that is being collected from its fragments. */
    bool collecting;
    uint32_t call_id;
    uint16_t context, opnum;
    uint8_t *stub;
    size_t nstub;
};
void dcerpc_conn_done(struct dcerpc_conn *c);
/* Bytes of the PDU at p of which n are here: 0 when more are needed to know, SIZE_MAX when it is none. */
size_t dcerpc_frame(const uint8_t *p, size_t n);
/* Handles one whole PDU. Answers (PDUs, each at most max_xmit bytes) are appended to out. False: give up the pipe. */
bool dcerpc_pdu(struct dcerpc_conn *c, const struct dcerpc_env *env, struct arena *a, const uint8_t *p, size_t n,
             struct wbuf *out);
