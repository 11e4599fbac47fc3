/* cells_nlm.c - the lock manager: locks of NFS hosts against each other, how they wait and are told, how hosts that
 * restart are forgotten, and every form in which it can be asked. */
#include "script.h"

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
    {"freed-host-has-unmonitored-locks", "nlm 0 ex 0 10 unmonitored; nlm 1 ex 0 10 = DENIED; free 0; nlm 1 ex 0 10"},
    {"free-all-of-waiter-and-share",
     "nlm 0 ex 0 10; nlm 1 ex 0 10 block = BLOCKED; share 1 R R; free 1; nlm 0 un 0 10; no-grant 1 300;"
     "create 0 f R RWD open none"},
    {"old-news-of-a-restart",
     "nlm 0 ex 0 10; restart 0 4711; nlm 1 ex 0 10; nlm 1 un 0 10; nlm 0 ex 0 10; restart 0 4711; restart 0 4709;"
     "idle 200; nlm 1 ex 0 10 = DENIED; restart 0 4713; idle 200; nlm 1 ex 0 10"},
    {"news-of-a-restart-from-somebody-else",
     "nlm 0 ex 0 10; nlm 1 ex 50 10; restart 1 4711 0; idle 200; nlm 1 ex 0 10 = DENIED"},
    {"news-of-a-restart-of-a-stranger", "nlm 0 ex 0 10; nlm 1 test 0 10 = DENIED; restart 1 4711;"
     "nlm 1 ex 0 10 = DENIED"},
    {"restart-ends-shares", "share 0 R R; nlm 0 ex 0 1; restart 0; idle 200; create 0 f R RWD open none"},
    {"asks-again-while-it-waits",
     "nlm 0 ex 0 10; nlm 1 ex 0 10 block = BLOCKED; nlm 2 ex 0 10 block = BLOCKED; nlm 1 ex 0 10 block = BLOCKED;"
     "nlm 0 un 0 10; grant 1 1000; no-grant 2 300; nlm 1 un 0 10; grant 2 1000"},
    {"asks-again-after-the-grant",
     "nlm 0 ex 0 10; nlm 1 ex 0 10 block = BLOCKED; nlm 0 un 0 10; grant 1 1000; nlm 1 ex 0 10 block"},
    {"cancelled-after-the-grant",
     "nlm 0 ex 0 10; answers 1 nothing; nlm 1 ex 0 10 block = BLOCKED; nlm 0 un 0 10; grant 1 1000;"
     "nlm 1 cancel 0 10 = any;"
     "nlm 0 ex 0 10"},
    {"grant-tried-again",
     "nlm 0 ex 0 10; answers 1 nothing; nlm 1 ex 0 10 block = BLOCKED; nlm 0 un 0 10; grant 1 1000;"
     "nlm 0 ex 0 10 = DENIED; answers 1 ok; grant 1 12000; nlm 0 ex 0 10 = DENIED"},
    {"grant-given-up",
     "nlm 0 ex 0 10; answers 1 nothing; nlm 1 ex 0 10 block = BLOCKED; nlm 0 un 0 10; grant 1 1000;"
     "nlm 0 ex 0 10 = DENIED;"
     "idle 61000; nlm 0 ex 0 10"},
    {"grant-refused",
     "nlm 0 ex 0 10; answers 1 DENIED; nlm 1 ex 0 10 block = BLOCKED; nlm 0 un 0 10; grant 1 1000; idle 200;"
     "nlm 0 ex 0 10"},
    {"grant-answered-by-grace",
     "nlm 0 ex 0 10; answers 1 GRACE; nlm 1 ex 0 10 block = BLOCKED; nlm 0 un 0 10; grant 1 1000; answers 1 ok;"
     "no-grant 1 8500; grant 1 3000"},
    {"starving-writer/NLM-shared",
     "nlm 0 sh 0 10; nlm 1 ex 0 10 block = BLOCKED; nlm 2 sh 0 10; nlm 2 un 0 10; idle 5200; nlm 2 sh 0 10 = DENIED;"
     "nlm 0 un 0 10; grant 1 1000"},
    {"starving-writer/NLM-shared-queues-behind",
     "nlm 0 sh 0 10; nlm 1 ex 0 10 block = BLOCKED; idle 5200; nlm 2 sh 0 10 block = BLOCKED; nlm 0 un 0 10;"
     "grant 1 1000;"
     "no-grant 2 300; nlm 1 un 0 10; grant 2 1000"},
    {"starving-writer/SMB-shared",
     "create 0 f RW RWD open none; nlm 0 sh 0 10; nlm 1 ex 0 10 block = BLOCKED; try-sh 0 0 10; unlock 0 0 10;"
     "idle 5200;"
     "try-sh 0 0 10 = LOCK_NOT_GRANTED; nlm 0 un 0 10; grant 1 1000"},
    {"starving-writer/SMB-writer",
     "create 0 f RW RWD open none; nlm 0 sh 0 10; lock-ex 0 0 10 > x; x pends; nlm 1 sh 0 10; nlm 1 un 0 10; idle 5200;"
     "nlm 1 sh 0 10 = DENIED; nlm 0 un 0 10; x = ok 1000"},
    {"circle-of-SMB-and-NFS",
     "create 0 f RW RWD open none; try-ex 0 0 10; nlm 1 ex 50 10; lock-ex 0 50 10 > x; x pends;"
     "nlm 1 ex 0 10 block = DEADLCK; nlm 1 un 50 10; x = ok 1000"},
    {"circle-that-SMB-closes",
     "create 0 f RW RWD open none; try-ex 0 0 10; nlm 1 ex 50 10; nlm 1 ex 0 10 block = BLOCKED; lock-ex 0 50 10 > x;"
     "x pends; x waits; cancel x; x = CANCELLED; unlock 0 0 10; grant 1 1000"},
    {"holder/exclusive", "nlm 0 ex 5 10; nlm 1 test 0 10 = DENIED; holder 1 ex 7 5 10"},
    {"holder/shared", "nlm 0 sh 5 10; nlm 1 test 0 10 = DENIED; holder 1 sh 7 5 10"},
    {"holder/to-the-end", "nlm 0 ex 5 0; nlm 1 test 0 10 = DENIED; holder 1 ex 7 5 0"},
    {"holder/SMB-exclusive", "create 0 f RW RWD open none; try-ex 0 5 10; nlm 1 test 0 10 = DENIED;"
     "holder 1 ex 0 5 10"},
    {"holder/SMB-shared", "create 0 f RW RWD open none; try-sh 0 5 10; nlm 1 test 0 10 = DENIED; holder 1 sh 0 5 10"},
    {"holder/SMB-no-bytes", "create 0 f RW RWD open none; try-ex 0 5 0; nlm 1 test 0 10 = DENIED; holder 1 ex 0 5 1"},
    {"of-a-file-that-is-gone", "op REMOVE; nlm 1 ex 0 10 = STALE_FH"},
    {"waiter-of-a-file-that-goes",
     "create 0 f RWD RWD open none; try-ex 0 0 10; nlm 1 ex 0 10 block = BLOCKED; delete 0; close 0; no-grant 1 500;"
     "nlm 1 ex 0 10 block = STALE_FH"},
    {"reclaim-outside-grace", "nlm 1 ex 0 10 reclaim = DENIED|GRACE|NOLOCKS|FAILED"},
    {"lock-never-binds-NFS", "nlm 0 ex 0 100; op READ; op WRITE"},
    {"shares-of-two-hosts", "share 0 R W; share 1 W - = DENIED; unshare 0 R W; share 1 W -"},
};

/* The forms of the protocol: over UDP, and as messages that are answered by messages. */
#define FORM(how)                                                                                                      \
    "nlm 0 ex 0 10 " how "; nlm 1 ex 0 10 " how " = DENIED; nlm 1 test 0 10 " how " = DENIED; holder 1 ex 7 0 10;"     \
    "nlm 1 test 50 10 " how "; nlm 1 ex 0 10 block " how " = BLOCKED; nlm 1 cancel 0 10 " how "; nlm 0 un 0 10 " how "; " \
    "no-grant 1 150; nlm 1 ex 0 10 " how "; nlm 0 ex 0 10 block " how " = BLOCKED; nlm 1 un 0 10 " how "; grant 0 1000"
static const struct matrix_row forms[] = {
    {"TCP", FORM("")},
    {"UDP", FORM("udp")},
    {"TCP-messages", FORM("message")},
    {"UDP-messages", FORM("udp message")},
    {"UDP-withheld", "hold 0 RWH; nlm 1 ex 0 10 udp > n; break 0 RWH NONE A; n waits; ack 0 NONE; n = ok 1000"},
    {"messages-withheld", "hold 0 RWH; nlm 1 ex 0 10 message > n; break 0 RWH NONE A; n waits; ack 0 NONE;"
     "n = ok 1000"},
    {"messages-meet-SMB",
     "create 0 f RW RWD open none; nlm 1 ex 0 10 message; write 0 5 5 = FILE_LOCK_CONFLICT; lock-ex 0 0 10 > x;"
     "x pends;"
     "nlm 1 un 0 10 message; x = ok 1000"},
};

void cells_nlm(struct cell_list *l)
{
    static const struct matrix all[] = {
        {"locks", NULL, 0, locks, ARRAY_LEN(locks), 2},
        {"forms", NULL, 0, forms, ARRAY_LEN(forms), 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        matrix_cells(l, &all[i]);
}
