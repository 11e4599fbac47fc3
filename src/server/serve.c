/* serve.c - the demonstration: `concordd --serve DIR`, one directory on unprivileged ports without configuration. */
#include "fs/users.h"
#include "server.h"
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <arpa/inet.h>
#include <limits.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#define SERVE_NFS_PORT "12049"
#define SERVE_SMB_PORT "12445"

static void state_dir(char *out, size_t cap)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && *state == '/')
        snprintf(out, cap, "%s/concord", state);
    else if (home && *home == '/')
        snprintf(out, cap, "%s/.local/state/concord", home);
    else
        snprintf(out, cap, "/var/tmp/concord-%u", geteuid());
    for (char *p = out + 1; (p = strchr(p, '/')); p++) { /* parents; the last is the database's to make */
        *p = 0;
        mkdir(out, 0700);
        *p = '/';
    }
}

bool serve_input(const char *dir, struct config_input *in)
{
    static char path[PATH_MAX + 32], state[PATH_MAX], uid[64], gid[64], where[700];
    char real[PATH_MAX];
    struct stat st;
    errno = 0;
    if (!realpath(dir, real) || stat(real, &st) < 0 || !S_ISDIR(st.st_mode)) {
        fprintf(stderr, "concordd: --serve %s: %s\n", dir, errno ? strerror(errno) : "not a directory");
        return false;
    }
    state_dir(where, sizeof where);
    snprintf(path, sizeof path, "share share.path=%s", real);
    snprintf(state, sizeof state, "server.state_dir=%s", where);
    /* Squashed NFS users and the first SMB user act as the directory's owner, or as who else the server can be: what is
     * served is usable by both. */
    bool root = geteuid() == 0;
    snprintf(uid, sizeof uid, "share share.anon_uid=%u", root ? st.st_uid : geteuid());
    snprintf(gid, sizeof gid, "share share.anon_gid=%u", root ? st.st_gid : getegid());
    static const char *sets[128 + 8];
    const char *own[] = {state, "nfs.listen=*:" SERVE_NFS_PORT, "smb.listen=*:" SERVE_SMB_PORT,
                         root ? "nfs.portmap=builtin" : "nfs.portmap=off", path, uid, gid};
    size_t n = 0;
    for (; n < ARRAY_LEN(own); n++)
        sets[n] = own[n];
    for (size_t i = 0; i < in->nsets; i++) /* the user's own come later and win */
        sets[n++] = in->sets[i];
    in->sets = sets;
    in->nsets = n;
    return true;
}

static bool any_user(void *arg, const struct fs_user *u)
{
    snprintf(arg, 64, "%s", u->name);
    return false;
}

static void random_password(char out[17])
{
    static const char set[] =
        "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"; /* pasted into shells; no lookalikes */
    for (size_t i = 0; i < 16;) {
        uint8_t r;
        if (getrandom(&r, 1, 0) == 1 && r < 256 / (sizeof set - 1) * (sizeof set - 1)) /* no bias */
            out[i++] = set[r % (sizeof set - 1)];
    }
    out[16] = 0;
}

/* The address that others reach this host by; loopback when there is none. */
static void host_address(char *out, size_t cap)
{
    struct ifaddrs *list = NULL;
    snprintf(out, cap, "127.0.0.1");
    if (getifaddrs(&list) < 0)
        return;
    for (struct ifaddrs *i = list; i; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET)
            continue;
        const struct in_addr *a = &((struct sockaddr_in *)i->ifa_addr)->sin_addr;
        if ((ntohl(a->s_addr) >> 24) == 127)
            continue;
        inet_ntop(AF_INET, a, out, (socklen_t)cap);
        break;
    }
    freeifaddrs(list);
}

/* concordctl as a shell finds it: beside the daemon when that runs from where it was built. */
static void control_command(char *out, size_t cap)
{
    ssize_t n = readlink("/proc/self/exe", out, cap - 1);
    char *slash = n > 0 ? memrchr(out, '/', (size_t)n) : NULL;
    if (slash)
        snprintf(slash + 1, cap - (size_t)(slash + 1 - out), "concordctl");
    if (!slash || access(out, X_OK) < 0)
        snprintf(out, cap, "concordctl");
}

void serve_greeting(struct server *s, const char *dir)
{
    char user[64] = "", password[17], host[64], control[PATH_MAX];
    control_command(control, sizeof control);
    fs_user_each(s->kv, any_user, user);
    host_address(host, sizeof host);
    printf("\nConcord serves %s over NFS and SMB. Ctrl-C stops it.\n\n", dir);
    if (!user[0]) {
        const struct fs_share_config *share = &s->cfg.shares[0];
        struct passwd *pw = getpwuid(share->anon_uid);
        snprintf(user, sizeof user, "%s", pw ? pw->pw_name : "concord");
        random_password(password);
        if (fs_user_set(s->kv, user, password, share->anon_uid, share->anon_gid, true) == ST_OK)
            printf("  user %s, password %s    (shown only now)\n\n", user, password);
    } else {
        printf("  user %s, password as shown at the first start\n\n", user);
    }
    bool portmap = s->cfg.nfs.portmap != PORTMAP_OFF;
    printf("  Linux, NFS    mount -t nfs -o vers=3,tcp,port=" SERVE_NFS_PORT ",mountport=" SERVE_NFS_PORT
           "%s %s:/share /mnt\n",
           portmap ? "" : ",nolock", host);
    printf("  Linux, SMB    mount -t cifs -o vers=3.1.1,port=" SERVE_SMB_PORT ",username=%s //%s/share /mnt\n", user,
           host);
    printf("  macOS         mount_nfs -o vers=3,tcp,port=" SERVE_NFS_PORT ",mountport=" SERVE_NFS_PORT
           "%s %s:/share /Volumes/share\n",
           portmap ? "" : ",nolocks", host);
    printf("                open smb://%s@%s:" SERVE_SMB_PORT "/share\n", user, host);
    printf("  Windows 11    net use Z: \\\\%s\\share /user:%s /tcpport:" SERVE_SMB_PORT
           "    (24H2 and later; older need port 445)\n\n",
           host, user);
    printf("  administration: %s --set server.state_dir=%s status        (or: locks, shares, user passwd %s)\n\n",
           control, s->cfg.server.state_dir, user);
    fflush(stdout);
}
