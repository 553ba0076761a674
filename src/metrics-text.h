/* SPDX-License-Identifier: MIT */
/*
 * A relay in Prometheus' text format, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/): what the status
 * has, for a program to read. Series of a port end with the port; those of the
 * relay as a whole count on, so that a sum never goes back.
 */
#ifndef METRICS_TEXT_H
#define METRICS_TEXT_H

#include <stdint.h>

#include "buf.h"
#include "relay.h"

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

/* metrics_text() - Append all there is to say. */
void metrics_text(struct buf *b, const struct relay *r, const struct metrics_process *p);

#endif
