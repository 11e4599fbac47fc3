/* names_private.h - what names.c and match.c share. */
#pragma once
#include "names.h"

#define ST_NAME_UNITS 256 /* no name of a store is longer, in characters */

/* Wildcards of MS-FSA 2.1.4.4: * ? and DOS_STAR < DOS_QM > DOS_DOT " */
static inline bool name_is_wild(uint32_t c)
{
    return c == '*' || c == '?' || c == '<' || c == '>' || c == '"';
}
/* Is cp the private code point under which Windows sees a character that it refuses? */
bool name_is_mapped_char(uint32_t cp, uint32_t *ret_c);
/* The next comparable unit of a server-side name: an upper-cased code point, or a byte that is part of none, above all
 * code points. */
uint32_t name_unit(const uint8_t **p, const uint8_t *end);
