/* test_open_race.c - a name that leads elsewhere, or nowhere, from the moment at which an open has looked it up:
 * the open leads to what is there now, and nothing is held of what was there before. */
#include "opens.h"

static struct world w;
static struct caller nfs;
static struct smb a, b;
static struct store_ops ops;
static const struct store_ops *real;
static const struct cell *pending; /* happens behind the next look-up of the name */

struct cell {
    const char *what;
    enum st (*act)(void);
    enum st want;
    bool replaced;
};

static enum st lookup(struct st_node *dir, const char *name, size_t n, struct st_node **ret)
{
    enum st st = real->lookup(dir, name, n, ret);
    const struct cell *cell = pending;
    if (st == ST_OK && cell && n == 4 && !memcmp(name, "name", 4)) {
        pending = NULL;
        assert_st(cell->act(), ST_OK);
    }
    return st;
}

static int setup(void **state)
{
    if (world_open(&w, *state, false) != 0)
        return -1;
    w.fs->cfg.again_percent = 0; /* an open that came again would look again */
    caller_init(&nfs, &w, 0, 0);
    smb_init(&a, &w, 0, 1);
    smb_init(&b, &w, 0, 2);
    real = w.root->store->ops;
    ops = *real;
    ops.lookup = lookup;
    w.root->store->ops = &ops;
    return 0;
}

static int teardown(void **state)
{
    w.root->store->ops = real;
    caller_done(&nfs);
    smb_done(&a);
    smb_done(&b);
    world_close(&w);
    return 0;
}

static struct fs_rename rename_of(struct st_node *sdir, const char *from, struct st_node *ddir, const char *to)
{
    return (struct fs_rename){.sdir = sdir, .sname = from, .sn = strlen(from), .ddir = ddir, .dname = to,
                              .dn = strlen(to), .replace = true};
}

static enum st move(const char *from_dir, const char *from, const char *to_dir, const char *to)
{
    _cleanup_node_ struct st_node *sdir = from_dir ? at(&nfs, w.root, from_dir) : st_ref(w.root);
    _cleanup_node_ struct st_node *ddir = to_dir ? at(&nfs, w.root, to_dir) : st_ref(w.root);
    struct fs_rename r = rename_of(sdir, from, ddir, to);
    return RUN(&nfs, fs_rename(&nfs.q, &r));
}

static enum st replaced_from_elsewhere(void) { return move("dir", "other", NULL, "name"); }
static enum st replaced_from_here(void) { return move(NULL, "beside", NULL, "name"); }
static enum st moved_away(void) { return move(NULL, "name", "dir", "gone"); }
static enum st removed(void) { return RUN(&nfs, fs_remove(&nfs.q, w.root, "name", 4, false, NULL)); }

static enum st linked_over(void)
{
    _cleanup_node_ struct st_node *n = at(&nfs, w.root, "beside");
    return RUN(&nfs, fs_link(&nfs.q, n, NULL, w.root, "name", 4, true, NULL, NULL));
}

static enum st replaced_by_open(void)
{
    struct fs_open *o = must_open(&b, "beside", FS_ALL_ACCESS, FS_OPEN);
    struct fs_rename r = rename_of(NULL, "", w.root, "name");
    r.o = o;
    enum st st = RUN(&b.c, fs_rename(&b.c.q, &r));
    close_open(&b, o);
    return st;
}

static enum st deleted_by_open(void)
{
    return touch(&b, "name", FS_ALL_ACCESS, SHARE_ALL, FS_OPEN, FS_DELETE_ON_CLOSE);
}

static const struct cell cells[] = {
    {"replaced by a rename from another directory", replaced_from_elsewhere, ST_OK, true},
    {"replaced by a rename in the directory", replaced_from_here, ST_OK, true},
    {"replaced by a rename through an open", replaced_by_open, ST_OK, true},
    {"replaced by a link", linked_over, ST_OK, true},
    {"moved away", moved_away, ST_NOENT, false},
    {"removed", removed, ST_NOENT, false},
    {"deleted through an open", deleted_by_open, ST_NOENT, false},
};

static void clear(struct st_node *dir)
{
    (void)RUN(&nfs, fs_remove(&nfs.q, w.root, "name", 4, false, NULL));
    (void)RUN(&nfs, fs_remove(&nfs.q, w.root, "beside", 6, false, NULL));
    (void)RUN(&nfs, fs_remove(&nfs.q, dir, "other", 5, false, NULL));
    (void)RUN(&nfs, fs_remove(&nfs.q, dir, "gone", 4, false, NULL));
}

static void leads_to_what_is_there(void **state)
{
    struct st_node *dir = mk(&nfs, w.root, "dir", ST_DIR, 0755);
    for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
        const struct cell *cell = &cells[i];
        struct st_node *old = mk(&nfs, w.root, "name", ST_REG, 0644);
        struct st_node *beside = mk(&nfs, w.root, "beside", ST_REG, 0644);
        struct st_node *other = mk(&nfs, dir, "other", ST_REG, 0644);
        struct fs_open_args x = args(&w, "name", RW, FS_OPEN);
        struct fs_open_result r;
        print_message("%s\n", cell->what);
        x.lease_kind = CO_LEASE;
        x.lease_want = CO_R | CO_W | CO_H;
        memset(a.c.party.lease, (int)i + 1, sizeof a.c.party.lease);
        pending = cell;
        assert_st(open_args(&a, &x, &r), cell->want);
        assert_null(pending);
        if (cell->replaced) {
            assert_true(r.open->node == beside || r.open->node == other);
            close_open(&a, r.open);
        }
        struct co_key key = fs_node_key(old);
        assert_int_equal(co_opens(w.fs->co, &key, 0), 0);
        clear(dir);
        st_unref(old);
        st_unref(beside);
        st_unref(other);
    }
    st_unref(dir);
}

int main(void)
{
#define BOTH(fn)                                                                                                       \
    {#fn " mem", fn, setup, teardown, "mem"}, {#fn " dir", fn, setup, teardown, "dir"}
    const struct CMUnitTest tests[] = {BOTH(leads_to_what_is_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
