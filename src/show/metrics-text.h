/* SPDX-License-Identifier: MIT */
/*
 * Writes the state of a relay in Prometheus' text format, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). The series of a port
 * end with the port. Those of a listener, and of the whole relay, still include ports
 * that are gone, so that a sum never decreases.
 *
 * For thousands of ports the text has megabytes, too much to write in one turn of the
 * event loop. So it is written in steps, some ports in each, and the sums at the end.
 */
#ifndef METRICS_TEXT_H
#define METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "relay/relay.h"

/*
 * The figures of the process.
 * @start_s:        when it began, in seconds since 1970
 * @cpu_us:         microseconds of CPU time that it has used
 * @resident_bytes: memory in use; 0 if that is not known
 */
struct metrics_process {
	uint64_t start_s;
	uint64_t cpu_us;
	uint64_t resident_bytes;
};

#define METRICS_PARTS 17	/* the relay's families; each family of ports; the rest */
#define METRICS_PORTS_A_STEP 64 /* this many take about 0.5 ms */

/*
 * A text: its parts, one behind the other. It begins as all zeros.
 * @labels: labels of the port that is being written
 * @is_begun: the families of ports have their HELP and TYPE
 * @last:   the number of the port that was written last
 * @newest: that of the last port that there was when the text was begun
 */
struct metrics_text {
	struct buf part[METRICS_PARTS];
	struct buf labels;
	bool is_begun;
	unsigned last, newest;
};

/* metrics_text_ports() - Write the next ports. Return: whether they were the last. */
bool metrics_text_ports(struct metrics_text *t, const struct relay *r);

/* metrics_text_end() - Write the rest, behind the last ports. Return: 0 or -ENOMEM. */
int metrics_text_end(struct metrics_text *t, const struct relay *r,
		     const struct metrics_process *p);

/* metrics_text_len() - The bytes of all parts together. */
size_t metrics_text_len(const struct metrics_text *t);

/* metrics_text_free() - Free all parts; the text can be begun again. */
void metrics_text_free(struct metrics_text *t);

#endif
