/* idleload.c - what idle and slow connections cost the others: the latency of NFS NULL calls on one connection,
 * measured alone, then beside N idle connections and one client that sends a byte a second.
 *
 *     idleload HOST NFSPORT SMBPORT N SERVERPID
 *
 * Prints medians and 99th percentiles in microseconds and the server's proportional set size; fails when the median
 * grows by more than half. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CALLS 10000
#define ROUNDS 8

static int dial(const char *host, const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    inet_pton(AF_INET, host, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        return perror("connect"), exit(1), -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* RFC 5531: record mark, xid, CALL, version 2, program 100003, version 3, procedure 0, AUTH_NONE twice. */
static const uint32_t null_call[11] = {0x80000028, 7, 0, 2, 100003, 3, 0, 0, 0, 0, 0};

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;
    return (d > 0) - (d < 0);
}

/* The best of several rounds: how deep a processor sleeps between two calls changes from second to second. */
static double measure_once(int fd, double *ret_p99)
{
    static double us[CALLS];
    uint32_t call[11], reply[7];
    for (size_t i = 0; i < 11; i++)
        call[i] = htonl(null_call[i]);
    for (size_t i = 0; i < CALLS; i++) {
        double start = now_us();
        if (send(fd, call, sizeof call, 0) != sizeof call || recv(fd, reply, sizeof reply, MSG_WAITALL) != sizeof reply)
            perror("call"), exit(1);
        us[i] = now_us() - start;
    }
    qsort(us, CALLS, sizeof us[0], ascending);
    *ret_p99 = us[CALLS * 99 / 100];
    return us[CALLS / 2];
}

static double measure(const char *label, int fd)
{
    double best = 1e9, p99 = 0;
    for (int i = 0; i < ROUNDS; i++) {
        double this_p99, median = measure_once(fd, &this_p99);
        if (median < best)
            best = median, p99 = this_p99;
    }
    printf("%-24s median %.1f us, 99th percentile %.1f us\n", label, best, p99);
    return best;
}

static void memory(const char *label, const char *pid)
{
    char path[64], line[256];
    long kib;
    snprintf(path, sizeof path, "/proc/%s/smaps_rollup", pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "Pss: %ld", &kib) == 1)
            printf("%-24s %ld KiB proportional set size\n", label, kib);
    if (f)
        fclose(f);
}

static void *slow_sender(void *arg)
{
    const int *fds = arg;
    for (size_t i = 0;; i++) {
        uint8_t byte = i == 0 ? 0x80 : 0; /* a record that never ends; a NetBIOS header alike */
        send(fds[0], &byte, 1, MSG_NOSIGNAL);
        send(fds[1], &(uint8_t){0}, 1, MSG_NOSIGNAL);
        sleep(1);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return fputs("usage: idleload HOST NFSPORT SMBPORT N SERVERPID\n", stderr), 2;
    struct rlimit r;
    getrlimit(RLIMIT_NOFILE, &r);
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
    int fd = dial(argv[1], argv[2]), n = atoi(argv[4]);
    measure("warm-up", fd);
    memory("alone", argv[5]);
    double alone = measure("alone", fd);
    for (int i = 0; i < n; i++)
        dial(argv[1], argv[i % 2 ? 2 : 3]);
    static int slow[2];
    slow[0] = dial(argv[1], argv[2]);
    slow[1] = dial(argv[1], argv[3]);
    pthread_t t;
    pthread_create(&t, NULL, slow_sender, slow);
    sleep(1);
    memory("with idle connections", argv[5]);
    double beside = measure("with idle connections", fd);
    return beside > alone * 1.5;
}
