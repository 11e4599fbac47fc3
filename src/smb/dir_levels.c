/* dir_levels.c - see dir_levels.h. Each function writes an entry's fixed part, NextEntryOffset left zero. */
#include "dir_levels.h"
#include "base/utf.h"
#include "fs/names.h"

/* What all but FileNamesInformation begin with. */
static void put_common(struct wbuf *w, const struct fs_match *m, uint32_t name_bytes)
{
    const struct fs_attr *a = &m->attr;
    wbuf_le32(w, 0);
    wbuf_le32(w, m->index);
    wbuf_le64(w, smb_time(&a->create));
    wbuf_le64(w, smb_time(&a->st.atime));
    wbuf_le64(w, smb_time(&a->st.mtime));
    wbuf_le64(w, smb_time(&a->change));
    wbuf_le64(w, smb_eof(a));
    wbuf_le64(w, smb_alloc(a));
    wbuf_le32(w, a->dos);
    wbuf_le32(w, name_bytes);
}

/* EaSize: for a reparse point its tag ([MS-FSCC] 2.4.8 and others). */
static void put_ea_size(struct wbuf *w, const struct fs_match *m)
{
    wbuf_le32(w, m->attr.dos & FS_DOS_REPARSE_POINT ? m->attr.reparse_tag : m->attr.ea_size);
}

static void put_short_name(struct wbuf *w, const struct fs_match *m)
{
    uint8_t utf16[24] = {0};
    char alias[13];
    size_t n = 0;
    if (!smb_is_dots(m->name, m->n) && name_short(m->name, m->n, m->fileid, alias))
        n = utf8_to_utf16le(alias, strlen(alias), utf16, sizeof utf16);
    wbuf_u8(w, n == (size_t)-1 ? 0 : (uint8_t)n);
    wbuf_u8(w, 0);
    wbuf_put(w, utf16, sizeof utf16);
}

static void directory(struct wbuf *w, const struct fs_match *m, uint32_t name_bytes)
{
    put_common(w, m, name_bytes);
}

static void full_directory(struct wbuf *w, const struct fs_match *m, uint32_t name_bytes)
{
    put_common(w, m, name_bytes);
    put_ea_size(w, m);
}

static void both_directory(struct wbuf *w, const struct fs_match *m, uint32_t name_bytes)
{
    put_common(w, m, name_bytes);
    put_ea_size(w, m);
    put_short_name(w, m);
}

static void names(struct wbuf *w, const struct fs_match *m, uint32_t name_bytes)
{
    wbuf_le32(w, 0);
    wbuf_le32(w, m->index);
    wbuf_le32(w, name_bytes);
}

static void id_both_directory(struct wbuf *w, const struct fs_match *m, uint32_t name_bytes)
{
    both_directory(w, m, name_bytes);
    wbuf_le16(w, 0);
    wbuf_le64(w, m->fileid);
}

static void id_full_directory(struct wbuf *w, const struct fs_match *m, uint32_t name_bytes)
{
    full_directory(w, m, name_bytes);
    wbuf_le32(w, 0);
    wbuf_le64(w, m->fileid);
}

static void put_extended(struct wbuf *w, const struct fs_match *m, uint32_t name_bytes)
{
    put_common(w, m, name_bytes);
    wbuf_le32(w, m->attr.ea_size);
    wbuf_le32(w, m->attr.reparse_tag);
}

static void put_id128(struct wbuf *w, const struct fs_match *m)
{
    wbuf_le64(w, m->fileid);
    wbuf_le64(w, 0);
}

static void id_extd_directory(struct wbuf *w, const struct fs_match *m, uint32_t name_bytes)
{
    put_extended(w, m, name_bytes);
    put_id128(w, m);
}

static void id_extd_both_directory(struct wbuf *w, const struct fs_match *m, uint32_t name_bytes)
{
    id_extd_directory(w, m, name_bytes);
    put_short_name(w, m);
}

static void id64_extd_directory(struct wbuf *w, const struct fs_match *m, uint32_t name_bytes)
{
    put_extended(w, m, name_bytes);
    wbuf_le64(w, m->fileid);
}

static void id64_extd_both_directory(struct wbuf *w, const struct fs_match *m, uint32_t name_bytes)
{
    id64_extd_directory(w, m, name_bytes);
    put_short_name(w, m);
}

static void id_all_extd_directory(struct wbuf *w, const struct fs_match *m, uint32_t name_bytes)
{
    id64_extd_directory(w, m, name_bytes);
    put_id128(w, m);
}

static void id_all_extd_both_directory(struct wbuf *w, const struct fs_match *m, uint32_t name_bytes)
{
    id_all_extd_directory(w, m, name_bytes);
    put_short_name(w, m);
}

const struct smb_dir_level *smb_dir_level(uint8_t class_)
{
    static const struct smb_dir_level levels[] = {
        {1, 64, directory},           {2, 68, full_directory},      {3, 94, both_directory},
        {12, 12, names},              {37, 104, id_both_directory}, {38, 80, id_full_directory},
        {60, 88, id_extd_directory},  {63, 114, id_extd_both_directory}, {78, 80, id64_extd_directory},
        {79, 106, id64_extd_both_directory}, {80, 96, id_all_extd_directory}, {81, 122, id_all_extd_both_directory},
    };
    for (size_t i = 0; i < ARRAY_LEN(levels); i++)
        if (levels[i].class_ == class_)
            return &levels[i];
    return NULL;
}
