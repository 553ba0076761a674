/* SPDX-License-Identifier: MIT */
/*
 * An endpoint: the text that says where frames come from and go to, and the checked
 * description of it that drivers work from. Reading an endpoint has no side effects:
 * nothing is opened, resolved or looked up.
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Sizes in bytes, with the NUL. */
#define ENDPOINT_TEXT_MAX 1024 /* the text of an endpoint */
#define ENDPOINT_HOST_MAX 256  /* a host name; it has 253 at most (RFC 1035) */
#define ENDPOINT_PATH_MAX 108  /* a unix socket's path: sizeof(sun_path), unix(7) */
#define ENDPOINT_NAME_MAX 16   /* an interface's name: IFNAMSIZ, linux/if.h */

#define ENDPOINT_MACS_MAX 8 /* addresses that mac= may give a port */

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
 * The address and port of an IP socket.
 * @host:   a numeric address without brackets, with its "%scope" if it had one;
 *          or a name; or "" for any address
 * @family: AF_INET or AF_INET6 if @host is numeric; AF_UNSPEC for a name or ""
 * @port:   in host byte order; 0 when none was given
 */
struct endpoint_addr {
	char host[ENDPOINT_HOST_MAX];
	int family;
	uint16_t port;
};

#define ENDPOINT_DEAD_USUAL (-1) /* dead= was not given: the driver has a default */

/*
 * The rules of a port in a relay, whatever its kind.
 * @is_isolated: it exchanges no frames with other isolated ports
 * @is_unpadded: short frames to it are not padded (pad=0)
 * @n_macs, @macs: the only source addresses that its frames may have; none: any
 * @storm: broadcast, multicast and unknown-unicast frames that it may bring per second; 0:
 *         the relay's limit (--storm)
 */
struct endpoint_rules {
	bool is_isolated;
	bool is_unpadded;
	unsigned n_macs;
	uint8_t macs[ENDPOINT_MACS_MAX][6];
	uint32_t storm;
};

/*
 * An endpoint that was read. The table says which members each kind uses. If it does
 * not use them, @fd is -1, @mode is 0600, @dead is ENDPOINT_DEAD_USUAL, and the rest is
 * zero. Every long form but EXEC may have rules.
 *
 * TCP, TRUNK  remote, dead
 * TCP_LISTEN  local, dead
 * UNIX        path
 * UNIX_LISTEN path, mode (0600 if not given)
 * UDP         remote; local (local.host may be "")
 * UNIXGRAM    path (the peer's), local_path (ours)
 * MCAST       remote (the group); local.host (if=, may be ""): an IPv4 address,
 *             or for an IPv6 group an interface's name, with local.family AF_UNSPEC
 * BRIDGE      name (the bridge's); tap (""; the kernel names one); mtu (bytes; 0: the
 *             bridge's)
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
	int dead; /* seconds of silence after which the peer counts as gone; 0: never */
	int fd;
	struct endpoint_rules rules;
};

/*
 * endpoint_parse() - Read an endpoint in short or long form.
 * @ep:   filled in; without meaning after an error
 * @text: the text as typed; it is copied
 * @why:  on error, one line without newline: which part of which endpoint is
 *        wrong, and what would be right
 * @size: bytes at @why
 *
 * Return: 0 or -EINVAL.
 */
int endpoint_parse(struct endpoint *ep, const char *text, char *why, size_t size);

/*
 * endpoint_parse_listen() - Read the value of -l.
 *
 * It takes PORT, ADDR:PORT, [ADDR6]:PORT, and the long forms of the two kinds that
 * listen. The result is a TCP_LISTEN or UNIX_LISTEN. Arguments and errors are those
 * of endpoint_parse().
 */
int endpoint_parse_listen(struct endpoint *ep, const char *text, char *why, size_t size);

/*
 * endpoint_parse_mac() - Read a unicast MAC address, as 52:54:00:00:00:01.
 * @mac: set to its six bytes; left as it was on an error
 *
 * Return: 0 or -EINVAL.
 */
int endpoint_parse_mac(uint8_t mac[6], const char *text);

/* endpoint_command() - The command of an EXEC endpoint, for /bin/sh -c. Points into @ep. */
const char *endpoint_command(const struct endpoint *ep);

#endif
