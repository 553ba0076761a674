/* SPDX-License-Identifier: MIT */
/*
 * A relay in Prometheus' text format, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/): what the status
 * has, for a program to read. Series of a port end with the port; those of a
 * listener and of the relay as a whole count on, so that a sum never goes back.
 *
 * Of thousands of ports it has megabytes, too much to write down in one turn of the
 * loop. So it is written by and by, each port at one moment, and the sums at the end.
 */
#ifndef METRICS_TEXT_H
#define METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "relay/relay.h"

/*
 * What is shown of the process.
 * @start_s:        when it began, seconds of Unix time
 * @cpu_us:         microseconds that it had a CPU
 * @resident_bytes: memory in use; 0: not known
 */
struct metrics_process {
	uint64_t start_s;
	uint64_t cpu_us;
	uint64_t resident_bytes;
};

#define METRICS_PARTS 15 /* what is of the relay; a family of ports each; the rest */
#define METRICS_PORTS_A_STEP 64 /* take some 0.5 ms */

/*
 * A text, which is its parts, one behind the other. All zero: not begun.
 * @labels:  of the port at hand
 * @last:    the number of the port that was written last
 */
struct metrics_text {
	struct buf part[METRICS_PARTS];
	struct buf labels;
	bool is_begun;
	unsigned last;
};

/* metrics_text_ports() - Write down some ports. Return: whether these were the last. */
bool metrics_text_ports(struct metrics_text *t, const struct relay *r);

/* metrics_text_end() - Then, write down all else. Return: 0; -ENOMEM. */
int metrics_text_end(struct metrics_text *t, const struct relay *r,
		     const struct metrics_process *p);

/* metrics_text_len() - Bytes of all parts. */
size_t metrics_text_len(const struct metrics_text *t);

void metrics_text_free(struct metrics_text *t);

#endif
