/* script.c - see script.h: runs the steps of a cell that is written as text. Knows the verbs; what they do is in the
 * clients and in stage.h. */
#include "script_int.h"
#include <stdio.h>

enum { STEP_MAX = 160 };

const char *word(const struct script *s, int i)
{
    if (i >= s->n)
        torture_fail("script: \"%s\" lacks a word", s->word[0]);
    return s->word[i];
}
uint64_t number(const struct script *s, int i) { return strtoull(word(s, i), NULL, 0); }
unsigned ms_of(const struct script *s, int i, unsigned otherwise)
{
    if (i >= s->n)
        return otherwise;
    if (!strcmp(s->word[i], "half"))
        return s->g->break_timeout / 2;
    if (!strcmp(s->word[i], "timeout"))
        return s->g->break_timeout + s->g->prompt;
    return (unsigned)number(s, i);
}
uint32_t bits_of(const char *text, const char *letters, const uint32_t *bits)
{
    uint32_t all = 0;
    for (; *text && *text != '-'; text++) {
        const char *at = strchr(letters, *text);
        if (!at)
            torture_fail("script: no such letter: %c", *text);
        all |= bits[at - letters];
    }
    return all;
}

bool has_word(const struct script *s, int from, const char *name)
{
    for (int i = from; i < s->n; i++)
        if (!strcmp(s->word[i], name))
            return true;
    return false;
}

static const struct verb *verb_of(const char *name)
{
    const struct verb *const all[] = {verbs_smb, verbs_nfs, verbs_see};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        for (const struct verb *v = all[i]; v->name; v++)
            if (!strcmp(v->name, name))
                return v;
    torture_fail("script: no such verb: %s", name);
}

/* --- Steps. */

/* The name in "A|B" that is how c ended; the first if none is. */
static const char *choose(const struct call *c, char *names)
{
    const char *first = names, *chosen = NULL;
    for (char *next; names; names = next) {
        if ((next = strchr(names, '|')) != NULL)
            *next++ = '\0';
        if (c->done && strcmp(names, "any") != 0 && status_of(names) == c->status)
            chosen = names;
    }
    return chosen ? chosen : first;
}

/* What every client would ask again by itself. */
static bool asks_again(const struct call *c)
{
    return c->done && c->status == (c->nlm ? (uint32_t)NLM4_DENIED_GRACE_PERIOD : (uint32_t)NFS3ERR_JUKEBOX);
}

static void finish(struct script *s, struct slot *slot, char *status, unsigned ms)
{
    uint64_t deadline = wire_now() + (uint64_t)ms * 1000000;
    bool passing = s->g->verdict == PASS;
    struct call *c = slot->call;
    call_wait(c, passing ? ms : 1);
    while (slot->again && passing && asks_again(c) && wire_now() < deadline) {
        stage_saw(s->g, "%s: come again", c->what);
        call_free(c);
        wire_idle(s->g->wire, SHORTLY);
        c = slot->again(s->g);
        call_wait(c, (unsigned)((deadline - MIN(deadline, wire_now())) / 1000000));
    }
    if (slot->keep && c->done)
        *slot->keep = c->r;
    if (slot->file && c->done && c->status == STATUS_OK)
        *slot->file = c->r.file;
    expect_status(s->g, c, choose(c, status), 1);
    *slot = (struct slot){0};
}

static void split(struct script *s, char *text)
{
    char *save = NULL;
    s->n = 0;
    for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        if (s->n == WORDS)
            torture_fail("script: a step of too many words: %s ...", s->word[0]);
        s->word[s->n++] = w;
    }
}

static void step_of_slot(struct script *s)
{
    struct slot *slot = &s->slot[s->word[0][0] - 'a'];
    const char *what = word(s, 1);
    if (!slot->call)
        torture_fail("script: nothing is under way there");
    if (!strcmp(what, "waits")) {
        expect_waiting(s->g, slot->call, ms_of(s, 2, SHORTLY));
    } else if (!strcmp(what, "pends")) {
        expect_pending(s->g, slot->call, ms_of(s, 2, 1000));
    } else if (!strcmp(what, "again") || !strcmp(what, "elsewhere")) {
        struct nfs *n = stage_nfs(s->g, 1);
        if (what[0] == 'e')
            nfs_reconnect(n);
        slot->call = rpc_again(&n->rpc, slot->call);
    } else {
        finish(s, slot, s->word[2], ms_of(s, 3, s->g->prompt));
    }
}

static void step_of_verb(struct script *s)
{
    static char fine[] = "ok";
    const struct verb *v = verb_of(s->word[0]);
    char *last = s->word[s->n - 1], *how = s->n > 2 ? s->word[s->n - 2] : fine;
    bool named = !strcmp(how, "=") || !strcmp(how, ">");
    s->n -= named ? 2 : 0;
    s->here = (struct slot){0};
    if (v->act) {
        v->act(s);
        return;
    }
    if (!(s->here.call = v->send(s))) {
        stage_fail(s->g, "%s could not be sent", s->word[0]);
        return;
    }
    if (named && how[0] == '>') {
        struct slot *slot = &s->slot[last[0] - 'a'];
        if (last[1] || last[0] < 'a' || last[0] > 'z' || slot->call)
            torture_fail("script: > %s: one free letter is needed", last);
        *slot = s->here;
        return;
    }
    char ok[] = "ok";
    finish(s, &s->here, named ? last : ok, s->here.again ? s->g->break_timeout + s->g->prompt : s->g->prompt);
}

void script_run(struct stage *g, const char *text)
{
    struct script s = {.g = g};
    char step[STEP_MAX];
    while (*text && g->verdict == PASS) {
        size_t n = strcspn(text, ";");
        if (n >= sizeof step)
            torture_fail("script: a step is too long: %.40s", text);
        memcpy(step, text, n);
        step[n] = '\0';
        text += n + (text[n] == ';');
        split(&s, step);
        if (s.n == 0)
            continue;
        if (!s.word[0][1])
            step_of_slot(&s);
        else
            step_of_verb(&s);
    }
    for (size_t i = 0; i < SLOTS; i++)
        if (s.slot[i].call)
            call_free(s.slot[i].call);
}

/* --- Tables. */

static void run_matrix(struct stage *g, const struct cell *c)
{
    const struct matrix *m = c->row;
    size_t across = m->columns ? m->ncolumns : 1;
    const struct matrix_row *r = &m->rows[c->column / across];
    const char *status = r->status[c->column % across];
    char text[1600];
    int n = snprintf(text, sizeof text, "%s;%s%s%s", m->columns ? m->columns[c->column % across].setup : "", r->text,
                     status && !strchr("=>+", status[0]) ? " = " : " ", status ? status + (status[0] == '+') : "");
    if (n >= (int)sizeof text)
        torture_fail("%s: the script is too long", c->id);
    script_run(g, text);
}

void matrix_cells(struct cell_list *l, const struct matrix *m)
{
    size_t across = m->columns ? m->ncolumns : 1;
    for (size_t i = 0; i < m->nrows * across; i++) {
        const struct matrix_row *r = &m->rows[i / across];
        const char *status = r->status[i % across];
        if (m->columns && !status)
            continue;
        struct cell *c = cell_add(l, run_matrix, "%s/%s%s%s%s%s", m->section, r->name, m->columns ? "/" : "",
                                  m->columns ? m->columns[i % across].name : "", r->policy ? "/" : "",
                                  r->policy ? r->policy : "");
        c->policy = r->policy;
        c->row = m;
        c->column = (unsigned)i;
        c->quick = i / across < m->nquick && !r->policy;
        snprintf(c->expected, sizeof c->expected, "%s", status && status[0] != '>' ? status : r->text);
    }
}
