/* SPDX-License-Identifier: MIT */
/* notify.c: what the environment may be, and what arrives at the manager's socket. */
#include "net/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/tap.h"

static char dir[] = "/tmp/notify-test.XXXXXX";
static char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
static char why[256];

/* The manager's socket. @name: as in $NOTIFY_SOCKET */
static int manager(const char *name, int type)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(at.sun_path, name, len);
	if (*name == '@')
		at.sun_path[0] = '\0';
	else
		unlink(name);
	len += offsetof(struct sockaddr_un, sun_path);
	if (bind(fd, (struct sockaddr *)&at, (socklen_t)len) < 0)
		abort();
	if (type == SOCK_STREAM)
		listen(fd, 1);
	return fd;
}

static void set(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

static int start(struct notify *n, const char *at, const char *usec, const char *pid)
{
	set("NOTIFY_SOCKET", at);
	set("WATCHDOG_USEC", usec);
	set("WATCHDOG_PID", pid);
	*why = '\0';
	return notify_start(n, why, sizeof(why));
}

static const char *received(int fd)
{
	static char text[1024];
	ssize_t len = recv(fd, text, sizeof(text) - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	return text;
}

static void test_nobody(void)
{
	struct notify n;

	ok_eq_int(start(&n, NULL, "1000000", NULL), 0, "no manager is no error");
	ok(n.fd < 0 && !n.watchdog_ms, "nobody is told");
	ok_eq_int(notify_send(&n, 0, "READY=1"), 0, "to tell nobody is none either");
	notify_stop(&n);
}

static void test_told(const char *name)
{
	int fd = manager(name, SOCK_DGRAM);
	struct notify n;

	ok_eq_int(start(&n, name, NULL, NULL), 0, "%s", name);
	ok(!getenv("NOTIFY_SOCKET"), "the environment has it no longer");
	ok_eq_int(notify_send(&n, 0, "READY=%d\nSTATUS=%s", 1, "fine"), 0, "it is told");
	ok_eq_str(received(fd), "READY=1\nSTATUS=fine", "all of it");
	notify_stop(&n);
	close(fd);
}

static void test_wrong(const char *name, const char *want)
{
	struct notify n;

	ok(start(&n, name, "1000000", NULL) < 0, "\"%.20s\": %s", name, why);
	ok(strstr(why, want), "it says why");
	ok(n.fd < 0 && !n.watchdog_ms && !getenv("WATCHDOG_USEC"), "nobody is told");
}

static void test_wrong_sockets(void)
{
	char longer[200];
	int fd;

	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	test_wrong("", "NOTIFY_SOCKET");
	test_wrong("vsock:2:1", "Address family");
	test_wrong("relative/path", "Address family");
	test_wrong("/nonexistent/socket", "No such file");
	test_wrong(longer, "too long");
	test_wrong("/dev/null", "refused");
	fd = manager(path, SOCK_STREAM);
	test_wrong(path, "wrong type");
	close(fd);
	test_wrong(path, "refused");
}

static void test_watchdog(const char *usec, const char *pid, int want_ms)
{
	int fd = manager(path, SOCK_DGRAM), ret;
	struct notify n;

	ret = start(&n, path, usec, pid);
	ok(ret == (want_ms < 0 ? -EINVAL : 0) && n.fd >= 0,
	   "a watchdog of \"%s\" for \"%s\" is no reason not to tell", usec,
	   pid ? pid : "");
	ok_eq_int(n.watchdog_ms, want_ms < 0 ? 0 : want_ms, "how often it is told");
	notify_stop(&n);
	close(fd);
}

static void test_watchdogs(void)
{
	char own[16], other[16];

	snprintf(own, sizeof(own), "%d", (int)getpid());
	snprintf(other, sizeof(other), "%d", (int)getppid());
	test_watchdog("30000000", NULL, 15000);
	test_watchdog("30000000", own, 15000);
	test_watchdog("30000000", other, 0);
	test_watchdog("30000000", "x", 0);
	test_watchdog("30000000", "", 0);
	test_watchdog("1", NULL, 1);
	test_watchdog("0", NULL, 0);
	test_watchdog("18446744073709551615", NULL, UINT32_MAX / 2000);
	test_watchdog("99999999999999999999999", NULL, UINT32_MAX / 2000);
	test_watchdog("", NULL, -1);
	test_watchdog("-5", NULL, -1);
	test_watchdog("30s", NULL, -1);
}

static void test_full(void)
{
	int fd = manager(path, SOCK_DGRAM), ret = 0;
	char text[600];
	struct notify n;

	start(&n, path, NULL, NULL);
	for (int i = 0; i < 100000 && ret == 0; i++)
		ret = notify_send(&n, 0, "STATUS=%d", i);
	ok_eq_int(ret, -EAGAIN, "a manager that does not read is not waited for");
	ok_eq_int(notify_send(&n, 10, "READY=1"), -EAGAIN, "or for so long as is said");
	received(fd);
	ok_eq_int(notify_send(&n, 10000, "READY=1"), 0,
		  "as soon as there is room it is told");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ok_eq_int(notify_send(&n, 0, "STATUS=%s", text), -EMSGSIZE,
		  "half a message is not told");
	close(fd);
	ok(notify_send(&n, 10, "READY=1") < 0, "a manager that has gone is no end");
	notify_stop(&n);
}

int main(void)
{
	char abstract[64];

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/notify", dir);
	snprintf(abstract, sizeof(abstract), "@notify-test-%d", (int)getpid());
	alarm(300);
	test_nobody();
	test_told(path);
	test_told(abstract);
	test_wrong_sockets();
	test_watchdogs();
	test_full();
	unlink(path);
	rmdir(dir);
	return done();
}
