/* cases_names.c - objects and their names: lookup, make, link, unlink, rename, readdir, handles. */
#include "cases.h"

static void names_are_checked(void **state)
{
    struct env *e = *state;
    char longest[ST_NAME_MAX + 2];
    memset(longest, 'x', sizeof longest);
    static const char *const bad[] = {"", ".", "..", "a/b", "/", "../x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        IS(lookup_st(e, e->root, bad[i]), ST_BADNAME);
        IS(make_st(e, e->root, bad[i], ST_REG), ST_BADNAME);
        IS(make_st(e, e->root, bad[i], ST_DIR), ST_BADNAME);
        IS(unlink_name(e, e->root, bad[i], 0), ST_BADNAME);
        IS(rename_name(e, e->root, bad[i], e->root, "x", 0), ST_BADNAME);
        IS(rename_name(e, e->root, "x", e->root, bad[i], 0), ST_BADNAME);
    }
    struct st_node *n;
    IS(e->s->ops->lookup(e->root, "a\0b", 3, &n), ST_BADNAME);
    IS(e->s->ops->lookup(e->root, longest, ST_NAME_MAX + 1, &n), ST_NAMETOOLONG);
    struct st_attr a = {.type = ST_REG, .mode = 0644, .uid = geteuid(), .gid = getegid()};
    OK(e->s->ops->make(e->root, longest, ST_NAME_MAX, &a, NULL, &n));
    st_unref(n);
    OK(e->s->ops->make(e->root, "\xff\xfe\x01", 3, &a, NULL, &n)); /* any bytes */
    st_unref(n);
    OK(e->s->ops->lookup(e->root, "\xff\xfe\x01", 3, &n));
    st_unref(n);
    IS(lookup_st(e, e->root, "missing"), ST_NOENT);
}

static void all_types(void **state)
{
    struct env *e = *state;
    static const struct {
        enum st_type type;
        uint32_t mode;
    } types[] = {{ST_REG, 0640},  {ST_DIR, 0751},  {ST_FIFO, 0600}, {ST_SOCK, 0777}, {ST_LNK, 0777},
                 {ST_REG, 04755}, {ST_DIR, 01777}, {ST_REG, 0},     {ST_CHR, 0660},  {ST_BLK, 0660}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        char name[16];
        snprintf(name, sizeof name, "t%zu", i);
        struct st_attr a = {.type = types[i].type,
                            .mode = types[i].mode,
                            .uid = geteuid(),
                            .gid = getegid(),
                            .rdev_major = 1,
                            .rdev_minor = 3};
        struct st_node *n;
        enum st st = e->s->ops->make(e->root, name, strlen(name), &a, "where/ever", &n);
        if (e->variant == VARIANT_DIR_USER && (a.type == ST_CHR || a.type == ST_BLK)) {
            IS(st, ST_PERM);
            continue;
        }
        OK(st);
        IS(make_st(e, e->root, name, types[i].type), ST_EXIST);
        struct st_attr got = attr(n);
        assert_int_equal(got.type, a.type);
        assert_int_equal(n->type, a.type);
        assert_int_equal(got.mode, a.mode);
        assert_int_equal(got.uid, a.uid);
        assert_int_equal(got.nlink, a.type == ST_DIR ? 2 : 1);
        assert_int_equal(got.ino, n->id.ino);
        if (a.type == ST_CHR || a.type == ST_BLK)
            assert_true(got.rdev_major == 1 && got.rdev_minor == 3);
        struct st_node *again = lookup(e, e->root, name);
        assert_ptr_equal(again, n);
        char buf[64];
        size_t len;
        if (a.type == ST_LNK) {
            OK(e->s->ops->readlink(n, buf, sizeof buf, &len));
            assert_int_equal(len, 10);
            assert_memory_equal(buf, "where/ever", 10);
            IS(e->s->ops->readlink(n, buf, 3, &len), ST_BUFSIZE);
            assert_int_equal(got.size, 10);
        } else {
            IS(e->s->ops->readlink(n, buf, sizeof buf, &len), ST_BADTYPE);
        }
        if (a.type != ST_REG && a.type != ST_DIR) /* and a pipe does not hang */
            IS(e->s->ops->read(n, 0, buf, 1, 0, &len), ST_BADTYPE);
        st_unref(again);
        st_unref(n);
    }
    struct st_attr none = {.type = 0};
    struct st_node *n;
    IS(e->s->ops->make(e->root, "x", 1, &none, NULL, &n), ST_BADTYPE);
}

static void owner_is_exact(void **state)
{
    struct env *e = *state;
    struct st_attr a = {.type = ST_REG, .mode = 06711, .uid = 1234, .gid = 5678};
    static const enum st_type types[] = {ST_REG, ST_DIR, ST_FIFO, ST_LNK};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        char name[2] = {(char)('a' + i), 0};
        struct st_node *n;
        a.type = types[i];
        OK(e->s->ops->make(e->root, name, 1, &a, "t", &n));
        struct st_attr got = attr(n);
        bool user = e->variant == VARIANT_DIR_USER;
        assert_int_equal(got.uid, user ? geteuid() : 1234);
        assert_int_equal(got.gid, user ? getegid() : 5678);
        assert_int_equal(got.mode, a.type == ST_LNK ? 0777 : 06711);
        IS(e->s->ops->setattr(n, ST_SET_UID, &(struct st_attr){.uid = 99}), user ? ST_PERM : ST_OK);
        st_unref(n);
    }
}

static void links_are_one_node(void **state)
{
    struct env *e = *state;
    struct st_node *d = make(e, e->root, "d", ST_DIR, 0755), *f = make(e, e->root, "f", ST_REG, 0644);
    OK(e->s->ops->link(f, d, "g", 1));
    IS(e->s->ops->link(f, d, "g", 1), ST_EXIST);
    IS(e->s->ops->link(d, e->root, "dd", 2), ST_ISDIR);
    struct st_node *g = lookup(e, d, "g");
    assert_ptr_equal(f, g);
    assert_int_equal(attr(f).nlink, 2);
    OK(unlink_name(e, e->root, "f", 0));
    assert_int_equal(attr(f).nlink, 1);
    struct st_node *l = make(e, e->root, "l", ST_LNK, 0777), *p = make(e, e->root, "p", ST_FIFO, 0600);
    OK(e->s->ops->link(l, d, "l2", 2));
    OK(e->s->ops->link(p, d, "p2", 2));
    struct st_node *l2 = lookup(e, d, "l2");
    assert_ptr_equal(l, l2);
    st_unref(l2);
    st_unref(l);
    st_unref(p);
    st_unref(g);
    st_unref(f);
    st_unref(d);
}

static void orphans_live(void **state)
{
    struct env *e = *state;
    struct st_node *f = make(e, e->root, "f", ST_REG, 0644), *d = make(e, e->root, "d", ST_DIR, 0755);
    put_text(f, "still here");
    OK(unlink_name(e, e->root, "f", 0));
    OK(unlink_name(e, e->root, "d", ST_UNLINK_DIR));
    IS(lookup_st(e, e->root, "f"), ST_NOENT);
    expect_text(f, "still here");
    put(f, 10, "!", 1);
    expect_text(f, "still here!");
    assert_int_equal(attr(f).nlink, 0);
    IS(e->s->ops->link(f, e->root, "back", 4), ST_STALE);
    IS(make_st(e, d, "x", ST_REG), ST_STALE);
    IS(make_st(e, d, "x", ST_DIR), ST_STALE);
    struct st_id old = f->id;
    uint8_t h[ST_HANDLE_MAX];
    size_t nh = 0;
    enum st st = e->s->ops->handle(f, true, h, &nh);
    assert_true(st == ST_OK || st == ST_STALE); /* where handles come from names, too late for one */
    nh = st == ST_OK ? nh : 0;
    st_unref(f);
    st_unref(d);
    struct st_node *n;
    if (nh)
        IS(e->s->ops->from_handle(e->s, h, nh, &n), ST_STALE);
    for (int i = 0; i < 20; i++) { /* the inode number will be used again, the identity not */
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        n = make(e, e->root, name, ST_REG, 0644);
        assert_false(n->id.ino == old.ino && n->id.gen == old.gen);
        st_unref(n);
    }
}

static void unlink_expects(void **state)
{
    struct env *e = *state;
    struct st_node *a = make(e, e->root, "a", ST_REG, 0644), *b = make(e, e->root, "b", ST_REG, 0644);
    IS(e->s->ops->unlink(e->root, "a", 1, b, 0), ST_NOENT);
    OK(e->s->ops->unlink(e->root, "a", 1, a, 0));
    OK(make_st(e, e->root, "d", ST_DIR));
    struct st_node *d = lookup(e, e->root, "d");
    OK(make_st(e, d, "x", ST_REG));
    IS(unlink_name(e, e->root, "d", 0), ST_ISDIR);
    IS(unlink_name(e, e->root, "b", ST_UNLINK_DIR), ST_NOTDIR);
    IS(unlink_name(e, e->root, "d", ST_UNLINK_DIR), ST_NOTEMPTY);
    IS(unlink_name(e, e->root, "none", 0), ST_NOENT);
    IS(unlink_name(e, b, "none", 0), ST_NOTDIR);
    OK(unlink_name(e, d, "x", 0));
    OK(unlink_name(e, e->root, "d", ST_UNLINK_DIR));
    st_unref(a);
    st_unref(b);
    st_unref(d);
}

static void rename_variants(void **state)
{
    struct env *e = *state;
    struct st_node *a = make(e, e->root, "a", ST_REG, 0644), *b = make(e, e->root, "b", ST_REG, 0644);
    struct st_node *d = make(e, e->root, "d", ST_DIR, 0755), *d2 = make(e, e->root, "d2", ST_DIR, 0755);
    put_text(a, "a");
    put_text(b, "b");
    IS(rename_name(e, e->root, "a", e->root, "b", ST_RENAME_NOREPLACE), ST_EXIST);
    OK(rename_name(e, e->root, "a", d, "c", ST_RENAME_NOREPLACE));
    struct st_node *c = lookup(e, d, "c");
    assert_ptr_equal(a, c);
    OK(rename_name(e, d, "c", e->root, "b", 0)); /* over b */
    assert_int_equal(attr(b).nlink, 0);
    expect_text(b, "b");
    expect_text(a, "a");
    IS(rename_name(e, e->root, "none", e->root, "x", 0), ST_NOENT);
    IS(rename_name(e, e->root, "b", e->root, "d", 0), ST_ISDIR);
    IS(rename_name(e, e->root, "d", e->root, "b", 0), ST_NOTDIR);
    IS(rename_name(e, e->root, "d", d, "inside", 0), ST_INVAL);
    OK(make_st(e, d2, "full", ST_REG));
    IS(rename_name(e, e->root, "d", e->root, "d2", 0), ST_NOTEMPTY);
    OK(unlink_name(e, d2, "full", 0));
    OK(rename_name(e, e->root, "d", e->root, "d2", 0));
    assert_int_equal(attr(e->root).nlink, 3);
    OK(e->s->ops->link(a, e->root, "b2", 2));
    OK(rename_name(e, e->root, "b", e->root, "b2", 0)); /* two names of one file: both stay */
    OK(lookup_st(e, e->root, "b"));
    struct st_node *p;
    OK(e->s->ops->parent(d, &p));
    assert_ptr_equal(p, e->root);
    st_unref(p);
    IS(e->s->ops->parent(d2, &p), ST_STALE);
    OK(e->s->ops->parent(e->root, &p));
    assert_ptr_equal(p, e->root);
    st_unref(p);
    char path[64];
    OK(make_st(e, d, "deep", ST_REG));
    struct st_node *deep = lookup(e, d, "deep");
    OK(e->s->ops->path(deep, path, sizeof path));
    assert_string_equal(path, "d2/deep");
    IS(e->s->ops->path(deep, path, 3), is_dir(e) ? ST_BUFSIZE : ST_NOENT);
    OK(e->s->ops->path(e->root, path, sizeof path));
    assert_string_equal(path, "");
    st_unref(deep);
    st_unref(a);
    st_unref(b);
    st_unref(c);
    st_unref(d);
    st_unref(d2);
}

struct listing {
    struct env *e;
    struct st_node *dir;
    unsigned seen[32], count, stop_after;
    uint64_t cookie, prev;
    bool *marks;
};

static bool take_entry(void *arg, const struct st_dirent *d)
{
    struct listing *l = arg;
    if (l->stop_after && l->count == l->stop_after)
        return false;
    assert_true(d->cookie > 2);
    assert_int_equal(strlen(d->name), d->nname);
    l->count++;
    l->cookie = d->cookie;
    unsigned i;
    if (l->marks && sscanf(d->name, "f%u", &i) == 1) {
        assert_false(l->marks[i]);
        l->marks[i] = true;
    }
    return true;
}

#define MANY 20000
static void many_entries(void **state)
{
    struct env *e = *state;
    struct st_node *d = make(e, e->root, "big", ST_DIR, 0755);
    bool *marks = calloc(MANY + 1000, 1);
    for (unsigned i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%u", i);
        OK(make_st(e, d, name, ST_FIFO));
    }
    struct listing l = {.e = e, .marks = marks};
    unsigned total = 0, extra = MANY;
    for (enum st st = ST_OK; st == ST_OK; total += l.count) {
        uint64_t from = l.cookie;
        l.count = 0;
        l.stop_after = 97;
        st = e->s->ops->readdir(d, from, take_entry, &l);
        assert_true(st == ST_OK || st == ST_END);
        char name[16]; /* other entries come and go meanwhile: those that stay are seen exactly once */
        snprintf(name, sizeof name, "f%u", extra);
        if (extra < MANY + 200) {
            OK(make_st(e, d, name, ST_FIFO));
            if (extra % 2)
                OK(unlink_name(e, d, name, 0));
            extra++;
        }
        struct listing other = {.stop_after = 5};
        e->s->ops->readdir(d, 0, take_entry, &other); /* somebody else reads, too */
    }
    for (unsigned i = 0; i < MANY; i++)
        assert_true(marks[i]);
    assert_true(total >= MANY && total <= MANY + 200);
    struct listing whole = {0};
    IS(e->s->ops->readdir(d, 0, take_entry, &whole), ST_END);
    assert_int_equal(whole.count, MANY + 100);
    IS(e->s->ops->readdir(d, whole.cookie, take_entry, &whole), ST_END);
    assert_int_equal(whole.count, MANY + 100);
    free(marks);
    st_unref(d);
    struct listing root = {0};
    IS(e->s->ops->readdir(e->root, 0, take_entry, &root), ST_END);
    assert_int_equal(root.count, 1);
    struct st_node *f = make(e, e->root, "file", ST_REG, 0644);
    IS(e->s->ops->readdir(f, 0, take_entry, &root), ST_NOTDIR);
    st_unref(f);
}

/* What list() says of every name must be what getattr() and handle() say; counts the entries. */
static bool same_as_node(void *arg, const struct st_dirent *d)
{
    struct listing *l = arg;
    struct st_node *n = lookup(l->e, l->dir, d->name), *found = NULL;
    struct st_attr a = attr(n);
    assert_non_null(d->attr);
    assert_int_equal(d->attr->type, a.type);
    assert_int_equal(d->attr->ino, a.ino);
    assert_int_equal(d->attr->fsid, a.fsid);
    assert_int_equal(d->attr->mode, a.mode);
    assert_int_equal(d->attr->nlink, a.nlink);
    assert_int_equal(d->attr->uid, a.uid);
    assert_int_equal(d->attr->size, a.size);
    assert_memory_equal(&d->attr->ctime, &a.ctime, sizeof a.ctime);
    assert_memory_equal(&d->attr->mtime, &a.mtime, sizeof a.mtime);
    assert_memory_equal(&d->attr->btime, &a.btime, sizeof a.btime);
    OK(l->e->s->ops->from_handle(l->e->s, d->handle, d->nhandle, &found));
    assert_ptr_equal(found, n);
    st_unref(found);
    st_unref(n);
    l->count++;
    return true;
}

static void expect_listing(struct env *e, struct st_node *dir, unsigned count)
{
    struct listing l = {.e = e, .dir = dir};
    IS(e->s->ops->list(dir, 0, same_as_node, &l), ST_END);
    assert_int_equal(l.count, count);
}

/* Everything that is done through the store shows in the very next listing. */
static void listings(void **state)
{
    struct env *e = *state;
    struct st_node *d = make(e, e->root, "d", ST_DIR, 0755), *f = make(e, d, "f", ST_REG, 0644);
    struct st_attr set = {.mode = 0600, .size = 3};
    expect_listing(e, d, 1);
    usleep(150000); /* older than what a store may be careful about */
    for (int i = 0; i < 3; i++)
        expect_listing(e, d, 1);
    put_text(f, "some bytes");
    expect_listing(e, d, 1);
    OK(e->s->ops->setattr(f, ST_SET_MODE | ST_SET_SIZE, &set));
    expect_listing(e, d, 1);
    OK(e->s->ops->link(f, d, "g", 1));
    expect_listing(e, d, 2);
    OK(unlink_name(e, d, "f", 0));
    expect_listing(e, d, 1);
    OK(make_st(e, d, "f", ST_FIFO));
    expect_listing(e, d, 2);
    OK(rename_name(e, d, "g", d, "f", 0));
    expect_listing(e, d, 1);
    OK(make_st(e, d, "sub", ST_DIR));
    expect_listing(e, d, 2);
    st_unref(f);
    f = lookup(e, d, "sub");
    OK(make_st(e, f, "x", ST_DIR)); /* a link more */
    expect_listing(e, d, 2);
    OK(unlink_name(e, f, "x", ST_UNLINK_DIR));
    OK(unlink_name(e, d, "sub", ST_UNLINK_DIR));
    expect_listing(e, d, 1);
    st_unref(f);
    st_unref(d);
}

static void handles(void **state)
{
    struct env *e = *state;
    static const uint8_t garbage[][20] = {{0}, {0xff, 1, 2, 3}, {0xc1}, {0x4d, 1}};
    static const size_t sizes[] = {20, 20, 3, 2};
    struct st_node *n;
    for (size_t i = 0; i < ARRAY_LEN(garbage); i++)
        IS(e->s->ops->from_handle(e->s, garbage[i], sizes[i], &n), ST_BADHANDLE);
    IS(e->s->ops->from_handle(e->s, NULL, 0, &n), ST_BADHANDLE);
    struct st_node *d = make(e, e->root, "d", ST_DIR, 0755), *f = make(e, d, "f", ST_REG, 0644);
    struct st_node *nodes[] = {e->root, d, f};
    for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
        uint8_t h[ST_HANDLE_MAX], h2[ST_HANDLE_MAX];
        size_t nh, nh2;
        OK(e->s->ops->handle(nodes[i], true, h, &nh));
        OK(e->s->ops->handle(nodes[i], true, h2, &nh2));
        assert_true(nh == nh2 && nh <= ST_HANDLE_MAX);
        assert_memory_equal(h, h2, nh);
        OK(e->s->ops->from_handle(e->s, h, nh, &n));
        assert_ptr_equal(n, nodes[i]);
        st_unref(n);
        OK(e->s->ops->known(e->s, &nodes[i]->id, &n));
        assert_ptr_equal(n, nodes[i]);
        st_unref(n);
        IS(e->s->ops->known(e->s, &(struct st_id){nodes[i]->id.ino, nodes[i]->id.gen + 1}, &n), ST_NOENT);
    }
    st_unref(d);
    st_unref(f);
}

static void mutations_count(void **state)
{
    struct env *e = *state;
    uint64_t was = e->s->mutations;
    struct st_node *f = make(e, e->root, "f", ST_REG, 0644);
    assert_true(e->s->mutations > was);
    was = e->s->mutations;
    attr(f);
    IS(make_st(e, e->root, "f", ST_REG), ST_EXIST);
    struct listing l = {0};
    e->s->ops->readdir(e->root, 0, take_entry, &l);
    uint8_t h[ST_HANDLE_MAX];
    size_t nh;
    OK(e->s->ops->handle(f, true, h, &nh));
    expect_text(f, "");
    assert_int_equal(e->s->mutations, was);
    put_text(f, "x");
    assert_true(e->s->mutations > was);
    was = e->s->mutations;
    OK(e->s->ops->xattr_set(f, "a", "b", 1));
    OK(e->s->ops->setattr(f, ST_SET_MODE, &(struct st_attr){.mode = 0600}));
    OK(rename_name(e, e->root, "f", e->root, "g", 0));
    OK(unlink_name(e, e->root, "g", 0));
    assert_true(e->s->mutations >= was + 4);
    st_unref(f);
}

struct stress {
    struct env *e;
    unsigned id;
};

static void *stress_run(void *arg)
{
    struct stress *s = arg;
    struct env *e = s->e;
    const struct store_ops *ops = e->s->ops;
    unsigned seed = s->id * 7919 + 1;
    for (unsigned i = 0; i < 1500; i++) {
        char a[8], b[8];
        snprintf(a, sizeof a, "s%d", rand_r(&seed) % 12);
        snprintf(b, sizeof b, "s%d", rand_r(&seed) % 12);
        _cleanup_node_ struct st_node *n = NULL, *again = NULL;
        struct st_attr at = {
            .type = rand_r(&seed) % 4 ? ST_REG : ST_DIR, .mode = 0700, .uid = geteuid(), .gid = getegid()};
        size_t done;
        uint8_t h[ST_HANDLE_MAX];
        switch (rand_r(&seed) % 6) {
        case 0:
            (void)!ops->make(e->root, a, strlen(a), &at, NULL, &n);
            break;
        case 1:
            (void)!ops->unlink(e->root, a, strlen(a), NULL, rand_r(&seed) % 4 ? 0 : ST_UNLINK_DIR);
            break;
        case 2:
            (void)!ops->rename(e->root, a, strlen(a), e->root, b, strlen(b), 0);
            break;
        default:
            if (ops->lookup(e->root, a, strlen(a), &n) != ST_OK)
                break;
            (void)!ops->getattr(n, &at);
            if (n->type == ST_REG)
                (void)!ops->write(n, rand_r(&seed) % 100000, &(struct iovec){h, sizeof h}, 1, 0, &done);
            if (e->variant != VARIANT_DIR_USER && ops->handle(n, true, h, &done) == ST_OK &&
                ops->from_handle(e->s, h, done, &again) == ST_OK)
                assert_ptr_equal(n, again);
            if (rand_r(&seed) % 8 == 0)
                (void)!ops->link(n, e->root, b, strlen(b));
        }
    }
    return NULL;
}

static void stress_names(void **state)
{
    struct env *e = *state;
    pthread_t t[4];
    struct stress s[4];
    for (unsigned i = 0; i < 4; i++) {
        s[i] = (struct stress){e, i};
        assert_int_equal(pthread_create(&t[i], NULL, stress_run, &s[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(e->root->refs, 2); /* the store's and ours */
}

const struct CMUnitTest names_cases[] = {
    CASE(names_are_checked), CASE(all_types),       CASE(owner_is_exact),  CASE(links_are_one_node),
    CASE(orphans_live),      CASE(unlink_expects),  CASE(rename_variants), CASE(many_entries),
    CASE(handles),           CASE(mutations_count), CASE(stress_names),   CASE(listings),
};
const size_t names_count = ARRAY_LEN(names_cases);
