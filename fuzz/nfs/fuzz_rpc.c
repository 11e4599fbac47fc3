/* fuzz_rpc.c - raw bytes on a connection: record marking, call headers, credentials, every program's decoders, the
 * port mapper. The first byte says where to and how: bit 0 the port mapper, bit 1 the host, bits 2.. the size of the
 * pieces. */
#include "fuzz_env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    fuzz_begin();
    int fd = fuzz_connect(data[0] & 1 ? &fuzz.portmap : &fuzz.nfs, data[0] >> 1);
    size_t piece = (data[0] >> 2) ? (size_t)(data[0] >> 2) * 16 : size;
    for (size_t at = 1; at < size; at += piece)
        fuzz_send(fd, data + at, MIN(piece, size - at));
    close(fd);
    fuzz_end();
    return 0;
}
