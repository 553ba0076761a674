/* SPDX-License-Identifier: MIT */
/*
 * Splits a super-frame. gso_begin() checks the headers once, and notes their offsets, which
 * are valid from then on. Each segment gets a copy of the headers, in which lengths,
 * counters, flags and checksums are replaced.
 */
#include "frame/gso.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/util.h"
#include "frame/csum.h"
#include "frame/headers.h"

#define IP4_FRAGMENT 0x3fff /* bits of IP4_FRAG: more fragments follow, or an offset */
#define EXT_UNIT 8	    /* bytes; lengths of IPv6 extension headers count these */

/* Find the offset and the protocol of the transport header. */
static int walk_ip4(struct gso *g, uint8_t *proto)
{
	const uint8_t *ip = g->head + g->l3;
	uint32_t have = g->have - g->l3, len;

	if (have < IP4_SIZE || ip[0] >> 4 != 4)
		return -EINVAL;
	len = (ip[0] & 0xfu) * 4;
	if (len < IP4_SIZE || len > have ||
	    get_be16(ip + IP4_LEN) != g->frame->len - g->l3 ||
	    get_be16(ip + IP4_FRAG) & IP4_FRAGMENT)
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
	const uint8_t *ip = g->head + g->l3;
	uint32_t have = g->have - g->l3, at = IP6_SIZE;

	if (have < IP6_SIZE || ip[0] >> 4 != 6 ||
	    get_be16(ip + IP6_LEN) != g->frame->len - g->l3 - IP6_SIZE)
		return -EINVAL;
	*proto = ip[IP6_PROTO];
	while (is_passed_over(*proto)) {
		if (have - at < EXT_UNIT)
			return -EINVAL;
		*proto = ip[at];
		at += (ip[at + 1] + 1u) * EXT_UNIT;
		if (at > have)
			return -EINVAL;
	}
	g->l4 = g->l3 + at;
	return 0;
}

/* Check the transport header, and set the length of all headers. */
static int check_l4(struct gso *g, const struct vnet *vnet)
{
	const uint8_t *l4 = g->head + g->l4;
	uint32_t room = g->frame->len - g->l4, len;

	if (g->have - g->l4 < (g->is_tcp ? TCP_SIZE : UDP_SIZE) ||
	    vnet->csum_start != g->l4 ||
	    vnet->csum_offset != (g->is_tcp ? TCP_CSUM : UDP_CSUM))
		return -EINVAL;
	len = g->is_tcp ? (l4[TCP_DATA_OFFSET] >> 4) * 4u : UDP_SIZE;
	if (g->is_tcp && len < TCP_SIZE)
		return -EINVAL;
	if (!g->is_tcp && get_be16(l4 + UDP_LEN) != room)
		return -EINVAL;
	g->head_len = g->l4 + len;
	/* Without payload there is nothing to split. */
	return len >= room || g->head_len > g->have ? -EINVAL : 0;
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

int gso_begin(struct gso *g, const struct frame *f)
{
	const struct vnet *vnet = f->vnet;
	uint16_t type = 0;
	uint8_t proto = 0;
	uint32_t payload;
	int ret;

	g->frame = f;
	g->have = frame_peek_len(f);
	g->head = frame_peek(f, g->have, g->room);
	g->gso_size = vnet->gso_size;
	g->next = g->n = 0;
	g->l3 = headers_l3(g->head, g->have, &type);
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
	payload = f->len - g->head_len;
	g->n = (payload + g->gso_size - 1) / g->gso_size;
	if (g->n > (g->is_tcp ? GSO_TCP_SEGMENTS_MAX : GSO_UDP_SEGMENTS_MAX)) {
		g->n = 0;
		return -EINVAL;
	}
	return 0;
}

/* Sum up all bytes from offset @from on, of a frame of any pieces. */
static uint64_t sum_pieces(uint64_t sum, const struct frame *f, uint32_t from)
{
	struct iovec iov[FRAME_PIECES_MAX];
	unsigned n = frame_pieces(f, iov, FRAME_PIECES_MAX);
	bool is_odd = false;

	for (unsigned i = 0; i < n; i++) {
		uint32_t skip = (uint32_t)min_size(from, iov[i].iov_len);
		size_t len = iov[i].iov_len - skip;
		uint64_t part = csum_add(0, (uint8_t *)iov[i].iov_base + skip, len);

		/* RFC 1071, 2 (B): at an odd offset the two bytes of the sum are swapped. */
		sum += is_odd ? __builtin_bswap16(csum_fold(part)) : csum_fold(part);
		is_odd ^= len & 1;
		from -= skip;
	}
	return sum;
}

/* The same; quick for headers made here and a payload, which most segments are. */
static uint64_t sum_from(uint64_t sum, const struct frame *f, uint32_t from)
{
	if (f->tail_len || from > f->head_len || (f->head_len - from) & 1)
		return sum_pieces(sum, f, from);
	sum = csum_add(sum, f->head + from, f->head_len - from);
	return csum_add(sum, f->data, frame_data_len(f));
}

/* Sums are in the machine's byte order throughout, see csum.h, so store one as it is. */
static void store_csum(uint8_t *p, uint16_t csum)
{
	memcpy(p, &csum, sizeof(csum));
}

/* @head: of a part of @len bytes, whose first segment is the super-frame's number @i */
static void make_ip(const struct gso *g, uint8_t *head, uint32_t len, unsigned i)
{
	uint8_t *ip = head + g->l3;

	len -= g->l3;
	if (g->is_ipv6) {
		put_be16(ip + IP6_LEN, len - IP6_SIZE);
		return;
	}
	put_be16(ip + IP4_LEN, len);
	put_be16(ip + IP4_ID, get_be16(ip + IP4_ID) + i);
	store_csum(ip + IP4_CSUM, 0);
	store_csum(ip + IP4_CSUM, (uint16_t)~csum_fold(csum_add(0, ip, g->l4 - g->l3)));
}

static uint32_t csum_field(const struct gso *g)
{
	return g->l4 + (g->is_tcp ? TCP_CSUM : UDP_CSUM);
}

/*
 * All but the checksum. Return: what is to be added to its field, the pseudo-header's sum,
 * which has the length of the super-frame.
 */
static uint64_t make_l4(const struct gso *g, uint8_t *head, uint32_t len, unsigned i,
			bool is_last)
{
	uint8_t *l4 = head + g->l4;

	len -= g->l4;
	if (g->is_tcp) {
		put_be32(l4 + TCP_SEQ, get_be32(l4 + TCP_SEQ) + i * g->gso_size);
		if (i)
			l4[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
		if (!is_last)
			l4[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	} else {
		put_be16(l4 + UDP_LEN, len);
	}
	return (uint64_t)htons((uint16_t)len) +
	       (uint16_t)~htons((uint16_t)(g->frame->len - g->l4));
}

static void make_headers(const struct gso *g, struct gso_segment *s, unsigned i)
{
	uint32_t len = s->frame.len;
	uint64_t sum;
	uint16_t csum;

	make_ip(g, s->head, len, i);
	sum = make_l4(g, s->head, len, i, i == g->n - 1);
	csum = (uint16_t)~csum_fold(sum_from(sum, &s->frame, g->l4));
	/* RFC 768: 0 would mean that the datagram has no checksum. */
	if (!g->is_tcp && !csum)
		csum = 0xffff;
	store_csum(s->head + csum_field(g), csum);
}

int gso_part(const struct gso *g, uint32_t from, uint32_t to, uint8_t *head,
	     struct vnet *vnet)
{
	uint32_t i = (from - g->head_len) / g->gso_size, len = g->head_len + to - from;
	uint16_t csum;
	uint64_t sum;

	if ((from - g->head_len) % g->gso_size)
		return -EINVAL;
	make_ip(g, head, len, i);
	sum = make_l4(g, head, len, i, to == g->frame->len);
	memcpy(&csum, head + csum_field(g), sizeof(csum));
	store_csum(head + csum_field(g), csum_fold(sum + csum));
	if (to - from <= g->gso_size) {
		vnet->gso_type = VNET_GSO_NONE;
		vnet->gso_size = 0;
	}
	return 0;
}

/*
 * How many of a segment's @len bytes of payload, which begin at offset @at of the
 * super-frame, are copied behind the segment's headers: those in the super-frame's own
 * head, which fit because there they follow the same headers. If the payload is foreign,
 * as many as frame_peek() must find in the head.
 */
static uint32_t copied_of(const struct gso *g, uint32_t at, uint32_t len)
{
	const struct frame *f = g->frame;

	if (f->is_foreign)
		return (uint32_t)min_size(GSO_HEAD_MAX - g->head_len, len);
	return at < f->head_len ? (uint32_t)min_size(f->head_len - at, len) : 0;
}

/* Make a segment whose payload is @len bytes from offset @at of the super-frame on. */
static void share(const struct gso *g, struct gso_segment *s, uint32_t at, uint32_t len)
{
	const struct frame *f = g->frame;
	uint32_t copied = copied_of(g, at, len);

	copy_some(s->head, g->head, g->head_len);
	if (copied)
		frame_copy(s->head + g->head_len, f, at, copied);
	frame_part(&s->frame, f, at + copied, len - copied);
	s->frame.head = s->head;
	s->frame.head_len = (uint16_t)(g->head_len + copied);
	s->frame.len = g->head_len + len;
}

bool gso_next(struct gso *g, struct gso_segment *s)
{
	unsigned i = g->next;
	uint32_t at = g->head_len + i * g->gso_size;

	if (i >= g->n)
		return false;
	g->next++;
	share(g, s, at, (uint32_t)min_size(g->gso_size, g->frame->len - at));
	make_headers(g, s, i);
	return true;
}

/* Copy the first bytes of a frame to a head of its own; the rest stays where it is. */
static void take_head(struct gso_segment *s, const struct frame *f)
{
	uint32_t n = frame_peek_len(f);

	frame_copy(s->head, f, 0, n);
	frame_part(&s->frame, f, n, f->len - n);
	s->frame.head = s->head;
	s->frame.head_len = (uint16_t)n;
	s->frame.len = f->len;
}

/* Replace the two bytes at offset @field of a frame of one piece by those at s->head. */
static void cut_out(struct gso_segment *s, const struct frame *f, uint32_t field)
{
	uint32_t behind = field + (uint32_t)sizeof(uint16_t);

	s->frame.data = f->data;
	s->frame.len = f->len;
	s->frame.tail = s->tail;
	s->frame.tail_len = f->len - field;
	s->tail[0] = (struct iovec){ s->head, sizeof(uint16_t) };
	s->tail[1] =
		(struct iovec){ (void *)(uintptr_t)(f->data + behind), f->len - behind };
}

int gso_complete(struct gso_segment *s, const struct frame *f)
{
	const struct vnet *vnet = f->vnet;
	uint32_t start = vnet->csum_start, field = start + vnet->csum_offset;
	uint16_t csum;

	s->frame = *f;
	s->frame.vnet = NULL;
	/* A virtio header precedes it in the buffer, so it cannot be sent as it lies. */
	s->frame.layout = LAYOUT_NONE;
	if (!(vnet->flags & VNET_NEEDS_CSUM))
		return 0;
	if (start < FRAME_HEADER || field + sizeof(csum) > f->len)
		return -EINVAL;
	/* The field holds the sum of the pseudo-header, so it is summed up as well. */
	csum = (uint16_t)~csum_fold(sum_from(0, f, start));
	if (field + sizeof(csum) <= FRAME_PEEK) {
		take_head(s, f);
		store_csum(s->head + field, csum ? csum : 0xffff);
		return 0;
	}
	if (f->head_len || f->tail_len)
		return -EINVAL;
	cut_out(s, f, field);
	store_csum(s->head, csum ? csum : 0xffff);
	return 0;
}
