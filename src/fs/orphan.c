/* orphan.c - what opens of an object can still do when its last name is gone: everything, as on UNIX and as Windows'
 * own shared deletion has it; or, as the policy orphan_io = error wants, nothing with its data. Knows the policy and
 * the link count; not who took the name away. */
#include "internal.h"

enum st fs_permit_io(const struct fs_open *o, uint32_t any)
{
    struct st_attr a;
    enum st st = fs_permit_open(o, any);
    if (st != ST_OK || likely(!atomic_load_explicit(&o->fs->orphan_error, memory_order_relaxed)))
        return st;
    st = o->node->store->ops->getattr(o->node, &a);
    return st == ST_OK && a.nlink == 0 ? ST_STALE : st;
}
