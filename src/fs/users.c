/* users.c - users of the state database: table "users", key = upper-cased name, value = a versioned record. Keeps the
 * NT hash and never the password; neither ever goes to a log. Knows nothing of sessions or protocols. */
#include "users.h"
#include "base/bytes.h"
#include "base/cursor.h"
#include "base/utf.h"
#include "base/wbuf.h"
#include "md4.h"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/random.h>

#define USERS_TABLE "users"
#define USER_VERSION 1
#define USER_DISABLED 1
#define USER_RECORD_MAX 1024
#define PW_BUF 16384

static enum st st_from_kv(int r)
{
    return r == -ENOENT ? ST_NOSUCHUSER : r < 0 ? st_from_errno(-r) : ST_OK;
}

/* 1 to 63 bytes of UTF-8 without the characters that logon names cannot have ([MS-SAMR] 3.1.1.6's SamAccountName). */
static bool name_ok(const char *name)
{
    size_t n = strlen(name);
    if (!n || n >= sizeof(((struct fs_user *)0)->name) || !utf8_valid(name, n) || strpbrk(name, "\"/\\[]:;|=,+*?<>"))
        return false;
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)name[i] < 0x20)
            return false;
    return name[0] != ' ' && name[n - 1] != ' ' && name[n - 1] != '.';
}

/* Upper-casing can make a letter one byte longer (U+023F and its like), never more. */
static size_t user_key(const char *name, char out[128])
{
    const uint8_t *p = (const uint8_t *)name, *end = p + strlen(name);
    size_t n = 0;
    uint32_t cp;
    for (size_t used; p < end && n < 124 && (used = utf8_decode(p, end, &cp)); p += used)
        n += utf8_encode(utf_upcase(cp), (uint8_t *)out + n);
    return n;
}

static bool user_decode(const void *val, size_t n, struct fs_user *ret)
{
    struct cursor c = cursor_of(val, n);
    memset(ret, 0, sizeof *ret);
    if (cursor_le16(&c) != USER_VERSION)
        return false;
    ret->disabled = cursor_le16(&c) & USER_DISABLED;
    const uint8_t *hash = cursor_take(&c, 16);
    ret->uid = cursor_le32(&c);
    ret->gid = cursor_le32(&c);
    ret->ngroups = cursor_le16(&c);
    size_t nname = cursor_le16(&c);
    if (c.bad || ret->ngroups > FS_GROUPS_MAX || nname >= sizeof ret->name)
        return false;
    for (uint32_t i = 0; i < ret->ngroups; i++)
        ret->groups[i] = cursor_le32(&c);
    const uint8_t *name = cursor_take(&c, nname);
    if (c.bad)
        return false;
    memcpy(ret->nt_hash, hash, 16);
    memcpy(ret->name, name, nname);
    return true;
}

static enum st user_put(struct kv *kv, const struct fs_user *u)
{
    struct wbuf w;
    char key[128];
    size_t nkey = user_key(u->name, key);
    wbuf_init(&w, USER_RECORD_MAX, USER_RECORD_MAX);
    wbuf_le16(&w, USER_VERSION);
    wbuf_le16(&w, u->disabled ? USER_DISABLED : 0);
    wbuf_put(&w, u->nt_hash, 16);
    wbuf_le32(&w, u->uid);
    wbuf_le32(&w, u->gid);
    wbuf_le16(&w, (uint16_t)u->ngroups);
    wbuf_le16(&w, (uint16_t)strlen(u->name));
    for (uint32_t i = 0; i < u->ngroups; i++)
        wbuf_le32(&w, u->groups[i]);
    wbuf_put(&w, u->name, strlen(u->name));
    enum st st = w.bad ? ST_NOMEM : st_from_kv(kv_put(kv, USERS_TABLE, key, nkey, wbuf_at(&w, 0), wbuf_len(&w)));
    if (w.blk)
        explicit_bzero(w.blk->data, w.blk->len);
    wbuf_done(&w);
    return st;
}

enum st fs_user_get(struct kv *kv, const char *name, struct fs_user *ret)
{
    char key[128];
    void *val = NULL;
    size_t n = 0;
    if (!name_ok(name))
        return ST_NOSUCHUSER;
    enum st st = st_from_kv(kv_get(kv, USERS_TABLE, key, user_key(name, key), &val, &n));
    if (st != ST_OK)
        return st;
    if (!user_decode(val, n, ret))
        st = ST_IO;
    explicit_bzero(val, n);
    free(val);
    return st;
}

/* --- Numeric identities from the system. */

static void add_groups(struct fs_user *u, const gid_t *g, int n)
{
    for (int i = 0; i < n && u->ngroups < FS_GROUPS_MAX; i++)
        if (g[i] != u->gid)
            u->groups[u->ngroups++] = g[i];
}

static bool ids_of_system_user(const char *name, struct fs_user *u)
{
    _cleanup_free_ char *buf = malloc(PW_BUF);
    struct passwd pw, *found = NULL;
    if (!buf || getpwnam_r(name, &pw, buf, PW_BUF, &found) != 0 || !found)
        return false;
    gid_t groups[FS_GROUPS_MAX + 1];
    int n = ARRAY_LEN(groups);
    u->uid = pw.pw_uid;
    u->gid = pw.pw_gid;
    u->ngroups = 0;
    if (getgrouplist(name, pw.pw_gid, groups, &n) < 0)
        n = ARRAY_LEN(groups); /* the first ones */
    add_groups(u, groups, n);
    return true;
}

static void ids_of_process(struct fs_user *u)
{
    gid_t groups[1024];
    int n = getgroups(ARRAY_LEN(groups), groups);
    u->uid = geteuid();
    u->gid = getegid();
    u->ngroups = 0;
    add_groups(u, groups, MAX(n, 0));
}

enum st fs_user_set(struct kv *kv, const char *name, const char *password, uint32_t uid, uint32_t gid, bool must_be_new)
{
    struct fs_user u;
    if (!name_ok(name))
        return ST_BADNAME;
    enum st st = fs_user_get(kv, name, &u);
    bool is_new = st == ST_NOSUCHUSER;
    if (st != ST_OK && !is_new)
        return st;
    if (!is_new && must_be_new)
        return ST_EXIST;
    if (is_new) {
        memset(&u, 0, sizeof u);
        memcpy(u.name, name, strlen(name));
    }
    if (uid != UINT32_MAX) {
        u.uid = uid;
        u.gid = gid;
        u.ngroups = 0;
    } else if (is_new && !ids_of_system_user(name, &u)) {
        ids_of_process(&u);
    }
    nt_hash(password, u.nt_hash);
    st = user_put(kv, &u);
    explicit_bzero(u.nt_hash, sizeof u.nt_hash);
    return st;
}

enum st fs_user_remove(struct kv *kv, const char *name)
{
    char key[128];
    if (!name_ok(name))
        return ST_NOSUCHUSER;
    return st_from_kv(kv_del(kv, USERS_TABLE, key, user_key(name, key)));
}

struct each {
    bool (*fn)(void *arg, const struct fs_user *u);
    void *arg;
};

static int each_user(void *arg, const void *key, size_t nkey, const void *val, size_t n)
{
    struct each *e = arg;
    struct fs_user u;
    /* A record of another version is not ours to show, and no reason to hide the others. */
    int stop = user_decode(val, n, &u) && !e->fn(e->arg, &u);
    explicit_bzero(u.nt_hash, sizeof u.nt_hash);
    return stop;
}

enum st fs_user_each(struct kv *kv, bool (*fn)(void *arg, const struct fs_user *u), void *arg)
{
    int r = kv_each(kv, USERS_TABLE, each_user, &(struct each){fn, arg});
    return r == -ENOENT || r >= 0 ? ST_OK : st_from_errno(-r);
}

void fs_user_cred(const struct fs_user *u, struct fs_cred *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->uid = u->uid;
    ret->gid = u->gid;
    ret->ngroups = u->ngroups;
    memcpy(ret->groups, u->groups, u->ngroups * sizeof u->groups[0]);
    ret->superuser = u->uid == 0;
    memcpy(ret->name, u->name, sizeof ret->name);
}

void nt_hash(const char *password, uint8_t out[16])
{
    uint8_t inl[512];
    size_t n = strlen(password), at = 0;
    _cleanup_free_ uint8_t *more = NULL;
    uint8_t *buf = inl;
    if (2 * n > sizeof inl && !(buf = more = malloc(2 * n))) {
        /* Cannot be hashed now: a hash that no password has, rather than one that everybody knows. */
        if (getrandom(out, 16, 0) != 16)
            memset(out, 0xff, 16);
        return;
    }
    const uint8_t *p = (const uint8_t *)password, *end = p + n;
    while (p < end) {
        uint32_t cp;
        size_t used = utf8_decode(p, end, &cp);
        if (!used) { /* not UTF-8: as Latin-1, what older terminals send */
            cp = *p;
            used = 1;
        }
        if (cp >= 0x10000) {
            put_le16(buf + at, (uint16_t)(0xd800 + ((cp - 0x10000) >> 10)));
            at += 2;
            cp = 0xdc00 + (cp & 0x3ff);
        }
        put_le16(buf + at, (uint16_t)cp);
        at += 2;
        p += used;
    }
    md4(buf, at, out);
    explicit_bzero(buf, at);
}
