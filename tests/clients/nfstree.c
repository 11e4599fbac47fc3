/* nfstree.c - copies a tree in or out over NFSv3 with libnfs, keeping modes, times, sizes and symbolic links: a client
 * for the test scripts.
 *
 *     nfstree put LOCALDIR HOST PORT EXPORT REMOTEDIR
 *     nfstree get HOST PORT EXPORT REMOTEDIR LOCALDIR */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nfsc/libnfs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define CHUNK (1 << 20)
static struct nfs_context *nfs;
static char *chunk;
static unsigned long done;

static int fail(const char *what, const char *path)
{
    fprintf(stderr, "%s %s: %s\n", what, path, nfs_get_error(nfs));
    return 1;
}

static int put_file(const char *local, const char *remote, const struct stat *st)
{
    struct nfsfh *f;
    int fd = open(local, O_RDONLY | O_CLOEXEC), bad = 0;
    if (fd < 0)
        return perror(local), 1;
    if (nfs_open2(nfs, remote, O_WRONLY | O_CREAT | O_EXCL, 0600, &f) < 0)
        return close(fd), fail("create", remote);
    for (ssize_t n; !bad && (n = read(fd, chunk, CHUNK)) > 0;)
        bad = nfs_write(nfs, f, (uint64_t)n, chunk) != n;
    close(fd);
    if (nfs_close(nfs, f) < 0 || bad)
        return fail("write", remote);
    struct timeval tv[2] = {{.tv_sec = st->st_atim.tv_sec, .tv_usec = st->st_atim.tv_nsec / 1000},
                            {.tv_sec = st->st_mtim.tv_sec, .tv_usec = st->st_mtim.tv_nsec / 1000}};
    if (nfs_chmod(nfs, remote, (int)(st->st_mode & 07777)) < 0 || nfs_utimes(nfs, remote, tv) < 0)
        return fail("attributes", remote);
    return 0;
}

static int put_tree(const char *local, const char *remote, mode_t mode)
{
    char from[4096], to[4096], target[4096];
    if (nfs_mkdir2(nfs, remote, 0700) < 0)
        return fail("mkdir", remote);
    DIR *d = opendir(local);
    if (!d)
        return perror(local), 1;
    int bad = 0;
    for (struct dirent *e; !bad && (e = readdir(d));) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(from, sizeof from, "%s/%s", local, e->d_name);
        snprintf(to, sizeof to, "%s/%s", remote, e->d_name);
        if (lstat(from, &st) < 0)
            bad = 1;
        else if (S_ISDIR(st.st_mode))
            bad = put_tree(from, to, st.st_mode & 07777);
        else if (S_ISLNK(st.st_mode)) {
            ssize_t n = readlink(from, target, sizeof target - 1);
            target[n < 0 ? 0 : n] = 0;
            bad = n < 0 || (nfs_symlink(nfs, target, to) < 0 && fail("symlink", to));
        } else if (S_ISREG(st.st_mode))
            bad = put_file(from, to, &st);
        done++;
    }
    closedir(d);
    return bad || (nfs_chmod(nfs, remote, (int)mode) < 0 && fail("chmod", remote));
}

static int get_file(const char *remote, const char *local, const struct nfs_stat_64 *st)
{
    struct nfsfh *f;
    int fd = open(local, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), n = 0;
    if (fd < 0)
        return perror(local), 1;
    if (nfs_open(nfs, remote, O_RDONLY, &f) < 0)
        return close(fd), fail("open", remote);
    while ((n = nfs_read(nfs, f, CHUNK, chunk)) > 0)
        if (write(fd, chunk, (size_t)n) != n)
            n = -1;
    nfs_close(nfs, f);
    struct timespec tv[2] = {{.tv_sec = (time_t)st->nfs_atime, .tv_nsec = (long)st->nfs_atime_nsec},
                             {.tv_sec = (time_t)st->nfs_mtime, .tv_nsec = (long)st->nfs_mtime_nsec}};
    int bad = n < 0 || fchmod(fd, st->nfs_mode & 07777) < 0 || futimens(fd, tv) < 0;
    close(fd);
    return bad ? fail("read", remote) : 0;
}

static int get_tree(const char *remote, const char *local)
{
    char from[4096], to[4096], target[4096];
    struct nfsdir *d;
    struct nfs_stat_64 self;
    if (mkdir(local, 0700) < 0 && errno != EEXIST)
        return perror(local), 1;
    if (nfs_lstat64(nfs, remote, &self) < 0 || nfs_opendir(nfs, remote, &d) < 0)
        return fail("opendir", remote);
    int bad = 0;
    for (struct nfsdirent *e; !bad && (e = nfs_readdir(nfs, d));) {
        struct nfs_stat_64 st;
        if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
            continue;
        snprintf(from, sizeof from, "%s/%s", remote, e->name);
        snprintf(to, sizeof to, "%s/%s", local, e->name);
        if (nfs_lstat64(nfs, from, &st) < 0)
            bad = fail("lstat", from);
        else if (S_ISDIR(st.nfs_mode))
            bad = get_tree(from, to);
        else if (S_ISLNK(st.nfs_mode))
            bad = nfs_readlink(nfs, from, target, sizeof target) < 0 ? fail("readlink", from) : symlink(target, to) < 0;
        else if (S_ISREG(st.nfs_mode))
            bad = get_file(from, to, &st);
        done++;
    }
    nfs_closedir(nfs, d);
    return bad || chmod(local, self.nfs_mode & 07777) < 0;
}

int main(int argc, char **argv)
{
    if (argc != 7)
        return fputs("usage: nfstree put LOCAL HOST PORT EXPORT REMOTE | get HOST PORT EXPORT REMOTE LOCAL\n", stderr),
               2;
    bool put = strcmp(argv[1], "put") == 0;
    char **server = argv + (put ? 3 : 2);
    nfs = nfs_init_context();
    chunk = malloc(CHUNK);
    if (!nfs || !chunk)
        return 1;
    char remote[4096];
    snprintf(remote, sizeof remote, "/%s", server[3]);
    char url[512];
    snprintf(url, sizeof url, "nfs://%s%s?version=3&nfsport=%s&mountport=%s", server[0], server[2], server[1],
             server[1]);
    struct nfs_url *parsed = nfs_parse_url_dir(nfs, url); /* sets the ports */
    if (!parsed)
        return fail("url", url);
    nfs_destroy_url(parsed);
    nfs_set_uid(nfs, (int)getuid());
    nfs_set_gid(nfs, (int)getgid());
    if (nfs_mount(nfs, server[0], server[2]) < 0)
        return fail("mount", server[2]);
    struct stat st;
    int bad = put ? stat(argv[2], &st) < 0 || put_tree(argv[2], remote, st.st_mode & 07777) : get_tree(remote, argv[6]);
    printf("%lu objects\n", done);
    nfs_umount(nfs);
    nfs_destroy_context(nfs);
    free(chunk);
    return bad;
}
