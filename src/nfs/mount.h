/* mount.h - MOUNT versions 1 and 3 (RFC 1094 appendix A, RFC 1813 appendix I): from a path to a file handle, and the
 * list of who has asked. */
#pragma once
#include "nfs_int.h"

#define MOUNT_PROGRAM 100005u
#define MNTPATHLEN 1024u
#define MNTNAMLEN 255u
#define FHSIZE1 32u /* of version 1: fixed */

enum mountstat3 { /* appendix I §5.1.1 */
    MNT3_OK = 0, MNT3ERR_PERM = 1, MNT3ERR_NOENT = 2, MNT3ERR_IO = 5, MNT3ERR_ACCES = 13, MNT3ERR_NOTDIR = 20,
    MNT3ERR_INVAL = 22, MNT3ERR_NAMETOOLONG = 63, MNT3ERR_NOTSUPP = 10004, MNT3ERR_SERVERFAULT = 10006,
};
enum { MOUNTPROC_NULL, MOUNTPROC_MNT, MOUNTPROC_DUMP, MOUNTPROC_UMNT, MOUNTPROC_UMNTALL, MOUNTPROC_EXPORT,
       MOUNTPROC_EXPORTALL };

enum mountstat3 mount_status(enum st st);

/* --- The mount list ("rmtab"): hints for people, in memory, bounded; the oldest entry makes room. (mount_table.c) */
struct mount_entry {
    char host[64]; /* the client's address */
    char path[MNTPATHLEN + 1];
};
int mount_table_create(struct mount_table **ret);
void mount_table_free(struct mount_table *t);
void mount_table_add(struct mount_table *t, const char *host, const char *path);
void mount_table_remove(struct mount_table *t, const char *host, const char *path /* NULL: all of the host's */);
/* Entries one after the other under the table's lock until fn returns false. */
void mount_table_each(struct mount_table *t, bool (*fn)(void *arg, const struct mount_entry *e), void *arg);
