/* account.c - what a run cost and how long its operations took. CPU is user and system time of the server's process
 * and all its descendants, those that ended included; memory is PSS, so that pages shared by a server's processes
 * count once. Reads /proc only; knows no protocol. */
#include "bench.h"
#include "process.h"
#include "base/clock.h"
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>

#define PROCESSES_MAX 4096
#define STEPS 16 /* linear steps in each power of two of nanoseconds: a latency is known to 6 % */

static struct {
    uint64_t count, bucket[64 * STEPS];
} latency;

void bench_latency(uint64_t ns)
{
    unsigned shift = ns < STEPS ? 0 : 59 - (unsigned)__builtin_clzll(ns);
    latency.bucket[ns < STEPS ? ns : (shift + 1) * STEPS + ((ns >> shift) - STEPS)]++;
    latency.count++;
}

void bench_latency_reset(void) { memset(&latency, 0, sizeof latency); }

static double percentile_us(double q)
{
    uint64_t rank = (uint64_t)(q * (double)latency.count), seen = 0;
    for (unsigned i = 0; i < ARRAY_LEN(latency.bucket); i++) {
        seen += latency.bucket[i];
        if (seen > rank)
            return (i < STEPS ? i : (double)((STEPS + i % STEPS) * (1ull << (i / STEPS - 1)))) / 1e3;
    }
    return 0;
}

struct process {
    pid_t pid, parent;
    bool counts;
    double ended; /* CPU seconds of children that ended */
};

static double ticks(uint64_t n) { return (double)n / (double)sysconf(_SC_CLK_TCK); }

static bool process_read(const char *name, struct process *p)
{
    char path[300], text[1024];
    unsigned long long cutime, cstime;
    snprintf(path, sizeof path, "/proc/%s/stat", name);
    FILE *f = fopen(path, "re");
    if (!f)
        return false; /* ended meanwhile */
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    const char *after = strrchr(text, ')'); /* the command's name may hold anything */
    if (!after || sscanf(after + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %llu %llu", &p->parent,
                         &cutime, &cstime) != 3)
        return false;
    p->pid = (pid_t)strtol(name, NULL, 10);
    p->counts = p->pid == bench.server;
    p->ended = ticks(cutime + cstime);
    return true;
}

/* Every process; the server's descendants are marked. */
static size_t processes(struct process *list)
{
    size_t n = 0;
    DIR *d = opendir("/proc");
    if (!d)
        bench_fail("/proc cannot be read");
    for (struct dirent *e; n < PROCESSES_MAX && (e = readdir(d));)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && process_read(e->d_name, &list[n]))
            n++;
    closedir(d);
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; !list[i].counts && j < n; j++)
                if (list[j].counts && list[j].pid == list[i].parent)
                    more = list[i].counts = true;
    }
    return n;
}

static double machine_cpu(void)
{
    unsigned long long v[8] = {0};
    FILE *f = fopen("/proc/stat", "re");
    if (!f)
        return 0;
    int n =
        fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7);
    fclose(f);
    return n == 8 ? ticks(v[0] + v[1] + v[2] + v[5] + v[6] + v[7])
                  : 0; /* not idle, not waiting for a disk, not stolen */
}

void bench_account(struct bench_account *a, bool memory)
{
    static struct process list[PROCESSES_MAX];
    struct timespec own;
    *a = (struct bench_account){.machine = machine_cpu()};
    for (size_t i = 0, n = bench.server ? processes(list) : 0; i < n; i++) {
        if (!list[i].counts)
            continue;
        a->processes++;
        a->server += list[i].ended + process_cpu(list[i].pid);
        if (memory)
            a->pss_kib += process_pss(list[i].pid);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    a->own = (double)own.tv_sec + (double)own.tv_nsec / 1e9;
    a->time = clock_now();
}

/* One line of key=value. other_cpu: CPUs that neither the server nor the load used. */
void bench_report(const struct bench_account *from, const struct bench_account *to, uint64_t operations)
{
    double seconds = (double)(to->time - from->time) / 1e9, server = to->server - from->server,
           own = to->own - from->own;
    double count = operations ? (double)operations : 1;
    printf("workload=%s ops=%llu seconds=%.3f ops_per_s=%.1f p50_us=%.1f p99_us=%.1f cpu_us_per_op=%.3f "
           "load_cpu_us_per_op=%.3f server_cpu=%.3f other_cpu=%.3f pss_kib=%llu processes=%llu\n",
           bench.work->name, (unsigned long long)operations, seconds, (double)operations / seconds, percentile_us(.5),
           percentile_us(.99), server * 1e6 / count, own * 1e6 / count, server / seconds,
           MAX(0.0, (to->machine - from->machine - server - own) / seconds), (unsigned long long)to->pss_kib,
           (unsigned long long)to->processes);
}
