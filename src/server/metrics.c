/* metrics.c - the Prometheus endpoint: GET /metrics in the text format, over libmicrohttpd. The numbers are read from
 * where they are counted; nothing is counted here. */
#include "admin_int.h"
#include "fs/fs_metrics.h"
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>

struct metrics {
    struct server *s;
    struct MHD_Daemon *http;
};

static void write_gauges(struct server *s, FILE *f)
{
    struct co_stats co;
    co_stats(fs_engine(s->fs), &co);
    const struct {
        const char *kind;
        uint64_t value;
    } holds[] = {{"range", co.ranges}, {"share", co.shares}, {"lease", co.leases}};
    fputs("# HELP concord_holds What clients hold, by kind.\n# TYPE concord_holds gauge\n", f);
    for (size_t i = 0; i < ARRAY_LEN(holds); i++)
        fprintf(f, "concord_holds{kind=\"%s\"} %llu\n", holds[i].kind, (unsigned long long)holds[i].value);
    fputs("# HELP concord_waiters Requests that wait for a holder, by what they want to do.\n"
          "# TYPE concord_waiters gauge\n", f);
    for (unsigned op = 0; op < CO_OP_MAX; op++)
        fprintf(f, "concord_waiters{kind=\"%s\"} %llu\n", fs_op_name((enum co_op)op),
                (unsigned long long)co.waiting[op]);
}

static void write_conflict(const char *head, unsigned kind, unsigned outcome, uint64_t n, FILE *f)
{
    fprintf(f, "%skind=\"%s\",outcome=\"%s\"} %llu\n", head, fs_conflict_kind_name(kind),
            fs_conflict_outcome_name(outcome), (unsigned long long)n);
}

/* Those within one protocol are everyday life, those between two what the product is for: a name for each. */
static void write_conflicts(const struct fs_metrics *m, bool across, FILE *f)
{
    char head[128];
    for (unsigned i = 0; i < sizeof m->conflicts / sizeof m->conflicts[0][0][0][0]; i++) {
        unsigned outcome = i % FS_OUTCOMES, kind = i / FS_OUTCOMES % FS_CONFLICT_KINDS;
        unsigned pair = i / FS_OUTCOMES / FS_CONFLICT_KINDS;
        unsigned to = pair % CO_LABEL_MAX, from = pair / CO_LABEL_MAX;
        uint64_t n = atomic_load_explicit(&m->conflicts[from][to][kind][outcome], memory_order_relaxed);
        if (!n || (from != to) != across)
            continue;
        if (across)
            snprintf(head, sizeof head, "concord_cross_protocol_conflicts_total{from=\"%s\",to=\"%s\",",
                     fs_label_name(from), fs_label_name(to));
        else
            snprintf(head, sizeof head, "concord_conflicts_total{protocol=\"%s\",", fs_label_name(from));
        write_conflict(head, kind, outcome, n, f);
    }
}

static void write_all_conflicts(const struct fs_metrics *m, FILE *f)
{
    fputs("# HELP concord_cross_protocol_conflicts_total Operations that met what a client of another protocol held.\n"
          "# TYPE concord_cross_protocol_conflicts_total counter\n", f);
    write_conflicts(m, true, f);
    fputs("# HELP concord_conflicts_total Operations that met what another client of the same protocol held.\n"
          "# TYPE concord_conflicts_total counter\n", f);
    write_conflicts(m, false, f);
}

static void write_histogram(const struct fs_histogram *h, const char *name, const char *help, FILE *f)
{
    uint64_t below = 0;
    fprintf(f, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name);
    for (size_t i = 0; i < FS_BUCKETS; i++) {
        below += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
        if (fs_histogram_bounds[i] == UINT64_MAX)
            fprintf(f, "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)below);
        else
            fprintf(f, "%s_bucket{le=\"%g\"} %llu\n", name, (double)fs_histogram_bounds[i] / NSEC_PER_SEC,
                    (unsigned long long)below);
    }
    fprintf(f, "%s_sum %g\n%s_count %llu\n", name, (double)atomic_load(&h->sum) / NSEC_PER_SEC, name,
            (unsigned long long)below);
}

static void write_counters(const struct fs_metrics *m, FILE *f)
{
    write_all_conflicts(m, f);
    write_histogram(&m->break_to_ack, "concord_break_to_ack_seconds", "From sending a break to the holder's answer.",
                    f);
    write_histogram(&m->break_to_grant, "concord_break_to_grant_seconds",
                    "From meeting a lease that must be given up to going on.", f);
    write_histogram(&m->lock_handover, "concord_lock_handover_seconds",
                    "From a lock becoming free to its grant to whoever waited for it.", f);
    fprintf(f,
            "# HELP concord_parked_total Times a request was parked.\n# TYPE concord_parked_total counter\n"
            "concord_parked_total %llu\n",
            (unsigned long long)atomic_load(&m->parked));
}

static enum MHD_Result answer(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                              const char *version, const char *data, size_t *ndata, void **state)
{
    struct metrics *m = arg;
    char *text = NULL;
    size_t n = 0;
    bool found = strcmp(url, "/metrics") == 0 && strcmp(method, "GET") == 0;
    FILE *f = open_memstream(&text, &n);
    if (!f)
        return MHD_NO;
    if (found) {
        write_gauges(m->s, f);
        write_counters(fs_metrics(m->s->fs), f);
    } else {
        fputs("try /metrics\n", f);
    }
    fclose(f);
    struct MHD_Response *r = MHD_create_response_from_buffer(n, text, MHD_RESPMEM_MUST_FREE);
    if (!r)
        return free(text), MHD_NO;
    MHD_add_response_header(r, "Content-Type", "text/plain; version=0.0.4");
    enum MHD_Result q = MHD_queue_response(c, found ? MHD_HTTP_OK : MHD_HTTP_NOT_FOUND, r);
    MHD_destroy_response(r);
    return q;
}

int metrics_start(struct server *s, const char *listen, struct metrics **ret)
{
    struct sockaddr_storage addr;
    socklen_t len;
    if (addr_parse(listen, &addr, &len) < 0)
        return -EINVAL;
    struct metrics *m = calloc(1, sizeof *m);
    if (!m)
        return -ENOMEM;
    m->s = s;
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | (addr.ss_family == AF_INET6 ? MHD_USE_DUAL_STACK : 0);
    m->http = MHD_start_daemon(flags, 0, NULL, NULL, answer, m, MHD_OPTION_SOCK_ADDR, &addr,
                               MHD_OPTION_CONNECTION_LIMIT, 16u, MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_END);
    if (!m->http) {
        free(m);
        return -EADDRINUSE;
    }
    *ret = m;
    return 0;
}

void metrics_stop(struct metrics *m)
{
    if (!m)
        return;
    MHD_stop_daemon(m->http);
    free(m);
}
