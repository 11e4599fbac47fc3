/* util.h - what every file may use: sizes, min/max, container_of, scope cleanup, bits. Header only, no state. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _unused_ __attribute__((unused))
#define _warn_unused_ __attribute__((warn_unused_result))
#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* Each use has variables of its own names, so that uses nest without shadowing. */
#define MIN_(a, b, x, y) ({ __typeof__(a) x = (a); __typeof__(b) y = (b); x < y ? x : y; })
#define MAX_(a, b, x, y) ({ __typeof__(a) x = (a); __typeof__(b) y = (b); x > y ? x : y; })
#define UTIL_PASTE_(a, b) a##b
#define UTIL_PASTE(a, b) UTIL_PASTE_(a, b)
#define MINMAX_(which, a, b, n) which(a, b, UTIL_PASTE(a_, n), UTIL_PASTE(b_, n))
#define MIN(a, b) MINMAX_(MIN_, a, b, __COUNTER__)
#define MAX(a, b) MINMAX_(MAX_, a, b, __COUNTER__)
#define ALIGN_UP(n, to) (((n) + ((to)-1)) & ~(__typeof__(n))((to)-1))

/* Moves ownership out of a variable that a _cleanup_ watches. */
#define TAKE_PTR(p) ({ __typeof__(p) p_ = (p); (p) = NULL; p_; })
#define TAKE_FD(fd) ({ int fd_ = (fd); (fd) = -1; fd_; })

static inline void util_freep(void *p) { free(*(void **)p); }
static inline void util_closep(int *fd) { if (*fd >= 0) close(*fd); }
#define _cleanup_free_ _cleanup_(util_freep)
#define _cleanup_close_ _cleanup_(util_closep)

/* 1 when built with AddressSanitizer. */
#if defined(__SANITIZE_ADDRESS__)
#define UTIL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UTIL_ASAN 1
#endif
#endif
#ifndef UTIL_ASAN
#define UTIL_ASAN 0
#endif

#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_SEC 1000000000ull
