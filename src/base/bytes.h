/* bytes.h - byte order: integers at unaligned addresses, both orders. Header only. */
#pragma once
#include <endian.h>
#include <stdint.h>
#include <string.h>

#define BYTES_ACCESS(bits, order, to_host, to_wire)                                                                    \
    static inline uint##bits##_t get_##order##bits(const void *p)                                                      \
    {                                                                                                                  \
        uint##bits##_t v;                                                                                              \
        memcpy(&v, p, sizeof v);                                                                                       \
        return to_host(v);                                                                                             \
    }                                                                                                                  \
    static inline void put_##order##bits(void *p, uint##bits##_t v)                                                    \
    {                                                                                                                  \
        v = to_wire(v);                                                                                                \
        memcpy(p, &v, sizeof v);                                                                                       \
    }
BYTES_ACCESS(16, le, le16toh, htole16)
BYTES_ACCESS(32, le, le32toh, htole32)
BYTES_ACCESS(64, le, le64toh, htole64)
BYTES_ACCESS(16, be, be16toh, htobe16)
BYTES_ACCESS(32, be, be32toh, htobe32)
BYTES_ACCESS(64, be, be64toh, htobe64)
#undef BYTES_ACCESS
