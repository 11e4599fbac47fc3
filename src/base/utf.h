/* utf.h - UTF-8, UTF-16LE and case folding for names.
 *
 * Server-side names are byte strings. Windows-side names are UTF-16LE. The map between them is total and reversible
 * (names.h of fs builds on it): nothing is hidden or lost. */
#pragma once
#include "util.h"

/* Decodes one code point of valid, shortest-form UTF-8 (no surrogates, <= U+10FFFF) from [p, end). Returns the bytes
 * used (1..4) and sets *ret_cp, or 0 when the bytes are not that. */
size_t utf8_decode(const uint8_t *p, const uint8_t *end, uint32_t *ret_cp);
size_t utf8_encode(uint32_t cp, uint8_t out[4]); /* bytes written; 0 for surrogates and > U+10FFFF */
bool utf8_valid(const void *s, size_t n);
/* Simple (one to one) upper-casing of a code point as Windows' $UpCase table does for the BMP; others unchanged. */
uint32_t utf_upcase(uint32_t cp);
/* UTF-8 to UTF-16LE for plain texts (not file names): bytes written to out (at most cap) or (size_t)-1 when the input
 * is not valid or does not fit. And back; lone surrogates become U+FFFD. */
size_t utf8_to_utf16le(const void *s, size_t n, uint8_t *out, size_t cap);
size_t utf16le_to_utf8(const void *s, size_t n, char *out, size_t cap);
/* Case-insensitive compare of two UTF-8 strings (memcmp semantics; invalid bytes compare as themselves). */
int utf8_casecmp(const void *a, size_t na, const void *b, size_t nb);
