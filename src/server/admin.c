/* admin.c - the administrator's socket. What can be asked is admin_commands.c's business. */
#include "server.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>

#define ADMIN_LINE_MAX 65536
#define ADMIN_TIMEOUT_MS 10000

struct admin {
    struct server *s;
    int fd, stop[2];
    pthread_t thread;
    char path[600];
};

const char *admin_path(const struct config *c, char out[600])
{
    if (c->server.admin_socket[0])
        snprintf(out, 600, "%s", c->server.admin_socket);
    else
        snprintf(out, 600, "%s/admin.sock", c->server.state_dir);
    return out;
}

static bool peer_allowed(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

/* One line without its end; false when the peer does not send one in time. */
static bool line_read(int fd, char *buf, size_t cap)
{
    size_t have = 0;
    while (have < cap - 1) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n = poll(&p, 1, ADMIN_TIMEOUT_MS) == 1 ? read(fd, buf + have, cap - 1 - have) : -1;
        if (n <= 0)
            return false;
        have += (size_t)n;
        buf[have] = 0;
        char *end = strchr(buf, '\n');
        if (end) {
            *end = 0;
            return true;
        }
    }
    return false;
}

static void write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
        if (w <= 0)
            return;
        p += w;
        n -= (size_t)w;
    }
}

static void answer(struct server *s, int fd, const char *line)
{
    json_t *in = json_loads(line, 0, NULL), *out = json_object(), *word;
    const char *words[16];
    size_t i, n = 0;
    json_array_foreach(in, i, word)
        if (n < ARRAY_LEN(words) && json_is_string(word))
            words[n++] = json_string_value(word);
    struct admin_call call = {.s = s, .kv = s->kv, .words = words, .n = n, .out = out};
    admin_run(&call);
    char *text = json_dumps(out, JSON_COMPACT);
    if (text) {
        write_all(fd, text, strlen(text));
        write_all(fd, "\n", 1);
    }
    free(text);
    json_decref(in);
    json_decref(out);
}

static void serve_one(struct admin *a)
{
    _cleanup_close_ int fd = accept4(a->fd, NULL, NULL, SOCK_CLOEXEC);
    _cleanup_free_ char *line = malloc(ADMIN_LINE_MAX);
    if (fd < 0 || !line)
        return;
    struct timeval limit = {.tv_sec = ADMIN_TIMEOUT_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (peer_allowed(fd) && line_read(fd, line, ADMIN_LINE_MAX))
        answer(a->s, fd, line);
}

static void *admin_thread(void *arg)
{
    struct admin *a = arg;
    pthread_setname_np(pthread_self(), "admin");
    for (;;) {
        struct pollfd p[2] = {{.fd = a->fd, .events = POLLIN}, {.fd = a->stop[0], .events = POLLIN}};
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (p[1].revents)
            return NULL;
        if (p[0].revents)
            serve_one(a);
    }
}

int admin_start(struct server *s, struct admin **ret)
{
    struct admin *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    *a = (struct admin){.s = s, .fd = -1, .stop = {-1, -1}};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    admin_path(&s->cfg, a->path);
    int r = -ENAMETOOLONG;
    if (strlen(a->path) >= sizeof un.sun_path)
        goto bad;
    strcpy(un.sun_path, a->path);
    unlink(a->path); /* left by a server that was killed; the state database's lock says that it is gone */
    a->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (a->fd < 0 || bind(a->fd, (struct sockaddr *)&un, sizeof un) < 0 || chmod(a->path, 0600) < 0 ||
        listen(a->fd, 16) < 0 || pipe2(a->stop, O_CLOEXEC) < 0) {
        r = -errno;
        goto bad;
    }
    r = -pthread_create(&a->thread, NULL, admin_thread, a);
    if (r < 0)
        goto bad;
    *ret = a;
    return 0;
bad:
    util_closep(&a->fd);
    util_closep(&a->stop[0]);
    util_closep(&a->stop[1]);
    free(a);
    return r;
}

void admin_stop(struct admin *a)
{
    if (!a)
        return;
    close(a->stop[1]);
    pthread_join(a->thread, NULL);
    unlink(a->path);
    close(a->fd);
    close(a->stop[0]);
    free(a);
}
