/* SPDX-License-Identifier: MIT */
/* Drivers of sockets and commands on a kernel that refuses: see lib/driver-rig.h. */
#include "lib/driver-rig.h"
#include "lib/sockets.h"

/* ---- what stands at the other end ---- */

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int bound(int family, int type, const void *addr, socklen_t len)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, addr, len) < 0)
		abort();
	if (type == SOCK_STREAM && listen(fd, 8) < 0)
		abort();
	return fd;
}

static void send_to(const void *addr, socklen_t len)
{
	memcpy(&rig.to, addr, len);
	rig.to_len = len;
}

static void begin_tcp(void)
{
	struct sockaddr_in addr = loopback(5001);

	rig.listener = bound(AF_INET, SOCK_STREAM, &addr, sizeof(addr));
}

static void begin_unix(void)
{
	struct sockaddr_un addr = path_of("peer");

	rig.listener = bound(AF_UNIX, SOCK_STREAM, &addr, sizeof(addr));
}

static void begin_udp(void)
{
	struct sockaddr_in addr = loopback(5001), port = loopback(5002);

	rig.fd = bound(AF_INET, SOCK_DGRAM, &addr, sizeof(addr));
	socket_join(rig.fd, &port);
}

static void begin_unixgram(void)
{
	struct sockaddr_un addr = path_of("peer"), own = path_of("own");

	rig.fd = bound(AF_UNIX, SOCK_DGRAM, &addr, sizeof(addr));
	send_to(&own, sizeof(own));
}

/* One socket to hear by; the port tells its own frames by where they come from. */
static void begin_mcast(void)
{
	struct sockaddr_in addr = loopback(5001);
	struct ip_mreq mreq = { .imr_interface = addr.sin_addr };

	addr.sin_addr.s_addr = inet_addr("230.0.0.1");
	mreq.imr_multiaddr = addr.sin_addr;
	rig.fd = bound(AF_INET, SOCK_DGRAM, &addr, sizeof(addr));
	if (setsockopt(rig.fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)) < 0 ||
	    setsockopt(rig.fd, IPPROTO_IP, IP_MULTICAST_IF, &mreq.imr_interface,
		       sizeof(mreq.imr_interface)) < 0)
		abort();
	send_to(&addr, sizeof(addr));
}

static void begin_pair(int type)
{
	int fds[2];

	sockets_pair(type, fds);
	rig.fd = fds[0];
	rig.own = fds[1];
}

static void begin_stream(void)
{
	begin_pair(SOCK_STREAM);
}

static void begin_dgram(void)
{
	begin_pair(SOCK_DGRAM);
}

static void begin_packets(void)
{
	begin_pair(SOCK_SEQPACKET);
}

static void begin_stdio(void)
{
	begin_stream();
	for (int fd = 0; fd < 2; fd++) {
		rig.std[fd] = dup(fd);
		dup2(rig.own, fd);
	}
	close(rig.own);
	rig.own = -1;
}

static void end_stdio(void)
{
	for (int fd = 0; fd < 2; fd++) {
		dup2(rig.std[fd], fd);
		close(rig.std[fd]);
	}
}

static const struct kind kinds[] = {
	{ "tcp", "tcp:127.0.0.1:5001", .begin = begin_tcp, .is_stream = true },
	{ "tcp by name", "tcp:localhost:5001", .begin = begin_tcp, .is_stream = true,
	  .is_named = true },
	{ "unix", "unix:DIR/peer", .begin = begin_unix, .is_stream = true },
	{ "udp", "udp:127.0.0.1:5001,local=127.0.0.1:5002", .begin = begin_udp },
	{ "udp by name", "udp:localhost:5001,local=127.0.0.1:5002", .begin = begin_udp,
	  .is_named = true },
	{ "unixgram", "unixgram:DIR/peer,local=DIR/own", .begin = begin_unixgram },
	{ "mcast", "mcast:230.0.0.1:5001,if=127.0.0.1", .begin = begin_mcast },
	{ "exec", "exec:exec cat", .is_stream = true, .is_echo = true },
	{ "fd of a stream", "fd:FD", .begin = begin_stream, .is_stream = true },
	{ "fd of datagrams", "fd:FD", .begin = begin_dgram },
	{ "fd of packets", "fd:FD", .begin = begin_packets },
	{ "accepted", "tcp-listen:5001", .begin = begin_stream, .is_stream = true },
	{ "stdio", "-", .begin = begin_stdio, .end = end_stdio, .is_stream = true },
};

int main(int argc, char **argv)
{
	if (!rig_begin())
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (argc < 2 || !strcmp(argv[1], kinds[i].name))
			sweep(&kinds[i]);
	rig_end();
	return done();
}
