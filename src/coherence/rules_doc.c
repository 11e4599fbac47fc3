/* rules_doc.c - prints docs/coherence.md from the table in rules.c, by asking it: a program of the build, not of the
 * server. A test compares its output with the file. */
#include "engine.h"
#include <stdio.h>

static const struct {
    const char *name;
    enum co_lease_kind kind;
    uint8_t bits;
} states[] = {
    {"R", CO_LEASE, CO_R},
    {"RH", CO_LEASE, CO_R | CO_H},
    {"RW", CO_LEASE, CO_R | CO_W},
    {"RWH", CO_LEASE, CO_LEASE_ALL},
    {"level II", CO_OPLOCK, CO_R},
    {"exclusive", CO_OPLOCK, CO_R | CO_W},
    {"batch", CO_OPLOCK, CO_LEASE_ALL},
};

static const char *bits_name(enum co_lease_kind kind, uint8_t bits)
{
    static const char *const lease[] = {"NONE", "R", "H", "RH", "W", "RW", "WH", "RWH"};
    if (kind == CO_OPLOCK && bits)
        return bits & CO_H ? "batch" : bits & CO_W ? "exclusive" : "II";
    return lease[bits & CO_LEASE_ALL];
}

static void print_cell(const struct rule *r, enum co_lease_kind kind, uint8_t bits)
{
    uint8_t keep = rule_keep(r, kind, bits);
    if (keep == bits) {
        printf(" –");
        return;
    }
    bool ack = rule_needs_ack(kind, bits);
    printf(" %s%s%s", bits_name(kind, keep), ack ? " A" : "", ack && bits & ~keep & r->wait ? " W" : "");
}

static void print_leases(void)
{
    printf("## Caching: what a holder is left with\n\n"
           "The cell says to what a lease or oplock of somebody else is broken. **A**: the holder must acknowledge;\n"
           "otherwise the right is gone as the notification is made. **W**: the operation waits for that. –: untouched.\n"
           "A lease's own key is exempt (a level II oplock is lost even to its own open's write). A directory's lease\n"
           "knows R and RH; entry changes spare the lease whose key is the operation's parent key.\n\n|");
    printf(" operation |");
    for (size_t s = 0; s < ARRAY_LEN(states); s++)
        printf(" %s |", states[s].name);
    printf("\n|---|");
    for (size_t s = 0; s < ARRAY_LEN(states); s++)
        printf("---|");
    printf("\n");
    for (size_t i = 0; i < RULE_MAX; i++) {
        printf("| %s |", co_rules[i].name);
        for (size_t s = 0; s < ARRAY_LEN(states); s++) {
            print_cell(&co_rules[i], states[s].kind, states[s].bits);
            printf(" |");
        }
        printf("\n");
    }
    printf("\nOnce a break goes on in further steps (RWH, RH, R, NONE), whoever needs its end waits for its end, and an\n"
           "open waits for it in any case. The row *(share conflict)* is what an open's share mode does first to the\n"
           "holder that it conflicts with; *remove* and *rename* by nobody's open follow `delete_break`.\n\n"
           "A client that lets a break time out loses the right, and is granted neither W nor H for ten minutes.\n\n");
}

static const char *access_name(uint8_t access)
{
    static const char *const names[] = {"–", "read", "write", "read, write", "delete"};
    return access < ARRAY_LEN(names) ? names[access] : "all";
}

static const char *range_name(const struct rule *r)
{
    switch (r->range) {
    case RULE_READS: return "exclusive ranges of others: waits `io_lock_park`, then refused";
    case RULE_WRITES:
        return r->deny_at_once ? "any range of others: refused"
                               : "any range of others: waits `io_lock_park`, then refused";
    case RULE_LOCKS: return "conflicting ranges: refused, or queued";
    default: return "–";
    }
}

static void print_hard(void)
{
    printf("## Share modes, byte ranges, delete-pending: what may refuse\n\n"
           "Decided only when the caches in the way are gone. An open has the access and deny bits it asks for.\n\n"
           "| operation | counts as access | byte ranges | delete-pending link |\n|---|---|---|---|\n");
    for (size_t i = 0; i < RULE_MAX; i++) {
        const struct rule *r = &co_rules[i];
        if (i != RULE_SHARE_VIOLATION)
            printf("| %s | %s | %s | %s |\n", r->name,
                   i == RULE_OPEN ? "as asked" : i == RULE_OPEN_OVERWRITE ? "as asked, write" : access_name(r->access),
                   range_name(r), r->pending_denies ? "refused" : "–");
    }
}

/* Two ranges [10, 19] held and asked for, in every combination. */
static const char *lock_cell(enum co_flavour flavour, bool same, bool new_ex, bool old_ex)
{
    struct co_party a = {.flavour = flavour, .client = 1, .open = 1}, b = {.client = same ? 1 : 2, .open = 1};
    struct co_ask ask = {.op = CO_LOCK, .flags = new_ex ? CO_EXCLUSIVE : 0, .first = 10, .last = 19};
    b.flavour = flavour;
    if (rule_lock(&a, &ask, &b, 10, 19, false, old_ex))
        return "conflict";
    return flavour == CO_POSIX && same ? "replaces" : "ok";
}

static void print_ranges(void)
{
    printf("\n## Byte ranges against each other\n\n| held | asked | another owner | same POSIX owner | same Windows open |\n"
           "|---|---|---|---|---|\n");
    for (int i = 0; i < 4; i++) {
        bool old_ex = i & 2, new_ex = i & 1;
        printf("| %s | %s | %s | %s | %s |\n", old_ex ? "exclusive" : "shared", new_ex ? "exclusive" : "shared",
               lock_cell(CO_WINDOWS, false, new_ex, old_ex), lock_cell(CO_POSIX, true, new_ex, old_ex),
               lock_cell(CO_WINDOWS, true, new_ex, old_ex));
    }
    printf("\nA zero-length Windows range conflicts only with a range that spans its offset strictly.\n"
           "Under its own ranges a Windows open reads always, and writes only where they are exclusive; POSIX ranges\n"
           "never bind their owner. Stateless I/O is bound by Windows ranges only (`smb_brl_vs_nfs`), and Windows I/O\n"
           "by POSIX ranges unless `nlm_enforce_on_smb = no`.\n");
}

int main(void)
{
    printf("<!-- Printed from src/coherence/rules.c by rules-doc. Do not edit. -->\n"
           "# What conflicts with what\n\n"
           "The engine decides every conflict by one table, whoever asks: no rule knows a protocol. An operation first\n"
           "meets delete-pending links and share modes, then caching rights, then byte ranges.\n\n");
    print_leases();
    print_hard();
    print_ranges();
    return 0;
}
