/* callback.h - what a simulated host answers: a port mapper, GRANTED, SM_NOTIFY. */
#pragma once
#include "nlm.h"

void callback_open(struct nlm *n); /* sets n->reachable when servers can find it */
void callback_close(struct nlm *n);
