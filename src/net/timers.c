/* timers.c - a pairing heap of timers, the earliest at its root (Fredman, Sedgewick, Sleator, Tarjan: "The pairing
 * heap").
 *
 * `prev` is the parent for a first child and the left sibling for the others. Knows nothing of loops. */
#include "internal.h"

static struct timer *timers_merge(struct timer *a, struct timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->at < a->at) {
        struct timer *t = a;
        a = b;
        b = t;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    a->next = a->prev = NULL;
    return a;
}

/* Merges a list of siblings into one: pairs from the left, then the pairs from the right. */
static struct timer *timers_merge_all(struct timer *first)
{
    struct timer *pairs = NULL, *root = NULL;
    while (first) {
        struct timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = timers_merge(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct timer *next = pairs->next;
        pairs->next = NULL;
        root = timers_merge(root, pairs);
        pairs = next;
    }
    return root;
}

void timers_insert(struct timer **root, struct timer *t)
{
    t->child = t->next = t->prev = NULL;
    *root = timers_merge(*root, t);
}

void timers_remove(struct timer **root, struct timer *t)
{
    struct timer *below = timers_merge_all(t->child);
    if (t == *root) {
        *root = below;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next)
            t->next->prev = t->prev;
        *root = timers_merge(*root, below);
    }
    t->child = t->next = t->prev = NULL;
}
