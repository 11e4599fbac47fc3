/* fuzz_negotiate.c - what a stranger may send: SMB1 and SMB2 NEGOTIATE with its contexts, SESSION_SETUP, and
 * anything else before a logon. The input is messages: two bytes length (little-endian), one byte that when odd has
 * message ids put right, then the bytes behind the framing. */
#include "smb_env.h"

#define MESSAGES_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t m[1 << 16];
    struct env_client client;
    struct cursor c = cursor_of(data, size);
    env_begin();
    env_connect(&client);
    for (int i = 0; i < MESSAGES_MAX && cursor_left(&c) > 3; i++) {
        size_t n = cursor_le16(&c);
        bool right = cursor_u8(&c) & 1;
        n = MIN(n, cursor_left(&c));
        memcpy(m, cursor_take(&c, n), n);
        if (right && n >= SMB2_HEADER && get_be32(m) == SMB2_PROTOCOL_ID)
            put_le64(m + SMB2_HDR_MESSAGE_ID, client.mid);
        client.mid++;
        env_send(&client, m, n);
    }
    env_leave(&client);
    env_end();
    return 0;
}
