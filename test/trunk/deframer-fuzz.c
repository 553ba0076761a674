/* SPDX-License-Identifier: MIT */
/*
 * Cutting frames out of a stream: wherever the stream is cut while it arrives, the same
 * frames and hellos come out, in order, and it is found bad at the same byte, or nowhere.
 *
 * Input: the trunk's state; how long the pieces are, one after the other, up to a 0; the
 * stream.
 */
#include "lib/fuzz.h"

#include "frame/run.h"
#include "trunk/deframer.h"
#include "trunk/trunk.h"

#define ROOM (DEFRAMER_PARTIAL_MAX + 100)
#define SEEN_MAX 4096
#define PIECES_MAX 32

/* What came out: each record's kind, bytes and a NUL behind them. */
struct seen {
	uint8_t bytes[SEEN_MAX];
	size_t len;
	unsigned records;
	bool is_bad;
	enum trunk_state state;
};

static void see(struct seen *s, char kind, const uint8_t *data, size_t len)
{
	must(s->len + len + 2 <= SEEN_MAX);
	s->bytes[s->len++] = (uint8_t)kind;
	memcpy(s->bytes + s->len, data, len);
	s->len += len;
	s->bytes[s->len++] = 0;
	s->records++;
}

/* A run is seen as the frames that it stands for. */
static void see_frames(struct seen *s, struct frame run)
{
	for (uint32_t left = run.n_more + 1;; run = run_next(&run)) {
		if (run.vnet)
			see(s, 'v', (const uint8_t *)run.vnet, VNET_BYTES);
		see(s, 'f', run.data, run.len);
		if (!--left)
			break;
	}
	must(!run.more_bytes);
}

static void take_all(struct deframer *d, struct trunk *t, struct seen *s)
{
	char why[TRUNK_WHY_MAX];
	enum deframed what;
	struct frame f;

	while (!s->is_bad && (what = deframer_next(d, t, &f)) != DEFRAMED_NONE) {
		if (what == DEFRAMED_BAD) {
			s->is_bad = true;
		} else if (what == DEFRAMED_HELLO) {
			see(s, 'h', f.data, f.len);
			if (trunk_take_hello(t, f.data, why, sizeof(why)) < 0) {
				must(memchr(why, '\0', sizeof(why)) && *why);
				s->is_bad = true;
			}
		} else {
			see_frames(s, f);
			trunk_take_frame(t);
		}
	}
}

static void receive(struct deframer *d, uint8_t *buf, const uint8_t *data, size_t len)
{
	struct iovec iov[2];
	int n = deframer_room(d, buf, ROOM, iov);
	size_t left = len;

	for (int i = 0; i < n; i++) {
		size_t part = iov[i].iov_len < left ? iov[i].iov_len : left;

		memcpy(iov[i].iov_base, data, part);
		data += part;
		left -= part;
	}
	must(!left);
	deframer_received(d, buf, ROOM, len);
}

static uint8_t buf[ROOM + DEFRAMER_PARTIAL_MAX];

/* @pieces: how long each is, and a 0 at the end; then all the rest at once */
static void run(struct seen *s, enum trunk_state state, const uint8_t *pieces,
		const uint8_t *data, size_t len)
{
	struct deframer d = { 0 };
	struct trunk t = { 0 };

	memset(s, 0, sizeof(*s));
	must(deframer_init(&d) == 0);
	deframer_reset(&d);
	trunk_begin(&t, state == TRUNK_ESTABLISHED ? TRUNK_HELLO_SENT : state);
	t.state = state;
	while (len && !s->is_bad) {
		size_t part = *pieces && *pieces < len ? *pieces : len;
		size_t used = d.n_partial + part;

		receive(&d, buf, data, part);
		take_all(&d, &t, s);
		if (!s->is_bad)
			deframer_keep(&d);
		memset(buf, 0xee, used);
		data += part;
		len -= part;
		pieces += *pieces != 0;
	}
	s->state = t.state;
	deframer_free(&d);
}

static void must_be_same(const struct seen *a, const struct seen *b)
{
	must(a->records == b->records && a->len == b->len);
	must(!memcmp(a->bytes, b->bytes, a->len));
	must(a->is_bad == b->is_bad && a->state == b->state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t ones[SEEN_MAX], all[1];
	static struct seen whole, parts;
	struct fuzz_input in = { data, size };
	enum trunk_state state = fuzz_byte(&in) % (TRUNK_ESTABLISHED + 1);
	uint8_t pieces[PIECES_MAX + 1] = { 0 };

	memset(ones, 1, sizeof(ones) - 1);
	memset(buf, 0xee, sizeof(buf));
	for (unsigned i = 0; i < PIECES_MAX && (pieces[i] = fuzz_byte(&in)); i++)
		;
	if (in.left > SEEN_MAX / 8)
		return 0;
	run(&whole, state, all, in.at, in.left);
	run(&parts, state, pieces, in.at, in.left);
	must_be_same(&whole, &parts);
	run(&parts, state, ones, in.at, in.left);
	must_be_same(&whole, &parts);
	return 0;
}
