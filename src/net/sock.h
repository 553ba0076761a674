/* SPDX-License-Identifier: MIT */
/*
 * Sockets: addresses to and from text, listening, and the options a relay
 * wants. All descriptors made here are non-blocking and close-on-exec.
 */
#ifndef SOCK_H
#define SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "conf/endpoint.h"

#define SOCK_TEXT_MAX 160 /* the longest text of sock_text(), with its NUL */

struct sock_addr {
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_storage storage;
	};
};

/* A unix socket's path that we made, and whether it is still ours. */
struct sock_path {
	char path[ENDPOINT_PATH_MAX];
	dev_t dev;
	ino_t ino;
};

/*
 * sock_addr_parse() - The address of a numeric endpoint_addr.
 * @family: which "any address" an empty host stands for
 *
 * Return: 0; -ENXIO when the host is a name, to be resolved; -ENODEV when its
 * %scope is no interface.
 */
int sock_addr_parse(const struct endpoint_addr *addr, int family, struct sock_addr *out);

/* sock_unix() - The address of a unix socket's path, which must fit. */
void sock_unix(const char *path, struct sock_addr *out);

/* sock_text() - "1.2.3.4:5", "[::1]:5" or a path, at @buf, SOCK_TEXT_MAX bytes. */
const char *sock_text(const struct sock_addr *addr, char *buf);

/*
 * sock_bind() - A socket bound to @addr.
 * @type: SOCK_STREAM or SOCK_DGRAM
 *
 * A stream socket gets SO_REUSEADDR, or a relay that restarts would be locked
 * out of its own port for a minute. Its IPv6 "any" serves IPv4 too.
 *
 * Return: the descriptor or -errno.
 */
int sock_bind(const struct sock_addr *addr, int type);

/*
 * sock_bound_unix() - A unix socket bound to a path; one of streams listens, too.
 * @mode: access to the path
 * @made: filled in, for sock_unlink()
 *
 * A path that nobody listens on any more is taken over, by one if several try at
 * once; one that is in use, or is no socket, is left alone.
 *
 * Return: the descriptor; -EADDRINUSE; -ENOTSOCK when something else is there;
 * another -errno.
 */
int sock_bound_unix(const char *path, int type, mode_t mode, struct sock_path *made);

/* sock_is_linked() - Whether the path still leads to the socket that was bound to it. */
bool sock_is_linked(const struct sock_path *made);

/* sock_unlink() - Remove the path, unless it is another's by now. */
void sock_unlink(const struct sock_path *made);

/* sock_unmap() - Make an IPv4 address of an IPv6 one that stands for it: ::ffff:1.2.3.4. */
void sock_unmap(struct sock_addr *addr);

/* sock_is_same_host() - Whether two are of one address and scope, whatever their ports. */
bool sock_is_same_host(const struct sock_addr *a, const struct sock_addr *b);

/* sock_is_from() - Whether @from is this address and port, whatever its scope. */
bool sock_is_from(const struct sock_addr *addr, const struct sockaddr_storage *from);

/* sock_is_here() - Whether an address is one of this host's, as far as can be told. */
bool sock_is_here(const struct sock_addr *addr);

/* sock_advice() - What to do when binding failed with @err: "; ..." or "". */
const char *sock_advice(int err);

#define SOCK_MSS_IPV6 1220 /* what fits into any path's packets: RFC 8200, 5 */

/*
 * sock_connect() - A socket that connects to @addr.
 * @mss: the most that a TCP packet is to carry, either way; 0: what the path takes
 *
 * Return: the descriptor or -errno.
 */
int sock_connect(const struct sock_addr *addr, int type, unsigned mss, bool *in_progress);

/*
 * sock_is_short() - Whether an errno says that the kernel lacks memory now. The
 * socket is as good as before, and the same call may succeed a moment later.
 */
bool sock_is_short(int err);

/* sock_error() - What became of a connect in progress. Return: 0 or -errno. */
int sock_error(int fd);

/*
 * sock_is_own() - Whether a connected socket is its own peer. When nobody listens
 * at a port of the range that the kernel takes local ports from, and it takes
 * just this one, a connection to it succeeds, by simultaneous open (RFC 9293, 3.5).
 */
bool sock_is_own(int fd);

/* sock_close_hard() - By a reset: nothing of a TCP connection is left, no TIME_WAIT either. */
void sock_close_hard(int fd);

/*
 * sock_tune_tcp() - No delay, a short unsent queue, and no pacing of a connected
 * socket whose peer is near.
 */
void sock_tune_tcp(int fd);

/*
 * sock_tcp_dead() - After how much silence the kernel calls a TCP peer dead.
 * @seconds: about so many, from 5 on; 0: never. A peer that has forgotten the
 *           connection says so at the next keepalive, and is then gone at once.
 */
void sock_tcp_dead(int fd, unsigned seconds);

/*
 * sock_tcp_silent_ms() - How long a TCP peer has owed an answer.
 *
 * Return: milliseconds since its last sign of life; 0 when nothing is under
 * way; -1 when @fd is not TCP.
 */
long sock_tcp_silent_ms(int fd);

/*
 * sock_tcp_may_fragment() - Have what is sent from now on, and sent again, go
 * through where packets are too long and nobody says so.
 *
 * A TCP socket forbids routers to cut its packets, and waits to be told by ICMP of
 * one that is too long. Where a firewall drops that, nothing longer than the
 * narrowest part of the way ever arrives (RFC 2923, 2.1). Without that ban routers
 * cut, over IPv4; over IPv6 nobody may.
 */
void sock_tcp_may_fragment(int fd);

/* sock_tcp_is_stuck() - Whether the same data was sent again and again, for nothing. */
bool sock_tcp_is_stuck(int fd);

/* sock_tune_datagrams() - Large buffers, as large as we are allowed. */
void sock_tune_datagrams(int fd);

#endif
