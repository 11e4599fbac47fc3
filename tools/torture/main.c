/* main.c - concord-torture: plays the cells against a pair of endpoints, and says of each what was expected and what
 * was seen. TAP or JSON; exit status 0: nothing failed, 1: something did, 2: it could not be run. */
#include "cells.h"
#include "pcap.h"
#include "players.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

static const char help[] =
    "usage: concord-torture --nfs HOST[:PORT] --smb HOST[:PORT] --share NAME --user NAME [OPTION...]\n"
    "Plays NFSv3, NLM and SMB clients that share files, and tells where the server lets one of them down.\n\n"
    "  --nfs HOST[:PORT]     NFS server; without a port its port mapper is asked (MOUNT, NLM, NSM too)\n"
    "  --one-port            MOUNT, NLM and NSM are on the NFS port\n"
    "  --export PATH         what is mounted (default: / and the share's name)\n"
    "  --smb HOST[:PORT]     SMB server (port 445)\n"
    "  --share NAME          its share of the same directory\n"
    "  --user NAME           who logs on; the password comes from --password or CONCORD_TORTURE_PASSWORD\n"
    "  --password TEXT\n"
    "  --dialect 2.0.2|2.1|3.1.1   of SMB (3.1.1)\n"
    "  --uid N, --gid N      of the NFS client (ours)\n"
    "  --sources ADDRESS     the first simulated host's address (127.0.0.10 for a server on 127.0.0.1); each further "
    "host\n"
    "                        has the next one. \"one\": all share the machine's\n"
    "  --break-timeout S     the server's break timeout in seconds (35)\n"
    "  --prompt S            how soon what need not wait must have come, in seconds (3)\n"
    "  --restart COMMAND     kills the server, starts it again, and returns when it serves: for the cells that need "
    "it\n"
    "  --policy NAME=VALUE   how the server is set: plays the cells about that setting instead of the defaults'\n"
    "  --cell PATTERN        only cells whose name matches (* and ?); may be repeated\n"
    "  --history S           instead: clients of both protocols at random for S seconds; what they saw is checked\n"
    "  --clients N, --seed N of the history (20, by the clock)\n"
    "  --kills N             in it the server is killed and started again N times, by --restart\n"
    "  --quick               only a selection\n"
    "  --list                names them, with what is expected, and ends\n"
    "  --policies            names what --policy knows, and ends\n"
    "  --json                one object a line instead of TAP\n"
    "  --pcap FILE           writes everything sent and received to a capture file\n";

enum { PATTERNS = 32 };
static struct {
    struct target target;
    const char *nfs, *smb, *policy, *pcap, *sources, *pattern[PATTERNS];
    size_t npatterns;
    unsigned break_timeout, prompt;
    struct play play;
    bool one_port, quick, list, policies, json;
} options = {.break_timeout = 35000, .prompt = 3000, .play.clients = 20, .target = {.dialect = 0x311, .domain = ""}};

struct cell *cell_add(struct cell_list *l, void (*run)(struct stage *g, const struct cell *c), const char *id_format,
                      ...)
{
    va_list ap;
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 256;
        if (!(l->cell = realloc(l->cell, l->cap * sizeof *l->cell)))
            torture_fail("out of memory");
    }
    struct cell *c = &l->cell[l->n++];
    *c = (struct cell){.run = run};
    va_start(ap, id_format);
    vsnprintf(c->id, sizeof c->id, id_format, ap);
    va_end(ap);
    return c;
}

static bool selected(const struct cell *c)
{
    bool named = options.npatterns == 0;
    for (size_t i = 0; i < options.npatterns; i++)
        named |= fnmatch(options.pattern[i], c->id, 0) == 0;
    bool policy = options.policy ? c->policy && !strcmp(c->policy, options.policy) : !c->policy;
    return named && (!options.quick || c->quick) && (options.list ? !options.policy || policy : policy);
}

/* --- Options. */

static uint16_t dialect_of(const char *name)
{
    static const struct {
        const char *name;
        uint16_t dialect;
    } names[] = {{"2.0.2", 0x202}, {"2.1", 0x210}, {"3.1.1", 0x311}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(names[i].name, name))
            return names[i].dialect;
    torture_fail("--dialect: 2.0.2, 2.1 or 3.1.1");
}

static void take(int option, const char *value)
{
    struct target *t = &options.target;
    switch (option) {
    case 'n': options.nfs = value; break;
    case 'o': options.one_port = true; break;
    case 'e': t->export_path = value; break;
    case 's': options.smb = value; break;
    case 'S': t->share = value; break;
    case 'u': t->user = value; break;
    case 'p': t->password = value; break;
    case 'd': t->dialect = dialect_of(value); break;
    case 'U': t->uid = (uint32_t)atoi(value); break;
    case 'G': t->gid = (uint32_t)atoi(value); break;
    case 'a': options.sources = value; break;
    case 'b': options.break_timeout = (unsigned)(atof(value) * 1000); break;
    case 'P': options.policy = value; break;
    case 'W': options.prompt = (unsigned)(atof(value) * 1000); break;
    case 'X': t->restart = value; break;
    case 'c':
        if (options.npatterns == PATTERNS)
            torture_fail("--cell: %d patterns at most", PATTERNS);
        options.pattern[options.npatterns++] = value;
        break;
    case 'H': options.play.seconds = (unsigned)atoi(value); break;
    case 'C': options.play.clients = (unsigned)atoi(value); break;
    case 'K': options.play.kills = (unsigned)atoi(value); break;
    case 'R': options.play.seed = strtoull(value, NULL, 10); break;
    case 'q': options.quick = true; break;
    case 'l': options.list = true; break;
    case 'L': options.policies = true; break;
    case 'j': options.json = true; break;
    case 'w': options.pcap = value; break;
    case 'h': fputs(help, stdout); exit(0);
    default: fputs(help, stderr); exit(2);
    }
}

static void parse(int argc, char **argv)
{
    static const struct option longs[] = {
        {"nfs", 1, NULL, 'n'}, {"one-port", 0, NULL, 'o'}, {"export", 1, NULL, 'e'}, {"smb", 1, NULL, 's'},
        {"share", 1, NULL, 'S'}, {"user", 1, NULL, 'u'}, {"password", 1, NULL, 'p'}, {"dialect", 1, NULL, 'd'},
        {"uid", 1, NULL, 'U'}, {"gid", 1, NULL, 'G'}, {"sources", 1, NULL, 'a'}, {"break-timeout", 1, NULL, 'b'},
        {"policy", 1, NULL, 'P'}, {"restart", 1, NULL, 'X'}, {"prompt", 1, NULL, 'W'},
        {"cell", 1, NULL, 'c'}, {"quick", 0, NULL, 'q'}, {"history", 1, NULL, 'H'}, {"kills", 1, NULL, 'K'},
        {"clients", 1, NULL, 'C'}, {"seed", 1, NULL, 'R'}, {"list", 0, NULL, 'l'}, {"policies", 0, NULL, 'L'},
        {"json", 0, NULL, 'j'}, {"pcap", 1, NULL, 'w'}, {"help", 0, NULL, 'h'}, {0}};
    options.target.uid = getuid();
    options.target.gid = getgid();
    options.target.password = getenv("CONCORD_TORTURE_PASSWORD");
    for (int o; (o = getopt_long(argc, argv, "", longs, NULL)) != -1;)
        take(o, optarg);
    if (optind < argc)
        take('?', NULL);
}

static void find(struct wire *w, struct sockaddr_in *at, const struct sockaddr_in *nfs, uint32_t prog, uint32_t vers,
                 const char *name)
{
    *at = *nfs;
    uint16_t port = options.one_port ? ntohs(nfs->sin_port) : target_portmap(w, nfs, prog, vers);
    if (!port)
        torture_fail("the port mapper of %s knows no %s: is it running? Otherwise say --nfs HOST:PORT --one-port",
                     options.nfs, name);
    at->sin_port = htons(port);
}

static void aim(struct wire *w)
{
    static char export[256];
    struct target *t = &options.target;
    const char *wrong;
    if (!options.nfs || !options.smb || !t->share || !t->user || !t->password)
        torture_fail("--nfs, --smb, --share, --user and a password are needed; --help says more");
    if ((wrong = target_address(options.nfs, &t->nfs)) != NULL)
        torture_fail("--nfs: %s", wrong);
    if ((wrong = target_address(options.smb, &t->smb)) != NULL)
        torture_fail("--smb: %s", wrong);
    if (!t->smb.sin_port)
        t->smb.sin_port = htons(445);
    if (!t->export_path) {
        snprintf(export, sizeof export, "/%s", t->share);
        t->export_path = export;
    }
    bool local = ntohl(t->nfs.sin_addr.s_addr) >> 24 == 127;
    if (options.sources && strcmp(options.sources, "one") != 0) {
        if (!inet_aton(options.sources, &t->sources))
            torture_fail("--sources: not an address");
    } else if (local && !options.sources) {
        t->sources.s_addr = htonl(0x7f00000a);
    } else {
        t->one_source = true;
    }
    if (!t->nfs.sin_port)
        find(w, &t->nfs, &t->nfs, 100003, 3, "NFS version 3");
    find(w, &t->mount, &t->nfs, 100005, 3, "MOUNT version 3");
    find(w, &t->nlm, &t->nfs, 100021, 4, "NLM version 4");
    find(w, &t->nsm, &t->nfs, 100024, 1, "NSM version 1");
}

static bool first_of_its_policy(const struct cell_list *l, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (l->cell[i].policy && !strcmp(l->cell[i].policy, l->cell[at].policy))
            return false;
    return true;
}
static void name_cells(const struct cell_list *l)
{
    for (size_t i = 0; options.list && i < l->n; i++)
        if (selected(&l->cell[i]))
            printf("%-50s %s\n", l->cell[i].id, l->cell[i].expected);
    for (size_t i = 0; options.policies && i < l->n; i++)
        if (l->cell[i].policy && first_of_its_policy(l, i))
            puts(l->cell[i].policy);
}

/* --- Results. */

static void put_json(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

static void print(const struct cell *c, const struct stage *g, size_t number, double ms)
{
    static const char *const verdicts[] = {"pass", "fail", "unsupported"};
    if (options.json) {
        printf("{\"cell\": \"%s\", \"result\": \"%s\", \"ms\": %.1f, \"expected\": ", c->id, verdicts[g->verdict], ms);
        put_json(c->expected);
        printf(", \"observed\": ");
        put_json(g->seen);
        printf(", \"why\": ");
        put_json(g->why);
        printf("}\n");
    } else {
        printf("%s %zu - %s%s%s\n", g->verdict == FAIL ? "not ok" : "ok", number, c->id,
               g->verdict == UNSUPPORTED ? " # SKIP " : "", g->verdict == UNSUPPORTED ? g->why : "");
        printf("# expected: %s\n# observed: %s\n", c->expected, g->seen);
        if (g->verdict == FAIL)
            printf("# WRONG: %s\n", g->why);
    }
    fflush(stdout);
}

/* A server that did not survive the last cell is given another life. */
static void begin(struct stage *g, struct wire *w)
{
    stage_begin(g, w, &options.target, options.break_timeout, options.prompt);
    if (g->verdict == PASS || !options.target.restart)
        return;
    stage_end(g);
    if (system(options.target.restart) != 0)
        torture_fail("the command that restarts the server failed");
    stage_begin(g, w, &options.target, options.break_timeout, options.prompt);
    stage_saw(g, "the server was gone, and had to be restarted");
}

int main(int argc, char **argv)
{
    struct cell_list l = {0};
    struct wire w;
    struct stage g;
    size_t n = 0, count[3] = {0};
    parse(argc, argv);
    cells_cache(&l);
    cells_hard(&l);
    cells_ack(&l);
    cells_smb(&l);
    cells_wait(&l);
    cells_told(&l);
    cells_nlm(&l);
    cells_recovery(&l);
    cells_policy(&l);
    for (size_t i = 0; i < l.n; i++)
        n += selected(&l.cell[i]);
    if (options.list || options.policies) {
        name_cells(&l);
        return 0;
    }
    wire_init(&w);
    aim(&w);
    if (options.pcap && !(w.pcap = pcap_open(options.pcap)))
        torture_fail("%s: %s", options.pcap, strerror(errno));
    if (options.play.kills && !options.target.restart)
        torture_fail("--kills needs --restart");
    if (options.play.seconds) {
        options.play.seed = options.play.seed ? options.play.seed : wire_now();
        bool ok = players_run(&w, &options.target, &options.play);
        wire_done(&w);
        free(l.cell);
        return ok ? 0 : 1;
    }
    begin(&g, &w);
    if (g.verdict != PASS)
        torture_fail("no cell can be played: %s", g.why);
    stage_end(&g);
    if (!options.json)
        printf("TAP version 13\n1..%zu\n", n);
    for (size_t i = 0, number = 0; i < l.n; i++) {
        const struct cell *c = &l.cell[i];
        uint64_t start = wire_now();
        if (!selected(c))
            continue;
        begin(&g, &w);
        if (g.verdict == PASS)
            c->run(&g, c);
        stage_end(&g);
        count[g.verdict]++;
        print(c, &g, ++number, (double)(wire_now() - start) / 1e6);
    }
    fprintf(options.json ? stderr : stdout, "# %zu passed, %zu failed, %zu unsupported\n", count[PASS], count[FAIL],
            count[UNSUPPORTED]);
    wire_done(&w);
    free(l.cell);
    return count[FAIL] ? 1 : 0;
}
