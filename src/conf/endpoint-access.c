/* SPDX-License-Identifier: MIT */
/*
 * Networks are kept as IPv6 ones, with IPv4 mapped into it (RFC 4291, section 2.5.5.2), as
 * the addresses of clients are, too: then one comparison does for both.
 */
#include "conf/endpoint-access.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#define LIMIT_MAX 1000000 /* of connections, and of connections a second */
#define MAPPED_BITS 96	  /* the length of ::ffff:0:0/96, and of 0.0.0.0/0 within IPv6 */

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/* Read an address, in brackets or not. Return: its family; 0 when it is none. */
static int read_addr(char *s, uint8_t addr[16])
{
	size_t len = strlen(s);

	memcpy(addr, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, s, addr + sizeof(mapped)) == 1)
		return AF_INET;
	if (len > 2 && *s == '[' && s[len - 1] == ']') {
		s[len - 1] = '\0';
		s++;
	}
	return inet_pton(AF_INET6, s, addr) == 1 ? AF_INET6 : 0;
}

static void clear_behind(uint8_t addr[16], unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		addr[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

static int read_network(struct parse *p, char *text, struct endpoint_allow *to)
{
	uint8_t masked[16];
	char *slash = strchr(text, '/'), right[INET6_ADDRSTRLEN];
	uint32_t bits;
	int family;

	if (slash)
		*slash++ = '\0';
	family = read_addr(text, to->addr);
	if (!family)
		return part_refuse(
			p, QUOTED " is no network, as 192.0.2.0/24 or 2001:db8::/32",
			text);
	bits = family == AF_INET ? 32 : 128;
	if (slash && !parse_uint(slash, 10, bits, &bits))
		return part_refuse(p,
				   "/%.64s: the length of a network is from 0 to %u bits",
				   slash, (unsigned)bits);
	to->bits = (uint8_t)(bits + (family == AF_INET ? MAPPED_BITS : 0));
	memcpy(masked, to->addr, sizeof(masked));
	clear_behind(masked, to->bits);
	if (!memcmp(masked, to->addr, sizeof(masked)))
		return 0;
	inet_ntop(family, masked + (family == AF_INET ? sizeof(mapped) : 0), right,
		  sizeof(right));
	return part_refuse(p, "%.64s/%u has bits beyond /%u; write %s/%u", text,
			   (unsigned)bits, (unsigned)bits, right, (unsigned)bits);
}

static int read_name(struct parse *p, const char *s, char name[ENDPOINT_USER_MAX])
{
	size_t len = strlen(s);

	if (!len || len >= ENDPOINT_USER_MAX)
		return part_refuse(p, "the name " QUOTED " must have 1 to %d bytes", s,
				   ENDPOINT_USER_MAX - 1);
	memcpy(name, s, len + 1);
	return 0;
}

static int read_user(struct parse *p, char *text, struct endpoint_allow *to)
{
	bool is_gid = !strncmp(text, "gid:", 4);

	if (!is_gid && strncmp(text, "uid:", 4) != 0)
		return part_refuse(p, QUOTED " must be uid:NAME or gid:NAME", text);
	to->kind = is_gid ? ENDPOINT_ALLOW_GID : ENDPOINT_ALLOW_UID;
	return read_name(p, text + 4, to->name);
}

static int read_list(struct parse *p, char *value,
		     int (*one)(struct parse *p, char *text, struct endpoint_allow *to))
{
	struct endpoint_access *a = &p->ep->access;
	int err = 0;

	while (value && !err) {
		char *text = value;

		value = strchr(text, '+');
		if (value)
			*value++ = '\0';
		if (a->n == ENDPOINT_ALLOW_MAX)
			return part_refuse(
				p, QUOTED " is one too many; %d are allowed at most",
				text, ENDPOINT_ALLOW_MAX);
		err = one(p, text, &a->allow[a->n++]);
	}
	return err;
}

int access_networks(struct parse *p, char *value)
{
	return read_list(p, value, read_network);
}

int access_users(struct parse *p, char *value)
{
	return read_list(p, value, read_user);
}

int access_group(struct parse *p, char *value)
{
	if (!p->has_mode)
		p->ep->mode = 0660;
	return read_name(p, value, p->ep->access.group);
}

int access_mode(struct parse *p, char *value)
{
	uint32_t mode;

	if (!parse_uint(value, 8, 0777, &mode))
		return part_refuse(p, QUOTED " must be an octal number from 0 to 0777",
				   value);
	p->ep->mode = (mode_t)mode;
	p->has_mode = true;
	return 0;
}

static int read_limit(struct parse *p, const char *value, uint32_t *to)
{
	if (!parse_uint(value, 10, LIMIT_MAX, to) || !*to)
		return part_refuse(p, QUOTED " must be a number from 1 to %d", value,
				   LIMIT_MAX);
	return 0;
}

int access_max(struct parse *p, char *value)
{
	return read_limit(p, value, &p->ep->access.max);
}

int access_per_address(struct parse *p, char *value)
{
	return read_limit(p, value, &p->ep->access.per_address);
}

int access_rate(struct parse *p, char *value)
{
	return read_limit(p, value, &p->ep->access.accept_rate);
}

static bool is_loopback(const char *host)
{
	uint8_t addr[16];

	if (inet_pton(AF_INET, host, addr) == 1)
		return addr[0] == 127;
	if (inet_pton(AF_INET6, host, addr) != 1)
		return false;
	return !memcmp(addr, mapped, sizeof(mapped))
		       ? addr[12] == 127
		       : !memcmp(addr, &in6addr_loopback, 16);
}

bool endpoint_is_open(const struct endpoint *ep)
{
	return !ep->access.n && !ep->path[0] && !is_loopback(ep->local.host);
}
