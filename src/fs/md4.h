/* md4.h - MD4 (RFC 1320), for NT hashes only. */
#pragma once
#include "base/util.h"

void md4(const void *data, size_t n, uint8_t out[16]);
