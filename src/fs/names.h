/* names.h - the reversible map between server-side names (bytes) and Windows names (UTF-16LE).
 *
 * Server to Windows: valid UTF-8 becomes UTF-16. What Windows cannot express becomes a private-use code point:
 * characters 0x01-0x1F and " * : < > ? \ |  -> U+F000 + c; a trailing blank or dot -> U+F028, U+F029 (as Services for
 * Macintosh and other clients do); a byte that is not UTF-8 -> U+F700 + byte. Names that already contain such a private
 * code point have its bytes mapped as if they were not UTF-8. A lone surrogate of a Windows name is kept as three bytes
 * of WTF-8. So the map is total and Windows to server inverts it. */
#pragma once
#include "base/st.h"
#include "base/util.h"

/* One name: bytes of UTF-16LE written to out, or (size_t)-1 when they do not fit. At most 2 * n bytes ever. */
size_t name_to_windows(const char *name, size_t n, uint8_t *out, size_t cap);
/* One name, or with `path` a path whose '\\' become '/': bytes written, NUL appended. ST_BADNAME: characters not
 * allowed in a Windows name (after ':' splitting, which is the caller's), "." or ".." components, empty components.
 * With `pattern` wildcards pass. */
enum { NAME_PATH = 1, NAME_PATTERN = 2 };
enum st name_from_windows(const uint8_t *utf16, size_t nbytes, unsigned flags, char *out, size_t cap, size_t *ret_n);
/* The 8.3 alias for FileAlternateNameInformation; false: the name is one itself. */
bool name_short(const char *name, size_t n, uint64_t fileid, char out[13]);
/* Key under which case-insensitive names are equal: hash, and comparison. */
uint64_t name_fold_hash(const char *name, size_t n);
bool name_fold_equal(const char *a, size_t na, const char *b, size_t nb);
/* MS-FSA 2.1.4.4; pattern "*" matches all. */
bool name_match(const char *pattern, size_t np, const char *name, size_t n);
