/* SPDX-License-Identifier: MIT */
/*
 * What happens to a relay's ports, and who is told. It mostly happens in the midst of
 * something: a batch is being forwarded, a list is being walked. So it is noted then,
 * and told when the turn ends, in the order in which it happened; a watcher may then do
 * what it likes, take away the port that it hears of, or itself.
 *
 * A port that is told of is there until all have been told, though it may be in
 * another state by then, or PORT_ENDED.
 *
 * What a port itself has to say, that it is up or why not, goes to the log at once.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "port/port.h"

/* Each has a name in events_name(). */
enum relay_event {
	EVENT_UP,
	EVENT_DOWN,	 /* it was up, and is tried again */
	EVENT_RECONNECT, /* it is up again */
	EVENT_GONE,	 /* it has ended */
	EVENT_LOOP,	 /* frames go round: it is blocked or limited */
	EVENT_LOOP_GONE, /* they do not any more: it forwards again */
	EVENT_SAME_MAC,	 /* an address is at two ports by turns */
	EVENT_STORM,	 /* it brings more for everybody than it may */
	EVENT_STORM_OVER,
};

/*
 * @other:      LOOP, LOOP_GONE: the port at the loop's other end, or @port itself;
 *              SAME_MAC: the one that the address came from
 * @is_limited: LOOP: the port forwards, but what it brings for everybody is limited
 * @mac:        SAME_MAC: the address, in the low 48 bits
 * @away_ms:    RECONNECT: how long it was away
 * @limit:      STORM: frames for everybody that it may bring in a second
 * @why:        DOWN, GONE: the reason; else ""
 */
struct news {
	enum relay_event event;
	const struct port *port, *other;
	bool is_limited;
	uint64_t mac, away_ms;
	uint32_t limit;
	const char *why;
};

/* @told: called once for each event */
struct event_watcher {
	struct event_watcher *next;
	void (*told)(struct event_watcher *w, const struct news *n);
};

struct event_note;

/*
 * @next:       the watcher to be told after the one that is being told
 * @first, @end: notes that are yet to be told
 * @left_out:   events for which there was no memory
 */
struct events {
	struct loop *loop;
	struct event_watcher *watchers, *next;
	struct event_note *first, **end;
	unsigned left_out;
	struct deferred tell;
};

void events_init(struct events *e, struct loop *loop);

/* events_free() - Forget what is not told yet; nobody is told of anything any more. */
void events_free(struct events *e);

/*
 * events_subscribe() - Have @w told from now on, and of what this turn has brought
 * already; events_unsubscribe() ends it, and does nothing if it was not.
 */
void events_subscribe(struct events *e, struct event_watcher *w);
void events_unsubscribe(struct events *e, struct event_watcher *w);

/* events_note() - It has happened. @n and @n->why are copied; why may be NULL. */
void events_note(struct events *e, const struct news *n);

/* events_tell() - Tell now what is noted; done anyway when the turn ends. */
void events_tell(struct events *e);

/* events_name() - "up", "loop-gone", ... */
const char *events_name(enum relay_event event);

#endif
