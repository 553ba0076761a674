/* SPDX-License-Identifier: MIT */
/*
 * stream.c over a channel that seals, to hold it against the contract in channel.h: a
 * trunk with random frames both ways, over a socket that takes few bytes at a time. All
 * that arrives at either end is compared whole, and a record that is made twice, or
 * never sent, breaks the other end's count.
 */
#include "port/stream.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/bytes.h"
#include "lib/driver-ops.h"
#include "lib/quiet.h"
#include "lib/random.h"
#include "lib/sealing.h"
#include "lib/sockets.h"
#include "lib/taker.h"
#include "lib/tap.h"
#include "lib/turn.h"

#define ALARM_S 300 /* the end of a test that would wait for ever */
#define ROUNDS 3000
#define WORK ((size_t)6 << 20) /* bytes each way, at most */

static const uint8_t hello[TRUNK_HELLO_BYTES] = { 0xff, 'n', 't', 'r', 0, 1,
						  0,	64,  0,	  0,   0, 1 };
static uint8_t noise[2 * FRAME_MAX];

/*
 * @ours, @peer: the stream's channel, and the other end's
 * @got, @want: what came out of the port, and what should have
 * @peer_got, @peer_want: the same of the peer
 * @to_send:    of @want, what the peer has still to send
 */
static struct {
	struct taker t;
	struct stream *s;
	struct port *p;
	int fd;
	struct sealing ours, peer;
	struct bytes got, want, peer_got, peer_want, to_send;
	uint64_t frames;
} rig;

/* ---- the port ---- */

static int rig_open(struct port *p)
{
	(void)p;
	return stream_use_channel(rig.s, &rig.ours.c, TRUNK_HELLO_SENT);
}

static const struct port_ops ops = {
	.kind = "sealed",
	.has_backpressure = true,
	.one_shot = true,
	.open = rig_open,
	.shut = stream_shut,
	STREAM_OPS,
};

static void take_frame(const struct frame *f)
{
	bytes_append_word(&rig.got, f->len);
	bytes_append(&rig.got, f->data, f->len);
}

/* @record_max, @few: of our channel, as struct sealing has them */
static void begin(size_t record_max, size_t few)
{
	int sv[2];

	sockets_pair(SOCK_STREAM, sv);
	setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &(int){ 4096 }, sizeof(int));
	sealing_init(&rig.ours, sv[0]);
	sealing_init(&rig.peer, sv[1]);
	rig.ours.record_max = record_max;
	rig.ours.few = few;
	rig.got.len = rig.want.len = rig.peer_got.len = rig.peer_want.len = 0;
	rig.to_send.len = 0;
	rig.frames = 0;
	bytes_append(&rig.peer_want, hello, sizeof(hello));
	bytes_append(&rig.to_send, hello, sizeof(hello));
	taker_reset(&rig.t);
	rig.t.scribble = STREAM_RX_BYTES + LAYOUT_PREFIX;
	rig.s = calloc(1, sizeof(*rig.s));
	if (!rig.s || stream_init(rig.s, &ops, &rig.t.env, "sealed") < 0)
		abort();
	rig.p = &rig.s->port;
	port_start(rig.p);
}

static void end(void)
{
	port_free(rig.p);
	sealing_close(&rig.peer.c);
}

/* ---- the peer ---- */

static void peer_reads(void)
{
	uint8_t *at = bytes_room(&rig.peer_got, SEALING_READ);
	struct iovec iov = { at, SEALING_READ };
	ssize_t n = sealing_recv(&rig.peer.c, &iov, 1);

	rig.peer_got.len -= SEALING_READ - (n > 0 ? (size_t)n : 0);
}

/* A record of some of what it has to send, cut anywhere. */
static void peer_sends(size_t most)
{
	struct iovec iov = { rig.to_send.at, min_size(most, rig.to_send.len) };
	ssize_t n = sealing_send(&rig.peer.c, &iov, 1);

	if (n > 0)
		bytes_drop(&rig.to_send, (size_t)n);
}

static void peer_has_frame(uint32_t len)
{
	const uint8_t *data = noise + rnd(FRAME_MAX);

	bytes_append_word(&rig.want, len);
	bytes_append(&rig.want, data, len);
	bytes_append_word(&rig.to_send, len);
	bytes_append(&rig.to_send, data, len);
}

/* ---- tests ---- */

static uint32_t rnd_len(void)
{
	return 60 + rnd(rnd(6) ? 1455 : FRAME_MAX - 59);
}

static void send_frame(uint32_t len)
{
	struct frame f = { .data = noise + rnd(FRAME_MAX), .len = len };

	bytes_append_word(&rig.peer_want, len);
	bytes_append(&rig.peer_want, f.data, len);
	rig.frames++;
	port_send(rig.p, &f);
}

static void do_round(void)
{
	size_t most = rig.peer_want.len + 200000; /* the queue has room for that */

	if (rig.p->queue.bytes < 100000 && rig.peer_want.len < WORK) {
		for (unsigned n = rnd(40); n && rig.peer_want.len < most; n--)
			send_frame(rnd_len());
		port_flush(rig.p);
	}
	if (rig.to_send.len < 100000 && rig.want.len < WORK)
		for (unsigned n = rnd(40); n; n--)
			peer_has_frame(rnd_len());
	if (rnd(3))
		peer_reads();
	peer_sends(1 + rnd(rnd(3) ? 5000 : 400000));
	port_hold(rig.p, rnd(4) == 0);
	turn(&rig.t.loop);
}

static bool is_through(void)
{
	return rig.peer_got.len >= rig.peer_want.len && rig.got.len >= rig.want.len;
}

static void test_traffic(uint64_t seed, size_t record_max, size_t few)
{
	bool is_whole = true, was_kept = false, had_input = false;

	random_begin(seed);
	begin(record_max, few);
	for (unsigned i = 0; i < ROUNDS; i++) {
		do_round();
		is_whole &= rig.s->skip == 0;
		was_kept |= rig.p->tx_control;
		had_input |= rig.ours.c.has_input;
	}
	port_hold(rig.p, false);
	for (unsigned i = 0; i < 1000000 && !is_through(); i++) {
		peer_reads();
		peer_sends(SIZE_MAX);
		turn(&rig.t.loop);
	}
	ok(bytes_same(&rig.peer_got, &rig.peer_want) && rig.frames > 50,
	   "records of %zu bytes, %zu a write: what was sent arrives, once and in order",
	   record_max, few);
	ok(bytes_same(&rig.got, &rig.want) && rig.t.frames > 500,
	   "and so does what was received");
	ok(rig.ours.sealed == rig.peer.opened && rig.peer.sealed == rig.ours.opened &&
		   !rig.peer.came.len && !rig.ours.came.len,
	   "every record was made once");
	ok(was_kept && had_input,
	   "records were half sent, and had more than was asked for");
	ok(is_whole == !record_max, "%s",
	   record_max ? "frames were sent in parts" : "no frame was ever half sent");
	ok(rig.p->state == PORT_UP && rig.p->count.tx_frames == rig.frames &&
		   !rig.p->queue.frames && !rig.p->tx_control && !rig.s->skip,
	   "all are counted, and nothing is left");
	ok(rig.ours.kept_max < (2 * PORT_QUEUE_BYTES), "memory has its limit");
	end();
}

/* The trunk is agreed through the channel, also if the hello goes byte by byte. */
static void test_hello(void)
{
	begin(0, 1);
	ok(rig.p->tx_control && rig.p->awaiting_peer,
	   "a hello of which one byte has gone");
	for (unsigned i = 0; i < 1000 && rig.peer_got.len < sizeof(hello); i++) {
		turn(&rig.t.loop);
		peer_reads();
	}
	ok(bytes_same(&rig.peer_got, &rig.peer_want), "goes out by itself");
	peer_sends(SIZE_MAX);
	turn(&rig.t.loop);
	ok(rig.s->trunk.state == TRUNK_ESTABLISHED && !rig.p->tx_control &&
		   !rig.p->awaiting_peer,
	   "and is answered");
	end();
}

/* Frames that fit the channel, but not the socket, and nothing behind them. */
static void test_kept(void)
{
	begin(0, 0);
	send_frame(FRAME_MAX);
	port_flush(rig.p);
	ok(rig.p->tx_control && !rig.p->queue.frames && !rig.s->skip,
	   "a frame that the channel has taken, and the socket has not");
	for (unsigned i = 0; i < 1000 && !is_through(); i++) {
		turn(&rig.t.loop);
		peer_reads();
	}
	ok(bytes_same(&rig.peer_got, &rig.peer_want) && !rig.p->tx_control,
	   "goes out with nobody sending anything");
	end();
}

static void test_shut(void)
{
	begin(0, 100);
	send_frame(5000);
	port_flush(rig.p);
	port_shut(rig.p);
	for (unsigned i = 0; i < 1000 && !rig.peer.has_ended; i++) {
		turn(&rig.t.loop);
		peer_reads();
	}
	ok(bytes_same(&rig.peer_got, &rig.peer_want) && rig.peer.has_ended,
	   "a stream that is shut: all that was kept, then the end");
	turn(&rig.t.loop);
	peer_sends(SIZE_MAX);
	peer_has_frame(60);
	peer_sends(SIZE_MAX);
	sealing_shut(&rig.peer.c);
	for (unsigned i = 0; i < 1000 && rig.p->state == PORT_UP; i++)
		turn(&rig.t.loop);
	ok(bytes_same(&rig.got, &rig.want) && rig.p->state == PORT_ENDED &&
		   rig.p->why_err == PORT_CLOSED,
	   "the peer's end comes behind its frames");
	end();
}

/* Nothing is kept when it is shut, but the end itself goes out in parts. */
static void test_shut_in_parts(void)
{
	begin(0, 0);
	peer_reads();
	rig.ours.few = 1;
	port_shut(rig.p);
	ok(rig.p->tx_control, "an end of which one byte has gone");
	for (unsigned i = 0; i < 1000 && !rig.peer.has_ended; i++) {
		turn(&rig.t.loop);
		peer_reads();
	}
	ok(rig.peer.has_ended && !rig.p->tx_control, "goes out by itself");
	end();
}

/* Each byte of a record of one frame is changed once. */
static void test_forged(void)
{
	unsigned wrong = 0, n = SEALING_HEAD + LAYOUT_PREFIX + 60 + SEALING_TAIL;

	for (unsigned at = 0; at < n; at++) {
		begin(0, 0);
		peer_sends(SIZE_MAX);
		peer_has_frame(60);
		rig.peer.few = 1;
		peer_sends(SIZE_MAX);
		/* All but the first byte is still here. */
		if (at)
			rig.peer.kept.at[at - 1] ^= 1;
		rig.peer.few = 0;
		sealing_flush(&rig.peer);
		if (!at)
			wrong += write(rig.peer.c.wfd, noise, 1) != 1;
		shutdown(rig.peer.c.wfd, SHUT_WR);
		for (unsigned i = 0; i < 100 && rig.p->state == PORT_UP; i++)
			turn(&rig.t.loop);
		wrong += rig.p->state != PORT_ENDED || rig.p->why_err != -EPROTO ||
			 strncmp(rig.p->why, at ? "record 1 " : "record 2 ", 9) != 0 ||
			 (at ? rig.t.frames != 0 : !bytes_same(&rig.got, &rig.want));
		end();
	}
	ok_eq_int(wrong, 0, "a changed byte, or one too many, ends the link: %s",
		  "the reason is the channel's");
}

int main(void)
{
	alarm(ALARM_S);
	quiet();
	signal(SIGPIPE, SIG_IGN);
	taker_init(&rig.t, take_frame);
	rnd_bytes(noise, sizeof(noise));
	test_hello();
	test_kept();
	test_traffic(1, 0, 0);
	test_traffic(2, 0, 3000);
	test_traffic(3, 1000, 300);
	test_traffic(4, 16384, 700);
	test_shut();
	test_shut_in_parts();
	test_forged();
	taker_free(&rig.t);
	bytes_free(&rig.got);
	bytes_free(&rig.want);
	bytes_free(&rig.peer_got);
	bytes_free(&rig.peer_want);
	bytes_free(&rig.to_send);
	return done();
}
