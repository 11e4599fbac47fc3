/* replay.c - a fuzz target without libFuzzer, for the ordinary tests: replay [CORPUS] gives it every seed whole, cut
 * short at every sixteenth of its length and with single bytes changed, then strings of noise. Always the same ones. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEED_MAX = 1 << 20, NOISES = 300, NOISE_MAX = 600, CHANGES = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static uint32_t state = 1;
static uint32_t noise(void) { return (state = state * 1664525u + 1013904223u) >> 8; }

/* Exactly as large as the input: a sanitizer sees the first byte beyond it. */
static void run(const uint8_t *data, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1);
    if (!exact)
        abort();
    memcpy(exact, data, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
}

static void run_seed(uint8_t *data, size_t n)
{
    for (size_t part = 1; part <= 16; part++)
        run(data, n * part / 16);
    for (int i = 0; n && i < CHANGES; i++) {
        size_t at = noise() % n;
        uint8_t was = data[at];
        data[at] = (uint8_t)noise();
        run(data, n);
        data[at] = was;
    }
}

static int run_corpus(const char *path)
{
    static uint8_t data[SEED_MAX];
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort), ran = 0, dir = open(path, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < n; i++) {
        int fd = names[i]->d_name[0] == '.' ? -1 : openat(dir, names[i]->d_name, O_RDONLY);
        ssize_t got = fd < 0 ? -1 : read(fd, data, sizeof data);
        if (got >= 0)
            run_seed(data, (size_t)got), ran++;
        if (fd >= 0)
            close(fd);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    if (dir >= 0)
        close(dir);
    return ran;
}

int main(int argc, char **argv)
{
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    int seeds = argc > 1 ? run_corpus(argv[1]) : 0;
    if (argc > 1 && seeds == 0) {
        fprintf(stderr, "no seeds in %s\n", argv[1]);
        return 1;
    }
    for (int i = 0; i < NOISES; i++) {
        uint8_t data[NOISE_MAX];
        size_t n = noise() % sizeof data;
        for (size_t k = 0; k < n; k++)
            data[k] = (uint8_t)noise();
        run(data, n);
    }
    printf("%d seeds and %d strings of noise\n", seeds, NOISES);
    return 0;
}
