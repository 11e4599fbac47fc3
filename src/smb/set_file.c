/* set_file.c - SET_INFO's file information classes ([MS-FSCC] 2.4), one function each; renames: set_rename.c. */
#include "ea.h"
#include "info.h"

/* [MS-FSCC] 2.4.7: 0 leaves a time alone; -1 stops, -2 resumes its automatic updates through this open. */
#define TIME_FREEZE UINT64_MAX
#define TIME_THAW (UINT64_MAX - 1)
/* [MS-FSCC] 2.4.26: the modes that may be set */
#define MODE_SETTABLE (FS_WRITE_THROUGH | FS_SEQUENTIAL_ONLY | FS_NO_INTERMEDIATE_BUFFERING | 0x10 | 0x20)
/* [MS-FSCC] 2.4.11.2 */
enum { FILE_DISPOSITION_DELETE = 0x1, FILE_DISPOSITION_POSIX_SEMANTICS = 0x2, FILE_DISPOSITION_ON_CLOSE = 0x8 };
#define ATTRIBUTES_SETTABLE (FS_DOS_READONLY | FS_DOS_HIDDEN | FS_DOS_SYSTEM | FS_DOS_ARCHIVE | FS_DOS_TEMPORARY |     \
                             FS_DOS_OFFLINE | FS_DOS_NOT_INDEXED)

static bool time_given(uint64_t t, struct timespec *ret)
{
    if (!t || t == TIME_FREEZE || t == TIME_THAW)
        return false;
    *ret = smb_time_to_timespec(t);
    return true;
}

/* 2.4.7 FileBasicInformation */
static uint32_t set_basic(struct smb_req *r, struct smb_set *s)
{
    struct fs_open *o = s->open->fso;
    uint64_t create = cursor_le64(&s->in), access = cursor_le64(&s->in), write = cursor_le64(&s->in);
    uint64_t change = cursor_le64(&s->in);
    uint32_t attributes = cursor_le32(&s->in);
    bool dir = o->node->type == ST_DIR;
    static const int64_t least = -2;
    if ((int64_t)create < least || (int64_t)access < least || (int64_t)write < least || (int64_t)change < least)
        return STATUS_INVALID_PARAMETER;
    if ((!dir && (attributes & FS_DOS_DIRECTORY)) || (dir && (attributes & FS_DOS_TEMPORARY)))
        return STATUS_INVALID_PARAMETER;
    struct fs_setattr sa = {0};
    sa.set |= time_given(create, &sa.create) ? FS_SET_CREATE : 0;
    sa.set |= time_given(access, &sa.a.atime) ? ST_SET_ATIME : 0;
    sa.set |= time_given(write, &sa.a.mtime) ? ST_SET_MTIME : 0;
    sa.set |= time_given(change, &sa.change) ? FS_SET_CHANGE : 0;
    if (attributes) {
        sa.set |= FS_SET_DOS;
        sa.dos = attributes & ATTRIBUTES_SETTABLE; /* others are let be: there are clients that send a UNIX mode */
    }
    enum st st = sa.set ? fs_setattr(&r->fs, o->node, o, &sa, NULL) : ST_OK;
    if (st == ST_OK)
        fs_open_freeze(o, (write == TIME_FREEZE ? FS_TIME_WRITE : 0) | (change == TIME_FREEZE ? FS_TIME_CHANGE : 0),
                       (write == TIME_THAW ? FS_TIME_WRITE : 0) | (change == TIME_THAW ? FS_TIME_CHANGE : 0));
    return smb_status(st);
}

/* 2.4.11 FileDispositionInformation */
static uint32_t set_disposition(struct smb_req *r, struct smb_set *s)
{
    return smb_status(fs_set_delete(&r->fs, s->open->fso, cursor_u8(&s->in) != 0, false));
}

/* 2.4.11.2 FileDispositionInformationEx */
static uint32_t set_disposition_ex(struct smb_req *r, struct smb_set *s)
{
    uint32_t flags = cursor_le32(&s->in);
    if (flags & FILE_DISPOSITION_ON_CLOSE)
        return STATUS_NOT_SUPPORTED; /* only an open that was made with DELETE_ON_CLOSE has it */
    return smb_status(fs_set_delete(&r->fs, s->open->fso, flags & FILE_DISPOSITION_DELETE,
                                    flags & FILE_DISPOSITION_POSIX_SEMANTICS));
}

/* 2.4.35 */
static uint32_t set_position(struct smb_req *r, struct smb_set *s)
{
    uint64_t position = cursor_le64(&s->in);
    if (position > INT64_MAX)
        return STATUS_INVALID_PARAMETER;
    s->open->fso->position = position;
    return STATUS_SUCCESS;
}

/* 2.4.26 */
static uint32_t set_mode(struct smb_req *r, struct smb_set *s)
{
    uint32_t mode = cursor_le32(&s->in);
    if (mode & ~(uint32_t)MODE_SETTABLE)
        return STATUS_INVALID_PARAMETER;
    s->open->fso->mode_info = mode;
    return STATUS_SUCCESS;
}

/* 2.4.4 FileAllocationInformation */
static uint32_t set_allocation(struct smb_req *r, struct smb_set *s)
{
    struct fs_open *o = s->open->fso;
    uint64_t size = cursor_le64(&s->in);
    if (o->node->type == ST_DIR || size > INT64_MAX)
        return STATUS_INVALID_PARAMETER;
    struct fs_setattr sa = {.set = FS_SET_ALLOC, .alloc = size};
    return smb_status(fs_setattr(&r->fs, o->node, o, &sa, NULL));
}

/* 2.4.13 */
static uint32_t set_end_of_file(struct smb_req *r, struct smb_set *s)
{
    struct fs_open *o = s->open->fso;
    uint64_t size = cursor_le64(&s->in);
    if ((o->node->type == ST_DIR && !o->stream) || size > INT64_MAX)
        return STATUS_INVALID_PARAMETER;
    struct fs_setattr sa = {.set = ST_SET_SIZE, .a.size = size};
    return smb_status(fs_setattr(&r->fs, o->node, o, &sa, NULL));
}

/* 2.4.50 FileValidDataLengthInformation: needs a privilege that nobody has here, since bytes never written are zero. */
static uint32_t set_valid_data(struct smb_req *r, struct smb_set *s)
{
    return STATUS_PRIVILEGE_NOT_HELD;
}

/* 2.4.40: 8.3 names are computed, not stored. */
static uint32_t set_short_name(struct smb_req *r, struct smb_set *s)
{
    return STATUS_NOT_SUPPORTED;
}

/* 2.4.15 */
uint32_t smb_set_eas(struct smb_req *r, struct smb_set *s)
{
    const struct fs_ea *eas;
    size_t n;
    uint32_t status = smb_ea_decode(&r->arena, s->in, &eas, &n);
    if (status != STATUS_SUCCESS || !n)
        return status;
    return smb_status(fs_ea_set(&r->fs, s->open->fso, eas, n));
}

const struct smb_set_class smb_set_file_classes[] = {
    {4, 36, FS_WRITE_ATTRIBUTES, set_basic},
    {10, 20, FS_DELETE, smb_set_rename},
    {11, 20, 0, smb_set_link},
    {13, 1, FS_DELETE, set_disposition},
    {14, 8, 0, set_position},
    {15, 0, FS_WRITE_EA, smb_set_eas},
    {16, 4, 0, set_mode},
    {19, 8, FS_WRITE_DATA, set_allocation},
    {20, 8, FS_WRITE_DATA, set_end_of_file},
    {39, 8, 0, set_valid_data},
    {40, 0, 0, set_short_name},
    {64, 4, FS_DELETE, set_disposition_ex},
    {65, 20, FS_DELETE, smb_set_rename_ex},
    {72, 20, 0, smb_set_link_ex},
};
const size_t smb_set_file_nclasses = ARRAY_LEN(smb_set_file_classes);
