/* smb.h - the SMB 2/3 front end: its objects (objects.h: server > connection > session > tree > open),
 * and the request that moves through them.
 *
 * The front end decodes, calls src/fs, encodes. It decides no conflict and touches no store.
 *
 * A received message is one smb_req: a chain of one or more commands (a compound). The chain keeps its cursor: commands
 * that are done are not run again; the current one runs through its command's handler (smb_handlers in dispatch.c):
 *
 *     uint32_t smb_xxx(struct smb_req *r)     one file per command: create.c, read.c, ...
 *
 * The handler reads the command's body from r->in (base = start of the command's SMB2 header, position = start of the
 * body, end = end of this command), writes the response's body to r->out (dispatch has left room for the header and
 * fills it in) and returns an NTSTATUS, or SMB_PARKED / SMB_OFFLOAD (from smb_status(ST_AGAIN / ST_OFFLOAD)) when it
 * did nothing and is to be run again; what it wrote is then cut off. An error return makes dispatch write the ERROR
 * body unless the handler set r->has_body (STATUS_BUFFER_OVERFLOW and the like carry a normal body).
 *
 * Threads: a connection and its chain bookkeeping belong to the connection's loop; a handler runs on that loop or,
 * after SMB_OFFLOAD, on a pool thread, with exclusive use of its smb_req. Sessions, trees and opens are shared between
 * connections and guarded by their own locks. */
#pragma once
#include "objects.h"

struct smb_req {
    struct job job;
    struct fs_req fs;
    struct arena arena;
    struct smb_conn *conn;       /* reference */
    struct list in_conn;
    struct msg msg;              /* the received bytes (decrypted in place when sealed) */
    bool sealed;                 /* came encrypted: the reply is encrypted, no signatures inside */
    struct smb_channel *sealed_channel; /* whose keys; reference or NULL */
    size_t next;                 /* chain cursor: offset in msg of the current command's header */

    /* The current command. */
    struct cursor in;
    enum smb_command command;
    uint32_t flags;              /* of the request's header */
    uint16_t credit_charge, credit_request, channel_sequence;
    uint64_t message_id;
    struct smb_session *session; /* reference or NULL */
    struct smb_tree *tree;       /* reference or NULL */
    struct co_party party;       /* filled in from connection and session; handlers set open and lease */
    void *scratch;               /* the handler's, from the arena; survives re-runs, NULL when a command starts. While
                                  * it is set a parked message is not moved, so it may point into it */
    const struct smb_handler *handler; /* dispatch.c */
    enum { SMB_BEGIN, SMB_RUN, SMB_FINISH } phase;
    struct smb_channel *channel; /* reference or NULL */
    struct smb_open *unanswered; /* references: opens whose CREATE's response is not queued yet (unanswered.c) */
    struct smb_open *opens[2];   /* what smb_open_find() gave: dropped when the command is done */
    struct smb_open *counted;    /* one of them: this request is outstanding on it (replay.c) */
    struct list in_open;         /* of opens[0], while parked */
    uint64_t wire_session;       /* ids for the response's header: handlers that make one set it */
    uint32_t wire_tree;
    size_t here;                 /* offset in msg of the current command's header */

    /* The reply under construction: the chain's responses one after another. */
    struct wbuf out;
    size_t out_base;             /* where the first response starts, behind framing and room for encryption */
    size_t out_header, out_body; /* positions of the current response */
    size_t last_header, last_end; /* the one before, complete but for NextCommand and signature; last_end 0: none */
    struct smb_channel *last_channel; /* signs it; reference or NULL */
    uint8_t *preauth, *preauth_next; /* hash that takes in the last, the current response (3.1.1), or NULL */
    bool has_body;
    uint32_t status;

    /* What related commands inherit ([MS-SMB2] 3.3.5.2.7.2). */
    uint64_t chain_session;
    uint32_t chain_tree, chain_status;
    struct smb_open *chain_open; /* reference or NULL */

    bool async;                  /* the interim STATUS_PENDING was sent */
    uint64_t async_id;
    struct timer pending_timer;  /* sends it */
    _Atomic bool cancelled;      /* CANCEL, or the connection is gone: handlers return STATUS_CANCELLED when woken */
    uint32_t abort_status;       /* what a cancelled request answers */
    bool replayable;             /* a CREATE that its client may send again over another channel */
    bool no_reply, sign, held, waited, started, told_closed, busy;
    bool until_idle;             /* a CLOSE that waits for other requests of its open */
};

/* Status map: the only one (status.c). */
#define SMB_PARKED 0x20000001u  /* never on the wire */
#define SMB_OFFLOAD 0x20000002u
uint32_t smb_status(enum st st);

/* For handlers (open_table.c, dispatch.c). */
/* Reads the 16 bytes of a FileId at the cursor and finds the open (a reference the request drops when the command is
 * done), honouring the chain's open for related commands. NULL: return STATUS_FILE_CLOSED. Sets r->fs.share etc. */
struct smb_open *smb_open_find(struct smb_req *r);
/* A reference for the caller. NULL: limit reached. Not in the table before smb_open_publish(), which takes its own. */
struct smb_open *smb_open_new(struct smb_req *r);
struct smb_open *smb_open_loose(struct smb_server *srv); /* without session; NULL: no memory */
void smb_open_publish(struct smb_open *o);
void smb_open_wake(struct smb_open *o); /* the requests parked on it run again */
struct smb_open *smb_open_ref(struct smb_open *o);
void smb_open_unref(struct smb_open *o);
/* Takes it out of the table and closes what is behind it. False: somebody else did. */
bool smb_open_close(struct smb_req *r /* or NULL */, struct smb_open *o, struct fs_attr *attr);
void smb_open_close_later(struct smb_open *o); /* takes the reference; on the pool */
/* The open with these ids if the request's session may use it: a reference for the caller, or NULL (resume keys). */
struct smb_open *smb_open_get(struct smb_req *r, uint64_t persistent_id, uint64_t volatile_id);
/* FSCTL_VALIDATE_NEGOTIATE_INFO ([MS-SMB2] 3.3.5.15.12): reads the request's input, writes the 24 bytes of the answer.
 * Anything but STATUS_SUCCESS: the connection is being closed, nothing is answered. */
uint32_t smb_validate_negotiate(struct smb_req *r, struct cursor in, struct wbuf *out);

/* Starts the server: listening, accepting. `srv` is filled in by the caller up to `pool`. 0 or -errno. */
int smb_server_start(struct smb_server *srv, struct loop **loops, size_t nloops, const char *listen);
uint16_t smb_server_port(const struct smb_server *srv);
void smb_server_stop(struct smb_server *srv); /* closes connections, sessions, opens */

/* Who is connected, for the administrator: one call per connection, valid during the call. (clients.c) */
struct smb_client_info {
    const char *address;
    const char *machine;     /* as it called itself at its logon; "" */
    char user[64];           /* of its first session; "" before a logon */
    uint8_t guid[16];
    uint16_t dialect;
    uint64_t since;          /* clock_now() */
    unsigned sessions;
    const char *signing, *encryption; /* algorithms in use; "" */
};
/* Not on a loop's thread. */
void smb_clients_each(struct smb_server *srv, void (*fn)(void *arg, const struct smb_client_info *c), void *arg);

/* Command handlers. */
uint32_t smb_cancel(struct smb_req *r);
uint32_t smb_negotiate(struct smb_req *r);
uint32_t smb_session_setup(struct smb_req *r);
uint32_t smb_logoff(struct smb_req *r);
uint32_t smb_tree_connect(struct smb_req *r);
uint32_t smb_tree_disconnect(struct smb_req *r);
uint32_t smb_create(struct smb_req *r);
uint32_t smb_close(struct smb_req *r);
uint32_t smb_flush(struct smb_req *r);
uint32_t smb_read(struct smb_req *r);
uint32_t smb_write(struct smb_req *r);
uint32_t smb_lock(struct smb_req *r);
uint32_t smb_ioctl(struct smb_req *r);
uint32_t smb_echo(struct smb_req *r);
uint32_t smb_query_directory(struct smb_req *r);
uint32_t smb_change_notify(struct smb_req *r);
uint32_t smb_query_info(struct smb_req *r);
uint32_t smb_set_info(struct smb_req *r);
uint32_t smb_oplock_break(struct smb_req *r);
