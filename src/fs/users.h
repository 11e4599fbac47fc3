/* users.h - users of the state database. Only the NT hash of a password is kept, and never logged. */
#pragma once
#include "base/kv.h"
#include "fs.h"

struct fs_user {
    char name[64];
    uint8_t nt_hash[16];
    uint32_t uid, gid;
    uint32_t ngroups, groups[FS_GROUPS_MAX];
    bool disabled;
};
/* Names are case-insensitive. uid = UINT32_MAX: the system user of that name, else the server's own user. */
enum st fs_user_set(struct kv *kv, const char *name, const char *password, uint32_t uid, uint32_t gid,
                    bool must_be_new);
enum st fs_user_get(struct kv *kv, const char *name, struct fs_user *ret); /* ST_NOSUCHUSER */
enum st fs_user_remove(struct kv *kv, const char *name);
enum st fs_user_each(struct kv *kv, bool (*fn)(void *arg, const struct fs_user *u), void *arg);
void fs_user_cred(const struct fs_user *u, struct fs_cred *ret);
void nt_hash(const char *password, uint8_t out[16]); /* MD4 of the UTF-16LE password */
