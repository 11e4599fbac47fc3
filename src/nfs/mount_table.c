/* mount_table.c - who has mounted what, as far as clients say. Nothing depends on it. */
#include "mount.h"
#include <errno.h>
#include <pthread.h>

#define MOUNT_TABLE_MAX 4096u

struct row {
    struct list link;
    struct mount_entry e;
};
struct mount_table {
    pthread_mutex_t lock;
    struct list rows; /* oldest first */
    unsigned count;
};

int mount_table_create(struct mount_table **ret)
{
    struct mount_table *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    pthread_mutex_init(&t->lock, NULL);
    list_init(&t->rows);
    *ret = t;
    return 0;
}

static void row_free(struct mount_table *t, struct row *r)
{
    list_remove(&r->link);
    t->count--;
    free(r);
}

void mount_table_free(struct mount_table *t)
{
    struct row *r;
    if (!t)
        return;
    list_each(r, &t->rows, link)
        row_free(t, r);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static void remove_locked(struct mount_table *t, const char *host, const char *path)
{
    struct row *r;
    list_each(r, &t->rows, link)
        if (strcmp(r->e.host, host) == 0 && (!path || strcmp(r->e.path, path) == 0))
            row_free(t, r);
}

void mount_table_add(struct mount_table *t, const char *host, const char *path)
{
    struct row *r = calloc(1, sizeof *r);
    if (!r)
        return;
    memccpy(r->e.host, host, 0, sizeof r->e.host - 1);
    memccpy(r->e.path, path, 0, sizeof r->e.path - 1);
    pthread_mutex_lock(&t->lock);
    remove_locked(t, r->e.host, r->e.path);
    if (t->count >= MOUNT_TABLE_MAX)
        row_free(t, list_first(&t->rows, struct row, link));
    list_append(&t->rows, &r->link);
    t->count++;
    pthread_mutex_unlock(&t->lock);
}

void mount_table_remove(struct mount_table *t, const char *host, const char *path)
{
    pthread_mutex_lock(&t->lock);
    remove_locked(t, host, path);
    pthread_mutex_unlock(&t->lock);
}

void mount_table_each(struct mount_table *t, bool (*fn)(void *arg, const struct mount_entry *e), void *arg)
{
    struct row *r;
    pthread_mutex_lock(&t->lock);
    list_each(r, &t->rows, link)
        if (!fn(arg, &r->e))
            break;
    pthread_mutex_unlock(&t->lock);
}
