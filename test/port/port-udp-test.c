/* SPDX-License-Identifier: MIT */
/*
 * port-udp.c: where a name leads, when it leads elsewhere, and when this host loses the
 * address that it sends from. The test is the helper, and in place of the world there is
 * a network namespace; where none can be made, nothing is checked.
 */
#include <poll.h>

#include "lib/leap.h"
#include "lib/live.h"
#include "lib/netns.h"
#include "lib/tap.h"
#include "port/dgram.h"

#define LEN 60
#define LOOK_S 2   /* DGRAM_LOOK_MS */
#define SILENT_S 4 /* see port-udp.c */

/* A socket that is bound to @text:@port. */
static int peer_at(const char *text, uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, text, &addr.sin_addr);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		abort();
	return fd;
}

static void speak(void)
{
	static const uint8_t data[LEN];

	port_send(live.port, &(struct frame){ .data = data, .len = LEN });
	port_flush(live.port);
}

/* Whether a frame comes to @fd; more are sent, and looks taken, until it does. */
static bool is_heard(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint8_t data[2 * LEN];

	for (unsigned i = 0; i < 10; i++) {
		if (live.port->state == PORT_UP)
			speak();
		if (poll(&pfd, 1, 20) > 0)
			return recv(fd, data, sizeof(data), 0) == LEN;
		leap(&live.taker.loop, LOOK_S);
		turn_when_ready(&live.taker.loop, 20);
	}
	return false;
}

static void forget_heard(int fd)
{
	uint8_t data[2 * LEN];

	while (recv(fd, data, sizeof(data), 0) > 0)
		;
}

static void add_address(struct helper_answer *a, const char *text)
{
	struct endpoint_addr addr = { .family = strchr(text, ':') ? AF_INET6 : AF_INET,
				      .port = 5001 };

	snprintf(addr.host, sizeof(addr.host), "%s", text);
	if (sock_addr_parse(&addr, AF_UNSPEC, &a->resolve.addr[a->resolve.n++]) < 0)
		abort();
}

/* Answer the next request by up to two addresses. */
static bool lead_to(const char *one, const char *two)
{
	struct helper_answer answer = { .life = -1 };
	struct helper_request req;

	if (!live_asked(&req) || req.op != HELPER_RESOLVE ||
	    strcmp(req.resolve.addr.host, "peer.example") != 0)
		return false;
	answer.id = req.id;
	if (one)
		add_address(&answer, one);
	if (two)
		add_address(&answer, two);
	live_answer(&answer, -1);
	return true;
}

static bool fail_to_resolve(const char *why)
{
	struct helper_answer answer = { .life = -1, .err = -EHOSTUNREACH };
	struct helper_request req;

	if (!live_asked(&req))
		return false;
	answer.id = req.id;
	snprintf(answer.why, sizeof(answer.why), "%s", why);
	live_answer(&answer, -1);
	return true;
}

static void begin(const char *text)
{
	live_begin(NULL);
	live_own_helper(HELPER_RESOLVE);
	live_open(text);
}

static void end(void)
{
	live_close();
	live_end();
}

#define NAMED "udp:peer.example:5001,local=127.0.0.1:5002"

static void test_no_address(void)
{
	begin(NAMED);
	ok(fail_to_resolve("resolve peer.example: no"), "a name is asked for");
	ok(live_went_down("resolve peer.example: no"), "it leads nowhere");
	live_forget();
	leap(&live.taker.loop, 5);
	ok(lead_to("::1", NULL), "it is asked for again");
	ok(live_went_down("peer.example has no address of the IP version of "
			  "local=127.0.0.1"),
	   "it has none that can be sent to");
	end();
	live_begin(NULL);
	live_own_helper(HELPER_RESOLVE);
	close(live.asked);
	live.asked = -1;
	live_open(NAMED);
	ok(live_went_down("resolve: "), "nobody can be asked: %s", live.why);
	end();
}

/* Nobody is at the first, and says so: the next one is taken. */
static void test_next(void)
{
	int fd = peer_at("127.0.0.3", 5001);

	begin(NAMED);
	lead_to("127.0.0.2", "127.0.0.3");
	ok(live_is_up(), "a name with two addresses");
	ok(is_heard(fd), "nobody is at one: the other is taken");
	ok_eq_int(live.downs, 0, "all along it was up");
	end();
	close(fd);
}

/* So many seconds without a frame from there. */
static void be_silent(unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i += LOOK_S) {
		speak();
		leap(&live.taker.loop, LOOK_S);
		turn(&live.taker.loop);
	}
}

static void test_moves(void)
{
	int one = peer_at("127.0.0.2", 5001), two = peer_at("127.0.0.3", 5001);

	begin(NAMED);
	lead_to("127.0.0.2", NULL);
	ok(live_is_up() && is_heard(one), "a name with one address");
	be_silent(SILENT_S);
	ok(fail_to_resolve("no"), "it is silent: its name is asked for again");
	be_silent(SILENT_S);
	ok(lead_to("127.0.0.2", NULL), "and again");
	forget_heard(one);
	ok(is_heard(one), "as long as it leads there, that is it");
	be_silent(SILENT_S);
	ok(lead_to("127.0.0.3", NULL), "it leads elsewhere");
	ok(is_heard(two), "that is where frames go");
	ok_eq_int(live.downs, 0, "all along it was up");
	end();
	close(one);
	close(two);
}

static void test_source_is_gone(void)
{
	int fd;

	netns_address("lo:1", "10.0.0.1");
	fd = peer_at("127.0.0.2", 5001);
	begin("udp:10.0.0.1:5001,local=10.0.0.1:5002");
	ok(live_is_up(), "an address of this host");
	speak();
	netns_set_down("lo:1");
	leap(&live.taker.loop, LOOK_S);
	ok(live_went_down("10.0.0.1:5002, which it sent from, is no address of this host "
			  "any more"),
	   "that is taken away");
	live_forget();
	leap(&live.taker.loop, 1);
	ok(live_went_down("bind to 10.0.0.1:5002"), "it can't be had again: %s",
	   live.why);
	netns_address("lo:1", "10.0.0.1");
	leap(&live.taker.loop, 5);
	ok(live_is_up(), "it is back");
	end();
	netns_set_down("lo:1");
	close(fd);
}

/* One that is written as IPv6, and is IPv4. */
static void test_versions(void)
{
	begin("udp:[::ffff:127.0.0.1]:5001,local=[::1]:5002");
	ok(live_went_down("are not of one IP version"), "%s", live.why);
	ok_eq_int(live.port->state, PORT_ENDED, "is a mistake");
	end();
}

/* What allow= does not have is not sent to. */
static void test_allow(void)
{
	int fd = peer_at("127.0.0.3", 5001);

	begin(NAMED ",allow=127.0.0.3+10.0.0.0/8");
	lead_to("127.0.0.2", "127.0.0.3");
	ok(live_is_up() && is_heard(fd), "of two addresses the one that is allowed");
	end();
	begin(NAMED ",allow=10.0.0.0/8");
	lead_to("127.0.0.3", NULL);
	ok(live_went_down("allow= does not have 127.0.0.3:5001"), "none: %s", live.why);
	ok(live.port->state != PORT_ENDED, "it may have another address later");
	end();
	begin("udp:127.0.0.3:5001,local=127.0.0.1:5002,allow=10.0.0.0/8");
	ok(live_went_down("allow= does not have 127.0.0.3:5001"), "one that is given");
	ok_eq_int(live.port->state, PORT_ENDED, "is a mistake");
	end();
	close(fd);
}

int main(void)
{
	if (!netns_or_skip())
		return 0;
	live_prepare();
	test_no_address();
	test_next();
	test_moves();
	test_source_is_gone();
	test_versions();
	test_allow();
	return done();
}
