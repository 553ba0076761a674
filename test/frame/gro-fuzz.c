/* SPDX-License-Identifier: MIT */
/*
 * gro.c with a batch of any frames: split again, they are what they were, damaged
 * ones as damaged, and in order where order means anything.
 *
 * Input: how many frames are of two pieces; up to four flows; then frames: the next
 * one of a flow, with what is to be changed in it; or bytes as they are.
 */
#include "lib/fuzz.h"

#include "lib/fuzz-packet.h"
#include "lib/round-trip.h"

#define FLOWS 4
#define RAW 1000 /* a frame that is of no flow: each has a number of its own */

static void change(struct fuzz_input *in, uint8_t *frame, uint32_t len, unsigned times)
{
	for (; times; times--) {
		uint32_t at = fuzz_byte(in);

		frame[at % len] ^= fuzz_byte(in);
	}
}

static void add_raw(struct fuzz_input *in, struct input *batch)
{
	uint32_t len = fuzz_byte(in);

	if (in->left < len)
		len = (uint32_t)in->left;
	if (len < FRAME_HEADER)
		return;
	input_add(batch, in->at, len);
	batch->flow[batch->n - 1] = RAW + batch->n;
	batch->group[batch->n - 1] = RAW + batch->n;
	in->at += len;
	in->left -= len;
}

/* What is changed may have made it another flow's. */
static void add_next(struct fuzz_input *in, struct input *batch, struct packet *flow,
		     unsigned number, uint8_t how)
{
	static uint8_t frame[PACKET_MAX];
	struct packet p = *flow;
	uint32_t len;
	bool is_changed = how >> 6 == 3;

	if (how & 1)
		p.payload = fuzz_byte(in) % 4 * flow->payload / 2;
	if (how & 2)
		p.flags ^= fuzz_byte(in);
	if (how & 4)
		p.id = (uint16_t)(p.id + fuzz_byte(in));
	if (how & 8)
		p.seq += fuzz_byte(in) - 128u;
	if (how & 16)
		p.window ^= fuzz_byte(in);
	if (how & 32)
		p.stamp ^= fuzz_byte(in);
	len = packet_build(frame, &p);
	flow->seq += p.payload;
	flow->id++;
	change(in, frame, len, is_changed ? 1 + fuzz_byte(in) % 4 : 0);
	input_add(batch, frame, len);
	batch->flow[batch->n - 1] = is_changed ? RAW + batch->n : number;
	batch->group[batch->n - 1] = RAW + batch->n;
}

/* The last one, if it is its turn: behind its headers as a segment is, or elsewhere. */
static void cut(struct input *batch, uint8_t every)
{
	struct frame *f = &batch->frame[batch->n ? batch->n - 1 : 0];
	uint32_t last = batch->n - 1;

	if (!every || !batch->n || last % every || f->head_len)
		return;
	input_cut(f, last % 8 && f->len > 57 ? 42 + last % 16
					     : 1 + last * 7 % (frame_peek_len(f) - 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct packet flow[FLOWS];
	struct input batch = { .n = 0 };
	uint8_t first = fuzz_byte(&in), every = first / 4 % 4;

	gro.udp = first % 4;
	for (unsigned i = 0; i < FLOWS; i++) {
		flow[i] = fuzz_packet(&in);
		flow[i].sport = (uint16_t)(1000 + i);
		flow[i].payload = fuzz_byte(&in);
	}
	while (in.left && batch.n < BATCH_MAX) {
		uint8_t what = fuzz_byte(&in), number = what % FLOWS;
		uint8_t how = what & 0x80 ? fuzz_byte(&in) : 0;

		if (what == 0xff)
			add_raw(&in, &batch);
		else
			add_next(&in, &batch, &flow[number], number, how);
		cut(&batch, every);
	}
	must(!batch.n || is_faithful(&batch));
	input_free(&batch);
	return 0;
}
