/* thread.c - starting threads. Knows nothing of what they do. */
#include "internal.h"
#include <signal.h>

int net_thread_start(pthread_t *ret, const char *name, void *(*fn)(void *), void *arg)
{
    /* What a thread itself causes must reach it; everything else is for the main thread. */
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF};
    sigset_t all, old;
    sigfillset(&all);
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        sigdelset(&all, own[i]);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(ret, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err == 0)
        pthread_setname_np(*ret, name);
    return -err;
}
