/* SPDX-License-Identifier: MIT */
/*
 * The address that a port sends from may be taken from the host. Nobody says so to a
 * socket: TCP repeats what it sent, and IPv6 goes on sending.
 *
 * #syscalls: getsockname
 */
#include <errno.h>
#include <string.h>

#include "net/sock.h"
#include "port/port.h"

int port_look_source(struct port *p, int fd)
{
	char text[SOCK_TEXT_MAX];
	struct sock_addr self;

	memset(&self, 0, sizeof(self));
	self.len = sizeof(self.storage);
	if (getsockname(fd, &self.sa, &self.len) < 0 || sock_is_here(&self))
		return 0;
	return port_why(p, -EADDRNOTAVAIL,
			"%s, which it sent from, is no address of this host any more",
			sock_text(&self, text));
}
