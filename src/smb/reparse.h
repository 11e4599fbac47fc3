/* reparse.h - symbolic links as Windows writes them: the SYMBOLIC_LINK_REPARSE_DATA_BUFFER of [MS-FSCC] 2.1.2.4, and
 * the same fields in the symbolic link error of [MS-SMB2] 2.2.2.2.1. */
#pragma once
#include "file.h"

#define SYMLINK_FLAG_RELATIVE 0x1

/* Tag, length, `unparsed` (0 in FSCTL_GET_REPARSE_POINT), names. */
void smb_symlink_encode(struct wbuf *w, const char *target, size_t n, uint16_t unparsed);
/* The target of a reparse buffer as server-side bytes. STATUS_IO_REPARSE_TAG_INVALID: not a symbolic link. */
uint32_t smb_symlink_decode(struct arena *a, struct cursor in, char **ret, size_t *ret_n);
