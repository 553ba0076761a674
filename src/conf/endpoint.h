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

#include "seal/key.h"

/* Sizes in bytes, with the NUL. */
#define ENDPOINT_TEXT_MAX 1024 /* the text of an endpoint */
#define ENDPOINT_HOST_MAX 256  /* a host name; it has 253 at most (RFC 1035) */
#define ENDPOINT_PATH_MAX 108  /* a unix socket's path: sizeof(sun_path), unix(7) */
#define ENDPOINT_NAME_MAX 16   /* an interface's name: IFNAMSIZ, linux/if.h */
#define ENDPOINT_FILE_MAX 256  /* the path of a file of keys */

#define ENDPOINT_USER_MAX 33	  /* the name of a user or a group */
#define ENDPOINT_PORT_NAME_MAX 32 /* the value of name= */
#define ENDPOINT_NUMBERED_MAX 44  /* and a number behind it; see endpoint-name.h */

#define ENDPOINT_MACS_MAX 8   /* addresses that mac= may give a port */
#define ENDPOINT_ALLOW_MAX 16 /* entries that allow= may have */

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
	ENDPOINT_VHOST,
	ENDPOINT_VHOST_LISTEN,
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

enum endpoint_allow_kind { ENDPOINT_ALLOW_NET, ENDPOINT_ALLOW_UID, ENDPOINT_ALLOW_GID };

/*
 * An entry of allow=.
 * @addr, @bits: of a network, in network byte order; an IPv4 one is mapped: it lies in
 *         ::ffff:0:0/96
 * @name: of a user or a group, or its number in decimal
 */
struct endpoint_allow {
	uint8_t kind; /* enum endpoint_allow_kind */
	uint8_t bits;
	union {
		uint8_t addr[16];
		char name[ENDPOINT_USER_MAX];
	};
};

/*
 * Who may use an endpoint that others come to. All zeros: everybody, without limit.
 * @n, @allow: the networks, or the users and groups, that may; none: all
 * @group: of a unix socket's path, or its number in decimal; "": ours
 * @max:  connections at the same time; 0: as many as there are descriptors for
 * @per_address: of these from one IPv4 address or one IPv6 /64; 0: no limit
 * @accept_rate: connections accepted a second, and at once; 0: no limit
 */
struct endpoint_access {
	unsigned n;
	struct endpoint_allow allow[ENDPOINT_ALLOW_MAX];
	char group[ENDPOINT_USER_MAX];
	uint32_t max, per_address, accept_rate;
};

/*
 * An endpoint that was read. The table says which members each kind uses. If it does
 * not use them, @fd is -1, @mode is 0600 (with a group 0660), @dead is
 * ENDPOINT_DEAD_USUAL, and the rest is
 * zero. Every long form but EXEC may have rules and a port_name.
 *
 * TCP         remote, dead
 * TRUNK       remote, dead, has_peer, peer, psk_path, is_udp, keepalive
 * TCP_LISTEN  local, dead, access (no group), peers_path, takes_plain, is_udp, keepalive
 * UNIX        path
 * UNIX_LISTEN path, mode, access (no per_address), peers_path, takes_plain
 * UDP         remote; local (local.host may be ""); access.allow
 * UNIXGRAM    path (the peer's), local_path (ours), mode, access.group
 * MCAST       remote (the group); local.host (if=, may be ""): an IPv4 address,
 *             or for an IPv6 group an interface's name, with local.family AF_UNSPEC;
 *             access.allow
 * BRIDGE      name (the bridge's); tap (""; the kernel names one); mtu (bytes; 0: the
 *             bridge's)
 * TAP         name
 * FD          fd, is_vhost
 * EXEC        endpoint_command()
 * VHOST       path
 * VHOST_LISTEN path, mode, access (no per_address)
 */
struct endpoint {
	enum endpoint_kind kind;
	char text[ENDPOINT_TEXT_MAX];		/* as typed, without name= */
	char port_name[ENDPOINT_PORT_NAME_MAX]; /* name=, or ""; see endpoint-name.h */
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
	bool is_vhost;	  /* vhost-user: a front end is connected by fd */
	bool has_peer;	  /* peer= */
	bool is_udp;	  /* udp: sealed, over UDP */
	int keepalive;	  /* seconds after which something is sent over UDP; 0: never */
	bool takes_plain; /* plain: who has no key may come, too */
	uint8_t peer[SEAL_KEY_BYTES];	    /* the public key of whom we dial */
	char psk_path[ENDPOINT_FILE_MAX];   /* psk=, or "" */
	char peers_path[ENDPOINT_FILE_MAX]; /* peers=, or "": the file of --peers */
	struct endpoint_access access;
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
 * It takes PORT, ADDR:PORT, [ADDR6]:PORT, and the long forms of the kinds that listen.
 * The result is a TCP_LISTEN, UNIX_LISTEN or VHOST_LISTEN. Arguments and errors are those
 * of endpoint_parse().
 */
int endpoint_parse_listen(struct endpoint *ep, const char *text, char *why, size_t size);

/*
 * endpoint_parse_option() - Read the value of --ctl, PATH and options, or of --metrics,
 * [ADDR:]PORT and options.
 * @option: "--ctl" or "--metrics", which comes first in ep->text, too
 *
 * The result is a UNIX_LISTEN, or a TCP_LISTEN, on 127.0.0.1 if no address is given.
 * Other arguments and errors are those of endpoint_parse().
 */
int endpoint_parse_option(struct endpoint *ep, const char *option, const char *text,
			  char *why, size_t size);

/*
 * endpoint_is_open() - Whether others than this host may reach a listener, or a datagram
 * port that takes frames from anybody, and no allow= says who.
 */
bool endpoint_is_open(const struct endpoint *ep);

/*
 * endpoint_parse_mac() - Read a unicast MAC address, as 52:54:00:00:00:01.
 * @mac: set to its six bytes; left as it was on an error
 *
 * Return: 0 or -EINVAL.
 */
int endpoint_parse_mac(uint8_t mac[6], const char *text);

/*
 * endpoint_same() - Whether a port of one can go on as a port of the other: they differ in
 * their names, their rules and in who may use them (also by peers= and plain) at most, or
 * in how they are written.
 */
bool endpoint_same(const struct endpoint *a, const struct endpoint *b);

/* endpoint_key() - A number that is the same for those that are; for others hardly ever. */
uint64_t endpoint_key(const struct endpoint *ep);

/* The same of their rules, and of who may use them but for the group. */
bool endpoint_same_rules(const struct endpoint_rules *a, const struct endpoint_rules *b);
bool endpoint_same_access(const struct endpoint_access *a,
			  const struct endpoint_access *b);

/* endpoint_command() - The command of an EXEC endpoint, for /bin/sh -c. Points into @ep. */
const char *endpoint_command(const struct endpoint *ep);

#endif
