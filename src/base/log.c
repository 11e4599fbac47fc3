/* log.c - formatting and writing log lines. A line is made on the stack and written with one write(2), so that lines
 * of several threads never mix. What is too long is cut. Knows nothing of who logs what. */
#include "log.h"
#include "clock.h"
#include "utf.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#define LOG_LINE_MAX 4096
#define LOG_QUOTE_MAX 256 /* bytes of one quoted value, quotes included */
#define LOG_QUOTES 8      /* quoted values that one line may hold */

_Atomic enum log_level log_threshold = LOG_INFO;
static _Atomic int log_fd = STDERR_FILENO;

static const char *const log_names[LOG_LEVEL_MAX] = {"ERROR", "WARN", "INFO", "DEBUG"};

void log_init(int fd, enum log_level level)
{
    log_fd = fd;
    log_threshold = level;
}

bool log_level_parse(const char *s, enum log_level *ret)
{
    for (unsigned i = 0; i < LOG_LEVEL_MAX; i++) {
        if (strcasecmp(s, log_names[i]) == 0) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static size_t log_stamp(char *out, size_t cap)
{
    struct timespec t = clock_wall();
    struct tm tm;
    if (!gmtime_r(&t.tv_sec, &tm))
        memset(&tm, 0, sizeof tm);
    size_t n = strftime(out, cap, "%Y-%m-%dT%H:%M:%S", &tm);
    return n + (size_t)snprintf(out + n, cap - n, ".%03ldZ ", t.tv_nsec / 1000000);
}

void log_write(enum log_level level, const char *area, const char *fmt, ...)
{
    char line[LOG_LINE_MAX];
    int saved = errno;
    size_t n = log_stamp(line, sizeof line);
    n += (size_t)snprintf(line + n, sizeof line - n, "%s %.64s ", log_names[level], area);
    va_list ap;
    va_start(ap, fmt);
    errno = saved; /* for %m */
    int m = vsnprintf(line + n, sizeof line - n, fmt, ap);
    va_end(ap);
    size_t start = n;
    if (m > 0)
        n = MIN(n + (size_t)m, sizeof line - 1);
    for (size_t i = start; i < n; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = ' '; /* one event, one line, whatever was passed */
    line[n++] = '\n';
    while (write(log_fd, line, n) < 0 && errno == EINTR)
        ;
    errno = saved;
}

/* Code points that would make a line read differently from what it holds: C1 controls, zero-width and direction marks,
 * line separators, private use, noncharacters. */
static bool log_printable(uint32_t cp)
{
    static const struct {
        uint32_t first, last;
    } hidden[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x180e, 0x180e},   {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xe000, 0xf8ff}, {0xfeff, 0xfeff}, {0xfff0, 0xffff}, {0xe0000, 0x10ffff},
    };
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
        if (cp >= hidden[i].first && cp <= hidden[i].last)
            return false;
    return true;
}

const char *log_quote(const void *s, size_t n)
{
    static _Thread_local char bufs[LOG_QUOTES][LOG_QUOTE_MAX];
    static _Thread_local unsigned turn;
    char *out = bufs[turn++ % LOG_QUOTES];
    const uint8_t *p = s, *end = p + n;
    size_t at = 0;
    out[at++] = '"';
    while (p < end) {
        uint32_t cp;
        size_t used = utf8_decode(p, end, &cp);
        if (at + 4 + sizeof "...\"" > LOG_QUOTE_MAX) {
            memcpy(out + at, "...", 3);
            at += 3;
            break;
        }
        if (used && (cp == '"' || cp == '\\')) {
            out[at++] = '\\';
            out[at++] = (char)cp;
        } else if (used && log_printable(cp)) {
            memcpy(out + at, p, used);
            at += used;
        } else {
            used = 1;
            at += (size_t)snprintf(out + at, 5, "\\x%02x", *p);
        }
        p += used;
    }
    out[at++] = '"';
    out[at] = 0;
    return out;
}

bool log_allow(struct log_rate *r, uint32_t burst, uint64_t period_ns)
{
    uint64_t now = clock_now();
    if (r->since == 0 || now - r->since >= period_ns)
        *r = (struct log_rate){.since = now};
    if (r->count >= burst)
        return false;
    r->count++;
    return true;
}
