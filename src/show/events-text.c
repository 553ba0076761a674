/* SPDX-License-Identifier: MIT */
/* Puts events of ports into words: details for programs, and sentences for people. */
#include "show/events-text.h"

#include <stdio.h>

#include "base/log.h"
#include "base/parts.h"

#define MAC_TEXT_MAX 18

static const char *mac_text(uint64_t mac, char *buf)
{
	snprintf(buf, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x",
		 (unsigned)(mac >> 40 & 0xff), (unsigned)(mac >> 32 & 0xff),
		 (unsigned)(mac >> 24 & 0xff), (unsigned)(mac >> 16 & 0xff),
		 (unsigned)(mac >> 8 & 0xff), (unsigned)(mac & 0xff));
	return buf;
}

void events_text(const struct news *n, char *buf, size_t size)
{
	unsigned ms = (unsigned)n->away_ms;
	char mac[MAC_TEXT_MAX];

	switch (n->event) {
	case EVENT_RECONNECT:
		snprintf(buf, size, "after %u.%u s", ms / 1000, ms / 100 % 10);
		break;
	case EVENT_LOOP:
	case EVENT_LOOP_GONE:
		snprintf(buf, size, "%s", member_name(n->other));
		break;
	case EVENT_SAME_MAC:
		snprintf(buf, size, "%s, also at port %u", mac_text(n->mac, mac),
			 n->other->id);
		break;
	default:
		snprintf(buf, size, "%s", n->why);
	}
}

static void loop_sentence(const struct news *n, char *buf, size_t size)
{
	unsigned id = n->member->id;

	if (n->is_limited)
		snprintf(
			buf, size,
			"port %u: there is a loop behind it, or a machine there sends back "
			"what it receives; its broadcasts are limited until that has "
			"ended",
			id);
	else if (n->member == n->other)
		snprintf(buf, size,
			 "port %u: there is a loop behind it: frames that it sends come "
			 "back; it does not forward until that has ended",
			 id);
	else
		snprintf(
			buf, size,
			"port %u: there is a loop: frames that it sends come back at port "
			"%u, %s; port %u does not forward until that has ended",
			id, n->other->id, n->other->port->name, id);
}

static void move_sentence(const struct news *n, char *buf, size_t size)
{
	char mac[MAC_TEXT_MAX];

	snprintf(
		buf, size,
		"the address %s is alternately at port %u and at port %u, %s: two machines "
		"have it, and each should have its own, or there is a loop; frames for it "
		"go to the port where it was seen last",
		mac_text(n->mac, mac), n->member->id, n->other->id, n->other->port->name);
}

void events_sentence(const struct news *n, char *buf, size_t size)
{
	switch (n->event) {
	case EVENT_LOOP:
		if (HAS_LOOPS)
			loop_sentence(n, buf, size);
		break;
	case EVENT_LOOP_GONE:
		snprintf(buf, size, "port %u: the loop is gone; it forwards again",
			 n->member->id);
		break;
	case EVENT_SAME_MAC:
		move_sentence(n, buf, size);
		break;
	case EVENT_STORM:
		snprintf(buf, size,
			 "a storm: more than %u broadcasts a second; those above this "
			 "limit are dropped",
			 n->limit);
		break;
	case EVENT_STORM_OVER:
		snprintf(buf, size, "the storm is over");
		break;
	default:
		*buf = '\0';
	}
}

void events_log(struct event_watcher *w, const struct news *n)
{
	char sentence[EVENTS_TEXT_MAX];

	(void)w;
	events_sentence(n, sentence, sizeof(sentence));
	if (*sentence)
		log_warn("%s: %s", n->member->port->name, sentence);
}
