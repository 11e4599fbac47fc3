/* dir_levels.h - the entry layouts of QUERY_DIRECTORY ([MS-FSCC] 2.4). */
#pragma once
#include "file.h"

struct smb_dir_level {
    uint8_t class_;
    uint16_t fixed; /* bytes before the name */
    void (*encode)(struct wbuf *w, const struct fs_match *m, uint32_t name_bytes);
};
const struct smb_dir_level *smb_dir_level(uint8_t class_); /* NULL: no such class */
