// SPDX-License-Identifier: MIT
/*
 * Endpoints the traffic tool talks to by itself, with system calls of its own
 * rather than netrelay's, so that a mistake in the one is not excused by the
 * same mistake in the other. Descriptors block. A table says what each kind is.
 *
 * A TCP or unix server that is not there yet is tried again until time is up,
 * so that a test may start its parts in any order.
 */
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "frames.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23 /* linux/if_packet.h since 4.20 */
#endif

#define LARGE_BUFFER (64 << 20) /* a small one loses datagrams, and netrelay is blamed */
#define RETRY_MS 20

enum role { CONNECT, LISTEN, DATAGRAM };

static const struct kind {
	const char *prefix;
	int family; /* AF_UNSPEC: whichever the address is */
	enum role role;
} kinds[] = {
	{ "tcp:", AF_UNSPEC, CONNECT },	 { "tcp-listen:", AF_UNSPEC, LISTEN },
	{ "unix:", AF_UNIX, CONNECT },	 { "unix-listen:", AF_UNIX, LISTEN },
	{ "udp:", AF_UNSPEC, DATAGRAM }, { "unixgram:", AF_UNIX, DATAGRAM },
};

struct addr {
	struct sockaddr_storage sa;
	socklen_t len;
};

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t now_ms(void)
{
	return now_ns() / 1000000u;
}

void sleep_until_ns(uint64_t when)
{
	struct timespec ts = {
		.tv_sec = (time_t)(when / 1000000000u),
		.tv_nsec = (long)(when % 1000000000u),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		continue;
}

int wait_fd(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n;
}

/* "ADDR:PORT" or "[ADDR6]:PORT", numbers only. */
static int parse_inet(const char *text, struct addr *addr)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	const char *colon = strrchr(text, ':');
	struct addrinfo *ai;
	char host[64];
	size_t n;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	n = (size_t)(colon - text);
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	memcpy(host, text, n);
	host[n] = '\0';
	if (getaddrinfo(host, colon + 1, &hints, &ai))
		return -EINVAL;
	memcpy(&addr->sa, ai->ai_addr, ai->ai_addrlen);
	addr->len = ai->ai_addrlen;
	freeaddrinfo(ai);
	return 0;
}

static int parse_unix(const char *path, struct addr *addr)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (!*path || strlen(path) >= sizeof(un.sun_path))
		return -EINVAL;
	memcpy(un.sun_path, path, strlen(path));
	memcpy(&addr->sa, &un, sizeof(un));
	addr->len = sizeof(un);
	return 0;
}

static int parse_addr(const struct kind *kind, const char *text, struct addr *addr)
{
	return kind->family == AF_UNIX ? parse_unix(text, addr) : parse_inet(text, addr);
}

/* Return: NULL if @text is of none. @rest: set to what is behind its prefix */
static const struct kind *find_kind(const char *text, const char **rest)
{
	size_t i, n;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		n = strlen(kinds[i].prefix);
		if (strncmp(text, kinds[i].prefix, n))
			continue;
		*rest = text + n;
		return &kinds[i];
	}
	return NULL;
}

int channel_address(const char *text, struct sockaddr_storage *sa, socklen_t *len)
{
	const struct kind *kind = find_kind(text, &text);
	struct addr addr;

	if (!kind || kind->role != CONNECT || parse_addr(kind, text, &addr))
		return -EINVAL;
	memcpy(sa, &addr.sa, addr.len);
	*len = addr.len;
	return 0;
}

static void set_rcvbuf(int fd, int size)
{
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static int open_socket(struct channel *ch, int family, int type, int protocol,
		       const struct channel_options *opt)
{
	struct timeval tv = { .tv_sec = opt->patience_ms / 1000,
			      .tv_usec = opt->patience_ms % 1000 * 1000 };
	int one = 1;

	ch->step = "socket";
	ch->socket = true;
	ch->in = ch->out = socket(family, type | SOCK_CLOEXEC, protocol);
	if (ch->in < 0)
		return -errno;
	/* Streams keep the kernel's own sizing unless told: it is what QEMU has. */
	if (opt->rcvbuf || type != SOCK_STREAM)
		set_rcvbuf(ch->in, opt->rcvbuf ? opt->rcvbuf : LARGE_BUFFER);
	setsockopt(ch->in, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(ch->in, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return 0;
}

static int connect_patiently(struct channel *ch, const struct addr *to, int timeout_ms)
{
	uint64_t end = now_ms() + (uint64_t)timeout_ms;
	int one = 1;

	ch->step = "connect";
	ch->stream = true;
	while (connect(ch->out, (const struct sockaddr *)&to->sa, to->len)) {
		if (errno != ECONNREFUSED && errno != ENOENT && errno != EAGAIN)
			return -errno;
		if (now_ms() >= end)
			return -errno;
		sleep_until_ns(now_ns() + RETRY_MS * 1000000u);
	}
	/* As QEMU does where it dials; where it accepts, Nagle stays on. */
	if (to->sa.ss_family != AF_UNIX)
		setsockopt(ch->out, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return 0;
}

static int bind_to(struct channel *ch, const struct addr *at)
{
	struct sockaddr_un un;

	ch->step = "bind";
	if (at->sa.ss_family == AF_UNIX) {
		memcpy(&un, &at->sa, sizeof(un));
		memcpy(ch->path, un.sun_path, sizeof(ch->path));
		unlink(ch->path);
	}
	if (bind(ch->in, (const struct sockaddr *)&at->sa, at->len))
		return -errno;
	return 0;
}

static int listen_at(struct channel *ch, const struct addr *at)
{
	int err = bind_to(ch, at);

	if (err)
		return err;
	ch->step = "listen";
	ch->stream = true;
	ch->listening = true;
	return listen(ch->in, 16) ? -errno : 0;
}

/* "PEER,local=OWN" */
static int open_datagram(struct channel *ch, const struct kind *kind, const char *text,
			 const struct channel_options *opt)
{
	char *copy = strdup(text);
	char *comma = copy ? strstr(copy, ",local=") : NULL;
	struct addr peer, own;
	int err = -EINVAL;

	if (!comma)
		goto out;
	*comma = '\0';
	if (parse_addr(kind, copy, &peer))
		goto out;
	if (parse_addr(kind, comma + strlen(",local="), &own))
		goto out;
	err = open_socket(ch, own.sa.ss_family, SOCK_DGRAM, 0, opt);
	if (!err)
		err = bind_to(ch, &own);
	memcpy(&ch->peer, &peer.sa, sizeof(peer.sa));
	ch->peer_len = peer.len;
out:
	free(copy);
	return err;
}

static int open_kind(struct channel *ch, const struct kind *kind, const char *text,
		     const struct channel_options *opt)
{
	struct addr addr;
	int err;

	if (kind->role == DATAGRAM)
		return open_datagram(ch, kind, text, opt);
	err = parse_addr(kind, text, &addr);
	if (err)
		return err;
	err = open_socket(ch, addr.sa.ss_family, SOCK_STREAM, 0, opt);
	if (err)
		return err;
	if (kind->role == LISTEN)
		return listen_at(ch, &addr);
	return connect_patiently(ch, &addr, opt->patience_ms);
}

static int open_interface(struct channel *ch, const char *name,
			  const struct channel_options *opt)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL) };
	struct packet_mreq mreq = { .mr_type = PACKET_MR_PROMISC };
	int one = 1;
	int err;

	ch->step = "interface";
	ll.sll_ifindex = mreq.mr_ifindex = (int)if_nametoindex(name);
	if (!ll.sll_ifindex)
		return -errno;
	/* Protocol 0 receives nothing, so nothing of another interface, until bound. */
	err = open_socket(ch, AF_PACKET, SOCK_RAW, 0, opt);
	if (err)
		return err;
	ch->step = "packet socket";
	if (setsockopt(ch->in, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(ch->in, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq, sizeof(mreq)) ||
	    bind(ch->in, (struct sockaddr *)&ll, sizeof(ll)))
		return -errno;
	return 0;
}

int channel_open(struct channel *ch, const char *text, const struct channel_options *opt)
{
	const struct kind *kind;

	memset(ch, 0, sizeof(*ch));
	ch->in = ch->out = -1;
	ch->step = "endpoint";
	ch->patience_ms = opt->patience_ms;
	if (!strcmp(text, "-")) {
		ch->in = STDIN_FILENO;
		ch->out = STDOUT_FILENO;
		ch->stream = true;
		return 0;
	}
	if (!strncmp(text, "if:", 3))
		return open_interface(ch, text + 3, opt);
	kind = find_kind(text, &text);
	return kind ? open_kind(ch, kind, text, opt) : -EINVAL;
}

int channel_accept(struct channel *ch)
{
	int n, fd;

	if (!ch->listening)
		return 0;
	ch->step = "accept";
	n = wait_fd(ch->in, POLLIN, ch->patience_ms);
	if (n <= 0)
		return n ? n : -ETIMEDOUT;
	fd = accept4(ch->in, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(ch->in);
	ch->in = ch->out = fd;
	ch->listening = false;
	return 0;
}

void channel_close(struct channel *ch)
{
	if (ch->socket && ch->in >= 0)
		close(ch->in);
	if (ch->path[0])
		unlink(ch->path);
	ch->in = ch->out = -1;
}
