/* smb_int.h - between smb.c and smb_call.c. */
#pragma once
#include "smb.h"

enum { SMB2_NEGOTIATE, SMB2_SESSION_SETUP, SMB2_LOGOFF, SMB2_TREE_CONNECT, SMB2_TREE_DISCONNECT, SMB2_CREATE, SMB2_CLOSE,
       SMB2_FLUSH, SMB2_READ, SMB2_WRITE, SMB2_LOCK, SMB2_IOCTL, SMB2_CANCEL, SMB2_ECHO, SMB2_QUERY_DIRECTORY,
       SMB2_CHANGE_NOTIFY, SMB2_QUERY_INFO, SMB2_SET_INFO, SMB2_OPLOCK_BREAK }; /* [MS-SMB2] 2.2.1 */

/* Begins a request that carries, or asks for, so many bytes; its body follows, then smb_send(). */
void smb_begin(struct smb *s, struct wbuf *w, uint16_t command, uint32_t bytes);
/* decode gets the body of a successful answer; its cursor's base is the header. */
struct call *smb_send(struct smb *s, struct wbuf *w, const char *what, void (*decode)(struct call *c, struct cursor *in));
