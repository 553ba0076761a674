/* SPDX-License-Identifier: MIT */
/* What happens to ports, in words. */
#ifndef EVENTS_TEXT_H
#define EVENTS_TEXT_H

#include <stddef.h>

#include "relay/events.h"

#define EVENTS_TEXT_MAX 640 /* fits all of them, but for names that are very long */

/* events_text() - What a line for programs has behind the port's name, at @buf; may be "". */
void events_text(const struct news *n, char *buf, size_t size);

/* events_sentence() - What people are told of it, at @buf; "" where the port does itself. */
void events_sentence(const struct news *n, char *buf, size_t size);

/* events_log() - Write that sentence to the log; for an event_watcher's told. */
void events_log(struct event_watcher *w, const struct news *n);

#endif
