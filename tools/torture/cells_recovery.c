/* cells_recovery.c - what outlives a restart of the server, and the absence of a client: locks that are reclaimed in
 * the grace period, durable and persistent opens. */
#include "script.h"

/* --- The server is killed while host 1 has a lock. */
#define GRACE "grace_period=4s"
#define KILLED "persist LOCK-exclusive; restart-server; notified 1;"
#define IN_GRACE(name, text) {name, KILLED text, {NULL}, GRACE}
static const struct matrix_row grace[] = {
    IN_GRACE("new-lock", "nlm 0 ex 50 10 = GRACE; nlm 0 sh 50 10 = GRACE; nlm 0 ex 50 10 block = GRACE"),
    IN_GRACE("new-lock-of-the-same-host", "nlm 1 ex 50 10 = GRACE"),
    IN_GRACE("unmonitored", "nlm 0 ex 50 10 unmonitored = GRACE"),
    IN_GRACE("test", "nlm 0 test 50 10 = GRACE"),
    IN_GRACE("cancel", "nlm 0 cancel 50 10 = GRACE"),
    IN_GRACE("share", "share 0 R R = GRACE"),
    IN_GRACE("reclaim",
             "nlm 1 ex 0 10 reclaim; nlm 0 ex 0 10 = GRACE; idle 4500; nlm 0 ex 0 10 = DENIED; nlm 0 ex 50 10;"
             "nlm 1 ex 20 10 reclaim = DENIED|GRACE|NOLOCKS|FAILED"),
    IN_GRACE("reclaims-that-conflict", "nlm 1 ex 0 10 reclaim; nlm 0 ex 5 10 reclaim = DENIED"),
    IN_GRACE("unlock-of-the-reclaimed", "nlm 1 ex 0 10 reclaim; nlm 1 un 0 10; idle 4500; nlm 0 ex 0 10"),
    IN_GRACE("not-reclaimed", "idle 4500; nlm 0 ex 0 10"),
    IN_GRACE("not-reclaimed-by-SMB-either", "create 0 f RW RWD open none; idle 4500; try-ex 0 0 10; write 0 0 10"),
    IN_GRACE("share-reclaimed",
             "share 1 R W reclaim; create 0 f W RWD open none = SHARING_VIOLATION; idle 4500;"
             "create 0 f W RWD open none = SHARING_VIOLATION; unshare 1 R W; create 0 f W RWD open none"),
    IN_GRACE("NFS-reads-and-writes", "op READ; op WRITE; op SETATTR-size"),
    IN_GRACE("SMB-opens-and-caches-nothing",
             "create 0 f RW RWD open RWH; granted 0 NONE; read 0 20 10; write 0 20 10; close 0;"
             "create 0 f RW RWD open BATCH; granted 0 NONE; close 0; idle 4500; create 0 f RW RWD open RWH;"
             "granted 0 RWH"),
    IN_GRACE("SMB-lock-waits", "create 0 f RW RWD open none; lock-ex 0 50 10 > x; x pends; x waits 1000; x = ok 4500"),
    IN_GRACE("SMB-trying-lock-waits",
             "create 0 f RW RWD open none; try-ex 0 50 10 > x; x pends; x waits 1000; x = ok 4500"),
    IN_GRACE("SMB-lock-cancelled",
             "create 0 f RW RWD open none; try-ex 0 50 10 > x; x pends; cancel x; x = CANCELLED; idle 4500;"
             "nlm 0 ex 50 10"),
    IN_GRACE("reclaim-comes-before-SMB",
             "create 0 f RW RWD open none; lock-ex 0 0 10 > x; x pends; nlm 1 ex 0 10 reclaim; x waits 4500;"
             "nlm 1 un 0 10; x = ok 1000"),
    IN_GRACE("reclaim-comes-before-SMB-trying",
             "create 0 f RW RWD open none; try-ex 0 0 10 > x; x pends; nlm 1 ex 0 10 reclaim;"
             "x = LOCK_NOT_GRANTED 5000"),
    IN_GRACE("reclaimed-lock-binds-SMB", "nlm 1 ex 0 10 reclaim; create 0 f RW RWD open none;"
             "write 0 5 5 = FILE_LOCK_CONFLICT"),
    {"nobody-had-a-lock",
     "restart-server; nlm 0 ex 0 10 unmonitored; nlm 0 un 0 10; create 0 f RW RWD open RWH; granted 0 RWH;"
     "try-ex 0 0 10",
     {NULL}, "grace_period=60s"},
    {"only-unmonitored-locks", "nlm 1 ex 0 10 unmonitored; restart-server; nlm 0 ex 0 10 unmonitored", {NULL},
     "grace_period=60s"},
    {"over-when-all-have-reclaimed",
     "nlm 1 ex 0 10; restart-server; nlm 1 ex 0 10 reclaim; nlm 0 ex 50 10 = GRACE; idle 12000; nlm 0 ex 50 10;"
     "nlm 0 ex 0 10 = DENIED",
     {NULL}, "grace_period=60s"},
    {"none", "nlm 1 ex 0 10; restart-server; nlm 0 ex 0 10"},
};

/* --- The client's connection is gone, and with it whatever NFS meets. */
static const struct matrix_column absent[] = {
    {"version-1", "create 0 f RWD RWD open RWH durable-1; durable 0 yes; drop 0"},
    {"version-2", "create 0 f RWD RWD open RWH durable-2; durable 0 yes; drop 0"},
    {"BATCH", "create 0 f RWD RWD open BATCH durable-1; durable 0 yes; drop 0"},
};
#define GONE "OBJECT_NAME_NOT_FOUND"
#define KEPT {"+; granted 0 RWH", "+; granted 0 RWH", "+; granted 0 BATCH"}
#define LOWERED {"+; granted 0 RH", "+; granted 0 RH", GONE}
#define ENDED {GONE, GONE, GONE}
static const struct matrix_row durable[] = {
    {"nothing", "return 0", KEPT},
    {"GETATTR", "op GETATTR; return 0", KEPT},
    {"SETATTR-mode", "op SETATTR-mode; return 0", KEPT},
    {"COMMIT", "op COMMIT; return 0", KEPT},
    {"LINK", "op LINK; return 0", KEPT},
    {"READ", "op READ > x; x = ok 1000; return 0", LOWERED},
    {"LOCK-shared", "op LOCK-shared > x; x = ok 1000; return 0", LOWERED},
    {"TEST", "op TEST > x; x = ok 1000; return 0", LOWERED},
    {"SHARE", "op SHARE > x; x = ok 1000; return 0", ENDED}, /* an open: it takes over what is not written back */
    {"WRITE", "op WRITE > x; x = ok 1000; return 0", ENDED},
    {"SETATTR-size", "op SETATTR-size > x; x = ok 1000; return 0", ENDED},
    {"CREATE-truncate", "op CREATE-truncate > x; x = ok 1000; return 0", ENDED},
    {"LOCK-exclusive", "op LOCK-exclusive > x; x = ok 1000; return 0", ENDED},
    {"REMOVE", "op REMOVE > x; x = ok 1000; return 0", ENDED},
    {"RENAME", "op RENAME > x; x = ok 1000; return 0", ENDED},
    {"RENAME-over", "prepare RENAME-over; op RENAME-over > x; x = ok 1000; return 0", ENDED},
};
static const struct matrix_row durable_others[] = {
    {"refusing-others-reads",
     "create 0 f RW W open RWH durable-2; durable 0 yes; drop 0; op READ > x; x = ok 1000; return 0 = " GONE},
    {"refusing-others-deletion",
     "create 0 f RW RW open RWH durable-2; durable 0 yes; drop 0; op REMOVE > x; x = ok 1000; return 0 = " GONE},
    {"with-a-range",
     "create 0 f RW RWD open RWH durable-2; durable 0 yes; try-ex 0 0 100; drop 0; op WRITE > x; x = ok 1000;"
     "return 0 = " GONE},
    {"with-a-range-kept",
     "create 0 f RW RWD open RWH durable-2; durable 0 yes; try-ex 0 50 10; drop 0; return 0; nlm 1 ex 50 10 > n;"
     "break 0 RWH NONE A; ack 0 NONE; n = DENIED"},
    {"given-up",
     "create 0 f RWD RWD open RWH durable-2 brief; durable 0 yes; try-ex 0 0 10; drop 0; nlm 1 ex 0 10 block > n;"
     "n = ok 1000; return 0 = " GONE},
    {"too-late",
     "create 0 f RWD RWD open RWH durable-2 brief; durable 0 yes; try-ex 0 0 10; drop 0; idle 4500; return 0 = " GONE
     "; op WRITE"},
    {"with-what-was-asked-before",
     "create 0 f RWD RWD open RWH durable-2; durable 0 yes; op WRITE > w; break 0 RWH NONE A; w waits; drop 0;"
     "w = ok 1000;"
     "return 0 = " GONE},
    {"reading-only", "create 0 f RW RWD open R durable-2; durable 0 no"},
    {"reading-and-writing-only", "create 0 f RW RWD open RW durable-2; durable 0 no"},
    {"without-caching", "create 0 f RW RWD open none durable-2; durable 0 no"},
    {"level-II", "create 0 f RW RWD open II durable-1; durable 0 no"},
    {"not-durable", "create 0 f RW RWD open RWH; try-ex 0 0 100; drop 0; op WRITE > x; x = ok 1000; nlm 1 ex 0 100"},
};

#define PERSISTENT "continuous_availability=yes"
#define LEAVES(share, state, more)                                                                                     \
    "create 0 f RWD " share " open " state " persistent; durable 0 yes; " more "drop 0;"
static const struct matrix_row persistent[] = {
    {"READ", LEAVES("RWD", "RWH", "") "op READ > x; x = ok 1000; return 0; granted 0 RH", {NULL}, PERSISTENT},
    {"LOCK-shared", LEAVES("RWD", "RWH", "") "op LOCK-shared > x; x = ok 1000; return 0;"
     "granted 0 RH", {NULL}, PERSISTENT},
    {"WRITE",
     LEAVES("RWD", "RWH", "") "op WRITE > w; w waits; return 0; break 0 RWH NONE A; w waits; ack 0 NONE; w = ok",
     {NULL}, PERSISTENT},
    {"WRITE-until-the-timeout",
     LEAVES("RWD", "RWH", "") "persist WRITE > w; w waits half; w = ok timeout; return 0; granted 0 NONE; write 0 0 10",
     {NULL}, PERSISTENT},
    {"REMOVE-until-the-timeout",
     LEAVES("RWD", "RWH", "") "persist REMOVE > w; w waits half; w = ok timeout;"
      "nfs-lookup f = NOENT", {NULL}, PERSISTENT},
    {"LOCK-exclusive-until-the-timeout",
     LEAVES("RWD", "RWH", "") "op LOCK-exclusive > w; w waits half; w = ok timeout; return 0; granted 0 NONE", {NULL},
     PERSISTENT},
    {"with-a-range",
     LEAVES("RWD", "none", "try-ex 0 0 100;") "persist WRITE > w; w waits 2500; return 0; unlock 0 0 100;"
      "w = ok", {NULL},
     PERSISTENT},
    {"with-a-range-kept",
     LEAVES("RWD", "none", "try-ex 0 0 100;") "persist WRITE > w; w waits 2500; return 0; w = ACCES 2000;"
      "op READ = ACCES",
     {NULL}, PERSISTENT},
    {"refusing-others-reads",
     LEAVES("WD", "none", "") "persist READ > r; r waits 2500; return 0; r = ACCES", {NULL}, PERSISTENT},
    {"given-up",
     "create 0 f RWD WD open none persistent brief; durable 0 yes; try-ex 0 0 100; drop 0; persist READ > r;"
     "r waits 1000;"
     "r = ok 6000; return 0 = " GONE, {NULL}, PERSISTENT},
    {"server-restarts",
     "create 0 f RWD RWD open none persistent; durable 0 yes; try-ex 0 0 10; restart-server; nlm 1 ex 0 10 = DENIED;"
     "persist WRITE > w; w waits 1500; return 0; write 0 0 10; unlock 0 0 10; w = ok;"
     "nlm 1 ex 0 10", {NULL}, PERSISTENT},
    {"server-restarts-with-a-lease",
     "create 0 f RWD RWD open RWH persistent; durable 0 yes; restart-server; return 0; granted 0 RWH; op READ > r;"
     "break 0 RWH RH A; ack 0 RH; r = ok", {NULL}, PERSISTENT},
};
static const struct matrix_row restarts[] = {
    {"handles-stay-valid", "op READ; restart-server; op READ; op WRITE; nfs-lookup f"},
    {"durable-opens-do-not",
     "create 0 f RWD RWD open RWH durable-2; durable 0 yes; restart-server; return 0 = " GONE "; op WRITE"},
};

void cells_recovery(struct cell_list *l)
{
    static const struct matrix all[] = {
        {"grace", NULL, 0, grace, ARRAY_LEN(grace), 0},
        {"durable", absent, ARRAY_LEN(absent), durable, ARRAY_LEN(durable), 1},
        {"durable", NULL, 0, durable_others, ARRAY_LEN(durable_others), 0},
        {"persistent", NULL, 0, persistent, ARRAY_LEN(persistent), 0},
        {"restart", NULL, 0, restarts, ARRAY_LEN(restarts), 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        matrix_cells(l, &all[i]);
}
