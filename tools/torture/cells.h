/* cells.h - what is tested, as data: a cell is one meeting of an operation and a state, with what must be observed. */
#pragma once
#include "stage.h"

struct cell {
    char id[72];            /* section/operation/state */
    const char *policy;     /* the server's setting that it is about, "delete_break=handle"; NULL: the defaults */
    bool quick;             /* also of the small run */
    char expected[400];     /* for people */
    void (*run)(struct stage *g, const struct cell *c);
    const void *row;        /* of the table it comes from */
    unsigned column;
};
struct cell_list {
    struct cell *cell;
    size_t n, cap;
};
/* One more cell; its expectation is formatted. */
struct cell *cell_add(struct cell_list *l, void (*run)(struct stage *g, const struct cell *c), const char *id_format, ...)
    _printf_(3, 4);

void cells_cache(struct cell_list *l);   /* NFS and NLM operations against leases, oplocks and directory leases */
void cells_hard(struct cell_list *l);    /* ... against share modes, byte ranges, delete-pending */
void cells_ack(struct cell_list *l);     /* operations that meet a break under way; acknowledgements */
void cells_smb(struct cell_list *l);     /* SMB operations against what NFS clients hold */
void cells_wait(struct cell_list *l);    /* waiting, and acknowledgements that do not come */
void cells_told(struct cell_list *l);    /* changes by NFS that SMB clients are told of */
void cells_nlm(struct cell_list *l);     /* the lock manager */
void cells_recovery(struct cell_list *l); /* restarts of the server, absent clients */
void cells_policy(struct cell_list *l);  /* the server's settings */
