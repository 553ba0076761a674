/* SPDX-License-Identifier: MIT */
/*
 * Addresses are compared as IPv6 ones, with IPv4 mapped into it. A network that is mapped
 * has 96 bits or more, so it has IPv4 addresses only; any other has none of them, not even
 * ::/0.
 *
 * The table of addresses has those that have connections, and no others. A connection
 * keeps a pointer to its address's entry, so leaving needs no search.
 *
 * #syscalls: getrandom getsockopt
 */
#include "net/admit.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "base/siphash.h"
#include "base/util.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59 /* asm-generic/socket.h, since Linux 4.13 */
#endif

#define GROUPS_MAX 1024 /* of a peer; one with more is in none */
#define TOKEN 1000	/* a connection */

struct admit_host {
	struct admit_host *next;
	uint64_t addr;
	unsigned n;
};

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static bool is_mapped(const uint8_t addr[16])
{
	return !memcmp(addr, mapped, sizeof(mapped));
}

/* Return: false when it is no IP address. */
static bool to_ipv6(const struct sockaddr *from, uint8_t addr[16])
{
	if (from->sa_family == AF_INET) {
		memcpy(addr, mapped, sizeof(mapped));
		memcpy(addr + sizeof(mapped),
		       &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	} else if (from->sa_family == AF_INET6) {
		memcpy(addr,
		       &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
	} else {
		return false;
	}
	return true;
}

static bool is_in(const struct endpoint_allow *net, const uint8_t addr[16])
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	return is_mapped(net->addr) == is_mapped(addr) &&
	       !memcmp(net->addr, addr, whole) &&
	       (!rest || (net->addr[whole] ^ addr[whole]) >> (8 - rest) == 0);
}

bool admit_has_address(const struct endpoint_access *access, const struct sockaddr *from)
{
	uint8_t addr[16];

	if (!access->n)
		return true;
	if (!to_ipv6(from, addr))
		return false;
	for (unsigned i = 0; i < access->n; i++)
		if (access->allow[i].kind == ENDPOINT_ALLOW_NET &&
		    is_in(&access->allow[i], addr))
			return true;
	return false;
}

static bool has_group(const struct ucred *cred, const gid_t *groups, unsigned n,
		      gid_t group)
{
	bool is_one = cred->gid == group;

	for (unsigned i = 0; i < n; i++)
		is_one |= groups[i] == group;
	return is_one;
}

/* Whether one of the users and groups is the peer's, as it was when it dialled. */
static bool has_user(const struct admit *a, int fd)
{
	gid_t groups[GROUPS_MAX];
	struct ucred cred;
	socklen_t len = sizeof(cred), groups_len = sizeof(groups);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_len) < 0)
		groups_len = 0;
	for (unsigned i = 0; i < a->access->n; i++)
		if (a->access->allow[i].kind == ENDPOINT_ALLOW_UID
			    ? cred.uid == a->ids[i]
			    : has_group(&cred, groups,
					(unsigned)(groups_len / sizeof(gid_t)),
					a->ids[i]))
			return true;
	return false;
}

bool admit_allows(const struct admit *a, const struct sock_addr *from, int fd)
{
	if (!a->access || !a->access->n)
		return true;
	return a->access->allow[0].kind == ENDPOINT_ALLOW_NET
		       ? admit_has_address(a->access, &from->sa)
		       : has_user(a, fd);
}

/* A second's worth may come at once. */
static bool has_token(struct admit *a)
{
	uint64_t rate = a->access ? a->access->accept_rate : 0, now = loop_now();

	if (!rate)
		return true;
	a->tokens += (now - a->filled_at) * rate;
	if (a->tokens > rate * TOKEN)
		a->tokens = rate * TOKEN;
	a->filled_at = now;
	if (a->tokens < TOKEN)
		return false;
	a->tokens -= TOKEN;
	return true;
}

static bool refuse(struct admit *a, enum admit_refusal why)
{
	a->refused[why]++;
	return false;
}

bool admit_is_welcome(struct admit *a, const struct sock_addr *from, int fd)
{
	/* Strangers do not use up what others may need. */
	if (!admit_allows(a, from, fd))
		return refuse(a, ADMIT_ALLOW);
	if (!has_token(a))
		return refuse(a, ADMIT_RATE);
	return true;
}

/* ---- how many there are ---- */

/* A host of IPv6 has a /64 of addresses (RFC 4291, section 2.5.4). */
static uint64_t host_of(const struct sock_addr *from)
{
	uint8_t addr[16] = { 0 };
	uint64_t host;

	to_ipv6(&from->sa, addr);
	memcpy(&host, is_mapped(addr) ? addr + 8 : addr, sizeof(host));
	return host;
}

static struct admit_host **bucket_of(struct admit *a, uint64_t addr)
{
	return &a->hosts[siphash(a->key, addr) % ADMIT_BUCKETS];
}

/* Find the entry of an address, or make one. Return: NULL without memory. */
static struct admit_host *find_host(struct admit *a, uint64_t addr)
{
	struct admit_host **bucket = bucket_of(a, addr), *h = *bucket;

	while (h && h->addr != addr)
		h = h->next;
	if (h)
		return h;
	h = malloc(sizeof(*h));
	if (h) {
		*h = (struct admit_host){ .next = *bucket, .addr = addr };
		*bucket = h;
	}
	return h;
}

bool admit_enter(struct admit *a, const struct sock_addr *from, unsigned n,
		 struct admit_host **host)
{
	const struct endpoint_access *access = a->access;

	*host = NULL;
	if (!access)
		return true;
	if (access->max && n >= access->max)
		return refuse(a, ADMIT_MAX);
	if (!a->hosts || !access->per_address)
		return true;
	*host = find_host(a, host_of(from));
	if (!*host || (*host)->n >= access->per_address)
		return refuse(a, ADMIT_PER_ADDRESS);
	(*host)->n++;
	return true;
}

void admit_leave(struct admit *a, struct admit_host *host)
{
	struct admit_host **link;

	if (!host || --host->n)
		return;
	link = bucket_of(a, host->addr);
	while (*link != host)
		link = &(*link)->next;
	*link = host->next;
	free(host);
}

void admit_free(struct admit *a)
{
	for (unsigned i = 0; a->hosts && i < ADMIT_BUCKETS; i++)
		while (a->hosts[i]) {
			struct admit_host *h = a->hosts[i];

			a->hosts[i] = h->next;
			free(h);
		}
	free(a->hosts);
	a->hosts = NULL;
}

/* ---- from the start ---- */

static int find_ids(struct admit *a, struct broker *b, char *why, size_t size)
{
	char fault[BROKER_WHY_MAX];
	int ret = 0;

	for (unsigned i = 0; i < a->access->n && ret == 0; i++) {
		const struct endpoint_allow *allow = &a->access->allow[i];

		if (allow->kind == ENDPOINT_ALLOW_NET)
			continue;
		ret = broker_id(b, allow->name, allow->kind == ENDPOINT_ALLOW_GID,
				&a->ids[i], fault);
		if (ret < 0)
			snprintf(why, size, "allow=%s", fault);
	}
	return ret;
}

int admit_start(struct admit *a, struct broker *b, char *why, size_t size)
{
	int ret;

	if (!a->access)
		return 0;
	ret = find_ids(a, b, why, size);
	if (ret < 0 || !a->access->per_address)
		return ret;
	a->hosts = calloc(ADMIT_BUCKETS, sizeof(struct admit_host *));
	if (a->hosts && getrandom(a->key, sizeof(a->key), 0) == sizeof(a->key))
		return 0;
	admit_free(a);
	snprintf(why, size, "not enough memory to start");
	return -ENOMEM;
}

int admit_change(struct admit *a, struct endpoint_access *to,
		 const struct endpoint_access *access, struct broker *b, char *why,
		 size_t size)
{
	struct admit next = { .access = access };
	int ret = admit_start(&next, b, why, size);

	if (ret < 0)
		return ret;
	/* Those that are counted already go on to be. */
	if (a->hosts) {
		admit_free(&next);
	} else {
		a->hosts = next.hosts;
		memcpy(a->key, next.key, sizeof(a->key));
	}
	memcpy(a->ids, next.ids, sizeof(a->ids));
	*to = *access;
	return 0;
}

const char *admit_refusal_name(enum admit_refusal why)
{
	static const char *const names[] = {
		[ADMIT_ALLOW] = "allow", [ADMIT_RATE] = "accept-rate",
		[ADMIT_MAX] = "max",	 [ADMIT_PER_ADDRESS] = "per-address",
		[ADMIT_PEERS] = "peers", [ADMIT_STRAY] = "stray",
	};

	return names[why];
}
