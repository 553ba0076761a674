/* SPDX-License-Identifier: MIT */
/*
 * Splitting a super-frame. gso_begin() walks the headers once, checks that they
 * and the vnet header say the same, and notes where they are; from there on all
 * offsets are known to be good. Each segment then gets a copy of the headers, in
 * which what differs is put right.
 */
#include "frame/gso.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/util.h"
#include "frame/csum.h"
#include "frame/frame.h"

#define IP4_FRAGMENT 0x3fff /* of IP4_FRAG: more fragments, or not the first */
#define EXT_UNIT 8	    /* IPv6 extension headers: bytes, and what lengths count */

/* Sets where the transport header begins and what it is. */
static int walk_ip4(struct gso *g, uint8_t *proto)
{
	const uint8_t *ip = g->frame + g->l3;
	uint32_t room = g->frame_len - g->l3, len;

	if (room < IP4_SIZE || ip[0] >> 4 != 4)
		return -EINVAL;
	len = (ip[0] & 0xfu) * 4;
	if (len < IP4_SIZE || len > room || vnet_get16(ip + IP4_LEN) != room ||
	    vnet_get16(ip + IP4_FRAG) & IP4_FRAGMENT)
		return -EINVAL;
	g->l4 = g->l3 + len;
	*proto = ip[IP4_PROTO];
	return 0;
}

static bool is_passed_over(uint8_t proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING ||
	       proto == IPPROTO_DSTOPTS;
}

static int walk_ip6(struct gso *g, uint8_t *proto)
{
	const uint8_t *ip = g->frame + g->l3;
	uint32_t room = g->frame_len - g->l3, at = IP6_SIZE;

	if (room < IP6_SIZE || ip[0] >> 4 != 6 ||
	    vnet_get16(ip + IP6_LEN) != room - IP6_SIZE)
		return -EINVAL;
	*proto = ip[IP6_PROTO];
	while (is_passed_over(*proto)) {
		if (room - at < EXT_UNIT)
			return -EINVAL;
		*proto = ip[at];
		at += (ip[at + 1] + 1u) * EXT_UNIT;
		if (at > room)
			return -EINVAL;
	}
	g->l4 = g->l3 + at;
	return 0;
}

/* The transport header: its length is all the headers', its numbers are the frame's. */
static int check_l4(struct gso *g, const struct vnet *vnet)
{
	const uint8_t *l4 = g->frame + g->l4;
	uint32_t room = g->frame_len - g->l4, len;

	if (room < (g->is_tcp ? TCP_SIZE : UDP_SIZE) || vnet->csum_start != g->l4 ||
	    vnet->csum_offset != (g->is_tcp ? TCP_CSUM : UDP_CSUM))
		return -EINVAL;
	len = g->is_tcp ? (l4[TCP_DATA_OFFSET] >> 4) * 4u : UDP_SIZE;
	if (g->is_tcp && len < TCP_SIZE)
		return -EINVAL;
	if (!g->is_tcp && vnet_get16(l4 + UDP_LEN) != room)
		return -EINVAL;
	g->head_len = g->l4 + len;
	/* Without payload there is nothing to split, and no segment to make. */
	return len >= room || g->head_len > GSO_HEAD_MAX ? -EINVAL : 0;
}

static int check_type(const struct gso *g, uint16_t type, uint8_t proto,
		      const struct vnet *vnet)
{
	static const struct {
		uint8_t gso_type, proto;
		uint16_t type;
	} valid[] = {
		{ VNET_GSO_TCPV4, IPPROTO_TCP, TYPE_IP4 },
		{ VNET_GSO_TCPV6, IPPROTO_TCP, TYPE_IP6 },
		{ VNET_GSO_UDP_L4, IPPROTO_UDP, TYPE_IP4 },
		{ VNET_GSO_UDP_L4, IPPROTO_UDP, TYPE_IP6 },
	};

	if (!(vnet->flags & VNET_NEEDS_CSUM) || !g->gso_size)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(valid); i++) {
		if (valid[i].gso_type == vnet->gso_type && valid[i].proto == proto &&
		    valid[i].type == type)
			return 0;
	}
	return -EINVAL;
}

int gso_begin(struct gso *g, const uint8_t *frame, uint32_t len, const struct vnet *vnet)
{
	uint16_t type = 0;
	uint8_t proto = 0;
	uint32_t payload;
	int ret;

	*g = (struct gso){ .frame = frame, .frame_len = len, .gso_size = vnet->gso_size };
	g->l3 = vnet_l3(frame, len, &type);
	g->is_ipv6 = type == TYPE_IP6;
	if (!g->l3)
		return -EINVAL;
	ret = g->is_ipv6 ? walk_ip6(g, &proto) : walk_ip4(g, &proto);
	if (ret < 0)
		return ret;
	ret = check_type(g, type, proto, vnet);
	if (ret < 0)
		return ret;
	g->is_tcp = proto == IPPROTO_TCP;
	ret = check_l4(g, vnet);
	if (ret < 0)
		return ret;
	payload = len - g->head_len;
	g->n = (payload + g->gso_size - 1) / g->gso_size;
	if (g->n > (g->is_tcp ? GSO_TCP_SEGMENTS_MAX : GSO_UDP_SEGMENTS_MAX)) {
		g->n = 0;
		return -EINVAL;
	}
	return 0;
}

/* A checksum is in the machine's byte order from beginning to end. */
static void store_csum(uint8_t *p, uint16_t csum)
{
	memcpy(p, &csum, sizeof(csum));
}

static void make_ip(const struct gso *g, struct gso_segment *s, unsigned i)
{
	uint8_t *ip = s->head + g->l3;
	uint32_t len = g->head_len - g->l3 + s->len;

	if (g->is_ipv6) {
		vnet_put16(ip + IP6_LEN, len - IP6_SIZE);
		return;
	}
	vnet_put16(ip + IP4_LEN, len);
	vnet_put16(ip + IP4_ID, vnet_get16(ip + IP4_ID) + i);
	store_csum(ip + IP4_CSUM, 0);
	store_csum(ip + IP4_CSUM, (uint16_t)~csum_fold(csum_add(0, ip, g->l4 - g->l3)));
}

static void make_l4(const struct gso *g, struct gso_segment *s, unsigned i)
{
	uint8_t *l4 = s->head + g->l4;
	uint32_t len = g->head_len - g->l4 + s->len;
	uint64_t sum;
	uint16_t csum;

	if (g->is_tcp) {
		put_be32(l4 + TCP_SEQ, get_be32(l4 + TCP_SEQ) + i * g->gso_size);
		if (i)
			l4[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
		if (i != g->n - 1)
			l4[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	} else {
		vnet_put16(l4 + UDP_LEN, len);
	}
	/* The field's sum is of the whole length: take that out, and put ours in. */
	sum = (uint64_t)htons((uint16_t)len) +
	      (uint16_t)~htons((uint16_t)(g->frame_len - g->l4));
	sum = csum_add(sum, l4, g->head_len - g->l4);
	csum = (uint16_t)~csum_fold(csum_add(sum, s->data, s->len));
	/* RFC 768: 0 is for a datagram without checksum. */
	if (!g->is_tcp && !csum)
		csum = 0xffff;
	store_csum(l4 + (g->is_tcp ? TCP_CSUM : UDP_CSUM), csum);
}

bool gso_next(struct gso *g, struct gso_segment *s)
{
	unsigned i = g->next;
	uint32_t at = g->head_len + i * g->gso_size;

	if (i >= g->n)
		return false;
	g->next++;
	s->data = g->frame + at;
	s->len = (uint32_t)min_size(g->gso_size, g->frame_len - at);
	s->head_len = g->head_len;
	memcpy(s->head, g->frame, g->head_len);
	make_ip(g, s, i);
	make_l4(g, s, i);
	return true;
}

int gso_complete(uint8_t *frame, uint32_t len, const struct vnet *vnet)
{
	uint32_t start = vnet->csum_start, field = start + vnet->csum_offset;
	uint16_t csum;

	if (!(vnet->flags & VNET_NEEDS_CSUM))
		return 0;
	if (start < FRAME_HEADER || field + sizeof(csum) > len)
		return -EINVAL;
	/* The field holds the pseudo-header's sum, and is part of what is summed up. */
	csum = (uint16_t)~csum_fold(csum_add(0, frame + start, len - start));
	store_csum(frame + field, csum ? csum : 0xffff);
	return 0;
}
