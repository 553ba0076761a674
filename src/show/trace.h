/* SPDX-License-Identifier: MIT */
/*
 * -vv: a line a frame, in tcpdump's manner, for each port it comes in at and each
 * it goes out of. Only so many lines: 100 at once, and 50 a second. How many
 * frames were left out is said in the next line.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "relay/deliver.h"

#define TRACE_LINE_MAX 512

/*
 * @lines:     that may be written now
 * @earned_ms: when the last of those was earned, on the monotonic clock
 * @left_out:  frames not shown since the last line
 */
struct trace {
	struct observer observer;
	unsigned lines;
	uint64_t earned_ms;
	uint64_t left_out;
};

void trace_start(struct trace *t, struct forwarding *fwd);

/* trace_stop() - End it, and say what was left out last; if it was started. */
void trace_stop(struct trace *t, struct forwarding *fwd);

/*
 * trace_format() - Say one frame in a line.
 * @out:    set to the line, without a newline, cut to @size bytes
 * @day_us: the time of day, microseconds
 * @f:      of what is behind it as a run, nothing is said
 */
void trace_format(char *out, size_t size, uint64_t day_us, const struct port *p,
		  enum direction direction, const struct frame *f);

#endif
