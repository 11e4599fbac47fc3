/* meet.c - makes a client of one protocol meet what a client of the other holds, for test_conflicts.sh:
 *
 *     meet NFS:PORT SMB:PORT /SHARE USER MEETING FILE       the password is in CONCORD_TEST_PASSWORD
 *
 * Says "waiting" when somebody waits, then goes on when it gets a line; says "answered" and how when it is over. */
#include "tools/torture/nlm.h"
#include "tools/torture/smb.h"
#include <stdio.h>

static struct wire wire;
static struct target target;
static struct host smb_host, nfs_host;
static struct smb smb;
static struct nfs nfs;
static struct nlm nlm;
static struct nfs_fh fh;
static const char *name;
static const uint8_t key[16] = "the lease's key";

static uint32_t must(uint32_t status, const char *what)
{
    if (status)
        torture_fail("%s: status 0x%X", what, status);
    return status;
}

static struct smb_file hold(uint32_t lease, uint32_t share)
{
    struct call_result r;
    struct smb_how how = {.name = name, .access = ACCESS_ALL, .share = share, .disposition = FILE_OPEN,
                          .oplock = lease ? OPLOCK_LEASE : OPLOCK_NONE, .lease = lease, .key = key, .v2 = true};
    must(call_result(smb_create(&smb, &how), &r), "CREATE");
    if (r.lease != lease)
        torture_fail("lease %u instead of %u", r.lease, lease);
    return r.file;
}

static struct call *write_nfs(void) { return nfs_write(&nfs, &fh, 0, "new", 3, FILE_SYNC); }
static struct nlm_lock lock_of(bool block)
{
    return (struct nlm_lock){.fh = fh, .svid = 42, .exclusive = true, .block = block, .len = 10};
}

static void waiting(const struct call *c)
{
    char line[16];
    wire_idle(&wire, 100);
    if (c->done)
        torture_fail("%s does not wait: status 0x%X", c->what, c->status);
    puts("waiting");
    if (!fgets(line, sizeof line, stdin))
        torture_fail("nobody says to go on");
}

static void answered(struct call *c) { printf("answered 0x%X\n", call_end(c)); }

/* --- Meetings. */

static void lease_acknowledged(void)
{
    hold(LEASE_RWH, SHARE_ALL);
    struct call *c = write_nfs();
    waiting(c);
    must(call_end(smb_ack_lease(&smb, key, 0)), "acknowledgement");
    answered(c);
}

/* Nothing is done about it here: revoked at its time, or by the administrator. */
static void lease_kept(void)
{
    hold(LEASE_RWH, SHARE_ALL);
    struct call *c = write_nfs();
    waiting(c);
    answered(c);
}

static void lease_kept_jukebox(void)
{
    uint32_t status;
    hold(LEASE_RWH, SHARE_ALL);
    if ((status = call_end(write_nfs())) != NFS3ERR_JUKEBOX)
        torture_fail("no JUKEBOX but %u", status);
    while (status == NFS3ERR_JUKEBOX)
        status = call_end(write_nfs());
    printf("answered 0x%X\n", status);
}

static void nlm_behind_smb(void)
{
    struct smb_file f = hold(0, SHARE_ALL);
    must(call_end(smb_lock(&smb, &f, 0, 10, LOCK_EXCLUSIVE | LOCK_FAIL_IMMEDIATELY)), "LOCK");
    struct nlm_lock l = lock_of(true);
    struct call *c = nlm_lock(&nlm, &l);
    waiting(c);
    must(call_end(smb_lock(&smb, &f, 0, 10, LOCK_UNLOCK)), "UNLOCK");
    answered(c);
}

static struct call *smb_lock_behind_nlm(void)
{
    struct smb_file f = hold(0, SHARE_ALL);
    struct nlm_lock l = lock_of(false);
    must(call_end(nlm_lock(&nlm, &l)), "NLM LOCK");
    struct call *c = smb_lock(&smb, &f, 0, 10, LOCK_EXCLUSIVE);
    waiting(c);
    return c;
}
static void smb_behind_nlm(void)
{
    struct call *c = smb_lock_behind_nlm();
    struct nlm_lock l = lock_of(false);
    must(call_end(nlm_unlock(&nlm, &l)), "NLM UNLOCK");
    answered(c);
}
static void smb_gives_up(void)
{
    struct call *c = smb_lock_behind_nlm();
    smb_cancel(&smb, c);
    answered(c);
}

static void smb_write_to_lock(void)
{
    struct smb_file f = hold(0, SHARE_ALL);
    struct nlm_lock l = lock_of(false);
    must(call_end(nlm_lock(&nlm, &l)), "NLM LOCK");
    answered(smb_write(&smb, &f, 0, "new", 3));
}

static void nfs_write_to_share(void)
{
    hold(0, SHARE_READ);
    answered(write_nfs());
}

static void nfs_link_to_deleted(void)
{
    struct smb_file f = hold(0, SHARE_ALL);
    must(call_end(smb_set_delete(&smb, &f, true)), "SET_INFO");
    answered(nfs_link(&nfs, &fh, &nfs.root, "another-name"));
}

/* --- Limits: lock.max_locks = 10, lock.max_waits = 3, nfs.max_lock_hosts = 4, one of
 * which is ours already. */

static uint32_t nlm_once(struct nlm *n, uint32_t svid, uint64_t offset, bool block)
{
    struct nlm_lock l = {.fh = fh, .svid = svid, .exclusive = true, .block = block, .offset = offset, .len = 5};
    return call_end(nlm_lock(n, &l));
}

static void too_many_locks(void)
{
    for (uint32_t i = 0; i < 10; i++)
        must(nlm_once(&nlm, i, 10 * i, false), "NLM LOCK");
    printf("answered 0x%X", nlm_once(&nlm, 99, 200, false));
    struct nlm_lock l = {.fh = fh, .svid = 0, .exclusive = true, .offset = 2, .len = 1};
    printf(" 0x%X", call_end(nlm_unlock(&nlm, &l))); /* in the middle: it would be one more */
    l.offset = 0, l.len = 5;
    must(call_end(nlm_unlock(&nlm, &l)), "NLM UNLOCK");
    printf(" 0x%X\n", nlm_once(&nlm, 99, 200, false));
}

static void too_many_smb_locks(void)
{
    struct smb_file f = hold(0, SHARE_ALL);
    for (uint32_t i = 0; i < 10; i++)
        must(call_end(smb_lock(&smb, &f, 10 * i, 5, LOCK_EXCLUSIVE | LOCK_FAIL_IMMEDIATELY)), "LOCK");
    answered(smb_lock(&smb, &f, 200, 5, LOCK_EXCLUSIVE | LOCK_FAIL_IMMEDIATELY));
}

static void too_many_waits(void)
{
    struct smb_file f = hold(0, SHARE_ALL);
    must(call_end(smb_lock(&smb, &f, 0, 5, LOCK_EXCLUSIVE | LOCK_FAIL_IMMEDIATELY)), "LOCK");
    for (uint32_t i = 0; i < 3; i++)
        if (nlm_once(&nlm, i, 0, true) != NLM4_BLOCKED)
            torture_fail("an NLM LOCK does not wait");
    printf("answered 0x%X\n", nlm_once(&nlm, 99, 0, true));
}

static void too_many_hosts(void)
{
    static struct nlm many[4];
    static struct host hosts[4];
    for (uint32_t i = 0; i < 4; i++) {
        const char *wrong;
        uint32_t status;
        hosts[i] = nfs_host;
        snprintf(hosts[i].name, sizeof hosts[i].name, "host-%u", i);
        if ((wrong = nlm_open(&many[i], &hosts[i], false)) != NULL)
            torture_fail("%s", wrong);
        if ((status = nlm_once(&many[i], 1, 10 * i, false)) != 0 || i == 3)
            printf(i == 3 ? "answered 0x%X\n" : "too early: 0x%X\n", status);
    }
    for (uint32_t i = 0; i < 4; i++) {
        call_end(nlm_free_all(&many[i], 1));
        nlm_close(&many[i]);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} meetings[] = {
    {"lease-acknowledged", lease_acknowledged},
    {"lease-kept", lease_kept},
    {"lease-kept-jukebox", lease_kept_jukebox},
    {"nlm-behind-smb", nlm_behind_smb},
    {"smb-behind-nlm", smb_behind_nlm},
    {"smb-gives-up", smb_gives_up},
    {"smb-write-to-lock", smb_write_to_lock},
    {"nfs-write-to-share", nfs_write_to_share},
    {"nfs-link-to-deleted", nfs_link_to_deleted},
    {"too-many-locks", too_many_locks},
    {"too-many-smb-locks", too_many_smb_locks},
    {"too-many-waits", too_many_waits},
    {"too-many-hosts", too_many_hosts},
};

static void ready(const char *wrong)
{
    if (wrong)
        torture_fail("%s", wrong);
}

int main(int argc, char **argv)
{
    struct call_result r;
    if (argc != 7)
        return fputs("usage: meet NFS:PORT SMB:PORT /SHARE USER MEETING FILE\n", stderr), 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    name = argv[6];
    ready(target_local(&target, argv[1], argv[2], argv[3], argv[4], getenv("CONCORD_TEST_PASSWORD"), 150));
    wire_init(&wire);
    host_init(&smb_host, &wire, &target);
    host_init(&nfs_host, &wire, &target);
    ready(smb_open(&smb, &smb_host));
    ready(nfs_open(&nfs, &nfs_host));
    ready(nlm_open(&nlm, &nfs_host, false));
    must(call_result(nfs_create(&nfs, &nfs.root, name, UNCHECKED, NFS_NO_SIZE, 0), &r), "CREATE over NFS");
    fh = r.fh;
    for (size_t i = 0; i < ARRAY_LEN(meetings); i++)
        if (!strcmp(meetings[i].name, argv[5])) {
            meetings[i].run();
            call_end(nlm_free_all(&nlm, 1));
            nlm_close(&nlm);
            nfs_close(&nfs);
            smb_close(&smb);
            wire_done(&wire);
            return 0;
        }
    return fprintf(stderr, "meet: no meeting %s\n", argv[5]), 2;
}
