/* ops.h - the operations of the tables: each is sent by the second NFS host (client 1) on the cell's file or
 * directory. */
#pragma once
#include "stage.h"

enum { OPS_SVID = 7, OPS_FIRST = 0, OPS_LEN = 10 }; /* of the locks */

struct op {
    const char *name;
    struct call *(*send)(struct stage *g);
    void (*before)(struct stage *g); /* what must be there first; or NULL */
};
extern const struct op ops[];
const struct op *op_of(const char *name);
struct nlm_lock ops_lock(const struct stage *g, bool exclusive, bool block);
