/* SPDX-License-Identifier: MIT */
/*
 * The end of a relay's work: stdin has ended, or what else can't be opened
 * again. What is queued still goes out; closing a TCP socket earlier, or with
 * input unread, could take back what was sent (RFC 2525, 2.17). Then the peers
 * are told, and given time to say that they are done, too; and the loop stops.
 */
#ifndef FINISH_H
#define FINISH_H

#include <stdbool.h>

#include "forward.h"
#include "loop.h"

/*
 * @has_begun: nothing new is read from pipes
 * @is_shut:   what was queued has gone out, and peers have been told
 * @sent:      frames, when it was last looked whether any still are
 */
struct finish {
	struct loop *loop;
	struct forward *forward;
	bool has_begun;
	bool is_shut;
	uint64_t sent;
	struct timer limit;
	struct deferred check;
};

/* finish_begin() - Once. */
void finish_begin(struct finish *f, struct loop *loop, struct forward *fwd);

/* finish_go_on() - A queue has drained, or a port is in another state. */
void finish_go_on(struct finish *f);

void finish_free(struct finish *f);

#endif
