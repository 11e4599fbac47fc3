/* cells_ack.c - operations that meet a break under way, what acknowledgements do, and who else ends a break. */
#include "script.h"

static const struct matrix_row meeting[] = {
    {"joins-the-wait",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; op TEST > t; t waits; quiet 0; ack 0 RH; r = ok; t = ok"},
    {"joins-the-wait-oplock",
     "hold 0 BATCH; op READ > r; break 0 - II A; op TEST > t; t waits; quiet 0; ack 0 II; r = ok; t = ok"},
    {"write-meets-RWH-to-RH",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; op WRITE > w; w waits; quiet 0; ack 0 RH; break 0 RH R A; ack 0 R;"
     "break 0 R NONE n; r = ok; w = ok"},
    {"size-meets-RWH-to-RH",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; op SETATTR-size > w; w waits; ack 0 RH; break 0 RH R A; ack 0 R;"
     "break 0 R NONE n; r = ok; w = ok"},
    {"truncation-meets-RWH-to-RH",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; op CREATE-truncate > w; w waits; ack 0 RH; break 0 RH R A; ack 0 R;"
     "break 0 R NONE n; r = ok; w = ok"},
    {"remove-of-all-meets-RWH-to-RH",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; op REMOVE > d; d waits; ack 0 RH; break 0 RH R A; d waits; ack 0 R;"
     "break 0 R NONE n; r = ok; d = ok"},
    {"lock-meets-RWH-to-RH",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; op LOCK-exclusive > w; w waits; ack 0 RH; break 0 RH R A; ack 0 R;"
     "break 0 R NONE n; r = ok; w = ok"},
    {"write-meets-RW-to-R",
     "hold 0 RW; op READ > r; break 0 RW R A; op WRITE > w; w waits; ack 0 R; break 0 R NONE n; r = ok; w = ok"},
    {"read-meets-RWH-to-NONE",
     "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; op READ > r; r waits; quiet 0; ack 0 NONE; w = ok; r = ok"},
    {"write-meets-RH-to-NONE", "hold 0 RH; op WRITE; break 0 RH NONE A; op WRITE; quiet 0; ack 0 NONE"},
    {"read-meets-RH-to-NONE", "hold 0 RH; op WRITE; break 0 RH NONE A; op READ; quiet 0; ack 0 NONE"},
    {"remove-meets-RH-to-NONE",
     "hold 0 RH; op WRITE; break 0 RH NONE A; op REMOVE > d; d waits; quiet 0; ack 0 NONE; d = ok"},
    {"rename-meets-RH-to-NONE",
     "hold 0 RH; op WRITE; break 0 RH NONE A; op RENAME > d; d waits; quiet 0; ack 0 NONE; d = ok"},
    {"write-meets-EX-to-II",
     "hold 0 EX; op READ > r; break 0 - II A; op WRITE > w; w waits; ack 0 II; break 0 - NONE A; r = ok; w = ok"},
    {"write-meets-BATCH-to-II",
     "hold 0 BATCH; op READ > r; break 0 - II A; op WRITE > w; w waits; ack 0 II; break 0 - NONE A; r = ok; w = ok"},
    {"lock-meets-BATCH-to-II",
     "hold 0 BATCH; op READ > r; break 0 - II A; op LOCK-exclusive > w; w waits; ack 0 II; break 0 - NONE A;"
     "r = ok; w = ok"},
    {"directory-is-told-once", "hold-dir 0 RH; op WRITE; break 0 RH NONE A; op WRITE; op CREATE; quiet 0; ack 0 NONE"},
    {"getattr-meets-RWH-to-NONE", "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; op GETATTR; ack 0 NONE; w = ok"},
    {"read-meets-RWH-to-RW",
     "hold 0 RWH; op REMOVE > d; break 0 RWH RW A; op READ > r; r waits; ack 0 RW; d = ok",
     {NULL}, "delete_break=handle"},
    {"remove-meets-RWH-to-RH",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; op REMOVE > d; d waits; ack 0 RH; break 0 RH R A;"
     "d waits; ack 0 R; r = ok; d = ok", {NULL}, "delete_break=handle"},
    {"rename-meets-RWH-to-RH",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; op RENAME > d; d waits; ack 0 RH; break 0 RH R A;"
     "d waits; ack 0 R; r = ok; d = ok", {NULL}, "delete_break=handle"},
};

static const struct matrix_row answers[] = {
    {"oplock-lease-level", "hold 0 BATCH; op READ > r; break 0 - II A; ack 0 LEASE = INVALID_PARAMETER; r = ok"},
    {"fewer-than-asked", "hold 0 RWH; op READ > r; break 0 RWH RH A; ack 0 NONE; r = ok; op WRITE; quiet 0"},
    {"more-than-asked",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; ack 0 RWH = REQUEST_NOT_ACCEPTED; r waits; ack 0 RH; r = ok"},
    {"other-than-asked",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; ack 0 RW = REQUEST_NOT_ACCEPTED; r waits; ack 0 RH; r = ok"},
    {"more-than-nothing",
     "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; ack 0 R = REQUEST_NOT_ACCEPTED; w waits; ack 0 NONE; w = ok"},
    {"none-under-way", "hold 0 RWH; ack 0 RH = UNSUCCESSFUL; op READ > r; break 0 RWH RH A; ack 0 RH; r = ok"},
    {"twice", "hold 0 RWH; op READ > r; break 0 RWH RH A; ack 0 RH; r = ok; ack 0 RH = UNSUCCESSFUL"},
    {"not-required", "hold 0 R; op WRITE; break 0 R NONE n; ack 0 NONE = UNSUCCESSFUL"},
    {"unknown-key", "hold 0 RWH; ack-strange 0 = OBJECT_NAME_NOT_FOUND"},
    {"oplock-none-under-way", "hold 0 BATCH; ack 0 II = INVALID_DEVICE_STATE"},
    {"oplock-above-none", "hold 0 EX; op WRITE > w; break 0 - NONE A; ack 0 II = INVALID_OPLOCK_PROTOCOL; w = ok"},
    {"oplock-above-II", "hold 0 EX; op READ > r; break 0 - II A; ack 0 EX = INVALID_OPLOCK_PROTOCOL; r = ok"},
    {"oplock-to-none-for-II", "hold 0 BATCH; op READ > r; break 0 - II A; ack 0 NONE; r = ok; op WRITE; quiet 0"},
    {"too-late",
     "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; w waits half; w = ok|JUKEBOX timeout; idle 200;"
     "ack 0 NONE = UNSUCCESSFUL"},
    {"too-late-oplock",
     "hold 0 BATCH; op WRITE > w; break 0 - NONE A; w waits half; w = ok|JUKEBOX timeout; idle 200;"
     "ack 0 NONE = INVALID_DEVICE_STATE"},
    {"epoch-of-the-first-break", "hold 0 RWH; op READ > r; break 0 RWH RH A; epoch 0 2; ack 0 RH; r = ok"},
    {"epoch-of-the-second-break",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; ack 0 RH; r = ok; op WRITE; break 0 RH NONE A; epoch 0 3;"
     "ack 0 NONE"},
    {"flush-before-it",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; write 0 0 50; r waits; write 0 50 50; flush 0; r waits; ack 0 RH;"
     "r = ok"},
    {"lock-pushed-before-it",
     "hold 0 RWH; op LOCK-exclusive > n; break 0 RWH NONE A; try-ex 0 0 10; n waits; ack 0 NONE; n = DENIED"},
    {"lock-pushed-before-a-read",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; try-ex 0 0 100; r waits; ack 0 RH; r waits 500; r = ACCES 1500"},
    {"lock-pushed-and-released",
     "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; try-ex 0 0 100; ack 0 NONE; w waits; unlock 0 0 100; w = ok 1000"},
    {"lock-pushed-beside",
     "hold 0 RWH; op LOCK-exclusive > n; break 0 RWH NONE A; try-ex 0 50 10; ack 0 NONE; n = ok"},
};

/* Whoever holds it is gone: as good as an acknowledgement, and at once. */
static const struct matrix_column gone[] = {
    {"RWH", "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; w waits"},
    {"RW", "hold 0 RW; op LOCK-exclusive > w; break 0 RW NONE A; w waits"},
    {"RH", "hold 0 RH; op REMOVE > w; break 0 RH NONE A; w waits"},
    {"EX", "hold 0 EX; op READ > w; break 0 - II A; w waits"},
    {"BATCH", "hold 0 BATCH; op SETATTR-size > w; break 0 - NONE A; w waits"},
};
#define AT_ONCE {"> x; w = ok 1000", "> x; w = ok 1000", "> x; w = ok 1000", "> x; w = ok 1000", "> x; w = ok 1000"}
static const struct matrix_row leaving[] = {
    {"closes", "close 0", AT_ONCE},
    {"logs-off", "logoff 0", AT_ONCE},
    {"leaves-the-share", "leave 0", AT_ONCE},
};
static const struct matrix_row lost[] = {
    {"loses-its-connection/RWH", "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; w waits; drop 0; w = ok 1000"},
    {"loses-its-connection/RH", "hold 0 RH; op REMOVE > w; break 0 RH NONE A; w waits; drop 0; w = ok 1000"},
    {"loses-its-connection/EX", "hold 0 EX; op READ > w; break 0 - II A; w waits; drop 0; w = ok 1000"},
    {"loses-its-connection/BATCH",
     "hold 0 BATCH; op SETATTR-size > w; break 0 - NONE A; w waits; drop 0; w = ok 1000"},
    {"lost-before/RWH", "hold 0 RWH; drop 0; op WRITE"},
    {"lost-with-range", "hold 0 none; try-ex 0 0 100; op LOCK-exclusive-blocking = BLOCKED; drop 0; grant 1"},
};

/* --- Two holders, one operation. */
static const struct matrix_row several[] = {
    {"two-of-RH",
     "hold 0 RH; hold 1 RH; op REMOVE > d; break 0 RH NONE A; break 1 RH NONE A; d waits; ack 0 NONE; d waits;"
     "ack 1 NONE; d = ok"},
    {"two-of-RH-written",
     "hold 0 RH; hold 1 RH; op WRITE; break 0 RH NONE A; break 1 RH NONE A; ack 0 NONE; ack 1 NONE"},
    {"R-and-RH", "hold 0 R; hold 1 RH; op WRITE; break 0 R NONE n; break 1 RH NONE A; ack 1 NONE"},
    {"two-of-RH-read", "hold 0 RH; hold 1 RH; op READ; quiet 0; quiet 1"},
    {"two-of-II", "hold 0 II; hold 1 II; op WRITE; break 0 - NONE n; break 1 - NONE n"},
    {"rename-breaks-all-at-once",
     "prepare RENAME-over; create 0 src RWD RWD open RWH; granted 0 RWH; hold 1 RWH; op RENAME-over > d;"
     "break 0 RWH NONE A; break 1 RWH NONE A; d waits; ack 1 NONE; d waits; ack 0 NONE; d = ok"},
    {"three-wait-for-one",
     "hold 0 RWH; op READ > r; break 0 RWH RH A; op TEST > t; op READ > q; r waits; t waits; q waits; quiet 0; close 0;"
     "r = ok 1000; t = ok 1000; q = ok 1000"},
    {"writer-then-reader", "hold 0 RWH; op WRITE > w; break 0 RWH NONE A; op READ > r; ack 0 NONE; w = ok; r = ok"},
};

#define TABLE(section, columns, rows, quick) {section, columns, ARRAY_LEN(columns), rows, ARRAY_LEN(rows), quick}
#define LIST(section, rows, quick) {section, NULL, 0, rows, ARRAY_LEN(rows), quick}

void cells_ack(struct cell_list *l)
{
    static const struct matrix all[] = {
        LIST("meets", meeting, 1),          LIST("ack", answers, 4), TABLE("holder", gone, leaving, 1),
        LIST("holder", lost, 1), LIST("holders", several, 2),
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        matrix_cells(l, &all[i]);
}
