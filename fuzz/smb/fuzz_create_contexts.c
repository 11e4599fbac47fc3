/* What CREATE and SET_INFO carry besides numbers: create contexts, extended attribute lists, reparse buffers, paths.
 * The first byte chooses. */
#include "smb/create_contexts.h"
#include "smb/reparse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void contexts(struct arena *a, const uint8_t *data, size_t n, uint16_t dialect)
{
    struct smb_create_contexts cx;
    if (smb_create_contexts_decode(a, cursor_of(data, n), dialect, &cx) != STATUS_SUCCESS)
        return;
    size_t sum = 0;
    for (size_t i = 0; i < cx.nsd; i++)
        sum += cx.sd[i];
    for (size_t i = 0; i < cx.nea; i++)
        sum += (size_t)cx.ea[i].name[cx.ea[i].nname] + (cx.ea[i].nvalue ? cx.ea[i].value[cx.ea[i].nvalue - 1] : 0);
    if (sum == SIZE_MAX) /* read it all */
        abort();
}

static void path(struct arena *a, const uint8_t *data, size_t n, bool stream)
{
    struct smb_path p;
    if (stream)
        (void)smb_stream_parse(a, data, n, &p);
    else if (smb_path_parse(a, data, n, &p) == STATUS_SUCCESS && strlen(p.path) != p.n)
        abort();
}

static void symlink_target(struct arena *a, const uint8_t *data, size_t n)
{
    char *target;
    size_t len;
    struct wbuf w;
    if (smb_symlink_decode(a, cursor_of(data, n), &target, &len) != STATUS_SUCCESS)
        return;
    if (strlen(target) != len)
        abort();
    wbuf_init(&w, 256, 65536);
    smb_symlink_encode(&w, target, len, 0);
    wbuf_done(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena arena;
    if (!n)
        return 0;
    arena_init(&arena);
    switch (data[0] % 5) {
    case 0:
    case 1:
        contexts(&arena, data + 1, n - 1, data[0] % 5 ? SMB_2_0_2 : SMB_3_1_1);
        break;
    case 2:
    case 3:
        path(&arena, data + 1, n - 1, data[0] % 5 == 3);
        break;
    case 4:
        symlink_target(&arena, data + 1, n - 1);
    }
    arena_reset(&arena);
    return 0;
}
