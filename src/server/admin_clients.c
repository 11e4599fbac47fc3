/* admin_clients.c - who is connected, and which hosts are monitored for the locks they hold. */
#include "admin_int.h"
#include <netdb.h>
#include <stdio.h>

static void smb_row(void *arg, const struct smb_client_info *c)
{
    char protocol[16] = "SMB", since[ADMIN_TIME];
    if (c->dialect)
        snprintf(protocol, sizeof protocol, "SMB %u.%u.%u", c->dialect >> 8 & 15u, c->dialect >> 4 & 15u,
                 c->dialect & 15u);
    json_array_append_new(arg,
                          json_pack("{s:s, s:s, s:o, s:o, s:s, s:I, s:I, s:s, s:s}", "protocol", protocol, "address",
                                    c->address, "client", admin_text(c->machine), "user", admin_text(c->user), "since",
                                    admin_time(c->since, since), "sessions", (json_int_t)c->sessions, "calls",
                                    (json_int_t)0, "signing", c->signing, "encryption", c->encryption));
}

static void address_text(const struct sockaddr_storage *a, bool with_port, char *out, size_t cap)
{
    char host[64] = "", port[8] = "";
    bool v6 = a->ss_family == AF_INET6;
    socklen_t len = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    (void)getnameinfo((const struct sockaddr *)a, len, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV);
    if (with_port)
        snprintf(out, cap, v6 ? "[%s]:%s" : "%s:%s", host, port);
    else
        snprintf(out, cap, "%s", host);
}

static void nfs_row(void *arg, const struct nfs_client_info *c)
{
    char address[96], since[ADMIN_TIME] = "";
    address_text(c->addr, !c->name, address, sizeof address);
    if (c->since)
        admin_time(c->since, since);
    json_array_append_new(
        arg, json_pack("{s:s, s:s, s:o, s:s, s:s, s:I, s:I, s:s, s:s}", "protocol", c->name ? "NLM" : "NFS", "address",
                       address, "client", admin_text(c->name ? c->name : ""), "user", "", "since", since, "sessions",
                       (json_int_t)0, "calls", (json_int_t)c->calls, "signing", "", "encryption", ""));
}

void admin_clients(struct admin_call *c)
{
    json_t *rows = admin_rows(c, "clients");
    if (c->s->smb)
        smb_clients_each(c->s->smb, smb_row, rows);
    if (c->s->nfs)
        nfs_clients_each(c->s->nfs, nfs_row, rows);
}
