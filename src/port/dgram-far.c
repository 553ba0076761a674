/* SPDX-License-Identifier: MIT */
/*
 * A datagram port's watch over its far end and its own host. Nobody closes such a link,
 * and nobody says when it has become void. So the port reads the errors that ICMP
 * reports, and checks every two seconds whether its socket still fits the host. It does
 * so only while it sends, or just after something has changed on the host: an idle port
 * causes no wake-ups.
 *
 * #syscalls: getsockname getsockopt recvmsg setsockopt
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include <linux/errqueue.h>

#include "port/dgram.h"

#define ERRORS_AT_ONCE 64
#define LOOKS 5		/* after the last frame sent, or piece of news */
#define QUIET_LOOKS 3	/* a host reports at least one refusal a second */
#define MEASURE_LOOKS 5 /* 10 s */
#define HEADERS_IPV4 28
#define HEADERS_IPV6 48

/* ---- refusals ---- */

/* Return: the errno of an error that ICMP reported; 0: the error was our own host's. */
static int errno_of(struct msghdr *msg)
{
	/* We ask for no other control message. */
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	struct sock_extended_err e;

	if (!c || (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) &&
		   !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)))
		return 0;
	memcpy(&e, CMSG_DATA(c), sizeof(e));
	if (e.ee_origin != SO_EE_ORIGIN_ICMP && e.ee_origin != SO_EE_ORIGIN_ICMP6)
		return 0;
	return (int)e.ee_errno;
}

unsigned dgram_take_errors(struct dgram *d)
{
	unsigned n = 0;

	for (unsigned i = 0; d->has_errors && i < ERRORS_AT_ONCE; i++) {
		union {
			size_t align;
			char bytes[256];
		} control;
		struct msghdr msg = { .msg_control = control.bytes,
				      .msg_controllen = sizeof(control.bytes) };
		int err;

		if (recvmsg(d->rfd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			break;
		err = errno_of(&msg);
		/* A router wants smaller packets: the kernel fragments the next ones. */
		if (!err || err == EMSGSIZE)
			continue;
		d->port.far_errno = err;
		d->quiet = 0;
		n++;
	}
	d->refused += n;
	return n;
}

/* Clear the error when datagrams were sent, and nobody has refused any for a while. */
static void forget_refusal(struct dgram *d)
{
	struct port *p = &d->port;
	uint64_t tx = p->count.tx_frames + p->count.dropped[DROP_REFUSED];

	dgram_take_errors(d);
	if (p->far_errno && tx != d->seen_tx && ++d->quiet == QUIET_LOOKS)
		p->far_errno = 0;
	if (!p->far_errno)
		d->quiet = 0;
	d->seen_tx = tx;
}

/* ---- segmentation by the kernel ---- */

/* Find out which frames UDP_SEGMENT may take. It is done again now and then: paths change. */
static void measure(struct dgram *d)
{
	struct sockaddr_storage self = { 0 };
	socklen_t self_len = sizeof(self), mtu_len = sizeof(int), size_len = sizeof(int);
	bool is_ipv6;
	int mtu, size;

	d->segment_max = 0;
	/* A kernel without it (Linux before 4.18) would send a run as one datagram. */
	if (getsockopt(d->wfd, SOL_UDP, UDP_SEGMENT, &size, &size_len) < 0 ||
	    getsockname(d->wfd, (struct sockaddr *)&self, &self_len) < 0)
		return;
	is_ipv6 = self.ss_family == AF_INET6;
	if (getsockopt(d->wfd, is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
		       is_ipv6 ? IPV6_MTU : IP_MTU, &mtu, &mtu_len) < 0)
		return;
	d->segment_max = (uint32_t)(mtu - (is_ipv6 ? HEADERS_IPV6 : HEADERS_IPV4));
}

void dgram_use_udp(struct dgram *d)
{
	d->is_udp = true;
	setsockopt(d->rfd, SOL_UDP, UDP_GRO, &(int){ 1 }, sizeof(int));
	measure(d);
}

/* ---- looking ---- */

static void look(struct timer *t)
{
	struct dgram *d = container_of(t, struct dgram, timer);
	const struct port_counters *c = &d->port.count;

	if (c->tx_frames + c->dropped[DROP_REFUSED] != d->seen_tx)
		d->looks_left = LOOKS;
	if (d->looks_left)
		d->looks_left--;
	if (d->looks_left)
		timer_set(d->port.env->loop, t, DGRAM_LOOK_MS, look);
	else if (d->idle_ms)
		timer_set(d->port.env->loop, t, d->idle_ms, look);
	forget_refusal(d);
	if (d->is_udp && ++d->looks % MEASURE_LOOKS == 0)
		measure(d);
	if (d->look && d->look(d) < 0)
		port_down(&d->port);
}

void dgram_look_on(struct dgram *d)
{
	bool is_looking = d->timer.is_set && d->looks_left;

	d->looks_left = LOOKS;
	if (!is_looking)
		timer_set(d->port.env->loop, &d->timer, DGRAM_LOOK_MS, look);
}

static void on_news(struct links_user *u, const struct nl_link *link)
{
	(void)link;
	dgram_look_on(container_of(u, struct dgram, news));
}

static bool keeps_errors(int fd, int level, int option)
{
	return setsockopt(fd, level, option, &(int){ 1 }, sizeof(int)) == 0;
}

int dgram_begin(struct dgram *d)
{
	/* Sockets that are not of IP refuse this. */
	d->has_errors = d->rfd == d->wfd &&
			(keeps_errors(d->rfd, IPPROTO_IPV6, IPV6_RECVERR) ||
			 keeps_errors(d->rfd, IPPROTO_IP, IP_RECVERR));
	d->port.far_errno = 0;
	d->refused = 0;
	d->news.changed = on_news;
	d->news.is_of_host = true;
	/* A failure only means that the port is not checked while it is idle. */
	if (d->is_udp && d->port.env->links)
		links_join(d->port.env->links, &d->news, "");
	dgram_look_on(d);
	return port_set_fds(&d->port, d->rfd, d->wfd);
}
