/* concordd.c - the daemon's main: command line, signals, life. */
#include "server.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define DEFAULT_FILE "/etc/concord.conf"
#define SETS_MAX 128

static void usage(FILE *out)
{
    fputs("usage: concordd [options]\n"
          "  -c, --config FILE     configuration (" DEFAULT_FILE ")\n"
          "      --set S.KEY=VAL   one value; again for more; also \"share NAME.key=value\"\n"
          "      --serve DIR       no configuration: DIR as share \"share\", NFS port 12049, SMB port 12445\n"
          "      --check-config    say what is wrong with the configuration, and end\n"
          "      --print-config    print the values in effect and where each came from, and end\n"
          "      --print-docs      print docs/configuration.md, and end\n"
          "      --version, --help\n",
          out);
}

enum action { RUN, CHECK, PRINT };
struct command_line {
    enum action action;
    struct config_input input;
    const char *sets[SETS_MAX];
    const char *serve;
};

/* -1: go on; else the exit status. */
static int options_read(int argc, char **argv, struct command_line *cl)
{
    enum { SET = 256, SERVE, CHECK_CONFIG, PRINT_CONFIG, PRINT_DOCS, VERSION, HELP };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},         {"set", required_argument, NULL, SET},
        {"serve", required_argument, NULL, SERVE},        {"check-config", no_argument, NULL, CHECK_CONFIG},
        {"print-config", no_argument, NULL, PRINT_CONFIG}, {"print-docs", no_argument, NULL, PRINT_DOCS},
        {"version", no_argument, NULL, VERSION},          {"help", no_argument, NULL, HELP},
        {0}};
    cl->input.sets = cl->sets;
    for (int o; (o = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        switch (o) {
        case 'c':
            cl->input.file = optarg;
            break;
        case SET:
            if (cl->input.nsets == SETS_MAX)
                return fputs("concordd: too many --set\n", stderr), 2;
            cl->sets[cl->input.nsets++] = optarg;
            break;
        case SERVE:
            cl->serve = optarg;
            break;
        case CHECK_CONFIG:
            cl->action = CHECK;
            break;
        case PRINT_CONFIG:
            cl->action = PRINT;
            break;
        case PRINT_DOCS:
            return config_print_docs(1), 0;
        case VERSION:
            return puts("concordd " CONCORD_VERSION), 0;
        case HELP:
        case 'h':
            return usage(stdout), 0;
        default:
            return usage(stderr), 2;
        }
    }
    if (optind < argc)
        return usage(stderr), 2;
    if (!cl->input.file && !cl->serve && access(DEFAULT_FILE, R_OK) == 0)
        cl->input.file = DEFAULT_FILE;
    return -1;
}

static void raise_limits(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        rlim_t had = r.rlim_cur;
        r.rlim_cur = r.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &r) < 0)
            log_warn("server", "event=nofile limit=%llu error=%s", (unsigned long long)had, strerror(errno));
    }
    umask(0); /* modes of new objects are exact */
}

/* Waits for signals in the main thread: everything happens elsewhere. */
static void live(struct server *s, const sigset_t *signals)
{
    for (;;) {
        int sig = 0;
        if (sigwait(signals, &sig) != 0)
            return;
        if (sig == SIGHUP) {
            server_reload(s);
            continue;
        }
        log_info("server", "event=stopping signal=%s", sigabbrev_np(sig));
        return;
    }
}

int main(int argc, char **argv)
{
    static struct server s;
    static struct command_line cl;
    static char mistakes[16384];
    int r = options_read(argc, argv, &cl);
    if (r >= 0)
        return r;
    if (cl.serve && !serve_input(cl.serve, &cl.input))
        return 1;
    if (config_load(&cl.input, &s.cfg, mistakes, sizeof mistakes) < 0) {
        fputs(mistakes, stderr);
        return 1;
    }
    if (cl.action != RUN) {
        if (cl.action == PRINT)
            config_print(&s.cfg, 1);
        else
            puts("configuration is good");
        config_done(&s.cfg);
        return 0;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* inherited by every thread */
    signal(SIGPIPE, SIG_IGN);
    raise_limits();
    s.input = cl.input;
    bool up = server_start(&s);
    if (up) {
        if (cl.serve)
            serve_greeting(&s, cl.serve);
        live(&s, &signals);
    }
    server_stop(&s);
    config_done(&s.cfg);
    return up ? 0 : 1;
}
