/* fuzz_spnego.c - SPNEGO and NTLMSSP tokens of a logon: two bytes length (little-endian) and a token, up to four
 * times. The user database knows users by their first letter. */
#include "base/cursor.h"
#include "smb/spnego.h"

static bool lookup(void *arg, const char *user, uint8_t nt_hash[16], bool *ret_disabled)
{
    memset(nt_hash, 7, 16);
    *ret_disabled = user[0] == 'd';
    return user[0] != 'u';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ntlm_config cfg = {.server = "HOST", .domain = "GROUP", .guest = true, .anonymous = true,
                                           .lookup = lookup};
    uint8_t out[2048];
    struct spnego s = {0};
    struct cursor c = cursor_of(data, size);
    for (int i = 0; i < 4 && cursor_left(&c) > 2; i++) {
        size_t n = cursor_le16(&c), used;
        n = MIN(n, cursor_left(&c));
        uint8_t *token = malloc(n ? n : 1); /* exact, so that reading beyond it is seen */
        if (!token)
            break;
        memcpy(token, cursor_take(&c, n), n);
        enum ntlm_status st = spnego_step(&s, &cfg, token, n, out, sizeof out, &used);
        free(token);
        if (used > sizeof out)
            abort();
        if (st != NTLM_MORE)
            break;
    }
    return 0;
}
