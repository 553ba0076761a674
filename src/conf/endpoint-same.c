/* SPDX-License-Identifier: MIT */
/*
 * Compares endpoints by what they lead to, so that the short and the long form of one are
 * the same. Strings are compared up to their NULs: what is behind them may be anything.
 */
#include <string.h>

#include "base/parts.h"
#include "base/util.h"
#include "conf/endpoint.h"

static bool same_addr(const struct endpoint_addr *a, const struct endpoint_addr *b)
{
	return a->port == b->port && !strcmp(a->host, b->host);
}

bool endpoint_same(const struct endpoint *a, const struct endpoint *b)
{
	return a->kind == b->kind && same_addr(&a->remote, &b->remote) &&
	       same_addr(&a->local, &b->local) && !strcmp(a->path, b->path) &&
	       !strcmp(a->local_path, b->local_path) && !strcmp(a->name, b->name) &&
	       !strcmp(a->tap, b->tap) && a->mtu == b->mtu && a->mode == b->mode &&
	       a->dead == b->dead && a->fd == b->fd && a->has_peer == b->has_peer &&
	       (!HAS_KEYS || (a->is_udp == b->is_udp && a->keepalive == b->keepalive)) &&
	       !memcmp(a->peer, b->peer, sizeof(a->peer)) &&
	       !strcmp(a->psk_path, b->psk_path) &&
	       !strcmp(a->access.group, b->access.group) &&
	       (!HAS_VHOST || a->is_vhost == b->is_vhost) &&
	       (a->kind != ENDPOINT_EXEC || !strcmp(a->text, b->text));
}

uint64_t endpoint_key(const struct endpoint *ep)
{
	const char *const texts[] = { ep->remote.host, ep->local.host, ep->path,
				      ep->local_path,  ep->name,       ep->tap };
	uint64_t key = (uint64_t)ep->kind << 32 | (uint64_t)ep->remote.port << 16 |
		       ep->local.port;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		key = key * 31 + text_hash(texts[i]);
	return key;
}

bool endpoint_same_rules(const struct endpoint_rules *a, const struct endpoint_rules *b)
{
	return a->is_isolated == b->is_isolated && a->is_unpadded == b->is_unpadded &&
	       a->n_macs == b->n_macs &&
	       !memcmp(a->macs, b->macs, a->n_macs * sizeof(a->macs[0])) &&
	       a->storm == b->storm;
}

static bool same_entry(const struct endpoint_allow *a, const struct endpoint_allow *b)
{
	if (a->kind != b->kind || a->kind != ENDPOINT_ALLOW_NET)
		return a->kind == b->kind && !strcmp(a->name, b->name);
	return a->bits == b->bits && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

bool endpoint_same_access(const struct endpoint_access *a,
			  const struct endpoint_access *b)
{
	bool is_same = a->n == b->n && a->max == b->max &&
		       a->per_address == b->per_address &&
		       a->accept_rate == b->accept_rate;

	for (unsigned i = 0; is_same && i < a->n; i++)
		is_same = same_entry(&a->allow[i], &b->allow[i]);
	return is_same;
}
