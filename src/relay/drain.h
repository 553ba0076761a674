/* SPDX-License-Identifier: MIT */
/*
 * The end of a relay's work: stdin has ended, or what else can't be opened
 * again. What is queued still goes out; closing a TCP socket earlier, or with
 * input unread, could take back what was sent (RFC 2525, 2.17). Then the peers
 * are told, and given time to say that they are done, too; and the loop stops.
 */
#ifndef DRAIN_H
#define DRAIN_H

#include <stdbool.h>

#include "base/loop.h"
#include "relay/deliver.h"

/*
 * @has_begun: nothing new is read from pipes
 * @is_shut:   what was queued has gone out, and peers have been told
 * @sent:      frames, when it was last looked whether any still are
 */
struct drain {
	struct loop *loop;
	struct forwarding *forward;
	bool has_begun;
	bool is_shut;
	uint64_t sent;
	struct timer limit;
	struct deferred check;
};

/* drain_begin() - Once. */
void drain_begin(struct drain *f, struct loop *loop, struct forwarding *fwd);

/* drain_check() - A queue has drained, or a port is in another state. */
void drain_check(struct drain *f);

void drain_free(struct drain *f);

#endif
