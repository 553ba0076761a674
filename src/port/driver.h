/* SPDX-License-Identifier: MIT */
/*
 * The drivers' constructors, and the table from an endpoint's kind to them.
 * All of them return the port, not yet started, or NULL with errno set.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include "conf/endpoint.h"
#include "helper/tap-attach.h"
#include "net/sock.h"
#include "port/port.h"

/* driver_new() - The port for any endpoint but the two kinds that listen. */
struct port *driver_new(const struct endpoint *ep, const struct port_env *env);

/* driver_why() - What errno means after driver_new(). */
const char *driver_why(const struct endpoint *ep, int err);

/* driver_needs_helper() - Whether the port of @ep asks the helper for anything. */
bool driver_needs_helper(const struct endpoint *ep);

/* port-stdio.c: frames on stdin and stdout. */
struct port *port_stdio_new(const struct endpoint *ep, const struct port_env *env);

/* port-stdio.c: refuse a terminal. Return: 0; -ENOTTY, with the reason at @why. */
int port_stdio_check(char *why, size_t size);

/* port-fd.c: an inherited descriptor, whose kind is found out. */
struct port *port_fd_new(const struct endpoint *ep, const struct port_env *env);

/* port-fd.c: what errno means after port_fd_new(). */
const char *port_fd_why(int err);

/* port-dial.c: a stream over TCP or a unix socket, dialled. */
struct port *port_dial_new(const struct endpoint *ep, const struct port_env *env);

/*
 * port-accepted.c: a stream that a listener accepted.
 * @fd:   the port's, also on error
 * @dead: as that of an endpoint
 */
struct port *port_accepted_new(int fd, const char *name, int dead,
			       const struct port_env *env);

/* port-exec.c: a child's stdin and stdout. */
struct port *port_exec_new(const struct endpoint *ep, const struct port_env *env);

/* port-udp.c */
struct port *port_udp_new(const struct endpoint *ep, const struct port_env *env);

/* port-mcast.c */
struct port *port_mcast_new(const struct endpoint *ep, const struct port_env *env);

/* port-unixgram.c */
struct port *port_unixgram_new(const struct endpoint *ep, const struct port_env *env);

/* port-tap.c: a tap, or a bridge reached by one. */
struct port *port_tap_new(const struct endpoint *ep, const struct port_env *env);

/*
 * port-tap.c: a tap that tap_identify() has looked at; its descriptor becomes the port's.
 * @flags: of the descriptor, to be put back at the end
 */
struct port *port_tap_from_fd(const struct tap_dev *link, const struct endpoint *ep,
			      const struct port_env *env, int flags);

#endif
