/* SPDX-License-Identifier: MIT */
/*
 * The life of what a port lends: its frames lie in memory that it frees in
 * rx_done(), so that the sanitizer sees who looks at them later. Every call of a
 * driver is made to fail once, in every history of calls, and the contract in
 * port.h is held against what happens.
 */
#include "relay/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/tap.h"

#define PORTS 4
#define LEN 100
#define BURST (BATCH_MAX + 20) /* frames at one wake-up: with more to come */

/*
 * A port that lends @lent, and breaks the contract when it is called wrongly.
 * @brings: frames that it still has to give
 */
struct fake {
	struct port port;
	int fd;
	unsigned id, brings, n_lent;
	bool is_open, is_broken;
	uint8_t *lent[4];
};

static struct loop loop;
static struct watch kick = WATCH_INIT;
static struct relay relay;
static struct fake *fakes[PORTS];
static unsigned calls, fails_at, faults;

/* Whether this call of a driver is the one to fail. */
static bool fails(void)
{
	return ++calls == fails_at;
}

static struct fake *to_fake(struct port *p)
{
	return container_of(p, struct fake, port);
}

static void expect(bool holds)
{
	faults += !holds;
}

static int fake_open(struct port *p)
{
	struct fake *f = to_fake(p);

	if (fails())
		return port_why(p, -EBUSY, "not now");
	f->fd = eventfd(f->brings, EFD_NONBLOCK);
	f->is_open = true;
	f->is_broken = false;
	return port_watch(p, f->fd, f->fd);
}

static int fake_rx(struct port *p, struct batch *b)
{
	struct fake *f = to_fake(p);
	uint64_t old;
	uint8_t *at;

	expect(f->is_open && p->state == PORT_UP);
	if (fails())
		return port_why(p, -EPIPE, "broken");
	at = malloc(BATCH_MAX * LEN);
	if (!at || f->n_lent == ARRAY_SIZE(f->lent))
		exit(1);
	f->lent[f->n_lent++] = at;
	for (; b->n < BATCH_MAX && f->brings; f->brings--, at += LEN) {
		memset(at, 0xff, LEN);
		memcpy(at + 6, (const uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)f->id }, 6);
		port_take(p, b, &(struct frame){ .data = at, .len = LEN });
	}
	b->more = f->brings;
	if (!b->more && read(f->fd, &old, sizeof(old)) < 0)
		exit(1);
	return 0;
}

static void fake_rx_done(struct port *p)
{
	struct fake *f = to_fake(p);

	expect(f->is_open);
	while (f->n_lent)
		free(f->lent[--f->n_lent]);
}

/* Reads all of it, as a kernel would. */
static int fake_tx(struct port *p, const struct frame *f, unsigned n)
{
	unsigned frames = run_count(f, n), sum = 0;

	expect(to_fake(p)->is_open && !to_fake(p)->is_broken);
	for (unsigned i = 0; i < n; i++) {
		for (uint32_t at = 0; at < f[i].len; at++)
			sum += f[i].data[at];
		expect(sum > 0);
		port_sent(p, &f[i]);
	}
	if (fails()) {
		for (unsigned i = 0; i < n; i++) {
			p->count.tx_frames--;
			p->count.tx_bytes -= f[i].len;
		}
		to_fake(p)->is_broken = true;
		return port_why(p, -EPIPE, "broken");
	}
	return (int)frames;
}

static void fake_close(struct port *p)
{
	struct fake *f = to_fake(p);

	expect(f->n_lent == 0);
	f->is_open = false;
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static void fake_free(struct port *p)
{
	struct fake *f = to_fake(p);

	fakes[f->id] = NULL;
	free(f);
}

#define FAKE_OPS                                                                  \
	.open = fake_open, .rx = fake_rx, .rx_done = fake_rx_done, .tx = fake_tx, \
	.close = fake_close, .free = fake_free

static const struct port_ops kinds[] = {
	{ .kind = "dgram", FAKE_OPS },
	{ .kind = "stream", .is_stream = true, .has_backpressure = true, FAKE_OPS },
	{ .kind = "once", .one_shot = true, FAKE_OPS },
	{ .kind = "accepted", .is_stream = true, .one_shot = true, FAKE_OPS },
};

static void add(unsigned id, const struct port_ops *ops)
{
	struct fake *f = calloc(1, sizeof(*f));

	if (!f || port_init(&f->port, ops, &relay.env, ops->kind) < 0)
		exit(1);
	f->fd = -1;
	f->id = id;
	fakes[id] = f;
	relay_add_port(&relay, &f->port);
}

static void stop_now(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	loop_stop(&loop);
}

static void give(unsigned id)
{
	struct fake *f = fakes[id];
	uint64_t one = 1;

	if (!f || !f->is_open || f->brings)
		return;
	f->brings = BURST;
	if (write(f->fd, &one, sizeof(one)) < 0)
		exit(1);
}

static bool sums_hold(void)
{
	struct relay_sums s = relay_sums(&relay);

	return s.received + s.copied == s.sent + s.queued + s.dropped;
}

/*
 * Broadcasts from all, in a relay of @kind, and then all of it again, while the
 * call number @at fails. Return: whether there was a call of that number.
 */
static bool play(enum relay_kind kind, unsigned at)
{
	static const struct switching_limits limits = { .fdb_size = 100 };

	calls = 0;
	fails_at = at;
	if (loop_init(&loop) < 0 || relay_init(&relay, &loop, NULL, kind, &limits) < 0 ||
	    loop_add(&loop, &kick, eventfd(1, EFD_NONBLOCK), EPOLLIN, stop_now) < 0)
		exit(1);
	relay.is_running = true;
	for (unsigned i = 0; i < PORTS; i++)
		add(i, &kinds[i]);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < PORTS; i++)
			give(i);
		for (unsigned i = 0; i < 3; i++)
			loop_run(&loop);
		expect(sums_hold());
	}
	int fd = kick.fd;

	loop_del(&loop, &kick);
	close(fd);
	relay_free(&relay);
	loop_free(&loop);
	return calls >= at;
}

static void test_every_failure(enum relay_kind kind)
{
	unsigned at = 1;

	faults = 0;
	while (play(kind, at))
		at++;
	ok(at > 20, "a %s makes calls enough to tell", relay_kind_name(kind));
	ok_eq_int(faults, 0, "a %s, when the 1st to the %u. call of a driver fails",
		  relay_kind_name(kind), at - 1);
}

int main(void)
{
	test_every_failure(RELAY_HUB);
	test_every_failure(RELAY_SWITCH);
	return done();
}
