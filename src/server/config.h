/* config.h - the configuration: what keys there are, where their values come from, and the values.
 *
 * Sources, later ones win: built-in default, concord.conf (INI), environment CONCORD_SECTION_KEY, --set
 * section.key=value. An unknown key or a bad value is an error that names the source, the key and what is allowed.
 * Durations take ns, us, ms, s, m, h; sizes K, M, G, T (powers of 1024). */
#pragma once
#include "fs/fs.h"
#include "base/log.h"

enum config_portmap { PORTMAP_BUILTIN, PORTMAP_REGISTER, PORTMAP_OFF };

struct config_peer_limits { /* of one protocol; see net/conn.h */
    uint32_t max_connections, max_inflight, max_queued;
    uint64_t stall_timeout, idle_timeout;
};

struct config {
    struct {
        char state_dir[512], admin_socket[108], metrics_listen[128], name[64];
        uint32_t loops, pool_threads;
    } server;
    struct {
        bool enabled, udp;
        char listen[128];
        uint32_t portmap;
        struct config_peer_limits peers;
        uint32_t max_record;
        uint32_t drc_entries;
        uint32_t max_lock_hosts;
    } nfs;
    struct {
        bool enabled, guest, anonymous;
        char listen[128], workgroup[16];
        uint32_t min_protocol, max_protocol, signing, encryption;
        uint32_t max_io, max_sessions, max_trees, max_opens, max_credits, max_disconnected;
        uint64_t durable_timeout;
        struct config_peer_limits peers;
    } smb;
    struct {
        struct co_policy policy;
        uint64_t nfs_park;
    } lock;
    struct {
        uint32_t level;
        char file[512];
    } log;
    struct fs_share_config *shares;
    size_t nshares;
    struct config_origin *origins; /* of every key, in the order of the table */
};

/* What the command line adds: a file, and --set pairs in order ("section.key=value", also "share NAME.key=value"). */
struct config_input {
    const char *file; /* NULL: none */
    const char *const *sets;
    size_t nsets;
};
/* Reads everything. 0, or -1 with one line per mistake written to `err` (at most `cap` bytes). *ret is
 * config_done(). */
int config_load(const struct config_input *in, struct config *ret, char *err, size_t cap);
void config_done(struct config *c);
/* One line per key, "section.key = value    # where it came from". */
void config_print(const struct config *c, int fd);

/* --- Inside. One row per key; the table is the documentation (docs/configuration.md is printed from it). */
enum config_type { CFG_BOOL, CFG_U32, CFG_SIZE32, CFG_DURATION, CFG_STRING, CFG_ENUM, CFG_MODE, CFG_RULES, CFG_POLICY_BOOL };
struct config_key {
    const char *section, *key;
    enum config_type type;
    size_t offset, size;         /* of the member in struct config, or in fs_share_config for section "share" */
    uint64_t min, max;           /* numbers */
    const char *const *names;    /* enums and two-valued policies: NULL-ended, value = index */
    const char *def, *help;
};
extern const struct config_key config_keys[];
extern const size_t config_nkeys;

struct config_origin {
    char where[160]; /* "default", "/etc/concord.conf:12", "environment", "--set" */
    char value[600];
};
/* Parses text into the member; false with what is allowed in `allowed`. (config_value.c) */
bool config_value_set(const struct config_key *k, void *base, const char *text, char *allowed, size_t cap);
void config_value_allowed(const struct config_key *k, char *out, size_t cap);
void config_print_docs(int fd); /* docs/configuration.md */
