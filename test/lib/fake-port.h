/* SPDX-License-Identifier: MIT */
/*
 * A port whose driver is the test. It brings the frames that it was given, shows the
 * test those that it is sent, counts how it is called, and fails where it is told to.
 * What a port's owner promises to a driver (port.h) is held against each call: a call
 * that breaks it is a failed check.
 *
 * What a driver would find beyond its descriptor is struct fake_peer, which the test
 * may keep for longer than the port. A test that needs more in a port embeds struct
 * fake_port first.
 *
 *   test -- fake_give() --> fake_peer -- rx --> relay -- tx --> .sent() -- test
 */
#ifndef LIB_FAKE_PORT_H
#define LIB_FAKE_PORT_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/bytes.h"
#include "lib/tap.h"
#include "port/port.h"
#include "relay/member.h"

#define FAKE_ALL UINT32_MAX
#define FAKE_FULL UINT64_C(0xfffffffffffffffe) /* an eventfd that isn't writable */

/* Of all ports that share it: which call of open(), rx() or tx() is to fail. 0: none. */
struct fake_plan {
	unsigned calls, fails_at;
};

/*
 * @open_ret:  what open() is to return
 * @rx_err, @tx_err: what these are to return, until the port is closed
 * @has_ended: there is nothing behind the frames that it still brings
 * @given:     frames to bring, each behind a length word
 * @brings:    how many these are
 * @budget:    frames that it will take
 * @breaks_at: with so many frames taken tx() fails
 * @refuses:   of so many frames it refuses one; 0: none
 * @opens, @closes, @shuts: how often it was called
 * @carrier:   what it was told, '+' and '-', repetitions left out
 */
struct fake_peer {
	int open_ret, rx_err, tx_err;
	bool has_ended;
	struct bytes given;
	uint32_t brings, budget, breaks_at;
	unsigned refuses, tried, taken;
	unsigned opens, closes, shuts;
	char carrier[16];
};

/*
 * @member:  its place where the test plays the relay; a real relay makes another one
 * @has_fds: it is readable and writable when its peer has something, and room
 * @is_read: rx() was called, and rx_done() was not, yet
 * @lent:    memory of frames that were brought, until rx_done()
 * @bring:   optional, in place of what is given: brings up to BATCH_MAX of @peer->brings
 * @sent:    optional: is shown each frame that is taken, none of them a run
 * @told_shut, @gone: optional: before the peer is told of the end, and the port freed
 */
struct fake_port {
	struct port port;
	struct member member;
	struct fake_peer *peer, own_peer;
	struct fake_plan *plan;
	bool has_fds, is_allocated, is_open, is_broken, is_read, has_rx_failed;
	int rx_fd, tx_fd;
	unsigned n_lent;
	void *lent[8];
	void (*bring)(struct fake_port *f, struct batch *b);
	void (*sent)(struct fake_port *f, const struct frame *frame);
	void (*told_shut)(struct fake_port *f);
	void (*gone)(struct fake_port *f);
};

static inline struct fake_port *fake_of(const struct port *p)
{
	return container_of((struct port *)(uintptr_t)p, struct fake_port, port);
}

static inline void fake_expect(const struct fake_port *f, bool holds, const char *what)
{
	if (!holds)
		ok(false, "%s: %s", f->port.name, what);
}

static inline bool fake_fails(const struct fake_port *f)
{
	return f->plan && ++f->plan->calls == f->plan->fails_at;
}

static inline void fake_set_ready(int fd, uint64_t value)
{
	uint64_t old;

	if (read(fd, &old, sizeof(old)) < 0 && errno != EAGAIN)
		abort();
	if (value && write(fd, &value, sizeof(value)) < 0)
		abort();
}

/* fake_show() - Have the descriptors say what the peer would do. */
static inline void fake_show(const struct fake_port *f)
{
	const struct fake_peer *peer = f->peer;

	if (f->rx_fd < 0)
		return;
	fake_set_ready(f->rx_fd, peer->brings || peer->has_ended || peer->rx_err);
	fake_set_ready(f->tx_fd, peer->budget || peer->tx_err ? 0 : FAKE_FULL);
}

/* fake_give() - A frame to bring: @data is copied. */
static inline void fake_give(struct fake_port *f, const uint8_t *data, uint32_t len)
{
	bytes_append_word(&f->peer->given, len);
	bytes_append(&f->peer->given, data, len);
	f->peer->brings++;
	fake_show(f);
}

/* fake_lend() - Memory for frames, which rx_done() frees. */
static inline uint8_t *fake_lend(struct fake_port *f, size_t len)
{
	fake_expect(f, f->n_lent < ARRAY_SIZE(f->lent), "rx_done() follows rx()");
	if (f->n_lent == ARRAY_SIZE(f->lent))
		abort();
	f->lent[f->n_lent] = malloc(len);
	return f->lent[f->n_lent++];
}

/* ---- the driver ---- */

static inline int fake_up(struct fake_port *f)
{
	f->is_open = true;
	f->is_broken = f->has_rx_failed = false;
	if (!f->has_fds)
		return 0;
	f->rx_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	f->tx_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	fake_show(f);
	return port_set_fds(&f->port, f->rx_fd, f->tx_fd);
}

/* fake_opened() - An open() that was EINPROGRESS has come to an end. */
static inline void fake_opened(struct fake_port *f, int ret)
{
	port_opened(&f->port, ret < 0 ? port_why(&f->port, ret, "refused") : fake_up(f));
}

static inline int fake_open(struct port *p)
{
	struct fake_port *f = fake_of(p);
	int ret = fake_fails(f) ? -EBUSY : f->peer->open_ret;

	fake_expect(f, !f->is_open, "what is open is not opened");
	f->peer->opens++;
	return ret < 0 ? port_why(p, ret, "not now") : fake_up(f);
}

/* As a stream brings them: with their length words. */
static inline void fake_bring(struct fake_port *f, struct batch *b)
{
	struct fake_peer *peer = f->peer;
	size_t len = 0;
	unsigned n = 0;
	uint8_t *at;

	for (; n < BATCH_MAX - b->n && n < peer->brings; n++)
		len += LAYOUT_PREFIX + get_be32(peer->given.at + len);
	if (!n)
		return;
	at = fake_lend(f, len);
	memcpy(at, peer->given.at, len);
	bytes_drop(&peer->given, len);
	peer->brings -= n;
	for (; n; n--) {
		struct frame frame = layout_parse(at);

		port_take(&f->port, b, &frame);
		at += LAYOUT_PREFIX + frame.len;
	}
}

static inline int fake_receive(struct port *p, struct batch *b)
{
	struct fake_port *f = fake_of(p);
	struct fake_peer *peer = f->peer;

	if (fake_fails(f))
		return port_why(p, -EPIPE, "broken");
	if (peer->rx_err)
		return port_why(p, peer->rx_err, "reset");
	if (peer->has_ended && !peer->brings)
		return port_why(p, PORT_CLOSED, "closed by the peer");
	if (f->bring)
		f->bring(f, b);
	else
		fake_bring(f, b);
	b->more = peer->brings && b->n == BATCH_MAX;
	fake_show(f);
	return 0;
}

static inline int fake_rx(struct port *p, struct batch *b)
{
	struct fake_port *f = fake_of(p);
	int ret;

	fake_expect(f, f->is_open && p->state == PORT_UP, "only what is up is read");
	fake_expect(f, f->is_read || !p->is_held, "no batch is begun while it is held");
	fake_expect(f, !f->has_rx_failed && !p->has_failed,
		    "what has failed is not read");
	f->is_read = true;
	ret = fake_receive(p, b);
	f->has_rx_failed = ret < 0;
	return ret;
}

static inline void fake_rx_done(struct port *p)
{
	struct fake_port *f = fake_of(p);

	fake_expect(f, f->is_open, "rx_done() comes before close()");
	fake_expect(f, f->is_read, "rx_done() comes once after rx()");
	f->is_read = false;
	while (f->n_lent)
		free(f->lent[--f->n_lent]);
}

/* As a kernel would read it: a sanitizer looks at each byte of what is copied. */
static inline void fake_touch(const struct frame *f)
{
	static uint8_t copy[1 << 16];
	struct iovec iov[FRAME_PIECES_MAX];
	unsigned n = frame_pieces(f, iov, FRAME_PIECES_MAX);

	for (unsigned k = 0; k < n; k++) {
		const uint8_t *at = iov[k].iov_base;
		size_t left = iov[k].iov_len, some;

		for (; left; left -= some, at += some) {
			some = left < sizeof(copy) ? left : sizeof(copy);
			memcpy(copy, at, some);
			/* The compiler may not see that nobody reads the copy. */
			__asm__ volatile("" : : "r"(copy) : "memory");
		}
	}
}

/* Return: whether it was dealt with. */
static inline bool fake_take(struct fake_port *f, const struct frame *frame)
{
	struct fake_peer *peer = f->peer;

	if (!peer->budget)
		return false;
	peer->budget -= peer->budget != FAKE_ALL;
	if (peer->refuses && ++peer->tried % peer->refuses == 0) {
		port_drop(&f->port, DROP_REFUSED, 1);
		return true;
	}
	peer->taken++;
	if (f->sent)
		f->sent(f, frame);
	port_sent(&f->port, frame);
	return true;
}

static inline int fake_break(struct fake_port *f, int err)
{
	f->is_broken = true;
	return port_why(&f->port, err, "broken");
}

static inline int fake_tx(struct port *p, const struct frame *frame, unsigned n)
{
	struct fake_port *f = fake_of(p);
	unsigned done = 0, i = 0;
	struct frame run, one;

	fake_expect(f, f->is_open && p->state == PORT_UP, "only what is up is sent to");
	fake_expect(f, !f->is_broken && !f->has_rx_failed,
		    "what has failed is not sent to");
	for (unsigned k = 0; k < n; k++)
		fake_touch(&frame[k]);
	if (f->peer->tx_err || fake_fails(f))
		return fake_break(f, f->peer->tx_err ? f->peer->tx_err : -EPIPE);
	for (run = frame[0]; n; done++) {
		if (f->peer->taken == f->peer->breaks_at)
			return done ? (int)done : fake_break(f, -EPIPE);
		one = run_first(&run);
		if (!fake_take(f, &one))
			break;
		if (run.n_more)
			run = run_next(&run);
		else if (++i < n)
			run = frame[i];
		else
			n = 0;
	}
	fake_show(f);
	return (int)done;
}

static inline void fake_shut(struct port *p)
{
	struct fake_port *f = fake_of(p);

	fake_expect(f, f->is_open, "only what is open is told of the end");
	if (f->told_shut)
		f->told_shut(f);
	f->peer->shuts++;
}

static inline void fake_carrier(struct port *p, bool is_on)
{
	char *at = fake_of(p)->peer->carrier, c = is_on ? '+' : '-';
	size_t n = strlen(at);

	if ((!n || at[n - 1] != c) && n < sizeof(fake_of(p)->peer->carrier) - 1)
		at[n] = c;
}

static inline void fake_close(struct port *p)
{
	struct fake_port *f = fake_of(p);

	fake_expect(f, !f->n_lent && !f->is_read, "nothing is closed that lends");
	if (f->rx_fd >= 0)
		close(f->rx_fd);
	if (f->tx_fd >= 0)
		close(f->tx_fd);
	f->rx_fd = f->tx_fd = -1;
	f->is_open = false;
	/* What was under way is no more. */
	f->peer->rx_err = f->peer->tx_err = 0;
	f->peer->has_ended = false;
	f->peer->closes++;
	if (f->peer->given.len)
		f->peer->given.len = f->peer->brings = 0;
}

static inline void fake_free(struct port *p)
{
	struct fake_port *f = fake_of(p);

	fake_expect(f, !f->is_open, "what is freed was closed");
	if (f->gone)
		f->gone(f);
	bytes_free(&f->own_peer.given);
	if (f->is_allocated)
		free(f);
}

/* For the ops of all of them. */
#define FAKE_OPS                                                                  \
	.open = fake_open, .rx = fake_rx, .rx_done = fake_rx_done, .tx = fake_tx, \
	.close = fake_close, .free = fake_free

static const struct port_ops fake_plain = { .kind = "fake", FAKE_OPS };

/* fake_init() - A port, not yet started, that takes all and brings nothing. */
static inline void fake_init(struct fake_port *f, const struct port_ops *ops,
			     const struct port_env *env, const char *name)
{
	if (port_init(&f->port, ops, env, name) < 0)
		abort();
	f->member.port = &f->port;
	f->port.owner = &f->member;
	f->peer = &f->own_peer;
	f->peer->budget = f->peer->breaks_at = FAKE_ALL;
	f->rx_fd = f->tx_fd = -1;
}

/*
 * fake_new() - The same in memory that is freed with the port.
 * @size: of a struct fake_port, or of what it is the first member of
 */
static inline void *fake_new(size_t size, const struct port_ops *ops,
			     const struct port_env *env, const char *name)
{
	struct fake_port *f = calloc(1, size);

	if (!f)
		abort();
	fake_init(f, ops, env, name);
	f->is_allocated = true;
	return f;
}

/* ---- who holds them ---- */

static inline void fake_heard_nothing(struct port *p, void *arg)
{
	(void)p;
	(void)arg;
}

/* An owner who does nothing. */
static const struct port_host fake_host = { fake_heard_nothing, fake_heard_nothing,
					    fake_heard_nothing };

#endif
