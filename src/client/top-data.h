/* SPDX-License-Identifier: MIT */
/*
 * The data that netrelay top shows of a relay. It is read from the lines that
 * show_counters() writes, and compared with the previous data to compute rates. The
 * lines come from outside, so all texts here are reduced to printable ASCII.
 */
#ifndef TOP_DATA_H
#define TOP_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The rate of one direction, per second, since the previous data. */
struct top_rate {
	uint64_t frames, bits;
};

/*
 * A port.
 * @id:    the port's number
 * @since: how long it has been in this state, ms
 * @rx_frames, @rx_bytes, @tx_frames, @tx_bytes, @dropped: counters
 * @queue, @queue_limit: bytes that are queued, and that may be
 * @in, @out, @drops: rates per second
 */
struct top_port {
	uint64_t id;
	const char *name, *peer, *state;
	uint64_t since, rx_frames, rx_bytes, tx_frames, tx_bytes;
	uint64_t queue, queue_limit, dropped;
	struct top_rate in, out;
	uint64_t drops;
};

/*
 * @text:   the memory that all strings point into
 * @kind, @version: the relay's
 * @uptime: ms
 * @dropped, @queued: frames, of the whole relay
 * @port:   @n ports, in the order of top_sort()
 * @in, @out, @drops: rates of the whole relay, per second
 */
struct top_data {
	char *text;
	const char *kind, *version;
	uint64_t uptime, dropped, queued;
	struct top_port *port;
	size_t n;
	struct top_rate in, out;
	uint64_t drops;
};

/*
 * top_read() - Read the lines, and cut them up in place.
 * @d:    filled in; top_free() it, also after an error
 * @text: from malloc(); it becomes part of @d, also on an error
 *
 * Return: 0; -EPROTO when the lines are not as expected; -ENOMEM.
 */
int top_read(struct top_data *d, char *text);

/* top_free() - Free the ports and the text; @d is empty afterwards. */
void top_free(struct top_data *d);

/*
 * top_compare() - Fill in the rates of @now.
 * @before: earlier data of the same relay; it is sorted by number here
 */
void top_compare(struct top_data *now, struct top_data *before);

/* top_sort() - Sort the ports by number if @by_id is set, otherwise the busiest first. */
void top_sort(struct top_data *d, bool by_id);

#endif
