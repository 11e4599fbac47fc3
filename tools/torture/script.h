/* script.h - cells written as text. A script is steps separated by ';', a step is words separated by blanks:
 *
 *   VERB ARGUMENT...            does it; what sends a request expects "ok"
 *   VERB ARGUMENT... = STATUS   sends it, and expects that status ("any": whatever; "A|B": the one or the other)
 *   VERB ARGUMENT... > x        sends it, and goes on; x is a letter
 *   x waits [TIME]              is not answered for so long
 *   x = STATUS [TIME]           is answered so, in time; a JUKEBOX of a "persist" is asked again until then
 *
 * TIME is in ms, or "half" or "timeout" of the server's break timeout ("timeout": and some grace). The verbs:
 *
 *   prepare OP, op OP, persist OP      an operation of ops.c; "prepare": what must be there first
 *   hold S STATE; hold-dir S STATE     an open of SMB client S (0, 1) with a lease or oplock; it must be had for the
 *        cell
 *   create S NAME ACCESS SHARE DISPOSITION STATE [delete]   an open; granted S STATE: what it must have got
 *   read, write, lock-sh, lock-ex, try-sh, try-ex, unlock S FIRST LENGTH; size S BYTES; flush, touch, delete, undelete,
 *   close, logoff, leave S; rename S NAME; cancel x; drop S: its connection breaks off
 *   break S FROM TO A|n; epoch S N: of that break; quiet S [TIME]: no further one; ack S STATE; ack-strange S
 *   nlm N sh|ex|un|cancel|test FIRST LENGTH [block|reclaim]; share, unshare N ACCESS DENY; free N; restart N
 *        (SM_NOTIFY)
 *   grant N [TIME]; no-grant N TIME    a GRANTED for host N
 *   nfs-create, nfs-lookup, nfs-remove NAME; expect-size BYTES; idle TIME
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
