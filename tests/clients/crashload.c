/* crashload.c - writes numbered 4 KiB records to a file over NFSv3, each FILE_SYNC, as a hard mount does: when the
 * server goes away it waits, reconnects and goes on with the handle that it has. Prints each number once it is
 * acknowledged.
 *
 *     crashload HOST PORT EXPORT FILE SECONDS       write
 *     crashload verify LOCALFILE ACKNOWLEDGED       is every record up to that number in the file? */
#include <fcntl.h>
#include <nfsc/libnfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RECORD 4096

static void record_make(char *r, unsigned long n)
{
    for (size_t i = 0; i < RECORD; i += 32)
        snprintf(r + i, 33, "%015lu/%014zu\n", n, i); /* the last byte is the terminator's, overwritten or cut */
    r[RECORD - 1] = '\n';
}

static int verify(const char *path, unsigned long last)
{
    char want[RECORD + 32], got[RECORD];
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return perror(path), 1;
    for (unsigned long n = 1; n <= last; n++) {
        record_make(want, n);
        if (pread(fd, got, RECORD, (off_t)(n - 1) * RECORD) != RECORD || memcmp(want, got, RECORD) != 0)
            return fprintf(stderr, "record %lu of %lu is lost\n", n, last), 1;
    }
    printf("%lu records\n", last);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "verify") == 0)
        return verify(argv[2], strtoul(argv[3], NULL, 10));
    if (argc != 6)
        return fputs("usage: crashload HOST PORT EXPORT FILE SECONDS | crashload verify LOCALFILE NUMBER\n", stderr), 2;
    char url[512], buf[RECORD + 32];
    struct nfs_context *nfs = nfs_init_context();
    struct nfsfh *f;
    snprintf(url, sizeof url, "nfs://%s%s?version=3&nfsport=%s&mountport=%s", argv[1], argv[3], argv[2], argv[2]);
    struct nfs_url *parsed = nfs ? nfs_parse_url_dir(nfs, url) : NULL; /* sets the ports */
    if (!parsed)
        return 1;
    nfs_destroy_url(parsed);
    nfs_set_autoreconnect(nfs, -1);
    nfs_set_uid(nfs, (int)getuid());
    nfs_set_gid(nfs, (int)getgid());
    if (nfs_mount(nfs, argv[1], argv[3]) < 0 || nfs_creat(nfs, argv[4], 0644, &f) < 0 || nfs_close(nfs, f) < 0 ||
        nfs_open(nfs, argv[4], O_RDWR | O_SYNC, &f) < 0)
        return fprintf(stderr, "%s\n", nfs_get_error(nfs)), 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    time_t end = time(NULL) + atol(argv[5]);
    for (unsigned long n = 1; time(NULL) < end; n++) {
        record_make(buf, n);
        if (nfs_pwrite(nfs, f, (n - 1) * RECORD, RECORD, buf) != RECORD)
            return fprintf(stderr, "write: %s\n", nfs_get_error(nfs)), 1;
        printf("%lu\n", n);
    }
    return nfs_close(nfs, f) < 0;
}
