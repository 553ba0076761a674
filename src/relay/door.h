/* SPDX-License-Identifier: MIT */
/*
 * A listener of sealed trunks over UDP. It has one socket for all peers, and answers only
 * hellos of those in its peers file. A peer becomes a port once something has come that is
 * sealed with its new keys; one that is a port already goes on with them, also from another
 * address.
 */
#ifndef DOOR_H
#define DOOR_H

#include <stddef.h>

#include "port/udp-trunk.h"
#include "trunk/cookie.h"

struct acceptor;

struct door {
	struct udp_hub hub;
	struct cookie_jar jar;
	struct acceptor *acceptor;
};

/*
 * door_open() - Listen as the endpoint of an acceptor says, which has ,udp: as of struct
 * listener. If the address is that of a listener that was taken away, its ports end, and their
 * peers come to the new one.
 *
 * Return: 0 or -errno.
 */
int door_open(void *acceptor);

/*
 * door_close() - The listener was taken away: forget who has not proved anything, and take
 * no hellos any more but those of ports, which need other keys now and then. The socket is
 * closed if there is no port.
 */
void door_close(struct acceptor *a);

/* door_free() - Close the socket; all ports that use it are gone. */
void door_free(struct acceptor *a);

#endif
