/* SPDX-License-Identifier: MIT */
/*
 * A list of notes, each allocated: there are few, because no event is about a frame; at
 * a bad moment there is one of every member.
 */
#include "relay/events.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct event_note {
	struct event_note *next;
	struct news news;
	char why[];
};

const char *events_name(enum relay_event event)
{
	static const char *const names[] = {
		[EVENT_UP] = "up",
		[EVENT_DOWN] = "down",
		[EVENT_RECONNECT] = "reconnect",
		[EVENT_GONE] = "gone",
		[EVENT_LOOP] = "loop",
		[EVENT_LOOP_GONE] = "loop-gone",
		[EVENT_SAME_MAC] = "same-mac",
		[EVENT_STORM] = "storm",
		[EVENT_STORM_OVER] = "storm-over",
	};

	return names[event];
}

void events_init(struct events *e, struct loop *loop)
{
	*e = (struct events){ .loop = loop };
	e->end = &e->first;
}

static struct event_note *take_first(struct events *e)
{
	struct event_note *note = e->first;

	if (!note)
		return NULL;
	e->first = note->next;
	if (!e->first)
		e->end = &e->first;
	return note;
}

void events_free(struct events *e)
{
	struct event_note *note;

	e->watchers = e->next = NULL;
	while ((note = take_first(e)))
		free(note);
	loop_undefer(&e->work);
}

void events_subscribe(struct events *e, struct event_watcher *w)
{
	w->next = e->watchers;
	e->watchers = w;
}

void events_unsubscribe(struct events *e, struct event_watcher *w)
{
	struct event_watcher **link = &e->watchers;

	while (*link && *link != w)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = w->next;
	if (e->next == w)
		e->next = w->next;
}

static void turn_ends(struct deferred *d)
{
	events_flush(container_of(d, struct events, work));
}

void events_note(struct events *e, const struct news *n)
{
	size_t size = n->why ? strlen(n->why) + 1 : 1;
	struct event_note *note = malloc(sizeof(*note) + size);

	loop_defer(e->loop, &e->work, turn_ends);
	if (!note) {
		e->left_out++;
		return;
	}
	note->next = NULL;
	note->news = *n;
	note->news.why = note->why;
	memcpy(note->why, n->why ? n->why : "", size);
	*e->end = note;
	e->end = &note->next;
}

static void notify_all(struct events *e, const struct news *n)
{
	/* A watcher may end its own watch in there, or another's. */
	for (struct event_watcher *w = e->watchers; w; w = e->next) {
		e->next = w->next;
		w->notify(w, n);
	}
}

void events_flush(struct events *e)
{
	struct event_note *note;

	while ((note = take_first(e))) {
		notify_all(e, &note->news);
		free(note);
	}
	if (e->left_out)
		log_warn("no memory to tell of %u events", e->left_out);
	e->left_out = 0;
}
