/* cells_wait.c - waiting and its end: what a client is told meanwhile, and acknowledgements that do not come. */
#include "script.h"
#include <stdio.h>

static const struct matrix_row waits[] = {
    {"blocking-lock-meets-a-lease",
     "hold 0 RWH; op LOCK-exclusive-blocking > n; break 0 RWH NONE A; n = BLOCKED 1500; no-grant 1 150; ack 0 NONE;"
     "grant 1 1000"},
    {"blocking-shared-lock-meets-a-lease",
     "hold 0 RWH; op LOCK-shared-blocking > n; break 0 RWH RH A; n = BLOCKED 1500; no-grant 1 150; ack 0 RH;"
     "grant 1 1000"},
    {"trying-lock-is-withheld",
     "hold 0 RWH; op LOCK-exclusive > n; break 0 RWH NONE A; n waits 1000; ack 0 NONE; n = ok 1000"},
    {"test-is-withheld", "hold 0 RWH; op TEST > n; break 0 RWH RH A; n waits 1000; ack 0 RH; n = ok 1000"},
    {"acknowledged-write-goes-on-at-once", "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; ack 0 NONE; w = ok 100"},
    {"blocking-lock-freed-at-once",
     "hold 0 RWH; op LOCK-exclusive-blocking > n; break 0 RWH NONE A; ack 0 NONE; n = ok; no-grant 1 150"},
    {"share-is-withheld", "hold 0 RWH; op SHARE > n; break 0 RWH RH A; n waits 1000; ack 0 RH; n = ok 1000"},
    {"trying-lock-asked-twice",
     "hold 0 RWH; op LOCK-exclusive > n; break 0 RWH NONE A; op LOCK-exclusive > m; n waits; m waits; quiet 0;"
     "ack 0 NONE;"
     "n = ok; m = ok"},
    {"same-call-sent-twice",
     "hold 0 RWH; op REMOVE > w; break 0 RWH NONE A; w again; w waits; quiet 0; ack 0 NONE; w = ok;"
     "nfs-lookup f = NOENT"},
    {"same-call-from-a-new-connection",
     "hold 0 RWH; op REMOVE > w; break 0 RWH NONE A; w elsewhere; w waits; quiet 0; ack 0 NONE; w = ok;"
     "nfs-lookup f = NOENT"},
    {"done-while-its-client-is-away",
     "hold 0 RWH; op REMOVE > w; break 0 RWH NONE A; nfs-drop; ack 0 NONE; idle 200; nfs-lookup f = NOENT; w elsewhere;"
     "w = ok"},
    {"revoked/WRITE",
     "hold 0 RWH; persist WRITE > w; break 0 RWH NONE A; w waits half; w = ok timeout; op WRITE; quiet 0"},
    {"revoked/READ", "hold 0 RW; persist READ > w; break 0 RW R A; w waits half; w = ok timeout; op WRITE; quiet 0"},
    {"revoked/REMOVE",
     "hold 0 RWH; persist REMOVE > w; break 0 RWH NONE A; w waits half; w = ok timeout; nfs-lookup f = NOENT"},
    {"revoked/RENAME",
     "hold 0 RH; persist RENAME > w; break 0 RH NONE A; w waits half; w = ok timeout; nfs-lookup new"},
    {"revoked/TEST", "hold 0 EX; op TEST > w; break 0 - II A; w waits half; w = ok timeout"},
    {"revoked/SHARE", "hold 0 RWH; op SHARE > w; break 0 RWH RH A; w waits half; w = ok timeout"},
    {"revoked/LOCK",
     "hold 0 RWH; op LOCK-exclusive > n; break 0 RWH NONE A; n waits half; n = ok timeout;"
     "write 0 0 5 = FILE_LOCK_CONFLICT"},
    {"revoked/LOCK-blocking",
     "hold 0 RWH; op LOCK-exclusive-blocking > n; break 0 RWH NONE A; n = BLOCKED; grant 1 timeout"},
    {"revoked/opens-stay",
     "hold 0 RWH; persist WRITE > w; break 0 RWH NONE A; w = ok timeout; read 0 0 10; write 0 0 10; close 0"},
    {"revoked/not-trusted-again",
     "hold 0 RWH; persist READ > w; break 0 RWH RH A; w = ok timeout; close 0; idle 1200;"
     "create 0 f RW RWD open RWH; granted 0 R"},
    {"revoked/others-are",
     "hold 0 RWH; persist READ > w; break 0 RWH RH A; w = ok timeout; close 0; idle 1200;"
     "create 1 f RW RWD open RH; granted 1 RH"},
    {"revoked/two-steps-one-deadline",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; idle 1500; persist WRITE > w; w waits; ack 0 RH; r = ok;"
     "break 0 RH R A; w = ok timeout"},
};

/* A datagram that must wait is told to come again after a tenth of the time. */
static void run_udp(struct stage *g, const struct cell *c)
{
    struct host *h = &g->host[0];
    struct rpc r;
    struct wbuf w;
    uint8_t data[10] = "";
    (void)c;
    stage_smb(g, 0);
    if (!rpc_open_udp(&r, h, &g->target->nfs, 2049))
        torture_fail("no UDP socket");
    rpc_begin(&r, &w, NFS_PROGRAM, 3, 0);
    struct call *null = rpc_send(&r, &w, "NULL over UDP", NULL);
    bool spoken = call_wait(null, 500) && null->status == 0;
    call_free(null);
    if (!spoken)
        stage_unsupported(g, "the server does not speak NFS over UDP");
    if (stage_hold(g, 0, "RWH")) {
        struct nfs over = {.rpc = r, .root = g->dir_fh};
        list_init(&over.rpc.calls);
        r.conn->arg = &over.rpc;
        struct call *call = nfs_write(&over, &g->fh, 0, data, sizeof data, FILE_SYNC);
        expect_break(g, 0, "RWH", "NONE", true, NULL);
        expect_status(g, call, "JUKEBOX", 2000);
        call_lose(&over.rpc.calls);
        r.conn->arg = &r;
    }
    rpc_close(&r);
}

void cells_wait(struct cell_list *l)
{
    static const struct matrix all[] = {
        {"wait", NULL, 0, waits, ARRAY_LEN(waits), 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        matrix_cells(l, &all[i]);
    struct cell *c = cell_add(l, run_udp, "wait/over-UDP");
    snprintf(c->expected, sizeof c->expected, "JUKEBOX after a tenth of the time that TCP gets");
}
