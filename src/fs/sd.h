/* sd.h - security descriptors, [MS-DTYP] 2.4: parts of one, where they lie in their bytes; making them; storing
 * them. */
#pragma once
#include "base/wbuf.h"
#include "internal.h"

#define SD_XATTR "sd"
#define SD_MAX 65000 /* bytes of one: what an extended attribute and an ACL's 16-bit size can hold */

/* [MS-DTYP] 2.4.6 Control */
enum {
    SD_OWNER_DEFAULTED = 0x1, SD_GROUP_DEFAULTED = 0x2, SD_DACL_PRESENT = 0x4, SD_DACL_DEFAULTED = 0x8,
    SD_SACL_PRESENT = 0x10, SD_SACL_DEFAULTED = 0x20, SD_DACL_AUTO_INHERIT_REQ = 0x100,
    SD_SACL_AUTO_INHERIT_REQ = 0x200, SD_DACL_AUTO_INHERITED = 0x400, SD_SACL_AUTO_INHERITED = 0x800,
    SD_DACL_PROTECTED = 0x1000, SD_SACL_PROTECTED = 0x2000, SD_SELF_RELATIVE = 0x8000,
};
/* [MS-DTYP] 2.4.4.1 */
enum {
    ACE_ALLOWED = 0, ACE_DENIED = 1, ACE_AUDIT = 2, ACE_ALLOWED_OBJECT = 5, ACE_DENIED_OBJECT = 6,
    ACE_OBJECT_INHERIT = 0x1, ACE_CONTAINER_INHERIT = 0x2, ACE_NO_PROPAGATE = 0x4, ACE_INHERIT_ONLY = 0x8,
    ACE_INHERITED = 0x10,
};

struct sid {
    uint8_t b[FS_SID_MAX];
    size_t n;
};
struct sd_part {
    const uint8_t *p; /* NULL: not there */
    size_t n;
};
struct sd {
    uint16_t control;
    struct sd_part owner, group, sacl, dacl; /* dacl.p = NULL with SD_DACL_PRESENT: everybody may do everything */
};
/* One entry, where it lies. sid.p = NULL: of a type whose entries name nobody here; kept, but neither grants nor
 * denies. */
struct ace {
    uint8_t type, flags;
    uint32_t mask;
    struct sd_part sid, raw;
};

/* sd_parse.c: ST_INVAL when it is not one. */
enum st sd_parse(const uint8_t *p, size_t n, struct sd *ret);
/* Walks an ACL that sd_parse() has accepted. *at starts at 0. */
bool sd_next_ace(const struct sd_part *acl, size_t *at, struct ace *ret);
/* Self-relative bytes in the arena. */
enum st sd_emit(struct arena *arena, const struct sd *sd, uint8_t **ret, size_t *ret_n);

/* sid.c */
extern const struct sid sid_everyone, sid_creator_owner, sid_creator_group, sid_owner_rights, sid_authenticated,
    sid_network, sid_system, sid_administrators;
bool sid_valid(const uint8_t *p, size_t n); /* exactly n bytes */
bool sid_is(const struct sd_part *p, const struct sid *s);
struct sid sid_of_user(uint32_t uid);
struct sid sid_of_group(uint32_t gid);
bool sid_to_user(const struct sd_part *p, uint32_t *ret);
bool sid_to_group(const struct sd_part *p, uint32_t *ret);
static inline struct sd_part sid_part(const struct sid *s) { return (struct sd_part){s->b, s->n}; }

/* sd_acl.c */
uint32_t sd_rights(const struct sd *sd, const struct fs_cred *c, const struct st_attr *a);
/* Mode bits that say the same, as well as they can; keeps 07000. */
uint32_t sd_mode(const struct sd *sd, uint32_t mode);
/* The descriptor of an object that has none stored, from mode, uid and gid; in the arena. */
enum st sd_from_mode(struct arena *arena, const struct st_attr *a, struct sd *ret);
/* What an object made under a directory with `parent` inherits: *ret_any says whether there is anything. */
enum st sd_inherit(struct arena *arena, const struct sd *parent, bool is_dir, uint32_t uid, uint32_t gid,
                   struct sd *ret, bool *ret_any);

/* sd_store.c */
/* The stored descriptor, malloced, if it is still true of an object with attributes `a`; else NULL. */
enum st sd_load(struct st_node *n, const struct st_attr *a, uint8_t **ret, size_t *ret_n);
enum st sd_save(struct st_node *n, const uint8_t *sd, size_t len); /* with the attributes that the node has now */
/* A copy of the valid stored one in the arena; *ret = NULL when there is none. */
enum st sd_stored(struct arena *arena, struct st_node *n, const struct st_attr *a, uint8_t **ret, size_t *ret_n);
