/* SPDX-License-Identifier: MIT */
/*
 * What happens to a relay's members, and who is notified of it. Most of it happens in the
 * midst of something: a batch is being forwarded, a list is being walked. So it is noted
 * then, and watchers are notified at the end of the turn, in the order in which it
 * happened. A watcher may then do what it likes: take away the member, or itself.
 *
 * A member that an event is about is there until all watchers have been notified, though
 * its port may be in another state by then, or PORT_ENDED.
 *
 * That a port is up, or why it is not, is also logged, at once, by the port itself.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "relay/member.h"

/* Each has a name in events_name(). */
enum relay_event {
	EVENT_UP,
	EVENT_DOWN,	 /* it went down, and is retried */
	EVENT_RECONNECT, /* it is up again */
	EVENT_GONE,	 /* it has ended */
	EVENT_LOOP,	 /* there is a bridge loop: it is blocked or limited */
	EVENT_LOOP_GONE, /* the loop has gone: it forwards again */
	EVENT_SAME_MAC,	 /* an address is at two ports in turns */
	EVENT_STORM,	 /* it brings more frames to all others than it may */
	EVENT_STORM_OVER,
};

/*
 * @other:      LOOP, LOOP_GONE: the member at the loop's other end, or @member itself;
 *              SAME_MAC: the one that the address came from
 * @is_limited: LOOP: it forwards, but what it brings for all others is limited
 * @mac:        SAME_MAC: the address, in the low 48 bits
 * @away_ms:    RECONNECT: how long it was away, ms
 * @limit:      STORM, STORM_OVER: frames to all others that it may bring in a second
 * @why:        DOWN, GONE: the reason; else ""
 */
struct news {
	enum relay_event event;
	const struct member *member, *other;
	bool is_limited;
	uint64_t mac, away_ms;
	uint32_t limit;
	const char *why;
};

/* @notify: called once for each event */
struct event_watcher {
	struct event_watcher *next;
	void (*notify)(struct event_watcher *w, const struct news *n);
};

struct event_note;

/*
 * @next:       the watcher to be notified after the present one
 * @first, @end: notes of which nobody is notified yet
 * @left_out:   events for which there was no memory
 */
struct events {
	struct loop *loop;
	struct event_watcher *watchers, *next;
	struct event_note *first, **end;
	unsigned left_out;
	struct deferred work;
};

void events_init(struct events *e, struct loop *loop);

/* events_free() - Forget all notes and all watchers. */
void events_free(struct events *e);

/*
 * events_subscribe() - Notify @w from now on, also of what was noted in this turn already.
 * events_unsubscribe() ends it; it does nothing if @w is no watcher.
 */
void events_subscribe(struct events *e, struct event_watcher *w);
void events_unsubscribe(struct events *e, struct event_watcher *w);

/* events_note() - Note that it has happened. @n and @n->why are copied; why may be NULL. */
void events_note(struct events *e, const struct news *n);

/* events_flush() - Notify all of what is noted now, and not only when the turn ends. */
void events_flush(struct events *e);

/* events_name() - "up", "loop-gone", ... */
const char *events_name(enum relay_event event);

#endif
