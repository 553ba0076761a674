/* SPDX-License-Identifier: MIT */
/*
 * A channel: what carries the bytes of a stream. A plain one hands them to two
 * descriptors as they are; one that seals makes records of them.
 *
 * The contract. Nothing blocks. A channel is used from the moment at which both ends
 * can send: a handshake comes before. Both directions are independent.
 *
 * recv() fills the pieces in order, as far as there are bytes. It returns
 *   > 0      how many bytes; fewer than there is room for say nothing of what follows
 *   0        the peer has ended its side in good order, and all bytes before were given
 *   -EAGAIN  there is nothing now; @rfd is readable when there is
 *   -ENOBUFS, -ENOMEM  the kernel is short of memory, try again a little later
 *   -errno   the link is broken, for the reason in channel_why()
 * Bytes that were received but do not fit the pieces stay in the channel, which then sets
 * @has_input: @rfd says nothing of them, so the user has to call recv() again by itself.
 *
 * send() takes bytes from the beginning of the pieces. It returns
 *   >= 0     how many were taken, which its user must not send again, even if they have
 *            not gone out. The rest is sent by another call that begins there.
 *   -EAGAIN  none were taken; @wfd is writable when there is room
 *   -ENOBUFS, -ENOMEM  none were taken, as with recv()
 *   -errno   nothing can be sent any more, for the reason in channel_why()
 * A channel that makes records of what it takes keeps a record that went out in part,
 * as it was made: it is never made again from the same bytes. While it keeps one it
 * sets @has_output, its user waits for @wfd to be writable and calls send() again, with
 * no pieces if there is nothing new, and each send() begins with what was kept. The
 * memory for that is bounded, for no more is taken before it has gone out. A channel
 * may take all or nothing; then nothing is ever half sent from its user's view.
 *
 * A signal (EINTR) is never told of. recv() and send() report an error again when they
 * are called again.
 *
 * shut() tells the peer that no more will be sent, behind what was kept; send() is then
 * called only without pieces. close() may come at any time, closes the descriptors,
 * forgets what was kept, and may be called twice; the structure is its owner's.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

struct channel;

struct channel_ops {
	ssize_t (*recv)(struct channel *c, const struct iovec *iov, int n);
	ssize_t (*send)(struct channel *c, const struct iovec *iov, int n);
	void (*shut)(struct channel *c);
	void (*close)(struct channel *c);
};

/*
 * @rfd, @wfd: non-blocking; equal for a socket; -1: closed
 * @has_input, @has_output: see above
 * @may_bring_fds: the peer can send descriptors, see sock_take_fds(): one that does so has failed
 * @why: a sentence for the last error, or NULL: its errno says it all
 */
struct channel {
	const struct channel_ops *ops;
	int rfd, wfd;
	bool has_input, has_output, may_bring_fds;
	const char *why;
};

/* channel_plain() - Bytes go over @rfd and @wfd as they are; both are the channel's now. */
void channel_plain(struct channel *c, int rfd, int wfd);

/* channel_why() - What to tell people of an error, which is -errno, of recv() or send(). */
const char *channel_why(const struct channel *c, ssize_t error);

#endif
