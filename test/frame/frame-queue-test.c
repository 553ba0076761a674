/* SPDX-License-Identifier: MIT */
/*
 * frame-queue.c against a model so simple that it can't be wrong: a long array of what
 * was put, and two indexes into it. Random histories with fixed seeds, over
 * limits from the smallest there may be; and what the model knows nothing of:
 * that slices lie as on the wire, and that memory is given back.
 */
#include "frame/frame-queue.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "frame/run.h"
#include "lib/pieces.h"
#include "lib/random.h"
#include "lib/tap.h"

#define RECORD_MAX (LAYOUT_PREFIX + FRAME_MAX)
#define STEPS 8000
#define PHASE 900
#define PEEK_MAX 80
#define RUN_MAX 4

/* What frames are made of: every one is a piece of this noise. */
static uint8_t noise[2 * FRAME_MAX];

static void make_noise(void)
{
	random_begin(1);
	rnd_bytes(noise, sizeof(noise));
}

struct history {
	const char *name;
	size_t limit;
	uint32_t shortest, longest;
};

struct model {
	struct frame put[STEPS * RUN_MAX];
	unsigned first, end;
	size_t bytes;
	unsigned refused, wraps, runs;
};

static const struct history histories[] = {
	{ "the smallest limit, long frames", RECORD_MAX, 15000, FRAME_MAX },
	{ "the smallest limit, any frames", RECORD_MAX, FRAME_HEADER, FRAME_MAX },
	{ "the smallest limit, short frames", RECORD_MAX, FRAME_HEADER, 2000 },
	{ "one byte more", RECORD_MAX + 1, FRAME_HEADER, FRAME_MAX },
	{ "100,000 bytes", 100000, FRAME_HEADER, 9000 },
	{ "512 KiB, the longest frame only", 512 << 10, FRAME_MAX, FRAME_MAX },
	{ "512 KiB, frames of a few KiB", 512 << 10, 1000, 9000 },
	{ "512 KiB, any frames", 512 << 10, FRAME_HEADER, FRAME_MAX },
};

/* Return: whether the queue and the model went the same way. */
static bool step_put(struct frame_queue *q, struct model *m, const struct history *h)
{
	struct frame f = { .data = noise + rnd(FRAME_MAX) };
	bool fits;

	f.len = h->shortest + rnd(h->longest - h->shortest + 1);
	fits = m->bytes + LAYOUT_PREFIX + f.len <= h->limit;
	if (fits) {
		m->put[m->end++] = f;
		m->bytes += LAYOUT_PREFIX + f.len;
	} else {
		m->refused++;
	}
	return frame_queue_put(q, &f) == fits;
}

/*
 * A few frames that lie one behind the other, as a run: all of them or, where the
 * model has no room for all or the queue none in one piece, nothing.
 */
static bool step_put_run(struct frame_queue *q, struct model *m, const struct history *h)
{
	static uint8_t wire[RUN_MAX * RECORD_MAX];
	unsigned n = 2 + rnd(RUN_MAX - 1);
	uint8_t *at = wire;
	struct frame run;

	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &m->put[m->end + i];

		*f = (struct frame){ .data = noise + rnd(FRAME_MAX) };
		f->len = h->shortest + rnd(h->longest - h->shortest + 1);
		f->len = f->len < FRAME_PAD ? FRAME_PAD : f->len;
		put_be32(at, f->len);
		memcpy(at + LAYOUT_PREFIX, f->data, f->len);
		at += LAYOUT_PREFIX + f->len;
	}
	if (layout_parse_run(&run, wire, at) != (size_t)(at - wire) ||
	    run.n_more != n - 1)
		return false;
	if (!frame_queue_put(q, &run))
		return true;
	m->end += n;
	m->bytes += (size_t)(at - wire);
	m->runs++;
	return m->bytes <= h->limit;
}

static bool is_same(const struct frame *got, const struct frame *want)
{
	return got->len == want->len && got->layout == LAYOUT_STREAM &&
	       get_be32(got->data - LAYOUT_PREFIX) == want->len &&
	       memcmp(got->data, want->data, want->len) == 0;
}

static bool step_peek(const struct frame_queue *q, struct model *m)
{
	struct frame f[PEEK_MAX];
	unsigned max = rnd(PEEK_MAX + 1), held = m->end - m->first;
	unsigned n = frame_queue_peek(q, f, max, false), breaks = 0;

	if (n != (max < held ? max : held))
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (!is_same(&f[i], &m->put[m->first + i]))
			return false;
		/* One run, or two when it wraps. */
		breaks += i && f[i - 1].data + f[i - 1].len + LAYOUT_PREFIX != f[i].data;
	}
	m->wraps += breaks;
	return breaks <= 1;
}

/* The same frames, in fewer pieces. */
static bool step_peek_runs(const struct frame_queue *q, const struct model *m)
{
	struct frame f[PEEK_MAX];
	unsigned n = frame_queue_peek(q, f, PEEK_MAX, true), seen = m->first;

	for (unsigned i = 0; i < n; i++) {
		for (; f[i].n_more; f[i] = run_next(&f[i]))
			if (!is_same(&f[i], &m->put[seen++]))
				return false;
		if (f[i].more_bytes || !is_same(&f[i], &m->put[seen++]))
			return false;
	}
	return n == PEEK_MAX || seen == m->end;
}

static bool step_drop(struct frame_queue *q, struct model *m)
{
	unsigned held = m->end - m->first;
	unsigned n = rnd(held < 12 ? held + 1 : 12);

	frame_queue_drop(q, n);
	for (; n; n--)
		m->bytes -= LAYOUT_PREFIX + m->put[m->first++].len;
	return true;
}

static bool step_clear(struct frame_queue *q, struct model *m)
{
	unsigned held = m->end - m->first;

	m->first = m->end;
	m->bytes = 0;
	return frame_queue_clear(q) == held;
}

/* More put than dropped for a while, then the other way, and so on. */
static bool step(struct frame_queue *q, struct model *m, const struct history *h, int i)
{
	uint32_t puts = i / PHASE % 2 ? 7 : 15;

	if (rnd(1000) == 0)
		return step_clear(q, m);
	if (rnd(8) == 0)
		return step_peek(q, m) && step_peek_runs(q, m);
	if (rnd(16) >= puts)
		return step_drop(q, m);
	return rnd(4) ? step_put(q, m, h) : step_put_run(q, m, h);
}

static void test_history(const struct history *h, uint64_t seed)
{
	struct model *m = calloc(1, sizeof(*m));
	struct frame_queue q;
	int i;

	random_begin(seed);
	if (!m || frame_queue_init(&q, h->limit) < 0) {
		ok(false, "%s: memory", h->name);
		free(m);
		return;
	}
	for (i = 0; i < STEPS; i++)
		if (!step(&q, m, h, i) || q.bytes != m->bytes ||
		    q.frames != m->end - m->first || q.limit != h->limit)
			break;
	ok_eq_int(i, STEPS, "%s, seed %d: as the model, step by step", h->name,
		  (int)seed);
	ok(m->refused && m->wraps, "%s: was full %u times, seen wrapped %u times",
	   h->name, m->refused, m->wraps);
	ok(m->runs || h->shortest > 10000, "%s: took %u runs", h->name, m->runs);
	frame_queue_free(&q);
	free(m);
}

/* Put until it is full. Return: how many went in. */
static unsigned fill(struct frame_queue *q, uint32_t len)
{
	struct frame f = { .data = noise, .len = len };
	unsigned n = 0;

	while (frame_queue_put(q, &f))
		n++;
	return n;
}

static void test_limit(void)
{
	struct frame last = { .data = noise, .len = 96 },
		     more = { .data = noise, .len = 97 };
	struct frame_queue q;

	frame_queue_init(&q, RECORD_MAX + 100);
	ok_eq_int(fill(&q, FRAME_MAX), 1, "the longest frame goes in once");
	ok(!frame_queue_put(&q, &more), "a byte too many is refused");
	ok(frame_queue_put(&q, &last), "and what fills it to the last byte is not");
	ok_eq_int(q.bytes, q.limit, "it is full to the last byte");
	ok(!frame_queue_put(&q, &(struct frame){ .data = noise, .len = FRAME_HEADER }),
	   "then nothing goes in");
	ok_eq_int(frame_queue_clear(&q), 2, "clearing tells how many frames there were");
	ok_eq_int(q.bytes + q.frames, 0, "and leaves nothing");
	ok_eq_int(frame_queue_clear(&q), 0, "not even for another clearing");
	frame_queue_drop(&q, 0);
	ok_eq_int(frame_queue_peek(&q, &last, 1, false), 0,
		  "an empty queue shows no frame");
	ok_eq_int(fill(&q, FRAME_MAX), 1, "and takes frames again");
	frame_queue_free(&q);
}

/* Each way round, filled again behind one frame that stays: head meets tail exactly. */
static void test_round_and_round(void)
{
	static const uint32_t lens[] = { FRAME_HEADER, 60, 1514, 9000, 30000, FRAME_MAX };
	struct frame_queue q;

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		size_t fit = (256 << 10) / (LAYOUT_PREFIX + lens[i]);
		unsigned wrong = 0;

		frame_queue_init(&q, 256 << 10);
		for (int round = 0; round < 20; round++) {
			fill(&q, lens[i]);
			wrong += q.frames != fit;
			frame_queue_drop(&q, q.frames - 1);
		}
		ok_eq_int(wrong, 0, "frames of %u: %zu fit in every round", lens[i], fit);
		frame_queue_free(&q);
	}
}

static size_t resident(const struct frame_queue *q)
{
	unsigned char pages[1024];
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (q->limit + page - 1) / page,
	       sum = 0;

	if (mincore(q->buf, q->limit, pages) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		sum += pages[i] & 1;
	return sum * page;
}

static void test_memory(void)
{
	struct frame f[1];
	struct frame_queue q;

	frame_queue_init(&q, 512 << 10);
	ok_eq_int(resident(&q), 0, "an unused queue costs no memory");
	fill(&q, 1514);
	ok(resident(&q) > 500 << 10, "a full one does");
	frame_queue_trim(&q);
	ok(resident(&q) > 500 << 10, "and keeps it as long as it is in use");
	frame_queue_drop(&q, q.frames);
	ok(resident(&q) > 500 << 10, "an emptied one may need it again");
	frame_queue_trim(&q);
	ok(resident(&q) <= 256 << 10, "trimmed, it gives back what is above 256 KiB");
	fill(&q, 1500);
	frame_queue_drop(&q, q.frames / 3);
	frame_queue_trim(&q);
	ok(frame_queue_peek(&q, f, 1, false) == 1 && !memcmp(f[0].data, noise, 1500),
	   "trimmed when in use, it still has what it held");
	frame_queue_clear(&q);
	ok(resident(&q) <= 256 << 10, "so does a cleared one");
	fill(&q, 1000);
	ok(frame_queue_peek(&q, f, 1, false) == 1 && !memcmp(f[0].data, noise, 1000),
	   "what was given back can be used again");
	frame_queue_free(&q);
	frame_queue_free(&q);
	ok(!q.buf && !q.frames, "freeing twice does no harm");
}

/* ---- super-frames, and frames in pieces ---- */

#define KINDS_HELD 400

/* Whether a record is what was put: in one piece, as it goes on a stream. */
static bool is_put(const struct frame *got, const struct frame *put)
{
	uint32_t len = put->len;
	const uint8_t *at = got->data;

	if (got->layout != LAYOUT_STREAM || got->head_len || got->len != len ||
	    !got->vnet != !put->vnet)
		return false;
	if (put->vnet) {
		at -= VNET_BYTES;
		if (memcmp(at, put->vnet, VNET_BYTES) != 0 ||
		    (const uint8_t *)got->vnet != at)
			return false;
		len |= 0x80000000u;
		len += VNET_BYTES;
	}
	if (get_be32(at - LAYOUT_PREFIX) != len)
		return false;
	return pieces_are(put, got->data, got->len);
}

static struct frame any_frame(bool *is_super)
{
	static struct vnet vnets[8];
	static unsigned next;
	struct frame f = { .data = noise + rnd(FRAME_MAX) };

	f.len = FRAME_HEADER + rnd(rnd(6) ? 3000 : FRAME_MAX + 1 - FRAME_HEADER);
	if (rnd(3) == 0 && f.len > 500) {
		f.head_len = (uint16_t)(1 + rnd(256));
		f.head = noise + rnd(FRAME_MAX);
	}
	*is_super = rnd(3) == 0;
	if (*is_super) {
		vnets[next] = (struct vnet){ 1, 4, 54, (uint16_t)rnd(9000), 34, 16 };
		f.vnet = &vnets[next];
		next = (next + 1) % ARRAY_SIZE(vnets);
	}
	return f;
}

static void test_kinds(uint64_t seed)
{
	static struct frame put[KINDS_HELD];
	static struct vnet vnets[KINDS_HELD];
	unsigned held = 0, wrong = 0, supers = 0, full = 0;
	size_t bytes = 0;
	struct frame f[KINDS_HELD];
	struct frame_queue q;

	random_begin(seed);
	frame_queue_init(&q, 512 << 10);
	for (int i = 0; i < 3000; i++) {
		bool is_super;
		struct frame one = any_frame(&is_super);
		size_t size = layout_prefix_len(&one) + one.len;
		bool fits = bytes + size <= q.limit;

		wrong += frame_queue_put(&q, &one) != fits;
		if (fits) {
			put[held] = one;
			if (is_super) {
				vnets[held] = *one.vnet;
				put[held].vnet = &vnets[held];
			}
			held++;
			bytes += size;
			supers += is_super;
		}
		full += !fits;
		if (fits && held < KINDS_HELD && rnd(200))
			continue;
		/* All that is held; then some, or all, is taken. */
		wrong += frame_queue_peek(&q, f, KINDS_HELD, false) != held ||
			 q.bytes != bytes;
		for (unsigned k = 0; k < held; k++)
			wrong += !is_put(&f[k], &put[k]);
		for (unsigned n = rnd(held + 1); n; n--) {
			bytes -= layout_prefix_len(&put[0]) + put[0].len;
			frame_queue_drop(&q, 1);
			memmove(put, put + 1, --held * sizeof(put[0]));
			memmove(vnets, vnets + 1, held * sizeof(vnets[0]));
			for (unsigned k = 0; k < held; k++)
				put[k].vnet = put[k].vnet ? &vnets[k] : NULL;
		}
	}
	ok(!wrong && supers > 500 && full > 20,
	   "seed %d: super-frames and frames in pieces, one behind the other in memory",
	   (int)seed);
	frame_queue_free(&q);
}

int main(void)
{
	make_noise();
	for (uint64_t seed = 1; seed <= 3; seed++)
		test_kinds(seed);
	for (size_t i = 0; i < ARRAY_SIZE(histories); i++)
		for (uint64_t seed = 1; seed <= 2; seed++)
			test_history(&histories[i], seed);
	test_limit();
	test_round_and_round();
	test_memory();
	return done();
}
