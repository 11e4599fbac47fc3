/* Remote procedure calls over a pipe: any bytes, as a stream of PDUs to the interface that the first byte chooses. */
#include "fs/fs.h"
#include "smb/dcerpc.h"

void fs_share_each(struct fs *fs, bool (*fn)(void *arg, struct fs_share *s), void *arg);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Stands for the file service's. */
void fs_share_each(struct fs *fs, bool (*fn)(void *arg, struct fs_share *s), void *arg)
{
    static struct fs_share share = {.cfg = {.name = "share", .comment = "a comment", .smb = true}};
    for (int i = 0; i < 200; i++) /* more than one fragment */
        fn(arg, &share);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct dcerpc_env env = {.server_name = "HOST", .domain = "GROUP"};
    if (!n)
        return 0;
    struct dcerpc_conn c = {.iface = dcerpc_interface_find(data[0] & 1 ? "wkssvc" : "srvsvc")};
    data++;
    n--;
    while (n) {
        struct arena arena;
        struct wbuf out;
        size_t len = dcerpc_frame(data, n);
        if (!len || len > n)
            break;
        arena_init(&arena);
        wbuf_init(&out, 1024, 1 << 20);
        bool good = dcerpc_pdu(&c, &env, &arena, data, len, &out);
        /* What goes out is made of whole PDUs. */
        for (size_t at = 0; !out.bad && at < wbuf_len(&out);) {
            size_t k = dcerpc_frame(wbuf_at(&out, at), wbuf_len(&out) - at);
            if (!k || k > RPC_FRAGMENT_MAX || k > wbuf_len(&out) - at)
                abort();
            at += k;
        }
        wbuf_done(&out);
        arena_reset(&arena);
        if (!good)
            break;
        data += len;
        n -= len;
    }
    dcerpc_conn_done(&c);
    return 0;
}
