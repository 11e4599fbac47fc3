/* ea.h - FILE_FULL_EA_INFORMATION lists ([MS-FSCC] 2.4.15), as ExtA, SET_INFO and QUERY_INFO carry them. */
#pragma once
#include "file.h"

#define SMB_EAS_MAX 4096 /* entries of one list: 64 KiB of the smallest ones would be 5461 */

/* The entries of a list, pointing into it; the array is in the arena. STATUS_EA_LIST_INCONSISTENT and friends. */
uint32_t smb_ea_decode(struct arena *a, struct cursor in, const struct fs_ea **ret, size_t *ret_n);
/* One entry; the caller chains NextEntryOffset. */
size_t smb_ea_size(const struct fs_ea *ea);
void smb_ea_encode(struct wbuf *w, const struct fs_ea *ea);
