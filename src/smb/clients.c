/* clients.c - who is connected: what the administrator is shown of each connection. Looked at on the connections' own
 * loops, one after the other. */
#include "internal.h"

static const char *const signings[SMB2_SIGNING_MAX] = {"HMAC-SHA256", "AES-CMAC", "AES-GMAC"};
static const struct {
    uint16_t cipher;
    const char *name;
} ciphers[] = {{SMB2_ENCRYPTION_AES128_CCM, "AES-128-CCM"},
               {SMB2_ENCRYPTION_AES128_GCM, "AES-128-GCM"},
               {SMB2_ENCRYPTION_AES256_CCM, "AES-256-CCM"},
               {SMB2_ENCRYPTION_AES256_GCM, "AES-256-GCM"}};

static const char *cipher_name(uint16_t cipher)
{
    for (size_t i = 0; i < ARRAY_LEN(ciphers); i++)
        if (ciphers[i].cipher == cipher)
            return ciphers[i].name;
    return "";
}

struct walk {
    struct smb_server *srv;
    const struct smb_home *home;
    void (*fn)(void *arg, const struct smb_client_info *c);
    void *arg;
};

/* A session that is bound to several connections counts with its first. Under the session's lock. */
static bool counts_here(const struct smb_channel *ch)
{
    return list_first(&ch->session->channels, struct smb_channel, in_session) == ch;
}

static void look_at_session(const struct smb_channel *ch, struct smb_client_info *info)
{
    struct smb_session *s = ch->session;
    pthread_mutex_lock(&s->lock);
    bool encrypts = s->encrypt;
    struct smb_tree *t;
    list_each(t, &s->trees, in_session)
        encrypts |= t->encrypt;
    info->sessions += counts_here(ch);
    if (!info->user[0]) {
        const char *user = s->anonymous ? "anonymous" : s->guest ? "guest" : s->cred.name;
        memccpy(info->user, user, 0, sizeof info->user - 1);
        info->machine = s->machine;
    }
    pthread_mutex_unlock(&s->lock);
    if (encrypts)
        info->encryption = cipher_name(s->cipher);
    if (s->signing_required)
        info->signing = signings[MIN(ch->conn->signing_alg, SMB2_SIGNING_MAX - 1)];
}

static void look_at_conn(const struct smb_conn *c, const struct walk *w)
{
    struct smb_client_info info = {.address = c->net->peer_name, .machine = "",
                                   .dialect = c->dialect, .since = c->since, .signing = "", .encryption = ""};
    struct smb_channel *ch;
    memcpy(info.guid, c->client_guid, sizeof info.guid);
    smb_list_each(ch, &c->sessions, in_conn)
        if (atomic_load(&ch->session->state) == SMB_SESSION_VALID)
            look_at_session(ch, &info);
    w->fn(w->arg, &info);
}

static void look(void *arg)
{
    const struct walk *w = arg;
    const struct smb_conn *c;
    pthread_rwlock_rdlock(&w->srv->lock);
    list_each(c, &w->srv->conns, in_server)
        if (c->home == w->home && !c->net->is_closed)
            look_at_conn(c, w);
    pthread_rwlock_unlock(&w->srv->lock);
}

void smb_clients_each(struct smb_server *srv, void (*fn)(void *arg, const struct smb_client_info *c), void *arg)
{
    for (size_t i = 0; i < srv->nhomes; i++) {
        struct walk w = {.srv = srv, .home = &srv->homes[i], .fn = fn, .arg = arg};
        loop_call(srv->homes[i].loop, look, &w);
    }
}
