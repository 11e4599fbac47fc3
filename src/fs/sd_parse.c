/* sd_parse.c - the bytes of a security descriptor: taking one apart where it lies, and putting one together. Knows
 * [MS-DTYP] 2.4.4-2.4.6 and nothing of what it grants. */
#include "base/cursor.h"
#include "sd.h"

#define SD_HEADER 20
#define ACL_HEADER 8
#define ACL_REVISION 2
#define ACL_REVISION_DS 4
#define ACE_HEADER 4
#define ACE_OBJECT_TYPE_PRESENT 1
#define ACE_INHERITED_OBJECT_TYPE_PRESENT 2
#define GUID_SIZE 16

/* The SID that begins at the cursor, however much follows. */
static struct sd_part take_sid(struct cursor *c)
{
    struct sd_part s = {c->p, 0};
    if (cursor_left(c) < 8)
        c->bad = true;
    else
        s.n = 8 + 4u * c->p[1];
    if (!cursor_take(c, s.n) || !sid_valid(s.p, s.n)) {
        c->bad = true;
        s.p = NULL;
    }
    return s;
}

static struct sd_part sid_at(const struct cursor *c, uint32_t off, bool *bad)
{
    if (!off)
        return (struct sd_part){NULL, 0};
    struct cursor at = *c;
    cursor_seek(&at, off);
    struct sd_part s = take_sid(&at);
    *bad |= at.bad || off < SD_HEADER;
    return s;
}

/* What a type holds between mask and SID ([MS-DTYP] 2.4.4.3 on). */
static struct sd_part ace_sid(struct cursor *c, uint8_t type)
{
    if (type == ACE_ALLOWED_OBJECT || type == ACE_DENIED_OBJECT) {
        uint32_t flags = cursor_le32(c);
        cursor_skip(c, (flags & ACE_OBJECT_TYPE_PRESENT ? GUID_SIZE : 0) +
                           (flags & ACE_INHERITED_OBJECT_TYPE_PRESENT ? GUID_SIZE : 0));
    }
    return take_sid(c);
}

static bool next_ace(struct cursor *c, struct ace *ret)
{
    const uint8_t *start = c->p;
    *ret = (struct ace){.type = cursor_u8(c), .flags = cursor_u8(c)};
    size_t size = cursor_le16(c);
    if (c->bad || size < ACE_HEADER + 4 || size % 4 || size - ACE_HEADER > cursor_left(c))
        return false;
    struct cursor body = cursor_of(c->p, size - ACE_HEADER);
    cursor_skip(c, size - ACE_HEADER);
    ret->raw = (struct sd_part){start, size};
    ret->mask = cursor_le32(&body);
    if (ret->type <= ACE_AUDIT || ret->type == ACE_ALLOWED_OBJECT || ret->type == ACE_DENIED_OBJECT) {
        ret->sid = ace_sid(&body, ret->type);
        return !body.bad;
    }
    return true;
}

bool sd_next_ace(const struct sd_part *acl, size_t *at, struct ace *ret)
{
    if (!acl->p)
        return false;
    struct cursor c = cursor_of(acl->p, acl->n);
    cursor_seek(&c, *at ? *at : ACL_HEADER);
    if (!cursor_left(&c) || !next_ace(&c, ret))
        return false;
    *at = cursor_pos(&c);
    return true;
}

/* The ACL at `off`, cut to its entries, which are all well-formed. */
static struct sd_part acl_at(const struct cursor *sd, uint32_t off, bool *bad)
{
    if (!off)
        return (struct sd_part){NULL, 0};
    struct cursor c = *sd;
    cursor_seek(&c, off);
    const uint8_t *start = c.p;
    uint8_t revision = cursor_u8(&c);
    cursor_skip(&c, 1);
    size_t size = cursor_le16(&c), count = cursor_le16(&c);
    cursor_skip(&c, 2);
    if (c.bad || off < SD_HEADER || size < ACL_HEADER || size - ACL_HEADER > cursor_left(&c) ||
        (revision != ACL_REVISION && revision != ACL_REVISION_DS)) {
        *bad = true;
        return (struct sd_part){NULL, 0};
    }
    struct cursor entries = cursor_of(c.p, size - ACL_HEADER);
    for (size_t i = 0; i < count; i++) {
        struct ace ace;
        if (!next_ace(&entries, &ace)) {
            *bad = true;
            return (struct sd_part){NULL, 0};
        }
    }
    return (struct sd_part){start, ACL_HEADER + cursor_pos(&entries)};
}

enum st sd_parse(const uint8_t *p, size_t n, struct sd *ret)
{
    struct cursor c = cursor_of(p, n);
    bool bad = n > SD_MAX;
    uint8_t revision = cursor_u8(&c);
    cursor_skip(&c, 1);
    struct sd sd = {.control = cursor_le16(&c)};
    uint32_t owner = cursor_le32(&c), group = cursor_le32(&c), sacl = cursor_le32(&c), dacl = cursor_le32(&c);
    if (c.bad || revision != 1 || !(sd.control & SD_SELF_RELATIVE))
        return ST_INVAL;
    sd.owner = sid_at(&c, owner, &bad);
    sd.group = sid_at(&c, group, &bad);
    if (sd.control & SD_SACL_PRESENT)
        sd.sacl = acl_at(&c, sacl, &bad);
    if (sd.control & SD_DACL_PRESENT)
        sd.dacl = acl_at(&c, dacl, &bad);
    if (bad)
        return ST_INVAL;
    *ret = sd;
    return ST_OK;
}

/* Appends a part and notes its place in the header. Size and count of an ACL may have been cut: they are written
 * anew. */
static uint8_t *emit_part(uint8_t *base, uint8_t *at, size_t field, const struct sd_part *part, bool acl)
{
    if (!part->p)
        return at;
    put_le32(base + field, (uint32_t)(at - base));
    memcpy(at, part->p, part->n);
    if (acl) {
        struct ace ace;
        size_t pos = 0;
        uint16_t count = 0;
        while (sd_next_ace(part, &pos, &ace))
            count++;
        put_le16(at + 2, (uint16_t)part->n);
        put_le16(at + 4, count);
    }
    return at + part->n;
}

enum st sd_emit(struct arena *arena, const struct sd *sd, uint8_t **ret, size_t *ret_n)
{
    size_t n = SD_HEADER + sd->owner.n + sd->group.n + sd->sacl.n + sd->dacl.n;
    if (n > SD_MAX)
        return ST_INVAL;
    uint8_t *p = arena_zalloc(arena, n);
    if (!p)
        return ST_NOMEM;
    p[0] = 1;
    put_le16(p + 2, sd->control | SD_SELF_RELATIVE);
    uint8_t *at = p + SD_HEADER;
    at = emit_part(p, at, 12, &sd->sacl, true);
    at = emit_part(p, at, 16, &sd->dacl, true);
    at = emit_part(p, at, 4, &sd->owner, false);
    at = emit_part(p, at, 8, &sd->group, false);
    *ret = p;
    *ret_n = n;
    return ST_OK;
}
