/* internal.h - what the protocol's machinery shares among its files: connections, chains, credits, replies, channels.
 * Command handlers need only smb.h. */
#pragma once
#include "base/list.h"
#include "base/clock.h"
#include "crypto.h"
#include "smb.h"

/* [MS-SMB2] 2.2.1: offsets in the header. */
enum { SMB2_HDR_STRUCTURE_SIZE = 4, SMB2_HDR_CREDIT_CHARGE = 6, SMB2_HDR_STATUS = 8, SMB2_HDR_COMMAND = 12,
       SMB2_HDR_CREDITS = 14, SMB2_HDR_FLAGS = 16, SMB2_HDR_NEXT_COMMAND = 20, SMB2_HDR_MESSAGE_ID = 24,
       SMB2_HDR_ASYNC_ID = 32, SMB2_HDR_TREE_ID = 36, SMB2_HDR_SESSION_ID = 40, SMB2_HDR_SIGNATURE = 48 };
#define SMB2_PROTOCOL_ID 0xFE534D42u /* as big-endian bytes */
#define SMB2_TRANSFORM_ID 0xFD534D42u
#define SMB1_PROTOCOL_ID 0xFF534D42u
#define SMB2_TRANSFORM_HEADER 52
#define SMB_FRAMING 4 /* [MS-SMB2] 2.1: zero byte and 24 bits of length */

/* [MS-SMB2] 2.2.3 and 2.2.4 */
enum { SMB2_NEGOTIATE_SIGNING_ENABLED = 1, SMB2_NEGOTIATE_SIGNING_REQUIRED = 2 };
enum { SMB2_GLOBAL_CAP_DFS = 0x01, SMB2_GLOBAL_CAP_LEASING = 0x02, SMB2_GLOBAL_CAP_LARGE_MTU = 0x04,
       SMB2_GLOBAL_CAP_MULTI_CHANNEL = 0x08, SMB2_GLOBAL_CAP_PERSISTENT_HANDLES = 0x10,
       SMB2_GLOBAL_CAP_DIRECTORY_LEASING = 0x20, SMB2_GLOBAL_CAP_ENCRYPTION = 0x40 };
/* [MS-SMB2] 2.2.6 */
enum { SMB2_SESSION_FLAG_IS_GUEST = 1, SMB2_SESSION_FLAG_IS_NULL = 2, SMB2_SESSION_FLAG_ENCRYPT_DATA = 4 };

/* [MS-SMB2] 2.2.13 */
enum { SMB2_OPLOCK_LEVEL_NONE = 0x00, SMB2_OPLOCK_LEVEL_II = 0x01, SMB2_OPLOCK_LEVEL_EXCLUSIVE = 0x08,
       SMB2_OPLOCK_LEVEL_BATCH = 0x09, SMB2_OPLOCK_LEVEL_LEASE = 0xFF };

/* list_each for objects that are more strictly aligned than their list's head: the head is never taken for one. */
#define smb_list_each(e, head, member)                                                                                 \
    for (struct list *e##_at_ = (head)->next, *e##_next_ = e##_at_->next;                                              \
         e##_at_ != (head) && ((e) = list_entry(e##_at_, __typeof__(*(e)), member), true);                             \
         e##_at_ = e##_next_, e##_next_ = e##_at_->next)

/* What the server keeps per loop: used on its thread only. */
struct smb_home {
    struct loop *loop;
    struct list free_requests; /* smb_req.in_conn */
    unsigned nfree;
};

/* --- server.c, transport.c */
extern const struct conn_ops smb_conn_ops;
void smb_accept(void *server, struct loop *l, int fd, const struct sockaddr_storage *peer);
void smb_run_blocking(struct smb_server *srv, struct task *t); /* on the pool; on a loop when there is none */
void smb_conn_closed(struct smb_conn *c);  /* loop: everything that lived on it ends, but for what may be replayed */
void smb_conn_authenticated(struct smb_conn *c); /* loop: has a valid session */
bool smb_conn_is_spare(const struct smb_conn *c); /* loop: all its sessions have other channels */
/* A reference to a client's oldest connection other than `not` (NULL: none is excluded), or NULL. Any thread. */
struct smb_conn *smb_conn_of_client(struct smb_server *srv, uint64_t client, const struct smb_conn *not);
void smb_conn_unlist(struct smb_conn *c);  /* when it is gone and no request is left */
struct smb_conn *smb_conn_ref(struct smb_conn *c);
void smb_conn_unref(struct smb_conn *c);
void smb_alive(struct smb_server *srv, uint32_t *count, int change); /* counts what smb_server_stop() waits for */
/* What the peer sent is wrong: logs at a bounded rate and closes. */
void smb_conn_bad(struct smb_conn *c, const char *reason);

/* --- request.c */
struct smb_req *smb_req_new(struct smb_conn *c, struct msg *m); /* takes the message over; NULL: no memory */
void smb_req_free(struct smb_req *r);
void smb_req_abort(struct smb_req *r, uint32_t status);         /* loop: cancels it if it waits */
void smb_req_parked(struct job *j);
void smb_req_resumed(struct smb_req *r);                        /* before a command is run again, and when it is done */
/* Cancels the requests of a session that wait on this connection, but for those that wait on an open: closing it wakes
 * them, and they have answers of their own for that. */
void smb_abort_session(struct smb_conn *c, const struct smb_session *s, const struct smb_req *except);

/* --- dispatch.c */
enum { SMB_NEED_SESSION = 1, SMB_NEED_TREE = 2, /* implies the session */
       SMB_INTERIM_NOW = 4, /* waits for others' will: the interim response goes out at once */
       SMB_INTERIM_LATE = 8, /* clients expect none unless it takes long */
       SMB_INTERIM_CHAIN = 16, /* may become asynchronous in the middle of a compound */
       SMB_LAST_ONLY = 32,  /* would wait without bound: in the middle of a compound it fails */
       SMB_EXPIRED_OK = 64 };
struct smb_handler {
    const char *name;
    uint32_t (*run)(struct smb_req *r);
    uint16_t structure_size; /* 0: the handler checks */
    uint16_t flags;
    uint8_t sent[2], expected[2]; /* offsets in the body of 32-bit payload lengths, for CreditCharge; 0 = none */
};
extern const struct smb_handler smb_handlers[SMB2_COMMANDS];
extern const struct job_ops smb_job_ops;
void smb_borrow_signer(struct smb_req *r); /* for telling that a session is not on this connection */
uint32_t smb_verify_signature(struct smb_req *r); /* [MS-SMB2] 3.3.5.2.4 */
bool smb_chain_check(struct smb_req *r); /* false: not a chain of messages, or message ids not granted: close */

/* --- credits.c */
struct smb_credits *smb_credits_new(uint32_t max);
void smb_credits_free(struct smb_credits *k);
/* [MS-SMB2] 3.3.5.2.3: consumes `charge` message ids from `id`; false: not granted or used before. */
bool smb_credits_consume(struct smb_credits *k, uint64_t id, uint16_t charge);
/* [MS-SMB2] 3.3.1.2: what the response grants. `extra`: whether more than the charge may be granted. */
uint16_t smb_credits_grant(struct smb_credits *k, uint16_t charge, uint16_t requested, bool extra);

/* --- reply.c */
void smb_reply_begin(struct smb_req *r);  /* room for the current command's response */
void smb_reply_end(struct smb_req *r);    /* r->status and body are final: header, error body */
void smb_reply_cut(struct smb_req *r);    /* drops what the handler wrote so far */
void smb_reply_interim(struct smb_req *r); /* [MS-SMB2] 3.3.4.2 */
void smb_reply_send(struct smb_req *r);   /* the chain is done */
/* Frames, encrypts when `seal` is given, and queues a message that starts at SMB_FRAMING + SMB2_TRANSFORM_HEADER or,
 * not encrypted, at SMB_FRAMING. */
void smb_send(struct smb_conn *c, struct wbuf *w, struct smb_channel *seal);

/* --- session.c */
struct smb_session *smb_session_new(struct smb_conn *c); /* in the table, with a channel; a reference; NULL: limit */
struct smb_session *smb_session_get(struct smb_server *srv, uint64_t id); /* reference or NULL */
struct smb_session *smb_session_ref(struct smb_session *s);
void smb_session_unref(struct smb_session *s);
/* Ends it: out of the table, trees gone, opens closed: many of them later, on the pool. Any thread. */
void smb_session_end(struct smb_session *s);
/* Closes its opens (of one tree, or all); may block. */
void smb_session_close_opens(struct smb_session *s, const struct smb_tree *tree);
struct smb_channel *smb_channel_loose(struct smb_conn *c, struct smb_session *s); /* in no list */
struct smb_channel *smb_channel_new(struct smb_conn *c, struct smb_session *s);
struct smb_channel *smb_channel_find(struct smb_conn *c, uint64_t session_id); /* borrowed */
struct smb_channel *smb_channel_ref(struct smb_channel *ch);
void smb_channel_unref(struct smb_channel *ch);
void smb_channel_drop(struct smb_channel *ch); /* out of both lists */
/* Makes signer and sealers from keys; false: no memory. */
bool smb_channel_keys(struct smb_channel *ch, const uint8_t signing_key[16]);

/* --- session_setup.c */
void smb_auths_free(struct smb_conn *c);

/* --- tree.c */
struct smb_tree *smb_tree_find(struct smb_session *s, uint32_t id); /* reference or NULL */
void smb_tree_unref(struct smb_tree *t);
void smb_trees_drop(struct smb_session *s);

/* --- open_table.c */
void smb_open_wait(struct smb_req *r);   /* r parked: wake it when its open is closed */
void smb_open_nowait(struct smb_req *r);
void smb_open_busy(struct smb_req *r);   /* r goes to the pool: a CLOSE of its open waits until ... */
void smb_open_idle(struct smb_req *r);   /* ... it is back */
struct smb_open *smb_open_by_number(struct smb_server *srv, uint64_t persistent_id); /* reference or NULL */
void smb_open_insert(struct smb_open *o); /* into the server's tables */
bool smb_open_join_session(struct smb_open *o); /* false: session or tree are gone, close it */
/* `to` steps into the place of `from`, for whose holders it is closed: ids, what is open behind it, what was granted.
 * False: it was closed before. */
bool smb_open_replace(struct smb_open *from, struct smb_open *to);

/* --- durable.c */
struct smb_create_contexts;
struct smb_path;
void smb_durable_init(struct smb_server *srv);
void smb_durable_stop(struct smb_server *srv); /* closes what is kept; `stopping` is set */
/* Grants what the contexts ask for if the open qualifies, and fills in the answer. */
void smb_durable_grant(struct smb_open *o, struct smb_create_contexts *cx, uint8_t caching);
/* Does the CREATE ask for an open that outlives the server, where that is to be had? */
bool smb_create_persists(const struct smb_create_contexts *cx, const struct fs_share *share);
/* Its session ends: keeps it for a client that comes back. False: it is to be closed. */
bool smb_durable_keep(struct smb_open *o);
/* The open that the contexts want back becomes `to`'s. */
uint32_t smb_durable_reconnect(struct smb_req *r, const struct smb_create_contexts *cx, const struct smb_path *path,
                               struct smb_open *to);
void smb_durable_unlist(struct smb_open *o); /* with the server's lock */

void smb_durable_restored(struct smb_open *o); /* opened again after a restart: waits for its client */

/* --- persist.c */
bool smb_persist_save(struct smb_open *o); /* all that is needed to open it again; waits for the disk */
void smb_persist_update(struct smb_open *o); /* its ranges have changed; also waits for the disk */
/* These ranges are about to be unlocked: before anybody else can have them, so that no two records claim one. */
void smb_persist_unlocking(struct smb_open *o, const struct fs_range *gone, size_t n);
void smb_persist_drop(struct smb_open *o);
void smb_persist_restore(struct smb_server *srv); /* at the start: what was open then is open again, disconnected */

/* --- replay.c */
/* The request's CreateGuid is taken for `o`. Or *ret_earlier: a reference to what the same request opened before. */
uint32_t smb_replay_claim(struct smb_req *r, struct smb_open *o, struct smb_open **ret_earlier);
void smb_replay_unlist(struct smb_open *o); /* with the server's lock */
void smb_replay_move(struct smb_open *from, struct smb_open *to); /* with the server's lock */
void smb_replay_forget(struct smb_open *o); /* the same without it */
uint32_t smb_replay_check(struct smb_req *r, struct smb_open *o); /* [MS-SMB2] 3.3.5.2.10; counts the request */
void smb_replay_done(struct smb_req *r);

/* --- break_notify.c */
struct smb_lease;
uint64_t smb_client_id(const uint8_t guid[16]);
void smb_break_notify(struct smb_server *srv, const struct co_event *ev, struct fs_told *told);
void smb_sink_event(void *arg, const struct co_event *ev, struct fs_told *told);
void smb_lease_join(struct smb_open *o);  /* on publishing an open with a lease key */
void smb_lease_leave(struct smb_open *o); /* on closing it */
/* The file that the lease with this key is on. False: no such lease of this client. */
bool smb_lease_file(struct smb_server *srv, uint64_t client, const uint8_t key[16], struct co_key *ret);

/* --- unanswered.c */
/* Before the open can be granted anything; `number`: what it is in the engine. */
void smb_unanswered_add(struct smb_req *r, struct smb_open *o, uint64_t number);
/* It is granted, and a lease: of all breaks of that, whichever open they name, those that begin from now on are kept back.
 * To be called before what the response says of the lease is looked up; o->lease_key is set. */
void smb_unanswered_leased(struct smb_open *o);
/* True: the event is kept until done(), which is called when r's responses so far are queued. */
bool smb_unanswered_hold(struct smb_server *srv, const struct co_event *ev, struct fs_told *told);
void smb_unanswered_done(struct smb_req *r);

/* --- negotiate.c */
bool smb1_negotiate(struct smb_req *r, struct cursor in); /* SMB1's; false: no dialect of ours */
uint64_t smb_nt_time(const struct timespec *t);
/* negotiate_contexts.c. [MS-SMB2] 3.3.5.4: reads the request's contexts into conn; writes the response's. */
uint32_t smb_contexts_decode(struct smb_conn *c, struct cursor in, uint16_t count);
uint16_t smb_contexts_encode(const struct smb_conn *c, struct wbuf *w, size_t base);
