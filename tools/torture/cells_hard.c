/* cells_hard.c - an operation of NFS or NLM meets what no break removes: share modes, byte ranges, delete-pending. */
#include "script.h"

/* Nothing here caches: what is refused is refused by the open itself. */
static const struct matrix_column columns[] = {
    {"no-share-read", "create 0 f RWD WD open none"},
    {"no-share-write", "create 0 f RWD RD open none"},
    {"no-share-delete", "create 0 f RW RW open none"},
    {"range-shared", "create 0 f RWD RWD open none; try-sh 0 0 100"},
    {"range-exclusive", "create 0 f RWD RWD open none; try-ex 0 0 100"},
    {"delete-pending", "create 0 f RWD RWD open none; delete 0"},
    {"share-all", "create 0 f RWD RWD open none"},
};
#define ALL(s) {s, s, s, s, s, s, s}
static const struct matrix_row rows[] = {
    {"READ", "op READ", {"ACCES", "ok", "ok", "ok", "ACCES", "ok", "ok"}},
    {"WRITE", "op WRITE", {"ok", "ACCES", "ok", "ACCES", "ACCES", "ok", "ok"}},
    {"SETATTR-size", "op SETATTR-size", {"ok", "ACCES", "ok", "ACCES", "ACCES", "ok", "ok"}},
    {"SETATTR-mode", "op SETATTR-mode", ALL("ok")},
    {"SETATTR-owner", "op SETATTR-owner", ALL("ok")},
    {"SETATTR-times", "op SETATTR-times", ALL("ok")},
    {"CREATE-truncate", "op CREATE-truncate", {"ok", "ACCES", "ok", "ACCES", "ACCES", "ACCES|JUKEBOX", "ok"}},
    {"CREATE-unchecked", "op CREATE-unchecked", {"ok", "ok", "ok", "ok", "ok", "ACCES|JUKEBOX", "ok"}},
    {"CREATE-guarded", "op CREATE-guarded", ALL("EXIST")},
    {"CREATE-exclusive", "op CREATE-exclusive", ALL("EXIST")},
    {"REMOVE", "op REMOVE", {"ok", "ok", "ACCES", "ok", "ok", "ok", "ok"}},
    {"RENAME", "op RENAME", {"ok", "ok", "ACCES", "ok", "ok", "ACCES", "ok"}},
    {"RENAME-over", "prepare RENAME-over; op RENAME-over", {"ok", "ok", "ACCES", "ok", "ok", "ok", "ok"}},
    {"LINK", "op LINK", {"ok", "ok", "ok", "ok", "ok", "ACCES", "ok"}},
    {"MKDIR", "op MKDIR-same-name", ALL("EXIST")},
    {"SYMLINK", "op SYMLINK-same-name", ALL("EXIST")},
    {"MKNOD", "op MKNOD-same-name", ALL("EXIST")},
    {"GETATTR", "op GETATTR", ALL("ok")},
    {"LOCK-shared", "op LOCK-shared", {"ok", "ok", "ok", "ok", "DENIED", "ok", "ok"}},
    {"LOCK-exclusive", "op LOCK-exclusive", {"ok", "ok", "ok", "DENIED", "DENIED", "ok", "ok"}},
    {"LOCK-shared-blocking", "op LOCK-shared-blocking",
     {"ok", "ok", "ok", "ok", "= BLOCKED; no-grant 1 150; unlock 0 0 100; grant 1", "ok", "ok"}},
    {"LOCK-exclusive-blocking", "op LOCK-exclusive-blocking",
     {"ok", "ok", "ok", "= BLOCKED; no-grant 1 150; unlock 0 0 100; grant 1",
      "= BLOCKED; no-grant 1 150; close 0; grant 1", "ok", "ok"}},
    {"TEST", "op TEST", {"ok", "ok", "ok", "DENIED", "DENIED", "ok", "ok"}},
    {"TEST-shared", "op TEST-shared", {"ok", "ok", "ok", "ok", "DENIED", "ok", "ok"}},
    {"SHARE-read", "op SHARE-read", {"DENIED", "ok", "ok", "ok", "ok", "DENIED", "ok"}},
    {"SHARE-write", "op SHARE-write", {"ok", "DENIED", "ok", "ok", "ok", "DENIED", "ok"}},
    {"SHARE-deny", "op SHARE-deny", ALL("DENIED")},
    {"READ", "op READ", {"ok", "ok", "ok", "ok", "ACCES", "ok", "ok"}, "smb_share_vs_nfs=ignore"},
    {"WRITE", "op WRITE", {"ok", "ok", "ok", "ACCES", "ACCES", "ok", "ok"}, "smb_share_vs_nfs=ignore"},
    {"READ", "op READ", {NULL, NULL, NULL, "ok", "ok", NULL, NULL}, "smb_brl_vs_nfs=write"},
    {"WRITE", "op WRITE", {NULL, NULL, NULL, "ACCES", "ACCES", NULL, NULL}, "smb_brl_vs_nfs=write"},
    {"READ", "op READ", {NULL, NULL, NULL, "ok", "ok", NULL, NULL}, "smb_brl_vs_nfs=advisory"},
    {"WRITE", "op WRITE", {NULL, NULL, NULL, "ok", "ok", NULL, NULL}, "smb_brl_vs_nfs=advisory"},
    {"REMOVE", "op REMOVE", {NULL, NULL, "ok", NULL, NULL, NULL, NULL}, "unlink=unix"},
    {"RENAME", "op RENAME", {NULL, NULL, "ok", NULL, NULL, NULL, NULL}, "unlink=unix"},
    {"RENAME-over", "prepare RENAME-over; op RENAME-over", {NULL, NULL, "ok", NULL, NULL, NULL, NULL}, "unlink=unix"},
};

static const struct matrix_row others[] = {
    {"RMDIR-no-share-delete", "prepare RMDIR; create 0 sub R RW open none; op RMDIR", {"ACCES"}},
    {"RMDIR-share-all", "prepare RMDIR; create 0 sub R RWD open none; op RMDIR", {"ok"}},
    {"write-beside-range", "create 0 f RW RWD open none; try-ex 0 10 90; op WRITE", {"ok"}},
    {"write-at-range", "create 0 f RW RWD open none; try-ex 0 9 1; op WRITE", {"ACCES"}},
    {"shrink-beside-range", "create 0 f RW RWD open none; try-ex 0 0 50; op SETATTR-size", {"ok"}},
    {"shrink-over-range", "create 0 f RW RWD open none; try-ex 0 99 1; op SETATTR-size", {"ACCES"}},
    {"zero-length-range-inside", "create 0 f RW RWD open none; try-ex 0 5 0; op WRITE", {"ACCES"}},
    {"zero-length-range-at-edge", "create 0 f RW RWD open none; try-ex 0 10 0; op WRITE", {"ok"}},
    {"read-parked-until-unlock",
     "create 0 f RW RWD open none; try-ex 0 0 100; op READ > r; r waits; unlock 0 0 100; r = ok 900", {NULL}},
    {"write-parked-until-unlock",
     "create 0 f RW RWD open none; try-sh 0 0 100; op WRITE > r; r waits; unlock 0 0 100; r = ok 900", {NULL}},
    {"write-parked-until-close",
     "create 0 f RW RWD open none; try-ex 0 0 100; op WRITE > r; r waits; close 0; r = ok 900", {NULL}},
    {"size-is-not-parked", "create 0 f RW RWD open none; try-ex 0 0 100; op SETATTR-size > r; r = ACCES 300", {NULL}},
    {"RMDIR-reading-only", "prepare RMDIR; create 0 sub R R open none; op RMDIR", {"ACCES"}},
    {"REMOVE-conflict-breaks-handle",
     "create 0 f R RW open RH; granted 0 RH; op REMOVE > r; break 0 RH R A; r waits; close 0; r = ok", {NULL}},
    {"REMOVE-conflict-handle-kept",
     "create 0 f R RW open RH; granted 0 RH; op REMOVE > r; break 0 RH R A; r waits; ack 0 R; r = ACCES", {NULL}},
    {"SHARE-conflict-breaks-handle",
     "create 0 f RW - open RWH; granted 0 RWH; share 1 R - > s; break 0 RWH RW A; s waits; close 0; s = ok", {NULL}},
    {"SHARE-conflict-handle-kept",
     "create 0 f RW - open RWH; granted 0 RWH; share 1 R - > s; break 0 RWH RW A; s waits; ack 0 RW;"
     "s = DENIED", {NULL}},
    {"SHARE-conflict-of-RH",
     "create 0 f R R open RH; granted 0 RH; share 1 W - > s; break 0 RH R A; s waits; ack 0 R; s = DENIED", {NULL}},
    {"SHARE-conflict-of-BATCH",
     "create 0 f RW - open BATCH; granted 0 BATCH; share 1 R - > s; break 0 - II A; s waits; close 0; s = ok", {NULL}},
    {"SHARE-deny-breaks-handle",
     "create 0 f RW RWD open RH; granted 0 RH; share 1 R W > s; break 0 RH R A; s waits; close 0; s = ok", {NULL}},
    {"share-conflict-breaks-handle",
     "create 0 f R - open RWH; granted 0 RWH; op READ > r; break 0 RWH RW A; r waits; close 0; r = ok", {NULL}},
    {"share-conflict-handle-kept",
     "create 0 f RW - open RWH; granted 0 RWH; op READ > r; break 0 RWH RW A; r waits; ack 0 RW; r = ACCES", {NULL}},
    {"share-conflict-asked-once",
     "create 0 f RW - open RWH; granted 0 RWH; op READ > r; break 0 RWH RW A; ack 0 RW; r = ACCES; op READ = ACCES;"
     "quiet 0",
     {NULL}},
    {"remove-delete-pending-name-reused",
     "create 0 f RWD RWD open none; delete 0; op REMOVE; nfs-create f; close 0; nfs-lookup f", {"ok"}},
    {"removed-file-stays-open",
     "create 0 f RWD RWD open none; op REMOVE; write 0 0 10; read 0 0 10; close 0; nfs-lookup f", {"NOENT"}},
    {"renamed-file-stays-open",
     "create 0 f RWD RWD open none; op RENAME; write 0 0 10; close 0; nfs-lookup new", {"ok"}},
    {"delete-on-close", "create 0 f RWD RWD open none; delete 0; nfs-lookup f; close 0; nfs-lookup f", {"NOENT"}},
    {"delete-taken-back", "create 0 f RWD RWD open none; delete 0; undelete 0; close 0; nfs-lookup f", {"ok"}},
};

void cells_hard(struct cell_list *l)
{
    static const struct matrix table = {"hard", columns, ARRAY_LEN(columns), rows, ARRAY_LEN(rows), 2};
    static const struct matrix rest = {"hard", NULL, 0, others, ARRAY_LEN(others), 2};
    matrix_cells(l, &table);
    matrix_cells(l, &rest);
}
