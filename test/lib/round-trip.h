/* SPDX-License-Identifier: MIT */
/*
 * What goes into gro_merge() must come out of it, once it is split again: every
 * frame, byte by byte, and each flow's in order. Who splits is gso.c and the
 * splitter of packet.h, which must agree.
 */
#ifndef ROUND_TRIP_H
#define ROUND_TRIP_H

#include "frame/gro.h"
#include "frame/gso.h"
#include "lib/packet.h"
#include "lib/pieces.h"

/* Frames of a batch, each piece of them in memory of its own size. */
struct input {
	struct frame frame[BATCH_MAX];
	unsigned n;
	unsigned flow[BATCH_MAX]; /* those of one flow stay in order; see must_follow() */
	unsigned group[BATCH_MAX]; /* of addresses */
	bool is_wall[BATCH_MAX];   /* not to be overtaken within its group */
};

/* What came out after splitting. */
struct output {
	uint8_t *data[BATCH_MAX];
	uint32_t len[BATCH_MAX];
	unsigned n;
};

static struct gro gro;

static inline void input_add(struct input *in, const uint8_t *data, uint32_t len)
{
	in->frame[in->n] = (struct frame){ .data = packet_copy(data, len), .len = len };
	in->flow[in->n] = in->group[in->n] = 0;
	in->is_wall[in->n++] = false;
}

static inline void input_build(struct input *in, const struct packet *p)
{
	static uint8_t frame[PACKET_MAX];

	input_add(in, frame, packet_build(frame, p));
}

/* Has a frame of one piece be of two: its first @at bytes, and the rest. */
static inline void input_cut(struct frame *f, uint32_t at)
{
	const uint8_t *whole = f->data;

	f->head = packet_copy(whole, at);
	f->head_len = (uint16_t)at;
	f->data = packet_copy(whole + at, f->len - at);
	free((void *)(uintptr_t)whole);
}

static inline void input_free(struct input *in)
{
	for (unsigned i = 0; i < in->n; i++) {
		if (in->frame[i].head_len)
			free((void *)(uintptr_t)in->frame[i].head);
		free((void *)(uintptr_t)in->frame[i].data);
	}
	in->n = 0;
}

static inline void output_free(struct output *out)
{
	for (unsigned i = 0; i < out->n; i++)
		free(out->data[i]);
	out->n = 0;
}

static inline bool output_add(struct output *out, const uint8_t *a, uint32_t a_len,
			      const uint8_t *b, uint32_t b_len)
{
	static uint8_t whole[PACKET_MAX];

	if (out->n == BATCH_MAX)
		return false;
	memcpy(whole, a, a_len);
	memcpy(whole + a_len, b, b_len);
	out->len[out->n] = a_len + b_len;
	out->data[out->n++] = packet_copy(whole, a_len + b_len);
	return true;
}

/* All of a unit's bytes behind the vnet header. Return: how many, 0 on nonsense. */
static inline uint32_t flatten(const struct gro_unit *u, uint8_t *to)
{
	uint32_t len = 0;

	if (u->n_iov < 2 || u->n_iov > GRO_IOV_MAX || u->iov[0].iov_base != &u->vnet ||
	    u->iov[0].iov_len != VNET_BYTES)
		return 0;
	for (int i = 1; i < u->n_iov; i++) {
		if (len + u->iov[i].iov_len > PACKET_MAX)
			return 0;
		memcpy(to + len, u->iov[i].iov_base, u->iov[i].iov_len);
		len += (uint32_t)u->iov[i].iov_len;
	}
	return len;
}

/* A merged unit: both splitters must agree, and there must be as many as it says. */
static inline bool split(const struct gro_unit *u, const uint8_t *frame, uint32_t len,
			 struct output *out)
{
	static uint8_t want[PACKET_MAX];
	const struct frame whole = pieces_whole(frame, len, &u->vnet);
	struct gso_segment s;
	uint32_t n, bytes = 0;
	struct gso g;

	if (gso_begin(&g, &whole) || g.n != u->frames || u->vnet.hdr_len != g.head_len ||
	    len - g.l3 > 65535)
		return false;
	for (unsigned i = 0; gso_next(&g, &s); i++) {
		n = packet_segment(want, frame, len, u->vnet.gso_size, i);
		if (!pieces_are(&s.frame, want, n) || !output_add(out, want, n, want, 0))
			return false;
		bytes += n;
	}
	return bytes == u->bytes;
}

/* Merges and splits. Return: whether all units are what they should be. */
static inline bool round_trip(const struct input *in, struct output *out)
{
	static const struct vnet none;
	static uint8_t frame[PACKET_MAX];
	bool good = true;

	memset(gro.unit, 0xa5, sizeof(gro.unit));
	gro_merge(&gro, in->frame, in->n);
	out->n = 0;
	for (unsigned i = 0; good && i < gro.n; i++) {
		const struct gro_unit *u = &gro.unit[i];
		uint32_t len = flatten(u, frame);

		if (u->frames > 1)
			good = len && split(u, frame, len, out);
		else
			good = u->frames == 1 && u->bytes == len && u->n_iov <= 3 &&
			       !memcmp(&u->vnet, &none, sizeof(none)) &&
			       output_add(out, frame, len, frame, 0);
	}
	return good;
}

static inline bool is_frame(const struct frame *f, const uint8_t *data, uint32_t len)
{
	return pieces_are(f, data, len);
}

/* Finds each frame's place in the output. Return: whether all are there, and no other. */
static inline bool match(const struct input *in, const struct output *out,
			 unsigned *place)
{
	bool taken[BATCH_MAX] = { false };

	for (unsigned i = 0; i < in->n; i++) {
		unsigned k = 0;

		while (k < out->n &&
		       (taken[k] || !is_frame(&in->frame[i], out->data[k], out->len[k])))
			k++;
		if (k == out->n)
			return false;
		taken[k] = true;
		place[i] = k;
	}
	return in->n == out->n;
}

static inline bool must_follow(const struct input *in, unsigned a, unsigned b)
{
	return in->flow[a] == in->flow[b] ||
	       (in->group[a] == in->group[b] && (in->is_wall[a] || in->is_wall[b]));
}

static inline bool is_in_order(const struct input *in, const unsigned *place)
{
	for (unsigned a = 0; a < in->n; a++) {
		for (unsigned b = a + 1; b < in->n; b++) {
			if (place[a] > place[b] && must_follow(in, a, b))
				return false;
		}
	}
	return true;
}

/* Whether each unit is of as many frames as say that they are in it. */
static inline bool is_told_where(const struct input *in)
{
	unsigned frames[BATCH_MAX] = { 0 };

	for (unsigned i = 0; i < in->n; i++) {
		if (gro.of[i] >= gro.n)
			return false;
		frames[gro.of[i]]++;
	}
	for (unsigned i = 0; i < gro.n; i++) {
		if (gro.unit[i].frames != frames[i])
			return false;
	}
	return true;
}

/* Return: whether it came out as it went in. */
static inline bool is_faithful(const struct input *in)
{
	unsigned place[BATCH_MAX];
	struct output out;
	bool good = round_trip(in, &out) && match(in, &out, place) &&
		    is_in_order(in, place) && is_told_where(in);

	output_free(&out);
	return good;
}

#endif
