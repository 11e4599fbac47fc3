/* fuzz_nfs.c - calls of every procedure with handles that are good: decoders and handlers on an in-memory share.
 *
 * The input is a sequence of calls: one byte program (low four bits) and host (bit 4), one byte procedure, one byte
 * xid, two bytes length (little-endian), then the arguments. In them the eight bytes 00 00 00 08 "FH" 00 n stand for
 * handle n with its length. Calls come over two connections, so duplicates and waiting calls meet each other. */
#include "fuzz_env.h"

static const struct {
    uint32_t prog, vers;
} programs[] = {{100003, 3}, {100005, 1}, {100005, 3}, {100021, 1}, {100021, 3}, {100021, 4}, {100024, 1}};

#define CALLS_MAX 24
#define TOKEN 8

static void put_args(struct wbuf *w, const uint8_t *p, size_t n)
{
    static const uint8_t token[] = {0, 0, 0, 8, 'F', 'H', 0};
    for (size_t i = 0; i < n;) {
        if (n - i >= TOKEN && memcmp(p + i, token, sizeof token) == 0) {
            unsigned h = p[i + 7] % FUZZ_HANDLES;
            xdr_put_opaque(w, fuzz.fh[h], fuzz.nfh[h]);
            i += TOKEN;
        } else {
            wbuf_u8(w, p[i++]);
        }
    }
}

static void call(int fd, const uint8_t *head, const uint8_t *args, size_t n)
{
    struct wbuf w;
    wbuf_init(&w, 256 + n, 256 << 10);
    xdr_put_u32(&w, 0);
    xdr_put_u32(&w, head[2]);
    xdr_put_u32(&w, RPC_CALL);
    xdr_put_u32(&w, 2);
    xdr_put_u32(&w, programs[(head[0] & 15) % ARRAY_LEN(programs)].prog);
    xdr_put_u32(&w, programs[(head[0] & 15) % ARRAY_LEN(programs)].vers);
    xdr_put_u32(&w, head[1]);
    xdr_put_u32(&w, RPC_AUTH_SYS);
    xdr_put_u32(&w, 20);
    wbuf_zero(&w, 20); /* root of a machine without name */
    xdr_put_u32(&w, 0);
    xdr_put_u32(&w, 0);
    put_args(&w, args, n);
    if (!w.bad) {
        wbuf_patch_be32(&w, 0, RPC_LAST_FRAGMENT | (uint32_t)(wbuf_len(&w) - RPC_MARK));
        fuzz_send(fd, wbuf_at(&w, 0), wbuf_len(&w));
    }
    wbuf_done(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor c = cursor_of(data, size);
    fuzz_begin();
    int fd[2] = {fuzz_connect(&fuzz.nfs, 0), fuzz_connect(&fuzz.nfs, 1)};
    for (int i = 0; i < CALLS_MAX && cursor_left(&c) >= 5; i++) {
        const uint8_t *head = cursor_take(&c, 3);
        size_t n = MIN((size_t)cursor_le16(&c), cursor_left(&c));
        call(fd[head[0] >> 4 & 1], head, cursor_take(&c, n), n);
        if (head[0] & 0x80) /* time passes */
            fuzz_turn(250 * NSEC_PER_MSEC);
    }
    close(fd[0]);
    close(fd[1]);
    fuzz_end();
    return 0;
}
