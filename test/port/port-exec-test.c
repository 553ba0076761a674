/* SPDX-License-Identifier: MIT */
/*
 * port-exec.c with the real helper and real commands: how a command ends, what is said
 * of it, and that what it has still sent is brought first.
 */

#include <poll.h>

#include "lib/leap.h"
#include "lib/live.h"
#include "lib/tap.h"

#define LEN 60
#define FRAME "printf '\\0\\0\\0\\074%060d' 0" /* LEN zeros, behind their length */
#define PROVEN_S 1			       /* see port-exec.c */
#define OVER_S 3			       /* KEEP_LIMIT_MS, and more */

static unsigned brought;

static void count_frame(const struct frame *f)
{
	brought += f->len == LEN;
}

static void begin(const char *command)
{
	char text[256];

	brought = 0;
	snprintf(text, sizeof(text), "exec:%s", command);
	live_begin(count_frame);
	live_open(text);
}

static void end(void)
{
	live_close();
	live_end();
}

static void test_ends(void)
{
	static const char *const cases[][2] = {
		{ "exit 3", "exited with status 3" },
		{ "exit 0", "exited" },
		{ "kill -9 $$", "ended by signal 9 (Killed)" },
		{ "exec >&- <&-; exec sleep 1000", "the command has closed its output" },
		{ "sleep 1000 & exit 4", "exited with status 4" },
		{ FRAME "; exit 5", "exited with status 5" },
		{ "echo this is no frame", "; to join a VDE switch, take udp:" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		begin(cases[i][0]);
		ok(live_went_down(cases[i][1]), "%s: %s", cases[i][0], cases[i][1]);
		ok_eq_int(live.port->state, PORT_WAITING, "it is started again");
		ok_eq_int(brought, strstr(cases[i][0], "printf") != NULL,
			  "it brought what it had sent");
		end();
	}
}

static void send_one(void)
{
	static const uint8_t data[LEN];

	port_send(live.port, &(struct frame){ .data = data, .len = LEN });
	port_flush(live.port);
}

/* The kernel then says that the connection was reset, or that nobody is there. */
static void test_unread(void)
{
	struct pollfd end_of;

	begin(FRAME "; head -c 1 >/dev/null; exit 7");
	ok(live_is_up(), "a command that ends without reading all");
	send_one();
	ok(live_went_down("exited with status 7") && brought == 1, "has a status: %s",
	   live.why);
	end();
	begin("head -c 1 >/dev/null; " FRAME "; exit 7");
	ok(live_is_up(), "one that ends");
	send_one();
	end_of = (struct pollfd){ .fd = live.port->rd.fd };
	ok(poll(&end_of, 1, -1) == 1 && end_of.revents & POLLHUP, "while nobody looks");
	send_one();
	ok(live.port->count.dropped[DROP_LOST] == 1 &&
		   live_went_down("exited with status 7") && brought == 1,
	   "takes no more, but what it had sent is brought: %s", live.why);
	end();
	begin("exec perl -e '$| = 1; shutdown(STDIN, 0); print pack(\"N\", 60) . \"0\" x 60; "
	      "sleep 1000'");
	live_until(brought);
	send_one();
	ok(live.port->state == PORT_UP && live.port->count.dropped[DROP_LOST] == 1,
	   "one that lives, but does not want to read");
	leap(&live.taker.loop, OVER_S);
	ok(live_went_down("the command has closed its input"), "has a reason: %s",
	   live.why);
	end();
}

static void test_proven(void)
{
	begin("exec cat");
	ok(live_is_up() && live.port->awaiting_peer, "one that has not sent anything");
	leap(&live.taker.loop, PROVEN_S);
	live_until(!live.port->awaiting_peer);
	ok(!live.port->awaiting_peer, "is taken to be well after a while");
	end();
	begin(FRAME "; exec cat");
	live_until(brought);
	ok(brought == 1 && !live.port->awaiting_peer, "one that has is at once");
	end();
}

/* Nobody takes its frame for longer than a command may take to end. */
static void test_held(void)
{
	unsigned i;

	begin(FRAME "; exit 6");
	port_hold(live.port, true);
	live_is_up();
	port_hold(live.port, true);
	for (i = 0; i < 5 && !live.downs; i++) {
		leap(&live.taker.loop, OVER_S);
		turn_for(&live.taker.loop, 50);
	}
	ok(i == 5 && !brought, "a command that has ended, and whose frame waits");
	port_hold(live.port, false);
	ok(live_went_down("exited with status 6"), "is over");
	ok_eq_int(brought, 1, "once that was taken");
	end();
}

int main(void)
{
	live_prepare();
	test_ends();
	test_unread();
	test_proven();
	test_held();
	return done();
}
