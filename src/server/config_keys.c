/* config_keys.c - every key that the configuration has: its place, type, limits, default and meaning. Nothing else
 * knows a key's name. */
#include "config.h"

#define AT(member) offsetof(struct config, member), sizeof(((struct config *)0)->member)
#define SHARE(member) offsetof(struct fs_share_config, member), sizeof(((struct fs_share_config *)0)->member)

static const char *const portmaps[] = {"builtin", "register", "off", NULL};
static const char *const dialects[] = {"SMB2_02", "SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11", NULL};
static const char *const tristates[] = {"off", "offered", "required", NULL};
static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const handle_all[] = {"handle", "all", NULL};
static const char *const no_yes[] = {"no", "yes", NULL};
static const char *const revoke_deny[] = {"revoke", "deny", NULL};
static const char *const class_write[] = {"class", "write", NULL};
static const char *const advisory_write_strict[] = {"advisory", "write", "strict", NULL};
static const char *const ignore_enforce[] = {"ignore", "enforce", NULL};
static const char *const unix_enforce[] = {"unix", "enforce", NULL};
static const char *const keep_error[] = {"keep", "error", NULL};
static const char *const jukeboxes[] = {"jukebox", "hold", "drop", NULL};
static const char *const posix_strict[] = {"posix", "strict", NULL};
static const char *const windows_lazy[] = {"windows", "lazy", NULL};
static const char *const revoke_close_disconnect[] = {"revoke", "close", "disconnect", NULL};
static const char *const stores[] = {"dir", "mem", NULL};
static const char *const reparse_follow[] = {"reparse", "follow", NULL};

#define SEC NSEC_PER_SEC
#define PEERS(section, m)                                                                                              \
    {section, "max_connections", CFG_U32, AT(m.max_connections), 1, 1000000, NULL, "20000",                            \
     "Connections at a time; more are closed at once."},                                                               \
    {section, "max_inflight", CFG_U32, AT(m.max_inflight), 1, 65536, NULL, "256",                                      \
     "Requests of one connection that may be unfinished before reading from it pauses."},                              \
    {section, "max_queued", CFG_SIZE32, AT(m.max_queued), 65536, 1u << 30, NULL, "16M",                                \
     "Reply bytes queued for one connection before reading from it pauses."},                                          \
    {section, "stall_timeout", CFG_DURATION, AT(m.stall_timeout), SEC, 86400 * SEC, NULL, "60s",                       \
     "A peer that for so long sends no byte of a message that it has begun, or takes none of its replies, or less "    \
     "than 1 KiB a second, or whose host answers nothing, is disconnected."},                                          \
    {section, "idle_timeout", CFG_DURATION, AT(m.idle_timeout), 0, 86400 * 365 * SEC, NULL, "0",                       \
     "A connection without a request for so long is closed; 0: never."}

const struct config_key config_keys[] = {
    {"server", "state_dir", CFG_STRING, AT(server.state_dir), 1, 500, NULL, "/var/lib/concord",
     "The server's own directory (made with mode 0700): users, handle key, monitored hosts, persistent opens."},
    {"server", "name", CFG_STRING, AT(server.name), 0, 15, NULL, "",
     "Name told to SMB clients; empty: the host name."},
    {"server", "loops", CFG_U32, AT(server.loops), 0, 256, NULL, "0", "Event loops; 0: one per processor."},
    {"server", "pool_threads", CFG_U32, AT(server.pool_threads), 1, 1024, NULL, "16",
     "Threads for work that blocks: cold reads, fsync, large transfers."},
    {"server", "admin_socket", CFG_STRING, AT(server.admin_socket), 0, 107, NULL, "",
     "UNIX socket for concordctl; empty: STATE_DIR/admin.sock."},
    {"server", "metrics_listen", CFG_STRING, AT(server.metrics_listen), 0, 127, NULL, "",
     "Address of the Prometheus endpoint, such as 127.0.0.1:9105; empty: none."},

    {"nfs", "enabled", CFG_BOOL, AT(nfs.enabled), 0, 0, NULL, "yes", "Serve NFSv3, MOUNT, NLM and NSM."},
    {"nfs", "listen", CFG_STRING, AT(nfs.listen), 1, 127, NULL, "*:2049", "Address for NFS, MOUNT, NLM and NSM."},
    {"nfs", "udp", CFG_BOOL, AT(nfs.udp), 0, 0, NULL, "yes", "Also answer MOUNT, NLM and NSM over UDP."},
    {"nfs", "portmap", CFG_ENUM, AT(nfs.portmap), 0, 0, portmaps, "builtin",
     "Answer on port 111 itself, register with the system's rpcbind, or neither."},
    {"nfs", "max_record", CFG_SIZE32, AT(nfs.max_record), 65536, 8u << 20, NULL, "2M", "Largest RPC record."},
    {"nfs", "drc_entries", CFG_U32, AT(nfs.drc_entries), 16, 1u << 20, NULL, "4096",
     "Replies kept to answer retransmissions of calls that must not run twice."},
    {"nfs", "max_lock_hosts", CFG_U32, AT(nfs.max_lock_hosts), 0, 65536, NULL, "1024",
     "Names of lock owners' hosts from one client address; a lock for one more is refused. 0: no limit."},
    PEERS("nfs", nfs.peers),

    {"smb", "enabled", CFG_BOOL, AT(smb.enabled), 0, 0, NULL, "yes", "Serve SMB."},
    {"smb", "listen", CFG_STRING, AT(smb.listen), 1, 127, NULL, "*:445", "Address for SMB."},
    {"smb", "workgroup", CFG_STRING, AT(smb.workgroup), 1, 15, NULL, "WORKGROUP", "Domain name told to clients."},
    {"smb", "min_protocol", CFG_ENUM, AT(smb.min_protocol), 0, 0, dialects, "SMB2_02", "Oldest dialect accepted."},
    {"smb", "max_protocol", CFG_ENUM, AT(smb.max_protocol), 0, 0, dialects, "SMB3_11", "Newest dialect offered."},
    {"smb", "signing", CFG_ENUM, AT(smb.signing), 1, 0, tristates, "offered", "Whether messages must be signed."},
    {"smb", "encryption", CFG_ENUM, AT(smb.encryption), 0, 0, tristates, "offered",
     "Whether sessions are encrypted: never, when the client asks, or always."},
    {"smb", "guest", CFG_BOOL, AT(smb.guest), 0, 0, NULL, "no", "Unknown users become guests, on shares that allow it."},
    {"smb", "anonymous", CFG_BOOL, AT(smb.anonymous), 0, 0, NULL, "no", "Accept sessions without a user."},
    {"smb", "max_io", CFG_SIZE32, AT(smb.max_io), 65536, 8u << 20, NULL, "8M", "Largest read, write and transact size."},
    {"smb", "max_sessions", CFG_U32, AT(smb.max_sessions), 1, 1000000, NULL, "20000", "Sessions of the server."},
    {"smb", "max_trees", CFG_U32, AT(smb.max_trees), 1, 65535, NULL, "1024", "Tree connects of one session."},
    {"smb", "max_opens", CFG_U32, AT(smb.max_opens), 16, 1000000, NULL, "65535", "Open files of one session."},
    {"smb", "max_credits", CFG_U32, AT(smb.max_credits), 64, 65535, NULL, "8192", "Credits of one connection."},
    {"smb", "durable_timeout", CFG_DURATION, AT(smb.durable_timeout), 0, 300 * SEC, NULL, "60s",
     "How long a durable open waits for its client to come back when the client does not say; 0: none are granted."},
    {"smb", "max_disconnected", CFG_U32, AT(smb.max_disconnected), 1, 1000000, NULL, "4096",
     "Durable opens of the server that wait for their clients."},
    PEERS("smb", smb.peers),

    {"lock", "lease_break_timeout", CFG_DURATION, AT(lock.policy.lease_break_timeout), NSEC_PER_MSEC * 10, 600 * SEC, NULL,
     "35s", "How long a holder may take to acknowledge a lease or oplock break before it is revoked."},
    {"lock", "nfs_park", CFG_DURATION, AT(lock.nfs_park), NSEC_PER_MSEC, 60 * SEC, NULL, "5s",
     "How long an NFS request that must wait is kept before the client is told to come back (JUKEBOX)."},
    {"lock", "io_lock_park", CFG_DURATION, AT(lock.policy.io_lock_park), 0, 60 * SEC, NULL, "1s",
     "How long NFS I/O waits for a byte-range lock in its way before it is refused."},
    {"lock", "grace_period", CFG_DURATION, AT(lock.policy.grace_period), 0, 600 * SEC, NULL, "45s",
     "After a restart: how long only reclaims get locks. None when nobody held any."},
    {"lock", "regrant_holdoff", CFG_DURATION, AT(lock.policy.regrant_holdoff), 0, 600 * SEC, NULL, "10s",
     "After a break, how long write caching is not granted again on the file."},
    {"lock", "leases", CFG_POLICY_BOOL, AT(lock.policy.leases), 0, 0, no_yes, "yes", "Grant leases and oplocks."},
    {"lock", "delete_break", CFG_POLICY_BOOL, AT(lock.policy.delete_break_all), 0, 0, handle_all, "all",
     "What a remove or rename breaks: handle caching only, or all caching."},
    {"lock", "delete_wait", CFG_POLICY_BOOL, AT(lock.policy.delete_wait), 0, 0, no_yes, "yes",
     "Whether a remove or rename waits for the acknowledgement."},
    {"lock", "nlm_break_timeout", CFG_POLICY_BOOL, AT(lock.policy.nlm_break_deny), 0, 0, revoke_deny, "revoke",
     "When a lease in the way of an NLM lock was not given back in time: revoke it, or deny the lock."},
    {"lock", "nlm_lock_break", CFG_POLICY_BOOL, AT(lock.policy.lock_break_write), 0, 0, class_write, "class",
     "What an NLM lock breaks: by its class (shared: write caching; exclusive: all), or always as a write does."},
    {"lock", "smb_brl_vs_nfs", CFG_ENUM, AT(lock.policy.range_vs_advisory), 0, 0, advisory_write_strict, "strict",
     "Which NFS I/O an SMB byte-range lock refuses: none, writes, or reads and writes."},
    {"lock", "smb_share_vs_nfs", CFG_POLICY_BOOL, AT(lock.policy.share_vs_anonymous), 0, 0, ignore_enforce, "enforce",
     "Whether SMB share modes bind NFS I/O."},
    {"lock", "unlink", CFG_POLICY_BOOL, AT(lock.policy.unlink_enforce), 0, 0, unix_enforce, "enforce",
     "Whether an SMB open without delete sharing refuses an NFS remove or rename."},
    {"lock", "orphan_io", CFG_POLICY_BOOL, AT(lock.policy.orphan_error), 0, 0, keep_error, "keep",
     "Whether an SMB open of a file whose last name was removed goes on working, or its I/O ends in an error."},
    {"lock", "dir_rename", CFG_POLICY_BOOL, AT(lock.policy.dir_rename_strict), 0, 0, posix_strict, "posix",
     "Whether NFS may rename a directory with files open below it; SMB never does."},
    {"lock", "attr_freshness", CFG_POLICY_BOOL, AT(lock.policy.attr_lazy), 0, 0, windows_lazy, "windows",
     "Whether an NFS GETATTR starts to break a write lease."},
    {"lock", "nlm_enforce_on_smb", CFG_POLICY_BOOL, AT(lock.policy.posix_binds_windows), 0, 0, no_yes, "yes",
     "Whether NLM locks bind SMB I/O."},
    {"lock", "on_break_timeout", CFG_ENUM, AT(lock.policy.on_break_timeout), 0, 0, revoke_close_disconnect, "revoke",
     "What else a holder loses that did not acknowledge in time: nothing, its opens, its connection."},
    {"lock", "max_locks", CFG_U32, AT(lock.policy.max_locks), 0, 100000000, NULL, "250000",
     "Byte-range locks (and NLM share reservations) of one client address; more are refused. 0: no limit."},
    {"lock", "max_waits", CFG_U32, AT(lock.policy.max_waits), 0, 100000000, NULL, "4096",
     "Locks that one client address may wait for at a time; more are refused. 0: no limit."},

    {"log", "level", CFG_ENUM, AT(log.level), 0, 0, levels, "info", "What is logged."},
    {"log", "file", CFG_STRING, AT(log.file), 0, 500, NULL, "", "Where to; empty: standard error."},

    {"share", "path", CFG_STRING, SHARE(path), 0, 4000, NULL, "", "The directory that is served."},
    {"share", "store", CFG_STRING, SHARE(store), 0, 15, stores, "dir", "dir: a directory; mem: memory, lost at the end."},
    {"share", "comment", CFG_STRING, SHARE(comment), 0, 127, NULL, "", "Shown in share lists."},
    {"share", "read_only", CFG_BOOL, SHARE(read_only), 0, 0, NULL, "no", "Nothing can be changed."},
    {"share", "guest", CFG_BOOL, SHARE(guest_ok), 0, 0, NULL, "no", "SMB guests may use it."},
    {"share", "nfs", CFG_BOOL, SHARE(nfs), 0, 0, NULL, "yes", "Exported over NFS as /NAME."},
    {"share", "smb", CFG_BOOL, SHARE(smb), 0, 0, NULL, "yes", "Shared over SMB."},
    {"share", "continuous_availability", CFG_BOOL, SHARE(continuous_availability), 0, 0, NULL, "no",
     "SMB clients may have persistent opens, which outlive the server: a record of each is kept in the state directory."},
    {"share", "hidden", CFG_BOOL, SHARE(hidden), 0, 0, NULL, "no", "Left out of SMB share lists."},
    {"share", "symlinks", CFG_POLICY_BOOL, SHARE(follow_symlinks), 0, 0, reparse_follow, "follow",
     "What an SMB client that opens a symbolic link gets: the link as a reparse point, or its target inside the share."},
    {"share", "signing", CFG_ENUM, SHARE(signing), 1, 0, tristates, "offered", "Whether SMB messages must be signed."},
    {"share", "encryption", CFG_ENUM, SHARE(encryption), 0, 0, tristates, "offered", "Whether SMB must be encrypted."},
    {"share", "jukebox", CFG_ENUM, SHARE(jukebox), 0, 0, jukeboxes, "jukebox",
     "What an NFS request gets that has waited for lock.nfs_park: the answer JUKEBOX; its own, whenever that comes; "
     "or none, for clients that send again what is not answered."},
    {"share", "anon_uid", CFG_U32, SHARE(anon_uid), 0, UINT32_MAX - 1, NULL, "65534", "uid of squashed NFS users and guests."},
    {"share", "anon_gid", CFG_U32, SHARE(anon_gid), 0, UINT32_MAX - 1, NULL, "65534", "gid of squashed NFS users and guests."},
    {"share", "file_mode", CFG_MODE, SHARE(file_mode_mask), 0, 0777, NULL, "0644", "Mode of files made over SMB."},
    {"share", "dir_mode", CFG_MODE, SHARE(dir_mode_mask), 0, 0777, NULL, "0755", "Mode of directories made over SMB."},
    {"share", "clients", CFG_RULES, SHARE(rules), 0, 0, NULL, "",
     "NFS clients, first match wins: ADDRESS[/BITS](ro|rw,root_squash|all_squash|no_root_squash) ...; * is everybody; "
     "empty: everybody, rw, root_squash."},
    {"share", "users", CFG_STRING, SHARE(valid_users), 0, 511, NULL, "", "SMB users that may connect; empty: all."},
};
const size_t config_nkeys = ARRAY_LEN(config_keys);
