/* SPDX-License-Identifier: MIT */
/*
 * QEMU's stream framing - a 4-byte big-endian length, then the frame - over
 * any pair of descriptors, and its extension for trunks. What all stream ports
 * share, whoever opened them; a driver embeds struct stream first, and fills
 * its ops with these functions.
 */
#ifndef STREAM_H
#define STREAM_H

#include "port/port.h"
#include "trunk/trunk.h"

#define STREAM_RX_BYTES ((size_t)128 << 10) /* the most one receive takes */
#define STREAM_PART_BYTES ((size_t)LAYOUT_FRAME_MAX)

/*
 * Whether a stream may become a trunk.
 * PLAIN:  no
 * ASKS:   we dialled a netrelay, and sent our preamble first
 * LISTENS: it was accepted, and its first bytes may be a preamble
 * AGREED: preambles have been exchanged
 */
enum stream_trunk { STREAM_PLAIN, STREAM_ASKS, STREAM_LISTENS, STREAM_AGREED };

/*
 * @rfd, @wfd: where frames come from and go to; equal for a socket; -1: closed
 * @trunk:     where it stands
 * @greeting, @n_greeting: our preamble, and what of it is still to be sent
 * @part:      a unit - a frame with its length prefix, or a preamble - that has not arrived whole
 * @cur, @end: what was received and is not yet sliced
 * @has_whole_part: the unit in @part is whole, and the first to be taken
 * @is_full:   the receive brought all that it had room for
 * @is_bad:    what comes next can't be understood, for the reason in port_why()
 * @skip:      bytes of the next frame to send that are sent already
 * @may_delay_ack: the kernel may, since we sent something
 * @dead:      as an endpoint's, seconds
 * @silence:   looks now and then whether a TCP peer acknowledges
 */
struct stream {
	struct port port;
	int rfd, wfd;
	bool is_tcp;
	bool is_dialled;
	bool is_cut_short;  /* packets of full length seem not to have arrived */
	bool was_cut_short; /* and that was the end of the link before this one */
	bool may_delay_ack;
	int dead;
	enum stream_trunk trunk;
	uint8_t greeting[TRUNK_PREAMBLE];
	size_t n_greeting;
	struct timer answer;
	uint8_t *part;
	size_t part_len;
	uint8_t *cur, *end;
	bool is_bad;
	bool has_whole_part;
	bool is_full;
	uint32_t skip;
	struct timer silence;
	unsigned silent_checks;
};

static inline struct stream *stream_of(struct port *p)
{
	return container_of(p, struct stream, port);
}

/* stream_new() - As port_new(), for a driver whose structure begins with a struct stream. */
void *stream_new(size_t size, const struct port_ops *ops, const struct port_env *env,
		 const char *name);

/* stream_init() - Return: 0 or -ENOMEM. */
int stream_init(struct stream *s, const struct port_ops *ops, const struct port_env *env,
		const char *name);

/*
 * stream_use() - Begin to relay over non-blocking descriptors, which are the stream's now.
 * @trunk: PLAIN, ASKS or LISTENS
 */
int stream_use(struct stream *s, int rfd, int wfd, enum stream_trunk trunk);

/*
 * stream_is_gone() - Whether a TCP peer has been silent for so long that it is most
 * likely gone, even if the link is one that silence does not end.
 */
bool stream_is_gone(struct port *p);

/* As struct port_ops says. */
int stream_rx(struct port *p, struct batch *b);
void stream_rx_done(struct port *p);
int stream_tx(struct port *p, const struct frame *f, unsigned n);
void stream_shut(struct port *p);
void stream_close(struct port *p);
void stream_free(struct port *p);

/* stream_cut() - The stream has ended: count a frame of which only a part has come. */
void stream_cut(struct stream *s);

/*
 * stream_greeted() - The peer's preamble has come, TRUNK_PREAMBLE bytes; for stream-rx.c.
 *
 * Return: 0; -errno, with port_why(), when there is no agreeing with him.
 */
int stream_greeted(struct stream *s, const uint8_t *preamble);

#endif
