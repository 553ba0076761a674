/* SPDX-License-Identifier: MIT */
/*
 * switching.c in a relay: what those who watch it hear, what becomes of the
 * table meanwhile, and whom a cable tells that the other end is there. Ports
 * are made here, and two of them may be the ends of one cable; the clock is that
 * of clock.h.
 */
#include "relay/relay.h"

#include <stdlib.h>

#include "lib/clock.h"
#include "lib/ear.h"
#include "lib/fake-port.h"
#include "lib/members.h"
#include "lib/quiet.h"
#include "lib/tap.h"

#define PORTS 4
#define FRAME_BYTES 60
#define RX_MAX 64

struct fake {
	struct fake_port fake;
	struct fake *peer; /* at the other end of a cable; NULL: nobody is */
};

static struct loop loop;
static struct relay relay;
static struct fake *fakes[PORTS];

/* ---- ports ---- */

/* What its peer has no room for is lost. */
static void fake_sent(struct fake_port *p, const struct frame *f)
{
	struct fake *peer = container_of(p, struct fake, fake)->peer;

	if (peer && peer->fake.peer->brings < RX_MAX)
		fake_give(&peer->fake, f->data, FRAME_BYTES);
}

static void fake_gone(struct fake_port *p)
{
	for (int i = 0; i < PORTS; i++)
		if (fakes[i] == container_of(p, struct fake, fake))
			fakes[i] = NULL;
}

static const struct port_ops plain_ops = { .kind = "plain", FAKE_OPS };
static const struct port_ops tap_ops = { .kind = "tap",
					 .carrier = fake_carrier,
					 FAKE_OPS };

static struct fake *add(unsigned i, const struct port_ops *ops, bool is_off)
{
	struct fake *f;
	char name[24];

	snprintf(name, sizeof(name), "port %u", i);
	f = fakes[i] = fake_new(sizeof(*f), ops, &relay.env, name);
	f->fake.sent = fake_sent;
	f->fake.gone = fake_gone;
	f->fake.peer->open_ret = is_off ? -EINPROGRESS : 0;
	members_add(&relay, &f->fake.port, false);
	return f;
}

static void go_down(struct fake *f)
{
	f->fake.peer->open_ret = -EINPROGRESS;
	port_why(&f->fake.port, -EPIPE, "broken");
	port_down(&f->fake.port);
}

/* ---- who watches ---- */

static struct ear ear, other_ear;

static void ok_heard(const char *want, const char *what)
{
	events_flush(&relay.events);
	ok_eq_str(ear.heard, want, "%s", what);
	ear.heard[0] = '\0';
}

static void forget(void)
{
	events_flush(&relay.events);
	ear.heard[0] = '\0';
}

/* ---- the relay ---- */

static void begin(enum relay_kind kind, uint32_t storm_limit)
{
	struct switching_limits limits = { .fdb_size = 64, .storm_limit = storm_limit };

	if (relay_init(&relay, &loop, NULL, kind, &limits) < 0)
		exit(1);
	ear_listen(&ear, &relay.events, NULL);
}

static void end(void)
{
	relay_free(&relay);
	ok(!loop.first, "no timer is left");
}

/* Until nothing is under way. */
static void settle(void)
{
	for (int i = 0; i < 100; i++)
		for (int k = 0; k < PORTS; k++)
			if (fakes[k] && fakes[k]->fake.peer->brings)
				relay.env.host->readable(&fakes[k]->fake.port, &relay);
	events_flush(&relay.events);
}

static void pass_ms(unsigned ms)
{
	for (uint64_t until = clock_ms() + ms; clock_ms() < until; clock_pass_ms(10)) {
		clock_run_timers(&loop);
		settle();
	}
}

/* From address 2:..:@from to 2:..:@to, or (0) to all. */
static void come_in(unsigned i, unsigned to, unsigned from)
{
	uint8_t at[FRAME_BYTES] = { 0 };

	memset(at, to ? 0 : 0xff, 6);
	at[0] = to ? 2 : 0xff;
	at[5] = (uint8_t)to;
	at[6] = 2;
	at[11] = (uint8_t)from;
	fake_give(&fakes[i]->fake, at, FRAME_BYTES);
	settle();
}

static uint64_t sent(unsigned i)
{
	return fakes[i]->fake.port.count.tx_frames;
}

/* ---- tests ---- */

static void test_ports(void)
{
	begin(RELAY_SWITCH, 0);
	ear_listen(&other_ear, &relay.events, NULL);
	add(0, &plain_ops, false);
	ok_heard("up port 0;", "a port that comes up is told of");
	add(1, &plain_ops, true);
	ok_heard("", "one that does not is not");
	go_down(fakes[0]);
	ok_heard("down port 0 broken;", "one that goes down is, and why");
	events_unsubscribe(&relay.events, &ear.watcher);
	fake_opened(&fakes[1]->fake, 0);
	ok_heard("", "who looks away hears no more");
	ok_eq_str(other_ear.heard, "up port 0;down port 0 broken;up port 1;",
		  "and others do");
	events_unsubscribe(&relay.events, &ear.watcher);
	end();
}

static bool is_known(uint8_t address)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, address };

	return fdb_lookup(&relay.switching.fdb, fdb_key_of(0, mac), clock_s());
}

static void test_loop(void)
{
	begin(RELAY_SWITCH, 0);
	for (unsigned i = 0; i < 4; i++)
		add(i, &plain_ops, false);
	forget();
	come_in(3, 0, 9);
	come_in(1, 0, 7);
	ok_eq_int(relay.switching.fdb.n, 2, "addresses are learnt");
	fakes[1]->peer = fakes[2];
	fakes[2]->peer = fakes[1];
	pass_ms(1500);
	come_in(0, 0, 8);
	ok_heard("loop port 2 port 1;", "a loop is told of, and both its ends");
	ok(!is_known(7) && !is_known(9), "what was learnt before is not relied on");
	pass_ms(10000);
	ok_heard("", "and that is all, for as long as it lasts");
	fakes[1]->peer = fakes[2]->peer = NULL;
	pass_ms(1800);
	ok_heard("", "it may only be pausing");
	pass_ms(2500);
	ok_heard("loop-gone port 2 port 1;", "but when it is gone, that is told, too");
	fakes[1]->peer = fakes[2];
	fakes[2]->peer = fakes[1];
	come_in(0, 0, 8);
	ok_heard("loop port 2 port 1;", "it is back");
	go_down(fakes[1]);
	ok_heard("loop-gone port 2 port 1;down port 1 broken;",
		 "one end goes: it is gone at once");
	port_opened(&fakes[1]->fake.port,
		    fakes[1]->fake.port.state == PORT_OPENING ? 0 : -EINPROGRESS);
	end();
}

/* Two machines with one address. */
static void test_same_mac(unsigned every_ms)
{
	unsigned turns = 0;

	begin(RELAY_SWITCH, 0);
	for (unsigned i = 0; i < 3; i++)
		add(i, &plain_ops, false);
	forget();
	for (; turns < 500 && !ear.heard[0]; turns++) {
		come_in(turns % 2, 0, 9);
		pass_ms(every_ms);
	}
	ok(!strncmp(ear.heard, "same-mac port ", 14) &&
		   strstr(ear.heard, "02:00:00:00:00:09, also at port "),
	   "an address at two ports, each %u ms: told of, after %u turns", every_ms,
	   turns);
	forget();
	for (unsigned i = 0; i < 100; i++) {
		come_in(i % 2, 0, 9);
		pass_ms(every_ms);
	}
	ok_heard("", "and that is all");
	ok(!member_of(&fakes[0]->fake.port)->is_blocked &&
		   !member_of(&fakes[1]->fake.port)->is_blocked,
	   "nobody is blocked");
	for (unsigned i = 0; i < 40; i++) {
		come_in(i % 2, 0, 7);
		come_in(i % 2, 0, 8);
		pass_ms(1000);
	}
	ok(strstr(ear.heard, "00:07,") && strstr(ear.heard, "00:08,"),
	   "others are told of, by and by");
	end();
}

/* A machine that is moved, and one whose moves were a loop's. */
static void test_moved(void)
{
	begin(RELAY_SWITCH, 0);
	for (unsigned i = 0; i < 3; i++)
		add(i, &plain_ops, false);
	forget();
	for (unsigned i = 0; i < 10; i++) {
		come_in(i % 2, 0, 9);
		pass_ms(61000);
	}
	for (unsigned i = 0; i < 301; i++)
		come_in(i % 2, 0, 9);
	pass_ms(2000);
	come_in(1, 0, 9);
	ok_heard("", "one that moves now and then, or all at once, is not told of");
	end();
}

/* What goes out at one port comes back there. */
static void test_echo(void)
{
	begin(RELAY_SWITCH, 0);
	for (unsigned i = 0; i < 4; i++)
		add(i, &plain_ops, false);
	come_in(3, 0, 9);
	fakes[1]->peer = fakes[1];
	forget();
	for (unsigned i = 0; i < 4; i++) {
		come_in(0, 0, 8);
		pass_ms(1000);
	}
	ok_heard("loop port 1 port 1;", "a port that gives back what it gets is told of");
	ok(is_known(9), "and what is known of others stays so");
	pass_ms(1000);
	fakes[1]->peer = NULL;
	pass_ms(5000);
	ok_heard("loop-gone port 1 port 1;", "its end is told, too");
	end();
}

static void test_end_with_loop(void)
{
	begin(RELAY_SWITCH, 0);
	for (unsigned i = 0; i < 3; i++)
		add(i, &plain_ops, false);
	fakes[0]->peer = fakes[1];
	fakes[1]->peer = fakes[0];
	come_in(2, 0, 9);
	forget();
	end();
	ok_heard("", "at the end, no loop is said to be gone");
}

static void test_storm(void)
{
	begin(RELAY_SWITCH, 5);
	for (unsigned i = 0; i < 3; i++)
		add(i, &plain_ops, false);
	forget();
	for (int i = 0; i < 9; i++)
		come_in(0, 0, 1);
	ok_heard("storm port 0;", "a storm is told of, once");
	ok_eq_int(fakes[0]->fake.port.count.dropped[DROP_STORM], 4,
		  "and what was too much is dropped");
	pass_ms(2000);
	ok_heard("", "it may go on");
	pass_ms(2000);
	ok_heard("storm-over port 0;", "and is over");
	for (int i = 0; i < 9; i++)
		come_in(1, 0, 1);
	ok_heard("storm port 1;", "another one");
	end();
}

static void test_ages(void)
{
	begin(RELAY_SWITCH, 0);
	for (unsigned i = 0; i < 3; i++)
		add(i, &plain_ops, false);
	come_in(0, 0, 1);
	pass_ms(290000);
	come_in(1, 1, 2);
	ok(relay.switching.fdb.n == 2 && sent(2) == 2, "an address is known for 300 s");
	pass_ms(45000);
	ok_eq_int(relay.switching.fdb.n, 1, "and out of the table soon after");
	go_down(fakes[1]);
	ok_eq_int(relay.switching.fdb.n, 0, "a port that goes down takes its own along");
	end();
}

static void test_carrier(void)
{
	begin(RELAY_CABLE, 0);
	add(0, &tap_ops, false);
	ok_eq_str(fakes[0]->fake.peer->carrier, "-",
		  "a tap in a cable, alone: no carrier");
	add(1, &plain_ops, true);
	ok_eq_str(fakes[0]->fake.peer->carrier, "-", "nor while the other end is not up");
	fakes[1]->fake.peer->open_ret = 0;
	fake_opened(&fakes[1]->fake, 0);
	ok_eq_str(fakes[0]->fake.peer->carrier, "-+", "when it is, there is");
	go_down(fakes[1]);
	ok_eq_str(fakes[0]->fake.peer->carrier, "-+-", "it goes: the carrier goes too");
	fakes[1]->fake.peer->open_ret = 0;
	port_retry_now(&fakes[1]->fake.port);
	pass_ms(20);
	ok_eq_str(fakes[0]->fake.peer->carrier, "-+-+", "and returns with it");
	end();
	begin(RELAY_SWITCH, 0);
	add(0, &tap_ops, false);
	add(1, &plain_ops, false);
	go_down(fakes[1]);
	ok_eq_str(fakes[0]->fake.peer->carrier, "",
		  "in a switch others may come, and nothing is told");
	end();
}

int main(void)
{
	quiet();
	if (loop_init(&loop) < 0)
		return 1;
	test_ports();
	test_loop();
	test_echo();
	test_same_mac(40);
	test_same_mac(1000);
	test_same_mac(15000);
	test_moved();
	test_end_with_loop();
	test_storm();
	test_ages();
	test_carrier();
	loop_free(&loop);
	return done();
}
