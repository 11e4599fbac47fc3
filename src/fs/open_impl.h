/* open_impl.h - one fs_open() on its way: what open.c, open_check.c and create.c pass on. */
#pragma once
#include "resolve.h"
#include "streams.h"
#include "winmeta.h"

struct opening {
    struct fs_req *q;
    const struct fs_open_args *a;
    struct fs_path path;
    struct st_attr attr;      /* of path.node */
    uint32_t dos;             /* FS_DOS_* of path.node, as shown */
    const char *stream;       /* NULL: the file itself */
    bool stream_exists;
    uint32_t want;            /* access asked for, generic rights mapped; FS_MAXIMUM_ALLOWED kept apart */
    bool want_max;
    uint32_t granted, maximal;
    enum fs_action action;
    struct fs_open *open;     /* made before the gate: nothing is missing after it */
    uint64_t link;            /* of the file's name */
    struct fs_open_result caching; /* lease, lease_epoch, lease_breaking: what was granted */
};

/* open_check.c: the arguments alone; then against what is there, everything that does not depend on others' opens. */
enum st open_check_args(struct opening *x);
enum st open_check_existing(struct opening *x);
enum st open_check_new(struct opening *x, bool *ret_dir);
uint32_t open_maximal(struct opening *x);
static inline bool open_truncates(const struct fs_open_args *a)
{
    return a->disposition == FS_SUPERSEDE || a->disposition == FS_OVERWRITE || a->disposition == FS_OVERWRITE_IF;
}

/* open.c */
struct co_ask open_ask(const struct opening *x, struct st_node *n); /* the hold on the file, or its stream */
struct co_ask open_ask_base(const struct opening *x, struct st_node *n); /* beside a stream's: keeps the file's name */
void open_grant(struct opening *x); /* with the lock that keeps its name in place: H says that the name leads here */
void open_drop_holds(struct fs *fs, struct fs_open *o, uint64_t link);
/* create.c: makes the object that path names, and what hangs on it. *ret_raced: the name is taken by now. */
enum st open_create(struct opening *x, bool *ret_raced);

/* open_table.c */
struct fs_open *open_new(struct opening *x);
void open_publish(struct opening *x); /* x->open is complete: found by others from now on */
void open_unpublish(struct fs_open *o);
bool open_by_id(struct fs *fs, const struct st_node *root, uint64_t id, struct fs_path *ret);

/* force.c: into the engine for something that cannot wait any more, and out of it. */
/* ST_OK, or ST_NOMEM: then nothing was entered. */
enum st fs_force(struct fs *fs, const struct co_party *party, struct co_ask *asks, size_t n, struct co_ticket *t);
void fs_force_end(struct fs *fs, struct co_ticket *t);

/* attr of a node seen under a name, through a stream or not (open_attr.c) */
void open_attr_fill(struct st_node *n, const struct st_attr *st, const char *name, size_t nname, const char *stream,
                    struct fs_attr *ret);
