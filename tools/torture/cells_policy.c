/* cells_policy.c - the server's settings: what is different with each. Cells of other tables show the defaults. */
#include "script.h"

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
    {"all-reserved",
     "hold 0 RWH; op REMOVE > d; break 0 RWH NONE A; d = JUKEBOX 2000; ack 0 NONE; close 0;"
     "create 0 f RWD RWD open RWH;"
     "granted 0 NONE; op REMOVE", {NULL}, "nfs_park=1s"},
    {"reserved-for-a-while",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; r = JUKEBOX 2000; ack 0 RH; close 0; create 0 f RW RWD open RWH;"
     "granted 0 RH; close 0; idle 15200; create 0 f RW RWD open RWH; granted 0 RWH", {NULL},
     "nfs_park=1s,regrant_holdoff=0s"},
    {"reserved-until-it-came",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; r = JUKEBOX 2000; ack 0 RH; op READ; close 0;"
     "create 0 f RW RWD open RWH;"
     "granted 0 RWH", {NULL}, "nfs_park=1s,regrant_holdoff=0s"},
    {"granted-again",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; ack 0 RH; r = ok; close 0; create 0 f RW RWD open RWH;"
     "granted 0 RWH",
     {NULL}, "regrant_holdoff=0s"},
    {"read-of-a-locked-range",
     "create 0 f RW RWD open none; try-ex 0 0 100; op READ > r; r = ACCES 300", {NULL}, "io_lock_park=0s"},
    {"attributes-of-an-old-lease",
     "hold 0 RWH; op GETATTR; quiet 0; idle 5300; op GETATTR; break 0 RWH RH A; ack 0 RH", {NULL},
     "attr_freshness=lazy"},
    /* A row without a setting is what the default does where the one with it differs. */
    {"orphan", "create 0 f RWD RWD open none; op REMOVE; write 0 0 10; read 0 0 10; try-ex 0 0 10; size 0 5; close 0"},
    {"orphan",
     "create 0 f RWD RWD open none; op REMOVE; write 0 0 10 = FILE_DELETED; read 0 0 10 = FILE_DELETED;"
     "try-ex 0 0 10 = FILE_DELETED; size 0 5 = FILE_DELETED; close 0",
     {NULL}, "orphan_io=error"},
    {"orphan-of-a-rename",
     "prepare RENAME-over; create 0 f RWD RWD open none; op RENAME-over; write 0 0 10 = FILE_DELETED; close 0;"
     "nfs-lookup f",
     {NULL}, "orphan_io=error"},
    {"another-name-is-left",
     "create 0 f RWD RWD open none; op LINK; op REMOVE; write 0 0 10; read 0 0 10; close 0", {NULL}, "orphan_io=error"},
    {"deleted-at-once",
     "hold 0 RWH; op REMOVE; break 0 RWH NONE A; write 0 0 10 = FILE_DELETED; ack 0 NONE; close 0",
     {NULL}, "delete_wait=no,orphan_io=error"},
    {"renamed-directory",
     "prepare RENAME-directory; create 0 sub\\x RW RWD create none; op RENAME-directory; write 0 0 10; close 0"},
    {"renamed-directory",
     "prepare RENAME-directory; create 0 sub\\x RW RWD create none; op RENAME-directory = ACCES; close 0;"
     "op RENAME-directory",
     {NULL}, "dir_rename=strict"},
    {"attributes-of-an-old-lease", "hold 0 RWH; op GETATTR; idle 5300; op GETATTR; op ACCESS; quiet 0"},
    {"access-of-an-old-lease",
     "hold 0 RW; op ACCESS; quiet 0; idle 5300; op ACCESS; break 0 RW R A; ack 0 R", {NULL}, "attr_freshness=lazy"},
    {"lock-beside", "create 0 f RW RWD open none; nlm 1 ex 0 10; try-ex 0 0 10 = LOCK_NOT_GRANTED", {NULL},
     "nlm_enforce_on_smb=no"},
    {"size-of-a-locked-file", "create 0 f RW RWD open none; nlm 1 ex 0 100; size 0 5", {NULL}, "nlm_enforce_on_smb=no"},
    {"overwritten-locked-file", "nlm 1 ex 0 100; create 0 f W RWD overwrite none", {NULL}, "nlm_enforce_on_smb=no"},
    {"size-of-a-denied-file", "create 0 f RWD RD open none; op SETATTR-size; op CREATE-truncate", {NULL},
     "smb_share_vs_nfs=ignore"},
    {"removed-all-the-same", "create 0 f RWD RW open none; op REMOVE = ACCES", {NULL}, "smb_share_vs_nfs=ignore"},
    {"caching", "create 0 f RW RWD open RWH; granted 0 RWH; close 0; create 0 f RW RWD open BATCH; granted 0 BATCH"},
    {"caching", "create 0 f RW RWD open RWH; granted 0 NONE; close 0; create 0 f RW RWD open BATCH; granted 0 NONE",
     {NULL}, "leases=no"},
    {"impatient", "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; w waits 1500; w = ok 1000", {NULL},
     "lease_break_timeout=2s"},
    {"hold-off-doubles",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; ack 0 RH; r = ok; close 0; idle 1300; create 0 f RW RWD open RWH;"
     "granted 0 RWH; op READ > r; break 0 RWH RH A; ack 0 RH; r = ok; close 0; idle 1300; create 0 f RW RWD open RWH;"
     "granted 0 RH; close 0; idle 1000; create 0 f RW RWD open RWH; granted 0 RWH",
     {NULL}, "regrant_holdoff=1s"},
    {"never-told-to-come-again",
     "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; w waits 4000; ack 0 NONE; w = ok", {NULL},
     "nfs_park=1s,jukebox=hold"},
    {"waits-for-the-timeout",
     "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; w waits half; w = ok timeout; op WRITE; quiet 0", {NULL},
     "nfs_park=1s,jukebox=hold"},
    {"never-answered",
     "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; w waits 1500; ack 0 NONE; w waits 500; op READ", {NULL},
     "nfs_park=1s,jukebox=drop"},
    {"patient-lock-park",
     "create 0 f RW RWD open none; try-ex 0 0 100; op READ > r; r waits 700; r = ACCES 900"},
};

/* Whatever waits for too long, and what its client then does. */
static const struct matrix_column waiting[] = {
    {"READ", "hold 0 RWH; op READ > w; break 0 RWH RH A"},
    {"WRITE", "hold 0 RWH; op WRITE > w; break 0 RWH NONE A"},
    {"SETATTR-size", "hold 0 RWH; op SETATTR-size > w; break 0 RWH NONE A"},
    {"CREATE-truncate", "hold 0 RWH; op CREATE-truncate > w; break 0 RWH NONE A"},
    {"REMOVE", "hold 0 RH; op REMOVE > w; break 0 RH NONE A"},
    {"RENAME", "hold 0 RH; op RENAME > w; break 0 RH NONE A"},
    {"RENAME-over", "prepare RENAME-over; hold 0 RH; op RENAME-over > w; break 0 RH NONE A"},
    {"RMDIR",
     "prepare RMDIR; create 0 sub R RWD open RH directory; granted 0 RH; op RMDIR > w; break 0 RH NONE A"},
};
#define EACH(f) {f("READ", "RH"), f("WRITE", "NONE"), f("SETATTR-size", "NONE"), f("CREATE-truncate", "NONE"), \
                 f("REMOVE", "NONE"), f("RENAME", "NONE"), f("RENAME-over", "NONE"), f("RMDIR", "NONE")}
#define COMES_AGAIN(op, to) "+; op " op " > x; x waits; quiet 0; ack 0 " to "; x = ok"
#define HELD(op, to) "+; ack 0 " to "; w = ok 1000"
#define SENT_AGAIN(op, to) "+; w again; w waits; quiet 0; ack 0 " to "; w = ok 1000"
static const struct matrix_row too_long[] = {
    {"told-to-come-again", "w waits 600; w = JUKEBOX 1500", EACH(COMES_AGAIN), "nfs_park=1s"},
    {"kept", "w waits 2000; quiet 0", EACH(HELD), "nfs_park=1s,jukebox=hold"},
    {"dropped", "w waits 1500; quiet 0", EACH(SENT_AGAIN), "nfs_park=1s,jukebox=drop"},
};

void cells_policy(struct cell_list *l)
{
    static const struct matrix all[] = {
        {"policy", NULL, 0, policies, ARRAY_LEN(policies), 0},
        {"policy", waiting, ARRAY_LEN(waiting), too_long, ARRAY_LEN(too_long), 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        matrix_cells(l, &all[i]);
}
