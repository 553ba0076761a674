/* SPDX-License-Identifier: MIT */
/*
 * sock.c, over the loopback and in a directory of its own, with sockets of other
 * programs played by plain ones made here.
 */
#include "net/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "lib/linger.h"
#include "lib/tap.h"
#include "lib/without.h"

#define PATIENCE_MS 20000

static char dir[] = "/tmp/sock-test.XXXXXX";

/* ---- addresses ---- */

struct numeric {
	struct endpoint_addr addr;
	int family; /* asked for */
	int ret;
	const char *text;
};

static const struct numeric numerics[] = {
	{ { "10.1.2.3", AF_INET, 5000 }, AF_UNSPEC, 0, "10.1.2.3:5000" },
	{ { "10.1.2.3", AF_INET, 5000 }, AF_INET6, 0, "10.1.2.3:5000" },
	{ { "255.255.255.255", AF_INET, 65535 }, AF_INET, 0, "255.255.255.255:65535" },
	{ { "", AF_UNSPEC, 7 }, AF_INET, 0, "0.0.0.0:7" },
	{ { "", AF_UNSPEC, 7 }, AF_INET6, 0, "[::]:7" },
	{ { "", AF_UNSPEC, 7 }, AF_UNSPEC, -ENXIO, NULL },
	{ { "::1", AF_INET6, 1 }, AF_UNSPEC, 0, "[::1]:1" },
	{ { "::1", AF_INET6, 1 }, AF_INET, 0, "[::1]:1" },
	{ { "2001:db8::2", AF_INET6, 0 }, AF_INET6, 0, "[2001:db8::2]:0" },
	{ { "::ffff:10.1.2.3", AF_INET6, 9 }, AF_INET6, 0, "10.1.2.3:9" },
	{ { "fe80::1%lo", AF_INET6, 9 }, AF_INET6, 0, "[fe80::1%lo]:9" },
	{ { "fe80::1%1", AF_INET6, 9 }, AF_INET6, 0, "[fe80::1%lo]:9" },
	{ { "fe80::1%nosuchif", AF_INET6, 9 }, AF_INET6, -ENODEV, NULL },
	{ { "fe80::1%1x", AF_INET6, 9 }, AF_INET6, -ENODEV, NULL },
	{ { "fe80::1%4294967297", AF_INET6, 9 }, AF_INET6, -ENODEV, NULL },
	{ { "fe80::1%0", AF_INET6, 9 }, AF_INET6, -ENODEV, NULL },
	{ { "fe80::1%", AF_INET6, 9 }, AF_INET6, -ENODEV, NULL },
	{ { "localhost", AF_UNSPEC, 9 }, AF_UNSPEC, -ENXIO, NULL },
	{ { "localhost", AF_UNSPEC, 9 }, AF_INET, -ENXIO, NULL },
	{ { "10.1.2", AF_INET, 9 }, AF_INET, -ENXIO, NULL },
	{ { "10.1.2.3.4", AF_INET, 9 }, AF_INET, -ENXIO, NULL },
	{ { "::g", AF_INET6, 9 }, AF_INET6, -ENXIO, NULL },
	{ { "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", AF_INET6, 9 },
	  AF_INET6,
	  -ENXIO,
	  NULL },
};

static void test_numeric(const struct numeric *n)
{
	struct sock_addr addr;
	char text[SOCK_TEXT_MAX];
	int ret;

	memset(&addr, 0xa5, sizeof(addr));
	ret = sock_addr_parse(&n->addr, n->family, &addr);
	ok_eq_int(ret, n->ret, "sock_addr_parse(\"%s\", %d)", n->addr.host, n->family);
	if (ret == 0 && n->text)
		ok_eq_str(sock_text(&addr, text), n->text, "and its text");
}

/* The longest of every kind, in memory of exactly the size there is to be. */
static void test_text_room(void)
{
	char path[ENDPOINT_PATH_MAX], *text = malloc(SOCK_TEXT_MAX);
	struct sock_addr addr;

	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	sock_unix(path, &addr);
	ok_eq_str(sock_text(&addr, text), path, "the longest path's text is the path");
	ok(addr.sa.sa_family == AF_UNIX && addr.len <= sizeof(struct sockaddr_un),
	   "and its address fits");
	memset(&addr, 0xff, sizeof(addr));
	addr.sa.sa_family = AF_INET6;
	ok(strlen(sock_text(&addr, text)) < SOCK_TEXT_MAX, "so does the longest of IPv6");
	memset(&addr, 'x', sizeof(addr));
	addr.sa.sa_family = AF_UNIX;
	ok_eq_int(strlen(sock_text(&addr, text)), 108, "a path without an end is ended");
	free(text);
}

/* ---- IP sockets ---- */

static struct sock_addr numeric(const char *host, int family)
{
	struct endpoint_addr ep = { .family = family };
	struct sock_addr addr;

	snprintf(ep.host, sizeof(ep.host), "%s", host);
	if (sock_addr_parse(&ep, family, &addr) < 0)
		memset(&addr, 0, sizeof(addr));
	return addr;
}

static struct sock_addr bound_to(int fd)
{
	struct sock_addr addr = { .len = sizeof(addr.storage) };

	getsockname(fd, &addr.sa, &addr.len);
	return addr;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	getsockopt(fd, level, name, &value, &len);
	return value;
}

static bool is_ours(int fd)
{
	return fd >= 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK) &&
	       (fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void wait_for(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	poll(&pfd, 1, PATIENCE_MS);
}

/* Connect to @addr, to the end. Return: the descriptor or -errno. */
static int dial(const struct sock_addr *addr, int type)
{
	bool in_progress;
	int ret = 0, fd = sock_connect(addr, type, 0, &in_progress);

	if (fd < 0)
		return fd;
	if (in_progress) {
		wait_for(fd, POLLOUT);
		ret = sock_error(fd);
	}
	if (ret < 0)
		close(fd);
	return ret < 0 ? ret : fd;
}

static void test_tcp(const char *host, int family)
{
	struct sock_addr addr = numeric(host, family), real;
	int ret, fd, theirs, listener = sock_bind(&addr, SOCK_STREAM);

	ok(is_ours(listener) && listen(listener, 5) == 0, "TCP, bound to %s", host);
	real = bound_to(listener);
	ok_eq_int(sock_bind(&real, SOCK_STREAM), -EADDRINUSE, "a second one is refused");
	fd = dial(&real, SOCK_STREAM);
	ok(is_ours(fd), "it can be connected to");
	theirs = accept(listener, NULL, NULL);
	sock_tune_tcp(fd);
	ok(option(fd, IPPROTO_TCP, TCP_NODELAY) == 1 &&
		   option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT) == 128 << 10,
	   "is tuned not to wait, and not to hoard");
	sock_tcp_dead(fd, 15);
	ok(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1 &&
		   option(fd, IPPROTO_TCP, TCP_KEEPIDLE) +
				   option(fd, IPPROTO_TCP, TCP_KEEPINTVL) *
					   option(fd, IPPROTO_TCP, TCP_KEEPCNT) <=
			   15,
	   "and to find a dead peer within 15 s");
	sock_tcp_dead(fd, 0);
	ok(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1 &&
		   option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == INT_MAX,
	   "or to ask it for ever");
	sock_tcp_dead(fd, 60);
	ok(option(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 20 &&
		   option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0,
	   "or for as long as one says");
	ok(!sock_tcp_is_stuck(fd), "nothing is sent again");
	if (family == AF_INET) {
		sock_tcp_may_fragment(fd);
		ok_eq_int(option(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DONT,
			  "routers may be allowed to cut its packets");
	}
	ok_eq_int(sock_tcp_silent_ms(fd), 0, "its peer owes no answer");
	/* The server closes first, and so keeps the port in TIME_WAIT. */
	close(theirs);
	close(listener);
	wait_for(fd, POLLIN);
	close(fd);
	ret = sock_bind(&real, SOCK_STREAM);
	ok(ret >= 0, "its port can be bound again at once");
	close(ret);
	ok_eq_int(dial(&real, SOCK_STREAM), -ECONNREFUSED, "nobody there: refused");
}

/* Whether a listener bound to @host answers at 127.0.0.1. */
static bool serves_ipv4(const char *host)
{
	struct sock_addr addr = numeric(host, AF_INET6),
			 v4 = numeric("127.0.0.1", AF_INET);
	int fd, listener = sock_bind(&addr, SOCK_STREAM);
	struct sock_addr real = bound_to(listener);

	if (listener < 0 || listen(listener, 1) < 0)
		return false;
	memcpy(&((struct sockaddr_in *)&v4.storage)->sin_port,
	       &((struct sockaddr_in6 *)&real.storage)->sin6_port, sizeof(in_port_t));
	fd = dial(&v4, SOCK_STREAM);
	if (fd >= 0)
		close(fd);
	close(listener);
	return fd >= 0;
}

static void test_udp(void)
{
	struct sock_addr addr = numeric("127.0.0.1", AF_INET), real;
	int fd = sock_bind(&addr, SOCK_DGRAM), peer;
	char c = 'x';

	ok(is_ours(fd), "UDP, bound");
	real = bound_to(fd);
	ok_eq_int(sock_bind(&real, SOCK_DGRAM), -EADDRINUSE, "a second one is refused");
	peer = dial(&real, SOCK_DGRAM);
	ok(send(peer, &c, 1, 0) == 1, "can be connected to");
	wait_for(fd, POLLIN);
	ok_eq_int(recv(fd, &c, 1, 0), 1, "and gets what is sent");
	sock_tune_datagrams(fd);
	ok(option(fd, SOL_SOCKET, SO_RCVBUF) >= option(peer, SOL_SOCKET, SO_RCVBUF) &&
		   option(fd, SOL_SOCKET, SO_SNDBUF) >=
			   option(peer, SOL_SOCKET, SO_SNDBUF),
	   "tuning makes no buffer smaller");
	ok_eq_int(sock_tcp_silent_ms(fd), -1, "it is not TCP");
	close(fd);
	close(peer);
}

/* The same port for both IP versions, with each its own socket. */
static void test_udp_both(void)
{
	struct sock_addr any4 = numeric("", AF_INET), any6;
	int fd4 = sock_bind(&any4, SOCK_DGRAM), fd6;

	any4 = bound_to(fd4);
	any6 = numeric("", AF_INET6);
	((struct sockaddr_in6 *)&any6.storage)->sin6_port =
		((struct sockaddr_in *)&any4.storage)->sin_port;
	fd6 = sock_bind(&any6, SOCK_DGRAM);
	ok(is_ours(fd6), "UDP of IPv6 leaves the port to IPv4");
	close(fd4);
	close(fd6);
}

static void test_hosts(void)
{
	struct sock_addr a = numeric("::ffff:10.1.2.3", AF_INET6),
			 b = numeric("10.1.2.3", AF_INET), c = numeric("::1", AF_INET6),
			 c2, gone = numeric("192.0.2.77", AF_INET),
			 gone6 = numeric("2001:db8::77", AF_INET6);
	char text[SOCK_TEXT_MAX];

	ok(!sock_is_same_host(&a, &b), "one that is mapped is another");
	sock_unmap(&a);
	ok(a.sa.sa_family == AF_INET && a.len == b.len && sock_is_same_host(&a, &b),
	   "until it is unmapped: %s", sock_text(&a, text));
	sock_unmap(&c);
	ok(c.sa.sa_family == AF_INET6 && !sock_is_same_host(&c, &gone6),
	   "others stay as they are");
	b = numeric("127.0.0.1", AF_INET);
	ok(sock_is_from(&b, &b.storage) && !sock_is_from(&b, &c.storage) &&
		   sock_is_from(&c, &c.storage) && !sock_is_from(&c, &gone6.storage),
	   "a source is compared");
	c2 = c;
	((struct sockaddr_in6 *)&c2.storage)->sin6_port = htons(1);
	ok(!sock_is_from(&c, &c2.storage), "with its port");
	ok(sock_is_here(&b) && sock_is_here(&c), "the loopback's addresses are here");
	/* Where there is no IPv6, it isn't known. */
	ok(!sock_is_here(&gone) && sock_is_here(&gone6) == is_without("ipv6"),
	   "others are not");
}

static void test_failures(void)
{
	struct sock_addr addr = numeric("192.0.2.1", AF_INET);
	bool in_progress = true;
	int fds[2];

	ok_eq_int(sock_bind(&addr, SOCK_STREAM), -EADDRNOTAVAIL, "an address not ours");
	addr.sa.sa_family = 77;
	ok_eq_int(sock_bind(&addr, SOCK_STREAM), -EAFNOSUPPORT, "no family there is");
	ok_eq_int(sock_connect(&addr, SOCK_STREAM, 0, &in_progress), -EAFNOSUPPORT,
		  "to connect to either");
	ok(!in_progress, "which is not in progress");
	ok_eq_int(sock_error(9999), -EBADF, "the error of a bad descriptor");
	ok_eq_int(sock_tcp_silent_ms(9999), -1, "which is not TCP");
	if (pipe(fds) < 0)
		return;
	ok_eq_int(sock_error(fds[0]), -ENOTSOCK, "of one that is no socket");
	ok_eq_int(sock_tcp_silent_ms(fds[0]), -1, "nor TCP");
	close(fds[0]);
	close(fds[1]);
}

static void test_advice(void)
{
	ok(strncmp(sock_hint(-EADDRINUSE), "; ", 2) == 0,
	   "there is advice for some errors");
	ok_eq_str(sock_hint(-ENOMEM), "", "and none for others");
}

/* ---- unix sockets ---- */

static const char *path_of(const char *name)
{
	static char path[4][ENDPOINT_PATH_MAX];
	static unsigned n;

	n = (n + 1) % ARRAY_SIZE(path);
	snprintf(path[n], sizeof(path[n]), "%s/%s", dir, name);
	return path[n];
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* A socket of another program. */
static int others_socket(const char *path, int type)
{
	struct sock_addr addr;
	int fd = socket(AF_UNIX, type, 0);

	sock_unix(path, &addr);
	if (bind(fd, &addr.sa, addr.len) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 1) < 0))
		perror(path);
	return fd;
}

static int unix_dial(const char *path, int type)
{
	struct sock_addr addr;

	sock_unix(path, &addr);
	return dial(&addr, type);
}

static void test_mode(mode_t mode, int type)
{
	const char *path = path_of("mode");
	struct sock_path made;
	mode_t mask = umask(077);
	struct stat st = { 0 };
	int fd = sock_bound_unix(path, type, mode, SOCK_OWN_GROUP, &made);

	ok(is_ours(fd) && lstat(path, &st) == 0 && (st.st_mode & 07777) == mode,
	   "a unix socket of mode %o has it, whatever the mask", (unsigned)mode);
	ok_eq_int(umask(mask), 077, "and the mask is as before");
	sock_unlink(&made);
	close(fd);
	ok(!exists(path), "it can be removed");
}

/* Whether this kernel lets one refuse descriptors. */
static bool may_refuse_fds(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), off = 0;
	bool may = setsockopt(fd, SOL_SOCKET, 83, &off, sizeof(off)) == 0;

	close(fd);
	return may;
}

static void test_fds(void)
{
	const char *path = path_of("fds");
	struct sock_path made;
	int fd = sock_bound_unix(path, SOCK_STREAM, 0600, SOCK_OWN_GROUP, &made);
	int peer = unix_dial(path, SOCK_STREAM), conn = accept(fd, NULL, NULL);

	ok_eq_int(send_a_fd(peer, fd), may_refuse_fds() ? -1 : 1,
		  "no peer may send descriptors");
	ok(sock_take_fds(conn, false) != may_refuse_fds(), "this is told");
	ok(sock_take_fds(conn, true), "when they are wanted, too");
	ok_eq_int(send_a_fd(peer, fd), 1, "and then they may");
	sock_unlink(&made);
	close(conn);
	close(peer);
	close(fd);
}

/* Root may give it to any group, others to their own. */
static void test_group(int type)
{
	const char *path = path_of("group");
	gid_t group = geteuid() ? getegid() : 12345;
	struct sock_path made;
	struct stat st = { 0 };
	int fd = sock_bound_unix(path, type, 0640, group, &made);

	ok(is_ours(fd) && lstat(path, &st) == 0 && (st.st_mode & 07777) == 0640 &&
		   st.st_gid == group,
	   "a unix socket is the group's, with its mode");
	sock_unlink(&made);
	close(fd);
	if (geteuid()) {
		ok_eq_int(sock_bound_unix(path, type, 0640, 12345, &made), -EPERM,
			  "not of a group that is not ours");
		ok(!exists(path), "then it is not there");
	}
}

static void test_abandoned(int type, const char *what)
{
	const char *path = path_of("abandoned");
	struct sock_path made;
	int fd, peer;

	close(others_socket(path, type));
	fd = sock_bound_unix(path, type, 0600, SOCK_OWN_GROUP, &made);
	ok(fd >= 0, "an abandoned %s socket's path is taken over", what);
	if (type == SOCK_STREAM)
		ok_eq_int(listen(fd, 1), 0, "and listened on");
	peer = unix_dial(path, type);
	ok(peer >= 0, "and answers");
	close(peer);
	sock_unlink(&made);
	close(fd);
	ok(!exists(path), "and is ours to remove");
}

static void test_alive(int type, int our_type, const char *what)
{
	const char *path = path_of("alive");
	struct sock_path made;
	int fd, other = others_socket(path, type);

	ok_eq_int(sock_bound_unix(path, our_type, 0600, SOCK_OWN_GROUP, &made),
		  -EADDRINUSE, "a %s that is in use is left alone", what);
	fd = unix_dial(path, type);
	ok(fd >= 0, "and still answers");
	close(fd);
	close(other);
	unlink(path);
}

#define RIVALS 4

/* Tell whether the path was taken, and keep it until the end. */
static void be_rival(const char *path, int type, int start, int over, int result)
{
	struct sock_path made;
	char c;
	int fd;

	if (read(start, &c, 1) != 1)
		_exit(1);
	fd = sock_bound_unix(path, type, 0600, SOCK_OWN_GROUP, &made);
	c = fd >= 0;
	if (write(result, &c, 1) != 1 || read(over, &c, 1) != 0)
		_exit(1);
	_exit(0);
}

/* Several at once, all of them finding the same abandoned path. Return: how many got it. */
static unsigned race(const char *path, int type)
{
	unsigned winners = 0;
	int start[2], over[2], result[2], peer;
	char c;

	close(others_socket(path, type));
	if (pipe(start) < 0 || pipe(over) < 0 || pipe(result) < 0)
		exit(1);
	for (int i = 0; i < RIVALS; i++) {
		if (fork() == 0) {
			close(over[1]);
			be_rival(path, type, start[0], over[0], result[1]);
		}
	}
	if (write(start[1], "aaaa", RIVALS) != RIVALS)
		exit(1);
	for (int i = 0; i < RIVALS; i++)
		winners += read(result[0], &c, 1) == 1 && c;
	peer = unix_dial(path, type);
	if (peer < 0)
		winners = 0;
	close(peer);
	close(start[0]);
	close(start[1]);
	close(over[0]);
	close(over[1]);
	close(result[0]);
	close(result[1]);
	while (wait(NULL) > 0)
		;
	unlink(path);
	return winners;
}

static void test_race(int type, unsigned rounds, const char *what)
{
	unsigned good = 0;

	for (unsigned i = 0; i < rounds; i++)
		good += race(path_of("race"), type) == 1;
	ok_eq_int(good, rounds, "of several, one takes an abandoned %s socket over",
		  what);
}

static unsigned times_locked; /* by somebody else, whenever it is tried */

int flock(int fd, int operation)
{
	if (times_locked) {
		times_locked--;
		errno = EWOULDBLOCK;
		return -1;
	}
	return (int)syscall(SYS_flock, fd, operation);
}

/* Another one takes the path over, and is killed meanwhile. */
static void test_locked(void)
{
	const char *path = path_of("locked");
	struct sock_path made;
	int fd;

	close(others_socket(path, SOCK_STREAM));
	times_locked = 3;
	fd = sock_bound_unix(path, SOCK_STREAM, 0600, SOCK_OWN_GROUP, &made);
	ok(fd >= 0 && !times_locked,
	   "a path that somebody else takes over is waited for");
	close(fd);
	times_locked = UINT_MAX;
	ok_eq_int(sock_bound_unix(path, SOCK_STREAM, 0600, SOCK_OWN_GROUP, &made),
		  -EADDRINUSE, "but not for ever");
	times_locked = 0;
	unlink(path);
	unlink(path_of("locked.lock"));
}

/* Whoever left it behind removes it, too late: while we make sure that it is abandoned. */
static void test_removed(void)
{
	const char *path = path_of("removed");
	char lock[ENDPOINT_PATH_MAX + 8];
	struct sock_path made;
	pid_t pid;
	int fd;

	snprintf(lock, sizeof(lock), "%s.lock", path);
	close(others_socket(path, SOCK_STREAM));
	pid = fork();
	if (pid == 0) {
		while (!exists(lock))
			;
		_exit(unlink(path) < 0);
	}
	fd = sock_bound_unix(path, SOCK_STREAM, 0600, SOCK_OWN_GROUP, &made);
	ok(fd >= 0 && exists(path), "a path that is removed just now is free");
	if (fd < 0)
		kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
	unlink(path);
}

/* All the connections that may wait are there, and nobody accepts them. */
static void test_busy(void)
{
	const char *path = path_of("busy");
	struct sock_path made;
	int fds[8], other = others_socket(path, SOCK_STREAM);

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = unix_dial(path, SOCK_STREAM);
	ok(fds[0] >= 0 && fds[7] == -EAGAIN,
	   "a socket too busy to take more connections");
	ok_eq_int(sock_bound_unix(path, SOCK_STREAM, 0600, SOCK_OWN_GROUP, &made),
		  -EADDRINUSE, "is not an abandoned one");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	close(other);
	unlink(path);
}

static void test_no_socket(void)
{
	const char *file = path_of("file"), *link = path_of("link"),
		   *old = path_of("old");
	struct sock_path made;
	char text[8] = "";
	int fd = open(file, O_RDWR | O_CREAT, 0600);

	ok(write(fd, "precious", 8) == 8, "a regular file");
	ok_eq_int(sock_bound_unix(file, SOCK_STREAM, 0600, SOCK_OWN_GROUP, &made),
		  -ENOTSOCK, "is refused");
	ok(pread(fd, text, 8, 0) == 8 && !memcmp(text, "precious", 8) && exists(file),
	   "and left as it is");
	close(fd);
	unlink(file);
	close(others_socket(old, SOCK_STREAM));
	ok_eq_int(symlink(old, link), 0, "a link to an abandoned socket");
	ok_eq_int(sock_bound_unix(link, SOCK_STREAM, 0600, SOCK_OWN_GROUP, &made),
		  -ENOTSOCK, "is refused");
	ok(exists(link) && exists(old), "and both are left as they are");
	unlink(link);
	unlink(old);
	ok_eq_int(sock_bound_unix(path_of("no/such"), SOCK_STREAM, 0600, SOCK_OWN_GROUP,
				  &made),
		  -ENOENT, "a directory that is not there");
	ok_eq_int(sock_bound_unix(dir, SOCK_DGRAM, 0600, SOCK_OWN_GROUP, &made),
		  -ENOTSOCK, "one that is");
}

static void test_unlink(void)
{
	const char *path = path_of("ours");
	struct sock_path made, nothing;
	int fd = sock_bound_unix(path, SOCK_DGRAM, 0600, SOCK_OWN_GROUP, &made), other;

	memset(&nothing, 0, sizeof(nothing));
	sock_unlink(&nothing);
	ok(exists(path), "nothing made, nothing removed");
	unlink(path);
	other = others_socket(path, SOCK_DGRAM);
	sock_unlink(&made);
	ok(exists(path), "another's in its place is left");
	unlink(path);
	close(other);
	sock_unlink(&made);
	ok(!exists(path), "nothing in its place is no harm");
	close(fd);
}

/* A path as long as there can be: the kernel takes it, and we find it again. */
static void test_longest_path(void)
{
	char path[ENDPOINT_PATH_MAX];
	struct sock_path made;
	size_t len = (size_t)snprintf(path, sizeof(path), "%s/", dir);
	int fd, peer;

	memset(path + len, 'l', sizeof(path) - len);
	path[sizeof(path) - 1] = '\0';
	fd = sock_bound_unix(path, SOCK_DGRAM, 0600, SOCK_OWN_GROUP, &made);
	peer = unix_dial(path, SOCK_DGRAM);
	ok(fd >= 0 && peer >= 0 && exists(path), "a path of 107 characters");
	ok_eq_int(sock_tcp_silent_ms(fd), -1, "is not TCP");
	sock_unlink(&made);
	ok(!exists(path), "and is removed");
	close(fd);
	close(peer);
}

static void test_unix(void)
{
	test_fds();
	test_group(SOCK_STREAM);
	test_group(SOCK_DGRAM);
	test_mode(0600, SOCK_STREAM);
	test_mode(0666, SOCK_STREAM);
	test_mode(0640, SOCK_DGRAM);
	test_abandoned(SOCK_STREAM, "stream");
	test_abandoned(SOCK_DGRAM, "datagram");
	test_alive(SOCK_STREAM, SOCK_STREAM, "stream socket");
	test_alive(SOCK_DGRAM, SOCK_DGRAM, "datagram socket");
	test_alive(SOCK_DGRAM, SOCK_STREAM, "socket of another kind");
	test_alive(SOCK_STREAM, SOCK_DGRAM, "socket of the other kind");
	test_race(SOCK_DGRAM, 60, "datagram");
	test_race(SOCK_STREAM, 30, "stream");
	test_locked();
	test_removed();
	test_busy();
	test_no_socket();
	test_unlink();
	test_longest_path();
}

/* ---- a socket that is its own peer ---- */

static void test_own(void)
{
	struct sock_addr addr = { .len = sizeof(addr.storage) };
	const struct endpoint_addr any = { "127.0.0.1", AF_INET, 0 };
	char path[64];
	struct sock_path made;
	int fd, peer, pair[2], again;

	sock_addr_parse(&any, AF_UNSPEC, &addr);
	fd = sock_bind(&addr, SOCK_STREAM);
	getsockname(fd, &addr.sa, &addr.len);
	connect(fd, &addr.sa, addr.len);
	ok_eq_int(sock_error(fd), 0, "a socket connects to the port that it has");
	ok(sock_is_own(fd), "and is its own peer");
	sock_close_hard(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ok_eq_int(bind(fd, &addr.sa, addr.len), 0,
		  "once closed, it leaves the port free");
	listen(fd, 1);
	peer = socket(AF_INET, SOCK_STREAM, 0);
	ok_eq_int(connect(peer, &addr.sa, addr.len), 0, "for who listens there");
	ok(!sock_is_own(peer), "whose clients have another one");
	close(peer);
	close(fd);

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	ok(!sock_is_own(pair[0]), "two without a name are two all the same");
	close(pair[0]);
	close(pair[1]);
	snprintf(path, sizeof(path), "%s/own", dir);
	fd = sock_bound_unix(path, SOCK_STREAM, 0600, SOCK_OWN_GROUP, &made);
	listen(fd, 1);
	sock_unix(path, &addr);
	again = socket(AF_UNIX, SOCK_STREAM, 0);
	ok_eq_int(connect(again, &addr.sa, addr.len), 0, "a unix socket connects");
	ok(!sock_is_own(again), "and is not its own peer");
	close(again);
	close(fd);
	sock_unlink(&made);
}

int main(void)
{
	struct sock_addr any6 = numeric("::1", AF_INET6);
	int fd = sock_bind(&any6, SOCK_STREAM);

	if (!mkdtemp(dir))
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(numerics); i++)
		test_numeric(&numerics[i]);
	test_text_room();
	test_tcp("127.0.0.1", AF_INET);
	if (fd >= 0) {
		close(fd);
		test_tcp("::1", AF_INET6);
		ok(serves_ipv4(""), "any address of IPv6 serves IPv4 too");
		ok(!serves_ipv4("::1"), "one of IPv6 does not");
	}
	test_udp();
	if (fd >= 0)
		test_udp_both();
	test_hosts();
	test_failures();
	test_advice();
	test_unix();
	test_own();
	ok_eq_int(rmdir(dir), 0, "nothing is left behind");
	return done();
}
