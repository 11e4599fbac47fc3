/* info.h - QUERY_INFO and SET_INFO: one const table for each kind of information, one function for each class. */
#pragma once
#include "file.h"

/* [MS-SMB2] 2.2.37 InfoType */
enum { SMB2_0_INFO_FILE = 1, SMB2_0_INFO_FILESYSTEM = 2, SMB2_0_INFO_SECURITY = 3, SMB2_0_INFO_QUOTA = 4 };

/* What one QUERY_INFO asks for. */
struct smb_query {
    struct smb_open *open;
    uint8_t type, class_;
    uint32_t max; /* OutputBufferLength */
    uint32_t additional, flags;
    struct cursor in; /* the input buffer */
    struct fs_attr attr; /* filled in when the class says so */
};
/* The answer is written to w without regard to `max`: query_info.c cuts it. (Lists of entries end early instead and say
 * STATUS_BUFFER_OVERFLOW.) Returns STATUS_SUCCESS, an error, or
 * SMB_PARKED and the like. */
typedef uint32_t smb_query_fn(struct smb_req *r, struct smb_query *q, struct wbuf *w);
enum { SMB_NEED_ATTR = 1, SMB_PIPES = 2 /* pipes have it too */ };
struct smb_query_class {
    uint8_t class_;
    uint8_t flags;
    uint16_t min;    /* smaller buffers: STATUS_INFO_LENGTH_MISMATCH */
    uint32_t access; /* FS_* rights that the open needs */
    smb_query_fn *encode;
};
extern const struct smb_query_class smb_file_classes[], smb_fs_classes[];
extern const size_t smb_file_nclasses, smb_fs_nclasses;

smb_query_fn smb_query_security, smb_query_streams, smb_query_eas;

/* What one SET_INFO sets. */
struct smb_set {
    struct smb_open *open;
    uint8_t type, class_;
    uint32_t additional;
    struct cursor in; /* the buffer */
};
typedef uint32_t smb_set_fn(struct smb_req *r, struct smb_set *s);
struct smb_set_class {
    uint8_t class_;
    uint16_t min; /* smaller buffers: STATUS_INFO_LENGTH_MISMATCH */
    uint32_t access;
    smb_set_fn *set;
};
extern const struct smb_set_class smb_set_file_classes[], smb_set_fs_classes[];
extern const size_t smb_set_file_nclasses, smb_set_fs_nclasses;

smb_set_fn smb_set_rename, smb_set_rename_ex, smb_set_link, smb_set_link_ex, smb_set_security, smb_set_eas;
