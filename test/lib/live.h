/* SPDX-License-Identifier: MIT */
/*
 * A port as it is made from an endpoint's text, on a loop of its own, with a subscription
 * to links and helpers: the real ones, or for one kind of requests the test in its place.
 *
 *	live_prepare();
 *	live_begin(see_frame);
 *	live_open("exec:cat");
 *	live_until(live.port->state == PORT_UP);
 *	live_close();
 *	live_end();
 */
#ifndef LIB_LIVE_H
#define LIB_LIVE_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "helper/helper-serve.h"
#include "helper/helper.h"
#include "lib/quiet.h"
#include "lib/sockets.h"
#include "lib/taker.h"
#include "lib/turn.h"
#include "net/links.h"
#include "port/driver.h"

#define LIVE_MS 10000 /* for what a test waits for */
#define LIVE_ALARM_S 300

/*
 * @asked: the helper's end of its socket, if the test is the helper; else -1
 * @why:   why the port went down the last time; "" if it did not since live_forget()
 * @downs: how often it did
 */
static struct {
	struct taker taker;
	struct links links;
	struct helper helpers[HELPER_OPS];
	struct endpoint ep;
	struct port *port;
	int asked;
	char why[PORT_WHY_MAX];
	unsigned downs;
} live;

/* live_until() - Have the loop turn until @cond, or for LIVE_MS. */
#define live_until(cond) turn_until(&live.taker.loop, LIVE_MS, cond)

static inline void live_changed(struct port *p, void *arg)
{
	(void)arg;
	if (p->state != PORT_WAITING && p->state != PORT_ENDED)
		return;
	live.downs++;
	snprintf(live.why, sizeof(live.why), "%s", p->why);
}

/* live_forget() - The port was not down yet. */
static inline void live_forget(void)
{
	live.downs = 0;
	live.why[0] = '\0';
}

/* live_went_down() - Wait until it did. Return: whether it said @what. */
static inline bool live_went_down(const char *what)
{
	live_until(live.downs);
	if (strstr(live.why, what))
		return true;
	printf("# it said: %s\n", live.why);
	return false;
}

/* live_is_up() - Wait until it is. Return: whether it is. */
static inline bool live_is_up(void)
{
	live_until(live.port->state == PORT_UP);
	if (live.port->state == PORT_UP)
		return true;
	printf("# it says: %s\n", live.port->why);
	return false;
}

/* live_prepare() - Once: no test takes for ever, and what fails on purpose is not shown. */
static inline void live_prepare(void)
{
	alarm(LIVE_ALARM_S);
	quiet();
	signal(SIGPIPE, SIG_IGN);
	/* The orphans of a helper become ours, and not those of a PID 1 that may reap none. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* live_begin() - @frame, optional, is shown what the port brings. */
static inline void live_begin(void (*frame)(const struct frame *f))
{
	static const struct port_host host = { taker_readable, fake_heard_nothing,
					       live_changed };

	memset(&live, 0, sizeof(live));
	live.asked = -1;
	taker_init(&live.taker, frame);
	links_init(&live.links, &live.taker.loop);
	live.taker.env.host = &host;
	live.taker.env.links = &live.links;
	live.taker.env.helpers = live.helpers;
	helper_init(live.helpers, &live.taker.loop, NULL);
}

/* live_own_helper() - The test is the helper for requests of kind @op: see live_asked(). */
static inline void live_own_helper(enum helper_op op)
{
	struct helper *h = &live.helpers[op];
	int fds[2];

	sockets_pair(SOCK_SEQPACKET, fds);
	h->limit = 10 * LIVE_MS;
	live.asked = fds[1];
	if (helper_use(h, fds[0]) < 0)
		abort();
}

/* live_calls() - Whether a helper has something to answer. */
static inline bool live_calls(void)
{
	for (unsigned op = 0; op < HELPER_OPS; op++)
		if (live.helpers[op].calls)
			return true;
	return false;
}

/* live_asked() - The next request to it. Return: whether there is one. */
static inline bool live_asked(struct helper_request *req)
{
	ssize_t n = -1;

	live_until((n = recv(live.asked, req, sizeof(*req), MSG_DONTWAIT)) >= 0);
	return n == (ssize_t)sizeof(*req);
}

/* live_answer() - Its answer; @fd goes with it, and stays the caller's; -1: none. */
static inline void live_answer(const struct helper_answer *answer, int fd)
{
	helper_answer(live.asked, answer, &fd, fd >= 0);
	live_until(!live_calls());
}

static inline void live_parse(const char *text)
{
	char why[256];

	if (endpoint_parse(&live.ep, text, why, sizeof(why)) == 0)
		return;
	printf("Bail out! %s\n", why);
	exit(1);
}

/* live_start() - Have @p, which was made by hand or is NULL, opened. */
static inline void live_start(struct port *p)
{
	if (!p)
		abort();
	live_forget();
	live.port = p;
	port_start(p);
}

/* live_open() - A port from the text of an endpoint. */
static inline void live_open(const char *text)
{
	live_parse(text);
	live_start(driver_of(&live.ep)->dial(&live.ep, &live.taker.env));
}

static inline void live_close(void)
{
	if (live.port->state != PORT_ENDED)
		port_end(live.port);
	turn(&live.taker.loop);
	port_free(live.port);
	live.port = NULL;
}

static inline void live_end(void)
{
	helper_stop(live.helpers);
	if (live.asked >= 0)
		close(live.asked);
	links_free(&live.links);
	taker_free(&live.taker);
}

#endif
