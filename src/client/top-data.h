/* SPDX-License-Identifier: MIT */
/*
 * What netrelay top knows of a relay: read from the lines that show_counters()
 * writes, and compared with what it read before. The lines come from outside,
 * so nothing in here is more than printable ASCII.
 */
#ifndef TOP_DATA_H
#define TOP_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* @frames, @bits, @drops: a second, since what was read before */
struct top_way {
	uint64_t frames, bits;
};

struct top_port {
	uint64_t id;
	const char *name, *peer, *state;
	uint64_t since, rx_frames, rx_bytes, tx_frames, tx_bytes;
	uint64_t queue, queue_limit, dropped;
	struct top_way in, out;
	uint64_t drops;
};

/*
 * @text: what the strings are in
 * @port: @n of them, in the order of top_sort()
 */
struct top_data {
	char *text;
	const char *kind, *version;
	uint64_t uptime, dropped, queued;
	struct top_port *port;
	size_t n;
	struct top_way in, out;
	uint64_t drops;
};

/*
 * top_read() - Read the lines, which are cut up in place.
 * @text: becomes the data's, also on error; free()d by top_free()
 *
 * Return: 0; -EPROTO when that is not what it should be; -ENOMEM.
 */
int top_read(struct top_data *d, char *text);
void top_free(struct top_data *d);

/*
 * top_compare() - Fill in what is a second's, from two looks at the same relay.
 * @before: is in another order afterwards
 */
void top_compare(struct top_data *now, struct top_data *before);

/* top_sort() - By number, or else the busiest first. */
void top_sort(struct top_data *d, bool by_id);

#endif
