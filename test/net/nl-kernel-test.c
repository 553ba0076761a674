/* SPDX-License-Identifier: MIT */
/*
 * nl.c with the kernel at the other end, in a network namespace of its own that
 * goes with the process. There is a loopback device in it, and for a while a
 * bridge. Where no namespace can be made, nothing is checked, and TAP says so.
 */
#include "net/nl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "lib/tap.h"

#define NO_INDEX 4711

/* What a watch was told */
struct heard {
	int events;
	struct nl_link last;
};

static void hear(const struct nl_link *link, void *arg)
{
	struct heard *heard = arg;

	heard->events++;
	heard->last = *link;
}

static void test_watch(void)
{
	static const uint8_t mac[6] = { 0xfe, 1, 2, 3, 4, 5 };
	struct nl_change change = { .index = 1, .master = -1, .mtu = 1300, .mac = mac };
	struct heard heard = { 0 };
	int fd = -1, size = 1;
	bool lost = false;
	struct mnl_socket *sock = nl_monitor_open(&fd);

	if (!ok(sock && fd >= 0, "watch: open"))
		return;
	ok(fcntl(fd, F_GETFL) & O_NONBLOCK, "watch: non-blocking");
	ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "watch: close-on-exec");
	ok_eq_int(nl_link_change(&change), 0, "change: MTU and MAC");
	ok_eq_int(nl_monitor_read(sock, hear, &heard), 0, "watch: nothing waits");
	ok_eq_int(heard.events, 0, "watch: nothing heard before it is asked for");

	ok_eq_int(nl_monitor_hear(sock, true), 0, "watch: hears");
	change.mtu = 1400;
	ok_eq_int(nl_link_change(&change), 0, "change: MTU");
	ok_eq_int(nl_monitor_read(sock, hear, &heard), 0, "watch: something waits");
	ok(heard.events > 0 && heard.last.mtu == 1400, "watch: heard of the MTU");
	ok_eq_str(heard.last.name, "lo", "watch: heard of it of the right link");

	for (change.mtu = 2000; change.mtu < 2200; change.mtu++)
		nl_link_change(&change);
	for (int i = 0; i < 100; i++)
		lost |= nl_monitor_read(sock, hear, &heard) != 0;
	ok(!lost, "watch: many may wait");
	ok_eq_int(heard.last.mtu, 2199, "watch: up to the last");

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0)
		abort();
	for (change.mtu = 2000; change.mtu < 2050; change.mtu++)
		nl_link_change(&change);
	heard.events = 0;
	ok_eq_int(nl_monitor_read(sock, hear, &heard), -ENOBUFS,
		  "watch: events were lost");
	ok(heard.events > 0 && heard.events < 50, "watch: the others were not");
	ok_eq_int(nl_monitor_read(sock, hear, &heard), 0, "watch: goes on");
	nl_close(sock);
}

static void test_change(void)
{
	struct nl_change change = { .index = 1, .master = -1, .up = true };
	struct nl_link lo;

	ok_eq_int(nl_link_get(NULL, "lo", &lo), 0, "get lo");
	ok(lo.index == 1 && !lo.is_up && !lo.is_bridge && !lo.is_tap && !lo.gone &&
		   !lo.master,
	   "lo is what it is");
	ok_eq_int(nl_link_change(&change), 0, "change: up");
	ok_eq_int(nl_link_get(NULL, "lo", &lo), 0, "get lo again");
	ok(lo.is_up, "lo is up");
	ok_eq_int(nl_link_get(NULL, "none", &lo), -ENODEV, "get what is not there");
	ok_eq_int(nl_link_get(NULL, "abcdefghijklmnop", &lo), -EINVAL,
		  "get by a name too long");
	ok_eq_int(nl_link_at(NULL, 1, &lo), 0, "get by its number");
	ok_eq_str(lo.name, "lo", "it is that one");
	ok_eq_int(nl_link_at(NULL, NO_INDEX, &lo), -ENODEV,
		  "get a number that is not there");
	ok_eq_int(nl_link_at(NULL, 0, &lo), -ENODEV, "get no number");
	change.index = NO_INDEX;
	ok_eq_int(nl_link_change(&change), -ENODEV, "change what is not there");
}

static void test_bridge(void)
{
	char name[] = "nltest-br";
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), watch_fd;
	struct mnl_socket *watch = nl_monitor_open(&watch_fd);
	struct heard heard = { 0 };
	struct nl_link link;

	if (!watch || nl_monitor_hear(watch, true) < 0 ||
	    ioctl(fd, SIOCBRADDBR, name) < 0) {
		printf("# left out, no bridge can be made: %s\n", strerror(errno));
	} else {
		ok_eq_int(nl_link_get(NULL, name, &link), 0, "get a bridge");
		ok(link.is_bridge && !link.is_tap, "it is a bridge");
		ioctl(fd, SIOCBRDELBR, name);
		ok_eq_int(nl_monitor_read(watch, hear, &heard), 0,
			  "watch: a bridge goes");
		ok(heard.last.gone && heard.last.index == link.index,
		   "watch: it is gone");
	}
	if (watch)
		nl_close(watch);
	close(fd);
}

/* What is left in a socket that is kept is not taken for an answer. */
static void test_kept(void)
{
	int fd;
	struct mnl_socket *sock = nl_open(), *busy = nl_monitor_open(&fd);
	struct nl_change change = { .index = 1, .master = -1, .mtu = 1500 };
	struct nl_link lo = { 0 };

	ok(sock && busy && !nl_monitor_hear(busy, true), "kept: open");
	ok_eq_int(nl_link_at(sock, NO_INDEX, &lo), -ENODEV, "kept: an error");
	ok_eq_int(nl_link_at(sock, 1, &lo), 0, "kept: then an answer");
	ok_eq_int(nl_link_get(sock, "lo", &lo), 0, "kept: and another");
	nl_link_change(&change);
	ok_eq_int(nl_link_at(busy, 1, &lo), 0, "kept: what waited there is no answer");
	ok_eq_int(lo.mtu, 1500, "kept: but this is");
	nl_close(sock);
	nl_close(busy);
}

static void test_route(void)
{
	struct in_addr self = { htonl(INADDR_LOOPBACK) }, group = { htonl(0xe6000001) };

	ok_eq_int(nl_route_link(NULL, self), 1, "the route to ourselves leads to lo");
	ok_eq_int(nl_route_link(NULL, group), -ENETUNREACH, "none to a group");
}

int main(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 && unshare(CLONE_NEWNET) < 0) {
		printf("1..0 # SKIP no network namespace: %s\n", strerror(errno));
		return 0;
	}
	test_change();
	test_route();
	test_watch();
	test_bridge();
	test_kept();
	return done();
}
