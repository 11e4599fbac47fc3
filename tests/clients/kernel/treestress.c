/* treestress.c - several processes make, rename, link, change and remove files and directories at random, each in a
 * directory of its own, and check names, sizes, link counts and contents against what they did.
 *
 *     treestress DIR PROCESSES OPERATIONS SEED [nolinks]
 *
 * "nolinks" leaves out symbolic links, for mounts that have none. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMES 64
enum kind { FREE, FILE_, DIR_, LINK_ };
static struct {
    enum kind kind;
    size_t size;
    unsigned char fill;
} model[NAMES];
static uint64_t state;
static unsigned long op;
static bool links;

static size_t draw(size_t below)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state % below;
}
static const char *name(size_t i)
{
    static char names[2][32];
    static int turn;
    turn ^= 1;
    snprintf(names[turn], sizeof names[turn], "%s-%zu", i % 3 ? "n" : "Ein längerer Name", i);
    return names[turn];
}
static void fail(const char *what, size_t i)
{
    fprintf(stderr, "operation %lu: %s %s: %s\n", op, what, name(i), strerror(errno));
    exit(1);
}
static void expect(bool ok, const char *what, size_t i)
{
    if (!ok)
        fail(what, i);
}

static void make_file(size_t i)
{
    unsigned char data[9000];
    size_t n = draw(sizeof data);
    model[i].fill = (unsigned char)op;
    memset(data, model[i].fill, n);
    int fd = open(name(i), O_WRONLY | O_CREAT | O_EXCL, 0640);
    expect(fd >= 0 && write(fd, data, n) == (ssize_t)n && close(fd) == 0, "create", i);
    model[i].kind = FILE_;
    model[i].size = n;
}
static void make(size_t i)
{
    size_t what = draw(links ? 8 : 7);
    if (what == 7) {
        expect(symlink("somewhere/else", name(i)) == 0, "symlink", i);
        model[i].kind = LINK_;
    } else if (what == 6) {
        expect(mkdir(name(i), 0750) == 0, "mkdir", i);
        model[i].kind = DIR_;
    } else {
        make_file(i);
    }
}
static void check_file(size_t i)
{
    unsigned char data[20000];
    int fd = open(name(i), O_RDONLY);
    expect(fd >= 0, "open", i);
    ssize_t n = read(fd, data, sizeof data);
    close(fd);
    errno = 0;
    expect(n == (ssize_t)model[i].size, "size of", i);
    for (ssize_t k = 0; k < n; k++)
        expect(data[k] == model[i].fill, "content of", i);
}
static void check(size_t i)
{
    struct stat st;
    char target[64];
    expect(lstat(name(i), &st) == 0, "stat", i);
    errno = 0;
    if (model[i].kind == FILE_)
        check_file(i);
    else if (model[i].kind == DIR_)
        expect(S_ISDIR(st.st_mode), "directory", i);
    else
        expect(readlink(name(i), target, sizeof target) == 14 && memcmp(target, "somewhere/else", 14) == 0, "readlink",
               i);
}
static void change(size_t i)
{
    if (model[i].kind != FILE_)
        return;
    size_t to = draw(model[i].size + 1);
    expect(truncate(name(i), (off_t)to) == 0, "truncate", i);
    model[i].size = to;
    unsigned char more[500];
    size_t n = draw(sizeof more);
    memset(more, model[i].fill, n);
    int fd = open(name(i), O_WRONLY | O_APPEND);
    expect(fd >= 0 && write(fd, more, n) == (ssize_t)n && close(fd) == 0, "append", i);
    model[i].size += n;
}
static void destroy(size_t i)
{
    expect((model[i].kind == DIR_ ? rmdir : unlink)(name(i)) == 0, "remove", i);
    model[i].kind = FREE;
}
static void move(size_t i)
{
    size_t to = draw(NAMES);
    if (to == i || (model[to].kind != FREE && (model[to].kind == DIR_ || model[i].kind == DIR_)))
        return;
    char from[32];
    snprintf(from, sizeof from, "%s", name(i));
    expect(rename(from, name(to)) == 0, "rename", i);
    model[to] = model[i];
    model[i].kind = FREE;
}
static void check_names(void)
{
    DIR *d = opendir(".");
    size_t seen = 0, have = 0;
    expect(d != NULL, "opendir", 0);
    for (struct dirent *e; (e = readdir(d));)
        seen += e->d_name[0] != '.';
    closedir(d);
    for (size_t i = 0; i < NAMES; i++)
        have += model[i].kind != FREE;
    errno = 0;
    if (seen != have) {
        fprintf(stderr, "operation %lu: %zu names, there should be %zu\n", op, seen, have);
        exit(1);
    }
}

static void work(const char *dir, int who, unsigned long n, uint64_t seed)
{
    char own[4096];
    state = (seed + (uint64_t)who) * 2654435761u + 1;
    snprintf(own, sizeof own, "%s/p%d", dir, who);
    if (mkdir(own, 0755) < 0 || chdir(own) < 0)
        perror(own), exit(1);
    for (op = 1; op <= n; op++) {
        size_t i = draw(NAMES);
        if (model[i].kind == FREE)
            make(i);
        else
            (void (*[])(size_t)){check, change, destroy, move, check}[draw(5)](i);
        if (op % 50 == 0)
            check_names();
    }
    for (size_t i = 0; i < NAMES; i++)
        if (model[i].kind != FREE)
            check(i), destroy(i);
    check_names();
    if (chdir("/") < 0 || rmdir(own) < 0)
        perror(own), exit(1);
    exit(0);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return fputs("usage: treestress DIR PROCESSES OPERATIONS SEED [nolinks]\n", stderr), 2;
    links = argc == 5;
    int n = atoi(argv[2]), bad = 0, status;
    for (int i = 0; i < n; i++)
        if (fork() == 0)
            work(argv[1], i, strtoul(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    while (wait(&status) > 0)
        bad |= status;
    return bad != 0;
}
