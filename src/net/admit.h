/* SPDX-License-Identifier: MIT */
/*
 * Decides which connections a listener keeps (conf/endpoint.h: struct endpoint_access): by
 * the address or the user that they come from, and by how many there are. It counts those
 * that it refuses.
 */
#ifndef ADMIT_H
#define ADMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/endpoint.h"
#include "net/broker.h"
#include "net/sock.h"

/* Why one was refused: the option that does so, or what it is. */
enum admit_refusal {
	ADMIT_ALLOW,
	ADMIT_RATE,
	ADMIT_MAX,
	ADMIT_PER_ADDRESS,
	ADMIT_PEERS,
	ADMIT_STRAY, /* a datagram of no link that there is */
	ADMIT_REFUSALS,
};

struct admit_host; /* an address that has connections */

#define ADMIT_BUCKETS 1024

/*
 * @access:  the rules; NULL: everybody may
 * @ids:     the numbers of the users and groups of allow=
 * @refused: connections, by what refused them
 *
 * Its own members:
 * @tokens, @filled_at: connections that may come at once, in thousandths; and when, as
 *           loop_now(), that was so
 * @hosts:   ADMIT_BUCKETS chains of addresses, each of which has a connection, so there are
 *           no more of them than of connections; NULL without per-address=
 * @key:     of the hash, so that nobody can choose addresses of one chain
 */
struct admit {
	const struct endpoint_access *access;
	uint32_t ids[ENDPOINT_ALLOW_MAX];
	uint64_t refused[ADMIT_REFUSALS];
	uint64_t tokens, filled_at;
	struct admit_host **hosts;
	uint64_t key[2];
};

/*
 * admit_start() - Look up the users and groups that the rules name.
 * @a:    its access is set, the rest zero
 * @b:    may be NULL
 * @why:  on error, what is wrong, without the listener's name
 * @size: bytes at @why
 *
 * Return: 0 or -errno.
 */
int admit_start(struct admit *a, struct broker *b, char *why, size_t size);

/*
 * admit_change() - Have other rules from now on. Connections that are there stay.
 * @access: they are copied to @to, which a->access points to
 *
 * Return: 0; -errno, with @why as above: then the old rules stay.
 */
int admit_change(struct admit *a, struct endpoint_access *to,
		 const struct endpoint_access *access, struct broker *b, char *why,
		 size_t size);

/*
 * admit_allows() - Whether allow= has the peer, or is not there at all.
 * @from: the peer's address; if it is not of IP, its user and groups are those of @fd
 */
bool admit_allows(const struct admit *a, const struct sock_addr *from, int fd);

/*
 * admit_is_welcome() - Decide on a connection that came in, by allow= and accept-rate=,
 * and count it if it is refused.
 */
bool admit_is_welcome(struct admit *a, const struct sock_addr *from, int fd);

/*
 * admit_enter() - Decide by the numbers of connections, and count it likewise.
 * @n:    how many the listener has
 * @host: set to what admit_leave() needs when the connection has ended
 */
bool admit_enter(struct admit *a, const struct sock_addr *from, unsigned n,
		 struct admit_host **host);
void admit_leave(struct admit *a, struct admit_host *host);

/* admit_free() - Free the addresses; no connection is left. */
void admit_free(struct admit *a);

/* admit_refusal_name() - The name of a reason, in status and metrics. */
const char *admit_refusal_name(enum admit_refusal why);

/*
 * admit_has_address() - Whether an address is in one of the networks of allow=, or there are
 * none. An IPv4 address within IPv6 (::ffff:192.0.2.1) is an IPv4 address.
 */
bool admit_has_address(const struct endpoint_access *access, const struct sockaddr *from);

#endif
