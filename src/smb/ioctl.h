/* ioctl.h - IOCTL's table of file system controls, and what each gets and gives. */
#pragma once
#include "file.h"

struct smb_ioctl {
    struct smb_open *open; /* NULL for controls of the connection */
    uint32_t code, max;    /* MaxOutputResponse */
    struct cursor in;
    struct wbuf *out;      /* at most `max` bytes may go in: controls check */
    /* Some answers come with an error status (STATUS_BUFFER_OVERFLOW, copy limits). */
    bool has_output;
};
typedef uint32_t smb_ioctl_fn(struct smb_req *r, struct smb_ioctl *io);

smb_ioctl_fn smb_ioctl_validate_negotiate, smb_ioctl_network_interfaces;
smb_ioctl_fn smb_ioctl_resume_key, smb_ioctl_copychunk, smb_ioctl_duplicate_extents;
smb_ioctl_fn smb_ioctl_set_sparse, smb_ioctl_zero_data, smb_ioctl_allocated_ranges, smb_ioctl_trim;
smb_ioctl_fn smb_ioctl_file_regions;
smb_ioctl_fn smb_ioctl_get_reparse, smb_ioctl_set_reparse, smb_ioctl_delete_reparse;
smb_ioctl_fn smb_ioctl_object_id, smb_ioctl_get_compression, smb_ioctl_set_compression, smb_ioctl_snapshots;
smb_ioctl_fn smb_ioctl_integrity;
smb_ioctl_fn smb_ioctl_pipe_transceive, smb_ioctl_pipe_wait, smb_ioctl_pipe_peek;
