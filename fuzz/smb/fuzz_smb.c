/* fuzz_smb.c - requests and compounds of two clients with sessions: headers, chains and every handler, on a share in
 * memory.
 *
 * The input is one byte dialect, then messages: two bytes length (little-endian), one byte mode, then the bytes from
 * the SMB2 header on. Mode: 1 put right what a client knows (protocol id, message id, session, tree) in every header
 * of the chain; 2 tree is IPC$; 4 the second client sends; 8 then forty seconds pass. Opens are numbered from 1000. */
#include "smb_env.h"

#define MESSAGES_MAX 32
enum { PUT_RIGHT = 1, TO_PIPES = 2, SECOND = 4, LATER = 8 };

static void put_right(struct env_client *c, uint8_t *m, size_t n, uint8_t mode)
{
    for (size_t at = 0; n - at >= SMB2_HEADER;) {
        uint8_t *h = m + at;
        uint32_t next = get_le32(h + SMB2_HDR_NEXT_COMMAND), flags = get_le32(h + SMB2_HDR_FLAGS);
        uint16_t charge = MAX(get_le16(h + SMB2_HDR_CREDIT_CHARGE) & 15, 1);
        put_be32(h, SMB2_PROTOCOL_ID);
        put_le16(h + SMB2_HDR_STRUCTURE_SIZE, SMB2_HEADER);
        put_le16(h + SMB2_HDR_CREDIT_CHARGE, charge);
        put_le16(h + SMB2_HDR_CREDITS, 512);
        put_le32(h + SMB2_HDR_FLAGS, flags & ~(uint32_t)SMB2_FLAGS_SIGNED);
        if (get_le16(h + SMB2_HDR_COMMAND) != SMB2_CANCEL) {
            put_le64(h + SMB2_HDR_MESSAGE_ID, c->mid);
            c->mid += c->conn->multi_credit ? charge : 1;
            put_le32(h + SMB2_HDR_TREE_ID, mode & TO_PIPES ? 2 : 1);
        }
        put_le64(h + SMB2_HDR_SESSION_ID, c->session);
        if (!next || next > n - at)
            break;
        at += next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t dialects[] = {SMB_3_0_2, SMB_2_0_2, SMB_2_1_0, SMB_3_0_0, SMB_3_1_1};
    static uint8_t m[1 << 16];
    struct env_client clients[2];
    struct cursor c = cursor_of(data, size);
    uint16_t dialect = dialects[cursor_u8(&c) % ARRAY_LEN(dialects)];
    env_begin();
    for (size_t i = 0; i < 2; i++)
        env_ready(&clients[i], dialect);
    atomic_store(&env.srv.next_id, 1000);
    for (int i = 0; i < MESSAGES_MAX && cursor_left(&c) > 3; i++) {
        size_t n = cursor_le16(&c);
        uint8_t mode = cursor_u8(&c);
        n = MIN(n, cursor_left(&c));
        memcpy(m, cursor_take(&c, n), n);
        struct env_client *who = &clients[mode & SECOND ? 1 : 0];
        if (mode & PUT_RIGHT)
            put_right(who, m, n, mode);
        env_send(who, m, n);
        if (mode & LATER)
            env_turn(40 * NSEC_PER_SEC);
    }
    for (size_t i = 0; i < 2; i++)
        env_leave(&clients[i]);
    env_end();
    return 0;
}
