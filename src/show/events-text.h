/* SPDX-License-Identifier: MIT */
/* Puts events of ports into words: for programs (ctl events) and for people (the log). */
#ifndef EVENTS_TEXT_H
#define EVENTS_TEXT_H

#include <stddef.h>

#include "relay/events.h"

#define EVENTS_TEXT_MAX 640 /* bytes of a sentence; one with very long names is cut */

/*
 * events_text() - Write the details of an event, for programs.
 * @buf: set to the text behind the port's name; may be ""; cut to @size bytes
 */
void events_text(const struct news *n, char *buf, size_t size);

/*
 * events_sentence() - Write an event as a sentence for people.
 * @buf: set to it, cut to @size bytes; "" for an event that the port logs itself
 */
void events_sentence(const struct news *n, char *buf, size_t size);

/* events_log() - Log that sentence, if there is one. Use it as an event_watcher's @told. */
void events_log(struct event_watcher *w, const struct news *n);

#endif
