/* SPDX-License-Identifier: MIT */
/*
 * service.c: what the service manager is told of a relay, in which order, and when. The
 * manager is a socket that the test reads.
 */
#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/quiet.h"
#include "lib/tap.h"
#include "lib/turn.h"

#define WAIT_MS 20000

static char dir[] = "/tmp/service-test.XXXXXX";
static char path[64], pidfile[64], text[1024], why[512];
static int manager;
static struct conf conf;
static struct loop loop;
static struct relay relay;
static struct service service;

static void listen_as_manager(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	unlink(path);
	memcpy(at.sun_path, path, strlen(path));
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(manager, (struct sockaddr *)&at, sizeof(at)) < 0)
		abort();
	setenv("NOTIFY_SOCKET", path, 1);
}

/* Return: whether it was told something, which is in @text now. */
static bool is_told(void)
{
	ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static void begin(void)
{
	memset(&service, 0, sizeof(service));
	if (service_start(&service, &conf, why, sizeof(why)) != 0 ||
	    loop_init(&loop) < 0 || relay_init(&relay, &loop, NULL, RELAY_HUB, NULL) < 0)
		abort();
	service_watch(&service, &loop, &relay);
}

static void end(void)
{
	service_stopping(&service);
	relay_free(&relay);
	service_end(&service);
	pidfile_remove(&service.pidfile);
	loop_free(&loop);
}

static unsigned add(const char *endpoint)
{
	struct endpoint ep;

	if (endpoint_parse(&ep, endpoint, why, sizeof(why)) < 0 ||
	    relay_add(&relay, &ep, why, sizeof(why)) < 0)
		abort();
	return relay.forward.members.last_id;
}

static void test_told(void)
{
	uint64_t before;
	unsigned id;

	listen_as_manager();
	begin();
	turns(&loop, 3);
	ok(!is_told(), "nothing is told of a relay that is being set up");
	relay_set_running(&relay);
	turns(&loop, 2);
	is_told();
	ok_eq_str(text, "READY=1\nSTATUS=hub, 0 of 0 ports up", "it is ready");
	before = loop_now();
	id = add("unix:/nonexistent/a\nMAINPID=1");
	turn_until(&loop, WAIT_MS, is_told());
	ok(loop_now() - before >= 800, "its status is not told at once");
	ok(!strncmp(text,
		    "STATUS=hub, 0 of 1 ports up; unix:/nonexistent/a\\x0aMAINPID=1: ",
		    60),
	   "but what is wrong is, in one line: %s", text);
	relay_del(relay_find(&relay, id));
	turn_until(&loop, WAIT_MS, is_told());
	ok_eq_str(text, "STATUS=hub, 0 of 0 ports up", "and when that is over");
	id = add("unix:/nonexistent/b");
	relay_del(relay_find(&relay, id));
	turn_for(&loop, 1500);
	ok(!is_told(), "the same is not told twice");
	service_reloading(&service);
	ok(is_told() && !strncmp(text, "RELOADING=1\nMONOTONIC_USEC=", 27) &&
		   strtoull(text + 27, NULL, 10) / 1000 <= loop_now(),
	   "it reloads: %s", text);
	service_reloaded(&service);
	is_told();
	ok_eq_str(text, "READY=1", "and has done so");
	end();
	is_told();
	ok_eq_str(text, "STOPPING=1", "it stops");
	ok(!is_told(), "that is all");
	close(manager);
}

static void fill(void)
{
	struct notify n;

	setenv("NOTIFY_SOCKET", path, 1);
	if (notify_start(&n, why, sizeof(why)) < 0)
		abort();
	while (notify_send(&n, 0, "x") == 0)
		;
	notify_stop(&n);
}

/* Without readiness the manager would end the program. */
static void test_full(void)
{
	listen_as_manager();
	setenv("WATCHDOG_USEC", "200000", 1);
	begin();
	fill();
	relay_set_running(&relay);
	turn_for(&loop, 800);
	while (is_told() && !strcmp(text, "x"))
		;
	ok(!*text, "there is no room to tell that it is ready");
	turn_until(&loop, WAIT_MS, is_told());
	ok(!strncmp(text, "READY=1\n", 8), "it is told as soon as there is");
	turn_until(&loop, WAIT_MS, is_told());
	ok_eq_str(text, "WATCHDOG=1", "then the watchdog is told");
	turn_until(&loop, WAIT_MS, is_told());
	ok_eq_str(text, "WATCHDOG=1", "again and again");
	fill();
	add("unix:/nonexistent/a");
	turn_for(&loop, 1500);
	while (is_told() && strncmp(text, "STATUS", 6) != 0)
		;
	turn_until(&loop, WAIT_MS, is_told() && !strncmp(text, "STATUS", 6));
	ok(!strncmp(text, "STATUS=hub, 0 of 1 ports up", 27),
	   "a status that found no room is told later: %s", text);
	end();
	close(manager);
}

static void test_alone(void)
{
	char want[16], got[16] = "";
	int fd;

	conf.pidfile = pidfile;
	setenv("NOTIFY_SOCKET", "/nonexistent/s", 1);
	begin();
	ok(access(pidfile, F_OK) == 0, "the file of its number is there");
	relay_set_running(&relay);
	turns(&loop, 2);
	fd = open(pidfile, O_RDONLY);
	ok(read(fd, got, sizeof(got) - 1) > 0, "it is written when it is ready");
	close(fd);
	snprintf(want, sizeof(want), "%d\n", (int)getpid());
	ok_eq_str(got, want, "with the number");
	ok(!relay.on_change, "without a manager nothing is watched from then on");
	end();
	ok(access(pidfile, F_OK) < 0, "it goes in the end");
}

int main(void)
{
	quiet();
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/notify", dir);
	snprintf(pidfile, sizeof(pidfile), "%s/pid", dir);
	alarm(300);
	test_told();
	test_full();
	test_alone();
	unlink(path);
	rmdir(dir);
	return done();
}
