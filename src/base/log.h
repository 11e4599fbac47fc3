/* log.h - one line per event: "2026-11-23T10:00:00.123Z INFO smb event=logon user=ann addr=10.0.0.1".
 *
 * `text` is "event=... key=value ..." made by printf; values that may hold blanks or come from clients are quoted
 * with log_quote(). Below the level a call costs one compare. Thread-safe; one write(2) per line. Secrets are never
 * passed to it. */
#pragma once
#include "util.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVEL_MAX };

extern _Atomic enum log_level log_threshold; /* default LOG_INFO; may be changed at any time */

void log_init(int fd, enum log_level level);          /* default: stderr, INFO */
bool log_level_parse(const char *s, enum log_level *ret);
void log_write(enum log_level level, const char *area, const char *fmt, ...) _printf_(3, 4);
#define log_at(level, area, ...)                                                                                       \
    do {                                                                                                               \
        if ((level) <= log_threshold)                                                                                  \
            log_write(level, area, __VA_ARGS__);                                                                       \
    } while (0)
#define log_error(area, ...) log_at(LOG_ERROR, area, __VA_ARGS__)
#define log_warn(area, ...) log_at(LOG_WARN, area, __VA_ARGS__)
#define log_info(area, ...) log_at(LOG_INFO, area, __VA_ARGS__)
#define log_debug(area, ...) log_at(LOG_DEBUG, area, __VA_ARGS__)

/* `s` (n bytes) as a quoted printable string in one of a few per-thread buffers; long input is cut. */
const char *log_quote(const void *s, size_t n);

/* True for the first `burst` calls within `period_ns` and then not until the next period: for messages that a client
 * can cause. Zero-initialised; not thread-safe (one per connection or peer). */
struct log_rate {
    uint64_t since;
    uint32_t count;
};
bool log_allow(struct log_rate *r, uint32_t burst, uint64_t period_ns);
