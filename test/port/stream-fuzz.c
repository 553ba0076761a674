/* SPDX-License-Identifier: MIT */
/*
 * Receiving streams: hellos, frames and garbage, arriving in pieces cut anywhere,
 * against a slicer that has all bytes before it begins. Both must see the same
 * frames, and come to the same verdict.
 *
 * Input: whether the stream may be a trunk, then what a peer sends, and in between
 * where it makes a pause.
 */
#include "lib/driver-ops.h"
#include "lib/fake-port.h"
#include "lib/fuzz.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/packet.h"
#include "port/stream.h"

#define BYTES_MAX ((size_t)400 << 10)
#define PAUSES_MAX 64

/* @pauses: offsets at which what is ahead is received before the rest is sent */
static struct {
	uint8_t bytes[BYTES_MAX];
	size_t len;
	size_t pauses[PAUSES_MAX];
	unsigned n_pauses;
} sent;

/* Frames, each with its length word, as they came out of one or the other. */
struct seen {
	uint8_t bytes[BYTES_MAX];
	size_t len;
	uint64_t frames, runts;
	int err;
};

static struct seen got, want;
static uint8_t buf[BATCH_BUF_SIZE];
static struct loop loop;

/* ---- what is sent ---- */

static void add(const uint8_t *data, size_t len)
{
	if (sent.len + len > BYTES_MAX)
		return;
	memcpy(sent.bytes + sent.len, data, len);
	sent.len += len;
}

static void add_word(uint32_t word)
{
	uint8_t bytes[LAYOUT_PREFIX];

	put_be32(bytes, word);
	add(bytes, sizeof(bytes));
}

static void add_frame(struct fuzz_input *in, uint32_t flag, uint32_t len)
{
	static uint8_t body[1 << 17];

	memset(body, fuzz_byte(in), len);
	add_word(flag | len);
	add(body, len);
}

static void add_hello(struct fuzz_input *in)
{
	uint8_t hello[TRUNK_HELLO_BYTES] = {
		0xff, 'n', 't', 'r', 0, 1, 0, 64, 0, 0, 0, 1
	};
	uint8_t at = fuzz_byte(in);

	if (at < sizeof(hello))
		hello[at] ^= fuzz_byte(in);
	add(hello, sizeof(hello));
}

static void add_pause(struct fuzz_input *in)
{
	size_t back = fuzz_byte(in), at = sent.len > back ? sent.len - back : 0;

	if (sent.n_pauses == PAUSES_MAX)
		return;
	if (sent.n_pauses && at < sent.pauses[sent.n_pauses - 1])
		return;
	sent.pauses[sent.n_pauses++] = at;
}

static void add_one(struct fuzz_input *in)
{
	switch (fuzz_byte(in) % 9) {
	case 0:
		add_word(fuzz_number(in, 4));
		break;
	case 1:
		add_hello(in);
		break;
	case 2:
		add_frame(in, LAYOUT_VNET_BIT, fuzz_number(in, 2));
		break;
	case 3:
		/* Just as long as may be, or just not. */
		add_frame(in, 0, FRAME_MAX - 2 + fuzz_byte(in) % 4);
		break;
	case 4:
		add_frame(in, LAYOUT_VNET_BIT,
			  FRAME_MAX + VNET_BYTES - 2 + fuzz_byte(in) % 4);
		break;
	case 5:
		add_frame(in, 0, fuzz_number(in, 2));
		break;
	case 6:
		add_pause(in);
		break;
	case 7:
		for (unsigned n = fuzz_byte(in); n; n--)
			add_frame(in, 0, 60 + n % 4);
		break;
	default:
		add_frame(in, 0, fuzz_byte(in));
	}
}

/* ---- the other slicer ---- */

static void see(struct seen *s, uint32_t word, const uint8_t *data, uint32_t len)
{
	must(s->len + LAYOUT_PREFIX + len <= BYTES_MAX);
	put_be32(s->bytes + s->len, word);
	memcpy(s->bytes + s->len + LAYOUT_PREFIX, data, len);
	s->len += LAYOUT_PREFIX + len;
	s->frames++;
}

/* Return: bytes of the unit at @at; 0 when it has not come whole; -EPROTO. */
static ssize_t slice(enum trunk_state *trunk, const uint8_t *at, size_t left)
{
	uint32_t word, len, head = 0;

	if (left < LAYOUT_PREFIX)
		return 0;
	word = packet_g32(at);
	if (word == TRUNK_MAGIC &&
	    (*trunk == TRUNK_HELLO_SENT || *trunk == TRUNK_HELLO_EXPECTED)) {
		if (left < TRUNK_HELLO_BYTES)
			return 0;
		if (packet_g32(at + 4) != 0x00010040)
			return -EPROTO;
		*trunk = TRUNK_ESTABLISHED;
		return TRUNK_HELLO_BYTES;
	}
	len = word & 0x7fffffff;
	if (word != len) {
		head = VNET_BYTES;
		if (*trunk != TRUNK_ESTABLISHED || len < head)
			return -EPROTO;
	}
	if (len - head > FRAME_MAX)
		return -EPROTO;
	if (left - LAYOUT_PREFIX < len)
		return 0;
	if (*trunk == TRUNK_HELLO_EXPECTED)
		*trunk = TRUNK_NONE;
	if (len - head < FRAME_HEADER)
		want.runts++;
	else
		see(&want, word, at + LAYOUT_PREFIX, len);
	return LAYOUT_PREFIX + (ssize_t)len;
}

static void slice_all(enum trunk_state trunk)
{
	size_t at = 0;
	ssize_t n;

	while ((n = slice(&trunk, sent.bytes + at, sent.len - at)) > 0)
		at += (size_t)n;
	want.err = (int)n;
}

/* ---- the port ---- */

static enum trunk_state role;
static int ours;

static int fuzz_open(struct port *p)
{
	return stream_use(stream_of(p), ours, ours, role);
}

static const struct port_ops ops = {
	.kind = "fuzz",
	.one_shot = true,
	.open = fuzz_open,
	STREAM_OPS,
};

static const struct port_env env = { .loop = &loop, .host = &fake_host };

static void see_run(struct frame run)
{
	for (unsigned left = run.n_more + 1;; run = run_next(&run)) {
		uint32_t head = run.vnet ? VNET_BYTES : 0;

		must(!run.head_len && run.layout == LAYOUT_STREAM);
		must(!run.vnet || (const uint8_t *)run.vnet == run.data - VNET_BYTES);
		see(&got, layout_word(&run, run.len), run.data - head, head + run.len);
		if (!--left)
			break;
	}
	must(!run.more_bytes);
}

/* As the relay does with one that is readable. */
static void receive(struct port *p)
{
	static struct batch b;

	b.buf = buf;
	do {
		b.n = 0;
		b.more = false;
		got.err = p->ops->rx(p, &b);
		for (unsigned i = 0; !got.err && i < b.n; i++)
			see_run(b.frame[i]);
	} while (!got.err && b.more);
	if (!got.err)
		p->ops->rx_done(p);
	/* It is another port's now. */
	memset(buf, 0xee, STREAM_RX_BYTES + FRAME_MAX);
}

static size_t next_pause(size_t at)
{
	for (unsigned i = 0; i < sent.n_pauses; i++)
		if (sent.pauses[i] > at)
			return sent.pauses[i];
	return sent.len;
}

/* Up to each pause, but in what the socket takes at once. */
static void receive_all(struct port *p, int peer)
{
	size_t at = 0;
	uint64_t before;

	while (at < sent.len && !got.err) {
		ssize_t n = send(peer, sent.bytes + at, next_pause(at) - at,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			at += (size_t)n;
		do {
			before = p->count.rx_bytes + p->count.rx_frames;
			receive(p);
		} while (!got.err && (before != p->count.rx_bytes + p->count.rx_frames));
	}
	while (!got.err && recv(ours, &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		receive(p);
}

static void compare(const struct port *p)
{
	uint64_t bad = p->count.dropped[DROP_OVERSIZE];

	must(got.err == want.err);
	must(got.frames == want.frames && got.len == want.len);
	must(!memcmp(got.bytes, want.bytes, got.len));
	must(p->count.dropped[DROP_RUNT] == want.runts);
	must(p->count.rx_frames == got.frames + want.runts + bad);
	must(bad <= 1 && (!bad || want.err == -EPROTO));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum trunk_state roles[] = { TRUNK_NONE, TRUNK_HELLO_EXPECTED,
						  TRUNK_HELLO_SENT };
	struct fuzz_input in = { data, size };
	struct stream *s = calloc(1, sizeof(*s));
	int sv[2];

	role = roles[fuzz_byte(&in) % ARRAY_SIZE(roles)];
	sent.len = sent.n_pauses = 0;
	while (in.left)
		add_one(&in);
	got.len = want.len = 0;
	got.frames = got.runts = want.frames = want.runts = 0;
	got.err = want.err = 0;
	slice_all(role);

	must(loop.epfd || loop_init(&loop) == 0);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) == 0);
	ours = sv[0];
	must(s && stream_init(s, &ops, &env, "fuzz") == 0);
	port_start(&s->port);
	receive_all(&s->port, sv[1]);
	compare(&s->port);
	port_free(&s->port);
	close(sv[1]);
	return 0;
}
