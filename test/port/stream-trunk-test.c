/* SPDX-License-Identifier: MIT */
/*
 * stream.c as a trunk: a port over a socketpair whose other end is here. What
 * comes out is compared with what a parser here, which has all bytes at once,
 * makes of them; what goes out is taken apart the same way, unit by unit.
 */
#include "port/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/bytes.h"
#include "lib/driver-ops.h"
#include "lib/quiet.h"
#include "lib/random.h"
#include "lib/sockets.h"
#include "lib/taker.h"
#include "lib/tap.h"
#include "lib/turn.h"

#define ALARM_S 300 /* the end of a test that would wait for ever */
#define BYTES_MAX ((size_t)4 << 20)
#define SMALL_BUFFER 4096

/* @got: units that came out: length words, virtio headers, frames */
static struct {
	struct taker t;
	struct stream *s;
	struct port *p;
	int fd, peer;
	enum trunk_state mode;
	struct bytes got;
} rig;

static struct bytes all, want, sent;
static const uint8_t hello[TRUNK_HELLO_BYTES] = { 0xff, 'n', 't', 'r', 0, 1,
						  0,	64,  0,	  0,   0, 1 };

/* ---- bytes ---- */

static void append_hello(struct bytes *b)
{
	bytes_append(b, hello, sizeof(hello));
}

/* Behind @word, as many bytes as it says, of which the first are @number. */
static void append_unit(struct bytes *b, uint32_t word, uint32_t number)
{
	uint32_t len = word & 0x7fffffff;

	uint8_t *at;

	bytes_append_word(b, word);
	at = bytes_room(b, len);
	for (uint32_t i = 0; i < len; i++)
		at[i] = (uint8_t)(i < 4 ? number >> (24 - 8 * i) : i * 7);
}

static void append_frame(struct bytes *b, uint32_t len)
{
	append_unit(b, len, len);
}

static void append_super(struct bytes *b, uint32_t len)
{
	append_unit(b, 0x80000000u | (len + VNET_BYTES), len);
}

/*
 * What should come out of all, by the rules of trunk.h. Return: whether it is
 * good to the end; in that case it is whole, too.
 */
static bool parse(enum trunk_state mode, bool *agreed)
{
	bool may_be_hello = mode == TRUNK_HELLO_SENT || mode == TRUNK_HELLO_EXPECTED;
	size_t at = 0;

	want.len = 0;
	*agreed = false;
	for (; all.len - at >= 4; at += 4) {
		uint32_t word = get_be32(all.at + at), len = word & 0x7fffffff;
		uint32_t extra = word >> 31 ? 10 : 0;

		if (may_be_hello && word == 0xff6e7472) {
			if (all.len - at < 64)
				return true;
			if (get_be32(all.at + at + 4) != 0x00010040)
				return false;
			*agreed = true;
			may_be_hello = false;
			at += 60;
			continue;
		}
		if (len < extra || len > 69632 + extra || (extra && !*agreed))
			return false;
		if (all.len - at - 4 < len)
			return true;
		may_be_hello &= mode == TRUNK_HELLO_SENT;
		if (len - extra >= 14)
			bytes_append(&want, all.at + at, 4 + len);
		at += len;
	}
	return true;
}

/* ---- the port ---- */

static int rig_open(struct port *p)
{
	(void)p;
	return stream_use(rig.s, rig.fd, rig.fd, rig.mode);
}

static const struct port_ops ops = {
	.kind = "again",
	.has_backpressure = true,
	.open = rig_open,
	STREAM_OPS,
};

static void take_frame(const struct frame *f)
{
	bytes_append_word(&rig.got, layout_word(f, f->len));
	if (f->vnet) {
		struct vnet v = *f->vnet;

		vnet_swap(&v);
		bytes_append(&rig.got, &v, VNET_BYTES);
	}
	bytes_append(&rig.got, f->data, f->len);
}

static void use_fds(int fd, int peer)
{
	rig.fd = fd;
	rig.peer = peer;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ SMALL_BUFFER }, sizeof(int));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	fcntl(peer, F_SETFL, O_NONBLOCK);
}

static void use_socketpair(void)
{
	int sv[2];

	sockets_pair(SOCK_STREAM, sv);
	use_fds(sv[0], sv[1]);
}

static void use_tcp(void)
{
	int fds[2];

	sockets_tcp(fds, 0);
	use_fds(fds[0], fds[1]);
}

static void begin_with(enum trunk_state mode)
{
	rig.s = calloc(1, sizeof(*rig.s));
	if (!rig.s || stream_init(rig.s, &ops, &rig.t.env, "trunk") < 0)
		exit(1);
	rig.p = &rig.s->port;
	rig.mode = mode;
	rig.got.len = all.len = sent.len = 0;
	port_start(rig.p);
}

static void begin(enum trunk_state mode)
{
	use_socketpair();
	begin_with(mode);
}

static void end(void)
{
	port_free(rig.p);
	close(rig.peer);
}

static void peer_sends(const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(rig.peer, data, len);

		if (n < 0 && errno != EAGAIN)
			return;
		turn(&rig.t.loop);
		data += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

/* What the port has sent, into sent. */
static void peer_reads(void)
{
	ssize_t n;

	do {
		turn(&rig.t.loop);
		n = bytes_read(&sent, rig.peer, BYTES_MAX);
	} while (n > 0);
}

static void send_frame(uint32_t len, const struct vnet *vnet)
{
	static uint8_t data[FRAME_MAX];
	struct frame f = { .data = data, .len = len, .vnet = vnet };

	data[0]++;
	port_send(rig.p, &f);
	port_flush(rig.p);
}

static bool is_agreed(void)
{
	return rig.p->state == PORT_UP && rig.s->trunk.state == TRUNK_ESTABLISHED &&
	       rig.p->takes_super && rig.p->takes_uso && !rig.p->awaiting_peer;
}

/* ---- agreeing ---- */

static void lay_conversation(enum trunk_state mode)
{
	all.len = 0;
	/* One who answers may have sent frames before. */
	if (mode == TRUNK_HELLO_SENT) {
		append_frame(&all, 14);
		append_frame(&all, 60);
	}
	append_hello(&all);
	append_super(&all, 100);
	append_frame(&all, 13);
	append_frame(&all, 61);
	append_super(&all, 14);
}

static void test_every_cut(enum trunk_state mode, const char *what)
{
	unsigned good = 0, n = 0;
	bool agreed;

	lay_conversation(mode);
	for (size_t cut = 0; cut <= all.len; cut++, n++) {
		begin(mode);
		lay_conversation(mode);
		peer_sends(all.at, cut);
		peer_sends(all.at + cut, all.len - cut);
		peer_reads();
		good += parse(mode, &agreed) && agreed && is_agreed() &&
			bytes_same(&rig.got, &want) && sent.len == TRUNK_HELLO_BYTES &&
			!memcmp(sent.at, hello, sent.len) &&
			rig.p->count.dropped[DROP_RUNT] == 1;
		end();
	}
	ok_eq_int(good, n, "%s: agreed, with the hello cut anywhere", what);
	begin(mode);
	lay_conversation(mode);
	for (size_t i = 0; i < all.len; i++)
		peer_sends(all.at + i, 1);
	ok(parse(mode, &agreed) && is_agreed() && bytes_same(&rig.got, &want),
	   "%s: and byte by byte", what);
	end();
}

/* ---- who may not ---- */

struct refused {
	const char *what;
	enum trunk_state mode;
	bool frame_first, hello_first, hello_then;
	uint32_t word;
};

static void test_refused(const struct refused *r)
{
	bool agreed, good;

	begin(r->mode);
	if (r->frame_first)
		append_frame(&all, 60);
	if (r->hello_first)
		append_hello(&all);
	if (r->hello_then)
		append_hello(&all);
	else
		bytes_append_word(&all, r->word);
	good = parse(r->mode, &agreed);
	peer_sends(all.at, all.len);
	turn(&rig.t.loop);
	ok(!good && rig.p->state == PORT_WAITING && bytes_same(&rig.got, &want),
	   "%s: closed, behind what came before", r->what);
	ok(rig.p->count.dropped[DROP_OVERSIZE] == 1 && !rig.p->takes_super,
	   "%s: and counted", r->what);
	end();
}

static void test_all_refused(void)
{
	static const struct refused cases[] = {
		{ "a hello on a plain stream", TRUNK_NONE, 0, 0, 1, 0 },
		{ "one behind a frame on a plain stream", TRUNK_NONE, 1, 0, 1, 0 },
		{ "one behind a frame, accepted", TRUNK_HELLO_EXPECTED, 1, 0, 1, 0 },
		{ "a second one, accepted", TRUNK_HELLO_EXPECTED, 0, 1, 1, 0 },
		{ "a second one, dialled", TRUNK_HELLO_SENT, 1, 1, 1, 0 },
		{ "a super-frame, plain", TRUNK_NONE, 0, 0, 0, 0x80000064 },
		{ "a super-frame before the hello", TRUNK_HELLO_EXPECTED, 0, 0, 0,
		  0x80000064 },
		{ "a super-frame before answering", TRUNK_HELLO_SENT, 0, 0, 0,
		  0x80000064 },
		{ "a super-frame of none", TRUNK_HELLO_EXPECTED, 1, 0, 0, 0x80000064 },
		{ "no virtio header", TRUNK_HELLO_EXPECTED, 0, 1, 0, 0x80000000 },
		{ "half a virtio header", TRUNK_HELLO_SENT, 0, 1, 0, 0x80000009 },
		{ "one byte too long", TRUNK_HELLO_EXPECTED, 0, 1, 0, 0x8001100b },
		{ "too long, plain", TRUNK_HELLO_EXPECTED, 0, 1, 0, 0x00011001 },
		{ "the longest", TRUNK_HELLO_SENT, 0, 1, 0, 0xffffffff },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		test_refused(&cases[i]);
}

static void test_lengths(void)
{
	static const uint32_t lens[] = { 0, 13, 14, 59, 60, 65549, FRAME_MAX };
	bool agreed;

	begin(TRUNK_HELLO_EXPECTED);
	append_hello(&all);
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++)
		append_super(&all, lens[i]);
	peer_sends(all.at, all.len);
	turn(&rig.t.loop);
	ok(parse(TRUNK_HELLO_EXPECTED, &agreed) && bytes_same(&rig.got, &want) &&
		   is_agreed(),
	   "super-frames of every length");
	ok_eq_int(rig.p->count.dropped[DROP_RUNT], 2,
		  "of which the two shortest are none");
	end();
}

static void test_version(enum trunk_state mode, const char *what)
{
	begin(mode);
	append_hello(&all);
	all.at[5] = 3;
	peer_sends(all.at, all.len);
	turn(&rig.t.loop);
	ok(rig.p->state == PORT_WAITING && strstr(rig.p->why, "version 3, ours of 1"),
	   "%s: one of another version is told of", what);
	peer_reads();
	ok(sent.len == TRUNK_HELLO_BYTES && !memcmp(sent.at, hello, sent.len),
	   "%s: and gets our hello, so that it can say so, too", what);
	end();
}

/* ---- no answer ---- */

static void test_no_answer(void)
{
	uint64_t due;

	begin(TRUNK_HELLO_SENT);
	due = rig.s->answer.due_ns / 1000000;
	ok(rig.s->answer.is_set && due > loop_now() + 3000 && due <= loop_now() + 5000,
	   "an answer has 5 s");
	append_frame(&all, 60);
	peer_sends(all.at, all.len);
	ok(rig.s->answer.is_set && rig.got.len == all.len, "frames are none");
	/* As if it had been up for long, which is usually a success. */
	rig.p->since -= 10000;
	rig.p->backoff_ms = 1600;
	rig.s->answer.fn(&rig.s->answer);
	ok(rig.p->state == PORT_WAITING &&
		   strstr(rig.p->why, "no answer as a netrelay") &&
		   strstr(rig.p->why, "tcp:"),
	   "without one the link ends, and the message says what to take instead");
	ok(rig.p->told && rig.p->backoff_ms > 1600, "once, and tries get fewer");
	end();
}

static void test_answer(void)
{
	begin(TRUNK_HELLO_SENT);
	append_hello(&all);
	peer_sends(all.at, all.len);
	ok(is_agreed() && !rig.s->answer.is_set, "with one, it is no longer waited for");
	close(rig.peer);
	rig.p->since -= 10000;
	turn(&rig.t.loop);
	ok(rig.p->state == PORT_WAITING && !rig.p->takes_super, "a trunk that is lost");
	use_socketpair();
	port_retry_now(rig.p);
	turn(&rig.t.loop);
	turn(&rig.t.loop);
	ok(rig.p->state == PORT_UP && rig.s->trunk.state == TRUNK_HELLO_SENT &&
		   !rig.p->takes_super && rig.p->awaiting_peer,
	   "begins anew");
	peer_reads();
	ok(sent.len == TRUNK_HELLO_BYTES, "with a hello");
	end();
}

static void test_hung_up(bool is_reset)
{
	use_tcp();
	begin_with(TRUNK_HELLO_SENT);
	if (is_reset)
		setsockopt(rig.peer, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 },
			   sizeof(struct linger));
	close(rig.peer);
	for (int i = 0; i < 1000 && rig.p->state == PORT_UP; i++)
		turn(&rig.t.loop);
	ok(rig.p->state == PORT_WAITING && strstr(rig.p->why, "take tcp:"),
	   "a peer that %s on our hello: the message says what to take instead",
	   is_reset ? "resets" : "hangs up");
	rig.peer = -1;
	end();
}

/* ---- our hello among what we send ---- */

/*
 * Takes what was sent apart. Return: whether it is units, to the last byte,
 * with one hello among them, and no super-frame ahead of that.
 */
static bool is_in_step(unsigned *n_frames, unsigned *n_supers)
{
	unsigned hellos = 0;
	size_t at = 0;

	*n_frames = *n_supers = 0;
	while (at + 4 <= sent.len) {
		uint32_t word = get_be32(sent.at + at), len = word & 0x7fffffff;

		if (word == 0xff6e7472) {
			if (memcmp(sent.at + at, hello, TRUNK_HELLO_BYTES) != 0)
				return false;
			hellos++;
			at += TRUNK_HELLO_BYTES;
			continue;
		}
		if (len > 69642 || (word >> 31 && !hellos))
			return false;
		*n_frames += 1;
		*n_supers += word >> 31;
		at += 4 + len;
	}
	return at == sent.len && hellos == 1;
}

/* Frames of @len until some wait, then the peer's hello, then @more super-frames. */
static void test_boundary(uint32_t len, unsigned more, bool has_room)
{
	static const struct vnet vnet = { .flags = 1, .gso_type = 1, .gso_size = 1448 };
	unsigned n = 0, frames, supers;

	begin(TRUNK_HELLO_EXPECTED);
	while (!rig.p->queue.frames) {
		send_frame(len, NULL);
		n++;
	}
	append_hello(&all);
	if (has_room) {
		/* Made since the loop looked: the frame under way is still not whole. */
		bytes_read(&sent, rig.peer, BYTES_MAX);
		if (write(rig.peer, all.at, all.len) == (ssize_t)all.len)
			taker_take(&rig.t, rig.p);
	} else {
		peer_sends(all.at, all.len);
	}
	for (unsigned i = 0; i < more; i++)
		send_frame(2000, &vnet);
	peer_reads();
	ok(is_in_step(&frames, &supers) && frames == n + more && supers == more,
	   "%u frames of %u under way, %u behind: our hello is between two", n, len,
	   more);
	end();
}

/* No frame waits, and there is no room for the hello: nobody else will send it. */
static void test_owed(void)
{
	uint8_t unit[104] = { 0, 0, 0, 100 };
	unsigned n = 0, frames, supers;

	begin(TRUNK_HELLO_EXPECTED);
	while (write(rig.fd, unit, sizeof(unit)) == sizeof(unit))
		n++;
	append_hello(&all);
	peer_sends(all.at, all.len);
	ok(rig.p->tx_control && rig.s->trunk.n_unsent, "there is no room for our hello");
	peer_reads();
	ok(is_in_step(&frames, &supers) && frames == n && !rig.p->tx_control,
	   "it goes out as soon as there is some");
	end();
}

/* What is on the stack and was not set is to be of no use to anybody. */
static void spoil_stack(void)
{
	volatile uint8_t waste[128 << 10];

	for (size_t i = 0; i < sizeof(waste); i++)
		waste[i] = 0x5a;
}

/*
 * A peer that reads nothing asks for a trunk, so that our hello waits behind a
 * frame that is partly sent; then it sends more than one receive takes, and resets.
 */
static void test_owed_at_reset(void)
{
	static uint8_t frames[3 * STREAM_RX_BYTES];

	use_tcp();
	setsockopt(rig.peer, SOL_SOCKET, SO_RCVBUF, &(int){ SMALL_BUFFER }, sizeof(int));
	begin_with(TRUNK_HELLO_EXPECTED);
	while (!rig.s->skip)
		send_frame(FRAME_MAX, NULL);
	append_hello(&all);
	peer_sends(all.at, all.len);
	ok(rig.p->tx_control && rig.s->skip, "our hello waits behind half a frame");
	/* Frames of no length: as many as there are bytes, and none that is one. */
	port_hold(rig.p, true);
	peer_sends(frames, sizeof(frames));
	setsockopt(rig.peer, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 },
		   sizeof(struct linger));
	close(rig.peer);
	rig.peer = -1;
	port_hold(rig.p, false);
	for (unsigned i = 0; i < 10; i++) {
		spoil_stack();
		turn(&rig.t.loop);
	}
	ok(rig.p->state == PORT_WAITING && !rig.p->tx_control && !rig.p->queue.frames,
	   "with the peer that resets it is gone, and the link is lost");
	end();
}

/* ---- noise ---- */

static void lay_noise(void)
{
	all.len = 0;
	if (rnd(4) == 0)
		append_frame(&all, rnd(70));
	if (rnd(4))
		append_hello(&all);
	for (unsigned n = rnd(30); n; n--) {
		if (rnd(2))
			append_frame(&all, rnd(rnd(8) ? 100 : FRAME_MAX + 1));
		else
			append_super(&all, rnd(rnd(8) ? 100 : FRAME_MAX + 1));
	}
	if (rnd(2) && all.len)
		for (unsigned n = 1 + rnd(3); n; n--)
			all.at[rnd((uint32_t)all.len)] ^= (uint8_t)(1u << rnd(8));
	if (rnd(3) == 0)
		append_hello(&all);
	if (rnd(3) == 0)
		all.len -= rnd((uint32_t)all.len + 1);
}

static void test_noise(uint64_t seed)
{
	static const enum trunk_state modes[] = { TRUNK_NONE, TRUNK_HELLO_SENT,
						  TRUNK_HELLO_EXPECTED };
	unsigned wrong = 0, agreements = 0;

	random_begin(seed);
	for (int round = 0; round < 200; round++) {
		enum trunk_state mode = modes[rnd(3)];
		bool good, agreed;
		size_t at = 0;

		begin(mode);
		lay_noise();
		good = parse(mode, &agreed);
		while (at < all.len && rig.p->state == PORT_UP) {
			size_t n = 1 + rnd(rnd(2) ? 20 : 100000);

			n = n < all.len - at ? n : all.len - at;
			peer_sends(all.at + at, n);
			at += n;
		}
		turn(&rig.t.loop);
		wrong += !bytes_same(&rig.got, &want) ||
			 good != (rig.p->state == PORT_UP) ||
			 (good && agreed != is_agreed());
		agreements += good && agreed;
		end();
	}
	ok(!wrong && agreements, "seed %d: noise is cut as it should be", (int)seed);
}

/* ---- all ---- */

static void set_up(void)
{
	quiet();
	signal(SIGPIPE, SIG_IGN);
	taker_init(&rig.t, take_frame);
	rig.t.scribble = STREAM_RX_BYTES + LAYOUT_PREFIX;
}

static void tear_down(void)
{
	taker_free(&rig.t);
	bytes_free(&rig.got);
	bytes_free(&all);
	bytes_free(&want);
	bytes_free(&sent);
}

int main(void)
{
	alarm(ALARM_S);
	set_up();
	test_every_cut(TRUNK_HELLO_EXPECTED, "accepted");
	test_every_cut(TRUNK_HELLO_SENT, "dialled");
	test_all_refused();
	test_lengths();
	test_version(TRUNK_HELLO_EXPECTED, "accepted");
	test_version(TRUNK_HELLO_SENT, "dialled");
	test_no_answer();
	test_answer();
	test_hung_up(false);
	test_hung_up(true);
	for (uint32_t len = 60; len < 9000; len += len / 2 + 7) {
		test_boundary(len, 0, false);
		test_boundary(len, 5, false);
		test_boundary(len, 0, true);
		test_boundary(len, 5, true);
	}
	test_boundary(FRAME_MAX, 3, false);
	test_boundary(FRAME_MAX, 3, true);
	test_owed();
	test_owed_at_reset();
	for (uint64_t seed = 1; seed <= 4; seed++)
		test_noise(seed);
	tear_down();
	return done();
}
