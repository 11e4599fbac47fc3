/* dcerpc_srvsvc.c - the Server Service ([MS-SRVS]): which shares there are and what the server calls itself.
 * Read-only: what would administer the server over the network is refused. */
#include "fs/fs.h"
#include "dcerpc.h"
#include <strings.h>

/* [MS-SRVS] 2.2.2.4, 2.2.2.6, [MS-ERREF] */
#define STYPE_DISKTREE 0x00000000u
#define STYPE_IPC 0x00000003u
#define STYPE_SPECIAL 0x80000000u
#define PLATFORM_ID_NT 500
#define SV_TYPE_SERVER_NT 0x00009003u /* workstation, server, NT, NT server */
enum { ERROR_SUCCESS = 0, ERROR_INVALID_LEVEL = 124, NERR_NetNameNotFound = 2310 };
#define SHARES_MAX 4096

struct share_entry {
    const char *name, *remark, *path;
    uint32_t type;
};
struct share_list {
    struct arena *arena;
    struct share_entry e[SHARES_MAX];
    size_t n;
    bool hidden_too, failed;
};

static bool share_add(void *arg, struct fs_share *s)
{
    struct share_list *l = arg;
    if (!s->cfg.smb || (s->cfg.hidden && !l->hidden_too) || l->n == SHARES_MAX - 1)
        return true;
    struct share_entry *e = &l->e[l->n];
    e->name = arena_strndup(l->arena, s->cfg.name, strlen(s->cfg.name));
    e->remark = arena_strndup(l->arena, s->cfg.comment, strlen(s->cfg.comment));
    e->path = arena_printf(l->arena, "C:\\%s", s->cfg.name); /* where it lies is nobody's business */
    e->type = STYPE_DISKTREE;
    l->failed |= !e->name || !e->remark || !e->path;
    l->n++;
    return true;
}

static struct share_list *shares(struct dcerpc_call *c, bool hidden_too)
{
    struct share_list *l = arena_alloc(c->arena, sizeof *l);
    if (!l)
        return NULL;
    l->arena = c->arena;
    l->n = 0;
    l->hidden_too = hidden_too;
    l->failed = false;
    fs_share_each(c->env->fs, share_add, l);
    l->e[l->n++] = (struct share_entry){"IPC$", "Remote procedure calls", "", STYPE_IPC | STYPE_SPECIAL};
    return l->failed ? NULL : l;
}

/* --- [MS-SRVS] 2.2.4.22 to 2.2.4.26: each level as a fixed part, with its strings behind all fixed parts. */
static void fixed_0(struct wbuf *w, const struct share_entry *e)
{
    ndr_put_pointer(w, true);
}

static void fixed_1(struct wbuf *w, const struct share_entry *e)
{
    ndr_put_pointer(w, true);
    ndr_put_u32(w, e->type);
    ndr_put_pointer(w, true);
}

static void fixed_2(struct wbuf *w, const struct share_entry *e)
{
    fixed_1(w, e);
    ndr_put_u32(w, 0);          /* permissions: only for share-level security */
    ndr_put_u32(w, UINT32_MAX); /* max_uses */
    ndr_put_u32(w, 0);          /* current_uses */
    ndr_put_pointer(w, true);   /* path */
    ndr_put_pointer(w, false);  /* passwd */
}

static void fixed_501(struct wbuf *w, const struct share_entry *e)
{
    fixed_1(w, e);
    ndr_put_u32(w, 0); /* CSC_CACHE_MANUAL_REINT */
}

static void fixed_502(struct wbuf *w, const struct share_entry *e)
{
    fixed_2(w, e);
    ndr_put_u32(w, 0);
    ndr_put_pointer(w, false); /* security descriptor */
}

static void fixed_1005(struct wbuf *w, const struct share_entry *e)
{
    ndr_put_u32(w, 0);
}

static const struct share_level {
    uint32_t level;
    void (*fixed)(struct wbuf *w, const struct share_entry *e);
    int strings; /* name, remark, path: how many of them */
    bool listed; /* NetrShareEnum has it too */
} levels[] = {
    {0, fixed_0, 1, true},     {1, fixed_1, 2, true},     {2, fixed_2, 3, true},
    {501, fixed_501, 2, true}, {502, fixed_502, 3, true}, {1005, fixed_1005, 0, false},
};

static void put_strings(struct wbuf *w, const struct share_level *l, const struct share_entry *e)
{
    const char *strings[] = {e->name, e->remark, e->path};
    for (int i = 0; i < l->strings; i++)
        ndr_put_string(w, strings[i]);
}

static const struct share_level *share_level(uint32_t level)
{
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (levels[i].level == level)
            return &levels[i];
    return NULL;
}

static void server_name(struct dcerpc_call *c)
{
    if (ndr_pointer(&c->in))
        (void)ndr_string(c->arena, &c->in);
}

/* 3.1.4.8 NetrShareEnum. All entries are given at once, whatever the preferred length: there is nothing to resume. */
static uint32_t share_enum(struct dcerpc_call *c)
{
    server_name(c);
    uint32_t level = ndr_u32(&c->in), branch = ndr_u32(&c->in);
    if (ndr_pointer(&c->in)) { /* the container, which the caller has no reason to fill */
        ndr_u32(&c->in);
        if (ndr_pointer(&c->in))
            return RPC_FAULT_NDR;
    }
    ndr_u32(&c->in);
    bool resume = ndr_pointer(&c->in);
    if (c->in.bad || level != branch)
        return RPC_FAULT_NDR;
    const struct share_level *l = share_level(level);
    struct share_list *list = shares(c, false);
    if (!list)
        return RPC_FAULT_NO_MEMORY;
    size_t n = l && l->listed ? list->n : 0;
    struct wbuf *w = c->out;
    ndr_put_u32(w, level);
    ndr_put_u32(w, level);
    ndr_put_pointer(w, l && l->listed);
    if (l && l->listed) {
        ndr_put_u32(w, (uint32_t)n);
        ndr_put_pointer(w, true);
        ndr_put_u32(w, (uint32_t)n);
        for (size_t i = 0; i < n; i++)
            l->fixed(w, &list->e[i]);
        for (size_t i = 0; i < n; i++)
            put_strings(w, l, &list->e[i]);
    }
    ndr_put_u32(w, (uint32_t)n);
    ndr_put_pointer(w, resume);
    if (resume)
        ndr_put_u32(w, 0);
    ndr_put_u32(w, l && l->listed ? ERROR_SUCCESS : ERROR_INVALID_LEVEL);
    return RPC_OK;
}

/* 3.1.4.10 NetrShareGetInfo */
static uint32_t share_get_info(struct dcerpc_call *c)
{
    server_name(c);
    const char *name = ndr_string(c->arena, &c->in);
    uint32_t level = ndr_u32(&c->in);
    if (c->in.bad || !name)
        return RPC_FAULT_NDR;
    struct share_list *list = shares(c, true);
    if (!list)
        return RPC_FAULT_NO_MEMORY;
    const struct share_level *l = share_level(level);
    const struct share_entry *e = NULL;
    for (size_t i = 0; i < list->n && !e; i++)
        if (!strcasecmp(list->e[i].name, name))
            e = &list->e[i];
    ndr_put_u32(c->out, level);
    ndr_put_pointer(c->out, l && e);
    if (l && e) {
        l->fixed(c->out, e);
        put_strings(c->out, l, e);
    }
    ndr_put_u32(c->out, !l ? ERROR_INVALID_LEVEL : !e ? NERR_NetNameNotFound : ERROR_SUCCESS);
    return RPC_OK;
}

/* 3.1.4.17 NetrServerGetInfo, levels 100 to 102 (2.2.4.40 to 2.2.4.42) */
static uint32_t server_get_info(struct dcerpc_call *c)
{
    server_name(c);
    uint32_t level = ndr_u32(&c->in);
    if (c->in.bad)
        return RPC_FAULT_NDR;
    bool known = level >= 100 && level <= 102;
    struct wbuf *w = c->out;
    ndr_put_u32(w, level);
    ndr_put_pointer(w, known);
    if (!known) {
        ndr_put_u32(w, ERROR_INVALID_LEVEL);
        return RPC_OK;
    }
    ndr_put_u32(w, PLATFORM_ID_NT);
    ndr_put_pointer(w, true);
    if (level >= 101) {
        ndr_put_u32(w, 10); /* version */
        ndr_put_u32(w, 0);
        ndr_put_u32(w, SV_TYPE_SERVER_NT);
        ndr_put_pointer(w, true);
    }
    if (level == 102) {
        ndr_put_u32(w, UINT32_MAX); /* users: no limit */
        ndr_put_u32(w, UINT32_MAX); /* disc: sessions are not disconnected when idle */
        ndr_put_u32(w, 0);          /* hidden */
        ndr_put_u32(w, 0);          /* announce, anndelta: not to the network */
        ndr_put_u32(w, 0);
        ndr_put_u32(w, 0);          /* licenses */
        ndr_put_pointer(w, true);   /* userpath */
    }
    ndr_put_string(w, c->env->server_name);
    if (level >= 101)
        ndr_put_string(w, "Concord");
    if (level == 102)
        ndr_put_string(w, "C:\\");
    ndr_put_u32(w, ERROR_SUCCESS);
    return RPC_OK;
}

/* Who is connected and what they have open is for the administrator, who has concordctl. */
static uint32_t denied(struct dcerpc_call *c)
{
    return RPC_FAULT_ACCESS_DENIED;
}

static const struct dcerpc_method methods[] = {
    {8, denied},          /* NetrConnectionEnum */
    {9, denied},          /* NetrFileEnum */
    {12, denied},         /* NetrSessionEnum */
    {13, denied},         /* NetrSessionDel */
    {14, denied},         /* NetrShareAdd */
    {15, share_enum},     /* NetrShareEnum */
    {16, share_get_info}, /* NetrShareGetInfo */
    {17, denied},         /* NetrShareSetInfo */
    {18, denied},         /* NetrShareDel */
    {21, server_get_info}, /* NetrServerGetInfo */
    {36, share_enum},     /* NetrShareEnumSticky */
};
const struct dcerpc_interface dcerpc_srvsvc = {
    .pipe = "srvsvc",
    .uuid = {0xc8, 0x4f, 0x32, 0x4b, 0x70, 0x16, 0xd3, 0x01, 0x12, 0x78, 0x5a, 0x47, 0xbf, 0x6e, 0xe1, 0x88},
    .major = 3,
    .methods = methods,
    .nmethods = ARRAY_LEN(methods),
};
