/* access.c - may they? One answer for both worlds, in the words of [MS-DTYP] 2.4.3. Knows mode bits and who asks; what
 * a stored security descriptor grants comes from sd.c. Changes nothing.
 *
 *   superuser                everything
 *   a stored descriptor      what its DACL grants
 *   else                     the class of mode bits that the caller falls into: owner, group or other
 *
 * Then the exceptions: a UNIX caller's owner may always read and write data of a file, because UNIX checks at open()
 * and NFSv3 has none; who may execute a file may read it, because that is how a client runs it. An SMB caller may
 * execute what mode bits let it read: it marks no programs by mode. DOS read-only refuses SMB's writes. */
#include "internal.h"

#define READ_RIGHTS (FS_READ_DATA | FS_READ_EA)
#define WRITE_RIGHTS (FS_WRITE_DATA | FS_APPEND_DATA | FS_WRITE_EA | FS_WRITE_ATTRIBUTES)
#define ANYBODYS_RIGHTS (FS_READ_ATTRIBUTES | FS_READ_CONTROL | FS_SYNCHRONIZE)
#define OWNERS_RIGHTS (FS_WRITE_DAC | FS_WRITE_OWNER | FS_WRITE_ATTRIBUTES | FS_WRITE_EA)
#define CHANGING_RIGHTS                                                                                                \
    (WRITE_RIGHTS | FS_DELETE_CHILD | FS_DELETE | FS_WRITE_DAC | FS_WRITE_OWNER)
#define DATA_RIGHTS (FS_READ_DATA | FS_WRITE_DATA | FS_APPEND_DATA)

const struct fs_cred *fs_cred_of(const struct fs_req *q)
{
    return unlikely(q->fs->cfg.unprivileged) ? &q->fs->self : q->cred;
}

bool fs_read_only(const struct fs_req *q)
{
    return q->read_only || (q->share && q->share->cfg.read_only);
}

bool fs_in_group(const struct fs_cred *c, uint32_t gid)
{
    if (c->gid == gid)
        return true;
    for (uint32_t i = 0; i < c->ngroups; i++)
        if (c->groups[i] == gid)
            return true;
    return false;
}

uint32_t fs_map_generic(uint32_t access)
{
    static const struct {
        uint32_t generic, rights;
    } map[] = { /* [MS-SMB2] 2.2.13.1, file rights */
        {(uint32_t)FS_GENERIC_READ, READ_RIGHTS | ANYBODYS_RIGHTS},
        {FS_GENERIC_WRITE, WRITE_RIGHTS | FS_READ_CONTROL | FS_SYNCHRONIZE},
        {FS_GENERIC_EXECUTE, FS_EXECUTE | FS_READ_ATTRIBUTES | FS_READ_CONTROL | FS_SYNCHRONIZE},
        {FS_GENERIC_ALL, FS_ALL_ACCESS},
    };
    for (size_t i = 0; i < ARRAY_LEN(map); i++)
        if (access & map[i].generic)
            access = (access & ~map[i].generic) | map[i].rights;
    return access;
}

/* The three bits of the one class that the caller is in: an owner without rights has none, whatever others have. */
static uint32_t mode_class(const struct fs_cred *c, const struct st_attr *a)
{
    if (c->uid == a->uid)
        return a->mode >> 6 & 7;
    if (fs_in_group(c, a->gid))
        return a->mode >> 3 & 7;
    return a->mode & 7;
}

static uint32_t mode_rights(const struct fs_cred *c, const struct st_attr *a)
{
    uint32_t bits = mode_class(c, a), rights = ANYBODYS_RIGHTS;
    if (c->uid == a->uid)
        rights |= OWNERS_RIGHTS;
    if (bits & 4)
        rights |= READ_RIGHTS;
    if (bits & 1)
        rights |= FS_EXECUTE;
    if (bits & 2 && a->type != ST_DIR) /* Windows asks for FS_DELETE_CHILD on files too: "full control" has it */
        rights |= WRITE_RIGHTS | FS_DELETE_CHILD;
    if ((bits & 3) == 3 && a->type == ST_DIR) /* names are changed by who may also reach them */
        rights |= WRITE_RIGHTS | FS_DELETE_CHILD;
    return rights;
}

/* The superuser too runs only what is a program to somebody: UNIX callers ask this before they exec. */
static uint32_t superuser_rights(const struct fs_req *q, const struct st_attr *a)
{
    if (q->posix && a->type == ST_REG && !(a->mode & 0111))
        return FS_ALL_ACCESS & ~FS_EXECUTE;
    return FS_ALL_ACCESS;
}

static bool dos_read_only(struct st_node *n, const struct st_attr *a)
{
    if (a->type != ST_REG || fs_meta_load(n, a) != ST_OK)
        return false;
    struct fsn *f = fsn(n);
    if (!f)
        return false;
    pthread_mutex_lock(&f->meta_lock);
    bool yes = f->dos & FS_DOS_READONLY;
    pthread_mutex_unlock(&f->meta_lock);
    return yes;
}

/* All but the read-only share. */
static uint32_t rights_of(struct fs_req *q, struct st_node *n, const struct st_attr *a)
{
    const struct fs_cred *c = fs_cred_of(q);
    uint32_t rights = 0;
    if (c->superuser) {
        rights = superuser_rights(q, a);
    } else if (!fs_sd_rights(q, n, a, &rights)) {
        rights = mode_rights(c, a);
        if (!q->posix && a->type == ST_REG && rights & FS_READ_DATA)
            rights |= FS_EXECUTE;
    }
    if (q->posix)
        return rights;
    if (rights & (FS_WRITE_DATA | FS_APPEND_DATA) && dos_read_only(n, a))
        rights &= ~(uint32_t)(FS_WRITE_DATA | FS_APPEND_DATA);
    return rights;
}

uint32_t fs_granted(struct fs_req *q, struct st_node *n, const struct st_attr *a)
{
    uint32_t rights = rights_of(q, n, a);
    return fs_read_only(q) ? rights & ~(uint32_t)CHANGING_RIGHTS : rights;
}

enum st fs_permit(struct fs_req *q, struct st_node *n, const struct st_attr *a, uint32_t want)
{
    if (want & CHANGING_RIGHTS && fs_read_only(q))
        return ST_ROFS;
    const struct fs_cred *c = fs_cred_of(q);
    if (q->posix && a->type == ST_REG && c->uid == a->uid && !(want & ~(uint32_t)DATA_RIGHTS))
        return ST_OK;
    uint32_t rights = rights_of(q, n, a);
    if (q->posix && a->type == ST_REG && rights & FS_EXECUTE)
        rights |= FS_READ_DATA;
    return want & ~rights ? ST_ACCESS : ST_OK;
}

/* POSIX's restricted deletion: of a sticky directory, only one's own entries, or if the directory is one's own. */
static bool sticky_refuses(const struct fs_cred *c, const struct st_attr *dir, const struct st_attr *a)
{
    return dir->mode & 01000 && c->uid != a->uid && c->uid != dir->uid;
}

enum st fs_permit_delete(struct fs_req *q, struct st_node *dir, const struct st_attr *dir_attr, struct st_node *n,
                         const struct st_attr *a)
{
    const struct fs_cred *c = fs_cred_of(q);
    uint32_t own = 0;
    if (fs_read_only(q))
        return ST_ROFS;
    if (!q->posix && dos_read_only(n, a))
        return ST_CANNOT_DELETE;
    if (c->superuser)
        return ST_OK;
    if (fs_sd_rights(q, n, a, &own) && own & FS_DELETE) /* [MS-FSA] 2.1.5.1.2.1: either right will do */
        return ST_OK;
    enum st st = fs_permit(q, dir, dir_attr, FS_DELETE_CHILD);
    return st != ST_OK ? st : sticky_refuses(c, dir_attr, a) ? ST_PERM : ST_OK;
}
