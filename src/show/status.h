/* SPDX-License-Identifier: MIT */
/* The status of a relay in the log, for those who have no control socket (SIGUSR1). */
#ifndef STATUS_H
#define STATUS_H

#include "relay/relay.h"

/* status_log() - Log the sums of a relay, its listeners, and a line for each port. */
void status_log(const struct relay *r);

#endif
