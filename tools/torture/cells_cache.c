/* cells_cache.c - an operation of NFS or NLM meets a lease or oplock of SMB. A row is an operation, a column what
 * the other client holds; the tokens are those of stage.h: what the holder is broken to, whether it must
 * acknowledge, whether the operation waits for it. */
#include "cells.h"
#include "ops.h"
#include <stdio.h>

enum { COLUMNS = 7 };
static const char *const columns[COLUMNS] = {"R", "RH", "RW", "RWH", "II", "EX", "BATCH"};

struct row {
    const char *op, *status;
    const char *cell[COLUMNS];
    const char *policy;
};
#define NOTHING {"-", "-", "-", "-", "-", "-", "-"}
#define READER  {"-", "-", "R A W", "RH A W", "-", "II A W", "II A W"}
#define WRITER  {"NONE n", "NONE A n", "NONE A W", "NONE A W", "NONE n", "NONE A W", "NONE A W"}
#define TAKES_ALL {"NONE n", "NONE A W", "NONE A W", "NONE A W", "NONE n", "NONE A W", "NONE A W"}
static const struct row rows[] = {
    {"READ", "ok", READER},
    {"WRITE", "ok", WRITER},
    {"SETATTR-size", "ok", WRITER},
    {"CREATE-truncate", "ok", WRITER},
    {"LOCK-exclusive", "ok", WRITER},
    {"LOCK-shared", "ok", READER},
    {"TEST", "ok", READER},
    {"TEST-shared", "ok", READER},
    {"UNLOCK", "any", NOTHING},
    {"CANCEL", "any", NOTHING},
    {"UNSHARE", "any", NOTHING},
    {"FREE_ALL", "ok", NOTHING},
    {"SHARE", "ok", READER},
    {"SETATTR-mode", "ok", NOTHING},
    {"SETATTR-owner", "ok", NOTHING},
    {"SETATTR-times", "ok", NOTHING},
    {"GETATTR", "ok", NOTHING},
    {"LOOKUP", "ok", NOTHING},
    {"ACCESS", "ok", NOTHING},
    {"READLINK", "INVAL", NOTHING},
    {"CREATE", "ok", NOTHING},
    {"MKDIR", "ok", NOTHING},
    {"SYMLINK", "ok", NOTHING},
    {"MKNOD", "ok", NOTHING},
    {"RMDIR", "ok", NOTHING},
    {"RENAME-directory", "ok", NOTHING},
    {"READDIR", "ok", NOTHING},
    {"READDIRPLUS", "ok", NOTHING},
    {"FSSTAT", "ok", NOTHING},
    {"COMMIT", "ok", NOTHING},
    {"CREATE-guarded", "EXIST", NOTHING},
    {"CREATE-exclusive", "EXIST", NOTHING},
    {"CREATE-unchecked", "ok", NOTHING},
    {"LINK", "ok", NOTHING},
    {"REMOVE", "ok", TAKES_ALL},
    {"RENAME-over", "ok", TAKES_ALL},
    {"RENAME", "ok", TAKES_ALL},
    {"REMOVE", "ok", {"-", "R A W", "-", "RW A W", "-", "-", "II A W"}, "delete_break=handle"},
    {"RENAME-over", "ok", {"-", "R A W", "-", "RW A W", "-", "-", "II A W"}, "delete_break=handle"},
    {"RENAME", "ok", {"-", "R A W", "-", "RW A W", "-", "-", "NONE A W"}, "delete_break=handle"},
    {"REMOVE", "ok", {"NONE n", "NONE A n", "NONE A n", "NONE A n", "NONE n", "NONE A n", "NONE A n"}, "delete_wait=no"},
    {"LOCK-shared", "ok", WRITER, "nlm_lock_break=write"},
    {"TEST", "ok", WRITER, "nlm_lock_break=write"},
};

static void run(struct stage *g, const struct cell *c)
{
    const struct row *row = c->row;
    const struct op *op = op_of(row->op);
    if (op->before)
        op->before(g);
    if (stage_hold(g, 0, columns[c->column]))
        expect_cell(g, 0, columns[c->column], row->cell[c->column], op->send(g), row->status);
}

/* --- Directory leases: the holder has the directory's, the operation happens in it, or to it. */

struct directory_row {
    const char *op, *status, *rh, *r;
    const char *policy;
};
static const struct directory_row directory_rows[] = {
    {"CREATE", "ok", "NONE A n", "NONE n"},
    {"MKDIR", "ok", "NONE A n", "NONE n"},
    {"SYMLINK", "ok", "NONE A n", "NONE n"},
    {"MKNOD", "ok", "NONE A n", "NONE n"},
    {"LINK", "ok", "NONE A n", "NONE n"},
    {"REMOVE", "ok", "NONE A n", "NONE n"},
    {"RMDIR", "ok", "NONE A n", "NONE n"},
    {"RENAME", "ok", "NONE A n", "NONE n"},
    {"RENAME-over", "ok", "NONE A n", "NONE n"},
    {"RENAME-directory", "ok", "NONE A n", "NONE n"},
    {"RENAME-out", "ok", "NONE A n", "NONE n"},
    {"RENAME-into", "ok", "NONE A n", "NONE n"},
    {"LINK-out", "ok", "NONE A n", "NONE n"},
    {"WRITE", "ok", "NONE A n", "NONE n"},
    {"SETATTR-size", "ok", "NONE A n", "NONE n"},
    {"CREATE-truncate", "ok", "NONE A n", "NONE n"},
    {"SETATTR-mode", "ok", "NONE A n", "NONE n"},
    {"SETATTR-owner", "ok", "NONE A n", "NONE n"},
    {"SETATTR-times", "ok", "NONE A n", "NONE n"},
    {"READ", "ok", "-", "-"},
    {"GETATTR", "ok", "-", "-"},
    {"LOOKUP", "ok", "-", "-"},
    {"READDIR", "ok", "-", "-"},
    {"READDIRPLUS", "ok", "-", "-"},
    {"CREATE-guarded", "EXIST", "-", "-"},
    {"CREATE-exclusive", "EXIST", "-", "-"},
    {"CREATE-unchecked", "ok", "-", "-"},
    {"ACCESS", "ok", "-", "-"},
    {"READLINK", "INVAL", "-", "-"},
    {"FSSTAT", "ok", "-", "-"},
    {"COMMIT", "ok", "-", "-"},
    {"LOCK-exclusive", "ok", "-", "-"},
    {"LOCK-shared", "ok", "-", "-"},
    {"TEST", "ok", "-", "-"},
    {"UNLOCK", "any", "-", "-"},
    {"CANCEL", "any", "-", "-"},
    {"SHARE", "ok", "-", "-"},
    {"UNSHARE", "any", "-", "-"},
    {"FREE_ALL", "ok", "-", "-"},
};

static void run_directory(struct stage *g, const struct cell *c)
{
    const struct directory_row *row = c->row;
    const struct op *op = op_of(row->op);
    const char *held = c->column ? "R" : "RH";
    if (op->before)
        op->before(g);
    if (stage_hold_dir(g, 0, held))
        expect_cell(g, 0, held, c->column ? row->r : row->rh, op->send(g), row->status);
}

/* The directory that goes, or moves, is itself what is leased. */
static const struct directory_row victim_rows[] = {
    {"RMDIR", "ok", "NONE A W", "NONE n"},
    {"RENAME-directory", "ok", "NONE A W", "NONE n"},
    {"RMDIR", "ok", "R A W", "-", "delete_break=handle"},
    {"RENAME-directory", "ok", "R A W", "-", "delete_break=handle"},
};

static void run_victim(struct stage *g, const struct cell *c)
{
    const struct directory_row *row = c->row;
    const struct op *op = op_of(row->op);
    const char *held = c->column ? "R" : "RH";
    op->before(g);
    char path[64];
    snprintf(path, sizeof path, "%s\\sub", g->dir);
    struct smb_how how = stage_how(g, 0, held);
    how.name = path;
    how.access = ACCESS_READ;
    how.options = OPTION_DIRECTORY;
    if (stage_open(g, 0, &how))
        expect_cell(g, 0, held, c->column ? row->r : row->rh, op->send(g), row->status);
}

void cells_cache(struct cell_list *l)
{
    for (const struct row *r = rows; r < rows + ARRAY_LEN(rows); r++)
        for (unsigned i = 0; i < COLUMNS; i++) {
            struct cell *c = cell_add(l, run, "cache/%s/%s%s%s", r->op, columns[i], r->policy ? "/" : "",
                                      r->policy ? r->policy : "");
            c->policy = r->policy;
            c->row = r;
            c->column = i;
            c->quick = r < rows + 6 && (i == 1 || i == 3);
            snprintf(c->expected, sizeof c->expected, "%s, then %s", r->cell[i], r->status);
        }
    struct {
        const struct directory_row *rows;
        size_t n;
        const char *name;
        void (*run)(struct stage *g, const struct cell *c);
    } tables[] = {{directory_rows, ARRAY_LEN(directory_rows), "directory", run_directory},
                  {victim_rows, ARRAY_LEN(victim_rows), "directory-itself", run_victim}};
    for (size_t t = 0; t < ARRAY_LEN(tables); t++)
        for (const struct directory_row *r = tables[t].rows; r < tables[t].rows + tables[t].n; r++)
            for (unsigned i = 0; i < 2; i++) {
                struct cell *c = cell_add(l, tables[t].run, "%s/%s/%s%s%s", tables[t].name, r->op, i ? "R" : "RH",
                                          r->policy ? "/" : "", r->policy ? r->policy : "");
                c->policy = r->policy;
                c->row = r;
                c->column = i;
                c->quick = r == directory_rows;
                snprintf(c->expected, sizeof c->expected, "%s, then %s", i ? r->r : r->rh, r->status);
            }
}
