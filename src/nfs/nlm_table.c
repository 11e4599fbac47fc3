/* nlm_table.c - NLM as programs: versions 1 and 3 with 32-bit ranges, version 4 with 64-bit ones.
 *
 * The _MSG procedures are the same as the others, but that their RPC reply is void and the answer goes back as a
 * call of the matching _RES procedure. */
#include "nlm_int.h"

static const struct rpc_proc proc_null = {.name = "NULL"};

/* encode() of a _MSG procedure: nothing into the reply, everything into a call. */
#define MSG_ENCODER(name, res_proc, encoder)                                                                           \
    static void name(struct rpc_call *c, struct wbuf *w, enum st st) { nlm_send_res(c, res_proc, st, encoder); }
MSG_ENCODER(msg_test, NLM_TEST_RES, nlm_encode_test)
MSG_ENCODER(msg_lock, NLM_LOCK_RES, nlm_encode_res)
MSG_ENCODER(msg_cancel, NLM_CANCEL_RES, nlm_encode_res)
MSG_ENCODER(msg_unlock, NLM_UNLOCK_RES, nlm_encode_res)
MSG_ENCODER(msg_granted, NLM_GRANTED_RES, nlm_encode_res)

/* This server asks nobody for locks, so no grant is for it. */
static enum st run_granted(struct rpc_call *c) { return ST_LOCK_DENIED; }

#define PROC(id, text, decoder, runner, encoder, options)                                                              \
    static const struct rpc_proc id = {.name = text, .decode = decoder, .run = runner, .encode = encoder,              \
                                       .args = sizeof(struct nlm_args), .res = sizeof(struct nlm_res), .flags = options};

#define RANGE_PROCS(bits)                                                                                              \
    PROC(test##bits, "TEST", nlm_decode_test##bits, nlm_run_test, nlm_encode_test, 0)                                  \
    PROC(lock##bits, "LOCK", nlm_decode_lock##bits, nlm_run_lock, nlm_encode_res, RPC_CACHED | RPC_EARLY)              \
    PROC(cancel##bits, "CANCEL", nlm_decode_cancel##bits, nlm_run_cancel, nlm_encode_res, RPC_CACHED)                  \
    PROC(unlock##bits, "UNLOCK", nlm_decode_unlock##bits, nlm_run_unlock, nlm_encode_res, RPC_CACHED)                  \
    PROC(granted##bits, "GRANTED", nlm_decode_test##bits, run_granted, nlm_encode_res, 0)                              \
    PROC(test_msg##bits, "TEST_MSG", nlm_decode_test##bits, nlm_run_test, msg_test, RPC_CACHED)                        \
    PROC(lock_msg##bits, "LOCK_MSG", nlm_decode_lock##bits, nlm_run_lock, msg_lock, RPC_CACHED | RPC_EARLY)            \
    PROC(cancel_msg##bits, "CANCEL_MSG", nlm_decode_cancel##bits, nlm_run_cancel, msg_cancel, RPC_CACHED)              \
    PROC(unlock_msg##bits, "UNLOCK_MSG", nlm_decode_unlock##bits, nlm_run_unlock, msg_unlock, RPC_CACHED)              \
    PROC(granted_msg##bits, "GRANTED_MSG", nlm_decode_test##bits, run_granted, msg_granted, 0)                         \
    PROC(nm_lock##bits, "NM_LOCK", nlm_decode_lock##bits, nlm_run_nm_lock, nlm_encode_res, RPC_CACHED | RPC_EARLY)
RANGE_PROCS(32)
RANGE_PROCS(64)

PROC(any_res, "RES", nlm_decode_res, NULL, NULL, 0)
PROC(granted_res, "GRANTED_RES", nlm_decode_res, nlm_run_granted_res, NULL, 0)
PROC(proc_share, "SHARE", nlm_decode_share, nlm_run_share, nlm_encode_share, RPC_CACHED)
PROC(proc_unshare, "UNSHARE", nlm_decode_share, nlm_run_unshare, nlm_encode_share, RPC_CACHED)
PROC(free_all, "FREE_ALL", nlm_decode_notify, nlm_run_free_all, NULL, 0)

#define TABLE(bits)                                                                                                    \
    static const struct rpc_proc *const procs##bits[NLM_PROCS] = {                                                     \
        [NLM_NULL] = &proc_null,                                                                                       \
        [NLM_TEST] = &test##bits,                                                                                      \
        [NLM_LOCK] = &lock##bits,                                                                                      \
        [NLM_CANCEL] = &cancel##bits,                                                                                  \
        [NLM_UNLOCK] = &unlock##bits,                                                                                  \
        [NLM_GRANTED] = &granted##bits,                                                                                \
        [NLM_TEST_MSG] = &test_msg##bits,                                                                              \
        [NLM_LOCK_MSG] = &lock_msg##bits,                                                                              \
        [NLM_CANCEL_MSG] = &cancel_msg##bits,                                                                          \
        [NLM_UNLOCK_MSG] = &unlock_msg##bits,                                                                          \
        [NLM_GRANTED_MSG] = &granted_msg##bits,                                                                        \
        [NLM_TEST_RES] = &any_res,                                                                                     \
        [NLM_LOCK_RES] = &any_res,                                                                                     \
        [NLM_CANCEL_RES] = &any_res,                                                                                   \
        [NLM_UNLOCK_RES] = &any_res,                                                                                   \
        [NLM_GRANTED_RES] = &granted_res,                                                                              \
        [NLM_SHARE] = &proc_share,                                                                                        \
        [NLM_UNSHARE] = &proc_unshare,                                                                                   \
        [NLM_NM_LOCK] = &nm_lock##bits,                                                                                \
        [NLM_FREE_ALL] = &free_all,                                                                                    \
    };
TABLE(32)
TABLE(64)

/* Version 1 ends before SHARE. */
const struct rpc_program nlm1_program = {.name = "nlockmgr", .prog = NLM_PROGRAM, .vers = 1, .procs = procs32,
                                         .nprocs = NLM_GRANTED_RES + 1, .transports = RPC_TCP | RPC_UDP};
const struct rpc_program nlm3_program = {.name = "nlockmgr", .prog = NLM_PROGRAM, .vers = 3, .procs = procs32,
                                         .nprocs = NLM_PROCS, .transports = RPC_TCP | RPC_UDP};
const struct rpc_program nlm4_program = {.name = "nlockmgr", .prog = NLM_PROGRAM, .vers = 4, .procs = procs64,
                                         .nprocs = NLM_PROCS, .transports = RPC_TCP | RPC_UDP};
