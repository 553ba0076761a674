/* SPDX-License-Identifier: MIT */
/*
 * Every driver on a kernel that refuses: with its peer there, a port is opened and
 * frames pass both ways, while the first, the second, and so on, of each system call
 * fails once. Whatever it is, the port either passes frames in the end or has ended,
 * it has said why each time it went down, and no descriptor is left of it.
 *
 * In a network namespace of its own, with the real helper; where none can be made,
 * nothing is checked, and TAP says so.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/un.h>

#include "helper/helper.h"
#include "lib/fault.h"
#include "lib/netns.h"
#include "lib/quiet.h"
#include "lib/sockets.h"
#include "lib/taker.h"
#include "lib/tap.h"
#include "lib/turn.h"
#include "net/links.h"
#include "port/driver.h"

#define ALARM_S 300 /* the end of a test that would wait for ever */
#define LIMIT_MS 10000
#define LEN 60

/*
 * A driver and what is at its other end.
 * @text:  the endpoint; FD stands for a descriptor's number
 * @begin: the peer comes into being: rig.fd, rig.listener
 * @is_named: as the one before, but for the helper, which finds the address
 */
struct kind {
	const char *name, *text;
	void (*begin)(void);
	void (*end)(void);
	bool is_stream, is_echo, is_named;
	const char *device;
};

/*
 * @fd:       the peer's: what it sends and hears by; -1: not yet
 * @listener: where it accepts that from; -1
 * @own:      the descriptor that the port is made from; -1
 */
static struct {
	const struct kind *kind;
	struct taker taker;
	struct links links;
	struct helper helper;
	struct endpoint ep;
	struct port *port;
	int fd, listener, own, std[2];
	unsigned device;
	bool is_heard, is_brought;
	char fault[PORT_WHY_MAX + 64];
} rig;

static char dir[] = "/tmp/driver-fault-test.XXXXXX";
static uint8_t frame[LAYOUT_PREFIX + LEN] = { 0,    0,	  0,	LEN,  [4] = 0xff, 0xff,
					      0xff, 0xff, 0xff, 0xff, 0x52,	  0x54,
					      0,    0,	  0,	1,    0x88,	  0xb5 };

/* ---- what stands at the other end ---- */

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static struct sockaddr_un path_of(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", dir, name);
	return addr;
}

static int bound(int family, int type, const void *addr, socklen_t len)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (bind(fd, addr, len) < 0)
		abort();
	if (type == SOCK_STREAM && listen(fd, 8) < 0)
		abort();
	return fd;
}

static void begin_tcp(void)
{
	struct sockaddr_in addr = loopback(5001);

	rig.listener = bound(AF_INET, SOCK_STREAM, &addr, sizeof(addr));
}

static void begin_unix(void)
{
	struct sockaddr_un addr = path_of("peer");

	rig.listener = bound(AF_UNIX, SOCK_STREAM, &addr, sizeof(addr));
}

static void begin_udp(void)
{
	struct sockaddr_in addr = loopback(5001), port = loopback(5002);

	rig.fd = bound(AF_INET, SOCK_DGRAM, &addr, sizeof(addr));
	socket_join(rig.fd, &port);
}

static void begin_unixgram(void)
{
	struct sockaddr_un addr = path_of("peer");

	rig.fd = bound(AF_UNIX, SOCK_DGRAM, &addr, sizeof(addr));
}

/* One socket to hear by; the port tells its own frames by where they come from. */
static void begin_mcast(void)
{
	struct sockaddr_in addr = loopback(5001);
	struct ip_mreq mreq = { .imr_interface = addr.sin_addr };

	addr.sin_addr.s_addr = inet_addr("230.0.0.1");
	mreq.imr_multiaddr = addr.sin_addr;
	rig.fd = bound(AF_INET, SOCK_DGRAM, &addr, sizeof(addr));
	if (setsockopt(rig.fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)) < 0 ||
	    setsockopt(rig.fd, IPPROTO_IP, IP_MULTICAST_IF, &mreq.imr_interface,
		       sizeof(mreq.imr_interface)) < 0)
		abort();
}

static void begin_pair(int type)
{
	int fds[2];

	sockets_pair(type, fds);
	rig.fd = fds[0];
	rig.own = fds[1];
}

static void begin_stream(void)
{
	begin_pair(SOCK_STREAM);
}

static void begin_dgram(void)
{
	begin_pair(SOCK_DGRAM);
}

static void begin_packets(void)
{
	begin_pair(SOCK_SEQPACKET);
}

static void begin_stdio(void)
{
	begin_stream();
	for (int fd = 0; fd < 2; fd++) {
		rig.std[fd] = dup(fd);
		dup2(rig.own, fd);
	}
	close(rig.own);
	rig.own = -1;
}

static void end_stdio(void)
{
	for (int fd = 0; fd < 2; fd++) {
		dup2(rig.std[fd], fd);
		close(rig.std[fd]);
	}
}

static void begin_nothing(void)
{
}

static const struct kind kinds[] = {
	{ "tcp", "tcp:127.0.0.1:5001", .begin = begin_tcp, .is_stream = true },
	{ "tcp by name", "tcp:localhost:5001", .begin = begin_tcp, .is_stream = true,
	  .is_named = true },
	{ "unix", "unix:DIR/peer", .begin = begin_unix, .is_stream = true },
	{ "udp", "udp:127.0.0.1:5001,local=127.0.0.1:5002", .begin = begin_udp },
	{ "udp by name", "udp:localhost:5001,local=127.0.0.1:5002", .begin = begin_udp,
	  .is_named = true },
	{ "unixgram", "unixgram:DIR/peer,local=DIR/own", .begin = begin_unixgram },
	{ "mcast", "mcast:230.0.0.1:5001,if=127.0.0.1", .begin = begin_mcast },
	{ "exec", "exec:exec cat", .begin = begin_nothing, .is_stream = true,
	  .is_echo = true },
	{ "fd of a stream", "fd:FD", .begin = begin_stream, .is_stream = true },
	{ "fd of datagrams", "fd:FD", .begin = begin_dgram },
	{ "fd of packets", "fd:FD", .begin = begin_packets },
	{ "accepted", "tcp-listen:5001", .begin = begin_stream, .is_stream = true },
	{ "stdio", "-", .begin = begin_stdio, .end = end_stdio, .is_stream = true },
	{ "tap", "tap:faulttap", .begin = begin_nothing, .device = "faulttap" },
	{ "bridge", "bridge:faultbr,tap=faulttap", .begin = begin_nothing,
	  .device = "faultbr" },
};

/* ---- frames there and back ---- */

static void on_frame(const struct frame *f)
{
	if (f->len < LEN || memcmp(f->data, frame + LAYOUT_PREFIX, LEN))
		return;
	rig.is_brought = true;
	rig.is_heard |= rig.kind->is_echo;
}

static void on_changed(struct port *p, void *arg)
{
	(void)arg;
	if (p->state == PORT_WAITING && !p->why[0])
		snprintf(rig.fault, sizeof(rig.fault), "it went down and said not why");
	loop_stop(p->env->loop);
}

/* Where the other end is by now. */
static void find_peer(void)
{
	int fd;

	if (rig.listener >= 0) {
		while ((fd = accept4(rig.listener, NULL, NULL,
				     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
			if (rig.fd >= 0)
				close(rig.fd);
			rig.fd = fd;
		}
	}
	if (rig.kind->device &&
	    (rig.fd < 0 || rig.device != if_nametoindex(rig.kind->device))) {
		if (rig.fd >= 0)
			close(rig.fd);
		rig.fd = netns_packet_socket(rig.kind->device);
		rig.device = if_nametoindex(rig.kind->device);
	}
}

/* What can't be sent or received is lost: there will be more. */
static void peer_speaks(void)
{
	const uint8_t *data = rig.kind->is_stream ? frame : frame + LAYOUT_PREFIX;
	size_t len = rig.kind->is_stream ? sizeof(frame) : LEN;
	struct sockaddr_un own = path_of("own");
	struct sockaddr_in group = loopback(5001);
	uint8_t heard[2 * sizeof(frame)];
	ssize_t n;

	if (rig.fd < 0)
		return;
	group.sin_addr.s_addr = inet_addr("230.0.0.1");
	if (rig.kind->begin == begin_unixgram)
		sendto(rig.fd, data, len, MSG_NOSIGNAL, (void *)&own, sizeof(own));
	else if (rig.kind->begin == begin_mcast)
		sendto(rig.fd, data, len, MSG_NOSIGNAL, (void *)&group, sizeof(group));
	else
		send(rig.fd, data, len, MSG_NOSIGNAL);
	/* Its own, too, of a group. */
	while ((n = recv(rig.fd, heard, sizeof(heard), MSG_DONTWAIT)) > 0)
		rig.is_heard |= heard[n - 1] == 0xaa;
}

static void port_speaks(void)
{
	static uint8_t own[sizeof(frame)];
	const struct frame f = { .data = own + LAYOUT_PREFIX,
				 .len = LEN,
				 .layout = LAYOUT_STREAM,
				 .gap = LAYOUT_PREFIX };

	memcpy(own, frame, sizeof(own));
	/* An echo is compared as a whole. */
	own[sizeof(own) - 1] = rig.kind->is_echo ? 0 : 0xaa;
	port_send(rig.port, &f);
	port_flush(rig.port);
}

/* The test's own calls are not counted, nor do they fail. */
static void without_fault(void (*fn)(void))
{
	bool was_armed = fault.is_armed;

	fault.is_armed = false;
	fn();
	fault.is_armed = was_armed;
}

/* What can't be opened at first may be a mistake in the set-up. */
static bool may_end(const struct port *p)
{
	bool is_mistake = p->is_mistake || p->ops->open_error_is_fatal;

	return p->ops->one_shot || (is_mistake && !p->was_up);
}

/* Until frames have passed both ways, or the port has ended. */
static void pass_frames(void)
{
	uint64_t end = loop_now() + LIMIT_MS;
	struct port *p = rig.port;

	while (!(rig.is_heard && rig.is_brought) && p->state != PORT_ENDED) {
		if (loop_now() > end) {
			snprintf(rig.fault, sizeof(rig.fault), "%s for ever: %s",
				 port_state_name(p->state), p->why);
			return;
		}
		if (p->state == PORT_WAITING)
			port_retry_now(p);
		if (p->state == PORT_UP)
			port_speaks();
		without_fault(find_peer);
		without_fault(peer_speaks);
		turn_for(&rig.taker.loop, 1);
	}
	if (p->state == PORT_ENDED && !may_end(p))
		snprintf(rig.fault, sizeof(rig.fault), "it ended: %s", p->why);
	if (p->state == PORT_ENDED && !p->why[0])
		snprintf(rig.fault, sizeof(rig.fault), "it ended and said not why");
}

/* ---- one port, and one call that fails ---- */

static void replace(char *text, size_t size, const char *form, const char *what,
		    const char *with)
{
	const char *at;

	text[0] = '\0';
	for (; (at = strstr(form, what)); form = at + strlen(what)) {
		size_t len = strlen(text);

		snprintf(text + len, size - len, "%.*s%s", (int)(at - form), form, with);
	}
	snprintf(text + strlen(text), size - strlen(text), "%s", form);
}

static void parse(const char *form)
{
	char text[512], number[16], why[256];

	snprintf(number, sizeof(number), "%d", rig.own);
	replace(text, sizeof(text), form, "DIR", dir);
	form = strdup(text);
	replace(text, sizeof(text), form, "FD", number);
	free((void *)(uintptr_t)form);
	if (endpoint_parse(&rig.ep, text, why, sizeof(why)) < 0)
		abort();
}

static void begin(const struct kind *kind)
{
	rig.kind = kind;
	rig.fd = rig.listener = rig.own = -1;
	rig.device = 0;
	rig.is_heard = rig.is_brought = false;
	rig.fault[0] = '\0';
	kind->begin();
	parse(kind->text);
}

static void end(void)
{
	if (rig.fd >= 0)
		close(rig.fd);
	if (rig.listener >= 0)
		close(rig.listener);
	if (rig.kind->end)
		rig.kind->end();
	unlink(path_of("peer").sun_path);
	unlink(path_of("own").sun_path);
}

/* A helper that the port has lost is started again, with one descriptor, as before. */
static void await_helper(void)
{
	turn_until(&rig.taker.loop, LIMIT_MS,
		   rig.helper.pid > 0 && rig.helper.watch.fd >= 0);
}

static struct port *make_port(void)
{
	const struct driver *d = driver_of(&rig.ep);
	int fd = rig.own;

	if (d->dial)
		return d->dial(&rig.ep, &rig.taker.env);
	rig.own = -1; /* the port's, also on error */
	return d->accept(&rig.ep, fd, "accepted", &rig.taker.env);
}

/* Return: whether the call came to be made. */
static bool run(const struct kind *kind, enum fault_call call, unsigned at, int err)
{
	unsigned before = fault_open_fds(), after;
	bool is_hit;

	begin(kind);
	errno = 0;
	fault_arm(call, at, err);
	rig.port = make_port();
	if (rig.port) {
		port_start(rig.port);
		pass_frames();
	} else if (!errno) {
		snprintf(rig.fault, sizeof(rig.fault), "no port, and no reason");
	}
	is_hit = fault_disarm();
	if (rig.port && rig.port->state != PORT_ENDED)
		port_end(rig.port);
	turn_for(&rig.taker.loop, 0);
	if (rig.port)
		port_free(rig.port);
	/* Inherited, it is whoever's who passed it, if no port could be made of it. */
	if (rig.own >= 0 && !rig.port)
		close(rig.own);
	end();
	await_helper();
	after = fault_open_fds();
	if (!rig.fault[0] && after != before)
		snprintf(rig.fault, sizeof(rig.fault), "%u descriptors became %u", before,
			 after);
	return is_hit;
}

static void sweep_call(const struct kind *kind, enum fault_call call, int err)
{
	unsigned at = 1;

	while (run(kind, call, at, err) && !rig.fault[0])
		at++;
	ok(!rig.fault[0], "%s: any %s() may fail: %s%s%s", kind->name, fault_name(call),
	   strerror(err), rig.fault[0] ? ": " : "", rig.fault);
	if (rig.fault[0])
		printf("# call number %u\n", at);
}

/*
 * The error that a call is to fail with besides ENOMEM, which passes; 0: none. What
 * takes seconds is left out: a stream that can't be written is read for three more
 * (stream-fault-test.c has that), and a helper that was lost comes back ever later.
 */
static int refusal_of(const struct kind *kind, enum fault_call call)
{
	if (call == FAULT_writev || kind->is_named || kind->begin == begin_nothing)
		return 0;
	return call >= FAULT_send && call < FAULT_writev ? EACCES : 0;
}

static void sweep(const struct kind *kind)
{
	unsigned seen[FAULT_CALLS];

	run(kind, FAULT_NONE, 0, 0);
	if (!ok(!rig.fault[0], "%s: frames pass%s%s", kind->name,
		rig.fault[0] ? ": " : "", rig.fault))
		return;
	memcpy(seen, fault.seen, sizeof(seen));
	for (enum fault_call call = FAULT_NONE + 1; call < FAULT_CALLS; call++) {
		bool is_helpers = call == FAULT_send || call == FAULT_recvmsg;

		if (!seen[call] || (kind->is_named && !is_helpers))
			continue;
		sweep_call(kind, call, ENOMEM);
		if (refusal_of(kind, call))
			sweep_call(kind, call, refusal_of(kind, call));
	}
}

int main(int argc, char **argv)
{
	static const struct port_host host = { taker_readable, fake_heard_nothing,
					       on_changed };

	if (!netns_enter()) {
		printf("1..0 # SKIP no network namespace: %s\n", strerror(errno));
		return 0;
	}
	quiet();
	alarm(ALARM_S);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* Making and removing one takes long. */
	if (!netns_bridge("faultbr"))
		return 1;
	if (!mkdtemp(dir) || helper_start(&rig.helper, NULL) < 0)
		return 1;
	taker_init(&rig.taker, on_frame);
	if (helper_attach(&rig.helper, &rig.taker.loop) < 0)
		return 1;
	links_init(&rig.links, &rig.taker.loop);
	if (links_seal(&rig.links, true) < 0)
		return 1;
	rig.taker.env.host = &host;
	rig.taker.env.helper = &rig.helper;
	rig.taker.env.links = &rig.links;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (argc < 2 || !strcmp(argv[1], kinds[i].name))
			sweep(&kinds[i]);
	helper_stop(&rig.helper);
	links_free(&rig.links);
	taker_free(&rig.taker);
	rmdir(dir);
	return done();
}
