/* SPDX-License-Identifier: MIT */
/*
 * A channel (trunk/channel.h) whose bytes go as records (seal/record.h), after a handshake
 * (trunk/handshake.h) has brought the keys.
 *
 * It takes all that it is given, in records as long as the pieces are, and keeps what the
 * socket does not take, so its user is never told of half of them. It takes nothing more
 * before that has gone out: its memory is a buffer of CHANNEL_SEALED_OUT and one of
 * CHANNEL_SEALED_IN bytes, of which only what was ever used is resident.
 */
#ifndef CHANNEL_SEALED_H
#define CHANNEL_SEALED_H

#include "seal/record.h"
#include "trunk/channel.h"
#include "trunk/handshake.h"

#define CHANNEL_SEALED_OUT \
	((size_t)2 * RECORD_SIZE_MAX + RECORD_OVERHEAD) /* and the end */
#define CHANNEL_SEALED_IN ((size_t)2 * RECORD_SIZE_MAX)

/*
 * @tx, @rx: the two directions
 * @out:     records that have not gone out: @out_at to @out_end of it
 * @in:      @plain bytes that were opened, from @in_at on; behind them, up to @in_end, what
 *           came from the socket
 * @is_shut: no more is sent but what is kept
 * @is_ended: the peer has said that no more will come
 * @error:   what recv() has found wrong, -errno; 0
 */
struct channel_sealed {
	struct channel channel;
	struct record_way tx, rx;
	uint8_t *out, *in;
	size_t out_at, out_end;
	size_t in_at, plain, in_next, in_end;
	bool is_shut, is_ended;
	int error;
};

/*
 * channel_sealed_begin() - Records go over @fd, a non-blocking stream socket, which is the
 * channel's now, also after an error.
 * @c: all zero, or closed
 * @s: the keys; wiped
 *
 * Return: 0 or -ENOMEM.
 */
int channel_sealed_begin(struct channel_sealed *c, int fd, struct session *s);

#endif
