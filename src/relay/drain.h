/* SPDX-License-Identifier: MIT */
/*
 * The end of a relay's work: stdin, or another port that can't be opened again, has
 * ended. Frames that are queued are still sent: closing a TCP socket earlier, or with
 * input unread, could discard what was sent (RFC 2525, 2.17). Then the peers are told
 * that no more will come, and have some time to close, too. After that the event loop
 * stops.
 */
#ifndef DRAIN_H
#define DRAIN_H

#include <stdbool.h>

#include "base/loop.h"
#include "relay/deliver.h"

/*
 * @has_begun: stdin is read no longer
 * @is_shut:   all queues are empty, and peers have been told
 * @sent:      frames that were sent until @limit was last set
 * @limit:     when to give up, unless frames are still being sent
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

/* drain_begin() - Begin it, once; it ends with loop_stop(). */
void drain_begin(struct drain *d, struct loop *loop, struct forwarding *fwd);

/* drain_check() - A queue has drained, or a port is in another state. Before it begins: nothing. */
void drain_check(struct drain *d);

/* drain_free() - Give it up, whether it has begun or not. */
void drain_free(struct drain *d);

#endif
