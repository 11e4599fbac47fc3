/* verbs_nfs.c - the verbs of a script (script.h) that a client of NFS, NLM and NSM does. */
#include "script_int.h"

static struct call *do_op(struct script *s)
{
    s->here.again = !strcmp(s->word[0], "persist") ? op_of(word(s, 1))->send : NULL;
    return op_of(word(s, 1))->send(s->g);
}

static struct call *do_nlm(struct script *s)
{
    const char *what = word(s, 2);
    struct nlm *n = stage_nlm(s->g, side(s));
    struct nlm_lock l = {.fh = s->g->fh, .svid = OPS_SVID, .exclusive = strcmp(what, "sh") != 0, .offset = number(s, 3),
                         .len = number(s, 4), .block = has_word(s, 5, "block"), .reclaim = has_word(s, 5, "reclaim"),
                         .nonmonitored = has_word(s, 5, "unmonitored"), .udp = has_word(s, 5, "udp"),
                         .message = has_word(s, 5, "message")};
    if (l.message && !n->reachable)
        stage_unsupported(s->g, "the client's address has no port mapper: answers to _MSG calls cannot reach it");
    if (!strcmp(what, "un"))
        return nlm_unlock(n, &l);
    if (!strcmp(what, "cancel")) {
        l.block = true;
        return nlm_cancel(n, &l);
    }
    if (!strcmp(what, "test")) {
        s->here.keep = &s->told[side(s)];
        return nlm_test(n, &l);
    }
    return nlm_lock(n, &l);
}
static struct call *do_share(struct script *s)
{
    static const uint32_t access[] = {FSA_R, FSA_W}, deny[] = {FSM_DR, FSM_DW};
    uint32_t a = bits_of(word(s, 2), "RW", access), d = bits_of(word(s, 3), "RW", deny);
    struct nlm *n = stage_nlm(s->g, side(s));
    if (s->word[0][0] == 'u')
        return nlm_unshare(n, &s->g->fh, 1, a, d);
    return nlm_share(n, &s->g->fh, 1, a, d, has_word(s, 4, "reclaim"));
}
static struct call *do_free(struct script *s) { return nlm_free_all(stage_nlm(s->g, side(s)), 0); }

/* SM_NOTIFY, with a state number, and perhaps with the name of another host. */
static struct call *do_restart(struct script *s)
{
    struct nlm *from = stage_nlm(s->g, side(s));
    const struct nlm *who = s->n > 3 ? stage_nlm(s->g, s->word[3][0] - '0') : from;
    return nsm_notify_of(from, who->rpc.host->name, s->n > 2 ? (uint32_t)number(s, 2) : 4711);
}

static struct call *do_nfs_create(struct script *s)
{
    return nfs_create(stage_nfs(s->g, 1), &s->g->dir_fh, word(s, 1), GUARDED, NFS_NO_SIZE, 0);
}
static struct call *do_nfs_lookup(struct script *s)
{
    return nfs_lookup(stage_nfs(s->g, 1), &s->g->dir_fh, word(s, 1));
}
static struct call *do_nfs_remove(struct script *s)
{
    return nfs_remove(stage_nfs(s->g, 1), &s->g->dir_fh, word(s, 1));
}
static struct call *do_nfs_rename(struct script *s)
{
    return nfs_rename(stage_nfs(s->g, 1), &s->g->dir_fh, word(s, 1), &s->g->dir_fh, word(s, 2));
}

const struct verb verbs_nfs[] = {
    {"op", do_op}, {"persist", do_op}, {"nlm", do_nlm}, {"share", do_share}, {"unshare", do_share}, {"free", do_free},
    {"restart", do_restart}, {"nfs-create", do_nfs_create}, {"nfs-lookup", do_nfs_lookup},
    {"nfs-remove", do_nfs_remove}, {"nfs-rename", do_nfs_rename}, {0},
};
