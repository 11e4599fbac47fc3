/* admin_int.h - between the files of the administrator's commands. */
#pragma once
#include "coherence/coherence.h"
#include "server.h"

void _printf_(2, 3) admin_fail(struct admin_call *c, const char *fmt, ...);
json_t *admin_rows(struct admin_call *c, const char *name); /* a new array in the answer */
json_t *admin_text(const char *s); /* what clients named themselves need not be UTF-8: then '?' for what is no ASCII */
#define ADMIN_TIME 24
const char *admin_time(uint64_t at, char out[ADMIN_TIME]); /* of clock_now(), as a date in UTC */

void admin_locks(struct admin_call *c);
void admin_break(struct admin_call *c);
void admin_clients(struct admin_call *c);
