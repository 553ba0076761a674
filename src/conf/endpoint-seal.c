/* SPDX-License-Identifier: MIT */
/* A public key is written as it is; a secret only by the name of its file. */
#include "conf/endpoint-seal.h"

#include <string.h>

#include "base/util.h"

#define KEEPALIVE_MAX 3600

int seal_peer(struct parse *p, char *value)
{
	if (key_read(p->ep->peer, value, strlen(value)) < 0)
		return part_refuse(p,
				   QUOTED " is no public key: 44 characters, as netrelay "
					  "pubkey prints it",
				   value);
	p->ep->has_peer = true;
	return 0;
}

static int read_file(struct parse *p, const char *value, char path[ENDPOINT_FILE_MAX])
{
	size_t len = strlen(value);

	if (len >= ENDPOINT_FILE_MAX)
		return part_refuse(p, "the path has %zu bytes; %d are allowed", len,
				   ENDPOINT_FILE_MAX - 1);
	memcpy(path, value, len + 1);
	return 0;
}

int seal_psk(struct parse *p, char *value)
{
	return read_file(p, value, p->ep->psk_path);
}

int seal_peers(struct parse *p, char *value)
{
	return read_file(p, value, p->ep->peers_path);
}

int seal_plain(struct parse *p, char *value)
{
	(void)value;
	p->ep->takes_plain = true;
	return 0;
}

int seal_udp(struct parse *p, char *value)
{
	(void)value;
	p->ep->is_udp = true;
	return 0;
}

int seal_keepalive(struct parse *p, char *value)
{
	uint32_t seconds;

	if (!parse_uint(value, 10, KEEPALIVE_MAX, &seconds))
		return part_refuse(p,
				   QUOTED
				   " must be a number of seconds from 1 to %d, or 0 "
				   "for never",
				   value, KEEPALIVE_MAX);
	p->ep->keepalive = (int)seconds;
	return 0;
}
