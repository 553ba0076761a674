/* SPDX-License-Identifier: MIT */
/*
 * For tests of vhost-user's back end: a hub that listens for guests, in a folder of its own,
 * and guests that come to it. All run in this thread: whoever waits turns the relay's loop.
 *
 *	a ----.
 *	b ----+---- hub
 *	bad --'
 */
#ifndef LIB_VHOST_RIG_H
#define LIB_VHOST_RIG_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/alarm.h"
#include "lib/random.h"
#include "lib/said.h"
#include "lib/tap.h"
#include "lib/turn.h"
#include "lib/vhost-guest.h"
#include "relay/relay.h"
#include "vhost/device.h"
#include "vhost/memory.h"

#define RIG_MS 10000 /* for what a test waits for */
#define RIG_LIMIT_S 300

static struct {
	struct loop loop;
	struct relay relay;
	struct endpoint ep;
} rig;

static char rig_dir[] = "/tmp/vhost-rig.XXXXXX";

#define rig_until(cond) turn_until(&rig.loop, RIG_MS, cond)

static inline void rig_idle(void *arg)
{
	(void)arg;
	turn_when_ready(&rig.loop, 1);
}

/* rig_sleeps() - Whether nothing is ready soon: the relay waits until something comes. */
static inline bool rig_sleeps(void)
{
	struct pollfd p = { .fd = rig.loop.epfd, .events = POLLIN };

	for (unsigned i = 0; i < 200; i++) {
		turn(&rig.loop);
		if (!rig.loop.always && poll(&p, 1, 0) == 0)
			return true;
	}
	return false;
}

/* ---- the relay ---- */

/* The end of a test that would wait for ever. Of alarm() there is one, which is the program's. */
static inline void rig_limit(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	struct itimerspec at = { .it_value.tv_sec = RIG_LIMIT_S };
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 ||
	    timer_settime(timer, 0, &at, NULL) < 0)
		abort();
}

/* rig_prepare() - Once: a folder to be in, and what the program does as it starts. */
static inline void rig_prepare(void)
{
	rig_limit();
	signal(SIGPIPE, SIG_IGN);
	said_begin();
	memory_guard();
	alarm_init();
	if (!mkdtemp(rig_dir) || chdir(rig_dir) < 0 || loop_init(&rig.loop) < 0)
		abort();
}

static inline void rig_add(const char *text)
{
	char why[512];

	if (endpoint_parse(&rig.ep, text, why, sizeof(why)) == 0 &&
	    relay_add(&rig.relay, &rig.ep, why, sizeof(why)) == 0)
		return;
	printf("Bail out! %s: %s\n", text, why);
	exit(1);
}

/* rig_begin() - A hub, with a listener for guests at "s". */
static inline void rig_begin(void)
{
	if (relay_init(&rig.relay, &rig.loop, NULL, RELAY_HUB, NULL) < 0)
		abort();
	rig_add("vhost-user-listen:s");
	relay_set_running(&rig.relay);
	turns(&rig.loop, 2);
	is_silent();
}

static inline void rig_end(void)
{
	relay_free(&rig.relay);
	turn(&rig.loop);
	unlink("s");
}

/* rig_finish() - The end of all tests. Return: as done(). */
static inline int rig_finish(void)
{
	loop_free(&rig.loop);
	if (chdir("/") < 0 || rmdir(rig_dir) < 0)
		printf("# %s: not empty\n", rig_dir);
	return done();
}

/* rig_ports() - How many ports there are that have not ended. */
static inline unsigned rig_ports(void)
{
	unsigned n = 0;

	for (struct member *m = rig.relay.forward.members.first; m; m = m->next)
		n += m->port->state != PORT_ENDED;
	return n;
}

/* rig_ups() - How many of them are of use: up, and not awaiting their peer. */
static inline unsigned rig_ups(void)
{
	unsigned n = 0;

	for (struct member *m = rig.relay.forward.members.first; m; m = m->next)
		n += port_state_shown(m->port) == PORT_UP;
	return n;
}

/* ---- guests ---- */

/* rig_dial() - Connect to the listener at @path. Return: the socket. */
static inline int rig_dial(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		abort();
	return fd;
}

/* rig_guest() - A guest with all that @config has comes and starts. Return: 0 or -errno. */
static inline int rig_guest(struct front *f, struct front_config config)
{
	unsigned before = rig_ups();
	int ret;

	config.idle = rig_idle;
	front_init(f, &config);
	ret = front_start(f, rig_dial("s"));
	if (!ret && config.buffer)
		guest_refill(f);
	if (!ret)
		rig_until(rig_ups() > before);
	return ret;
}

/* rig_leave() - It goes, and its port ends. */
static inline void rig_leave(struct front *f)
{
	unsigned before = rig_ports();

	if (f->sock >= 0) {
		front_hang_up(f);
		rig_until(rig_ports() < before);
	}
	front_free(f);
	turns(&rig.loop, 2);
	is_silent();
}

/* rig_was_left() - Whether the back end closes the connection. */
static inline bool rig_was_left(struct front *f)
{
	struct wire_message m;
	int ret = -EAGAIN;

	rig_until((ret = wire_receive(f->sock, &m)) == -ECONNRESET);
	return ret == -ECONNRESET;
}

/* ---- frames ---- */

static uint8_t rig_frame[GUEST_FRAME_MAX], rig_got[GUEST_FRAME_MAX];

/* rig_make() - A frame to everybody of @len bytes, others for each @number. Return: it. */
static inline const uint8_t *rig_make(uint32_t len, uint32_t number)
{
	static const uint8_t head[14] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52,
					  0x54, 0,    0,    0,	  1,	0x88, 0xb5 };

	for (uint32_t i = 14; i < len; i++)
		rig_frame[i] = (uint8_t)((i + number) * 2654435761u >> 13);
	memcpy(rig_frame, head, sizeof(head));
	return rig_frame;
}

/* rig_is() - Whether what was received is that frame, as it is on its way to a guest. */
static inline bool rig_is(const uint8_t *got, uint32_t len, uint32_t sent,
			  uint32_t number)
{
	const uint8_t *want = rig_make(sent, number);

	if (len != (sent < 60 ? 60 : sent) || memcmp(got, want, sent) != 0)
		return false;
	for (uint32_t i = sent; i < len; i++)
		if (got[i])
			return false;
	return true;
}

static inline bool rig_blame(const char *who, const struct vring *r)
{
	if (r->fault)
		printf("# %s: %s\n", who, r->fault);
	return r->fault;
}

static inline bool rig_has_fault(const struct front *f)
{
	return rig_blame("the ring to receive", &f->ring[FRONT_RX]) ||
	       rig_blame("the ring to send", &f->ring[FRONT_TX]);
}

/* rig_await() - The next frame that comes to @f, at rig_got. Return: its length; 0: none came. */
static inline uint32_t rig_await(struct front *f, struct guest_header *h)
{
	uint32_t len = 0;

	memset(h, 0, sizeof(*h));
	rig_until((len = guest_receive(f, rig_got, h)) || f->ring[FRONT_RX].fault);
	return rig_has_fault(f) ? 0 : len;
}

/* rig_passes() - Whether a frame of @len bytes goes from @from to @to, which has buffers. */
static inline bool rig_passes(struct front *from, struct front *to, uint32_t len,
			      uint32_t number)
{
	struct guest_header h;
	uint32_t got;

	if (!guest_send(from, rig_make(len, number), len))
		return false;
	got = rig_await(to, &h);
	if (!rig_is(rig_got, got, len, number)) {
		printf("# of %u bytes, %u came\n", len, got);
		return false;
	}
	guest_refill(to);
	rig_until(guest_reap(from) || from->ring[FRONT_TX].fault);
	return !rig_has_fault(from);
}

#endif
