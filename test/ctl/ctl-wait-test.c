/* SPDX-License-Identifier: MIT */
/*
 * The control socket where an answer waits for a port that is being opened, and where
 * captures, memory and rights have an end. The test is the helper.
 */
#include "ctl/ctl.h"

#include <sys/stat.h>

#include "client/ctl-client.h"
#include "lib/fault.h"
#include "lib/leap.h"
#include "lib/live.h"
#include "lib/tap.h"

#define AWAIT_S 5 /* see ctl.c */

static char dir[] = "/tmp/ctl-wait-test.XXXXXX", path[64], why[512];
static struct relay relay;
static struct ctl ctl;

static const struct endpoint *socket_at(struct endpoint *ep, const char *where)
{
	if (endpoint_parse_option(ep, "--ctl", where, why, sizeof(why)) < 0)
		abort();
	return ep;
}

static void begin(void)
{
	static const struct switching_limits limits = { 100, 1000 };
	static struct endpoint ep;

	live_begin(NULL);
	live_own_helper(HELPER_RESOLVE);
	memset(&ctl, 0, sizeof(ctl));
	if (relay_init(&relay, &live.taker.loop, live.helpers, RELAY_HUB, &limits) < 0 ||
	    ctl_start(&ctl, &relay, socket_at(&ep, path), why, sizeof(why)) < 0)
		abort();
	relay_set_running(&relay);
}

static void end(void)
{
	ctl_stop(&ctl);
	relay_free(&relay);
	live_end();
}

/* A client that has sent @line. */
static int say(const char *line)
{
	int fd = ctl_connect(path, why, sizeof(why));

	if (fd < 0 || send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		abort();
	return fd;
}

/* What comes before the end of the connection, which must come; or the first line. */
static const char *hear(int fd, bool whole)
{
	static char answer[4096];
	size_t got = 0;
	ssize_t n = -1;

	answer[0] = '\0';
	live_until((n = recv(fd, answer + got, sizeof(answer) - 1 - got, 0)) == 0 ||
		   (n < 0 && errno != EAGAIN) || (n > 0 && (got += (size_t)n, !whole)));
	if (whole && n > 0)
		return "(it goes on)";
	answer[got] = '\0';
	return answer;
}

static void hears(int fd, const char *want, const char *what)
{
	ok_eq_str(hear(fd, true), want, "%s", what);
	close(fd);
}

#define ADD "add udp:peer.example:5001,local=127.0.0.1:5002\n"

static void answer_by(int err, const char *text)
{
	struct helper_answer answer = { .life = -1, .err = err };
	const struct endpoint_addr addr = { .host = "127.0.0.1",
					    .port = 5001,
					    .family = AF_INET };
	struct helper_request req;

	if (!live_asked(&req))
		abort();
	answer.id = req.id;
	snprintf(answer.why, sizeof(answer.why), "%s", text);
	answer.resolve.n = 1;
	sock_addr_parse(&addr, AF_UNSPEC, &answer.resolve.addr[0]);
	live_answer(&answer, -1);
}

static bool waits(int fd)
{
	char byte;

	live_until(ctl.clients && live_calls());
	turn(&live.taker.loop);
	return recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN;
}

static void test_await(void)
{
	int fd;

	begin();
	fd = say(ADD);
	ok(waits(fd), "an answer waits for the port to be open");
	answer_by(0, "");
	hears(fd, "ok\nport 1\n", "it is");
	fd = say("del 1\n");
	hears(fd, "ok\n", "it is taken away");
	fd = say(ADD);
	waits(fd);
	answer_by(-EHOSTUNREACH, "no such name");
	hears(fd, "ok\nport 2\n", "one that will be tried again");
	fd = say("del 2\n");
	hears(fd, "ok\n", "it is taken away");
	fd = say(ADD);
	waits(fd);
	leap(&live.taker.loop, AWAIT_S);
	hears(fd, "ok\nport 3\n", "one that takes long");
	end();
}

/* An address that this host does not have. */
static void test_mistake(void)
{
	int fd;

	begin();
	fd = say("add udp:peer.example:5001,local=192.0.2.1:5002\n");
	waits(fd);
	answer_by(0, "");
	ok(strstr(hear(fd, true), "error: udp:peer.example:5001,local=192.0.2.1:5002: "
				  "bind to 192.0.2.1:5002: "),
	   "a mistake");
	close(fd);
	ok_eq_int(relay.forward.members.n, 0, "is no port");
	end();
}

static void test_gone(void)
{
	int fd;

	begin();
	fd = say(ADD);
	waits(fd);
	close(fd);
	live_until(!ctl.clients);
	ok(!ctl.clients && relay.forward.members.n == 1, "a client may go meanwhile");
	fd = say("del 1\n");
	hears(fd, "ok\n", "its port is there");
	fd = say(ADD);
	waits(fd);
	hears(say("del 2\n"), "ok\n", "a port may go meanwhile");
	ok(strncmp(hear(fd, true), "ok\nport", 7) != 0, "which is not called open");
	close(fd);
	fd = say(ADD);
	waits(fd);
	end();
	ok(true, "the relay may end meanwhile");
	close(fd);
}

static void test_captures(void)
{
	int fd[CTL_CAPTURES_MAX];

	begin();
	hears(say("capture port=99\n"), "error: there is no such port; see: status\n",
	      "a capture of no port");
	for (unsigned i = 0; i < CTL_CAPTURES_MAX; i++) {
		fd[i] = say("capture\n");
		ok(!strncmp(hear(fd[i], false), "ok\n", 3), "capture %u", i);
	}
	hears(say("capture\n"),
	      "error: no more captures may run at the same time; end one of them\n",
	      "one too many");
	close(fd[0]);
	close(fd[1]);
	live_until(ctl.captures.n == CTL_CAPTURES_MAX - 2);
	ok_eq_int(ctl.captures.n, CTL_CAPTURES_MAX - 2, "some end");
	end();
	ok_eq_int(ctl.captures.n, 0, "the others end with the relay");
	for (unsigned i = 2; i < CTL_CAPTURES_MAX; i++)
		close(fd[i]);
}

static void test_faults(void)
{
	unsigned before;
	int fd;

	begin();
	before = fault_open_fds();
	fd = ctl_connect(path, why, sizeof(why));
	/* The first one is that of turn(). */
	fault_arm(FAULT_epoll_ctl, 2, ENOMEM);
	turn(&live.taker.loop);
	ok(fault_disarm(), "no memory to watch a client");
	hears(fd, "error: no memory for one more client\n", "it is told");
	fd = say("status\n");
	fault_arm(FAULT_send, 1, EPIPE);
	live_until(fault.is_hit);
	fault_disarm();
	hears(fd, "", "one that can't be written to is closed");
	ok_eq_int(fault_open_fds(), before, "no descriptor is left");
	end();
}

static void test_no_socket(void)
{
	struct endpoint ep;
	struct ctl none = { 0 };
	struct loop *l = &live.taker.loop;

	begin();
	ok(ctl_start(&none, &relay, socket_at(&ep, "/none/ctl"), why, sizeof(why)) < 0,
	   "a socket that can't be made: %s", why);
	ctl_stop(&none);
	ok(!none.listener.n && l->epfd >= 0, "is not listened to");
	end();
}

/* Who asks is nobody that this namespace knows: the socket's mode has let it in. */
static void test_unknown(void)
{
	struct ctl_allow allow = { .has_unknown = true, .unknown = geteuid() };
	int pair[2];

	begin();
	sockets_pair(SOCK_STREAM, pair);
	ok(ctl_allows(&allow, &ctl.listener.made, pair[0]), "as the socket was made");
	chmod(path, 0777);
	ok(!ctl_allows(&allow, &ctl.listener.made, pair[0]), "others may use it, too");
	chmod(path, CTL_MODE);
	unlink(path);
	ok(!ctl_allows(&allow, &ctl.listener.made, pair[0]), "it is gone");
	allow.has_unknown = false;
	ok(ctl_allows(&allow, &ctl.listener.made, pair[0]), "we ourselves may");
	ok(!ctl_allows(&allow, &ctl.listener.made, STDERR_FILENO), "who is no client");
	close(pair[0]);
	close(pair[1]);
	end();
}

int main(void)
{
	live_prepare();
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/ctl", dir);
	test_await();
	test_mistake();
	test_gone();
	test_captures();
	test_faults();
	test_no_socket();
	test_unknown();
	rmdir(dir);
	return done();
}
