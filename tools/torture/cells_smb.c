/* cells_smb.c - an operation of SMB meets what NFS clients hold: NLM locks, waiters and shares. */
#include "script.h"

/* --- CREATE: locks never stop an open, unless it overwrites what is locked; NLM's shares count like those of opens.
 * The waiter waits for a range beyond the end of the file. */
static const struct matrix_column opened[] = {
    {"lock-shared", "nlm 1 sh 0 10"},
    {"lock-exclusive", "nlm 1 ex 0 10"},
    {"waiter", "nlm 0 ex 200 10; nlm 1 ex 200 10 block = BLOCKED"},
    {"share-deny-read", "share 1 R R"},
    {"share-deny-write", "share 1 R W"},
    {"share-reads", "share 1 R -"},
    {"share-writes", "share 1 W -"},
};
#define SV "SHARING_VIOLATION"
#define LOCKED "FILE_LOCK_CONFLICT|SHARING_VIOLATION"
static const struct matrix_row opens[] = {
    {"attributes", "create 0 f A RWD open none", {"ok", "ok", "ok", "ok", "ok", "ok", "ok"}},
    {"read", "create 0 f R RWD open none", {"ok", "ok", "ok", SV, "ok", "ok", "ok"}},
    {"open-if", "create 0 f R RWD open-if none", {"ok", "ok", "ok", SV, "ok", "ok", "ok"}},
    {"write", "create 0 f W RWD open none", {"ok", "ok", "ok", "ok", SV, "ok", "ok"}},
    {"read-write", "create 0 f RW RWD open none", {"ok", "ok", "ok", SV, SV, "ok", "ok"}},
    {"not-sharing-read", "create 0 f W WD open none", {"ok", "ok", "ok", SV, SV, SV, "ok"}},
    {"not-sharing-write", "create 0 f R RD open none", {"ok", "ok", "ok", SV, "ok", "ok", SV}},
    {"delete", "create 0 f D RWD open none", {"ok", "ok", "ok", "ok", "ok", "ok", "ok"}},
    {"delete-on-close", "create 0 f D RWD open none delete", {"ok", "ok", "ok", "ok", "ok", "ok", "ok"}},
    {"overwrite", "create 0 f W RWD overwrite none", {LOCKED, LOCKED, "ok", "ok", SV, "ok", "ok"}},
    {"overwrite-if", "create 0 f W RWD overwrite-if none", {LOCKED, LOCKED, "ok", "ok", SV, "ok", "ok"}},
    {"supersede", "create 0 f WD RWD supersede none", {LOCKED, LOCKED, "ok", "ok", SV, "ok", "ok"}},
};

/* --- What an open is granted. */
static const struct matrix_column held[] = {
    {"nothing", ""},
    {"read-before", "op READ"},
    {"lock-shared", "nlm 1 sh 0 10"},
    {"lock-exclusive", "nlm 1 ex 0 10"},
    {"lock-far-away", "nlm 1 sh 1000000 1"},
    {"waiter", "create 1 f RW RWD open none; try-ex 1 0 1; nlm 1 ex 0 10 block = BLOCKED"},
    {"share", "share 1 R -"},
    {"lock-released", "nlm 1 ex 0 10; nlm 1 un 0 10"},
    {"share-released", "share 1 RW -; unshare 1 RW -"},
};
static const struct matrix_row grants[] = {
    {"RWH",
     "create 0 f RW RWD open RWH; granted 0", {"+RWH", "+RWH", "+NONE", "+NONE", "+NONE", "+NONE", "+RH", "+RWH",
     "+RWH"}},
    {"RH",
     "create 0 f RW RWD open RH; granted 0", {"+RH", "+RH", "+NONE", "+NONE", "+NONE", "+NONE", "+RH", "+RH", "+RH"}},
    {"RW",
     "create 0 f RW RWD open RW; granted 0", {"+RW", "+RW", "+NONE", "+NONE", "+NONE", "+NONE", "+R", "+RW", "+RW"}},
    {"R", "create 0 f RW RWD open R; granted 0", {"+R", "+R", "+NONE", "+NONE", "+NONE", "+NONE", "+R", "+R", "+R"}},
    {"II",
     "create 0 f RW RWD open II; granted 0", {"+II", "+II", "+NONE", "+NONE", "+NONE", "+NONE", "+II", "+II", "+II"}},
    {"EX",
     "create 0 f RW RWD open EX; granted 0", {"+EX", "+EX", "+NONE", "+NONE", "+NONE", "+NONE", "+II", "+EX", "+EX"}},
    {"BATCH", "create 0 f RW RWD open BATCH; granted 0",
     {"+BATCH", "+BATCH", "+NONE", "+NONE", "+NONE", "+NONE", "+II", "+BATCH", "+BATCH"}},
};

/* --- Through an open: the NFS lock lies on 0..9. */
static const struct matrix_column locked[] = {
    {"lock-shared", "create 0 f RWDC RWD open none; nlm 1 sh 0 10"},
    {"lock-exclusive", "create 0 f RWDC RWD open none; nlm 1 ex 0 10"},
    {"waiter",
     "create 0 f RWDC RWD open none; create 1 f RW RWD open none; try-ex 1 0 1; nlm 1 ex 0 10 block = BLOCKED"},
    {"share-deny", "create 0 f RWDC RWD open none; create 1 f A RWD open none; share 1 R R = DENIED"},
};
#define FLC "FILE_LOCK_CONFLICT"
#define LNG "LOCK_NOT_GRANTED"
static const struct matrix_row through[] = {
    {"READ", "read 0 5 5", {"ok", FLC, "ok", "ok"}},
    {"WRITE", "write 0 5 5", {FLC, FLC, "ok", "ok"}},
    {"READ-beside", "read 0 10 10", {"ok", "ok", "ok", "ok"}},
    {"WRITE-beside", "write 0 10 10", {"ok", "ok", "ok", "ok"}},
    {"LOCK-shared-now", "try-sh 0 5 5", {"ok", LNG, "ok", "ok"}},
    {"LOCK-exclusive-now", "try-ex 0 5 5", {LNG, LNG, "ok", "ok"}},
    {"LOCK-exclusive-beside", "try-ex 0 10 5", {"ok", "ok", "ok", "ok"}},
    {"LOCK-shared", "lock-sh 0 5 5",
     {"ok", "> x; x waits; nlm 1 un 0 10; x = ok 1000", "> x; x waits; unlock 1 0 1; grant 1; x waits;"
     "nlm 1 un 0 10; x = ok 1000",
      "ok"}},
    {"LOCK-exclusive", "lock-ex 0 5 5",
     {"> x; x waits; nlm 1 un 0 10; x = ok 1000", "> x; x waits; nlm 1 un 0 10; x = ok 1000",
      "> x; x waits; unlock 1 0 1; grant 1; x waits; nlm 1 un 0 10; x = ok 1000", "ok"}},
    {"LOCK-cancelled", "lock-ex 0 5 5",
     {"> x; x waits; cancel x; x = CANCELLED; nlm 1 un 0 10; try-ex 0 0 100",
      "> x; x waits; cancel x; x = CANCELLED; nlm 1 un 0 10; try-ex 0 0 100", NULL, NULL}},
    {"LOCK-closed", "lock-ex 0 5 5",
     {"> x; x waits; close 0; x = RANGE_NOT_LOCKED", "> x; x waits; close 0; x = RANGE_NOT_LOCKED", NULL, NULL}},
    {"size-shrinks", "size 0 5", {FLC, FLC, "ok", "ok"}},
    {"size-shrinks-beside", "size 0 50", {"ok", "ok", "ok", "ok"}},
    {"allocation-shrinks", "reserve 0 5", {FLC, FLC, "ok", "ok"}},
    {"allocation-shrinks-beside", "reserve 0 50", {"ok", "ok", "ok", "ok"}},
    {"SET_INFO-security", "secure 0", {"ok", "ok", "ok", "ok"}},
    {"link", "link 0 link; nfs-lookup link", {"ok", "ok", "ok", "ok"}},
    {"link-keeps-the-lock", "link 0 link; write 0 5 5", {FLC, FLC, NULL, NULL}},
    {"delete-on-close", "close 0; create 0 f D RWD open none delete; close 0;"
     "nfs-lookup f", {"NOENT", "NOENT", NULL, NULL}},
    {"LOCK-waits-visibly", "lock-ex 0 5 5",
     {"> x; x pends; nlm 1 un 0 10; x = ok 1000", "> x; x pends; nlm 1 un 0 10; x = ok 1000",
      "> x; x pends; cancel x; x = CANCELLED; unlock 1 0 1; grant 1", NULL}},
    {"SET_INFO-times", "touch 0", {"ok", "ok", "ok", "ok"}},
    {"rename", "rename 0 new; nfs-lookup new", {"ok", "ok", "ok", "ok"}},
    {"rename-keeps-the-lock", "rename 0 new; write 0 5 5", {FLC, FLC, NULL, NULL}},
    {"delete", "delete 0; close 0; nfs-lookup f", {"NOENT", "NOENT", NULL, NULL}},
    {"FLUSH", "flush 0", {"ok", "ok", "ok", "ok"}},
    {"CLOSE", "close 0", {"ok", "ok", "ok", "ok"}},
    {"WRITE", "write 0 5 5", {"ok", "ok", NULL, NULL}, "nlm_enforce_on_smb=no"},
    {"READ", "read 0 5 5", {"ok", "ok", NULL, NULL}, "nlm_enforce_on_smb=no"},
};

static const struct matrix_row others[] = {
    {"unlock-wakes-an-NFS-waiter",
     "create 0 f RW RWD open none; try-ex 0 0 10; nlm 1 ex 0 10 block = BLOCKED; no-grant 1 150; unlock 0 0 10;"
     "grant 1 1000"},
    {"close-wakes-an-NFS-waiter",
     "create 0 f RW RWD open none; try-ex 0 0 10; nlm 1 ex 0 10 block = BLOCKED; close 0; grant 1 1000"},
    {"under-a-share-that-denies-writes",
     "share 1 R W; create 0 f RDC RWD open none; read 0 0 10; try-sh 0 0 10; unlock 0 0 10; secure 0; flush 0 = any;"
     "rename 0 new; delete 0; close 0; nfs-lookup new = NOENT"},
    {"under-a-share-that-denies-reads",
     "share 1 W R; create 0 f WDC RWD open none; write 0 0 10; try-ex 0 0 10; unlock 0 0 10; size 0 50;"
     "reserve 0 20; touch 0; flush 0; link 0 link; close 0"},
    {"unlock-must-be-exact", "create 0 f RW RWD open none; try-ex 0 0 10; unlock 0 0 5 = RANGE_NOT_LOCKED"},
    {"cancelled-NFS-waiter",
     "create 0 f RW RWD open none; try-ex 0 0 10; nlm 1 ex 0 10 block = BLOCKED; nlm 1 cancel 0 10; unlock 0 0 10;"
     "no-grant 1 300"},
    {"first-come-first-served",
     "create 0 f RW RWD open none; create 1 f RW RWD open none; try-ex 0 0 10; nlm 1 ex 0 10 block = BLOCKED;"
     "lock-ex 1 0 10 > x;"
     "x waits; unlock 0 0 10; grant 1; x waits; nlm 1 un 0 10; x = ok 1000"},
    {"sharers-together",
     "create 0 f RW RWD open none; create 1 f RW RWD open none; try-ex 0 0 10; nlm 1 sh 0 10 block = BLOCKED;"
     "lock-sh 1 0 10 > x;"
     "x waits; unlock 0 0 10; grant 1; x = ok 1000"},
    {"free-all-releases",
     "create 0 f RW RWD open none; nlm 1 ex 0 10; try-ex 0 0 10 = LOCK_NOT_GRANTED; free 1; try-ex 0 0 10"},
    {"test-names-the-holder", "create 0 f RW RWD open none; try-ex 0 0 10; nlm 1 test 0 10 = DENIED"},
    {"removed-over-NFS",
     "create 0 f RWD RWD open none; op REMOVE; create 1 f R RWD open none = OBJECT_NAME_NOT_FOUND"},
    {"name-of-an-orphan",
     "create 0 f RWD RWD open none; op REMOVE; create 1 f R RWD create none; close 0; nfs-lookup f"},
    {"delete-pending-denies-opens",
     "create 0 f RWD RWD open none; delete 0; create 1 f R RWD open none = DELETE_PENDING"},
    {"delete-kills-the-locked", "create 0 f RWD RWD open none; nlm 1 ex 0 10; delete 0; close 0; op READ = STALE"},
    {"rename-over-what-NFS-locked",
     "prepare RENAME-over; nlm 1 ex 0 10; create 0 src RWD RWD open none; rename 0 f; close 0;"
     "nfs-lookup src = NOENT"},
    {"overwrite-beside-the-lock", "nlm 1 ex 1000 10; create 0 f W RWD overwrite none; expect-size 0"},
    {"overwrite-refused-changes-nothing",
     "nlm 1 ex 0 10; create 0 f W RWD overwrite none = FILE_LOCK_CONFLICT|SHARING_VIOLATION; expect-size 100"},
    {"extending-over-a-lock",
     "nlm 1 ex 200 10; create 0 f RW RWD open none; size 0 300 = FILE_LOCK_CONFLICT; size 0 200; expect-size 200"},
    {"extending-over-a-shared-lock", "nlm 1 sh 200 10; create 0 f RW RWD open none; size 0 300 = FILE_LOCK_CONFLICT"},
    {"silly-renamed",
     "create 0 f RWD RWD open none; nfs-rename f .nfs0123; create 1 f R RWD open none = OBJECT_NAME_NOT_FOUND;"
     "create 1 .nfs0123 A RWD open none; attributes 1 hidden; write 0 0 10"},
    {"silly-renamed-then-deleted",
     "nfs-rename f .nfs0123; create 0 .nfs0123 D RWD open none; attributes 0 hidden; delete 0; close 0;"
     "op READ = STALE"},
    {"removed-name-made-anew-over-NFS",
     "create 0 f RWD RWD open none; op REMOVE; nfs-create f; write 0 0 10; create 1 f RWD - open none;"
     "read 1 0 10 = any;"
     "close 1; close 0; nfs-lookup f"},
    {"delete-pending-and-shares", "create 0 f RWD RWD open none; share 1 R -; delete 0; close 0; op READ = STALE"},
    {"open-waits-visibly",
     "hold 0 RWH; create 1 f RW RWD open none > c; break 0 RWH RH A; c pends; c waits; ack 0 RH; c = ok"},
    {"open-cancelled",
     "hold 0 RWH; create 1 f RW - open none > c; c pends; cancel c 1; c = CANCELLED; op GETATTR; close 0; op READ"},
    {"range-beyond-the-last-byte",
     "create 0 f RW RWD open none; try-ex 0 18446744073709551615 2 = INVALID_LOCK_RANGE;"
     "try-ex 0 18446744073709551615 1;"
     "nlm 1 ex 10 0 = DENIED"},
    {"own-ranges-stack",
     "create 0 f RW RWD open none; try-ex 0 0 10; try-sh 0 0 10; try-ex 0 5 10 = LOCK_NOT_GRANTED; unlock 0 0 10;"
     "write 0 0 10 = FILE_LOCK_CONFLICT; read 0 0 10; nlm 1 sh 0 10; nlm 1 un 0 10; unlock 0 0 10; write 0 0 10"},
    {"write-seen-at-once", "create 0 f RW RWD open none; write 0 100 50; expect-size 150"},
    {"hold-off-after-a-write",
     "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; ack 0 NONE; w = ok; close 0; create 0 f RW RWD open RWH;"
     "granted 0 NONE"},
    {"hold-off-after-a-read",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; ack 0 RH; r = ok; close 0; create 0 f RW RWD open RWH;"
     "granted 0 RH"},
    {"hold-off-of-reading-is-short",
     "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; ack 0 NONE; w = ok; close 0; idle 1300;"
     "create 0 f RW RWD open RWH; granted 0 RH"},
    {"no-handle-caching-of-the-deleted",
     "create 1 f RWD RWD open none; create 0 f RW RWD open RWH; granted 0 RH; delete 1 > d; break 0 RH R A;"
     "ack 0 R; d = ok"},
};

void cells_smb(struct cell_list *l)
{
    static const struct matrix all[] = {
        {"open", opened, ARRAY_LEN(opened), opens, ARRAY_LEN(opens), 1},
        {"grant", held, ARRAY_LEN(held), grants, ARRAY_LEN(grants), 1},
        {"through", locked, ARRAY_LEN(locked), through, ARRAY_LEN(through), 2},
        {"smb", NULL, 0, others, ARRAY_LEN(others), 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        matrix_cells(l, &all[i]);
}
