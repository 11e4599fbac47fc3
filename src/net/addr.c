/* addr.c - addresses as text and as sockaddrs, and bound sockets. Knows nothing of what is served on them. */
#include "base/hash.h"
#include "internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>

/* Splits "host:port" and "[v6]:port"; the host part is copied without brackets. */
static bool addr_split(const char *s, char *host, size_t cap, const char **ret_port)
{
    const char *end, *colon;
    if (*s == '[') {
        end = strchr(++s, ']');
        colon = end ? end + 1 : NULL;
    } else {
        end = colon = strrchr(s, ':');
        if (colon && memchr(s, ':', (size_t)(colon - s)))
            return false; /* IPv6 without brackets: which colon is the port's? */
    }
    if (!end || *colon != ':' || (size_t)(end - s) >= cap)
        return false;
    memcpy(host, s, (size_t)(end - s));
    host[end - s] = 0;
    *ret_port = colon + 1;
    return true;
}

static bool addr_port(const char *s, uint16_t *ret)
{
    unsigned long port = 0;
    if (!*s || strlen(s) > 5)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        port = port * 10 + (unsigned long)(*s - '0');
    }
    *ret = (uint16_t)port;
    return port <= UINT16_MAX;
}

static void addr_set_port(struct sockaddr_storage *a, uint16_t port)
{
    if (a->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)a)->sin6_port = htons(port);
    else if (a->ss_family == AF_INET)
        ((struct sockaddr_in *)a)->sin_port = htons(port);
}

int addr_parse(const char *s, struct sockaddr_storage *ret, socklen_t *ret_len)
{
    char host[256];
    const char *text;
    uint16_t port;
    if (!addr_split(s, host, sizeof host, &text) || !addr_port(text, &port))
        return -EINVAL;
    memset(ret, 0, sizeof *ret);
    if (!*host || strcmp(host, "*") == 0) {
        *(struct sockaddr_in6 *)ret = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
        *ret_len = sizeof(struct sockaddr_in6);
    } else {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
        if (getaddrinfo(host, NULL, &hints, &found) != 0)
            return -EINVAL;
        *ret_len = MIN(found->ai_addrlen, (socklen_t)sizeof *ret);
        memcpy(ret, found->ai_addr, *ret_len);
        freeaddrinfo(found);
    }
    addr_set_port(ret, port);
    return 0;
}

void addr_format(const struct sockaddr_storage *a, char *out, size_t cap)
{
    char text[INET6_ADDRSTRLEN] = "?";
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)a;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        snprintf(out, cap, "%s:%u", text, ntohs(in->sin_port));
    } else if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)a;
        char scope[16] = "";
        if (in->sin6_scope_id)
            snprintf(scope, sizeof scope, "%%%u", in->sin6_scope_id);
        inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof text);
        snprintf(out, cap, "[%s%s]:%u", text, scope, ntohs(in->sin6_port));
    } else {
        snprintf(out, cap, "%s", a->ss_family == AF_UNIX ? "local" : "?");
    }
}

void addr_unmap(struct sockaddr_storage *a)
{
    const struct sockaddr_in6 in6 = *(const struct sockaddr_in6 *)a;
    if (a->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
        return;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = in6.sin6_port};
    memcpy(&in.sin_addr, &in6.sin6_addr.s6_addr[12], sizeof in.sin_addr);
    memset(a, 0, sizeof *a);
    memcpy(a, &in, sizeof in);
}

static int addr_socket(const struct sockaddr_storage *a, socklen_t len, bool dual, int type)
{
    _cleanup_close_ int fd = socket(a->ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1, v6only = !dual;
    if (fd < 0)
        return -errno;
    /* A restarted server takes its port back from connections in TIME_WAIT; two servers never share one. */
    if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return -errno;
    if (a->ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)a, len) < 0)
        return -errno;
    return TAKE_FD(fd);
}

int addr_bind(const char *addr, int type, uint16_t *ret_port)
{
    struct sockaddr_storage a;
    socklen_t len;
    int fd = addr_parse(addr, &a, &len);
    if (fd < 0)
        return fd;
    bool any = *addr == '*' || *addr == ':';
    fd = addr_socket(&a, len, any, type);
    if (any && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)) { /* a host without IPv6 */
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = ((struct sockaddr_in6 *)&a)->sin6_port};
        memset(&a, 0, sizeof a);
        memcpy(&a, &in, sizeof in);
        fd = addr_socket(&a, sizeof in, false, type);
    }
    len = sizeof a;
    if (fd >= 0 && getsockname(fd, (struct sockaddr *)&a, &len) == 0)
        *ret_port = ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
                                                  : ((struct sockaddr_in *)&a)->sin_port);
    return fd;
}

uint64_t addr_account(const struct sockaddr_storage *a)
{
    uint64_t h = a->ss_family == AF_INET6 ? hash_bytes(&((const struct sockaddr_in6 *)a)->sin6_addr, 8)
                                          : hash_bytes(&((const struct sockaddr_in *)a)->sin_addr, 4);
    return h ? h : 1;
}
