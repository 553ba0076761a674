/* SPDX-License-Identifier: MIT */
/*
 * What happens to ports, and when it is told: in the order in which it happened, when
 * the turn ends, and of nobody who is gone. Fake ports fail inside tx() while a batch is
 * being forwarded; watchers take ports away, add some, and end their own watch.
 */
#include "relay/events.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/ear.h"
#include "lib/fake-port.h"
#include "lib/members.h"
#include "lib/quiet.h"
#include "lib/random.h"
#include "lib/tap.h"
#include "lib/turn.h"
#include "relay/relay.h"

#define PORTS 6
#define ROUNDS 300
#define LEN 60
#define PIECE 16

static struct loop loop;
static struct relay relay;
static struct fake_port *fakes[PORTS];
static unsigned n_driven; /* calls of drivers that are under way */

/* ---- ports; a port's name has its number ---- */

static unsigned number_of(const struct port *p)
{
	return (unsigned)(p->name[1] - '0');
}

/* Frames for everybody. */
static void bring(struct fake_port *f, struct batch *b)
{
	n_driven++;
	memset(b->buf, 0xff, LEN);
	for (; f->peer->brings && b->n < BATCH_MAX; f->peer->brings--)
		port_take(&f->port, b, &(struct frame){ .data = b->buf, .len = LEN });
	n_driven--;
}

static void is_gone(struct fake_port *f)
{
	fakes[number_of(&f->port)] = NULL;
}

static const struct port_ops ops = { .kind = "fake", FAKE_OPS };
static const struct port_ops once = { .kind = "once", .one_shot = true, FAKE_OPS };
static const struct port_ops pipe_ops = { .kind = "pipe", .is_stdio = true, FAKE_OPS };

static struct fake_port *add(unsigned number, const struct port_ops *o, bool is_off)
{
	struct fake_port *f;
	char name[16];

	snprintf(name, sizeof(name), "p%u", number);
	f = fakes[number] = fake_new(sizeof(*f), o, &relay.env, name);
	f->peer->open_ret = is_off ? -EINPROGRESS : 0;
	f->bring = bring;
	f->gone = is_gone;
	members_add(&relay, &f->port, true);
	return f;
}

static void breaks(unsigned number)
{
	fakes[number]->peer->tx_err = -EPIPE;
}

/* A batch of @n frames for everybody comes in. */
static void come_in(struct fake_port *f, unsigned n)
{
	f->peer->brings = n;
	relay.env.host->readable(&f->port, &relay);
}

static void reopen(struct fake_port *f)
{
	timer_cancel(&loop, &f->port.retry);
	f->port.retry.fn(&f->port.retry);
}

/* ---- the relay ---- */

static void begin(enum relay_kind kind)
{
	struct switching_limits limits = { .fdb_size = 64 };

	if (loop_init(&loop) < 0 || relay_init(&relay, &loop, NULL, kind, &limits) < 0)
		exit(1);
}

static void end(void)
{
	relay_free(&relay);
	loop_free(&loop);
	ok(!relay.events.first, "nothing is left to be told");
}

/* ---- the list by itself ---- */

static void end_watch(struct ear *e, const struct news *n)
{
	(void)n;
	events_unsubscribe(&relay.events, &e->watcher);
}

static struct ear first, second, third;

static void end_all_watches(struct ear *e, const struct news *n)
{
	(void)e;
	(void)n;
	events_unsubscribe(&relay.events, &first.watcher);
	events_unsubscribe(&relay.events, &second.watcher);
	events_unsubscribe(&relay.events, &third.watcher);
}

static void note(enum relay_event event, struct fake_port *f, const char *why)
{
	events_note(&relay.events, &(struct news){ .event = event,
						   .member = member_of(&f->port),
						   .why = why });
}

static void test_list(void)
{
	char why[] = "because";
	struct fake_port *f;

	begin(RELAY_HUB);
	f = add(0, &ops, true);
	ear_listen(&third, &relay.events, NULL);
	ear_listen(&second, &relay.events, NULL);
	ear_listen(&first, &relay.events, end_watch);
	note(EVENT_DOWN, f, why);
	why[0] = 'B';
	note(EVENT_GONE, f, NULL);
	ok_eq_str(second.heard, "", "it is only noted");
	events_flush(&relay.events);
	ok_eq_str(second.heard, "down p0 because;gone p0;",
		  "told in order, as it was then");
	ok_eq_str(first.heard, "down p0 because;", "one ends its own watch");
	ok_eq_str(third.heard, second.heard, "and those behind it still hear");
	events_flush(&relay.events);
	ok_eq_int(second.n, 2, "nothing is told twice");
	end();
}

static void test_others_end(void)
{
	begin(RELAY_HUB);
	add(0, &ops, true);
	ear_listen(&third, &relay.events, NULL);
	ear_listen(&second, &relay.events, NULL);
	ear_listen(&first, &relay.events, end_all_watches);
	note(EVENT_UP, fakes[0], NULL);
	note(EVENT_UP, fakes[0], NULL);
	events_flush(&relay.events);
	ok(first.n == 1 && !second.n && !third.n && !relay.events.watchers,
	   "a watch that is ended while another one is told hears nothing more");
	end();
}

static void note_more(struct ear *e, const struct news *n)
{
	if (e->n < 3)
		events_note(&relay.events, n);
}

static void test_more(void)
{
	begin(RELAY_HUB);
	add(0, &ops, true);
	ear_listen(&first, &relay.events, note_more);
	note(EVENT_DOWN, fakes[0], "x");
	turn(&loop);
	ok_eq_str(first.heard, "down p0 x;down p0 x;down p0 x;",
		  "what happens while it is told is told, too");
	note(EVENT_UP, fakes[0], NULL);
	end();
	ok_eq_int(first.n, 3, "but not what is left at the end");
}

static void test_names(void)
{
	static const char *const names[] = { "up",	 "down",  "reconnect",
					     "gone",	 "loop",  "loop-gone",
					     "same-mac", "storm", "storm-over" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		ok_eq_str(events_name((enum relay_event)i), names[i], "%s", names[i]);
}

/* ---- ports that fail while a batch is under way ---- */

static void ok_at_the_end(struct ear *e, const struct news *n)
{
	(void)n;
	ok(!n_driven && !relay.is_forwarding && !relay.forward.dirty,
	   "told when nothing is under way: %s", e->heard);
}

static void test_in_batch(enum relay_kind kind)
{
	begin(kind);
	for (unsigned i = 0; i < 4; i++)
		add(i, i == 3 ? &once : &ops, false);
	turn(&loop);
	ear_listen(&first, &relay.events, ok_at_the_end);
	breaks(1);
	breaks(3);
	come_in(fakes[0], BATCH_MAX);
	ok(fakes[2]->port.count.tx_frames >= BATCH_MAX,
	   "two of three fail in the midst of a batch: the third one has it");
	ok_eq_str(first.heard, "", "nobody is told yet");
	ok(fakes[1]->port.state == PORT_WAITING && fakes[3]->port.state == PORT_ENDED,
	   "but whoever asks sees it");
	turn(&loop);
	ok(strstr(first.heard, "down p1 broken;") &&
		   strstr(first.heard, "gone p3 broken;"),
	   "they are when the turn ends: %s", first.heard);
	ok(first.n == 2 && !fakes[3], "and then the one that has ended is freed");
	end();
}

static void test_down_and_up(void)
{
	begin(RELAY_SWITCH);
	for (unsigned i = 0; i < 3; i++)
		add(i, &ops, false);
	turn(&loop);
	ear_listen(&first, &relay.events, NULL);
	breaks(1);
	come_in(fakes[0], 1);
	reopen(fakes[1]);
	breaks(1);
	come_in(fakes[0], 1);
	port_why(&fakes[1]->port, -EIO, "another reason");
	turn(&loop);
	ok_eq_str(first.heard, "down p1 broken;reconnect p1 after 0.0 s;down p1 broken;",
		  "down, up and down in one turn: each is told, in order");
	end();
}

/* It takes away the port that it hears of, another one, and itself. */
static void take_away(struct ear *e, const struct news *n)
{
	struct member *m = relay_find(&relay, n->member->id);

	events_unsubscribe(&relay.events, &e->watcher);
	ok(m == n->member, "who is told of a port can find it");
	relay_del(m);
	relay_del(member_of(&fakes[3 - number_of(m->port)]->port));
}

static void test_take_away(void)
{
	begin(RELAY_SWITCH);
	for (unsigned i = 0; i < 4; i++)
		add(i, &ops, false);
	turn(&loop);
	ear_listen(&second, &relay.events, NULL);
	ear_listen(&first, &relay.events, take_away);
	breaks(1);
	breaks(2);
	come_in(fakes[0], 1);
	turn(&loop);
	ok_eq_int(first.n, 1, "a watcher ends its watch");
	ok(!fakes[1] && !fakes[2] && fakes[0] && fakes[3],
	   "and takes away two ports, of one of which it has not heard yet");
	ok(strstr(second.heard, "down p1 broken;") &&
		   strstr(second.heard, "down p2 broken;") &&
		   strstr(second.heard, "gone p1 taken away;") &&
		   strstr(second.heard, "gone p2 taken away;") && second.n == 4,
	   "the others hear all: %s", second.heard);
	end();
}

/* ---- what follows from a change, for those who are held ---- */

/* A pipe's frames need somebody to take them. */
static void test_pipe(enum relay_kind kind)
{
	begin(kind);
	add(0, &pipe_ops, false);
	ok(fakes[0]->port.is_held, "alone, a pipe is held");
	add(1, &ops, false);
	ok(!fakes[0]->port.is_held, "with another one it is not");
	breaks(1);
	come_in(fakes[0], 3);
	ok(fakes[0]->port.is_held,
	   "that one fails: held as soon as the batch is over, not when the turn is");
	ok_eq_int(fakes[0]->port.count.dropped[DROP_NO_PORT], 0, "nothing else is read");
	end();
}

/* One that is up, maybe to no use, and then turns out to be of use. */
static void test_proven(void)
{
	begin(RELAY_HUB);
	add(0, &pipe_ops, false);
	add(1, &ops, true);
	turn(&loop);
	fakes[1]->port.awaiting_peer = true;
	fake_opened(fakes[1], 0);
	ear_listen(&first, &relay.events, NULL);
	port_proven(&fakes[1]->port);
	ok(!fakes[0]->port.is_held && relay.forward.members.n_up == 2,
	   "it counts as up once");
	fakes[1]->peer->open_ret = -ECONNREFUSED;
	port_why(&fakes[1]->port, -EPIPE, "broken");
	port_down(&fakes[1]->port);
	ok(fakes[0]->port.is_held && relay.forward.members.n_up == 1,
	   "and not when it is down again");
	events_flush(&relay.events);
	ok_eq_str(first.heard, "up p1;down p1 broken;", "that is told");
	end();
}

/* ---- any of it, by chance ---- */

/* What has been told of the ports, by number; a new port of a number is another one. */
static struct {
	bool is_there, is_up;
} told[PORTS];
static unsigned n_wrong, n_told;

static void expect(bool good)
{
	n_wrong += !good;
}

static void keep_account(struct ear *e, const struct news *n)
{
	unsigned i = number_of(n->member->port);

	e->heard[0] = '\0';
	n_told++;
	expect(!n_driven && !relay.is_forwarding);
	expect(fakes[i] && &fakes[i]->port == n->member->port);
	switch (n->event) {
	case EVENT_UP:
	case EVENT_RECONNECT:
		expect(!told[i].is_up);
		told[i].is_up = true;
		break;
	case EVENT_DOWN:
		expect(told[i].is_up);
		told[i].is_up = false;
		break;
	case EVENT_GONE:
		told[i].is_up = false;
		break;
	default:
		break;
	}
	if (rnd(PIECE) == 0 && n->event != EVENT_GONE &&
	    fakes[i]->port.state != PORT_ENDED)
		relay_del(member_of(&fakes[i]->port));
}

static void do_something(void)
{
	struct fake_port *f = fakes[rnd(PORTS)];

	if (!f || f->port.state == PORT_ENDED)
		return;
	switch (rnd(6)) {
	case 0:
		f->peer->open_ret = rnd(2) ? 0 : -ECONNREFUSED;
		f->peer->tx_err = rnd(2) ? 0 : -EPIPE;
		f->peer->rx_err = rnd(4) ? 0 : -EPIPE;
		break;
	case 1:
		if (f->port.state == PORT_WAITING)
			reopen(f);
		break;
	case 2:
		if (rnd(4) == 0)
			relay_del(member_of(&f->port));
		break;
	default:
		if (f->port.state == PORT_UP)
			come_in(f, rnd(200));
	}
}

static void a_turn(void)
{
	for (unsigned i = 0; i < PORTS; i++)
		if (!fakes[i])
			add(i, rnd(2) ? &ops : &once, false);
	for (unsigned n = rnd(8); n; n--)
		do_something();
	turn(&loop);
	for (unsigned i = 0; i < PORTS; i++)
		expect(told[i].is_up == (fakes[i] && fakes[i]->port.state == PORT_UP));
}

static void test_by_chance(enum relay_kind kind)
{
	random_begin(kind);
	begin(kind);
	memset(told, 0, sizeof(told));
	n_wrong = n_told = 0;
	ear_listen(&first, &relay.events, keep_account);
	for (unsigned i = 0; i < ROUNDS; i++)
		a_turn();
	ok(n_told > ROUNDS / 2, "%u events", n_told);
	ok_eq_int(n_wrong, 0,
		  "told in turn, of ports that are there; at the end, what is so");
	end();
}

int main(void)
{
	quiet();
	test_list();
	test_others_end();
	test_more();
	test_names();
	test_in_batch(RELAY_SWITCH);
	test_in_batch(RELAY_HUB);
	test_down_and_up();
	test_take_away();
	test_pipe(RELAY_HUB);
	test_pipe(RELAY_CABLE);
	test_proven();
	test_by_chance(RELAY_SWITCH);
	test_by_chance(RELAY_HUB);
	return done();
}
