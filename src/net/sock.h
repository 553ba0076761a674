/* SPDX-License-Identifier: MIT */
/*
 * Sockets: turns addresses into text and back, binds, connects, and sets the options
 * that a relay needs. sock-path.c has the paths of unix sockets. All descriptors made
 * here are non-blocking and close-on-exec, and belong to the caller.
 */
#ifndef SOCK_H
#define SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "conf/endpoint.h"

#define SOCK_TEXT_MAX 160 /* bytes of sock_text()'s longest text, with its NUL */

#define SOCK_OWN_GROUP ((gid_t)-1)

/* A socket address of any family; @len is its size in bytes. */
struct sock_addr {
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_storage storage;
	};
};

/* The path of a unix socket that we made, and the inode that tells whether it is still ours. */
struct sock_path {
	char path[ENDPOINT_PATH_MAX];
	dev_t dev;
	ino_t ino;
};

/*
 * sock_addr_parse() - Make a socket address of a numeric endpoint_addr.
 * @family: AF_INET or AF_INET6: the family of "any address", if the host is empty
 * @out:    set to the address
 *
 * Return: 0; -ENXIO when the host is a name, which must be resolved first; -ENODEV
 * when its %scope is not an interface.
 */
int sock_addr_parse(const struct endpoint_addr *addr, int family, struct sock_addr *out);

/* sock_unix() - Make the address of a unix socket; @path is cut to ENDPOINT_PATH_MAX - 1 bytes. */
void sock_unix(const char *path, struct sock_addr *out);

/*
 * sock_text() - Write an address as "1.2.3.4:5", "[::1]:5" or a path.
 * @buf: SOCK_TEXT_MAX bytes
 *
 * An IPv4 address within IPv6 (::ffff:1.2.3.4) is written as IPv4. Return: @buf.
 */
const char *sock_text(const struct sock_addr *addr, char *buf);

/*
 * sock_bind() - Make a socket and bind it to @addr.
 * @type: SOCK_STREAM or SOCK_DGRAM
 *
 * A stream socket gets SO_REUSEADDR: without it a relay that restarts could not have
 * its own port again for a minute (TIME_WAIT). If it is bound to IPv6's "any
 * address", it serves IPv4 too.
 *
 * Return: the descriptor or -errno.
 */
int sock_bind(const struct sock_addr *addr, int type);

/*
 * sock_bind_listener() - Bind to @addr; without a host, to all addresses of both families at
 * once, or of IPv4 where there is no IPv6.
 * @bind: binds to an address. IPv6's "any address" is to serve IPv4, too. Return: -errno on
 *        an error
 * @arg:  passed to it
 *
 * Return: what @bind has returned; or -errno.
 */
int sock_bind_listener(const struct endpoint_addr *addr,
		       int (*bind)(const struct sock_addr *addr, void *arg), void *arg);

/*
 * sock_bound_unix() - Make a unix socket and bind it to @path; a stream socket also
 * listens.
 * @type: SOCK_STREAM or SOCK_DGRAM
 * @mode: permissions of the path
 * @group: whose the path is, before anybody else may use it; SOCK_OWN_GROUP: ours
 * @made: filled in, for sock_is_linked() and sock_unlink()
 *
 * A path that no program serves any more is taken over; if several try that at once,
 * one of them gets it. A path that is in use, or is not a socket, is left alone. It
 * waits for 10 ms before it takes over a stream socket's path.
 *
 * Return: the descriptor; -EADDRINUSE when the path is in use; -ENOTSOCK when it is
 * not a socket; -EPERM when we may not give it to the group; another -errno.
 */
int sock_bound_unix(const char *path, int type, mode_t mode, gid_t group,
		    struct sock_path *made);

/*
 * sock_unix_hint() - What the user can do when connecting to a path failed, by -errno @err.
 *
 * Return: a constant to append to the message, " (...)", or "".
 */
const char *sock_unix_hint(int err);

/*
 * sock_process() - The process at the other end of a unix socket, as "pid N" in @buf.
 *
 * Return: @buf; NULL: it is not known.
 */
const char *sock_process(int fd, char *buf, size_t size);

/* sock_listens() - Whether others can connect to the socket. */
bool sock_listens(int fd);

/* sock_is_linked() - Whether the path still leads to the socket that we bound to it. */
bool sock_is_linked(const struct sock_path *made);

/* sock_unlink() - Remove the path, unless it leads to another program's socket by now. */
void sock_unlink(const struct sock_path *made);

/* sock_unlink_dead() - As sock_unlink(), but only if no program serves the path any more. */
void sock_unlink_dead(const struct sock_path *made);

/* sock_unmap() - Turn an IPv4 address within IPv6 (::ffff:1.2.3.4) into an IPv4 address. */
void sock_unmap(struct sock_addr *addr);

/* sock_is_same_host() - Whether two addresses and their scopes are equal; ports may differ. */
bool sock_is_same_host(const struct sock_addr *a, const struct sock_addr *b);

/* sock_is_from() - Whether @from has the address and port of @addr; scopes may differ. */
bool sock_is_from(const struct sock_addr *addr, const struct sockaddr_storage *from);

/*
 * sock_is_here() - Whether an address belongs to this host: whether a socket can be
 * bound to it. It is true, too, when that fails for another reason.
 */
bool sock_is_here(const struct sock_addr *addr);

/*
 * sock_hint() - What the user can do when binding failed.
 * @err: -errno of sock_bind() or sock_bound_unix()
 *
 * Return: a constant to append to the message, "; ...", or "".
 */
const char *sock_hint(int err);

/* Bytes of TCP payload that fit into IPv6's smallest MTU, 1280: RFC 8200, section 5. */
#define SOCK_MSS_IPV6 1220

/*
 * sock_connect() - Make a socket and connect it to @addr.
 * @type: SOCK_STREAM or SOCK_DGRAM
 * @mss:  bytes that a TCP packet carries at most, in either direction; 0: as the path
 *        allows
 * @in_progress: set to whether the connection is not there yet: the socket becomes
 *        writable when it is, and sock_error() says how it went
 *
 * Return: the descriptor or -errno.
 */
int sock_connect(const struct sock_addr *addr, int type, unsigned mss, bool *in_progress);

/*
 * sock_is_short() - Whether @err, a positive errno, says that the kernel is short of
 * memory. The socket is still good, and the same call may succeed a moment later.
 */
bool sock_is_short(int err);

/* sock_error() - The result of a connect() in progress that has ended. Return: 0 or -errno. */
int sock_error(int fd);

/*
 * sock_is_own() - Whether a connected socket is its own peer.
 *
 * It can be if nobody listens at the port, and if the kernel happens to choose this
 * very port as the local one: then connect() succeeds by simultaneous open (RFC 9293,
 * section 3.5).
 */
bool sock_is_own(int fd);

/*
 * sock_close_hard() - Close a TCP connection by a reset. Data that was not sent is
 * dropped, and nothing is left of the connection, no TIME_WAIT either.
 */
void sock_close_hard(int fd);

/*
 * sock_tune_tcp() - Set up a connected TCP socket for frames: no delay (TCP_NODELAY),
 * at most 128 KiB that are not yet sent, so that the queue is ours and not the
 * kernel's, and no pacing if the peer is near.
 */
void sock_tune_tcp(int fd);

/*
 * sock_tcp_dead() - Set how long a TCP peer may be silent before the kernel ends the
 * connection.
 * @seconds: about as many, from 5 on; 0: for ever. Even then a peer that no longer
 *           knows the connection is noticed, by its answer to the next keepalive.
 */
void sock_tcp_dead(int fd, unsigned seconds);

/*
 * sock_tcp_silent_ms() - How long a TCP peer has left data or window probes unanswered.
 *
 * Return: milliseconds since the peer's last packet; 0 when no answer is due; -1 when
 * @fd is not a TCP socket.
 */
long sock_tcp_silent_ms(int fd);

/*
 * sock_tcp_may_fragment() - Let routers fragment what is sent from now on, and what
 * is sent again.
 *
 * By default, TCP forbids routers to fragment its packets, and relies on ICMP to
 * learn that one is too long. Where a firewall drops that ICMP, no packet that is
 * larger than the smallest MTU of the path ever arrives (RFC 2923, section 2.1).
 * This helps over IPv4 only: over IPv6 routers never fragment.
 */
void sock_tcp_may_fragment(int fd);

/* sock_tcp_is_stuck() - Whether data was retransmitted twice or more, and is unacknowledged. */
bool sock_tcp_is_stuck(int fd);

/*
 * sock_tune_datagrams() - Ask for socket buffers of 4 MiB in each direction; without
 * privilege the kernel gives as much as net.core.rmem_max and wmem_max allow.
 */
void sock_tune_datagrams(int fd);

/*
 * sock_take_fds() - Whether the peers of a unix socket may send us descriptors; for one that
 * listens, those of the connections to come. The kernel closes a descriptor that nobody takes
 * within our own call, and to close a TCP socket with SO_LINGER can last as long as its owner
 * likes. Before Linux 6.16 (SO_PASSRIGHTS) nobody can be kept from it: alarm.h limits it there.
 *
 * Return: whether they may.
 */
bool sock_take_fds(int fd, bool may);

/*
 * sock_leaves_fds() - Whether there are enough descriptors for other purposes beside @fd, which
 * somebody else has had us open. New ones have the lowest number that is unused, so a number
 * shows about how many are in use.
 */
bool sock_leaves_fds(int fd);

#endif
