/* SPDX-License-Identifier: MIT */
/*
 * QEMU's stream framing - a 4-byte big-endian length, then the frame - and its extension
 * for trunks, over any channel. A driver opens the stream; it embeds struct stream first,
 * and fills its ops with these functions.
 */
#ifndef STREAM_H
#define STREAM_H

#include "port/port.h"
#include "trunk/channel-sealed.h"
#include "trunk/channel.h"
#include "trunk/deframer.h"
#include "trunk/trunk.h"

#define STREAM_RX_BYTES ((size_t)128 << 10) /* the most one receive takes */

/*
 * @channel:  carries the bytes; @plain, which is closed, while there is no other
 * @sealed:   the other one, once it was needed
 * @trunk:    whether it is a trunk, or may become one
 * @answer:   set while the peer's hello is due
 * @in:       what was received
 * @is_bad:   what comes next can't be understood, for the reason in port_why()
 * @skip:     bytes of the next frame to send that the channel has taken already
 * @may_delay_ack: the kernel may delay acknowledgements, since we sent something
 * @is_cut_short:  packets of full length seem not to have arrived
 * @was_cut_short: and that was the end of the link before this one
 * @dead:     as an endpoint's, seconds
 * @check:    dead-peer detection: when to look whether a TCP peer acknowledges
 * @unanswered: how many looks in a row found that it does not
 */
struct stream {
	struct port port;
	struct channel *channel, plain;
	struct channel_sealed *sealed;
	struct trunk trunk;
	struct timer answer;
	struct deframer in;
	bool is_bad;
	uint32_t skip;
	bool is_tcp;
	bool is_dialled;
	bool may_delay_ack;
	bool is_cut_short, was_cut_short;
	int dead;
	struct timer check;
	unsigned unanswered;
};

static inline struct stream *stream_of(struct port *p)
{
	return container_of(p, struct stream, port);
}

/* stream_new() - As port_new(), for a driver whose structure begins with a struct stream. */
void *stream_new(size_t size, const struct port_ops *ops, const struct port_env *env,
		 const char *name);

/* stream_init() - @s must be all zero. Return: 0 or -ENOMEM. */
int stream_init(struct stream *s, const struct port_ops *ops, const struct port_env *env,
		const char *name);

/*
 * stream_use() - Begin to relay over non-blocking descriptors, as they are. They are the
 * stream's now, which closes them in stream_close(), also after an error.
 * @state: any but TRUNK_ESTABLISHED
 *
 * Return: 0; -errno, with port_why().
 */
int stream_use(struct stream *s, int rfd, int wfd, enum trunk_state state);

/*
 * stream_use_session() - The same over a connection of which a handshake has made a sealed
 * trunk: @session is used up.
 */
int stream_use_session(struct stream *s, int fd, struct session *session);

/*
 * stream_use_channel() - The same over @c, which must live until stream_close() closes it.
 * @state: TRUNK_ESTABLISHED, too, after trunk_establish()
 */
int stream_use_channel(struct stream *s, struct channel *c, enum trunk_state state);

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

#endif
