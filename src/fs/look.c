/* look.c - for the administrator: what the engine's keys stand for. */
#include "fs_metrics.h"
#include "internal.h"
#include <stdio.h>

struct search {
    const struct co_key *key;
    char *out;
    size_t cap;
    bool found;
};

static bool look_in(void *arg, struct fs_share *share)
{
    struct search *s = arg;
    struct st_id id = {.ino = s->key->ino, .gen = s->key->gen};
    struct st_node *n = NULL;
    if (share->vol->key_store != s->key->store || share->store->ops->known(share->store, &id, &n) != ST_OK)
        return true;
    int used = snprintf(s->out, s->cap, "/%s/", share->cfg.name);
    s->found = used > 0 && (size_t)used < s->cap &&
               share->store->ops->path(n, s->out + used, s->cap - (size_t)used) == ST_OK;
    st_unref(n);
    return !s->found;
}

bool fs_key_path(struct fs *fs, const struct co_key *key, char *out, size_t cap)
{
    struct search s = {.key = key, .out = out, .cap = cap};
    fs_share_each(fs, look_in, &s);
    return s.found;
}
