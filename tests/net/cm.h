/* cm.h - cmocka with what it wants included before it, and waiting for another thread. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

/* Until `cond` holds, for at most ten seconds. */
#define wait_for(cond)                                                                                                 \
    do {                                                                                                               \
        int wait_ms_ = 10000;                                                                                          \
        while (!(cond) && wait_ms_-- > 0)                                                                              \
            usleep(1000);                                                                                              \
        assert_true(cond);                                                                                             \
    } while (0)
