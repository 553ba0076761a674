/* SPDX-License-Identifier: MIT */
/*
 * The life of a port, in every history: it brings two batches at a wake-up, which go to
 * another port, and whatever may happen does, at up to two of the moments on the way,
 * while one call of a driver fails. fake-port.h holds the contract in port.h against
 * each call; what a port lends is freed by rx_done(), so that the sanitizer sees who
 * looks at it later.
 */
#include "port/port.h"

#include <stdlib.h>
#include <string.h>

#include "lib/fake-port.h"
#include "lib/ports.h"
#include "lib/quiet.h"
#include "lib/tap.h"

#define LEN 60
#define BURST (BATCH_MAX + 6) /* frames at a wake-up: two batches */

enum action {
	DO_NOTHING,
	SEND_BACK,  /* a frame to the port that it came from, which sends it at once */
	FLUSH,	    /* the other port */
	TAKE_DOWN,  /* the port, as its own timer may */
	END,	    /* it is taken away */
	END_OTHER,  /* the other one is */
	HALF_CLOSE, /* no more will be sent to it */
	HOLD,
	TRY_NOW,
	ACTIONS,
};

enum moment { AFTER_RX, AFTER_MORE, BEFORE_DONE, AFTER_DONE, MOMENTS };

/* What happens when; and how often each port was asked to send a frame. */
static enum action history[MOMENTS];
static struct loop loop;
static struct fake_plan failing;
static struct fake_port *source, *other;
static struct batch batch;
static unsigned to_source, to_other, wrong;
static bool is_ended;

static void send(struct fake_port *to, const struct frame *f, unsigned *count)
{
	port_send(&to->port, f);
	*count += 1 + f->n_more;
}

static void act(enum moment when)
{
	static const uint8_t data[LEN];
	const struct frame own = { .data = data, .len = LEN };
	struct port *p = &source->port;

	switch (history[when]) {
	case SEND_BACK:
		send(source, when != AFTER_DONE && batch.n ? &batch.frame[0] : &own,
		     &to_source);
		port_flush(p);
		break;
	case FLUSH:
		port_flush(&other->port);
		break;
	case TAKE_DOWN:
		port_why(p, -EIO, "a timer's");
		port_down(p);
		break;
	case END:
		is_ended = true;
		port_end(p);
		break;
	case END_OTHER:
		port_end(&other->port);
		break;
	case HALF_CLOSE:
		port_shut(p);
		break;
	case HOLD:
		port_hold(p, true);
		break;
	case TRY_NOW:
		port_retry_now(p);
		break;
	default:
		break;
	}
}

/* Its owner does as port.h tells it to. */
static void on_readable(struct port *p, void *arg)
{
	enum moment when = AFTER_RX;

	(void)arg;
	do {
		if (port_receive(p, &batch) < 0)
			break;
		for (unsigned i = 0; i < batch.n; i++)
			send(other, &batch.frame[i], &to_other);
		act(when);
		when = AFTER_MORE;
	} while (batch.more && port_can_read(p));
	act(BEFORE_DONE);
	port_flush(&other->port);
	port_flush(p);
	port_received(p);
	act(AFTER_DONE);
}

static const struct port_host host = { on_readable, fake_heard_nothing,
				       fake_heard_nothing };
static const struct port_env env = { .loop = &loop, .host = &host };

/* None joins another one, so that it takes two batches. */
static void bring(struct fake_port *f, struct batch *b)
{
	uint8_t *at = fake_lend(f, BATCH_MAX * LEN);

	memset(at, 0xff, BATCH_MAX * LEN);
	for (; b->n < BATCH_MAX && f->peer->brings; f->peer->brings--, at += LEN)
		port_take(&f->port, b, &(struct frame){ .data = at, .len = LEN });
}

static void gone(struct fake_port *f)
{
	wrong += f->peer->opens != f->peer->closes;
}

static struct fake_port *start(const struct port_ops *ops)
{
	struct fake_port *f = fake_new(sizeof(*f), ops, &env, ops->kind);

	f->plan = &failing;
	f->bring = bring;
	f->gone = gone;
	port_start(&f->port);
	return f;
}

static void retry(struct port *p)
{
	if (!p->retry.is_set)
		return;
	timer_cancel(&loop, &p->retry);
	p->retry.fn(&p->retry);
}

static void check(const struct fake_port *f, unsigned sends)
{
	const struct port *p = &f->port;
	uint64_t known = p->count.tx_frames + ports_dropped(&p->count) + p->n_pending +
			 port_backlog(p).frames;

	wrong += known != sends;
	wrong += p->tx_broken && p->state != PORT_UP;
	wrong += f->is_open != (p->state == PORT_UP);
	wrong += f->is_read || p->is_lending || p->has_failed;
}

/* Return: whether there was a call of number @at, which failed. */
static bool play(const struct port_ops *ops, unsigned at)
{
	failing = (struct fake_plan){ .fails_at = at };
	to_source = to_other = 0;
	is_ended = false;
	source = start(ops);
	other = start(&fake_plain);
	for (unsigned round = 0; round < 2; round++) {
		source->peer->brings = source->is_open ? BURST : 0;
		port_readable(&source->port);
		check(source, to_source);
		check(other, to_other);
		wrong += is_ended && source->port.state != PORT_ENDED;
		port_hold(&source->port, false);
		retry(&source->port);
		retry(&other->port);
	}
	port_free(&source->port);
	port_free(&other->port);
	return failing.calls >= at;
}

/* In the history that is set: each call fails once. Return: how many there were. */
static unsigned play_all(const struct port_ops *ops)
{
	unsigned at = 0;

	while (play(ops, at))
		at++;
	return at;
}

static void test_every_history(const struct port_ops *ops)
{
	unsigned plays = 0, failed = (unsigned)tap.failed;

	wrong = 0;
	for (unsigned one = 0; one < MOMENTS; one++) {
		for (unsigned two = one + 1; two < MOMENTS; two++) {
			for (unsigned i = 0; i < ACTIONS * ACTIONS; i++) {
				memset(history, 0, sizeof(history));
				history[one] = i / ACTIONS;
				history[two] = i % ACTIONS;
				plays += play_all(ops);
			}
		}
	}
	ok(plays > 2000, "%s: %u histories", ops->kind, plays);
	ok((unsigned)tap.failed == failed, "%s: in none is the contract broken",
	   ops->kind);
	ok_eq_int(wrong, 0, "%s: each frame is accounted for", ops->kind);
}

static const struct port_ops kinds[] = {
	{ .kind = "dgram", .is_dgram = true, FAKE_OPS },
	{ .kind = "stream", .is_stream = true, .shut = fake_shut, FAKE_OPS },
	{ .kind = "once", .one_shot = true, .shut = fake_shut, FAKE_OPS },
	{ .kind = "accepted", .is_stream = true, .one_shot = true, FAKE_OPS },
	{ .kind = "setup", .open_error_is_fatal = true, FAKE_OPS },
};

int main(void)
{
	quiet();
	if (loop_init(&loop) < 0)
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		test_every_history(&kinds[i]);
	loop_free(&loop);
	return done();
}
