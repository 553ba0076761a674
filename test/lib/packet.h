/* SPDX-License-Identifier: MIT */
/*
 * Frames for the tests of splitting and merging: a builder, and a second opinion
 * on checksums and on how a super-frame is split. It is slow, byte by byte, from
 * the RFCs, and uses nothing of what it is to judge.
 */
#ifndef PACKET_H
#define PACKET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "frame/vnet.h"

#define PACKET_MAX 70000

/* @ip_options, @tcp_options, @ext, @pad: bytes; options in fours, extension in eights */
struct packet {
	bool v6, udp, df;
	unsigned tags;
	uint32_t from, to; /* the last bytes of the addresses */
	uint16_t sport, dport;
	uint8_t tos, ttl, flags;
	uint16_t id, window, urgent;
	uint32_t seq, ack, stamp;
	unsigned ip_options, tcp_options, ext, pad;
	uint32_t payload;
	uint8_t fill; /* what the payload begins with */
};

/* Of a packet as there are most: TCP over IPv4. */
#define PACKET_USUAL                                                                   \
	.from = 1, .to = 2, .sport = 1000, .dport = 2000, .tos = 2, .ttl = 64,         \
	.flags = 0x10, .df = true, .id = 0xfffe, .window = 501, .ack = 99, .stamp = 1, \
	.tcp_options = 12, .fill = 3

struct packet_at {
	uint32_t l3, l4, payload;
	bool v6, udp;
};

static inline void packet_p16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8 & 0xff);
	p[1] = (uint8_t)(v & 0xff);
}

static inline void packet_p32(uint8_t *p, uint32_t v)
{
	packet_p16(p, v >> 16);
	packet_p16(p + 2, v & 0xffff);
}

static inline uint32_t packet_g16(const uint8_t *p)
{
	return p[0] * 256u + p[1];
}

static inline uint32_t packet_g32(const uint8_t *p)
{
	return packet_g16(p) * 65536u + packet_g16(p + 2);
}

/* The sum of big-endian words, carries brought in at the end: at most 128 KB. */
static inline uint32_t packet_sum(uint32_t sum, const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i + 1 < len; i += 2)
		sum += p[i] * 256u + p[i + 1];
	if (len % 2)
		sum += p[len - 1] * 256u;
	while (sum > 0xffff)
		sum = sum % 0x10000 + sum / 0x10000;
	return sum;
}

static inline uint32_t packet_pseudo(const uint8_t *ip, uint8_t proto, uint32_t l4_len)
{
	bool v6 = ip[0] >> 4 == 6;
	uint8_t rest[8] = { 0 };

	packet_p32(rest, l4_len);
	rest[7] = proto;
	return packet_sum(packet_sum(0, ip + (v6 ? 8 : 12), v6 ? 32 : 8), rest, 8);
}

/* Of a good frame, with or without padding. */
static inline struct packet_at packet_find(const uint8_t *f)
{
	struct packet_at at = { .l3 = 14 };
	uint8_t proto;

	while (packet_g16(f + at.l3 - 2) == 0x8100 || packet_g16(f + at.l3 - 2) == 0x88a8)
		at.l3 += 4;
	at.v6 = packet_g16(f + at.l3 - 2) == 0x86dd;
	if (at.v6) {
		proto = f[at.l3 + 6];
		at.l4 = at.l3 + 40;
		while (proto == 0 || proto == 43 || proto == 60) {
			proto = f[at.l4];
			at.l4 += 8 + 8u * f[at.l4 + 1];
		}
	} else {
		proto = f[at.l3 + 9];
		at.l4 = at.l3 + f[at.l3] % 16 * 4u;
	}
	at.udp = proto == 17;
	at.payload = at.l4 + (at.udp ? 8u : f[at.l4 + 12] / 16 * 4u);
	return at;
}

/* Lengths and checksums, of a frame without padding. */
static inline void packet_seal(uint8_t *f, uint32_t len)
{
	struct packet_at at = packet_find(f);
	uint8_t *ip = f + at.l3, *l4 = f + at.l4, *sum = l4 + (at.udp ? 6 : 16);
	uint32_t l4_len = len - at.l4, csum;

	if (at.v6) {
		packet_p16(ip + 4, len - at.l3 - 40);
	} else {
		packet_p16(ip + 2, len - at.l3);
		packet_p16(ip + 10, 0);
		packet_p16(ip + 10, 0xffff - packet_sum(0, ip, at.l4 - at.l3));
	}
	if (at.udp)
		packet_p16(l4 + 4, l4_len);
	packet_p16(sum, 0);
	csum = 0xffff -
	       packet_sum(packet_pseudo(ip, at.udp ? 17 : 6, l4_len), l4, l4_len);
	packet_p16(sum, at.udp && !csum ? 0xffff : csum);
}

static inline uint8_t *packet_put_ip(uint8_t *o, const struct packet *p)
{
	uint8_t proto = p->udp ? 17 : 6;

	if (p->v6) {
		packet_p32(o, 0x60000000 | (uint32_t)p->tos << 20 | 0x12345);
		o[6] = p->ext ? 0 : proto;
		o[7] = p->ttl;
		packet_p32(o + 8, 0xfd000000);
		packet_p32(o + 20, p->from);
		packet_p32(o + 24, 0xfd000000);
		packet_p32(o + 36, p->to);
		if (p->ext) {
			o[40] = proto;
			o[41] = (uint8_t)(p->ext / 8 - 1);
			o[42] = 1; /* PadN */
			o[43] = (uint8_t)(p->ext - 4);
		}
		return o + 40 + p->ext;
	}
	o[0] = (uint8_t)(0x45 + p->ip_options / 4);
	o[1] = p->tos;
	packet_p16(o + 4, p->id);
	packet_p16(o + 6, p->df ? 0x4000 : 0);
	o[8] = p->ttl;
	o[9] = proto;
	packet_p32(o + 12, 0x0a000000 + p->from);
	packet_p32(o + 16, 0x0a000000 + p->to);
	memset(o + 20, 1, p->ip_options); /* NOP */
	return o + 20 + p->ip_options;
}

static inline uint8_t *packet_put_l4(uint8_t *o, const struct packet *p)
{
	packet_p16(o, p->sport);
	packet_p16(o + 2, p->dport);
	if (p->udp)
		return o + 8;
	packet_p32(o + 4, p->seq);
	packet_p32(o + 8, p->ack);
	o[12] = (uint8_t)((5 + p->tcp_options / 4) * 16);
	o[13] = p->flags;
	packet_p16(o + 14, p->window);
	packet_p16(o + 18, p->urgent);
	memset(o + 20, 1, p->tcp_options);
	if (p->tcp_options >= 12) {
		packet_p32(o + 20, 0x0101080a);
		packet_p32(o + 24, p->stamp);
		packet_p32(o + 28, 4711);
	}
	return o + 20 + p->tcp_options;
}

/* Builds a frame at @f, PACKET_MAX bytes. Return: its length. */
static inline uint32_t packet_build(uint8_t *f, const struct packet *p)
{
	uint8_t *o = f + 12;
	uint32_t len;

	memset(f, 0, 256);
	memcpy(f, "\x52\x54\x00\x00\x00\x02\x52\x54\x00\x00\x00\x01", 12);
	for (unsigned i = 0; i < p->tags; i++) {
		packet_p16(o, i + 1 < p->tags ? 0x88a8 : 0x8100);
		packet_p16(o + 2, 100 + i);
		o += 4;
	}
	packet_p16(o, p->v6 ? 0x86dd : 0x0800);
	o = packet_put_l4(packet_put_ip(o + 2, p), p);
	for (uint32_t i = 0; i < p->payload; i++)
		o[i] = (uint8_t)(p->fill + i * 7 + i / 256);
	len = (uint32_t)(o - f) + p->payload;
	packet_seal(f, len);
	memset(f + len, 0, p->pad);
	return len + p->pad;
}

/*
 * Makes a good frame a super-frame: checksum field and vnet header as the kernel
 * has them.
 */
static inline struct vnet packet_make_super(uint8_t *f, uint32_t len, uint16_t gso_size)
{
	struct packet_at at = packet_find(f);
	uint8_t *sum = f + at.l4 + (at.udp ? 6 : 16);

	packet_p16(sum, packet_pseudo(f + at.l3, at.udp ? 17 : 6, len - at.l4));
	return (struct vnet){
		.flags = 1,
		.gso_type = at.udp  ? 5
			    : at.v6 ? 4
				    : 1,
		.hdr_len = (uint16_t)at.payload,
		.gso_size = gso_size,
		.csum_start = (uint16_t)at.l4,
		.csum_offset = at.udp ? 6 : 16,
	};
}

/* Segment @i of a super-frame, at @out. Return: its length, 0 behind the last one. */
static inline uint32_t packet_segment(uint8_t *out, const uint8_t *f, uint32_t len,
				      uint32_t size, uint32_t i)
{
	struct packet_at at = packet_find(f);
	uint32_t from = at.payload + i * size, n = len - from < size ? len - from : size;
	bool is_last = from + size >= len;
	uint8_t *l4 = out + at.l4;

	if (from >= len)
		return 0;
	memcpy(out, f, at.payload);
	memcpy(out + at.payload, f + from, n);
	if (!at.v6)
		packet_p16(out + at.l3 + 4, (packet_g16(f + at.l3 + 4) + i) % 65536);
	if (!at.udp) {
		packet_p32(l4 + 4, packet_g32(f + at.l4 + 4) + i * size);
		if (!is_last)
			l4[13] &= 0xff - 0x01 - 0x08;
		if (i > 0)
			l4[13] &= 0x7f;
	}
	packet_seal(out, at.payload + n);
	return at.payload + n;
}

/* Bytes in memory of just that size, so that a sanitizer sees one read too far. */
static inline uint8_t *packet_copy(const uint8_t *f, uint32_t len)
{
	uint8_t *copy = calloc(1, len ? len : 1);

	if (!copy)
		abort();
	if (len)
		memcpy(copy, f, len);
	return copy;
}

#endif
