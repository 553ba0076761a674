/* SPDX-License-Identifier: MIT */
/*
 * A stream that a listener accepted. Only its peer can open it again.
 *
 * #syscalls: close
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/parts.h"
#include "port/driver.h"
#include "port/stream.h"

struct accepted {
	struct stream stream;
	int fd;
};

static int accepted_open(struct port *p)
{
	struct accepted *a = container_of(p, struct accepted, stream.port);
	int fd = a->fd;

	a->fd = -1;
	return stream_use(&a->stream, fd, fd,
			  HAS_TRUNK ? TRUNK_HELLO_EXPECTED : TRUNK_NONE);
}

static void accepted_free(struct port *p)
{
	struct accepted *a = container_of(p, struct accepted, stream.port);

	if (a->fd >= 0)
		close(a->fd);
	stream_free(p);
}

static const struct port_ops ops = {
	.kind = "accepted",
	.is_stream = true,
	.has_backpressure = true,
	.one_shot = true,
	.open = accepted_open,
	.rx = stream_rx,
	.rx_done = stream_rx_done,
	.tx = stream_tx,
	.shut = stream_shut,
	.is_gone = stream_is_gone,
	.close = stream_close,
	.free = accepted_free,
};

struct port *port_accepted_new(const struct endpoint *ep, int fd, const char *peer,
			       const struct port_env *env)
{
	struct accepted *a = stream_new(sizeof(*a), &ops, env, peer);

	if (a) {
		a->fd = fd;
		a->stream.dead = ep->dead;
		return &a->stream.port;
	}
	close(fd);
	errno = ENOMEM;
	return NULL;
}
