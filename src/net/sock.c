/* SPDX-License-Identifier: MIT */
/*
 * Sockets: turns addresses into text and back, binds, connects, and sets the options
 * that a relay needs. Paths of unix sockets are in sock-path.c.
 *
 * #syscalls: bind close connect getpeername getsockname getsockopt ioctl prlimit64
 * #syscalls: setsockopt socket
 */
#include "net/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alarm.h"
#include "base/parts.h"
#include "base/util.h"

#define FDS_RESERVE 32 /* at most an eighth of all */

#define UNANSWERED_PROBES 5 /* sent 0.2, 0.4 ... s apart: about 6 s of silence */
#define RTO_MAX_MS 2000 /* the longest pause between two of them, where it can be set */
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44 /* linux/tcp.h since 6.15 */
#endif
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76 /* sys/socket.h since Linux 6.5 */
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* sys/socket.h for Linux 6.16 */
#endif
#define USUAL_DEAD_S 15 /* sets the keepalive interval for dead=0 */
#define STUCK_TIMES 2	/* retransmissions; the first comes after 0.2 s or more */
#define NEAR_US 1000	/* a shorter round trip means that the peer is on the same LAN */
#define CONGESTION_NAME 17 /* TCP_CA_NAME_MAX of the kernel's net/tcp.h, and a NUL */
#define FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)

static int parse_addr4(const struct endpoint_addr *addr, struct sock_addr *out)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)&out->storage;

	sin->sin_family = AF_INET;
	sin->sin_port = htons(addr->port);
	out->len = sizeof(*sin);
	if (addr->host[0] && inet_pton(AF_INET, addr->host, &sin->sin_addr) != 1)
		return -ENXIO;
	return 0;
}

/* Read the scope of an IPv6 address: an interface's name or index. */
static int read_scope(const char *text, uint32_t *id)
{
	char name[IF_NAMESIZE];

	*id = if_nametoindex(text);
	if (!*id && !parse_uint(text, 10, UINT32_MAX, id))
		return -ENODEV;
	return if_indextoname(*id, name) ? 0 : -ENODEV;
}

static int parse_addr6(const struct endpoint_addr *addr, struct sock_addr *out)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&out->storage;
	const char *scope = strchr(addr->host, '%');
	char host[INET6_ADDRSTRLEN];
	size_t len = scope ? (size_t)(scope - addr->host) : strlen(addr->host);

	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(addr->port);
	out->len = sizeof(*sin6);
	if (!addr->host[0])
		return 0;
	if (len >= sizeof(host))
		return -ENXIO;
	memcpy(host, addr->host, len);
	host[len] = '\0';
	if (inet_pton(AF_INET6, host, &sin6->sin6_addr) != 1)
		return -ENXIO;
	return scope ? read_scope(scope + 1, &sin6->sin6_scope_id) : 0;
}

int sock_addr_parse(const struct endpoint_addr *addr, int family, struct sock_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (addr->host[0])
		family = addr->family;
	switch (family) {
	case AF_INET:
		return parse_addr4(addr, out);
	case AF_INET6:
		return parse_addr6(addr, out);
	default:
		return -ENXIO;
	}
}

const char *sock_text(const struct sock_addr *addr, char *buf)
{
	const struct sockaddr_in *sin = (const struct sockaddr_in *)&addr->storage;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&addr->storage;
	const struct sockaddr_un *sun = (const struct sockaddr_un *)&addr->storage;
	char host[INET6_ADDRSTRLEN] = "?", scope[IF_NAMESIZE + 1] = "";

	switch (addr->sa.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &sin->sin_addr, host, sizeof(host));
		snprintf(buf, SOCK_TEXT_MAX, "%s:%u", host, ntohs(sin->sin_port));
		break;
	case AF_INET6:
		if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
			inet_ntop(AF_INET, &sin6->sin6_addr.s6_addr[12], host,
				  sizeof(host));
			snprintf(buf, SOCK_TEXT_MAX, "%s:%u", host,
				 ntohs(sin6->sin6_port));
			break;
		}
		inet_ntop(AF_INET6, &sin6->sin6_addr, host, sizeof(host));
		if (sin6->sin6_scope_id && if_indextoname(sin6->sin6_scope_id, scope + 1))
			scope[0] = '%';
		snprintf(buf, SOCK_TEXT_MAX, "[%s%s]:%u", host, scope,
			 ntohs(sin6->sin6_port));
		break;
	default:
		snprintf(buf, SOCK_TEXT_MAX, "%.*s", (int)sizeof(sun->sun_path),
			 sun->sun_path);
	}
	return buf;
}

static void set_option(int fd, int level, int name, int value)
{
	setsockopt(fd, level, name, &value, sizeof(value));
}

static bool is_any(const struct sock_addr *addr)
{
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&addr->storage;

	return IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr);
}

int sock_bind(const struct sock_addr *addr, int type)
{
	int ret, fd = socket(addr->sa.sa_family, type | FLAGS, 0);

	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM)
		set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (addr->sa.sa_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY,
			   type != SOCK_STREAM || !is_any(addr));
	if (bind(fd, &addr->sa, addr->len) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

int sock_bind_listener(const struct endpoint_addr *addr,
		       int (*bind)(const struct sock_addr *addr, void *arg), void *arg)
{
	struct sock_addr local;
	int ret = sock_addr_parse(addr, AF_INET6, &local);

	if (ret < 0)
		return ret;
	ret = bind(&local, arg);
	if (!addr->host[0] && (ret == -EAFNOSUPPORT || ret == -EADDRNOTAVAIL)) {
		sock_addr_parse(addr, AF_INET, &local);
		ret = bind(&local, arg);
	}
	return ret;
}

void sock_unmap(struct sock_addr *addr)
{
	struct sockaddr_in6 in6 = *(const struct sockaddr_in6 *)&addr->storage;
	struct sockaddr_in *in = (struct sockaddr_in *)&addr->storage;

	if (addr->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
		return;
	memset(addr, 0, sizeof(*addr));
	addr->len = sizeof(*in);
	in->sin_family = AF_INET;
	in->sin_port = in6.sin6_port;
	memcpy(&in->sin_addr, &in6.sin6_addr.s6_addr[12], sizeof(in->sin_addr));
}

static bool is_same_address(const struct sockaddr_storage *a,
			    const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in *b4 = (const struct sockaddr_in *)b;
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
	const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

bool sock_is_same_host(const struct sock_addr *a, const struct sock_addr *b)
{
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)&a->storage;
	const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)&b->storage;

	return is_same_address(&a->storage, &b->storage) &&
	       (a->sa.sa_family != AF_INET6 || a6->sin6_scope_id == b6->sin6_scope_id);
}

/* The port is at the same offset in IPv4's and IPv6's structs. */
static in_port_t *port_of(const struct sockaddr_storage *addr)
{
	return &((struct sockaddr_in *)(uintptr_t)addr)->sin_port;
}

bool sock_is_from(const struct sock_addr *addr, const struct sockaddr_storage *from)
{
	return is_same_address(&addr->storage, from) &&
	       *port_of(&addr->storage) == *port_of(from);
}

bool sock_is_here(const struct sock_addr *addr)
{
	struct sock_addr any_port = *addr;
	int ret = 0, fd = socket(addr->sa.sa_family, SOCK_DGRAM | FLAGS, 0);

	if (fd < 0)
		return true;
	*port_of(&any_port.storage) = 0;
	if (bind(fd, &any_port.sa, any_port.len) < 0)
		ret = errno;
	close(fd);
	return ret != EADDRNOTAVAIL && ret != ENODEV && ret != EINVAL;
}

const char *sock_hint(int err)
{
	static const struct {
		int err;
		const char *hint;
	} hints[] = {
		{ EADDRINUSE, "; end the program that uses it, or take another" },
		{ EADDRNOTAVAIL,
		  "; no interface has this address; take one of this host" },
		{ ENODEV, "; there is no such interface; ip link shows which there are" },
		{ EPERM, "; only root or one of its members can give it to a group" },
		{ EACCES, "; take a port above 1023, or a path that you may write to" },
		{ ENOENT, "; make its directory first" },
		{ ENOTDIR, "; a part of the path is a file" },
		{ ENOTSOCK, "; remove what is there, or take another path" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(hints); i++)
		if (hints[i].err == -err)
			return hints[i].hint;
	return "";
}

int sock_connect(const struct sock_addr *addr, int type, unsigned mss, bool *in_progress)
{
	int ret, fd = socket(addr->sa.sa_family, type | FLAGS, 0);

	*in_progress = false;
	if (fd < 0)
		return -errno;
	if (HAS_ALARM && addr->sa.sa_family == AF_UNIX)
		sock_take_fds(fd, false);
	if (mss)
		set_option(fd, IPPROTO_TCP, TCP_MAXSEG, (int)mss);
	if (connect(fd, &addr->sa, addr->len) == 0)
		return fd;
	if (errno == EINPROGRESS) {
		*in_progress = true;
		return fd;
	}
	ret = -errno;
	close(fd);
	return ret;
}

bool sock_is_short(int err)
{
	return err == ENOBUFS || err == ENOMEM;
}

bool sock_listens(int fd)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) == 0 && value;
}

int sock_error(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return -errno;
	return -err;
}

bool sock_is_own(int fd)
{
	struct sock_addr own = { .len = sizeof(own.storage) };
	struct sock_addr peer = { .len = sizeof(peer.storage) };
	char own_text[SOCK_TEXT_MAX], peer_text[SOCK_TEXT_MAX];

	if (getsockname(fd, &own.sa, &own.len) < 0 ||
	    getpeername(fd, &peer.sa, &peer.len) < 0 || own.sa.sa_family == AF_UNIX)
		return false;
	return !strcmp(sock_text(&own, own_text), sock_text(&peer, peer_text));
}

void sock_close_hard(int fd)
{
	const struct linger at_once = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

/*
 * BBR paces: a frame waits for a timer although the line is free. On a LAN that halves
 * the throughput of a trunk. So a connection to a near peer is switched from BBR to
 * Reno, which does not pace and which every user may choose
 * (tcp_set_congestion_control() in the kernel's tcp_cong.c). The host's choice is kept
 * if the peer is far away, or if it is not BBR. The kernel goes on pacing a connection
 * that BBR began to pace, but Reno sets the rate higher than the window allows.
 */
static void avoid_pacing(int fd)
{
	char now[CONGESTION_NAME] = "";
	struct tcp_info info = { 0 };
	socklen_t now_len = sizeof(now) - 1, info_len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, now, &now_len) < 0 ||
	    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_len) < 0)
		return;
	/* A round trip of 0 means that it is not known. */
	if (strncmp(now, "bbr", 3) == 0 && info.tcpi_rtt && info.tcpi_rtt < NEAR_US)
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", strlen("reno"));
}

void sock_tune_tcp(int fd)
{
	avoid_pacing(fd);
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 128 << 10);
	/*
	 * The kernel probes a window that stays shut ever more rarely, in the end once
	 * a minute, and notices only then that the peer is gone. Since Linux 6.15 the
	 * pause between probes can be limited.
	 */
	set_option(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, RTO_MAX_MS);
}

/*
 * The first keepalive goes out after a third of the time, and three unanswered ones, a
 * fifth apart, end the connection: 14/15 of the time in all.
 *
 * With a user timeout, neither keepalives nor retransmissions end a connection before
 * that timeout (tcp_keepalive_timer() and tcp_write_timeout() in the kernel's
 * tcp_timer.c). The longest possible timeout therefore means "never".
 */
void sock_tcp_dead(int fd, unsigned seconds)
{
	unsigned of = seconds ? seconds : USUAL_DEAD_S;

	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)(of / 3));
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)(of / 5));
	set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, seconds ? 0 : INT_MAX);
}

void sock_tcp_may_fragment(int fd)
{
	set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
}

/*
 * How many unanswered probes of a shut window show that the peer is silent. A single
 * probe may have got lost. Where the pause between probes is limited (Linux 6.15) another
 * follows soon, so the first one counts. Elsewhere it may follow a minute later, so
 * several must be unanswered.
 */
static int probes_needed(int fd)
{
	int ms;
	socklen_t len = sizeof(ms);

	return getsockopt(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, &ms, &len) < 0
		       ? UNANSWERED_PROBES
		       : 1;
}

long sock_tcp_silent_ms(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -1;
	/* The peer must answer data, and probes of its shut window. */
	if (info.tcpi_unacked || info.tcpi_probes >= probes_needed(fd))
		return (long)info.tcpi_last_ack_recv;
	return 0;
}

bool sock_tcp_is_stuck(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	       info.tcpi_unacked && info.tcpi_retransmits >= STUCK_TIMES;
}

void sock_tune_datagrams(int fd)
{
	static const int size = 4 << 20;

	set_option(fd, SOL_SOCKET, SO_RCVBUF, size);
	set_option(fd, SOL_SOCKET, SO_SNDBUF, size);
	set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, size);
	set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, size);
}

static bool is_unix(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
	       domain == AF_UNIX;
}

bool sock_take_fds(int fd, bool may)
{
	const int value = may;

	if (setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &value, sizeof(value)) == 0 ||
	    may || !HAS_ALARM || !is_unix(fd))
		return may;
	alarm_need();
	/* Otherwise, MSG_CTRUNC would not only tell of descriptors. */
	set_option(fd, SOL_SOCKET, SO_PASSCRED, 0);
	set_option(fd, SOL_SOCKET, SO_PASSSEC, 0);
	set_option(fd, SOL_SOCKET, SO_PASSPIDFD, 0);
	return true;
}

bool sock_leaves_fds(int fd)
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };
	rlim_t reserve;

	getrlimit(RLIMIT_NOFILE, &limit);
	reserve = limit.rlim_cur / 8 < FDS_RESERVE ? limit.rlim_cur / 8 : FDS_RESERVE;
	return (rlim_t)fd + reserve < limit.rlim_cur;
}
