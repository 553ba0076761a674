/* SPDX-License-Identifier: MIT */
/*
 * The ports of datagrams as they are opened from an endpoint: unixgram, in a directory
 * of its own, and UDP on the loopback. What a peer does is done here.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "lib/taker.h"
#include "lib/tap.h"
#include "lib/turn.h"
#include "port/dgram.h"
#include "port/driver.h"

#define ALARM_S 300
#define PATIENCE_MS 20000
#define LEN 700

static struct {
	struct taker t;
	struct port *p;
	unsigned last;	/* the number of the last frame that came out of the port */
	unsigned sends; /* calls of sendmmsg() */
	struct sockaddr_un theirs;
} rig;

static char dir[] = "/tmp/dgram-port-test.XXXXXX";

int sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	rig.sends++;
	return (int)syscall(SYS_sendmmsg, fd, m, n, flags);
}

/* Of any descriptor, an interface named tap0, until it is deleted. */
static bool is_deleted;

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request != TUNGETIFF)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	errno = ENOLINK;
	return is_deleted ? -1 : 0;
}

/* Who sends to @to just before a socket is connected; 0: nobody. */
static struct {
	int stranger, peer;
	struct sockaddr_in to;
} early;

static void send_early(int fd, uint32_t number)
{
	uint8_t data[60] = { 0 };

	put_be32(data, number);
	if (sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&early.to,
		   sizeof(early.to)) < 0)
		perror("sendto");
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" /* glibc declares a union */
int connect(int fd, const struct sockaddr *to, socklen_t len)
{
	if (early.stranger) {
		send_early(early.stranger, 6);
		send_early(early.peer, 7);
		send_early(early.stranger, 8);
	}
	return (int)syscall(SYS_connect, fd, to, len);
}
#pragma GCC diagnostic pop

static void see_frame(const struct frame *f)
{
	rig.last = get_be32(f->data);
}

static void turn_until_seen(unsigned n)
{
	turn_until(&rig.t.loop, PATIENCE_MS, rig.t.frames >= n);
}

static void turn_until_state(enum port_state state, unsigned ms)
{
	turn_until(&rig.t.loop, ms, rig.p->state == state);
}

static void begin(struct endpoint *ep, struct port *p)
{
	if (!p)
		exit(1);
	rig.p = p;
	p->is_unpadded = ep->rules.is_unpadded;
	taker_reset(&rig.t);
	rig.last = rig.sends = 0;
	port_start(p);
}

static void read_endpoint(struct endpoint *ep, const char *text)
{
	char why[256];

	if (endpoint_parse(ep, text, why, sizeof(why)) < 0) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
}

static void send_frames(uint32_t first, unsigned n)
{
	static uint8_t data[BATCH_MAX][LEN];

	for (unsigned i = 0; i < n; i++) {
		struct frame f = { .data = data[i], .len = LEN };

		put_be32(data[i], first + i);
		port_send(rig.p, &f);
	}
	port_flush(rig.p);
}

/* ---- unixgram ---- */

static void begin_unixgram(struct endpoint *ep)
{
	char text[256];

	rig.theirs.sun_family = AF_UNIX;
	snprintf(rig.theirs.sun_path, sizeof(rig.theirs.sun_path), "%s/theirs", dir);
	snprintf(text, sizeof(text), "unixgram:%s,local=%s/ours", rig.theirs.sun_path,
		 dir);
	read_endpoint(ep, text);
	begin(ep, port_unixgram_new(ep, &rig.t.env));
}

static int theirs(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	unlink(rig.theirs.sun_path);
	if (bind(fd, (struct sockaddr *)&rig.theirs, sizeof(rig.theirs)) < 0)
		perror("bind");
	return fd;
}

/* Send frame @number to where we are bound. */
static void send_to_ours(int fd, const struct endpoint *ep, uint32_t number)
{
	struct sockaddr_un ours = { .sun_family = AF_UNIX };
	uint8_t data[60] = { 0 };

	snprintf(ours.sun_path, sizeof(ours.sun_path), "%s", ep->local_path);
	put_be32(data, number);
	if (sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&ours, sizeof(ours)) < 0)
		perror("sendto");
}

/* Take what there is. Return: how many, in order from @first on; fewer when not. */
static unsigned take(int fd, uint32_t first)
{
	uint8_t data[2 * LEN];
	unsigned n = 0;

	while (recv(fd, data, sizeof(data), 0) == LEN && get_be32(data) == first + n)
		n++;
	return n;
}

static void test_sender(void)
{
	struct sockaddr_un from;
	socklen_t len = sizeof(from);
	struct endpoint ep;
	uint8_t data[LEN];
	int fd;

	begin_unixgram(&ep);
	fd = theirs();
	send_frames(1, 2);
	memset(&from, 0, sizeof(from));
	recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &len);
	ok_eq_str(from.sun_path, ep.local_path, "a frame comes from our path");
	/* As gvproxy does with the first one that it hears. */
	if (connect(fd, (struct sockaddr *)&from, len) < 0)
		perror("connect");
	ok(send(fd, data, sizeof(data), 0) == LEN, "who hears it can answer");
	turn_until_seen(1);
	ok_eq_int(rig.t.frames, 1, "and is heard");
	send_frames(3, 5);
	ok_eq_int(take(fd, 2), 6, "who is connected to us still gets frames");
	close(fd);
	fd = theirs();
	send_to_ours(fd, &ep, 7);
	turn_until_seen(2);
	ok_eq_int(rig.last, 7, "one started again may be the first to send");
	send_frames(1, 3);
	ok_eq_int(take(fd, 1), 3, "and gets all that is sent from then on");
	close(fd);
	port_free(rig.p);
	unlink(rig.theirs.sun_path);
}

/* Frames for one who is full wait, without turning in circles, and arrive in order. */
static void test_full(const char *what, bool is_connected, int buffer)
{
	struct sockaddr_un ours = { .sun_family = AF_UNIX };
	struct endpoint ep;
	unsigned sends, got = 0;
	int fd;

	begin_unixgram(&ep);
	fd = theirs();
	snprintf(ours.sun_path, sizeof(ours.sun_path), "%s", ep.local_path);
	if (is_connected && connect(fd, (struct sockaddr *)&ours, sizeof(ours)) < 0)
		perror("connect");
	if (buffer)
		setsockopt(rig.p->rd.fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	for (uint32_t i = 0; i < 10; i++)
		send_frames(1 + i * 50, 50);
	ok(rig.p->queue.frames > 200, "%s: frames wait", what);
	turns(&rig.t.loop, 3);
	sends = rig.sends;
	turns(&rig.t.loop, 20);
	ok_eq_int(rig.sends, sends, "%s: nobody tries before there is room", what);
	for (unsigned i = 0; i < 1000 && got < 500; i++) {
		got += take(fd, got + 1);
		turns(&rig.t.loop, 1);
	}
	ok_eq_int(got, 500, "%s: all arrive in order", what);
	close(fd);
	port_free(rig.p);
	unlink(rig.theirs.sun_path);
}

static void test_path_removed(void)
{
	struct endpoint ep;
	int fd, rival;
	struct sockaddr_un ours = { .sun_family = AF_UNIX };

	begin_unixgram(&ep);
	fd = theirs();
	unlink(ep.local_path);
	turns(&rig.t.loop, 1);
	dgram_of(rig.p)->timer.fn(&dgram_of(rig.p)->timer);
	ok_eq_int(rig.p->state, PORT_WAITING, "our path is removed: the port is not up");
	turn_until_state(PORT_UP, PATIENCE_MS);
	send_to_ours(fd, &ep, 9);
	turn_until_seen(1);
	ok_eq_int(rig.last, 9, "and is there again");

	rival = socket(AF_UNIX, SOCK_DGRAM, 0);
	snprintf(ours.sun_path, sizeof(ours.sun_path), "%s", ep.local_path);
	unlink(ep.local_path);
	if (bind(rival, (struct sockaddr *)&ours, sizeof(ours)) < 0)
		perror("bind");
	dgram_of(rig.p)->timer.fn(&dgram_of(rig.p)->timer);
	for (int i = 0; i < 3; i++) {
		rig.p->retry.fn(&rig.p->retry);
		timer_cancel(&rig.t.loop, &rig.p->retry);
	}
	ok_eq_int(rig.p->state, PORT_WAITING, "another's in its place is left to it");
	ok(access(ep.local_path, F_OK) == 0, "and is still there");
	close(rival);
	port_start(rig.p);
	ok_eq_int(rig.p->state, PORT_UP, "until it is abandoned");
	close(fd);
	port_free(rig.p);
	unlink(rig.theirs.sun_path);
}

/* ---- UDP ---- */

/* A socket of the loopback, at a port that nobody has. */
static int loopback(struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	memset(addr, 0, sizeof(*addr));
	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)addr, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)addr, &len) < 0)
		exit(1);
	return fd;
}

/* A stranger's frame, and one of the peer's, to a port that is about to be connected. */
static void test_strangers(void)
{
	struct sockaddr_in self;
	struct endpoint ep;
	char text[128];
	int fd = socket(AF_INET, SOCK_DGRAM, 0), peer = loopback(&self);

	/* The same port at another address. */
	snprintf(text, sizeof(text), "udp:127.0.0.1:%u,local=127.0.0.2:%u",
		 ntohs(self.sin_port), ntohs(self.sin_port));
	read_endpoint(&ep, text);
	early.to = self;
	early.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	early.stranger = fd;
	early.peer = peer;
	begin(&ep, port_udp_new(&ep, &rig.t.env));
	turn_until_seen(1);
	ok(rig.p->state == PORT_UP && rig.last == 7, "the peer's frame is taken");
	ok_eq_int(rig.t.frames, 1, "and none that a stranger sent before");
	port_free(rig.p);
	close(fd);
	close(peer);
	early.stranger = early.peer = 0;
}

/* The kernel takes 0.0.0.0 for the address that it sends from. */
static void test_any_peer(void)
{
	struct sockaddr_in theirs, ours;
	struct endpoint ep;
	char text[128];
	uint8_t data[60] = { 0 };
	int fd = loopback(&theirs), own = loopback(&ours);

	close(own);
	snprintf(text, sizeof(text), "udp:0.0.0.0:%u,local=127.0.0.1:%u",
		 ntohs(theirs.sin_port), ntohs(ours.sin_port));
	read_endpoint(&ep, text);
	begin(&ep, port_udp_new(&ep, &rig.t.env));
	if (sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&ours, sizeof(ours)) < 0)
		perror("sendto");
	turn_until_seen(1);
	ok_eq_int(rig.t.frames, 1, "who is called 0.0.0.0 is no stranger");
	port_free(rig.p);
	close(fd);
}

/* ---- an inherited macvtap ---- */

/* Nothing but the kernel's answer to that question tells. */
static void test_macvtap(void)
{
	struct tap_dev link = { .fd = eventfd(0, EFD_NONBLOCK),
				.name = "tap0",
				.mtu = 1500 };
	struct endpoint ep;

	read_endpoint(&ep, "fd:3");
	begin(&ep, port_tap_from_fd(&link, &ep, &rig.t.env, O_RDWR));
	turn_until_state(PORT_ENDED, 2500);
	ok_eq_int(rig.p->state, PORT_UP, "a macvtap that is there stays");
	is_deleted = true;
	turn_until_state(PORT_ENDED, 2500);
	ok_eq_int(rig.p->state, PORT_ENDED, "one that was deleted ends: %s", rig.p->why);
	port_free(rig.p);
	is_deleted = false;
}

static void set_up(void)
{
	if (!mkdtemp(dir))
		exit(1);
	taker_init(&rig.t, see_frame);
	signal(SIGPIPE, SIG_IGN);
}

int main(void)
{
	alarm(ALARM_S);
	set_up();
	test_sender();
	test_full("a peer that does not read", false, 0);
	test_full("one connected to us", true, 8192);
	test_full("our own buffer", false, 4096);
	test_path_removed();
	test_strangers();
	test_any_peer();
	test_macvtap();
	ok_eq_int(rmdir(dir), 0, "nothing is left behind");
	taker_free(&rig.t);
	return done();
}
