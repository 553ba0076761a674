/* SPDX-License-Identifier: MIT */
/*
 * Drivers: all that the program needs to know of a kind of endpoint to make ports of it. The
 * only table is in driver.c; no other code depends on the kind of an endpoint.
 *
 * A new kind is a file in port/ with its constructor, which is declared below, a
 * line in the table, and one in the grammar, conf/endpoint-long.c.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include "conf/endpoint.h"
#include "helper/tap-attach.h"
#include "net/sock.h"
#include "port/port.h"

struct helper_request;
struct session;

/*
 * All members but one of the first two are optional.
 *
 * @dial:   make the port of an endpoint, not yet started. The endpoint must outlive
 *          it. Return: NULL, with errno set, when it can't be made.
 * @accept: instead, of a kind that listens: make the port of a connection that came
 *          in. @fd is the port's, also on an error; @peer is its name in messages.
 *          Returns as @dial.
 * @check_inherited: the kind works with descriptors that the program was started
 *          with, so it can't be added later. Check that they exist and can be used,
 *          before any other descriptor is opened. Return: 0; -ENOTTY for wrong usage
 *          or another -errno, with one line at @why that says what to do.
 * @why:    says what an errno means after @dial; NULL: as strerror() does
 * @asks:   whether the port may ask the helper for @req, whose strings have an end; with
 *          @req NULL, for anything. NULL: it never asks
 * @has_no_keys: those who are accepted can't prove who they are (relay/callers.h)
 * @fails_late: that the endpoint is a mistake may show some time after it was started, when
 *          its first try ends
 * @uses_links: the port may use env->links; it does without where there is no netlink
 *          socket
 * @may_close_loop: its network may have a way back to another port that the relay does
 *          not see, even in a cable
 */
struct driver {
	struct port *(*dial)(const struct endpoint *ep, const struct port_env *env);
	struct port *(*accept)(const struct endpoint *ep, int fd, const char *peer,
			       const struct port_env *env);
	int (*check_inherited)(const struct endpoint *ep, char *why, size_t size);
	const char *(*why)(int err);
	bool (*asks)(const struct endpoint *ep, const struct helper_request *req);
	bool has_no_keys;
	bool fails_late;
	bool uses_links;
	bool may_close_loop;
};

/* driver_of() - The driver for @ep; every kind has one. */
const struct driver *driver_of(const struct endpoint *ep);

/* driver_why() - Say what an errno, a positive one, means after its dial(). */
const char *driver_why(const struct endpoint *ep, int err);

/* driver_asks() - Whether the port of @ep may ask the helper for @req; NULL: for anything. */
bool driver_asks(const struct endpoint *ep, const struct helper_request *req);

/* ---- the constructors; each returns as dial() or accept() ---- */

/* port-stdio.c: frames on stdin and stdout. */
struct port *port_stdio_new(const struct endpoint *ep, const struct port_env *env);

/* port-stdio.c: refuse a terminal, and what is closed. As check_inherited(). */
int port_stdio_check(const struct endpoint *ep, char *why, size_t size);

/* port-fd.c: an inherited descriptor, whose kind is found out. */
struct port *port_fd_new(const struct endpoint *ep, const struct port_env *env);

/* port-fd.c: refuse a descriptor that is closed. As check_inherited(). */
int port_fd_check(const struct endpoint *ep, char *why, size_t size);

/* port-fd.c: what errno means after port_fd_new(). */
const char *port_fd_why(int err);

/* port-dial.c: a stream over TCP or a unix socket, dialled. */
struct port *port_dial_new(const struct endpoint *ep, const struct port_env *env);

/* port-accepted.c: a stream that a listener accepted. */
struct port *port_accepted_new(const struct endpoint *ep, int fd, const char *peer,
			       const struct port_env *env);

/*
 * port-accepted.c: the same connection, of which a handshake has made a sealed trunk; before
 * it is opened. @session is used up. Return: 0 or -ENOMEM.
 */
int port_accepted_seal(struct port *p, struct session *session);

/* udp-session.c: a sealed trunk over UDP, which is dialled. */
struct port *port_udp_trunk_new(const struct endpoint *ep, const struct port_env *env);

/* port-exec.c: a child's stdin and stdout. */
struct port *port_exec_new(const struct endpoint *ep, const struct port_env *env);

/* port-exec.c: its command. As asks(). */
bool port_exec_asks(const struct endpoint *ep, const struct helper_request *req);

/* port-udp.c */
struct port *port_udp_new(const struct endpoint *ep, const struct port_env *env);

/* port-mcast.c */
struct port *port_mcast_new(const struct endpoint *ep, const struct port_env *env);

/* port-vhost.c: a guest by shared memory, whose front end is dialled; and one that dialled us. */
struct port *port_vhost_new(const struct endpoint *ep, const struct port_env *env);
struct port *port_vhost_accepted(const struct endpoint *ep, int fd, const char *peer,
				 const struct port_env *env);

/*
 * port-vhost.c: one that is connected by ep->fd, whose @flags are put back at the end. NULL
 * with errno EAFNOSUPPORT: it is no unix stream socket.
 */
struct port *port_vhost_from_fd(const struct endpoint *ep, const struct port_env *env,
				int flags);

/* port-unixgram.c */
struct port *port_unixgram_new(const struct endpoint *ep, const struct port_env *env);

/* port-tap.c: a tap, or a bridge reached by one. */
struct port *port_tap_new(const struct endpoint *ep, const struct port_env *env);

/* port-tap.c: its tap, on its bridge. As asks(). */
bool port_tap_asks(const struct endpoint *ep, const struct helper_request *req);

/*
 * port-tap.c: a tap that tap_identify() has looked at; its descriptor becomes the port's.
 * @flags: of the descriptor, to be put back at the end
 */
struct port *port_tap_from_fd(const struct tap_dev *link, const struct endpoint *ep,
			      const struct port_env *env, int flags);

#endif
