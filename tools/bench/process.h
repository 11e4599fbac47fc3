/* process.h - what one process costs. */
#pragma once
#include <stdint.h>
#include <sys/types.h>

double process_cpu(pid_t pid);   /* seconds of user and system time; 0: it is gone */
uint64_t process_pss(pid_t pid); /* KiB, pages that it shares divided by how many share them; 0: it is gone */
