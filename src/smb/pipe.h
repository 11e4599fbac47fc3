/* pipe.h - named pipes of IPC$ ([MS-SMB2] 3.3.5.9 and following, [MS-CIFS] 2.2.4.64.1's names): a pipe is a queue of
 * answers of one remote procedure interface. */
#pragma once
#include "file.h"

#define SMB_PIPE_REPLY_MAX (1u << 20) /* bytes of answers that wait to be read */
#define SMB_PIPE_REQUEST_MAX (64u << 10)

/* CREATE on IPC$. */
uint32_t smb_pipe_create(struct smb_req *r, const uint8_t *utf16, size_t nbytes);
void smb_pipe_free(struct smb_pipe *p); /* NULL is fine; called when the open's last reference goes */
/* READ and WRITE. STATUS_BUFFER_OVERFLOW: more of this message is left (*ret_n bytes were given). */
uint32_t smb_pipe_read(struct smb_req *r, struct smb_open *o, uint8_t *buf, size_t len, size_t *ret_n);
uint32_t smb_pipe_write(struct smb_req *r, struct smb_open *o, const uint8_t *data, size_t len, uint32_t *ret_n);
/* FSCTL_PIPE_TRANSCEIVE: a write, then a read of at most max bytes at the end of w. */
uint32_t smb_pipe_transceive(struct smb_req *r, struct smb_open *o, const uint8_t *data, size_t len, struct wbuf *w,
                             size_t max);
/* For FSCTL_PIPE_PEEK and FilePipeLocalInformation. */
size_t smb_pipe_available(struct smb_open *o);
