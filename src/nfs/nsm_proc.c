/* nsm_proc.c - the procedures of NSM version 1 (XNFS §11.3). Monitoring is for programs of this machine only: whoever
 * else could ask for it could also have us call others. NOTIFY counts only for hosts of the sender's address. */
#include "nsm_int.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>

#define LOCALS_MAX 1024u

struct args { /* of every procedure; each fills in what it has */
    struct nfs_name mon_name, my_name;
    uint32_t prog, vers, proc, state;
    const uint8_t *priv;
};
struct res {
    uint32_t stat;
};

static void get_name(struct cursor *in, struct nfs_name *ret) { ret->p = xdr_string(in, SM_MAXSTRLEN, &ret->n); }
static void get_my_id(struct cursor *in, struct args *a)
{
    get_name(in, &a->my_name);
    a->prog = xdr_u32(in);
    a->vers = xdr_u32(in);
    a->proc = xdr_u32(in);
}
static void decode_name(struct cursor *in, void *args) { get_name(in, &((struct args *)args)->mon_name); }
static void decode_my_id(struct cursor *in, void *args) { get_my_id(in, args); }
static void decode_mon_id(struct cursor *in, void *args)
{
    decode_name(in, args);
    get_my_id(in, args);
}
static void decode_mon(struct cursor *in, void *args)
{
    struct args *a = args;
    decode_mon_id(in, args);
    a->priv = xdr_fixed(in, SM_PRIV_SIZE);
}
static void decode_notify(struct cursor *in, void *args)
{
    struct args *a = args;
    decode_name(in, args);
    a->state = xdr_u32(in);
}

static struct nsm *nsm_of(const struct rpc_call *c) { return ((struct nfs_server *)c->svc->ctx)->nsm; }

static bool matches(const struct nsm_local *m, const struct args *a, bool any_host)
{
    return m->prog == a->prog && m->vers == a->vers && m->proc == a->proc && strlen(m->my_name) == a->my_name.n &&
           memcmp(m->my_name, a->my_name.p, a->my_name.n) == 0 &&
           (any_host ||
            (strlen(m->mon_name) == a->mon_name.n && memcmp(m->mon_name, a->mon_name.p, a->mon_name.n) == 0));
}

static unsigned remove_locals(struct nsm *nsm, const struct args *a, bool any_host)
{
    struct nsm_local *m;
    unsigned n = 0;
    pthread_mutex_lock(&nsm->lock);
    list_each(m, &nsm->locals, link) {
        if (!matches(m, a, any_host))
            continue;
        list_remove(&m->link);
        nsm->nlocals--;
        free(m->my_name);
        free(m);
        n++;
    }
    pthread_mutex_unlock(&nsm->lock);
    return n;
}

/* Agreeing to monitor is all that STAT_SUCC says. */
static enum st run_stat(struct rpc_call *c)
{
    const struct args *a = c->args;
    struct res *r = c->res;
    r->stat = a->mon_name.n > 0 && !memchr(a->mon_name.p, 0, a->mon_name.n) ? STAT_SUCC : STAT_FAIL;
    return ST_OK;
}

static bool resolve(const char *name, struct sockaddr_storage *ret)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *ai = NULL;
    if (getaddrinfo(name, NULL, &hints, &ai) != 0)
        return false;
    bool ok = ai->ai_addrlen <= sizeof *ret;
    *ret = (struct sockaddr_storage){0};
    if (ok)
        memcpy(ret, ai->ai_addr, ai->ai_addrlen);
    freeaddrinfo(ai);
    return ok;
}

static enum st run_mon(struct rpc_call *c)
{
    const struct args *a = c->args;
    struct res *r = c->res;
    struct nsm *nsm = nsm_of(c);
    struct sockaddr_storage addr;
    if (!c->job.on_pool)
        return ST_OFFLOAD; /* names are looked up, the database is written */
    r->stat = STAT_FAIL;
    run_stat(c);
    if (r->stat == STAT_FAIL)
        return ST_OK;
    r->stat = STAT_FAIL;
    struct nsm_local *m = calloc(1, sizeof *m + a->mon_name.n + 1);
    char *my_name = strndup(a->my_name.p, a->my_name.n);
    if (!m || !my_name)
        goto out;
    memcpy(m->mon_name, a->mon_name.p, a->mon_name.n);
    memcpy(m->priv, a->priv, SM_PRIV_SIZE);
    m->prog = a->prog;
    m->vers = a->vers;
    m->proc = a->proc;
    m->has_addr = resolve(m->mon_name, &addr);
    if (!m->has_addr || nsm_host_monitor(nsm, &a->mon_name, &addr, NULL) != ST_OK)
        goto out;
    rpc_addr_bytes(&addr, m->addr);
    remove_locals(nsm, a, false);
    pthread_mutex_lock(&nsm->lock);
    if (nsm->nlocals < LOCALS_MAX) {
        m->my_name = TAKE_PTR(my_name);
        list_append(&nsm->locals, &m->link);
        m = NULL;
        nsm->nlocals++;
        r->stat = STAT_SUCC;
    }
    pthread_mutex_unlock(&nsm->lock);
out:
    free(m);
    free(my_name);
    return ST_OK;
}

static enum st run_unmon(struct rpc_call *c)
{
    remove_locals(nsm_of(c), c->args, false);
    return ST_OK;
}
static enum st run_unmon_all(struct rpc_call *c)
{
    remove_locals(nsm_of(c), c->args, true);
    return ST_OK;
}

struct crash {
    struct task task;
    struct nsm *nsm;
};
static void crash_notify(struct task *t)
{
    struct crash *k = container_of(t, struct crash, task);
    nsm_notify_all(k->nsm);
    free(k);
}

/* As if the machine had restarted: the next state number, and everybody is told. */
static enum st run_simu_crash(struct rpc_call *c)
{
    struct nsm *nsm = nsm_of(c);
    if (!c->job.on_pool)
        return ST_OFFLOAD;
    struct crash *k = malloc(sizeof *k);
    if (!k || nsm_state_raise(nsm) < 0) {
        free(k);
        return ST_OK;
    }
    pthread_mutex_lock(&nsm->lock);
    for (size_t i = 0; i <= nsm->hosts.mask; i++)
        for (struct hash_link *l = nsm->hosts.slots[i]; l; l = l->next) {
            struct nsm_host *h = container_of(l, struct nsm_host, link);
            h->to_notify |= h->monitored;
        }
    pthread_mutex_unlock(&nsm->lock);
    *k = (struct crash){.task.fn = crash_notify, .nsm = nsm};
    loop_post(nsm->srv->loop, &k->task);
    return ST_OK;
}

static enum st run_notify(struct rpc_call *c)
{
    const struct args *a = c->args;
    nsm_notified(nsm_of(c), &a->mon_name, a->state, c->peer);
    return ST_OK;
}

static void encode_stat_res(struct rpc_call *c, struct wbuf *w, enum st st)
{
    const struct res *r = c->res;
    xdr_put_u32(w, r->stat);
    xdr_put_u32(w, nsm_state(nsm_of(c)));
}
static void encode_state(struct rpc_call *c, struct wbuf *w, enum st st) { xdr_put_u32(w, nsm_state(nsm_of(c))); }

static const struct rpc_proc proc_null = {.name = "NULL"};
#define PROC(id, text, decoder, runner, encoder, options)                                                              \
    static const struct rpc_proc id = {.name = text, .decode = decoder, .run = runner, .encode = encoder,              \
                                       .args = sizeof(struct args), .res = sizeof(struct res), .flags = options};
PROC(proc_stat, "STAT", decode_name, run_stat, encode_stat_res, 0)
PROC(proc_mon, "MON", decode_mon, run_mon, encode_stat_res, RPC_LOCAL)
PROC(proc_unmon, "UNMON", decode_mon_id, run_unmon, encode_state, RPC_LOCAL)
PROC(proc_unmon_all, "UNMON_ALL", decode_my_id, run_unmon_all, encode_state, RPC_LOCAL)
PROC(proc_simu_crash, "SIMU_CRASH", NULL, run_simu_crash, NULL, RPC_LOCAL)
PROC(proc_notify, "NOTIFY", decode_notify, run_notify, NULL, 0)

static const struct rpc_proc *const procs[SM_PROCS] = {
    [SM_NULL] = &proc_null,           [SM_STAT] = &proc_stat,             [SM_MON] = &proc_mon,
    [SM_UNMON] = &proc_unmon,         [SM_UNMON_ALL] = &proc_unmon_all,   [SM_SIMU_CRASH] = &proc_simu_crash,
    [SM_NOTIFY] = &proc_notify,
};
const struct rpc_program nsm_program = {.name = "status", .prog = NSM_PROGRAM, .vers = 1, .procs = procs,
                                        .nprocs = SM_PROCS, .transports = RPC_TCP | RPC_UDP};
