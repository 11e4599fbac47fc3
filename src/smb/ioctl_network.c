/* ioctl_network.c - controls about the connection and pipes: VALIDATE_NEGOTIATE_INFO, QUERY_NETWORK_INTERFACE_INFO
 * ([MS-SMB2] 3.3.5.15.11 and .12), PIPE_TRANSCEIVE, PIPE_WAIT, PIPE_PEEK. */
#include "ioctl.h"
#include "pipe.h"
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

#define SMB2_GLOBAL_CAP_MULTI_CHANNEL 0x8
#define INTERFACE_INFO 152
/* Address families on the wire ([MS-SMB2] 2.2.32.5.1), whatever the system calls them. */
enum { WIRE_INET = 0x0002, WIRE_INET6 = 0x0017 };
#define SPEED_UNKNOWN 1000u /* Mbit/s, where the driver does not say */

uint32_t smb_ioctl_validate_negotiate(struct smb_req *r, struct smb_ioctl *io)
{
    if (io->max < 24)
        return STATUS_INVALID_PARAMETER;
    return smb_validate_negotiate(r, io->in, io->out);
}

static uint64_t link_speed(const char *name)
{
    char path[64 + IF_NAMESIZE];
    long mbit = 0;
    snprintf(path, sizeof path, "/sys/class/net/%s/speed", name);
    FILE *f = fopen(path, "re");
    if (f) {
        if (fscanf(f, "%ld", &mbit) != 1)
            mbit = 0;
        fclose(f);
    }
    return (uint64_t)(mbit > 0 ? mbit : SPEED_UNKNOWN) * 1000000u;
}

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24) == 127;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)a)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

/* A client that came over loopback can use only that, the others can not. Link-local addresses need a scope. */
static bool is_offered(const struct smb_req *r, const struct ifaddrs *i)
{
    if (!i->ifa_addr || (i->ifa_flags & (IFF_UP | IFF_RUNNING)) != (IFF_UP | IFF_RUNNING))
        return false;
    int family = i->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6)
        return false;
    if (family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)i->ifa_addr)->sin6_addr))
        return false;
    return is_loopback(i->ifa_addr) == is_loopback((const struct sockaddr *)&r->conn->net->local);
}

static void put_interface(struct wbuf *w, const struct ifaddrs *i)
{
    size_t pos = wbuf_len(w);
    wbuf_le32(w, 0);
    wbuf_le32(w, if_nametoindex(i->ifa_name));
    wbuf_le32(w, 0); /* Capability: neither RSS nor RDMA */
    wbuf_le32(w, 0);
    wbuf_le64(w, link_speed(i->ifa_name));
    if (i->ifa_addr->sa_family == AF_INET) {
        wbuf_le16(w, WIRE_INET);
        wbuf_le16(w, 0);
        wbuf_put(w, &((const struct sockaddr_in *)i->ifa_addr)->sin_addr, 4);
    } else {
        wbuf_le16(w, WIRE_INET6);
        wbuf_zero(w, 6);
        wbuf_put(w, &((const struct sockaddr_in6 *)i->ifa_addr)->sin6_addr, 16);
    }
    wbuf_zero(w, pos + INTERFACE_INFO - wbuf_len(w));
}

uint32_t smb_ioctl_network_interfaces(struct smb_req *r, struct smb_ioctl *io)
{
    struct ifaddrs *all;
    if (!(r->conn->server_caps & SMB2_GLOBAL_CAP_MULTI_CHANNEL))
        return STATUS_NOT_SUPPORTED;
    if (getifaddrs(&all))
        return STATUS_INSUFFICIENT_RESOURCES;
    size_t n = 0;
    uint32_t status = STATUS_SUCCESS;
    for (struct ifaddrs *i = all; i && status == STATUS_SUCCESS; i = i->ifa_next) {
        if (!is_offered(r, i))
            continue;
        if ((n + 1) * INTERFACE_INFO > io->max) {
            status = STATUS_BUFFER_TOO_SMALL;
            break;
        }
        put_interface(io->out, i);
        if (n++)
            wbuf_patch_le32(io->out, (n - 2) * INTERFACE_INFO, INTERFACE_INFO);
    }
    freeifaddrs(all);
    return status;
}

uint32_t smb_ioctl_pipe_transceive(struct smb_req *r, struct smb_ioctl *io)
{
    size_t n = cursor_left(&io->in);
    uint32_t status = smb_pipe_transceive(r, io->open, cursor_take(&io->in, n), n, io->out, io->max);
    io->has_output = status == STATUS_BUFFER_OVERFLOW;
    return status;
}

/* Pipes have any number of instances: there is never anything to wait for. */
uint32_t smb_ioctl_pipe_wait(struct smb_req *r, struct smb_ioctl *io)
{
    return r->tree && !r->tree->share ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_REQUEST;
}

/* [MS-FSCC] 2.3.43 */
uint32_t smb_ioctl_pipe_peek(struct smb_req *r, struct smb_ioctl *io)
{
    if (io->max < 16)
        return STATUS_INVALID_PARAMETER;
    size_t n = smb_pipe_available(io->open);
    wbuf_le32(io->out, 3); /* FILE_PIPE_CONNECTED_STATE */
    wbuf_le32(io->out, (uint32_t)n);
    wbuf_le32(io->out, n > 0);
    wbuf_le32(io->out, (uint32_t)n);
    return STATUS_SUCCESS;
}
