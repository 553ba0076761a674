/* SPDX-License-Identifier: MIT */
/*
 * For tests of vhost-user's back end: two guests who do as they should, and a bad one, whose
 * fate is told beforehand: its port ends, with one line, or its frame is lost and nothing
 * said, or either. In any case the others go on, and no descriptor is left.
 */
#ifndef LIB_VHOST_BAD_H
#define LIB_VHOST_BAD_H

#include <dirent.h>
#include <poll.h>

#include "lib/vhost-rig.h"
#include "relay/stats.h"

enum fate { ENDS, LIVES, EITHER };

static struct {
	struct front a, b, bad;
	uint32_t number;
	unsigned fds;
	const char *says;
} bad_rig;

static const struct front_config bad_usual = {
	.features = FRONT_PLAIN, .protocol = UINT64_MAX, .size = 64, .buffer = 2048
};

static inline unsigned bad_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

/* bad_begin() - The hub and the two who do as they should. */
static inline void bad_begin(void)
{
	rig_begin();
	if (rig_guest(&bad_rig.a, bad_usual) < 0 || rig_guest(&bad_rig.b, bad_usual) < 0)
		ok(false, "two guests are let in");
	bad_rig.fds = bad_open_fds();
}

static inline void bad_end(void)
{
	rig_leave(&bad_rig.a);
	rig_leave(&bad_rig.b);
	rig_end();
}

/* bad_comes() - The bad guest connects, and has not said a word yet. */
static inline struct front *bad_comes(void)
{
	struct front_config config = bad_usual;

	config.idle = rig_idle;
	front_init(&bad_rig.bad, &config);
	bad_rig.bad.sock = rig_dial("s");
	rig_until(rig_ports() == 3);
	is_silent();
	return &bad_rig.bad;
}

/* bad_starts() - It has begun as all do, with those features. */
static inline struct front *bad_starts_with(uint64_t features)
{
	struct front_config config = bad_usual;

	config.features = features;
	if (rig_guest(&bad_rig.bad, config) < 0)
		ok(false, "the bad guest is let in");
	is_silent();
	return &bad_rig.bad;
}

static inline struct front *bad_starts(void)
{
	return bad_starts_with(FRONT_PLAIN);
}

static inline unsigned bad_lines(char text[SAID_MAX])
{
	unsigned n = 0;

	said_read(text);
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		n++;
	return n;
}

/* What the bad one gets is thrown away, and what was given back. */
static inline void bad_drain(struct front *f)
{
	struct guest_header h;

	while (guest_receive(f, rig_got, &h))
		guest_refill(f);
	guest_reap(f);
}

/* Whether that frame is among those that have come; all up to it are taken. */
static inline bool bad_has_got(struct front *f, uint32_t len, uint32_t number)
{
	struct guest_header h;
	uint32_t got;

	while ((got = guest_receive(f, rig_got, &h))) {
		guest_refill(f);
		if (rig_is(rig_got, got, len, number))
			return true;
	}
	return false;
}

/*
 * Frames of the others pass both ways, whether or not the bad one sends. What it sends may
 * come in between.
 */
static inline bool bad_hears(struct front *from, struct front *to)
{
	uint32_t number = ++bad_rig.number, len = 60 + number % 1400;

	guest_send(from, rig_make(len, number), len);
	rig_until(bad_has_got(to, len, number) || to->ring[FRONT_RX].fault);
	rig_until(guest_reap(from) || from->ring[FRONT_TX].fault);
	bad_drain(from);
	return !rig_has_fault(from) && !rig_has_fault(to);
}

/* bad_others_go_on() - Whether they do. */
static inline bool bad_others_go_on(void)
{
	return bad_hears(&bad_rig.a, &bad_rig.b) && bad_hears(&bad_rig.b, &bad_rig.a);
}

static inline bool bad_is_left(void)
{
	struct pollfd p = { .fd = bad_rig.bad.sock, .events = POLLRDHUP };

	return bad_rig.bad.sock < 0 || (poll(&p, 1, 0) > 0 && p.revents & POLLHUP);
}

/* Whether each frame that came in was sent, is queued, or counts as dropped. */
static inline bool bad_sums_are_right(void)
{
	struct stats_sums s = stats_sum(&rig.relay);

	if (s.received + s.copied == s.sent + s.queued + s.dropped)
		return true;
	printf("# received %llu, copied %llu, sent %llu, queued %llu, dropped %llu\n",
	       (unsigned long long)s.received, (unsigned long long)s.copied,
	       (unsigned long long)s.sent, (unsigned long long)s.queued,
	       (unsigned long long)s.dropped);
	return false;
}

static inline const char *bad_verdict(enum fate fate, char text[SAID_MAX])
{
	unsigned lines;
	bool has_ended;

	/* It may be found only when something comes for it. */
	if (fate == ENDS)
		rig_until(rig_ports() == 2 || (bad_others_go_on(), false));
	if (!bad_others_go_on())
		return "the others do not go on";
	if (!rig_sleeps())
		return "the relay does not come to rest";
	has_ended = rig_ports() == 2;
	lines = bad_lines(text);
	if (fate != EITHER && has_ended != (fate == ENDS))
		return has_ended ? "its port has ended" : "its port has not ended";
	if (has_ended && !bad_is_left())
		return "its connection is open";
	if (!bad_sums_are_right())
		return "a frame is not accounted for";
	if (bad_rig.says && !strstr(text, bad_rig.says))
		return "it is not told of by the words that it should be";
	if (lines != has_ended)
		return has_ended ? "its end is told in another number of lines than one"
				 : "something is said";
	return NULL;
}

/*
 * bad_meets() - The bad one has done @what; whether it comes as it must, and the words
 * bad_rig.says are said then, if there are any. It is gone then.
 */
static inline void bad_meets(enum fate fate, const char *what)
{
	char text[SAID_MAX] = "";
	const char *why = bad_verdict(fate, text);
	unsigned fds;

	front_free(&bad_rig.bad);
	rig_until(rig_ports() == 2);
	turns(&rig.loop, 2);
	is_silent();
	fds = bad_open_fds();
	if (!why && fds != bad_rig.fds)
		why = "descriptors are left";
	bad_rig.fds = fds;
	bad_rig.says = NULL;
	if (!ok(!why, "%s%s%s", what, why ? ": " : "", why ? why : "") ||
	    getenv("SHOW_SAID"))
		printf("# it said: %s\n", text[0] ? text : "nothing");
}

#endif
