/* stage.h - where one cell plays: a directory of its own with a file in it, SMB and NFS clients on hosts of their
 * own, and what is expected of them. The first thing that goes otherwise is the cell's failure; everything after it
 * does nothing more than get to the end, so that a cell reads as a straight line. */
#pragma once
#include "nlm.h"
#include "smb.h"

enum verdict { PASS, FAIL, UNSUPPORTED };
enum { SIDES = 3, FILE_BYTES = 100 };

struct stage {
    struct wire *wire;
    struct target *target;
    unsigned break_timeout;    /* ms: the server's */
    unsigned prompt;           /* ms: by then what needs no waiting must have come */
    char dir[32];              /* both: in the share's root, and the file's name in it */
    const char *name;
    char path[64];             /* of the file over SMB */
    struct nfs_fh dir_fh, fh;
    struct host host[2 * SIDES];
    struct smb smb[SIDES];
    struct nfs nfs[SIDES];
    struct nlm nlm[SIDES];
    uint8_t key[SIDES][16];    /* lease keys, one for each SMB client */
    struct smb_file file[SIDES]; /* its open */
    unsigned granted[SIDES];   /* GRANTED calls that were waited for */
    struct nfs_fh sub_fh;      /* of the subdirectory, once it is made */
    enum verdict verdict;
    char why[300];             /* of the failure */
    char seen[700];            /* what was observed */
};
/* Makes the directory and the file (FILE_BYTES long). */
void stage_begin(struct stage *g, struct wire *w, struct target *t, unsigned break_timeout, unsigned prompt);
void stage_end(struct stage *g);

/* The clients; made when first asked for. */
struct smb *stage_smb(struct stage *g, int side);
struct nfs *stage_nfs(struct stage *g, int side);
struct nlm *stage_nlm(struct stage *g, int side);
/* Restarts the server, and connects the clients of NFS and NLM again; those of SMB do so when asked for. Unsupported if
 * nobody said how. */
void stage_restart_server(struct stage *g);
void stage_file(struct stage *g, const char *name, struct nfs_fh *ret); /* one more file */

void stage_saw(struct stage *g, const char *format, ...) _printf_(2, 3);
void stage_fail(struct stage *g, const char *format, ...) _printf_(2, 3);
void stage_unsupported(struct stage *g, const char *format, ...) _printf_(2, 3);

/* --- Holding. `what`: R RH RW RWH (leases), II EX BATCH (oplocks), or "none"; "R" and "RH" also of a directory. */
struct smb_how stage_how(struct stage *g, int side, const char *what);
bool stage_open(struct stage *g, int side, const struct smb_how *how); /* must succeed; the open is g->file[side] */
bool stage_hold(struct stage *g, int side,
                const char *what); /* with full access, sharing all; what is granted must be it */
bool stage_hold_dir(struct stage *g, int side, const char *what);      /* the cell's directory */
const char *state_name(uint8_t lease);

/* --- Expecting. Break tokens: "-": untouched; else what it goes to, "A": an acknowledgement is required, "W" or
 * "n": the operation waits for it, or not. Statuses by name: "ok", NFS3ERR and NLM4 and STATUS without their prefix. */
void expect_status(struct stage *g, struct call *c, const char *status,
                   unsigned ms);                                   /* answered in time, so; frees c */
void expect_pending(struct stage *g, struct call *c, unsigned ms); /* STATUS_PENDING comes in time */
void expect_waiting(struct stage *g, const struct call *c, unsigned ms); /* not answered for so long */
const struct smb_break *expect_break(struct stage *g, int side, const char *from, const char *to, bool ack,
                                     const struct smb_break *after);
void expect_quiet(struct stage *g, int side, unsigned ms); /* no break comes, and none has come */
void stage_ack(struct stage *g, int side, const char *to, const char *status);
/* The whole cell: `c` meets what `side` holds (`held`), which is broken as `tokens` say; then c ends with `status`. */
void expect_cell(struct stage *g, int side, const char *held, const char *tokens, struct call *c, const char *status);
void expect_grant(struct stage *g, int side, uint32_t svid, unsigned ms); /* one more NLM GRANTED comes back */
void expect_no_grant(struct stage *g, int side, unsigned ms);
uint32_t status_of(const char *name);
const char *status_name(const struct call *c, uint32_t status, char buf[32]);
