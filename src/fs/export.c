/* export.c - which NFS client may mount a share, and as whom: export rules and squashing. Knows addresses and numbers,
 * no protocol. */
#include "internal.h"
#include <netinet/in.h>

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Sixteen bytes that rules are compared with; other families match only rules of no bits. */
static bool peer_bytes(const struct sockaddr_storage *peer, uint8_t out[16])
{
    if (peer->ss_family == AF_INET) {
        memcpy(out, v4_mapped, sizeof v4_mapped);
        memcpy(out + 12, &((const struct sockaddr_in *)peer)->sin_addr, 4);
        return true;
    }
    if (peer->ss_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
        return true;
    }
    return false;
}

static bool rule_covers(const struct fs_export_rule *r, const uint8_t *addr)
{
    if (!r->prefix)
        return true;
    if (!addr || r->prefix > 128)
        return false;
    unsigned bytes = r->prefix / 8, bits = r->prefix % 8;
    if (memcmp(r->addr, addr, bytes) != 0)
        return false;
    return !bits || ((r->addr[bytes] ^ addr[bytes]) & (0xff00 >> bits) & 0xff) == 0;
}

static void squash(const struct fs_share_config *cfg, enum fs_squash how, struct fs_cred *c)
{
    if (how == FS_SQUASH_ALL) {
        c->uid = cfg->anon_uid;
        c->gid = cfg->anon_gid;
        c->ngroups = 0;
        c->name[0] = '\0';
    } else if (how == FS_SQUASH_ROOT) {
        if (c->uid == 0)
            c->uid = cfg->anon_uid;
        if (c->gid == 0)
            c->gid = cfg->anon_gid;
        for (uint32_t i = 0; i < c->ngroups; i++)
            if (c->groups[i] == 0)
                c->groups[i] = cfg->anon_gid;
    }
    c->superuser = how == FS_SQUASH_NONE && c->uid == 0;
}

bool fs_export_admit(const struct fs_share *s, const struct sockaddr_storage *peer, struct fs_cred *cred, bool *ret_ro)
{
    const struct fs_share_config *cfg = &s->cfg;
    static const struct fs_export_rule everybody = {.squash = FS_SQUASH_ROOT};
    const struct fs_export_rule *rule = cfg->nrules ? NULL : &everybody;
    uint8_t addr[16];
    bool known = peer_bytes(peer, addr);
    if (!cfg->nfs)
        return false;
    for (size_t i = 0; i < cfg->nrules && !rule; i++)
        if (rule_covers(&cfg->rules[i], known ? addr : NULL))
            rule = &cfg->rules[i];
    if (!rule)
        return false;
    squash(cfg, rule->squash, cred);
    *ret_ro = cfg->read_only || rule->read_only;
    return true;
}
