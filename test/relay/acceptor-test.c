/* SPDX-License-Identifier: MIT */
/*
 * acceptor.c: who has the one place that a listener of a cable has, when another one comes.
 * test/relay/door-test.c and callers-test.c have those with keys.
 *
 *	guest ---- cable
 *	late --'
 */
#include "relay/acceptor.h"

#include "lib/leap.h"
#include "lib/vhost-rig.h"

#define SILENT_S 15 /* until one that has said nothing loses its place */
#define BOOT_S 60   /* the same of one that has, and whose guest has not started */
#define LONG_S 3600

static const struct front_config usual = {
	.features = FRONT_PLAIN, .protocol = UINT64_MAX, .idle = rig_idle, .buffer = 2048
};

static void begin(void)
{
	if (relay_init(&rig.relay, &rig.loop, NULL, RELAY_CABLE, NULL) < 0)
		abort();
	rig_add("vhost-user-listen:s");
	relay_set_running(&rig.relay);
	turns(&rig.loop, 2);
	is_silent();
}

/* Connections so far that have had the place. */
static unsigned count(void)
{
	return rig.relay.acceptors->listener.count;
}

/* Whether the one that has the place is still the same, when so much time has passed. */
static bool stays(unsigned seconds)
{
	unsigned before = count();

	leap(&rig.loop, seconds);
	turns(&rig.loop, 5);
	return count() == before && rig_ports() == 1;
}

/* Whether the one that waits, the @nth, has the place within about two seconds. */
static bool moves(unsigned nth, const char *why)
{
	leap(&rig.loop, 2);
	rig_until(count() == nth);
	return count() == nth && rig_ports() == 1 && was_said(why);
}

static int come(void)
{
	int fd = rig_dial("s");

	turns(&rig.loop, 5);
	return fd;
}

/* Return: whether a guest is up that has connected by @fd. */
static bool starts(struct front *f, int fd)
{
	front_init(f, &usual);
	if (front_start(f, fd) < 0)
		return false;
	rig_until(rig_ups() == 1);
	return rig_ups() == 1;
}

static void test_silent(void)
{
	struct front guest;
	int silent, late;

	begin();
	silent = come();
	ok(stays(LONG_S), "a connection that says nothing has the place");
	late = come();
	ok(moves(2, "the guest has not started its network device, so a new connection"),
	   "until another one comes");
	ok(starts(&guest, late), "which is a guest");
	close(silent);
	silent = come();
	ok(stays(LONG_S) && rig_ups() == 1, "a guest keeps it, whoever comes");
	front_hang_up(&guest);
	rig_until(count() == 3);
	ok(count() == 3 && stays(SILENT_S - 2), "and goes");
	late = come();
	ok(stays(1), "whoever has just come keeps it, too");
	ok(moves(4, "so a new connection takes its place"), "for a while");
	front_free(&guest);
	close(late);
	close(silent);
	rig_until(rig_ports() == 0);
	rig_end();
}

/* As QEMU does long before its guest looks for a network device. */
static void test_boots(void)
{
	struct front guest, other;
	int late;

	begin();
	front_init(&guest, &usual);
	guest.sock = come();
	ok(front_agree(&guest) == 0, "a front end whose guest boots");
	late = come();
	ok(stays(BOOT_S - 2), "keeps the place for a minute");
	ok(moves(2, "so a new connection takes its place"), "and no longer");
	ok(starts(&other, late), "another guest has it");
	front_hang_up(&guest);
	guest.sock = come();
	ok(front_stop_ring(&other, FRONT_RX) >= 0 &&
		   front_stop_ring(&other, FRONT_TX) >= 0,
	   "which boots again");
	rig_until(!rig_ups());
	ok(!rig_ups() && stays(LONG_S), "it keeps it all the time");
	front_hang_up(&other);
	ok(front_start(&guest, guest.sock) == 0, "when it goes, the other one has it");
	front_hang_up(&guest);
	rig_until(rig_ports() == 0);
	front_free(&guest);
	front_free(&other);
	rig_end();
}

int main(void)
{
	rig_prepare();
	test_silent();
	test_boots();
	return rig_finish();
}
