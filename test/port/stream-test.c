/* SPDX-License-Identifier: MIT */
/*
 * stream.c, as a port over a socketpair, a pipe or TCP whose other end is here.
 * What should go over the wire, and what should come out of it, are laid out as
 * one run of bytes each, and compared whole: so order, content and framing are
 * exact or the test is red. Random parts have fixed seeds.
 */
#include "port/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/bytes.h"
#include "lib/driver-ops.h"
#include "lib/pieces.h"
#include "lib/random.h"
#include "lib/sockets.h"
#include "lib/taker.h"
#include "lib/tap.h"
#include "lib/turn.h"

#define ALARM_S 300 /* the end of a test that would wait for ever */
#define BYTES_MAX ((size_t)24 << 20)
#define ANY ((size_t)256 << 10) /* to read: more than there is at once */
#define LAYOUT_BYTES ((size_t)6 << 20)

/*
 * One stream port, and the other end of its link.
 * @peer_in, @peer_out: what the peer reads from and writes to; may be equal
 * @next_rfd, @next_wfd: for the port's next open()
 * @got:   frames that came out, with their length words
 */
struct rig {
	struct taker t;
	struct stream *s;
	struct port *p;
	int peer_in, peer_out;
	int next_rfd, next_wfd;
	struct bytes got;
	unsigned bad_words;
};

static struct rig rig;
static struct bytes want;

/* What frames are made of: every one is a piece of this noise. */
static uint8_t noise[2 * FRAME_MAX];

/* Lengths as they come: mostly short, some of each kind. */
static uint32_t rnd_len(uint32_t shortest)
{
	switch (rnd(8)) {
	case 0:
		return shortest + rnd(FRAME_MAX + 1 - shortest);
	case 1:
	case 2:
		return shortest + rnd(70 - shortest);
	default:
		return shortest + rnd(1515 - shortest);
	}
}

/* A frame of @len bytes made up, framed. */
static void append_made_up(struct bytes *b, uint32_t len)
{
	bytes_append_word(b, len);
	bytes_append(b, noise + rnd(FRAME_MAX), len);
}

/* ---- the port ---- */

static int rig_open(struct port *p)
{
	(void)p;
	return stream_use(rig.s, rig.next_rfd, rig.next_wfd, TRUNK_NONE);
}

static const struct port_ops once_ops = {
	.kind = "once",
	.has_backpressure = true,
	.one_shot = true,
	.open = rig_open,
	.shut = stream_shut,
	STREAM_OPS,
};

static const struct port_ops again_ops = {
	.kind = "again",
	.has_backpressure = true,
	.open = rig_open,
	STREAM_OPS,
};

static const struct port_ops pipe_ops = {
	.kind = "pipe",
	.has_backpressure = true,
	.one_shot = true,
	.is_stdio = true,
	.open = rig_open,
	STREAM_OPS,
};

static void check_frame(const struct frame *f)
{
	if (f->layout == LAYOUT_STREAM)
		rig.bad_words += get_be32(f->data - LAYOUT_PREFIX) != f->len;
	bytes_append_word(&rig.got, f->len);
	bytes_append(&rig.got, f->data, f->len);
}

static int take_all(void)
{
	return taker_take(&rig.t, rig.p);
}

static void use_fds(int rfd, int wfd, int peer_in, int peer_out)
{
	rig.next_rfd = rfd;
	rig.next_wfd = wfd;
	rig.peer_in = peer_in;
	rig.peer_out = peer_out;
	fcntl(rfd, F_SETFL, O_NONBLOCK);
	fcntl(wfd, F_SETFL, O_NONBLOCK);
	fcntl(peer_in, F_SETFL, O_NONBLOCK);
	fcntl(peer_out, F_SETFL, O_NONBLOCK);
}

static void use_socketpair(int buffer)
{
	int sv[2];

	sockets_pair(SOCK_STREAM, sv);
	setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	use_fds(sv[0], sv[0], sv[1], sv[1]);
}

static void use_pipes(int buffer)
{
	int in[2], out[2];

	if (pipe(in) < 0 || pipe(out) < 0 || fcntl(out[1], F_SETPIPE_SZ, buffer) < 0)
		exit(1);
	use_fds(in[0], out[1], out[0], in[1]);
}

static void use_tcp(int buffer)
{
	int fds[2];

	sockets_tcp(fds, buffer);
	use_fds(fds[0], fds[0], fds[1], fds[1]);
}

static void begin(const struct port_ops *ops)
{
	rig.s = calloc(1, sizeof(*rig.s));
	if (!rig.s || stream_init(rig.s, ops, &rig.t.env, ops->kind) < 0)
		exit(1);
	rig.p = &rig.s->port;
	rig.got.len = want.len = 0;
	taker_reset(&rig.t);
	rig.bad_words = 0;
	rig.t.scribble = STREAM_RX_BYTES + LAYOUT_PREFIX;
	port_start(rig.p);
}

static void close_peer(void)
{
	if (rig.peer_out != rig.peer_in)
		close(rig.peer_out);
	if (rig.peer_in >= 0)
		close(rig.peer_in);
	rig.peer_in = rig.peer_out = -1;
}

static void end(void)
{
	port_free(rig.p);
	close_peer();
}

/* Send all of it, and let the port take what has arrived whenever there is no room. */
static void peer_sends(const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(rig.peer_out, data, len);

		if (n < 0 && errno != EAGAIN)
			exit(1);
		if (n < 0)
			take_all();
		data += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

/* ---- receiving ---- */

/* Leave out of @all what is no frame. Return: how many were left out. */
static unsigned without_runts(const struct bytes *all, struct bytes *good)
{
	unsigned runts = 0;

	good->len = 0;
	for (size_t at = 0; at < all->len;) {
		size_t size = LAYOUT_PREFIX + get_be32(all->at + at);

		if (size < LAYOUT_PREFIX + FRAME_HEADER)
			runts++;
		else
			bytes_append(good, all->at + at, size);
		at += size;
	}
	return runts;
}

/* Every way to have a few frames arrive in three pieces. */
static void test_rx_every_cut(void)
{
	static const uint32_t lens[] = { 14, 0, 60, 13, 15, 1, 0, 20 };
	struct bytes all = { 0 };
	unsigned wrong = 0, rounds = 0;

	use_socketpair(1 << 20);
	begin(&once_ops);
	rig.t.scribble = 256;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++)
		append_made_up(&all, lens[i]);
	without_runts(&all, &want);
	for (size_t i = 1; i < all.len; i++) {
		for (size_t j = i; j < all.len; j++, rounds++) {
			rig.got.len = 0;
			peer_sends(all.at, i);
			wrong += take_all() != 0;
			peer_sends(all.at + i, j - i);
			wrong += take_all() != 0;
			peer_sends(all.at + j, all.len - j);
			wrong += take_all() != 0;
			wrong += !bytes_same(&rig.got, &want);
		}
	}
	ok_eq_int(wrong, 0, "frames in three pieces, cut in each of %u ways", rounds);
	ok_eq_int(rig.p->count.dropped[DROP_RUNT], 4 * rounds, "all runts are counted");
	ok_eq_int(rig.p->count.rx_frames, ARRAY_SIZE(lens) * rounds,
		  "and so is what came");
	ok_eq_int(rig.p->count.rx_bytes, (all.len - 4 * ARRAY_SIZE(lens)) * rounds,
		  "and its bytes");
	ok_eq_int(rig.bad_words, 0, "every frame that is said to have a word has it");
	end();
	bytes_free(&all);
}

static void send_in_chunks(const struct bytes *all)
{
	static const uint32_t biggest[] = { 5, 90, 3000, 100000, 300000 };

	for (size_t at = 0; at < all->len;) {
		size_t n = 1 + rnd(biggest[rnd(ARRAY_SIZE(biggest))]);

		n = min_size(n, all->len - at);
		peer_sends(all->at + at, n);
		at += n;
		if (rnd(3))
			take_all();
	}
	take_all();
	take_all();
}

static void test_rx_random(uint64_t seed, const char *over, void (*use)(int))
{
	struct bytes all = { 0 };
	unsigned runts;

	random_begin(seed);
	use(1 << 20);
	begin(&once_ops);
	for (int i = 0; i < 300; i++)
		append_made_up(&all, rnd_len(0));
	append_made_up(&all, FRAME_MAX);
	append_made_up(&all, 0);
	append_made_up(&all, FRAME_MAX);
	runts = without_runts(&all, &want);
	send_in_chunks(&all);
	/* Over TCP the last bytes may still be on their way. */
	for (int i = 0; i < 10000 && rig.got.len < want.len; i++)
		turn(&rig.t.loop);
	ok(bytes_same(&rig.got, &want),
	   "over %s, seed %d: exactly the frames that were sent", over, (int)seed);
	ok_eq_int(rig.p->count.dropped[DROP_RUNT], runts, "without the runts");
	ok_eq_int(rig.p->count.rx_frames, 303, "all of which were counted");
	ok_eq_int(rig.bad_words, 0, "and have their words");
	end();
	bytes_free(&all);
}

/* So many frames at once, with a piece of another behind them. */
static void test_rx_batches(unsigned frames, unsigned more, unsigned behind)
{
	begin(&once_ops);
	for (unsigned i = 0; i < frames; i++)
		append_made_up(&want, FRAME_HEADER + i % 3);
	peer_sends(want.at, want.len);
	peer_sends((const uint8_t[]){ 0, 0, 0, 14, 1, 2, 3 }, behind);
	take_all();
	ok_eq_int(rig.t.more, more,
		  "%u frames and %u bytes: so many batches have more behind", frames,
		  behind);
	ok(rig.t.worst <= BATCH_MAX && bytes_same(&rig.got, &want),
	   "and all come at one wake-up");
	end();
}

static void test_rx_batch_limit(void)
{
	static const unsigned behind[] = { 0, 3, 7 };

	for (size_t i = 0; i < ARRAY_SIZE(behind); i++) {
		use_socketpair(1 << 20);
		test_rx_batches(BATCH_MAX, behind[i] > LAYOUT_PREFIX, behind[i]);
		use_socketpair(1 << 20);
		test_rx_batches(BATCH_MAX + 1, 1, behind[i]);
		use_socketpair(1 << 20);
		test_rx_batches(4 * BATCH_MAX + 1, 4, behind[i]);
	}
}

/* The stream ends behind each byte of two frames. */
static void test_rx_cut(void)
{
	const size_t first = LAYOUT_PREFIX + 20, total = first + LAYOUT_PREFIX + 30;
	unsigned wrong = 0;

	for (size_t cut = 0; cut <= total; cut++) {
		bool between = cut == 0 || cut == first || cut == total;
		size_t whole = cut < first ? 0 : cut < total ? first : total;
		int came = (whole > 0) + (whole == total) + !between;

		use_socketpair(1 << 20);
		begin(&once_ops);
		append_made_up(&want, 20);
		append_made_up(&want, 30);
		peer_sends(want.at, cut);
		if (cut % 2)
			take_all();
		close_peer();
		want.len = whole;
		while (take_all() == 0)
			;
		wrong += !bytes_same(&rig.got, &want) || rig.p->state != PORT_ENDED ||
			 rig.p->why_err != PORT_CLOSED ||
			 rig.p->count.dropped[DROP_CUT] != !between ||
			 (int)rig.p->count.rx_frames != came;
		end();
	}
	ok_eq_int(wrong, 0,
		  "ended behind each byte: whole frames pass, a cut one is counted");
}

/* Not a byte is read behind a length word that can't be. */
static void test_rx_too_long(uint32_t len, unsigned ahead)
{
	uint8_t word[LAYOUT_PREFIX];
	int ret = 0;

	use_socketpair(1 << 20);
	begin(&once_ops);
	for (unsigned i = 0; i < ahead; i++)
		append_made_up(&want, 16);
	peer_sends(want.at, want.len);
	put_be32(word, len);
	for (size_t i = 0; i < sizeof(word) && ret == 0; i++) {
		if (ahead < BATCH_MAX)
			ret = take_all();
		peer_sends(&word[i], 1);
	}
	ok(ret == 0 && rig.p->state == PORT_UP,
	   "a length of %u: up until it is there whole", len);
	ok_eq_int(take_all(), -EPROTO, "then an error, behind %u frames", ahead);
	ok_eq_int(rig.p->state, PORT_ENDED, "that ends the link");
	ok(bytes_same(&rig.got, &want), "the frames ahead of it have passed");
	ok_eq_int(rig.p->count.dropped[DROP_OVERSIZE], 1, "and it is counted");
	ok_eq_int(rig.p->count.rx_frames, ahead + 1, "as received too");
	end();
}

/* ---- sending ---- */

/*
 * Frames to send, laid out in memory as drivers and queues do: behind one another
 * with their words, or with something else where a word would be.
 */
struct layout {
	uint8_t *at;
	size_t used;
	struct frame frame[3 * BATCH_MAX];
	unsigned n;
};

static void lay_out(struct layout *l, uint32_t len, bool has_word, size_t gap)
{
	struct frame *f = &l->frame[l->n++];
	uint8_t *at = l->at + l->used + gap;

	put_be32(at, has_word ? len : 0xdeadbeef);
	memcpy(at + LAYOUT_PREFIX, noise + rnd(FRAME_MAX), len);
	*f = pieces_prefixed(at + LAYOUT_PREFIX, len);
	if (!has_word)
		f->layout = LAYOUT_NONE;
	l->used += gap + LAYOUT_PREFIX + len;
}

static void lay_out_random(struct layout *l)
{
	unsigned n = 1 + rnd(ARRAY_SIZE(l->frame));
	bool is_run = rnd(2);

	l->n = 0;
	l->used = 0;
	while (l->n < n && l->used < 150000)
		lay_out(l, rnd_len(FRAME_HEADER), rnd(6) || is_run, rnd(4) ? 0 : rnd(9));
}

/* As it must appear on the wire. */
static void append_on_wire(struct bytes *b, const struct frame *f)
{
	static const uint8_t zeros[FRAME_PAD];

	bytes_append_word(b, f->len < FRAME_PAD ? FRAME_PAD : f->len);
	bytes_append(b, f->data, f->len);
	if (f->len < FRAME_PAD)
		bytes_append(b, zeros, FRAME_PAD - f->len);
}

/* The peer reads, at most @max bytes. Return: how many. */
static size_t peer_reads(size_t max)
{
	ssize_t n = bytes_read(&rig.got, rig.peer_in, max);

	return n > 0 ? (size_t)n : 0;
}

static void send_all(const struct layout *l)
{
	for (unsigned i = 0; i < l->n; i++)
		port_send(rig.p, &l->frame[i]);
	port_flush(rig.p);
}

/* Each kind of frame, begun at each of its bytes, with others behind it. */
static void test_tx_skip(void)
{
	static const uint32_t lens[] = { 14, 59, 60, 61, 200 };
	struct layout *l = calloc(1, sizeof(*l));
	unsigned wrong = 0, ways = 0;

	l->at = malloc(LAYOUT_BYTES);
	use_socketpair(1 << 20);
	begin(&once_ops);
	for (size_t i = 0; i < 4 * ARRAY_SIZE(lens); i++) {
		l->n = 0;
		l->used = 0;
		want.len = 0;
		lay_out(l, lens[i / 4], i & 1, 0);
		lay_out(l, lens[(i / 2) % 5], i & 2, 0);
		lay_out(l, 100, true, 0);
		for (unsigned k = 0; k < l->n; k++)
			append_on_wire(&want, &l->frame[k]);
		for (uint32_t skip = 0;
		     skip < frame_padded(lens[i / 4], FRAME_PAD) + LAYOUT_PREFIX;
		     skip++) {
			rig.got.len = 0;
			rig.s->skip = skip;
			wrong += stream_tx(rig.p, l->frame, l->n) != 3 ||
				 rig.s->skip != 0;
			peer_reads(ANY);
			wrong += rig.got.len != want.len - skip ||
				 memcmp(rig.got.at, want.at + skip, rig.got.len) != 0;
			ways++;
		}
	}
	ok_eq_int(wrong, 0, "a frame partly sent goes on where it was, in %u ways", ways);
	ok_eq_int(rig.p->count.tx_frames, 3 * ways,
		  "and is counted when it is sent whole");
	free(l->at);
	free(l);
	end();
}

static void tx_round(struct layout *l, uint64_t *frames, uint64_t *bytes)
{
	if (rig.p->queue.bytes < 200000 && want.len < BYTES_MAX / 3) {
		lay_out_random(l);
		for (unsigned i = 0; i < l->n; i++) {
			append_on_wire(&want, &l->frame[i]);
			*bytes += l->frame[i].len;
		}
		*frames += l->n;
		send_all(l);
		/* Nothing may be held of what was only lent. */
		memset(l->at, 0xee, l->used);
	}
	peer_reads(1 + rnd(rnd(4) ? 60000 : 500));
	turn(&rig.t.loop);
}

static void test_tx_random(uint64_t seed, const char *over, void (*use)(int), int buffer)
{
	struct layout *l = calloc(1, sizeof(*l));
	uint64_t frames = 0, bytes = 0, drops = 0;

	l->at = malloc(LAYOUT_BYTES);
	random_begin(seed);
	use(buffer);
	begin(&once_ops);
	for (int i = 0; i < 400; i++)
		tx_round(l, &frames, &bytes);
	for (int i = 0; i < 200000 && rig.got.len < want.len; i++) {
		peer_reads(ANY);
		turn(&rig.t.loop);
	}
	for (int i = 0; i < DROP_REASONS; i++)
		drops += rig.p->count.dropped[i];
	ok(bytes_same(&rig.got, &want),
	   "over %s, seed %d: %d frames, exactly as they were", over, (int)seed,
	   (int)frames);
	ok(rig.p->count.tx_frames == frames && rig.p->count.tx_bytes == bytes && !drops &&
		   !rig.p->queue.frames && !rig.s->skip,
	   "all counted, none dropped, nothing left");
	free(l->at);
	free(l);
	end();
}

/* Whether frames numbered in their first bytes come whole and in order. */
static unsigned count_numbered(const struct bytes *b, bool *in_order)
{
	uint32_t last = 0;
	unsigned n = 0;
	size_t at;

	*in_order = true;
	for (at = 0; at + LAYOUT_PREFIX + 4 <= b->len; n++) {
		uint32_t number = get_be32(b->at + at + LAYOUT_PREFIX);

		*in_order &= number > last && get_be32(b->at + at) == 100 + number % 1400;
		last = number;
		at += LAYOUT_PREFIX + get_be32(b->at + at);
	}
	*in_order &= at == b->len;
	return n;
}

static void test_tx_overrun(void)
{
	uint8_t frame[LAYOUT_PREFIX + 1600] = { 0 };
	const struct port_counters *c;
	bool in_order;
	unsigned n;

	use_socketpair(4096);
	begin(&once_ops);
	c = &rig.p->count;
	for (uint32_t i = 1; i <= 5000; i++) {
		struct frame f = { .data = frame + LAYOUT_PREFIX, .len = 100 + i % 1400 };

		put_be32(frame + LAYOUT_PREFIX, i);
		port_send(rig.p, &f);
		port_flush(rig.p);
		if (i % 3000 == 0)
			while (peer_reads(ANY))
				turn(&rig.t.loop);
	}
	ok(c->dropped[DROP_QUEUE] && rig.p->queue.bytes > PORT_QUEUE_BYTES - 1600,
	   "a peer that does not read fills the queue, and then frames are dropped");
	while (peer_reads(ANY))
		turn(&rig.t.loop);
	n = count_numbered(&rig.got, &in_order);
	ok(in_order, "what gets through is whole and in order");
	ok(n == c->tx_frames && n + c->dropped[DROP_QUEUE] == 5000, "%u sent, %u dropped",
	   n, (unsigned)c->dropped[DROP_QUEUE]);
	end();
}

static void test_tx_full(void)
{
	static const uint8_t data[1400];
	const struct frame f = { .data = data, .len = sizeof(data) };
	const struct port_counters *c;
	unsigned n = 0;

	use_socketpair(4096);
	begin(&once_ops);
	c = &rig.p->count;
	for (; n < 1000 && port_send(rig.p, &f); n++)
		port_flush(rig.p);
	ok(n < 1000 && !rig.p->n_pending && c->dropped[DROP_QUEUE] == 1 &&
		   n == c->tx_frames + rig.p->queue.frames,
	   "a frame that a full queue has no room for is not even pending");
	ok(port_send(rig.p, &(struct frame){ .data = data, .len = 60 }) &&
		   rig.p->n_pending == 1,
	   "a shorter one, for which it has, is");
	while (peer_reads(ANY))
		turn(&rig.t.loop);
	ok(port_send(rig.p, &f) && c->dropped[DROP_QUEUE] == 1,
	   "and so are all once the peer reads again");
	end();
}

/* As they come over UDP: right behind one another, the last one shorter. */
static void test_tx_datagrams(void)
{
	uint8_t data[9 * 100 + 60];
	struct frame run = { .data = data, .len = 100, .n_more = 9 };
	unsigned good = 0;

	run.more_bytes = 8 * 100 + 60;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	use_socketpair(ANY);
	begin(&once_ops);
	port_send(rig.p, &run);
	port_flush(rig.p);
	while (peer_reads(ANY))
		;
	for (size_t i = 0; i < 10; i++) {
		const uint8_t *at = rig.got.at + i * (LAYOUT_PREFIX + 100);
		uint32_t len = i < 9 ? 100 : 60;

		good += get_be32(at) == len &&
			memcmp(at + LAYOUT_PREFIX, data + i * 100, len) == 0;
	}
	ok(rig.got.len == sizeof(data) + 10 * LAYOUT_PREFIX && good == 10 &&
		   rig.p->count.tx_frames == 10 && rig.p->count.tx_bytes == sizeof(data),
	   "a run of datagrams leaves as frames with their length prefixes");
	end();
}

/* A batch in more pieces than one writev() takes. */
static void test_tx_many_pieces(void)
{
	static uint8_t data[BATCH_MAX][100];
	struct iovec tail[BATCH_MAX][FRAME_PIECES_MAX - 1];
	unsigned good = 0;

	use_socketpair(ANY);
	begin(&once_ops);
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		struct frame f = pieces_most(data[i], sizeof(data[i]), tail[i]);

		memset(data[i], (int)i + 1, sizeof(data[i]));
		port_send(rig.p, &f);
	}
	port_flush(rig.p);
	ok_eq_int(rig.p->queue.frames, 0, "frames in many pieces: nothing waits");
	while (peer_reads(ANY))
		;
	for (size_t i = 0; i < BATCH_MAX; i++) {
		const uint8_t *at = rig.got.at + i * (LAYOUT_PREFIX + sizeof(data[i]));

		good += get_be32(at) == sizeof(data[i]) &&
			memcmp(at + LAYOUT_PREFIX, data[i], sizeof(data[i])) == 0;
	}
	ok(rig.got.len == BATCH_MAX * (LAYOUT_PREFIX + sizeof(data[0])) &&
		   good == BATCH_MAX && rig.p->count.tx_frames == BATCH_MAX,
	   "frames in many pieces: all of them leave, in order");
	end();
}

/* ---- the end of a link, and the next one ---- */

static const uint8_t some_frame[LAYOUT_PREFIX + 100] = { 0, 0, 0, 100, 1, 2, 3 };
static const struct frame some = { .data = some_frame + LAYOUT_PREFIX,
				   .len = 100,
				   .layout = LAYOUT_STREAM,
				   .gap = LAYOUT_PREFIX };

/* The peer has sent frames, and then went away: they must not be lost with it. */
static void test_peer_gone(void)
{
	use_socketpair(1 << 20);
	begin(&once_ops);
	for (int i = 0; i < 3; i++)
		append_made_up(&want, 100);
	peer_sends(want.at, want.len);
	close_peer();
	port_send(rig.p, &some);
	port_flush(rig.p);
	ok_eq_int(rig.p->count.dropped[DROP_LOST], 1,
		  "what can't be sent any more is lost");
	ok_eq_int(rig.p->state, PORT_UP,
		  "but the port stays, while there is more to read");
	port_send(rig.p, &some);
	port_flush(rig.p);
	ok_eq_int(rig.p->count.dropped[DROP_LOST], 2, "the next one is lost too");
	for (int i = 0; i < 3; i++)
		turn(&rig.t.loop);
	ok(bytes_same(&rig.got, &want), "what the peer sent before arrives");
	ok_eq_int(rig.p->state, PORT_ENDED, "and then the port has ended");
	ok_eq_int(rig.p->count.tx_frames, 0, "nothing is said to be sent");
	end();
}

static void test_pipe_gone(void)
{
	use_pipes(4096);
	begin(&pipe_ops);
	close(rig.peer_in);
	rig.peer_in = -1;
	port_send(rig.p, &some);
	port_send(rig.p, &some);
	port_flush(rig.p);
	ok_eq_int(rig.p->state, PORT_ENDED, "a pipe has ended once nobody reads it");
	ok_eq_int(rig.p->count.dropped[DROP_LOST], 2, "and what was for it is lost");
	close(rig.peer_out);
	rig.peer_out = -1;
	end();
}

/* A queue that waits for a peer who goes. */
static void test_gone_with_queue(void)
{
	uint64_t n = 0;

	use_socketpair(4096);
	begin(&once_ops);
	while (rig.p->queue.frames < 10) {
		port_send(rig.p, &some);
		port_flush(rig.p);
		n++;
	}
	close_peer();
	for (int i = 0; i < 4; i++)
		turn(&rig.t.loop);
	ok_eq_int(rig.p->state, PORT_ENDED,
		  "a peer that goes ends the port, queue or not");
	ok(rig.p->count.tx_frames + rig.p->count.dropped[DROP_LOST] == n &&
		   rig.p->count.dropped[DROP_LOST] >= 10,
	   "and what waited is counted as lost");
	end();
}

static void test_shut(void)
{
	char c;

	use_socketpair(1 << 20);
	begin(&once_ops);
	port_shut(rig.p);
	ok_eq_int(read(rig.peer_in, &c, 1), 0, "a shut stream tells the peer of the end");
	append_made_up(&want, 50);
	peer_sends(want.at, want.len);
	turn(&rig.t.loop);
	ok(bytes_same(&rig.got, &want), "and still takes what the peer sends");
	end();
}

/* Nothing of one link may get into the next. */
static void test_fresh_start(void)
{
	use_socketpair(4096);
	begin(&again_ops);
	port_send(rig.p, &(struct frame){ .data = noise, .len = FRAME_MAX });
	port_flush(rig.p);
	peer_sends(some_frame, 30);
	take_all();
	ok(rig.s->skip && rig.s->in.n_partial == 30, "a link with half a frame each way");
	close_peer();
	for (int i = 0; i < 4; i++)
		turn(&rig.t.loop);
	ok_eq_int(rig.p->state, PORT_WAITING, "is lost");
	use_socketpair(1 << 20);
	port_retry_now(rig.p);
	turn(&rig.t.loop);
	turn(&rig.t.loop);
	ok_eq_int(rig.p->state, PORT_UP, "the next one");
	bytes_append(&want, some_frame, sizeof(some_frame));
	rig.got.len = 0;
	peer_sends(some_frame, sizeof(some_frame));
	turn(&rig.t.loop);
	ok(bytes_same(&rig.got, &want), "is in step from its first byte received");
	rig.got.len = 0;
	port_send(rig.p, &some);
	port_flush(rig.p);
	peer_reads(ANY);
	ok(bytes_same(&rig.got, &want), "and sent");
	end();
}

static void test_after_bad_length(void)
{
	use_socketpair(1 << 20);
	begin(&again_ops);
	bytes_append(&want, some_frame, sizeof(some_frame));
	peer_sends((const uint8_t[]){ 0xff, 0xff, 0xff, 0xff, 9, 9 }, 6);
	ok_eq_int(take_all(), -EPROTO, "a link that announced too long a frame is lost");
	close_peer();
	use_socketpair(1 << 20);
	port_retry_now(rig.p);
	turn(&rig.t.loop);
	turn(&rig.t.loop);
	peer_sends(some_frame, sizeof(some_frame));
	turn(&rig.t.loop);
	ok(bytes_same(&rig.got, &want), "and the next one is in step");
	end();
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	getsockopt(fd, level, name, &value, &len);
	return value;
}

static void test_tcp_options(void)
{
	use_tcp(1 << 20);
	begin(&once_ops);
	ok(rig.s->is_tcp && option(rig.s->channel->wfd, IPPROTO_TCP, TCP_NODELAY) == 1 &&
		   option(rig.s->channel->wfd, SOL_SOCKET, SO_KEEPALIVE) == 1,
	   "TCP is known for what it is");
	end();
	use_socketpair(1 << 20);
	begin(&once_ops);
	ok(!rig.s->is_tcp, "and a unix socket too");
	end();
}

/*
 * A peer that has Nagle's algorithm, as QEMU where it accepts: it keeps its second
 * frame until the first is acknowledged, for which the kernel, once both have sent,
 * would take at least 40 ms (TCP_DELACK_MIN).
 */
static void test_tcp_nagle(void)
{
	static const unsigned rounds = 50, delack_ms = 40;
	uint64_t began;

	use_tcp(1 << 20);
	begin(&once_ops);
	rig.s->is_dialled = true;
	setsockopt(rig.peer_out, IPPROTO_TCP, TCP_NODELAY, &(int){ 0 }, sizeof(int));
	began = loop_now();
	for (unsigned i = 1; i <= rounds; i++) {
		port_send(rig.p, &some);
		port_flush(rig.p);
		while (!peer_reads(ANY))
			;
		peer_sends(some_frame, sizeof(some_frame));
		peer_sends(some_frame, sizeof(some_frame));
		while (rig.p->count.rx_frames < 2 * i)
			turn(&rig.t.loop);
	}
	ok(loop_now() - began < rounds * delack_ms / 2,
	   "a peer that waits for acknowledgements gets them at once");
	end();
}

static void set_up(void)
{
	taker_init(&rig.t, check_frame);
	signal(SIGPIPE, SIG_IGN);
	rnd_bytes(noise, sizeof(noise));
}

static void tear_down(void)
{
	taker_free(&rig.t);
	bytes_free(&rig.got);
	bytes_free(&want);
}

static void test_rx(void)
{
	static const uint32_t too_long[] = { FRAME_MAX + 1, 70000, 0x7fffffff, 0x80000000,
					     0xffffffff };

	test_rx_every_cut();
	for (uint64_t seed = 1; seed <= 3; seed++)
		test_rx_random(seed, "a unix socket", use_socketpair);
	test_rx_random(4, "pipes", use_pipes);
	test_rx_random(5, "TCP", use_tcp);
	test_rx_batch_limit();
	test_rx_cut();
	for (size_t i = 0; i < ARRAY_SIZE(too_long); i++)
		test_rx_too_long(too_long[i], (unsigned)i);
	test_rx_too_long(FRAME_MAX + 1, BATCH_MAX);
	test_rx_too_long(FRAME_MAX + 1, 2 * BATCH_MAX + 1);
}

static void test_tx(void)
{
	test_tx_skip();
	for (uint64_t seed = 1; seed <= 3; seed++)
		test_tx_random(seed, "a unix socket", use_socketpair, 4096);
	test_tx_random(4, "a pipe", use_pipes, 4096);
	test_tx_random(5, "a pipe", use_pipes, 65536);
	test_tx_random(6, "TCP", use_tcp, 4096);
	test_tx_overrun();
	test_tx_full();
	test_tx_datagrams();
	test_tx_many_pieces();
}

int main(void)
{
	alarm(ALARM_S);
	set_up();
	test_rx();
	test_tx();
	test_peer_gone();
	test_pipe_gone();
	test_gone_with_queue();
	test_shut();
	test_fresh_start();
	test_after_bad_length();
	test_tcp_options();
	test_tcp_nagle();
	tear_down();
	return done();
}
