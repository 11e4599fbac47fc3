/* sid.c - SIDs ([MS-DTYP] 2.4.2) and the numeric ids of UNIX: S-1-22-1-uid and S-1-22-2-gid, the authority that UNIX
 * servers agreed on, so that no domain is needed. Knows nothing of descriptors. */
#include "base/cursor.h"
#include "sd.h"

#define SID_UNIX 22
#define SID_UNIX_USER 1
#define SID_UNIX_GROUP 2
#define SID_SUBS_MAX 15

#define SID_1(auth, s0) {{1, 1, 0, 0, 0, 0, 0, auth, s0}, 12}
const struct sid sid_everyone = SID_1(1, 0), sid_creator_owner = SID_1(3, 0), sid_creator_group = SID_1(3, 1),
                 sid_owner_rights = SID_1(3, 4), sid_network = SID_1(5, 2), sid_authenticated = SID_1(5, 11),
                 sid_system = SID_1(5, 18),
                 sid_administrators = {{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0}, 16}; /* S-1-5-32-544 */

static size_t unix_sid(uint32_t kind, uint32_t id, uint8_t out[FS_SID_MAX])
{
    static const uint8_t head[8] = {1, 2, 0, 0, 0, 0, 0, SID_UNIX};
    memcpy(out, head, sizeof head);
    put_le32(out + 8, kind);
    put_le32(out + 12, id);
    return 16;
}

size_t fs_sid_user(uint32_t uid, uint8_t out[FS_SID_MAX])
{
    return unix_sid(SID_UNIX_USER, uid, out);
}

size_t fs_sid_group(uint32_t gid, uint8_t out[FS_SID_MAX])
{
    return unix_sid(SID_UNIX_GROUP, gid, out);
}

struct sid sid_of_user(uint32_t uid)
{
    struct sid s = {.n = 0};
    s.n = fs_sid_user(uid, s.b);
    return s;
}

struct sid sid_of_group(uint32_t gid)
{
    struct sid s = {.n = 0};
    s.n = fs_sid_group(gid, s.b);
    return s;
}

bool sid_valid(const uint8_t *p, size_t n)
{
    return n >= 8 && p[0] == 1 && p[1] <= SID_SUBS_MAX && n == 8 + 4u * p[1];
}

bool sid_is(const struct sd_part *p, const struct sid *s)
{
    return p->p && p->n == s->n && memcmp(p->p, s->b, s->n) == 0;
}

static bool unix_id(const struct sd_part *p, uint32_t kind, uint32_t *ret)
{
    struct cursor c = cursor_of(p->p, p->p ? p->n : 0);
    uint16_t head = cursor_le16(&c); /* revision 1, two sub-authorities */
    uint16_t high = cursor_be16(&c);
    uint32_t authority = cursor_be32(&c), got = cursor_le32(&c), id = cursor_le32(&c);
    if (c.bad || cursor_left(&c) || head != 0x0201 || high || authority != SID_UNIX || got != kind)
        return false;
    *ret = id;
    return true;
}

/* The machine's own administrators are its superuser. */
bool sid_to_user(const struct sd_part *p, uint32_t *ret)
{
    if (!sid_is(p, &sid_administrators) && !sid_is(p, &sid_system))
        return unix_id(p, SID_UNIX_USER, ret);
    *ret = 0;
    return true;
}

bool sid_to_group(const struct sd_part *p, uint32_t *ret)
{
    if (!sid_is(p, &sid_administrators) && !sid_is(p, &sid_system))
        return unix_id(p, SID_UNIX_GROUP, ret);
    *ret = 0;
    return true;
}
