/* name.h - what all stores check about names, and the forms of extended attribute names.
 *
 * Knows the contract of store.h; must not know any store. */
#pragma once
#include "store.h"

#define STORE_XATTR_VALUE_MAX 65536 /* XATTR_SIZE_MAX of Linux */
#define STORE_XATTR_NAME_MAX 255    /* XATTR_NAME_MAX, with the prefix */
#define STORE_XATTR_PREFIX "user.concord."

/* Copies a name of n bytes into out with a NUL: ST_NAMETOOLONG, ST_BADNAME. */
enum st store_name(const char *name, size_t n, char out[ST_NAME_MAX + 1]);

/* The attribute's full name ("user.concord.X", or "user.X" for "user:X"); ST_PERM when it reaches into the server's
 * own. */
enum st store_xattr_name(const char *name, char out[STORE_XATTR_NAME_MAX + 1]);
/* The reverse, for listing: false when the full name is not the server's business (other than "user.*"). */
bool store_xattr_unname(const char *full, char out[STORE_XATTR_NAME_MAX + 1]);

/* list() of a store whose look-ups are cheap, made of the others. */
enum st store_list(struct st_node *dir, uint64_t cookie, bool (*fn)(void *arg, const struct st_dirent *e), void *arg);

static inline enum st store_mutated(struct store *s, enum st st)
{
    if (st == ST_OK)
        atomic_fetch_add_explicit(&s->mutations, 1, memory_order_relaxed);
    return st;
}
