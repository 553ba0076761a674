/* SPDX-License-Identifier: MIT */
/*
 * An endpoint: what a user types to say where frames come from and go to, and
 * the checked description of it that the drivers work from. Reading one has no
 * side effects: nothing is opened, resolved or looked up.
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ENDPOINT_TEXT_MAX 1024 /* longest text, with its NUL */
#define ENDPOINT_HOST_MAX 256  /* longest host name (RFC 1035: 253), with its NUL */
#define ENDPOINT_PATH_MAX 108  /* sizeof(sun_path): a unix socket's path, with its NUL */
#define ENDPOINT_NAME_MAX 16   /* IFNAMSIZ: an interface's name, with its NUL */
#define ENDPOINT_MACS_MAX 8

enum endpoint_kind {
	ENDPOINT_STDIO,
	ENDPOINT_TCP,
	ENDPOINT_TCP_LISTEN,
	ENDPOINT_UNIX,
	ENDPOINT_UNIX_LISTEN,
	ENDPOINT_UDP,
	ENDPOINT_UNIXGRAM,
	ENDPOINT_MCAST,
	ENDPOINT_BRIDGE,
	ENDPOINT_TAP,
	ENDPOINT_FD,
	ENDPOINT_EXEC,
	ENDPOINT_TRUNK,
};

/*
 * Where to, or where from, over IP.
 * @host:   numeric address without brackets, with its "%scope" if it had one;
 *          a name; or "" for any address
 * @family: AF_INET or AF_INET6 when @host is numeric; AF_UNSPEC for a name or ""
 * @port:   host byte order; 0 when none was given
 */
struct endpoint_addr {
	char host[ENDPOINT_HOST_MAX];
	int family;
	uint16_t port;
};

#define ENDPOINT_DEAD_USUAL (-1) /* what is usual for a link of that kind */

/*
 * What a port may do in a relay, whatever kind it is of.
 * @is_isolated: it reaches no other port that is isolated
 * @is_unpadded: short frames leave it as they are (pad=0)
 * @n_macs, @macs: the only source addresses that it may send from; 0: any
 * @storm: flooded frames a second that it may bring; 0: as many as the relay says
 */
struct endpoint_rules {
	bool is_isolated;
	bool is_unpadded;
	unsigned n_macs;
	uint8_t macs[ENDPOINT_MACS_MAX][6];
	uint32_t storm;
};

/*
 * Which members count, by kind; of the others, @fd is -1, @mode is 0600, @dead is
 * ENDPOINT_DEAD_USUAL, and the rest is zero. Any long form but EXEC may have rules:
 *
 * TCP, TRUNK  remote, dead
 * TCP_LISTEN  local, dead
 * UNIX        path
 * UNIX_LISTEN path, mode (0600 if not given)
 * UDP         remote; local (local.host may be "")
 * UNIXGRAM    path (theirs), local_path (ours)
 * MCAST       remote (the group); local.host (if=, may be ""): an IPv4 address,
 *             or for an IPv6 group an interface's name, with local.family AF_UNSPEC
 * BRIDGE      name (the bridge's); tap ("" to have one named); mtu (0: the bridge's)
 * TAP         name
 * FD          fd
 * EXEC        endpoint_command()
 */
struct endpoint {
	enum endpoint_kind kind;
	char text[ENDPOINT_TEXT_MAX]; /* as typed; the endpoint's name in messages */
	struct endpoint_addr remote;
	struct endpoint_addr local;
	char path[ENDPOINT_PATH_MAX];
	char local_path[ENDPOINT_PATH_MAX];
	char name[ENDPOINT_NAME_MAX];
	char tap[ENDPOINT_NAME_MAX];
	uint32_t mtu;
	mode_t mode;
	int dead; /* after so many seconds of silence the peer is gone; 0: never */
	int fd;
	struct endpoint_rules rules;
};

/*
 * endpoint_parse() - Read an endpoint, short form or long.
 * @ep:   filled in; what it holds after an error means nothing
 * @text: what the user typed; not kept
 * @why:  on error, one line without newline: which part of which endpoint is
 *        wrong, and what would be right
 * @size: bytes at @why
 *
 * Return: 0, or -EINVAL.
 */
int endpoint_parse(struct endpoint *ep, const char *text, char *why, size_t size);

/*
 * endpoint_parse_listen() - Read what follows -l.
 *
 * As endpoint_parse(), for PORT, ADDR:PORT, [ADDR6]:PORT, and the long forms
 * of the two kinds that listen. The result is a TCP_LISTEN or UNIX_LISTEN.
 *
 * Return: 0, or -EINVAL.
 */
int endpoint_parse_listen(struct endpoint *ep, const char *text, char *why, size_t size);

/*
 * endpoint_parse_mac() - Read a unicast MAC address, as 52:54:00:00:00:01.
 *
 * Return: 0, or -EINVAL.
 */
int endpoint_parse_mac(uint8_t mac[6], const char *text);

/* endpoint_command() - What an EXEC endpoint runs, for /bin/sh -c. Lives in @ep. */
const char *endpoint_command(const struct endpoint *ep);

#endif
