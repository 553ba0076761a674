/* SPDX-License-Identifier: MIT */
/* An event has a word and a few details for programs, and a sentence for people. */
#include "show/events-text.h"

#include <stdio.h>

#include "base/log.h"

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
		snprintf(buf, size, "%s", n->other->name);
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
	unsigned id = n->port->id;

	if (n->is_limited)
		snprintf(
			buf, size,
			"port %u: there is a loop behind it, or somebody sends back what "
			"he gets: what goes out comes back; until that has ended, what "
			"it brings for everybody is limited",
			id);
	else if (n->port == n->other)
		snprintf(
			buf, size,
			"port %u: there is a loop behind it: what goes out comes back; it "
			"does not forward until that has ended",
			id);
	else
		snprintf(
			buf, size,
			"port %u: there is a loop: what goes out here comes back at port "
			"%u, %s; this one does not forward until that has ended",
			id, n->other->id, n->other->name);
}

static void move_sentence(const struct news *n, char *buf, size_t size)
{
	char mac[MAC_TEXT_MAX];

	snprintf(buf, size,
		 "the address %s is here, at port %u, and at port %u, %s, by turns: two "
		 "machines have it, and should have one each, or there is a loop; frames "
		 "for it go to where it was last",
		 mac_text(n->mac, mac), n->port->id, n->other->id, n->other->name);
}

void events_sentence(const struct news *n, char *buf, size_t size)
{
	switch (n->event) {
	case EVENT_LOOP:
		loop_sentence(n, buf, size);
		break;
	case EVENT_LOOP_GONE:
		snprintf(buf, size, "port %u: the loop is gone; it forwards again",
			 n->port->id);
		break;
	case EVENT_SAME_MAC:
		move_sentence(n, buf, size);
		break;
	case EVENT_STORM:
		snprintf(buf, size,
			 "a storm: more than %u frames a second for everybody; those "
			 "above are dropped",
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
		log_warn("%s: %s", n->port->name, sentence);
}
