/* SPDX-License-Identifier: MIT */
/*
 * One frame a datagram. Errors that concern one datagram only - too long, no
 * route, nobody there - drop that frame and count it; the port stays up, for
 * the next one may get through.
 */
#include "dgram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* A port that is held when a queue is behind must not have brought more than that takes. */
#define PATIENT_DATAGRAMS \
	((unsigned)((PORT_QUEUE_BYTES - PORT_QUEUE_HIGH) / (FRAME_WORD + FRAME_MAX)))

static struct dgram *to_dgram(struct port *p)
{
	return container_of(p, struct dgram, port);
}

static void take(struct dgram *d, struct batch *b, const struct mmsghdr *m)
{
	/* A datagram cut at FRAME_MAX is counted as what it is: too long. */
	size_t len = m->msg_len + !!(m->msg_hdr.msg_flags & MSG_TRUNC);

	if (d->is_foreign && d->is_foreign(d, m->msg_hdr.msg_name))
		return;
	port_take(&d->port, b, m->msg_hdr.msg_iov->iov_base, len, false);
}

int dgram_rx(struct port *p, struct batch *b)
{
	struct dgram *d = to_dgram(p);
	struct mmsghdr m[BATCH_DATAGRAMS];
	struct iovec iov[BATCH_DATAGRAMS];
	struct sockaddr_storage from[BATCH_DATAGRAMS];
	unsigned most = p->ops->can_wait ? PATIENT_DATAGRAMS : BATCH_DATAGRAMS;
	int n;

	memset(m, 0, most * sizeof(m[0]));
	for (unsigned i = 0; i < most; i++) {
		iov[i].iov_base = b->buf + i * (size_t)FRAME_MAX;
		iov[i].iov_len = FRAME_MAX;
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
		if (d->is_foreign) {
			m[i].msg_hdr.msg_name = &from[i];
			m[i].msg_hdr.msg_namelen = sizeof(from[i]);
		}
	}
	n = recvmmsg(d->rfd, m, most, MSG_DONTWAIT, NULL);
	/* An error here is an earlier datagram's, told by ICMP; it is over by now. */
	for (int i = 0; i < n; i++)
		take(d, b, &m[i]);
	return 0;
}

static void build(struct mmsghdr *m, struct iovec (*iov)[2], const struct frame *f,
		  unsigned n)
{
	memset(m, 0, n * sizeof(*m));
	for (unsigned i = 0; i < n; i++) {
		size_t padding = frame_padded(f[i].len) - f[i].len;

		iov[i][0].iov_base = (void *)(uintptr_t)f[i].data;
		iov[i][0].iov_len = f[i].len;
		iov[i][1].iov_base = (void *)(uintptr_t)frame_padding;
		iov[i][1].iov_len = padding;
		m[i].msg_hdr.msg_iov = iov[i];
		m[i].msg_hdr.msg_iovlen = padding ? 2 : 1;
	}
}

enum verdict { AGAIN, SKIP, STOP };

/* What an error means for the frame that met it; @retried: not for the first time. */
static enum verdict judge(struct dgram *d, int err, bool retried)
{
	switch (err) {
	case EINTR:
		return AGAIN;
	case ECONNREFUSED:
	case ECONNRESET:
	case ENOTCONN:
	case ENOENT:
		/* Over UDP it is the datagram before that was refused: this one can go. */
		if (!retried && (!d->reconnect || d->reconnect(d) == 0))
			return AGAIN;
		port_drop(&d->port, DROP_REFUSED, 1);
		return SKIP;
	case EMSGSIZE:
		port_drop(&d->port, DROP_TOO_LONG, 1);
		return SKIP;
	case EBADF:
	case EINVAL:
	case EADDRNOTAVAIL:
		/* The socket itself: its local address has gone, say. */
		return STOP;
	default:
		port_drop(&d->port, DROP_REFUSED, 1);
		return SKIP;
	}
}

int dgram_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct dgram *d = to_dgram(p);
	struct mmsghdr m[BATCH_MAX];
	struct iovec iov[BATCH_MAX][2];
	unsigned done = 0;
	bool retried = false;

	build(m, iov, f, n);
	while (done < n) {
		int sent =
			sendmmsg(d->wfd, m + done, n - done, MSG_DONTWAIT | MSG_NOSIGNAL);
		enum verdict verdict;

		if (sent > 0) {
			for (; sent; sent--)
				port_sent(p, &f[done++]);
			retried = false;
			continue;
		}
		if (errno == EAGAIN)
			break;
		verdict = judge(d, errno, retried);
		if (verdict == STOP)
			return done ? (int)done
				    : port_why(p, -errno, "%s", strerror(errno));
		done += verdict == SKIP;
		retried = verdict == AGAIN;
	}
	return (int)done;
}

void dgram_close(struct port *p)
{
	struct dgram *d = to_dgram(p);

	if (d->wfd >= 0 && d->wfd != d->rfd)
		close(d->wfd);
	if (d->rfd >= 0)
		close(d->rfd);
	d->rfd = d->wfd = -1;
}

void dgram_free(struct port *p)
{
	free(to_dgram(p));
}
