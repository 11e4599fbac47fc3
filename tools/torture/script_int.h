/* script_int.h - between script.c, which runs the steps of a script, and verbs_*.c, which do them. */
#pragma once
#include "script.h"
#include "ops.h"

enum { WORDS = 10, SLOTS = 26, SHORTLY = 150 };

struct slot {
    struct call *call;
    struct call *(*again)(struct stage *g); /* of a "persist" */
    struct call_result *keep;               /* where what it carried goes, or NULL */
    struct smb_file *file;                  /* where the open that it made goes, or NULL */
};
struct script {
    struct stage *g;
    char *word[WORDS];
    int n;
    struct slot here;              /* of the step under way: its verb may set keep and file */
    struct slot slot[SLOTS];
    const struct smb_break *last[SIDES];
    struct call_result got[SIDES]; /* the last CREATE's, or CHANGE_NOTIFY's */
    struct call_result told[SIDES]; /* the last NLM TEST's */
    struct smb_how how[SIDES];     /* of the last CREATE with durability: what it comes back with */
    char path[SIDES][64];          /* its name */
    struct smb_file dir[SIDES];    /* of "watch" */
    bool oplock[SIDES];            /* what the client holds is one */
};

/* The words of a step. */
const char *word(const struct script *s, int i);
uint64_t number(const struct script *s, int i);
unsigned ms_of(const struct script *s, int i, unsigned otherwise);
uint32_t bits_of(const char *text, const char *letters, const uint32_t *bits);
bool has_word(const struct script *s, int from, const char *name); /* among the further ones */
static inline int side(const struct script *s) { return word(s, 1)[0] - '0'; }

struct verb {
    const char *name;
    struct call *(*send)(struct script *s); /* sends a request and gives it back; or */
    void (*act)(struct script *s);          /* does it, and waits itself */
};
/* Each ends with a row without name. */
extern const struct verb verbs_smb[], verbs_nfs[], verbs_see[];
