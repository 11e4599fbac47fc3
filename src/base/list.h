/* list.h - intrusive doubly linked list with a sentinel head. Header only. Not thread-safe. */
#pragma once
#include "util.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }
static inline void list_insert_(struct list *e, struct list *prev, struct list *next)
{
    e->prev = prev;
    e->next = next;
    prev->next = e;
    next->prev = e;
}
static inline void list_append(struct list *head, struct list *e) { list_insert_(e, head->prev, head); }
static inline void list_prepend(struct list *head, struct list *e) { list_insert_(e, head, head->next); }
/* Unlinks e and leaves it as an empty list of its own, so that removing twice is harmless. */
static inline void list_remove(struct list *e)
{
    e->prev->next = e->next;
    e->next->prev = e->prev;
    list_init(e);
}
/* Walks them all. */
static inline size_t list_count(const struct list *head)
{
    size_t n = 0;
    for (const struct list *e = head->next; e != head; e = e->next)
        n++;
    return n;
}
#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(head, type, member) (list_empty(head) ? NULL : list_entry((head)->next, type, member))
/* The body may remove `e` but no other entry. */
#define list_each(e, head, member)                                                                                     \
    for (__typeof__(e) e##_next_ = (e = list_entry((head)->next, __typeof__(*e), member),                              \
                                    list_entry(e->member.next, __typeof__(*e), member));                               \
         &e->member != (head);                                                                                         \
         e = e##_next_, e##_next_ = list_entry(e->member.next, __typeof__(*e), member))
