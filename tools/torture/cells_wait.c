/* cells_wait.c - waiting and its end: acknowledgements that do not come, blocked locks, recovery of lock clients;"
     "and the
 * server's settings about these. */
#include "script.h"

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
    {"acknowledged-write-goes-on-at-once", "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; ack 0 NONE; w = ok 300"},
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
     "hold 0 RWH; op READ > r; break 0 RWH RH A; idle 1500; persist WRITE > w; ack 0 RH; r = ok; break 0 RH R A;"
     "w = ok timeout"},
};

static const struct matrix_row locks[] = {
    {"same-process-number-of-two-hosts", "nlm 0 ex 0 10; nlm 1 ex 0 10 = DENIED"},
    {"again", "nlm 1 ex 0 10; nlm 1 ex 0 10"},
    {"shared-of-two-hosts", "nlm 0 sh 0 10; nlm 1 sh 0 10"},
    {"in-the-middle-released",
     "nlm 0 ex 0 100; nlm 0 un 40 10; nlm 1 ex 40 10; nlm 1 ex 39 1 = DENIED; nlm 1 ex 50 1 = DENIED"},
    {"downgraded", "nlm 0 ex 0 10; nlm 0 sh 0 10; nlm 1 sh 0 10"},
    {"to-the-end", "nlm 0 ex 10 0; nlm 1 ex 0 10; nlm 1 ex 18446744073709551615 1 = DENIED"},
    {"too-far", "nlm 1 ex 18446744073709551615 2 = FBIG"},
    {"unlock-of-nothing", "nlm 1 un 0 10"},
    {"both-want-more", "nlm 0 sh 0 10; nlm 1 sh 0 10; nlm 0 ex 0 10 block = BLOCKED; nlm 1 ex 0 10 block = DEADLCK"},
    {"waiter-of-another-host",
     "nlm 0 ex 0 10; nlm 1 ex 0 10 block = BLOCKED; no-grant 1 150; nlm 0 un 0 10; grant 1 1000"},
    {"waiter-behind-a-freed-host", "nlm 0 ex 0 10; nlm 1 ex 0 10 block = BLOCKED; free 0; grant 1 1000"},
    {"host-restarts", "nlm 0 ex 0 10; nlm 1 ex 0 10 block = BLOCKED; restart 0; grant 1 1500"},
    {"host-restarts-for-SMB",
     "nlm 0 ex 0 10; create 0 f RW RWD open none; lock-ex 0 0 10 > x; x waits; restart 0; x = ok 1500"},
    {"reclaim-outside-grace", "nlm 1 ex 0 10 reclaim = DENIED|GRACE|NOLOCKS|FAILED"},
    {"lock-never-binds-NFS", "nlm 0 ex 0 100; op READ; op WRITE"},
    {"shares-of-two-hosts", "share 0 R W; share 1 W - = DENIED; unshare 0 R W; share 1 W -"},
};

static const struct matrix_row policies[] = {
    {"lock",
     "hold 0 RWH; op LOCK-exclusive > n; break 0 RWH NONE A; n waits half; n = DENIED timeout",
     {NULL}, "nlm_break_timeout=deny"},
    {"lock-acknowledged",
     "hold 0 RWH; op LOCK-exclusive > n; break 0 RWH NONE A; n waits; ack 0 NONE; n = ok",
     {NULL}, "nlm_break_timeout=deny"},
    {"remove-at-once",
     "hold 0 RWH; op REMOVE; break 0 RWH NONE A; nfs-lookup f = NOENT; ack 0 NONE", {NULL}, "delete_wait=no"},
    {"rename-at-once",
     "hold 0 RWH; op RENAME; break 0 RWH NONE A; nfs-lookup new; ack 0 NONE", {NULL}, "delete_wait=no"},
    {"write-waits-still",
     "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; w waits; ack 0 NONE; w = ok", {NULL}, "delete_wait=no"},
    {"late-holder",
     "hold 0 RWH; persist WRITE > w; break 0 RWH NONE A; w = ok timeout; idle 300; read 0 0 10 = FILE_CLOSED", {NULL},
     "on_break_timeout=close"},
    {"late-holder",
     "hold 0 RWH; persist WRITE > w; break 0 RWH NONE A; w = ok timeout; idle 300; read 0 0 10 = lost", {NULL},
     "on_break_timeout=disconnect"},
    {"asked-to-come-again",
     "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; w waits 700; w = JUKEBOX 1500; op WRITE > x; x waits; quiet 0;"
     "ack 0 NONE; x = ok", {NULL},
     "nfs_park=1s"},
    {"locks-are-not",
     "hold 0 RWH; op LOCK-exclusive > n; break 0 RWH NONE A; n waits 2000; ack 0 NONE; n = ok",
     {NULL}, "nfs_park=1s"},
    {"reserved-for-who-comes-again",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; r = JUKEBOX 2000; ack 0 RH; close 0; create 0 f RW RWD open RWH;"
     "granted 0 RH; op READ",
     {NULL}, "nfs_park=1s"},
    {"granted-again",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; ack 0 RH; r = ok; close 0; create 0 f RW RWD open RWH;"
     "granted 0 RWH",
     {NULL}, "regrant_holdoff=0s"},
    {"read-of-a-locked-range",
     "create 0 f RW RWD open none; try-ex 0 0 100; op READ > r; r = ACCES 300", {NULL}, "io_lock_park=0s"},
    {"attributes-of-an-old-lease",
     "hold 0 RWH; op GETATTR; quiet 0; idle 5300; op GETATTR; break 0 RWH RH A; ack 0 RH", {NULL},
     "attr_freshness=lazy"},
};

void cells_wait(struct cell_list *l)
{
    static const struct matrix all[] = {
        {"wait", NULL, 0, waits, ARRAY_LEN(waits), 2},
        {"locks", NULL, 0, locks, ARRAY_LEN(locks), 2},
        {"policy", NULL, 0, policies, ARRAY_LEN(policies), 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        matrix_cells(l, &all[i]);
}
