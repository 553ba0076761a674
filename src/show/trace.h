/* SPDX-License-Identifier: MIT */
/*
 * -vv: logs a line for each frame, as tcpdump does, at each port that receives it and at
 * each that sends it. There are at most 50 lines a second, and 100 at once. The next
 * line says how many frames were left out.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "relay/deliver.h"

#define TRACE_LINE_MAX 512 /* bytes of a line, with its NUL */

/*
 * @lines:     lines that may be written now
 * @earned_ms: when the last one of them was earned, ms of CLOCK_MONOTONIC
 * @left_out:  frames that were not shown since the last line
 */
struct trace {
	struct observer observer;
	unsigned lines;
	uint64_t earned_ms;
	uint64_t left_out;
};

/* trace_start() - Begin to log the frames that pass @fwd, which must outlive the trace. */
void trace_start(struct trace *t, struct forwarding *fwd);

/*
 * trace_stop() - End the trace, and log how many frames were left out last. It does
 * nothing to a trace that was not started (all zeros).
 */
void trace_stop(struct trace *t, struct forwarding *fwd);

/*
 * trace_format() - Describe one frame in one line.
 * @out:    set to the line, without a newline, cut to @size bytes
 * @day_us: the time of day in microseconds
 * @p:      the port that receives or sends the frame
 * @f:      only the first frame of a run is described
 */
void trace_format(char *out, size_t size, uint64_t day_us, const struct member *m,
		  enum direction direction, const struct frame *f);

#endif
