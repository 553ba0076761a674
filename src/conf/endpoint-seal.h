/* SPDX-License-Identifier: MIT */
/*
 * Reads the options that seal a trunk by keys; only endpoint-long.c needs this. Each function
 * reads the value of an option, and refuses a wrong one by itself. Whether they fit together
 * is conf-check.h's. Return: 0 or -EINVAL.
 */
#ifndef ENDPOINT_SEAL_H
#define ENDPOINT_SEAL_H

#include "conf/endpoint-parts.h"

/* seal_peer() - peer=PUBKEY, of whom a trunk dials. */
int seal_peer(struct parse *p, char *value);

/* seal_psk(), seal_peers() - psk=FILE and peers=FILE. The files are not looked at. */
int seal_psk(struct parse *p, char *value);
int seal_peers(struct parse *p, char *value);

/* seal_plain() - plain */
int seal_plain(struct parse *p, char *value);

/* seal_udp(), seal_keepalive() - udp, and keepalive=SECONDS */
int seal_udp(struct parse *p, char *value);
int seal_keepalive(struct parse *p, char *value);

#endif
