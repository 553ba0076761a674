/* SPDX-License-Identifier: MIT */
/*
 * QEMU's stream framing - a 4-byte big-endian length, then the frame - over
 * any pair of descriptors. What all stream ports share, whoever opened them;
 * a driver embeds struct stream first, and fills its ops with these functions.
 */
#ifndef STREAM_H
#define STREAM_H

#include "port.h"

#define STREAM_RX_BYTES ((size_t)128 << 10) /* the most one receive takes */

/*
 * @rfd, @wfd: where frames come from and go to; equal for a socket; -1: closed
 * @part:      a frame that has not arrived whole, with its length word
 * @cur, @end: what was received and is not yet sliced
 * @has_whole_part: the frame in @part is whole, and the first to be taken
 * @skip:      bytes of the next frame to send that are sent already
 * @silence:   looks now and then whether a TCP peer acknowledges
 */
struct stream {
	struct port port;
	int rfd, wfd;
	bool is_tcp;
	bool is_dialled;
	uint8_t *part;
	size_t part_len;
	uint8_t *cur, *end;
	uint32_t bad_len;
	bool is_bad;
	bool has_whole_part;
	uint32_t skip;
	struct timer silence;
	unsigned silent_checks;
};

/* stream_init() - Return: 0 or -ENOMEM. */
int stream_init(struct stream *s, const struct port_ops *ops, const struct port_env *env,
		const char *name);

/* stream_use() - Begin to relay over non-blocking descriptors, which are the stream's now. */
int stream_use(struct stream *s, int rfd, int wfd);

/* As struct port_ops says. */
int stream_rx(struct port *p, struct batch *b);
void stream_rx_done(struct port *p);
int stream_tx(struct port *p, const struct frame *f, unsigned n);
void stream_shut(struct port *p);
void stream_close(struct port *p);
void stream_free(struct port *p);

#endif
