/* SPDX-License-Identifier: MIT */
/* For tests: one who is told of what happens to ports, and keeps it as text. */
#ifndef LIB_EAR_H
#define LIB_EAR_H

#include <stdio.h>
#include <string.h>

#include "relay/events.h"
#include "show/events-text.h"

/*
 * @heard: "EVENT PORT TEXT;" for each
 * @n:     how many these are
 * @then:  optional: is called after each
 */
struct ear {
	struct event_watcher watcher;
	char heard[800];
	unsigned n;
	void (*then)(struct ear *e, const struct news *n);
};

static inline void ear_told(struct event_watcher *w, const struct news *n)
{
	struct ear *e = container_of(w, struct ear, watcher);
	size_t len = strlen(e->heard);
	char text[EVENTS_TEXT_MAX];

	events_text(n, text, sizeof(text));
	snprintf(e->heard + len, sizeof(e->heard) - len, "%s %s%s%s;",
		 events_name(n->event), n->member->port->name, *text ? " " : "", text);
	e->n++;
	if (e->then)
		e->then(e, n);
}

/* ear_listen() - From now on @e, which has heard nothing, is told. */
static inline void ear_listen(struct ear *e, struct events *events,
			      void (*then)(struct ear *e, const struct news *n))
{
	*e = (struct ear){ .watcher.notify = ear_told, .then = then };
	events_subscribe(events, &e->watcher);
}

#endif
