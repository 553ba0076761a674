/* SPDX-License-Identifier: MIT */
/*
 * passed.c: sockets of all kinds at descriptor 3 and above, an environment that is right or
 * lies, and which listener has which socket.
 */
#include "net/passed.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/util.h"
#include "lib/sockets.h"
#include "lib/tap.h"

#define FIRST 3

static char dir[] = "/tmp/passed-test.XXXXXX";
static char path[64], why[512];
static struct passed passed;
static int n_made;

static bool is_fourth(int fd, const void *arg)
{
	(void)arg;
	return fd == FIRST + 1;
}

static bool is_none(int fd, const void *arg)
{
	(void)fd;
	(void)arg;
	return false;
}

static void put(int fd)
{
	if (dup2(fd, FIRST + n_made) < 0)
		abort();
	if (fd != FIRST + n_made)
		close(fd);
	fcntl(FIRST + n_made++, F_SETFD, 0);
}

static void drop(void)
{
	while (n_made)
		close(FIRST + --n_made);
}

static int tcp(const char *host, int family, uint16_t *port)
{
	struct endpoint_addr at = { .family = family };
	struct sock_addr addr;
	int fd;

	snprintf(at.host, sizeof(at.host), "%s", host);
	if (sock_addr_parse(&at, family, &addr) < 0)
		abort();
	fd = socket(family, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, &addr.sa, addr.len) < 0 || listen(fd, 1) < 0)
		return -1;
	getsockname(fd, &addr.sa, &addr.len);
	*port = ntohs(((struct sockaddr_in *)&addr.storage)->sin_port);
	return fd;
}

static int read_as(const char *pid, const char *fds, const char *names)
{
	char own[16];

	snprintf(own, sizeof(own), "%d", (int)getpid());
	setenv("LISTEN_PID", pid ? pid : own, 1);
	setenv("LISTEN_FDS", fds, 1);
	if (names)
		setenv("LISTEN_FDNAMES", names, 1);
	*why = '\0';
	return passed_read(&passed, is_none, NULL, why, sizeof(why));
}

static struct passed_fd *find_tcp(const char *host, int family, uint16_t port)
{
	struct endpoint_addr at = { .family = family, .port = port };

	snprintf(at.host, sizeof(at.host), "%s", host);
	return passed_find(&passed, NULL, &at, false);
}

static void test_found(void)
{
	uint16_t port, port6, any;
	int fd6;

	put(socket_listener(path));
	put(tcp("127.0.0.1", AF_INET, &port));
	put(tcp("0.0.0.0", AF_INET, &any));
	ok_eq_int(read_as(NULL, "3", "one:two"), 0, "three sockets");
	ok(passed.n == 3 && !getenv("LISTEN_FDS") && !getenv("LISTEN_PID") &&
		   !getenv("LISTEN_FDNAMES"),
	   "the environment has them no longer");
	ok(fcntl(FIRST, F_GETFD) == FD_CLOEXEC && (fcntl(FIRST, F_GETFL) & O_NONBLOCK),
	   "they are as our own");
	ok(passed_find(&passed, path, NULL, false) == &passed.fds[0], "by its path");
	ok(!passed_find(&passed, "/tmp", NULL, false) &&
		   !passed_find(&passed, "", NULL, false),
	   "not by another");
	ok(find_tcp("127.0.0.1", AF_INET, port) == &passed.fds[1], "by its address");
	ok(!find_tcp("127.0.0.2", AF_INET, port) &&
		   !find_tcp("127.0.0.1", AF_INET, port ^ 1) &&
		   !find_tcp("", AF_UNSPEC, port),
	   "not by others, nor by any");
	ok(find_tcp("", AF_UNSPEC, any) == &passed.fds[2], "of all addresses");
	ok(!find_tcp("::1", AF_INET6, port), "not of the other family");
	ok_eq_str(passed.fds[1].name, "two", "with its name");
	ok_eq_str(passed.fds[2].name, "", "or without one");
	passed.fds[0].is_used = true;
	ok(!passed_find(&passed, path, NULL, false), "no two listeners have one");
	ok(!passed_find(NULL, path, NULL, false), "there may be none");
	drop();
	fd6 = tcp("::", AF_INET6, &port6);
	if (fd6 < 0) {
		ok(true, "no IPv6 here to try");
		return;
	}
	put(fd6);
	read_as(NULL, "1", NULL);
	ok(find_tcp("", AF_UNSPEC, port6), "of both families");
	ok(find_tcp("::", AF_INET6, port6), "if that is how the listener is called");
	ok(!find_tcp("0.0.0.0", AF_INET, port6), "it is not the one for one of them");
	drop();
}

static void test_udp(void)
{
	struct sockaddr_in addr;
	struct endpoint_addr at = { .family = AF_INET, .host = "127.0.0.1" };

	put(socket_bound(SOCK_DGRAM, &addr));
	at.port = ntohs(addr.sin_port);
	ok(read_as(NULL, "1", NULL) == 0 && passed.n == 1, "a socket of UDP");
	ok(passed_find(&passed, NULL, &at, true) == &passed.fds[0], "by its address");
	ok(!passed_find(&passed, NULL, &at, false), "is none of TCP");
	drop();
	put(tcp("127.0.0.1", AF_INET, &at.port));
	read_as(NULL, "1", NULL);
	ok(!passed_find(&passed, NULL, &at, true), "nor the other way round");
	drop();
}

static void refused(int fd, const char *want)
{
	put(fd);
	ok(read_as(NULL, "1", "x\n\033:y") == -EINVAL && strstr(why, want), "refused: %s",
	   why);
	drop();
}

static void test_wrong_kinds(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "\0passed-test" };
	int fds[2], fd;
	struct sockaddr_in addr;

	refused(open("/dev/null", O_RDWR), "no socket");
	sockets_pair(SOCK_DGRAM, fds);
	close(fds[1]);
	refused(fds[0], "a unix socket of datagrams");
	sockets_pair(SOCK_SEQPACKET, fds);
	close(fds[1]);
	refused(fds[0], "of datagrams or packets");
	refused(socket_bound(SOCK_STREAM, &addr), "does not listen");
	sockets_pair(SOCK_STREAM, fds);
	close(fds[1]);
	refused(fds[0], "does not listen");
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(fd, 1) < 0)
		abort();
	refused(fd, "without a path");
	put(open("/dev/null", O_RDWR));
	ok(read_as(NULL, "2", NULL) < 0, "of two");
	drop();
}

static void test_others(void)
{
	put(socket_listener(path));
	put(open("/dev/null", O_RDWR));
	read_as("1", "2", NULL);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_PID", "1", 1);
	ok(passed_read(&passed, is_none, NULL, why, sizeof(why)) == 0 && !passed.n,
	   "another process's are left alone");
	ok(!(fcntl(FIRST, F_GETFD) & FD_CLOEXEC), "as they are");
	{
		char own[16];

		snprintf(own, sizeof(own), "%d", (int)getpid());
		setenv("LISTEN_FDS", "2", 1);
		setenv("LISTEN_PID", own, 1);
	}
	ok(passed_read(&passed, is_fourth, NULL, why, sizeof(why)) == 0 && passed.n == 1,
	   "and so is what an endpoint has");
	drop();
}

static void test_lies(void)
{
	static const char *const wrong[] = { "", "x", "-1", "65", "4294967299", "1 " };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ok(read_as(NULL, wrong[i], NULL) == -EINVAL && strstr(why, "LISTEN_FDS"),
		   "so many: \"%s\"", wrong[i]);
	ok(read_as(NULL, "0", NULL) == 0 && !passed.n, "none");
	ok(read_as("x", "1", NULL) == 0 && !passed.n, "a process that is none");
	put(socket_listener(path));
	ok(read_as(NULL, "64", NULL) < 0 && strstr(why, "is not open"), "%s", why);
	drop();
}

int main(void)
{
	char names[4000];

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/s", dir);
	alarm(300);
	test_found();
	test_udp();
	test_wrong_kinds();
	test_others();
	test_lies();
	memset(names, 'n', sizeof(names));
	names[sizeof(names) - 1] = '\0';
	put(socket_listener(path));
	ok(read_as(NULL, "1", names) == 0 &&
		   strlen(passed.fds[0].name) == PASSED_NAME_MAX - 1,
	   "a long name is cut");
	drop();
	unlink(path);
	rmdir(dir);
	return done();
}
