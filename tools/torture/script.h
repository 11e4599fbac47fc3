/* script.h - cells written as text. A script is steps separated by ';', a step is words separated by blanks:
 *
 *   VERB ARGUMENT...            does it; what sends a request expects "ok"
 *   VERB ARGUMENT... = STATUS   sends it, and expects that status ("any": whatever; "A|B": the one or the other)
 *   VERB ARGUMENT... > x        sends it, and goes on; x is a letter
 *   x waits [TIME]              is not answered for so long
 *   x pends [TIME]              of SMB: is answered STATUS_PENDING by then
 *   x again, x elsewhere        of NFS: is sent once more, over the same connection or a new one
 *   x = STATUS [TIME]           is answered so, in time; a "persist" that is told to come again does, until then
 *
 * TIME is in ms, or "half" or "timeout" of the server's break timeout ("timeout": and some grace). S is an SMB client
 * (0, 1), N an NFS host (0, 1, 2); operations of ops.c are host 1's. The verbs:
 *
 *   prepare OP, op OP, persist OP      an operation of ops.c; "prepare": what must be there first
 *   nfs-create, nfs-lookup, nfs-remove NAME; nfs-rename NAME NAME; nfs-drop: the connection breaks off; expect-size
 * BYTES hold S STATE; hold-dir S STATE     an open with a lease or oplock; it must be had for the cell create S NAME
 * ACCESS SHARE DISPOSITION STATE [delete] [directory] [durable-1|durable-2|persistent] [brief] an open (brief: to be
 * kept for 3 s only); granted S STATE; durable S yes|no; attributes S hidden|shown drop S: its connection breaks off;
 * return S: back to a durable open read, write, lock-sh, lock-ex, try-sh, try-ex, unlock S FIRST LENGTH; size, reserve
 * S BYTES; flush, touch, secure, delete, undelete, close, logoff, leave S; rename, link S NAME; cancel x [S] watch S
 * [NAME], notify S, unwatch S     CHANGE_NOTIFY on the cell's directory, or one in it; changes S WHAT NAME break S FROM
 * TO A|n; epoch S N: of that break; quiet S [TIME]: no further one; ack S STATE; ack-strange S nlm N
 * sh|ex|un|cancel|test FIRST LENGTH [block] [reclaim] [unmonitored] [udp] [message] holder N sh|ex SVID FIRST LENGTH as
 * the last test told; share N ACCESS DENY [reclaim]; unshare N ACCESS DENY; free N grant N [TIME]; no-grant N TIME one
 * more GRANTED for the host; answers N ok|DENIED|GRACE|nothing: to it restart N [STATE [OF]]             SM_NOTIFY, in
 * the name of host OF restart-server; notified N [TIME]: it gets SM_NOTIFY; idle TIME
 *
 * The first thing that goes otherwise is the cell's failure, and the rest is skipped. */
#pragma once
#include "cells.h"

void script_run(struct stage *g, const char *text);

/* A table of cells: each column is a script that sets the scene, each row one that acts in it; the row's status for
 * that
 * column says how it ends ("= STATUS" is put behind the row's script; what starts with '=' or '>' is put there as it
 * is, and what comes after a '+'; NULL: no such cell). Without columns a row has one status, NULL for "nothing more".
 * */
struct matrix_column {
    const char *name, *setup;
};
enum { MATRIX_COLUMNS = 9 };
struct matrix_row {
    const char *name, *text;
    const char *status[MATRIX_COLUMNS];
    const char *policy;
};
struct matrix {
    const char *section;
    const struct matrix_column *columns; /* NULL: none */
    size_t ncolumns;
    const struct matrix_row *rows;
    size_t nrows, nquick; /* the first rows are quick */
};
void matrix_cells(struct cell_list *l, const struct matrix *m);
