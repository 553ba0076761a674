/* SPDX-License-Identifier: MIT */
/*
 * port-tap.c and the kernel: what others do to a tap and to its bridge, what the port
 * says of it, and how it comes back. In a network namespace of its own, with the real
 * helper; where none can be made, nothing is checked.
 */
#include <sched.h>

#include <linux/if_tun.h>

#include "base/log.h"
#include "lib/leap.h"
#include "lib/live.h"
#include "lib/netns.h"
#include "lib/tap.h"
#include "lib/without.h"
#include "port/tap-io.h"

#define REMADE_S 5 /* see port-tap.c */

static const struct tap *its(void)
{
	return container_of(live.port, struct tap, port);
}

static struct nl_link link_of(const char *name)
{
	struct nl_link link = { 0 };

	nl_link_get(NULL, name, &link);
	return link;
}

static void change(const char *name, struct nl_change c)
{
	c.index = link_of(name).index;
	if (nl_link_change(&c) < 0)
		abort();
}

static void put_on(const char *name, const char *bridge)
{
	change(name, (struct nl_change){ .master = bridge ? link_of(bridge).index : 0 });
}

static void begin(const char *text)
{
	live_begin(NULL);
	live_open(text);
}

static void end(void)
{
	live_close();
	live_end();
	ok_eq_int(link_of("t0").index, 0, "a tap that it made goes with it");
}

static bool is_in_place(void)
{
	bool is_up = live_is_up();
	struct nl_link link = link_of("t0");

	return is_up && link.is_up && link.master == link_of("br0").index &&
	       link.index == its()->link.index;
}

/* It is up, and its first look at itself is over: from now on one follows news soon. */
static void settle(void)
{
	live_is_up();
	leap(&live.taker.loop, 1);
	turn(&live.taker.loop);
}

static void test_astray(void)
{
	int index;

	begin("bridge:br0,tap=t0");
	ok(is_in_place(), "a tap on a bridge");
	settle();
	index = its()->link.index;
	netns_set_down("t0");
	ok(live_went_down("tap t0 was set down by someone else"), "it is set down");
	ok(is_in_place(), "and is up again");
	live_forget();
	put_on("t0", NULL);
	ok(live_went_down("tap t0 was taken off bridge br0 by someone else"),
	   "it is taken off its bridge");
	ok(is_in_place(), "and is put back");
	ok_eq_int(its()->link.index, index, "it is the same one all along");
	end();
}

static void test_moved(void)
{
	begin("bridge:br0,tap=t0");
	settle();
	put_on("t0", "other0");
	ok(live_went_down(
		   "tap t0 was moved to other0 by someone else, and is left there"),
	   "it is put on another bridge");
	leap(&live.taker.loop, 10);
	live_until(live.downs == 2);
	ok(link_of("t0").master == link_of("other0").index,
	   "and is left there, also by the next try");
	put_on("t0", "br0");
	ok(is_in_place(), "somebody puts it back");
	end();
}

static void test_renamed(void)
{
	begin("bridge:br0,tap=t0");
	settle();
	netns_set_down("t0");
	ok_eq_int(netns_rename("t0", "t1"), 0, "it is called otherwise");
	ok(live_went_down("was set down") && live_is_up(), "it is up again");
	ok_eq_str(its()->link.name, "t1", "its name is known");
	ok(link_of("t1").is_up, "so it is told of by that");
	end();
}

static void test_bridge_down(void)
{
	int index;

	netns_set_down("br0");
	begin("bridge:br0,tap=t0");
	ok(live_went_down("bridge br0 is down; set it up: ip link set br0 up"),
	   "a bridge that is down at first");
	index = its()->link.index;
	ok(live.port->state == PORT_WAITING && index, "is waited for with the tap kept");
	netns_set_up("br0");
	ok(is_in_place(), "it is set up");
	live_forget();
	netns_set_down("br0");
	ok(live_went_down("bridge br0 is down"), "and down");
	netns_set_up("br0");
	ok(is_in_place() && its()->link.index == index, "and up: the tap is the same");
	end();
}

static void test_bridge_deleted(void)
{
	begin("bridge:br0,tap=t0");
	settle();
	netns_bridge_del("br0");
	ok(live_went_down("bridge br0 was deleted"), "a bridge that is deleted");
	live_forget();
	ok(live_went_down("bridge br0 does not exist"), "is looked for");
	netns_bridge("br0");
	ok(is_in_place(), "and found when it is made again");
	end();
}

static void test_mtu(void)
{
	begin("bridge:br0,tap=t0");
	settle();
	change("br0", (struct nl_change){ .master = -1, .mtu = 2000 });
	live_until(link_of("t0").mtu == 2000);
	live_until(!its()->call.is_waiting);
	ok(link_of("t0").mtu == 2000 && its()->link.mtu == 2000,
	   "a bridge's MTU grows, and its tap's");
	/* The largest that a bridge may have is too much for a tap. */
	change("br0", (struct nl_change){ .master = -1, .mtu = 65535 });
	live_until(its()->link.bridge_mtu == 65535 && !its()->call.is_waiting);
	ok(its()->link.mtu == 2000 && link_of("t0").mtu == 2000 && !live.downs,
	   "beyond what a tap can have it stays as it was, and up");
	end();
	netns_bridge_del("br0");
	netns_bridge("br0");
	begin("bridge:br0,tap=t0,mtu=1400");
	settle();
	change("br0", (struct nl_change){ .master = -1, .mtu = 3000 });
	live_until(its()->link.bridge_mtu == 3000);
	ok(its()->link.bridge_mtu == 3000 && link_of("t0").mtu == 1400,
	   "one that was asked for stays");
	end();
	netns_bridge_del("br0");
	netns_bridge("br0");
}

static void test_deleted(void)
{
	int index;

	begin("bridge:br0,tap=t0");
	settle();
	index = its()->link.index;
	netns_link_del("t0");
	ok(live_went_down("t0"), "the tap is deleted: %s", live.why);
	ok(is_in_place() && its()->link.index != index, "and another one made");
	end();
}

/* Somebody else's, so he may be about to make it again. */
static void test_remade(void)
{
	struct ifreq ifr = { .ifr_name = "t0", .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (ioctl(fd, TUNSETIFF, &ifr) < 0 || ioctl(fd, TUNSETPERSIST, 1) < 0)
		abort();
	close(fd);
	begin("tap:t0");
	ok(live_is_up() && its()->link.existed, "a tap that somebody made");
	netns_link_del("t0");
	live_until(live.downs >= 2);
	ok(strstr(live.why, "tap t0: was deleted") && !link_of("t0").index,
	   "is not made again at once");
	leap(&live.taker.loop, REMADE_S);
	ok(live_is_up() && !its()->link.existed, "but after a while");
	end();
}

static void test_moved_away(void)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there;

	unshare(CLONE_NEWNET);
	there = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	setns(here, CLONE_NEWNET);
	begin("tap:t0");
	settle();
	netns_link_move("t0", there);
	ok(live_went_down("tap t0 was moved to another network namespace"),
	   "it is moved away");
	ok(live_is_up() && link_of("t0").is_up, "and another one made");
	end();
	close(here);
	close(there);
}

static bool is_running(void)
{
	struct ifreq ifr = { .ifr_name = "t0" };

	return netns_ioctl(SIOCGIFFLAGS, &ifr) == 0 && (ifr.ifr_flags & IFF_RUNNING);
}

static void test_carrier(void)
{
	bool has_carrier = !is_without("carrier");

	begin("tap:t0");
	settle();
	live.port->ops->carrier(live.port, false);
	live_until(!has_carrier || !is_running());
	ok(its()->is_dark == has_carrier && is_running() != has_carrier,
	   "no carrier, if the kernel can take it away");
	live.port->ops->carrier(live.port, true);
	live_until(is_running());
	ok(!its()->is_dark && is_running(), "and again");
	end();
}

/* A helper that can't put a tap back: another one is made, when that is possible. */
static void test_not_put_back(void)
{
	struct helper_request req;
	struct helper_answer answer = { .life = -1 };
	char why[256];

	live_begin(NULL);
	live_own_helper(HELPER_ATTACH);
	live_open("bridge:br0,tap=t0");
	ok(live_asked(&req) && req.op == HELPER_ATTACH && !req.attach.index, "a tap");
	answer.id = req.id;
	if (tap_attach(&req.attach, &answer.attach, why, sizeof(why)) < 0)
		abort();
	live_answer(&answer, answer.attach.fd);
	close(answer.attach.fd);
	ok(live_is_up(), "is given");
	netns_set_down("t0");
	ok(live_asked(&req) && req.attach.index == its()->link.index, "it is astray");
	answer = (struct helper_answer){ .id = req.id, .life = -1, .err = -EPERM };
	snprintf(answer.why, sizeof(answer.why), "no right to");
	live_forget();
	live_answer(&answer, -1);
	ok(live_went_down("no right to"), "it can't be put back");
	ok(its()->link.fd < 0 && !link_of("t0").index, "so it is let go");
	ok(live_asked(&req) && !req.attach.index, "and another one asked for");
	end();
}

int main(void)
{
	if (!netns_or_skip())
		return 0;
	live_prepare();
	log_verbosity(1);
	if (!netns_bridge("br0") || !netns_bridge("other0"))
		return 1;
	test_astray();
	test_moved();
	test_renamed();
	test_bridge_down();
	test_bridge_deleted();
	test_mtu();
	test_deleted();
	test_remade();
	test_moved_away();
	test_carrier();
	test_not_put_back();
	return done();
}
