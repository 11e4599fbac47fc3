/* open_attr.c - attributes as they are seen through an open: of a stream its own size, the rest is the file's. */
#include "open_impl.h"

/* What an NFS client's kernel keeps of a file that is removed while open is not for people to see. */
static bool is_silly(const char *name, size_t n)
{
    return n > 4 && memcmp(name, ".nfs", 4) == 0;
}

void open_attr_fill(struct st_node *n, const struct st_attr *st, const char *name, size_t nname, const char *stream,
                    struct fs_attr *ret)
{
    uint64_t size = 0;
    fs_attr_fill(n, st, ret);
    if (is_silly(name, nname))
        ret->dos = (ret->dos & ~(uint32_t)FS_DOS_NORMAL) | FS_DOS_HIDDEN;
    if (!stream)
        return;
    fs_stream_size(n, stream, &size);
    ret->st.size = ret->st.used = size;
    ret->st.type = ST_REG;
    ret->dos &= ~(uint32_t)FS_DOS_DIRECTORY;
    if (!ret->dos)
        ret->dos = FS_DOS_NORMAL;
}

enum st fs_open_attr(struct fs_req *q, struct fs_open *o, struct fs_attr *ret)
{
    struct st_attr st;
    char name[ST_NAME_MAX + 1];
    size_t n = 0;
    _cleanup_node_ struct st_node *dir = NULL;
    enum st r = fs_getattr(q, o->node, &st);
    if (r != ST_OK)
        return r;
    fs_open_name(o, &dir, name, &n);
    open_attr_fill(o->node, &st, name, n, fs_open_stream(o), ret);
    return ST_OK;
}
