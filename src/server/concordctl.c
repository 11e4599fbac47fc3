/* concordctl.c - the administrator's command: asks the daemon over its socket, or, for what works without one, opens
 * the state database itself. Prints tables for people, --json for programs. */
#include "base/kv.h"
#include "server.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/un.h>
#include <termios.h>

#define DEFAULT_FILE "/etc/concord.conf"

static void usage(FILE *out)
{
    fputs("usage: concordctl [-c FILE] [--set section.key=value] [--json] COMMAND [-- WORD...]\n", out);
    for (size_t i = 0; i < admin_ncommands; i++)
        fprintf(out, "  %-12s %-18s %s%s\n", admin_commands[i].name, admin_commands[i].args, admin_commands[i].help,
                admin_commands[i].offline ? " (also without the server)" : "");
}

/* From the terminal without echo, asked twice; else the first line of standard input. Never from the command line. */
static bool password_read(char *out, size_t cap)
{
    struct termios old, quiet;
    bool tty = tcgetattr(0, &old) == 0;
    char again[256];
    for (int i = 0; i < (tty ? 2 : 1); i++) {
        char *to = i ? again : out;
        if (tty) {
            quiet = old;
            quiet.c_lflag &= ~(tcflag_t)ECHO;
            fputs(i ? "again: " : "password: ", stderr);
            tcsetattr(0, TCSAFLUSH, &quiet);
        }
        bool ok = fgets(to, (int)cap, stdin) != NULL;
        if (tty) {
            tcsetattr(0, TCSAFLUSH, &old);
            fputs("\n", stderr);
        }
        if (!ok)
            return false;
        to[strcspn(to, "\r\n")] = 0;
    }
    if (tty && strcmp(out, again) != 0) {
        fputs("concordctl: the passwords differ\n", stderr);
        return false;
    }
    return out[0] != 0;
}

/* The daemon's answer, or NULL when it is not there. */
static json_t *ask_daemon(const char *path, const char *const *words, size_t n)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (strlen(path) >= sizeof un.sun_path)
        return NULL;
    strcpy(un.sun_path, path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof un) < 0)
        return NULL;
    json_t *in = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(in, json_string(words[i]));
    FILE *f = fdopen(fd, "r+");
    if (!f)
        return NULL;
    TAKE_FD(fd);
    json_dumpf(in, f, JSON_COMPACT);
    json_decref(in);
    fputs("\n", f);
    fflush(f);
    json_t *out = json_loadf(f, 0, NULL);
    fclose(f);
    return out ? out : json_pack("{s:s}", "error", "the server does not answer this user");
}

static json_t *ask_database(const char *dir, const char *const *words, size_t n)
{
    struct kv *kv = NULL;
    int r = kv_open(dir, &kv);
    json_t *out = json_object();
    if (r < 0) {
        char text[700];
        snprintf(text, sizeof text, "%s: %s", dir, strerror(-r));
        json_object_set_new(out, "error", json_string(text));
        return out;
    }
    struct admin_call call = {.kv = kv, .words = words, .n = n, .out = out};
    admin_run(&call);
    kv_close(kv);
    return out;
}

#define VALUE_MAX 160

/* Names with commas between, as many as fit. */
static void join(const json_t *names, char out[VALUE_MAX])
{
    size_t i, n = 0;
    json_t *name;
    out[0] = 0;
    json_array_foreach(names, i, name)
        if (n < VALUE_MAX)
            n += (size_t)snprintf(out + n, VALUE_MAX - n, "%s%s", i ? ", " : "", json_string_value(name));
}

static const char *value_text(const json_t *v, char buf[VALUE_MAX])
{
    if (json_is_string(v))
        return json_string_value(v);
    if (json_is_boolean(v))
        return json_is_true(v) ? "yes" : "no";
    if (json_is_array(v))
        join(v, buf);
    else
        snprintf(buf, VALUE_MAX, "%lld", (long long)json_integer_value(v));
    return buf;
}

static void print_value(const json_t *v, int width)
{
    char text[VALUE_MAX];
    printf("%-*s", width, value_text(v, text));
}

static int value_width(const json_t *v)
{
    char text[VALUE_MAX];
    return (int)strlen(value_text(v, text));
}

/* An array of objects as a table: the first row's keys are its columns. */
static void print_table(json_t *rows)
{
    json_t *first = json_array_get(rows, 0), *row, *v;
    const char *key;
    size_t i;
    if (!first) {
        puts("none");
        return;
    }
    json_object_foreach(first, key, v) {
        int width = (int)strlen(key);
        json_array_foreach(rows, i, row)
            width = MAX(width, value_width(json_object_get(row, key)));
        json_object_set_new(first, key, json_pack("[O, i]", v, width + 2));
        printf("%-*s", width + 2, key);
    }
    json_array_foreach(rows, i, row) {
        puts("");
        json_object_foreach(first, key, v)
            print_value(i ? json_object_get(row, key) : json_array_get(v, 0), (int)json_integer_value(json_array_get(v, 1)));
    }
    puts("");
}

static int print_answer(json_t *out, bool json)
{
    const char *key, *error = json_string_value(json_object_get(out, "error"));
    json_t *v;
    if (json) {
        json_dumpf(out, stdout, JSON_INDENT(2));
        puts("");
    } else if (error) {
        fprintf(stderr, "concordctl: %s\n", error);
    } else {
        json_object_foreach(out, key, v) {
            if (json_is_array(v)) {
                print_table(v);
                continue;
            }
            printf("%-12s ", key);
            print_value(v, 0);
            puts("");
        }
    }
    return error ? 1 : 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {"set", required_argument, NULL, 's'},
                                            {"json", no_argument, NULL, 'j'},         {"help", no_argument, NULL, 'h'}, {0}};
    const char *sets[32], *words[16], *file = NULL;
    struct config_input in = {.sets = sets};
    bool json = false;
    for (int o; (o = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        if (o == 'c')
            file = optarg;
        else if (o == 's' && in.nsets < ARRAY_LEN(sets))
            sets[in.nsets++] = optarg;
        else if (o == 'j')
            json = true;
        else
            return usage(o == 'h' ? stdout : stderr), o == 'h' ? 0 : 2;
    }
    size_t n = 0;
    for (; optind < argc && n < ARRAY_LEN(words) - 1; optind++)
        words[n++] = argv[optind];
    if (!n)
        return usage(stderr), 2;
    static char mistakes[16384], password[256];
    struct config cfg;
    in.file = file ? file : access(DEFAULT_FILE, R_OK) == 0 ? DEFAULT_FILE : NULL;
    if (config_load(&in, &cfg, mistakes, sizeof mistakes) < 0)
        return fputs(mistakes, stderr), 1;
    bool secret = n > 2 && strcmp(words[0], "user") == 0 && (strcmp(words[1], "add") == 0 || strcmp(words[1], "passwd") == 0);
    if (secret) { /* goes in behind the name */
        if (!password_read(password, sizeof password))
            return fputs("concordctl: a password is needed\n", stderr), 1;
        memmove(&words[4], &words[3], (n - 3) * sizeof words[0]);
        words[3] = password;
        n++;
    }
    char path[600];
    json_t *out = ask_daemon(admin_path(&cfg, path), words, n);
    if (!out)
        out = ask_database(cfg.server.state_dir, words, n);
    int r = print_answer(out, json);
    json_decref(out);
    config_done(&cfg);
    explicit_bzero(password, sizeof password);
    return r;
}
