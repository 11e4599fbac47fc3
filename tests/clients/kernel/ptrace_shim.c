/* ptrace_shim.c - lets Debian's user-mode Linux run on processors with a large XSAVE area (AMX).
 *
 * user-mode Linux restores a process's floating point registers with PTRACE_SETREGSET and the part of the image that
 * it knows; the host's kernel insists on the whole and says EFAULT. Preloaded, this fills the image up: what the
 * guest does not know stays as it is in the process. */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define XSTATE_BV 512              /* offset of the bitmap of saved components */
#define KNOWN_COMPONENTS 0x3ffull  /* x87 to PKRU: all below the size that the guest hands over */
static uint8_t image[1 << 16] __attribute__((aligned(64)));

static long set_xstate(long pid, const struct iovec *given)
{
    struct iovec whole = {image, sizeof image};
    uint64_t components;
    if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole) < 0 || whole.iov_len <= given->iov_len)
        return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, given);
    memset(image, 0, whole.iov_len);
    memcpy(image, given->iov_base, given->iov_len);
    memcpy(&components, image + XSTATE_BV, sizeof components);
    components &= KNOWN_COMPONENTS;
    memcpy(image + XSTATE_BV, &components, sizeof components);
    return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list ap;
    va_start(ap, request);
    long pid = va_arg(ap, int), addr = (long)va_arg(ap, void *);
    void *data = va_arg(ap, void *);
    va_end(ap);
    if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
        long word = 0; /* the library's way: the word is the result */
        if (syscall(SYS_ptrace, request, pid, addr, &word) < 0)
            return -1;
        errno = 0;
        return word;
    }
    if (request == PTRACE_SETREGSET && addr == NT_X86_XSTATE)
        return set_xstate(pid, data);
    return syscall(SYS_ptrace, request, pid, addr, data);
}
