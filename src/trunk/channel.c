/* SPDX-License-Identifier: MIT */
/*
 * The plain channel: one system call each time, no copy, and nothing is kept.
 *
 * #syscalls: close read readv recvmsg shutdown writev
 */
#include "trunk/channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/parts.h"

/*
 * Take from a peer who can send descriptors. Nobody takes them, but each keeps us waiting for
 * as long as alarm.h allows.
 */
static ssize_t recv_without_fds(struct channel *c, const struct iovec *iov, int n)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)iov };
	ssize_t got;

	/* By the C library, an int or a size_t. */
	msg.msg_iovlen = (__typeof__(msg.msg_iovlen))n;
	got = c->why ? 0 : recvmsg(c->rfd, &msg, 0);
	if (!(msg.msg_flags & MSG_CTRUNC) && !c->why)
		return got;
	c->why = "the peer sends descriptors, which nobody takes";
	errno = EPROTO;
	return -1;
}

/* For one piece the kernel has a shorter way. */
static ssize_t plain_recv(struct channel *c, const struct iovec *iov, int n)
{
	ssize_t got;

	do
		if (HAS_ALARM && c->may_bring_fds)
			got = recv_without_fds(c, iov, n);
		else
			got = n == 1 ? read(c->rfd, iov->iov_base, iov->iov_len)
				     : readv(c->rfd, iov, n);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

static ssize_t plain_send(struct channel *c, const struct iovec *iov, int n)
{
	ssize_t sent;

	do
		sent = writev(c->wfd, iov, n);
	while (sent < 0 && errno == EINTR);
	/* A guest has taken the memory of a frame away: what is queued is a copy. */
	if (HAS_VHOST && sent < 0 && errno == EFAULT)
		return -EAGAIN;
	return sent < 0 ? -errno : sent;
}

static void plain_shut(struct channel *c)
{
	shutdown(c->wfd, SHUT_WR);
}

static void plain_close(struct channel *c)
{
	if (c->wfd >= 0 && c->wfd != c->rfd)
		close(c->wfd);
	if (c->rfd >= 0)
		close(c->rfd);
	c->rfd = c->wfd = -1;
}

static const struct channel_ops plain = {
	.recv = plain_recv,
	.send = plain_send,
	.shut = plain_shut,
	.close = plain_close,
};

void channel_plain(struct channel *c, int rfd, int wfd)
{
	*c = (struct channel){ .ops = &plain, .rfd = rfd, .wfd = wfd };
}

const char *channel_why(const struct channel *c, ssize_t error)
{
	return c->why ? c->why : strerror((int)-error);
}
