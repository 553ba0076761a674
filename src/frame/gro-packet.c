/* SPDX-License-Identifier: MIT */
/*
 * Reads the headers of a frame. They come from outside: each length is checked before it is
 * used, and lengths in several headers must agree.
 */
#include "frame/gro-packet.h"

#include <netinet/in.h>
#include <string.h>

#include "base/util.h"
#include "frame/csum.h"
#include "frame/headers.h"
#include "frame/vnet.h"

#define IP4_DF 0x4000 /* a bit of IP4_FRAG: don't fragment */
#define PORTS_SIZE 4  /* bytes of both ports, with which TCP and UDP headers begin */

enum { TCP4, UDP4, TCP6, UDP6, KINDS };

static const struct gro_kind kinds[KINDS] = {
	[TCP4] = { false, true, VNET_GSO_TCPV4, IPPROTO_TCP, IP4_SIZE, IP4_ADDRESSES, 8,
		   TCP_SIZE, TCP_CSUM },
	[UDP4] = { false, false, VNET_GSO_UDP_L4, IPPROTO_UDP, IP4_SIZE, IP4_ADDRESSES, 8,
		   UDP_SIZE, UDP_CSUM },
	[TCP6] = { true, true, VNET_GSO_TCPV6, IPPROTO_TCP, IP6_SIZE, IP6_ADDRESSES, 32,
		   TCP_SIZE, TCP_CSUM },
	[UDP6] = { true, false, VNET_GSO_UDP_L4, IPPROTO_UDP, IP6_SIZE, IP6_ADDRESSES, 32,
		   UDP_SIZE, UDP_CSUM },
};

/* Masks of the bits that must be equal to merge; the flow has addresses and ports. */
static const uint8_t same_ip4[IP4_SIZE] = {
	0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
};
static const uint8_t same_ip6[IP6_SIZE] = {
	0xff, 0xff, 0xff, 0xff, 0, 0, 0xff, 0xff,
};
static const uint8_t same_tcp[TCP_SIZE] = {
	[8] = 0xff,  0xff,
	0xff,	     0xff, /* acknowledgement number */
	[12] = 0xff, (uint8_t)~TCP_PSH,
	0xff,	     0xff, /* data offset, flags, window */
	[18] = 0xff, 0xff, /* urgent pointer */
};

static const uint8_t same_options[TCP_SIZE * 2] = {
	/* the longest */
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};

static uint64_t word(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* As memcmp(), which is slow in some libraries. @len must be 8 or more. */
static bool is_same(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	uint32_t last = len - (uint32_t)sizeof(uint64_t);
	uint64_t diff = word(a + last) ^ word(b + last);

	for (uint32_t i = 0; i < last; i += sizeof(diff))
		diff |= word(a + i) ^ word(b + i);
	return !diff;
}

/* Hash VLAN tags, addresses and ports. Two flows may have equal hashes. */
static uint32_t hash_of(const struct gro_packet *p)
{
	static const uint64_t odd = 0x9e3779b97f4a7c15;
	const uint8_t *at = p->head + p->l3 + p->kind->addresses;
	uint32_t ports;
	uint64_t h;

	memcpy(&ports, p->head + p->l4, sizeof(ports));
	h = (word(p->head + p->l3 - sizeof(h)) ^ ports) * odd;
	for (uint32_t i = 0; i < p->kind->addresses_size; i += sizeof(h))
		h = (h ^ h >> 32 ^ word(at + i)) * odd;
	return (uint32_t)(h >> 32);
}

static bool is_ip_mergeable(const struct gro_packet *p)
{
	const uint8_t *ip = p->head + p->l3;
	uint32_t len = p->len - p->l3;

	if (p->is_ipv6)
		return get_be16(ip + IP6_LEN) == len - IP6_SIZE;
	return get_be16(ip + IP4_LEN) == len && get_be16(ip + IP4_CSUM) != 0xffff;
}

static bool is_l4_mergeable(const struct gro_packet *p)
{
	const uint8_t *l4 = p->head + p->l4;
	uint16_t csum;

	if (p->have - p->l4 < p->kind->l4_size)
		return false;
	csum = get_be16(l4 + p->kind->csum);
	if (!csum)
		return false;
	if (!p->kind->is_tcp)
		return get_be16(l4 + UDP_LEN) == p->len - p->l4;
	return csum != 0xffff && (l4[TCP_FLAGS] & ~TCP_PSH) == TCP_ACK &&
	       !(l4[TCP_DATA_OFFSET] & 0xf) && l4[TCP_DATA_OFFSET] >> 4 >= TCP_SIZE / 4;
}

/* Find the bytes behind the first @skip. Return: where they are; NULL if not in one piece. */
static const uint8_t *payload_of(const struct frame *f, uint32_t skip)
{
	if (skip < f->head_len)
		return f->head_len == f->len ? f->head + skip : NULL;
	return f->tail_len ? NULL : f->data + (skip - f->head_len);
}

/* Whether the frame, whose flow is known, can be merged with others. */
static bool is_mergeable(struct gro_packet *p, const struct frame *f, bool udp)
{
	if ((!p->kind->is_tcp && !udp) || !is_ip_mergeable(p) || !is_l4_mergeable(p))
		return false;
	p->head_len = p->l4 + UDP_SIZE;
	if (p->kind->is_tcp)
		p->head_len = p->l4 + (p->head[p->l4 + TCP_DATA_OFFSET] >> 4) * 4u;
	if (p->head_len > p->have || p->head_len >= p->len)
		return false;
	p->payload = payload_of(f, p->head_len);
	p->payload_len = p->len - p->head_len;
	return p->payload;
}

/* Whether the frame is IP and its addresses can be read. */
static bool parse_ip(struct gro_packet *p, uint16_t type)
{
	uint32_t have = p->have - p->l3;

	if ((type != TYPE_IP4 && type != TYPE_IP6) || !have)
		return false;
	p->is_ipv6 = type == TYPE_IP6;
	return have >= (p->is_ipv6 ? IP6_SIZE : IP4_SIZE) &&
	       p->head[p->l3] >> 4 == (p->is_ipv6 ? 6 : 4);
}

static const struct gro_kind *kind_of(const struct gro_packet *p)
{
	const uint8_t *ip = p->head + p->l3;
	uint8_t proto = ip[p->is_ipv6 ? IP6_PROTO : IP4_PROTO];

	/* Refused: options, fragments, and the bit that must be 0. */
	if (!p->is_ipv6 &&
	    ((ip[0] & 0xf) != IP4_SIZE / 4 || get_be16(ip + IP4_FRAG) & ~IP4_DF))
		return NULL;
	for (unsigned i = 0; i < KINDS; i++) {
		if (kinds[i].is_ipv6 == p->is_ipv6 && kinds[i].proto == proto)
			return &kinds[i];
	}
	return NULL;
}

/* p->head, p->have and p->len are set. */
static enum gro_known parse(struct gro_packet *p, const struct frame *f, bool udp)
{
	uint16_t type = 0;

	p->l3 = headers_l3(p->head, p->have, &type);
	if (!p->l3 || !parse_ip(p, type))
		return GRO_KNOWN_ETHERNET;
	p->kind = kind_of(p);
	if (!p->kind)
		return GRO_KNOWN_ADDRESSES;
	p->l4 = p->l3 + p->kind->ip_size;
	if (p->have - p->l4 < PORTS_SIZE)
		return GRO_KNOWN_ADDRESSES;
	p->hash = hash_of(p);
	return is_mergeable(p, f, udp) ? GRO_KNOWN_MERGEABLE : GRO_KNOWN_FLOW;
}

enum gro_known gro_parse(struct gro_packet *p, const struct frame *f, bool udp,
			 uint8_t *room)
{
	enum gro_known known;

	p->len = f->len;
	p->have = f->head_len ? f->head_len : frame_data_len(f);
	p->head = frame_peek(f, p->have, room);
	known = parse(p, f, udp);
	if (known == GRO_KNOWN_MERGEABLE || p->have >= frame_peek_len(f))
		return known;
	/* The first piece may lack some of the headers: look at all pieces. */
	p->have = frame_peek_len(f);
	p->head = frame_peek(f, p->have, room);
	known = parse(p, f, udp);
	return known == GRO_KNOWN_MERGEABLE ? GRO_KNOWN_FLOW : known;
}

bool gro_is_same_flow(const struct gro_packet *a, const struct gro_packet *b)
{
	const struct gro_kind *k = a->kind;
	uint32_t at = a->l3 + k->addresses;

	/* The same bytes have the same tags, so that b->l3 is a->l3. */
	return a->hash == b->hash && k == b->kind && is_same(a->head, b->head, a->l3) &&
	       is_same(a->head + at, b->head + at, k->addresses_size) &&
	       !memcmp(a->head + a->l4, b->head + b->l4, PORTS_SIZE);
}

static bool is_equal(const uint8_t *a, const uint8_t *b, const uint8_t *mask, size_t len)
{
	uint32_t x, y, which, diff = 0;

	for (size_t i = 0; i < len; i += sizeof(x)) {
		memcpy(&x, a + i, sizeof(x));
		memcpy(&y, b + i, sizeof(y));
		memcpy(&which, mask + i, sizeof(which));
		diff |= (x ^ y) & which;
	}
	return !diff;
}

bool gro_is_alike(const struct gro_packet *a, const struct gro_packet *b)
{
	const uint8_t *x = a->head + a->l4, *y = b->head + b->l4;

	if (a->head_len != b->head_len)
		return false;
	if (!is_equal(a->head + a->l3, b->head + b->l3, b->is_ipv6 ? same_ip6 : same_ip4,
		      b->kind->ip_size))
		return false;
	if (!b->kind->is_tcp)
		return true;
	return is_equal(x, y, same_tcp, TCP_SIZE) &&
	       is_equal(x + TCP_SIZE, y + TCP_SIZE, same_options,
			b->head_len - b->l4 - TCP_SIZE);
}

bool gro_is_intact(const struct gro_packet *p)
{
	const uint8_t *ip = p->head + p->l3;
	uint64_t sum;

	if (!p->is_ipv6 && csum_fold(csum_add(0, ip, IP4_SIZE)) != 0xffff)
		return false;
	sum = csum_pseudo(ip, p->kind->proto, p->len - p->l4);
	sum = csum_add(sum, p->head + p->l4, p->head_len - p->l4);
	return csum_fold(csum_add(sum, p->payload, p->payload_len)) == 0xffff;
}
