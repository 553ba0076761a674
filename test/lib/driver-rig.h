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
#ifndef LIB_DRIVER_RIG_H
#define LIB_DRIVER_RIG_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/un.h>

#include "base/passing.h"
#include "helper/helper.h"
#include "lib/fault.h"
#include "lib/netns.h"
#include "lib/quiet.h"
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
 * @to:       where the peer sends to, of @to_len bytes; 0: its socket is connected
 */
static struct {
	const struct kind *kind;
	struct taker taker;
	struct links links;
	struct helper helpers[HELPER_OPS];
	struct endpoint ep;
	struct port *port;
	int fd, listener, own, std[2];
	unsigned device;
	struct sockaddr_storage to;
	socklen_t to_len;
	bool is_heard, is_brought;
	char fault[PORT_WHY_MAX + 64];
} rig;

static char rig_dir[] = "/tmp/driver-rig.XXXXXX";
static uint8_t frame[LAYOUT_PREFIX + LEN] = { 0,    0,	  0,	LEN,  [4] = 0xff, 0xff,
					      0xff, 0xff, 0xff, 0xff, 0x52,	  0x54,
					      0,    0,	  0,	1,    0x88,	  0xb5 };

static struct sockaddr_un path_of(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", rig_dir, name);
	return addr;
}

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
	uint8_t heard[2 * sizeof(frame)];
	ssize_t n;

	if (rig.fd < 0)
		return;
	sendto(rig.fd, data, len, MSG_NOSIGNAL,
	       rig.to_len ? (struct sockaddr *)&rig.to : NULL, rig.to_len);
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

/* What can't be opened at first may be a mistake in the set-up; a shortage is none. */
static bool may_end(const struct port *p)
{
	bool is_mistake = p->is_mistake || p->ops->open_error_is_fatal;

	return p->ops->one_shot ||
	       (is_mistake && !p->was_up && !passing_error(p->why_err, false));
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

	/* The directory comes last: its random name may have an "FD" in it. */
	snprintf(number, sizeof(number), "%d", rig.own);
	replace(text, sizeof(text), form, "FD", number);
	form = strdup(text);
	replace(text, sizeof(text), form, "DIR", rig_dir);
	free((void *)(uintptr_t)form);
	if (endpoint_parse(&rig.ep, text, why, sizeof(why)) < 0)
		abort();
}

static void begin(const struct kind *kind)
{
	rig.kind = kind;
	rig.fd = rig.listener = rig.own = -1;
	rig.device = 0;
	rig.to_len = 0;
	rig.is_heard = rig.is_brought = false;
	rig.fault[0] = '\0';
	if (kind->begin)
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

static void on_answer(struct helper_call *call, const struct helper_answer *answer,
		      int fd)
{
	(void)call;
	if (answer->life >= 0)
		close(answer->life);
	if (fd >= 0)
		close(fd);
}

/*
 * A helper that the port has lost is started again, with one descriptor, as before. Once
 * it answers, it has closed all that it was forked with: the peer's sockets, too.
 */
static void await_helper(enum helper_op op, pid_t before)
{
	struct helper *h = &rig.helpers[op];
	struct helper_request req = { .op = op };
	struct helper_call call = { 0 };

	turn_until(&rig.taker.loop, LIMIT_MS, !h->again.is_set);
	if (before && h->pid == before)
		return;
	if (op == HELPER_RESOLVE)
		snprintf(req.resolve.addr.host, sizeof(req.resolve.addr.host),
			 "127.0.0.1");
	else if (op == HELPER_SPAWN)
		snprintf(req.command, sizeof(req.command), "exit 0");
	else
		snprintf(req.attach.bridge, sizeof(req.attach.bridge), "none");
	req.resolve.type = SOCK_STREAM;
	if (helper_ask(rig.helpers, &call, &req, on_answer) < 0)
		abort();
	turn_until(&rig.taker.loop, LIMIT_MS, !call.is_waiting);
	helper_forget(&call);
}

static void await_helpers(const pid_t before[HELPER_OPS])
{
	for (unsigned op = 0; op < HELPER_OPS; op++)
		await_helper((enum helper_op)op, before[op]);
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

static void run(const struct kind *kind, enum fault_call call, unsigned at, int err)
{
	unsigned before = fault_open_fds(), after;
	pid_t pids[HELPER_OPS];

	for (unsigned op = 0; op < HELPER_OPS; op++)
		pids[op] = rig.helpers[op].pid;
	begin(kind);
	/* If one is lost, it counts as one that has lived for long, and is replaced at once. */
	for (unsigned op = 0; op < HELPER_OPS; op++)
		rig.helpers[op].since = 0;
	errno = 0;
	fault_arm(call, at, err);
	rig.port = make_port();
	if (rig.port) {
		port_start(rig.port);
		pass_frames();
	} else if (!errno) {
		snprintf(rig.fault, sizeof(rig.fault), "no port, and no reason");
	}
	fault_disarm();
	if (rig.port && rig.port->state != PORT_ENDED)
		port_end(rig.port);
	turn_for(&rig.taker.loop, 0);
	if (rig.port)
		port_free(rig.port);
	/* Inherited, it is whoever's who passed it, if no port could be made of it. */
	if (rig.own >= 0 && !rig.port)
		close(rig.own);
	end();
	await_helpers(pids);
	after = fault_open_fds();
	if (!rig.fault[0] && after != before)
		snprintf(rig.fault, sizeof(rig.fault), "%u descriptors became %u", before,
			 after);
}

/* @calls: how many there are when none fails */
static void sweep_call(const struct kind *kind, enum fault_call call, unsigned calls,
		       int err)
{
	unsigned at = 0;

	do {
		run(kind, call, ++at, err);
	} while (at < calls && !rig.fault[0]);
	ok(!rig.fault[0], "%s: any %s() may fail: %s%s%s", kind->name, fault_name(call),
	   strerror(err), rig.fault[0] ? ": " : "", rig.fault);
	if (rig.fault[0])
		printf("# call number %u\n", at);
}

/*
 * The error that a call is to fail with besides ENOMEM, which passes; 0: none. What
 * takes seconds is left out: a stream that can't be written is read for three more,
 * which stream-fault-test.c has.
 */
static int refusal_of(enum fault_call call)
{
	if (call == FAULT_writev)
		return 0;
	return call >= FAULT_send && call < FAULT_writev ? EACCES : 0;
}

/* sweep() - All calls of one driver, each as often as it is made. */
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
		sweep_call(kind, call, seen[call], ENOMEM);
		if (refusal_of(call))
			sweep_call(kind, call, seen[call], refusal_of(call));
	}
}

/* rig_begin() - Get ready. Return: false after having said that nothing can be checked. */
static inline bool rig_begin(void)
{
	static const struct port_host host = { taker_readable, fake_heard_nothing,
					       on_changed };

	if (!netns_or_skip())
		return false;
	quiet();
	alarm(ALARM_S);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!mkdtemp(rig_dir))
		abort();
	taker_init(&rig.taker, on_frame);
	helper_init(rig.helpers, &rig.taker.loop, NULL);
	await_helpers((const pid_t[HELPER_OPS]){ 0 });
	links_init(&rig.links, &rig.taker.loop);
	if (links_seal(&rig.links, true) < 0)
		abort();
	rig.taker.env.host = &host;
	rig.taker.env.helpers = rig.helpers;
	rig.taker.env.links = &rig.links;
	return true;
}

/* rig_end() - All that rig_begin() made goes. */
static inline void rig_end(void)
{
	helper_stop(rig.helpers);
	taker_free(&rig.taker);
	rmdir(rig_dir);
}

#endif
