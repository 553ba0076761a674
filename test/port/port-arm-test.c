/* SPDX-License-Identifier: MIT */
/*
 * A port with descriptors of its own, as a device has them: three eventfds, each drained
 * by reading it, say that there are frames, and a fourth that there is room. It brings a
 * share of its frames at a time, and asks for the next turn of the loop if it has more.
 */
#include "port/port.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/quiet.h"
#include "lib/tap.h"
#include "lib/turn.h"

#define QUEUES 3
#define SHARE 8
#define LEN 60
#define ALARM_S 300
#define PATIENCE_MS 20000

struct queue {
	struct watch kick;
	struct device *device;
};

/*
 * @brings:   frames that it still has
 * @takes:    frames that there is room for
 * @is_endless: it never runs out
 * @rx_armed, @tx_armed: what arm() said last
 * @reads:    how often rx() was called; @turn: in which turn last
 * @twice:    calls of rx() in the turn of the one before
 */
struct device {
	struct port port;
	struct queue queue[QUEUES];
	struct watch room;
	unsigned brings, takes;
	bool is_endless, is_open, rx_armed, tx_armed;
	unsigned reads, turn, twice, arms;
};

static struct loop loop;
static struct port_env env = { .loop = &loop };
static struct batch batch;
static uint8_t frame_data[LEN];
static unsigned waits, received, wrong;

int epoll_wait(int epfd, struct epoll_event *ev, int max, int ms)
{
	waits++;
	return (int)syscall(SYS_epoll_pwait, epfd, ev, max, ms, NULL, 8);
}

/* ---- the driver ---- */

static struct device *to_device(struct port *p)
{
	return container_of(p, struct device, port);
}

static void kicked(struct watch *w, uint32_t events)
{
	struct queue *q = container_of(w, struct queue, kick);
	uint64_t old;

	(void)events;
	wrong += !q->device->rx_armed;
	if (read(w->fd, &old, sizeof(old)) == sizeof(old))
		port_readable(&q->device->port);
}

static void has_room(struct watch *w, uint32_t events)
{
	struct device *d = container_of(w, struct device, room);
	uint64_t old;

	(void)events;
	wrong += !d->tx_armed;
	if (read(w->fd, &old, sizeof(old)) == sizeof(old))
		port_writable(&d->port);
}

static int open_watch(struct watch *w, void (*fn)(struct watch *w, uint32_t events))
{
	return loop_add(&loop, w, eventfd(0, EFD_NONBLOCK), 0, fn);
}

static int device_open(struct port *p)
{
	struct device *d = to_device(p);
	int ret = open_watch(&d->room, has_room);

	for (unsigned i = 0; i < QUEUES; i++) {
		d->queue[i].device = d;
		ret |= open_watch(&d->queue[i].kick, kicked);
	}
	d->is_open = true;
	return ret;
}

static void device_arm(struct port *p, bool rx, bool tx)
{
	struct device *d = to_device(p);

	wrong += !d->is_open || p->state != PORT_UP;
	d->arms++;
	d->rx_armed = rx;
	d->tx_armed = tx;
	for (unsigned i = 0; i < QUEUES; i++)
		loop_mod(&loop, &d->queue[i].kick, rx ? EPOLLIN : 0);
	loop_mod(&loop, &d->room, tx ? EPOLLIN : 0);
}

static int device_rx(struct port *p, struct batch *b)
{
	struct device *d = to_device(p);
	const struct frame f = { .data = frame_data, .len = LEN };

	wrong += !d->is_open || p->is_held || p->state != PORT_UP;
	d->twice += d->reads++ && d->turn == waits;
	d->turn = waits;
	for (unsigned i = 0; i < SHARE && (d->brings || d->is_endless); i++) {
		d->brings -= !d->is_endless;
		port_take(p, b, &f);
	}
	b->later = d->brings || d->is_endless;
	return 0;
}

static int device_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct device *d = to_device(p);
	unsigned done = 0;

	for (; done < n && d->takes; done++, d->takes--)
		port_sent(p, &f[done]);
	return (int)done;
}

static void close_watch(struct watch *w)
{
	int fd = w->fd;

	loop_del(&loop, w);
	close(fd);
}

static void device_close(struct port *p)
{
	struct device *d = to_device(p);

	for (unsigned i = 0; i < QUEUES; i++)
		close_watch(&d->queue[i].kick);
	close_watch(&d->room);
	d->is_open = d->rx_armed = d->tx_armed = false;
}

static void device_free(struct port *p)
{
	free(to_device(p));
}

static const struct port_ops device_ops = {
	.kind = "device",
	.open = device_open,
	.arm = device_arm,
	.rx = device_rx,
	.tx = device_tx,
	.close = device_close,
	.free = device_free,
};

/* ---- its owner ---- */

static void on_readable(struct port *p, void *arg)
{
	(void)arg;
	if (port_receive(p, &batch) == 0)
		received += batch.n;
	port_received(p);
}

static void ignore(struct port *p, void *arg)
{
	(void)p;
	(void)arg;
}

static const struct port_host host = { on_readable, ignore, ignore };

static struct device *begin(void)
{
	struct device *d = calloc(1, sizeof(*d));

	if (!d || port_init(&d->port, &device_ops, &env, "device") < 0)
		exit(1);
	received = wrong = 0;
	port_start(&d->port);
	return d;
}

static void kick(const struct watch *w)
{
	uint64_t one = 1;

	if (write(w->fd, &one, sizeof(one)) < 0)
		exit(1);
}

#define until(cond) turn_until(&loop, PATIENCE_MS, cond)

/* Whether the loop sleeps when there is nothing to do. */
static bool sleeps(void)
{
	unsigned before = waits;

	turn_for(&loop, 50);
	return waits - before < 5;
}

static void test_several(void)
{
	struct device *d = begin();

	ok(sleeps() && !d->reads,
	   "a port with three descriptors is not read for nothing");
	for (unsigned i = 0; i < QUEUES; i++) {
		d->brings = 1;
		kick(&d->queue[i].kick);
		until(received == i + 1);
		ok_eq_int(received, i + 1, "a frame announced at number %u is received",
			  i);
	}
	d->brings = 2;
	for (unsigned i = 0; i < QUEUES; i++)
		kick(&d->queue[i].kick);
	until(received == QUEUES + 2);
	ok_eq_int(received, QUEUES + 2, "of all of them at once, too");
	ok(sleeps(), "and then the loop sleeps");
	port_free(&d->port);
}

static void test_later(void)
{
	struct device *d = begin();

	d->brings = 10 * SHARE + 3;
	kick(&d->queue[1].kick);
	until(received == 10 * SHARE + 3);
	ok_eq_int(received, 10 * SHARE + 3, "after one kick all frames come");
	ok(d->reads == 11 && !d->twice, "a share in each turn of the loop");
	ok(sleeps() && d->reads == 11, "and then the loop sleeps");
	port_free(&d->port);
}

static void test_starves_nobody(void)
{
	struct device *d = begin(), *other = begin();

	d->is_endless = true;
	kick(&d->queue[0].kick);
	until(received > 10 * SHARE);
	ok(received > 10 * SHARE, "one that always has more is read again and again");
	ok(!d->twice, "once in a turn");
	other->brings = 5 * SHARE;
	kick(&other->queue[2].kick);
	until(other->reads == 5);
	ok_eq_int(other->reads, 5, "another port gets its share beside it");
	d->is_endless = false;
	ok(sleeps(), "and when it runs out, the loop sleeps");
	port_free(&d->port);
	port_free(&other->port);
}

static void test_hold(void)
{
	struct device *d = begin();

	d->is_endless = true;
	kick(&d->queue[0].kick);
	until(received);
	port_hold(&d->port, true);
	received = 0;
	ok(sleeps() && !received && !d->rx_armed, "held, it is read no more, nor armed");
	kick(&d->queue[1].kick);
	ok(sleeps() && !received, "nor when it is kicked");
	d->is_endless = false;
	d->brings = 3 * SHARE;
	port_hold(&d->port, false);
	ok(d->rx_armed, "let go, it is armed");
	until(received == 3 * SHARE);
	ok_eq_int(received, 3 * SHARE, "and what it had left comes without a kick");
	port_hold(&d->port, true);
	d->brings = 1;
	/* As if the kick had come in the turn in which the port was held. */
	port_readable(&d->port);
	turn_for(&loop, 5);
	ok_eq_int(received, 3 * SHARE, "told of frames while it is held, it is not read");
	port_hold(&d->port, false);
	until(received == 3 * SHARE + 1);
	ok_eq_int(received, 3 * SHARE + 1, "but after that");
	d->brings = 1;
	port_pause(&d->port);
	port_readable(&d->port);
	ok(!d->rx_armed && d->brings, "nor while the kernel is short of memory");
	until(d->rx_armed && !d->brings);
	ok(d->rx_armed && !d->brings, "but after that");
	ok(sleeps(), "and then the loop sleeps");
	ok_eq_int(wrong, 0, "nothing is called that may not be");
	port_free(&d->port);
}

static void send(struct port *p, unsigned n)
{
	const struct frame f = { .data = frame_data, .len = LEN };

	while (n--)
		port_send(p, &f);
	port_flush(p);
}

static void test_room(void)
{
	struct device *d = begin();

	d->takes = 2;
	ok(!d->tx_armed, "no room is waited for while nothing waits");
	send(&d->port, 5);
	ok(d->tx_armed && d->port.count.tx_frames == 2, "with the device full, it is");
	ok(port_backlog(&d->port).frames == 3 && port_backlog(&d->port).bytes >= 3 * LEN,
	   "and the backlog is what waits");
	d->takes = 1;
	kick(&d->room);
	until(d->port.count.tx_frames == 3);
	ok(d->tx_armed && d->port.count.tx_frames == 3, "some room: some are sent");
	port_hold(&d->port, true);
	ok(d->tx_armed && !d->rx_armed, "a port that is held may send");
	d->takes = 9;
	kick(&d->room);
	until(!d->tx_armed);
	ok(!d->tx_armed && d->port.count.tx_frames == 5 && !port_backlog(&d->port).bytes,
	   "and enough for all");
	port_writable(&d->port);
	ok(!d->tx_armed && !wrong, "told of room for nothing, nothing happens");
	port_free(&d->port);
}

static void test_down(void)
{
	struct device *d = begin();
	unsigned arms;

	d->is_endless = true;
	kick(&d->queue[0].kick);
	until(received);
	port_why(&d->port, -EPIPE, "broken");
	port_down(&d->port);
	/* On a busy machine it would be opened again meanwhile. */
	timer_cancel(&loop, &d->port.retry);
	received = 0;
	arms = d->arms;
	turn_for(&loop, 20);
	ok(!received && d->arms == arms && !wrong,
	   "one that has gone down with frames left is neither read nor armed");
	port_readable(&d->port);
	d->is_endless = false;
	d->reads = 0;
	port_retry_now(&d->port);
	until(d->port.state == PORT_UP);
	ok(d->port.state == PORT_UP && !d->reads && d->rx_armed,
	   "up again, it waits for a kick");
	d->is_endless = true;
	received = 0;
	kick(&d->queue[2].kick);
	until(received);
	port_free(&d->port);
	turn_for(&loop, 10);
	ok(!wrong, "freed with frames left, it is not read");
}

int main(void)
{
	alarm(ALARM_S);
	quiet();
	env.host = &host;
	batch.buf = malloc(BATCH_BUF_SIZE);
	if (!batch.buf || loop_init(&loop) < 0)
		return 1;
	test_several();
	test_later();
	test_starves_nobody();
	test_hold();
	test_room();
	test_down();
	loop_free(&loop);
	free(batch.buf);
	return done();
}
