/* st.c - names, texts and errno values of the status type: three tables. Knows no protocol. */
#include "st.h"
#include "util.h"
#include <errno.h>

static const struct {
    const char *name, *text;
} st_words[ST_MAX] = {
#define ST_WORDS(name, text) [name] = {#name, text},
    ST_LIST(ST_WORDS)
#undef ST_WORDS
};

/* Indexed by errno; a hole (0 = ST_OK) means "not listed". */
static const unsigned char st_errno[] = {
    [EPERM] = ST_PERM,
    [ENOENT] = ST_NOENT,
    [EIO] = ST_IO,
    [ENXIO] = ST_NXIO,
    [E2BIG] = ST_BUFSIZE,
    [EBADF] = ST_CLOSED,
    [EAGAIN] = ST_DELAY,
    [ENOMEM] = ST_NOMEM,
    [EACCES] = ST_ACCESS,
    [EBUSY] = ST_CANNOT_DELETE,
    [EEXIST] = ST_EXIST,
    [EXDEV] = ST_XDEV,
    [ENODEV] = ST_NXIO,
    [ENOTDIR] = ST_NOTDIR,
    [EISDIR] = ST_ISDIR,
    [EINVAL] = ST_INVAL,
    [ENFILE] = ST_TOOMANY,
    [EMFILE] = ST_TOOMANY,
    [ENOTTY] = ST_NOTSUP,
    [ETXTBSY] = ST_ACCESS,
    [EFBIG] = ST_FBIG,
    [ENOSPC] = ST_NOSPC,
    [EROFS] = ST_ROFS,
    [EMLINK] = ST_MLINK,
    [ERANGE] = ST_BUFSIZE,
    [EDEADLK] = ST_DEADLOCK,
    [ENAMETOOLONG] = ST_NAMETOOLONG,
    [ENOLCK] = ST_TOOMANY,
    [ENOSYS] = ST_NOTSUP,
    [ENOTEMPTY] = ST_NOTEMPTY,
    [ELOOP] = ST_LOOP,
    [ENODATA] = ST_NOATTR,
    [EBADMSG] = ST_IO,
    [EOVERFLOW] = ST_BADRANGE,
    [EILSEQ] = ST_BADNAME,
    [EOPNOTSUPP] = ST_NOTSUP,
    [ETIMEDOUT] = ST_TIMEOUT,
    [ESTALE] = ST_STALE,
    [EDQUOT] = ST_DQUOT,
    [ECANCELED] = ST_CANCELLED,
    [EUCLEAN] = ST_IO,
};
_Static_assert(ST_MAX <= 256, "st_errno holds bytes");

const char *st_name(enum st st)
{
    return (unsigned)st < ST_MAX ? st_words[st].name : "ST_?";
}

const char *st_text(enum st st)
{
    return (unsigned)st < ST_MAX ? st_words[st].text : "unknown status";
}

enum st st_from_errno(int err)
{
    if (err == 0)
        return ST_OK;
    if (err < 0 || (size_t)err >= ARRAY_LEN(st_errno) || st_errno[err] == ST_OK)
        return ST_IO;
    return st_errno[err];
}
