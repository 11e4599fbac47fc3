/* objects.h - the SMB front end's objects, by the specification's names: server > connection > session > tree >
 * open.
 *
 * Threads: a connection belongs to its loop. Sessions, trees and opens are shared between connections and guarded by
 * their own locks: srv->lock, then session->lock, then open->lock. */
#pragma once
#include "base/cursor.h"
#include "base/hash.h"
#include "base/wbuf.h"
#include "fs/meta.h"
#include "net/conn.h"
#include "ntstatus.h"
#include <pthread.h>

/* [MS-SMB2] 2.2.3 */
enum { SMB_2_0_2 = 0x0202, SMB_2_1_0 = 0x0210, SMB_3_0_0 = 0x0300, SMB_3_0_2 = 0x0302, SMB_3_1_1 = 0x0311,
       SMB_2_WILDCARD = 0x02FF };
/* [MS-SMB2] 2.2.1.2 */
enum smb_command { SMB2_NEGOTIATE, SMB2_SESSION_SETUP, SMB2_LOGOFF, SMB2_TREE_CONNECT, SMB2_TREE_DISCONNECT, SMB2_CREATE,
                   SMB2_CLOSE, SMB2_FLUSH, SMB2_READ, SMB2_WRITE, SMB2_LOCK, SMB2_IOCTL, SMB2_CANCEL, SMB2_ECHO,
                   SMB2_QUERY_DIRECTORY, SMB2_CHANGE_NOTIFY, SMB2_QUERY_INFO, SMB2_SET_INFO, SMB2_OPLOCK_BREAK,
                   SMB2_COMMANDS };
enum { SMB2_FLAGS_SERVER_TO_REDIR = 1, SMB2_FLAGS_ASYNC_COMMAND = 2, SMB2_FLAGS_RELATED_OPERATIONS = 4,
       SMB2_FLAGS_SIGNED = 8, SMB2_FLAGS_PRIORITY_MASK = 0x70, SMB2_FLAGS_DFS_OPERATIONS = 0x10000000, SMB2_FLAGS_REPLAY_OPERATION = 0x20000000 };
#define SMB2_HEADER 64

struct smb_config {
    uint16_t min_dialect, max_dialect;
    enum fs_tristate signing, encryption;
    uint32_t max_transact, max_read, max_write; /* bytes; 8 MiB; 64 KiB for 2.0.2 */
    uint32_t max_sessions, max_trees, max_opens; /* per server, per session, per session */
    uint32_t max_credits;                        /* per connection */
    uint32_t max_disconnected;                   /* durable opens kept for clients that are gone */
    uint64_t durable_timeout;                    /* ns; where the client does not say; 0: none are granted */
    bool guest, anonymous;
    char server_name[16], domain[16];            /* NetBIOS names for NTLMSSP */
    uint8_t server_guid[16];
    struct conn_limits limits;
    unsigned max_connections;
};

struct smb_server {
    struct smb_config cfg;
    struct fs *fs;
    struct kv *kv; /* users */
    struct pool *pool;
    struct timespec start_time;
    pthread_rwlock_t lock;  /* the tables */
    struct hash sessions;   /* by session id */
    struct hash opens;      /* every open of the server by persistent file id */
    struct hash create_guids; /* those that were asked for under one, by client and it (replay.c) */
    struct list unanswered;   /* opens whose clients do not know them yet (unanswered.c) */
    struct list disconnected; /* opens whose clients may come back (durable.c) */
    uint32_t ndisconnected;
    struct timer expiry;    /* when the first of them is given up; on the first home's loop */
    struct task expiry_task;
    bool expiry_posted;
    struct list conns;
    struct hash clients;    /* those of them that are authenticated, by client_id: a client may have several */
    struct hash leases;     /* lease keys in use (break_notify.c) */
    struct listener *listener;
    struct smb_home *homes; /* one per loop (server.c) */
    size_t nhomes;
    _Atomic uint64_t next_id;
    _Atomic uint32_t nsessions;
    struct fs_sink sink;
    _Atomic bool stopping;
    uint32_t alive, loose;  /* connections and sessions, disconnected opens, not yet ended; under `alive_lock` */
    pthread_mutex_t alive_lock;
    pthread_cond_t alive_cond;
};

struct smb_keys { /* derived per session and channel, [MS-SMB2] 3.1.4.2 */
    uint8_t session[16], signing[16], application[16];
    uint8_t encrypt[32], decrypt[32]; /* server-out, server-in */
};

struct smb_conn {
    struct smb_server *srv;
    struct conn *net;
    struct list in_server;
    struct hash_link by_client; /* in srv->clients, since the first valid session: `authenticated` */
    struct smb_home *home; /* of its loop */
    uint64_t since;   /* clock_now() */
    uint16_t dialect; /* 0: before NEGOTIATE */
    bool wildcard;    /* answered an SMB1 negotiate with "2.???": one more NEGOTIATE follows */
    uint32_t client_caps;
    uint16_t client_security_mode;
    uint8_t client_guid[16];
    uint16_t cipher, signing_alg, hash_alg; /* 2.2.3.1: 0 = none */
    unsigned contexts;                      /* negotiate_contexts.c */
    uint8_t preauth[64];                    /* SHA-512 chain of 3.1.1 */
    bool multi_credit;
    uint32_t server_caps;
    uint16_t server_security_mode;
    uint64_t client_id;     /* coherence's number of the client */
    uint64_t account;       /* and of its address */
    struct list auths;      /* logons under way: smb_auth (session_setup.c) */
    struct timer logon_timer;
    uint32_t nasync;        /* requests that got an interim response */
    uint64_t next_async;
    bool authenticated;     /* had a valid session: may send large messages */
    bool known_user;        /* had a user's: may send encrypted ones */
    struct list requests;   /* all live smb_req, for CANCEL and for closing */
    _Atomic bool gone;      /* closed; listed as long as requests of it are left */
    struct list sessions;   /* smb_channel: session and this connection's signing key */
    struct smb_credits *credits; /* message id window (credits.c) */
    _Atomic uint32_t refs;
};

enum smb_session_state { SMB_SESSION_IN_PROGRESS, SMB_SESSION_VALID, SMB_SESSION_EXPIRED, SMB_SESSION_GONE };
struct smb_session {
    struct hash_link by_id;
    uint64_t id;
    struct smb_server *srv;
    _Atomic enum smb_session_state state;
    _Atomic uint32_t refs;
    pthread_mutex_t lock; /* trees, channels, authentication */
    struct fs_cred cred;
    bool guest, anonymous, signing_required;
    char machine[32];     /* what the client called itself when it logged on */
    bool encrypt;         /* every message must be encrypted */
    uint16_t dialect;
    uint16_t cipher, signing_alg;
    struct smb_keys keys;
    _Atomic uint64_t nonce; /* of the server's encrypted messages: one key for all channels */
    struct list channels; /* smb_channel */
    struct list trees;    /* smb_tree */
    uint32_t next_tree, ntrees;
    _Atomic uint32_t nopens;
    uint64_t created_at;
    struct list opens;    /* smb_open */
    struct task teardown; /* closes what is open, on the pool (session.c) */
};
/* A session on a connection (more than one with multichannel). */
struct smb_channel {
    struct list in_conn, in_session;
    struct smb_conn *conn;
    struct smb_session *session; /* a reference */
    uint32_t refs;               /* the connection's loop only: the list's one, and requests' */
    bool binding;                /* its logon is under way: good for SESSION_SETUP only */
    struct smb_signer *signer;   /* NULL before the logon is complete (crypto.h) */
    struct smb_sealer *seal, *unseal;
    char who[CO_WHO];            /* for co_party */
};

struct smb_tree {
    struct list in_session;
    uint32_t id;
    struct smb_session *session; /* not a reference: the session owns its trees */
    struct fs_share *share;      /* NULL: IPC$ */
    uint32_t maximal_access;
    bool encrypt, read_only;
    _Atomic uint32_t refs;
    _Atomic bool gone;
};

struct smb_pipe; /* srvsvc over IPC$ (pipe.c) */
/* Session and tree never change: when its client goes or comes back, another object takes its place (durable.c). */
struct smb_open {
    struct hash_link by_id; /* persistent id, which is its number in the engine too */
    struct hash_link by_guid;
    struct list in_disconnected;
    struct list in_unanswered;
    struct smb_open *unanswered_next;   /* of its request */
    struct smb_held_break *held_breaks; /* in order; under the server's lock */
    uint64_t number;                    /* by which these know it; 0: it is known */
    bool answers_lease;                 /* these are breaks of all of its lease; under the server's lock */
    uint64_t persistent_id, volatile_id;
    struct smb_server *srv;
    struct smb_session *session; /* reference; NULL: disconnected */
    struct smb_tree *tree;       /* reference; NULL: disconnected */
    struct fs_open *fso;         /* NULL: a pipe, or not open yet */
    struct smb_pipe *pipe;
    struct fs_req *waiting_notify; /* CHANGE_NOTIFY in order */
    struct list in_session;      /* under the session's lock */
    struct list waiting;         /* parked requests to wake when it is closed; under `lock` */
    pthread_mutex_t lock;
    struct smb_lease *lease;     /* break_notify.c; NULL: an oplock or nothing */
    struct co_key break_key;     /* file of the oplock break under way; under `lock` */
    bool breaking, lease_v2;
    _Atomic uint32_t busy;       /* requests of it on the pool */
    uint8_t oplock_level;        /* SMB2_OPLOCK_LEVEL_* as granted */
    uint8_t lease_key[16];
    uint64_t client;             /* whose create_guid it is */
    uint8_t create_guid[16];
    _Atomic bool has_guid;       /* in the table of them: until it is used, the CREATE may be replayed */
    bool published;              /* under the server's lock */
    uint8_t action;              /* CreateAction, for a replay */
    uint8_t client_guid[16];
    bool durable;                /* outlives its connection ... */
    _Atomic bool persistent;     /* and the server (persist.c) ... */
    uint32_t timeout;            /* ... for so many ms */
    _Atomic uint64_t expires;    /* clock_now() ns, once disconnected */
    uint16_t channel_sequence;   /* [MS-SMB2] 3.3.1.10, with the two counts under `lock` (replay.c) */
    uint32_t requests, earlier_requests; /* outstanding ones, of this sequence and of those before */
    uint64_t resume_key[3];
    uint8_t lock_sequence[64];   /* [MS-SMB2] 3.3.1.10 LockSequenceArray, +1: 0 = not valid (lock.c) */
    uint32_t ea_index;           /* where the next FileFullEaInformation query goes on (info_lists.c) */
    _Atomic uint32_t refs;       /* the table's one, and one per request using it */
    _Atomic bool closed, to_close;
    struct task closing;         /* closes it, once `to_close` */
};
