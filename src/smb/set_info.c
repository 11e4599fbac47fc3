/* set_info.c - SMB2 SET_INFO ([MS-SMB2] 2.2.39, 2.2.40, 3.3.5.21): finds the class in its table, checks rights and
 * lengths. Knows no class. */
#include "info.h"

static uint32_t set_decode(struct smb_req *r, struct smb_set *s)
{
    struct cursor *c = &r->in;
    cursor_skip(c, 2); /* StructureSize */
    s->type = cursor_u8(c);
    s->class_ = cursor_u8(c);
    uint32_t n = cursor_le32(c);
    uint16_t offset = cursor_le16(c);
    cursor_skip(c, 2);
    s->additional = cursor_le32(c);
    uint32_t status = smb_any_open(r, &s->open);
    if (status != STATUS_SUCCESS)
        return status;
    s->in = cursor_slice(c, n ? offset : 0, n);
    if (c->bad || s->in.bad || n > r->conn->srv->cfg.max_transact)
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

static const struct smb_set_class *set_class(const struct smb_set *s)
{
    static const struct smb_set_class security = {0, 0, 0, smb_set_security};
    const struct smb_set_class *table = smb_set_file_classes;
    size_t n = smb_set_file_nclasses;
    if (s->type == SMB2_0_INFO_SECURITY)
        return &security;
    if (s->type == SMB2_0_INFO_FILESYSTEM) {
        table = smb_set_fs_classes;
        n = smb_set_fs_nclasses;
    }
    for (size_t i = 0; i < n; i++)
        if (table[i].class_ == s->class_)
            return &table[i];
    return NULL;
}

static uint32_t set_run(struct smb_req *r, struct smb_set *s, const struct smb_set_class *k)
{
    if (cursor_left(&s->in) < k->min)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (k->access && !(s->open->fso->access & k->access))
        return STATUS_ACCESS_DENIED;
    uint32_t status = k->set(r, s);
    return status == STATUS_SUCCESS && s->in.bad ? STATUS_INVALID_PARAMETER : status;
}

uint32_t smb_set_info(struct smb_req *r)
{
    struct smb_set s = {0};
    uint32_t status = set_decode(r, &s);
    if (status != STATUS_SUCCESS)
        return status;
    if (s.type < SMB2_0_INFO_FILE || s.type > SMB2_0_INFO_QUOTA)
        return STATUS_INVALID_PARAMETER;
    if (s.type == SMB2_0_INFO_QUOTA)
        return STATUS_NOT_SUPPORTED;
    /* [MS-SMB2] 3.3.5.21.1: FilePipeInformation is the only one pipes have; its modes change nothing. */
    if (!s.open->fso)
        status = s.type == SMB2_0_INFO_FILE && s.class_ == 23 ? STATUS_SUCCESS : STATUS_NOT_SUPPORTED;
    else {
        const struct smb_set_class *k = set_class(&s);
        status = k ? set_run(r, &s, k) : STATUS_INVALID_INFO_CLASS;
    }
    if (status == STATUS_SUCCESS)
        wbuf_le16(&r->out, 2);
    return status;
}
