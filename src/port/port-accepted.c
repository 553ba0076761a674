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

/* @session: of a sealed trunk, until it is opened; or NULL */
struct accepted {
	struct stream stream;
	int fd;
	struct session *session;
};

static void forget_session(struct accepted *a)
{
	if (!a->session)
		return;
	crypto_wipe(a->session, sizeof(*a->session));
	free(a->session);
	a->session = NULL;
}

static int accepted_open(struct port *p)
{
	struct accepted *a = container_of(p, struct accepted, stream.port);
	int fd = a->fd;

	a->fd = -1;
	if (HAS_KEYS && a->session) {
		int ret = stream_use_session(&a->stream, fd, a->session);

		forget_session(a);
		return ret;
	}
	return stream_use(&a->stream, fd, fd,
			  HAS_TRUNK ? TRUNK_HELLO_EXPECTED : TRUNK_NONE);
}

static void accepted_free(struct port *p)
{
	struct accepted *a = container_of(p, struct accepted, stream.port);

	if (a->fd >= 0)
		close(a->fd);
	if (HAS_KEYS)
		forget_session(a);
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

int port_accepted_seal(struct port *p, struct session *session)
{
	struct accepted *a = container_of(p, struct accepted, stream.port);

	a->session = malloc(sizeof(*a->session));
	if (!a->session)
		return -ENOMEM;
	*a->session = *session;
	crypto_wipe(session, sizeof(*session));
	return 0;
}
