/* nsm.c - the list of monitored hosts, in memory and in the state database, the state number, and the grace period.
 *
 * A record: key = address (16 bytes), hash of the name; value = our address (16 bytes), the name. A host is on the list
 * while it may hold something, or has still to be told of our last restart. Until the grace period is over that is true
 * of whoever was on it before: it may reclaim, or we may end before it could. */
#include "nsm_int.h"
#include "base/clock.h"
#include "base/kv.h"
#include "base/log.h"
#include <errno.h>
#include <netinet/in.h>
#include <sys/random.h>

#define NSM_TABLE "nsm.hosts"
#define NSM_STATE_TABLE "nsm"
#define NSM_HOSTS_MAX 65536u
#define NSM_KEY 24u
#define NSM_AFTER_GRACE NSEC_PER_SEC   /* what was asked in it has been answered */
#define NSM_QUIET (10 * NSEC_PER_SEC) /* no reclaim for that long, and all hosts have: nobody is left to wait for */

uint32_t nsm_state(struct nsm *nsm) { return atomic_load(&nsm->state); }

bool nsm_name_equal(const char *a, const char *b, size_t nb)
{
    size_t na = strlen(a), n = MIN(na, nb);
    if (strncasecmp(a, b, n) != 0)
        return false;
    return na == nb || (na > nb ? a[n] == '.' : b[n] == '.');
}

/* --- Records. */

static void key_of(const struct nsm_host *h, uint8_t key[NSM_KEY])
{
    static const uint8_t fixed[16]; /* the same after a restart */
    rpc_addr_bytes(&h->addr, key);
    put_be64(key + 16, siphash(fixed, h->name, strlen(h->name)));
}

static struct sockaddr_storage addr_of(const uint8_t bytes[16])
{
    static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct sockaddr_storage a = {.ss_family = AF_INET6};
    if (memcmp(bytes, v4_mapped, sizeof v4_mapped) == 0) {
        a.ss_family = AF_INET;
        memcpy(&((struct sockaddr_in *)&a)->sin_addr, bytes + 12, 4);
    } else {
        memcpy(&((struct sockaddr_in6 *)&a)->sin6_addr, bytes, 16);
    }
    return a;
}

static struct nsm_host *host_new(struct nsm *nsm, const char *name, size_t n, const struct sockaddr_storage *addr)
{
    struct nsm_host *h = calloc(1, sizeof *h + n + 1);
    if (!h)
        return NULL;
    memcpy(h->name, name, n);
    h->nsm = nsm;
    h->addr = *addr;
    rpc_addr_set_port(&h->addr, 0);
    h->client = nlm_client(&(struct nfs_name){h->name, (uint32_t)n}, addr);
    return h;
}

static void host_add(struct nsm *nsm, struct nsm_host *h)
{
    hash_insert(&nsm->hosts, &h->link, h->client);
    budget_take(&nsm->by_address, addr_account(&h->addr));
}

struct nsm_host *nsm_host_find(struct nsm *nsm, uint64_t client)
{
    struct hash_link *l = hash_first(&nsm->hosts, client);
    return l ? container_of(l, struct nsm_host, link) : NULL;
}

static int load_host(void *arg, const void *key, size_t nkey, const void *val, size_t n)
{
    struct nsm *nsm = arg;
    struct cursor k = cursor_of(key, nkey), v = cursor_of(val, n);
    const uint8_t *addr = cursor_take(&k, 16), *local = cursor_take(&v, 16);
    size_t len = cursor_left(&v);
    const uint8_t *name = cursor_take(&v, len);
    if (!addr || !local || !name || len > SM_MAXSTRLEN)
        return 0;
    struct sockaddr_storage a = addr_of(addr);
    struct nsm_host *h = host_new(nsm, (const char *)name, len, &a);
    if (!h)
        return -ENOMEM;
    memcpy(h->local, local, 16);
    h->stored = h->to_notify = h->before = true;
    h->monitored = nsm->srv->cfg.grace > 0;
    host_add(nsm, h);
    nsm->before_left++;
    return 0;
}

enum st nsm_host_store(struct nsm *nsm, struct nsm_host *h)
{
    uint8_t key[NSM_KEY], val[16 + SM_MAXSTRLEN];
    size_t n = strlen(h->name);
    struct kv *kv = nsm->srv->kv;
    key_of(h, key);
    pthread_mutex_lock(&nsm->db);
    pthread_mutex_lock(&nsm->lock);
    bool keep = h->monitored || h->to_notify, stored = h->stored;
    memcpy(val, h->local, 16);
    pthread_mutex_unlock(&nsm->lock);
    memcpy(val + 16, h->name, n);
    int r = 0;
    if (kv && keep != stored)
        r = keep ? kv_put(kv, NSM_TABLE, key, sizeof key, val, 16 + n) : kv_del(kv, NSM_TABLE, key, sizeof key);
    if (r == 0 || r == -ENOENT) {
        pthread_mutex_lock(&nsm->lock);
        h->stored = keep;
        pthread_mutex_unlock(&nsm->lock);
    }
    pthread_mutex_unlock(&nsm->db);
    if (r < 0 && r != -ENOENT)
        log_error("nsm", "event=state_failed host=%s error=\"%s\"", log_quote(h->name, n), strerror(-r));
    return r == 0 || r == -ENOENT ? ST_OK : ST_IO;
}

struct store_job {
    struct task task;
    struct nsm_host *host;
};
static void store_run(struct task *t)
{
    struct store_job *j = container_of(t, struct store_job, task);
    struct nsm *nsm = j->host->nsm;
    nsm_host_store(nsm, j->host);
    free(j);
    atomic_fetch_sub(&nsm->jobs, 1);
}

void nsm_host_store_later(struct nsm *nsm, struct nsm_host *h)
{
    struct store_job *j = nsm->srv->pool ? malloc(sizeof *j) : NULL;
    if (!nsm->srv->pool)
        nsm_host_store(nsm, h);
    if (!j)
        return; /* a host too many is notified after the next restart */
    *j = (struct store_job){.task.fn = store_run, .host = h};
    atomic_fetch_add(&nsm->jobs, 1);
    pool_run(nsm->srv->pool, &j->task);
}

/* --- Monitoring. */

enum st nsm_host_monitor(struct nsm *nsm, const struct nfs_name *name, const struct sockaddr_storage *addr,
                         const struct sockaddr_storage *local)
{
    uint64_t client = nlm_client(name, addr);
    if (name->n == 0 || name->n > SM_MAXSTRLEN || memchr(name->p, 0, name->n))
        return ST_INVAL;
    pthread_mutex_lock(&nsm->lock);
    struct nsm_host *h = nsm_host_find(nsm, client);
    bool room = nsm->hosts.count < NSM_HOSTS_MAX &&
                budget_allows(&nsm->by_address, addr_account(addr), nsm->srv->cfg.max_lock_hosts, 1);
    if (!h && room && (h = host_new(nsm, name->p, name->n, addr)) != NULL)
        host_add(nsm, h);
    if (h) {
        h->monitored = true;
        if (local)
            rpc_addr_bytes(local, h->local);
    }
    pthread_mutex_unlock(&nsm->lock);
    return h ? nsm_host_store(nsm, h) : ST_TOOMANY;
}

/* Marks the hosts that hold something. */
static bool mark_holder(void *arg, const struct co_hold *h)
{
    struct nsm *nsm = arg;
    struct nsm_host *host = h->party.label == CO_LABEL_NLM ? nsm_host_find(nsm, h->party.client) : NULL;
    if (host)
        host->reclaimed = true;
    return true;
}

/* After grace: who was here before and has not come back holds nothing. */
static void forget_absent(struct nsm *nsm)
{
    pthread_mutex_lock(&nsm->lock);
    co_each(fs_engine(nsm->srv->fs), NULL, mark_holder, nsm);
    for (size_t i = 0; i <= nsm->hosts.mask; i++)
        for (struct hash_link *l = nsm->hosts.slots[i]; l; l = l->next) {
            struct nsm_host *h = container_of(l, struct nsm_host, link);
            if (!h->before || h->reclaimed)
                continue;
            h->reclaimed = true;
            h->monitored = false;
            nsm_host_store_later(nsm, h);
        }
    nsm->before_left = 0;
    pthread_mutex_unlock(&nsm->lock);
}

/* When everybody who was here before has reclaimed the grace period ends as soon as reclaims have ceased. */
static void grace_timer(struct timer *t)
{
    struct nsm *nsm = container_of(t, struct nsm, grace);
    struct loop *l = nsm->srv->loop;
    uint64_t now = loop_now(l), over = nsm->grace_until + NSM_AFTER_GRACE;
    pthread_mutex_lock(&nsm->lock);
    uint64_t at = nsm->before_left ? UINT64_MAX : nsm->last_reclaim + NSM_QUIET;
    pthread_mutex_unlock(&nsm->lock);
    if (now >= over) {
        forget_absent(nsm);
        return;
    }
    if (now >= at && fs_in_grace(nsm->srv->fs)) {
        log_info("nsm", "event=grace_ended reason=\"all hosts have reclaimed\"");
        fs_grace_end(nsm->srv->fs);
    }
    loop_timer(l, t, now < at ? MIN(at, over) : over);
}
static void grace_wake(struct task *t)
{
    struct nsm *nsm = container_of(t, struct nsm, wake);
    grace_timer(&nsm->grace);
}

static void reclaimed_locked(struct nsm *nsm, struct nsm_host *h)
{
    nsm->last_reclaim = clock_now();
    if (h->before && !h->reclaimed) {
        h->reclaimed = true;
        nsm->before_left--;
    }
    if (nsm->before_left == 0 && !nsm->wake_posted) {
        nsm->wake_posted = true;
        loop_post(nsm->srv->loop, &nsm->wake);
    }
}

enum st nsm_monitor(struct nsm *nsm, struct rpc_call *c, const struct nfs_name *caller, uint64_t client, bool reclaim)
{
    pthread_mutex_lock(&nsm->lock);
    struct nsm_host *h = nsm_host_find(nsm, client);
    bool known = h && h->monitored && (h->stored || !nsm->srv->kv);
    if (known && reclaim)
        reclaimed_locked(nsm, h);
    else if (known && h->before && !h->reclaimed && !fs_in_grace(nsm->srv->fs))
        h->reclaimed = true; /* it is here for something new */
    pthread_mutex_unlock(&nsm->lock);
    if (known)
        return ST_OK;
    if (!c->job.on_pool)
        return ST_OFFLOAD; /* the database is to be written */
    enum st st = nsm_host_monitor(nsm, caller, c->peer, c->local);
    if (st == ST_OK && reclaim) {
        pthread_mutex_lock(&nsm->lock);
        if ((h = nsm_host_find(nsm, client)) != NULL)
            reclaimed_locked(nsm, h);
        pthread_mutex_unlock(&nsm->lock);
    }
    return st == ST_INVAL ? ST_TOOMANY : st;
}

/* Under the lock: fn only looks. */
void nsm_each(struct nsm *nsm, void (*fn)(void *arg, const char *name, const struct sockaddr_storage *addr), void *arg)
{
    pthread_mutex_lock(&nsm->lock);
    for (size_t i = 0; i <= nsm->hosts.mask; i++)
        for (struct hash_link *l = nsm->hosts.slots[i]; l; l = l->next) {
            const struct nsm_host *h = container_of(l, struct nsm_host, link);
            if (h->monitored)
                fn(arg, h->name, &h->addr);
        }
    pthread_mutex_unlock(&nsm->lock);
}

/* --- Start and end. */

/* Odd while we run (XNFS §11.1): each start takes the next odd number. */
int nsm_state_raise(struct nsm *nsm)
{
    _cleanup_free_ void *v = NULL;
    size_t n = 0;
    uint8_t raw[4];
    struct kv *kv = nsm->srv->kv;
    uint32_t state = atomic_load(&nsm->state);
    if (kv && kv_get(kv, NSM_STATE_TABLE, "state", 5, &v, &n) == 0 && n == 4)
        state = get_be32(v);
    else if (!kv && state == 0 && getrandom(&state, sizeof state, 0) != sizeof state)
        state = (uint32_t)clock_wall().tv_sec;
    state = ((state + 1) | 1) & INT32_MAX; /* clients read it as a signed number */
    put_be32(raw, state);
    atomic_store(&nsm->state, state);
    return kv ? kv_put(kv, NSM_STATE_TABLE, "state", 5, raw, sizeof raw) : 0;
}

static void hosts_free(struct nsm *nsm)
{
    for (size_t i = 0; nsm->hosts.slots && i <= nsm->hosts.mask; i++) {
        for (struct hash_link *l = nsm->hosts.slots[i], *next; l; l = next) {
            next = l->next;
            free(container_of(l, struct nsm_host, link));
        }
    }
    hash_done(&nsm->hosts);
}

static void nsm_destroy(struct nsm *nsm)
{
    struct nsm_local *m;
    list_each(m, &nsm->locals, link) {
        list_remove(&m->link);
        free(m->my_name);
        free(m);
    }
    hosts_free(nsm);
    pthread_mutex_destroy(&nsm->db);
    pthread_mutex_destroy(&nsm->lock);
    free(nsm);
}

int nsm_create(struct nfs_server *s, struct nsm **ret)
{
    struct nsm *nsm = calloc(1, sizeof *nsm);
    if (!nsm || hash_init(&nsm->hosts, 64) < 0) {
        free(nsm);
        return -ENOMEM;
    }
    nsm->srv = s;
    pthread_mutex_init(&nsm->db, NULL);
    pthread_mutex_init(&nsm->lock, NULL);
    list_init(&nsm->locals);
    list_init(&nsm->tells);
    nsm->grace.fn = grace_timer;
    nsm->wake.fn = grace_wake;
    if (s->cfg.name)
        memccpy(nsm->name, s->cfg.name, 0, sizeof nsm->name - 1);
    else
        gethostname(nsm->name, sizeof nsm->name - 1);
    int r = nsm_state_raise(nsm);
    if (r == 0 && s->kv)
        r = kv_each(s->kv, NSM_TABLE, load_host, nsm);
    if (r < 0) {
        nsm_destroy(nsm);
        return r;
    }
    *ret = nsm;
    return 0;
}

static void start_run(void *arg)
{
    struct nsm *nsm = arg;
    nsm_notify_all(nsm);
    if (nsm->grace_until)
        grace_timer(&nsm->grace);
}
static void stop_run(void *arg)
{
    struct nsm *nsm = arg;
    loop_timer(nsm->srv->loop, &nsm->grace, 0);
    nsm_notify_stop(nsm);
}

void nsm_begin_grace(struct nsm *nsm)
{
    if (nsm->before_left == 0 || !nsm->srv->cfg.grace)
        return;
    log_info("nsm", "event=grace_begun hosts=%u", nsm->before_left);
    fs_grace_begin(nsm->srv->fs);
    nsm->grace_until = clock_now() + nsm->srv->cfg.grace;
}

void nsm_start(struct nsm *nsm)
{
    if (nsm->before_left)
        loop_call(nsm->srv->loop, start_run, nsm);
}

void nsm_free(struct nsm *nsm)
{
    if (!nsm)
        return;
    loop_call(nsm->srv->loop, stop_run, nsm);
    while (atomic_load(&nsm->jobs) > 0)
        usleep(1000);
    /* Nobody else is left. Hosts that hold nothing, and have nothing to reclaim, need not be told of the next start;
     * then there is no grace either. */
    bool grace = fs_in_grace(nsm->srv->fs);
    for (size_t i = 0; i <= nsm->hosts.mask; i++)
        for (struct hash_link *l = nsm->hosts.slots[i]; l; l = l->next) {
            struct nsm_host *h = container_of(l, struct nsm_host, link);
            h->reclaimed = grace && h->before && !h->reclaimed;
        }
    co_each(fs_engine(nsm->srv->fs), NULL, mark_holder, nsm);
    for (size_t i = 0; i <= nsm->hosts.mask; i++) {
        for (struct hash_link *l = nsm->hosts.slots[i]; l; l = l->next) {
            struct nsm_host *h = container_of(l, struct nsm_host, link);
            h->monitored &= h->reclaimed;
            nsm_host_store(nsm, h);
        }
    }
    nsm_destroy(nsm);
}
