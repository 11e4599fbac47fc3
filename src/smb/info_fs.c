/* info_fs.c - QUERY_INFO's file system information classes ([MS-FSCC] 2.5), and the few that SET_INFO knows. */
#include "info.h"

#define SECTOR 512
#define FILE_DEVICE_DISK 0x07
/* [MS-FSCC] 2.5.1 */
enum { FILE_CASE_SENSITIVE_SEARCH = 0x1, FILE_CASE_PRESERVED_NAMES = 0x2, FILE_UNICODE_ON_DISK = 0x4,
       FILE_PERSISTENT_ACLS = 0x8, FILE_SUPPORTS_SPARSE_FILES = 0x40, FILE_SUPPORTS_REPARSE_POINTS = 0x80,
       FILE_SUPPORTS_OBJECT_IDS = 0x10000, FILE_NAMED_STREAMS = 0x40000, FILE_READ_ONLY_VOLUME = 0x80000,
       FILE_SUPPORTS_HARD_LINKS = 0x400000, FILE_SUPPORTS_EXTENDED_ATTRIBUTES = 0x800000,
       FILE_SUPPORTS_BLOCK_REFCOUNTING = 0x08000000 };
/* [MS-FSCC] 2.5.10 */
enum { FILE_DEVICE_IS_MOUNTED = 0x20, FILE_READ_ONLY_DEVICE = 0x2 };
enum { SSINFO_FLAGS_ALIGNED_DEVICE = 0x1, SSINFO_FLAGS_PARTITION_ALIGNED_ON_DEVICE = 0x2 };

static struct fs_share *share_of(const struct smb_query *q) { return q->open->fso->share; }

static uint32_t statfs_of(struct smb_req *r, struct smb_query *q, struct st_fsinfo *ret)
{
    enum st st = fs_statfs(&r->fs, q->open->fso->node, ret);
    if (st == ST_OK && !ret->block)
        ret->block = 4096;
    return smb_status(st);
}

/* 2.5.9: the share's name is its label */
static uint32_t query_volume(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    struct fs_attr root;
    enum st st = fs_getattr_windows(&r->fs, share_of(q)->root, &root);
    if (st != ST_OK)
        return smb_status(st);
    wbuf_le64(w, smb_time(&root.create));
    wbuf_le32(w, share_of(q)->id);
    size_t pos = wbuf_len(w);
    wbuf_le32(w, 0);
    wbuf_u8(w, 0); /* SupportsObjects */
    wbuf_u8(w, 0);
    size_t n = smb_put_text(w, share_of(q)->cfg.name);
    wbuf_patch_le32(w, pos, (uint32_t)n);
    return STATUS_SUCCESS;
}

static void put_units(struct wbuf *w, const struct st_fsinfo *f)
{
    wbuf_le32(w, MAX(f->block / SECTOR, 1u));
    wbuf_le32(w, SECTOR);
}

/* 2.5.8 */
static uint32_t query_size(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    struct st_fsinfo f;
    uint32_t status = statfs_of(r, q, &f);
    if (status != STATUS_SUCCESS)
        return status;
    wbuf_le64(w, f.total / f.block);
    wbuf_le64(w, f.avail / f.block);
    put_units(w, &f);
    return STATUS_SUCCESS;
}

/* 2.5.4 */
static uint32_t query_full_size(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    struct st_fsinfo f;
    uint32_t status = statfs_of(r, q, &f);
    if (status != STATUS_SUCCESS)
        return status;
    wbuf_le64(w, f.total / f.block);
    wbuf_le64(w, f.avail / f.block);
    wbuf_le64(w, f.free / f.block);
    put_units(w, &f);
    return STATUS_SUCCESS;
}

/* 2.5.10 */
static uint32_t query_device(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    wbuf_le32(w, FILE_DEVICE_DISK);
    wbuf_le32(w, FILE_DEVICE_IS_MOUNTED | (share_of(q)->cfg.read_only ? FILE_READ_ONLY_DEVICE : 0));
    return STATUS_SUCCESS;
}

/* 2.5.1. Clients decide by the name "NTFS" what they may ask for: streams, descriptors, 8.3 names. */
static uint32_t query_attribute(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    struct st_fsinfo f;
    uint32_t status = statfs_of(r, q, &f);
    if (status != STATUS_SUCCESS)
        return status;
    uint32_t a = FILE_CASE_PRESERVED_NAMES | FILE_UNICODE_ON_DISK | FILE_PERSISTENT_ACLS |
                 FILE_SUPPORTS_REPARSE_POINTS | FILE_SUPPORTS_OBJECT_IDS | FILE_NAMED_STREAMS |
                 FILE_SUPPORTS_HARD_LINKS | FILE_SUPPORTS_EXTENDED_ATTRIBUTES;
    a |= f.case_insensitive ? 0 : FILE_CASE_SENSITIVE_SEARCH;
    a |= f.can_sparse ? FILE_SUPPORTS_SPARSE_FILES : 0;
    a |= f.can_clone ? FILE_SUPPORTS_BLOCK_REFCOUNTING : 0;
    a |= share_of(q)->cfg.read_only ? FILE_READ_ONLY_VOLUME : 0;
    wbuf_le32(w, a);
    wbuf_le32(w, ST_NAME_MAX);
    wbuf_le32(w, 0);
    wbuf_patch_le32(w, 8, (uint32_t)smb_put_text(w, "NTFS"));
    return STATUS_SUCCESS;
}

/* 2.5.2: no quotas: no thresholds, no limits, nothing tracked. */
static uint32_t query_control(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    wbuf_zero(w, 24);
    wbuf_le64(w, UINT64_MAX);
    wbuf_le64(w, UINT64_MAX);
    wbuf_zero(w, 8);
    return STATUS_SUCCESS;
}

/* 2.5.6: an identity of the volume that is stable over restarts */
static uint32_t query_object_id(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    wbuf_put(w, r->conn->srv->cfg.server_guid, 12);
    wbuf_le32(w, share_of(q)->id);
    wbuf_zero(w, 48);
    return STATUS_SUCCESS;
}

/* 2.5.7 */
static uint32_t query_sector_size(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    struct st_fsinfo f;
    uint32_t status = statfs_of(r, q, &f);
    if (status != STATUS_SUCCESS)
        return status;
    wbuf_le32(w, SECTOR);
    wbuf_le32(w, f.block);
    wbuf_le32(w, f.block);
    wbuf_le32(w, f.block);
    wbuf_le32(w, SSINFO_FLAGS_ALIGNED_DEVICE | SSINFO_FLAGS_PARTITION_ALIGNED_ON_DEVICE);
    wbuf_zero(w, 8);
    return STATUS_SUCCESS;
}

const struct smb_query_class smb_fs_classes[] = {
    {1, 0, 24, 0, query_volume},    {3, 0, 24, 0, query_size},      {4, 0, 8, 0, query_device},
    {5, 0, 16, 0, query_attribute}, {6, 0, 48, 0, query_control},   {7, 0, 32, 0, query_full_size},
    {8, 0, 64, 0, query_object_id}, {11, 0, 28, 0, query_sector_size},
};
const size_t smb_fs_nclasses = ARRAY_LEN(smb_fs_classes);

/* Label, quota control and object id of a share are the administrator's, not the client's. */
static uint32_t set_denied(struct smb_req *r, struct smb_set *s)
{
    return STATUS_ACCESS_DENIED;
}

static uint32_t set_control(struct smb_req *r, struct smb_set *s)
{
    return STATUS_NOT_SUPPORTED;
}

const struct smb_set_class smb_set_fs_classes[] = {
    {2, 4, 0, set_denied},
    {6, 48, 0, set_control},
    {8, 64, 0, set_denied},
};
const size_t smb_set_fs_nclasses = ARRAY_LEN(smb_set_fs_classes);
