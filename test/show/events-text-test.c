/* SPDX-License-Identifier: MIT */
/* Each event in words, for programs and for people. */
#include "show/events-text.h"

#include "base/util.h"
#include "lib/tap.h"

static struct port ports[] = { { .name = "one" }, { .name = "web-2 (two)" } };
static const struct member one = { .id = 3, .port = &ports[0] };
static const struct member two = { .id = 4, .port = &ports[1], .name = "web-2" };

static const struct {
	struct news news;
	const char *text, *sentence;
} all[] = {
	{ { .event = EVENT_UP, .member = &one, .why = "" }, "", "" },
	{ { .event = EVENT_DOWN, .member = &one, .why = "refused" }, "refused", "" },
	{ { .event = EVENT_GONE, .member = &one, .why = "taken away" }, "taken away", "" },
	{ { .event = EVENT_RECONNECT, .member = &one, .away_ms = 61950 },
	  "after 61.9 s",
	  "" },
	{ { .event = EVENT_LOOP, .member = &one, .other = &two },
	  "web-2",
	  "port 3: there is a loop: frames that it sends come back at port 4, web-2 (two); port 3 "
	  "does not forward until that has ended" },
	{ { .event = EVENT_LOOP, .member = &one, .other = &one },
	  "one",
	  "port 3: there is a loop behind it: frames that it sends come back; it does not "
	  "forward until that has ended" },
	{ { .event = EVENT_LOOP, .member = &one, .other = &one, .is_limited = true },
	  "one",
	  "port 3: there is a loop behind it, or a machine there sends back what it "
	  "receives; its broadcasts are limited until that has ended" },
	{ { .event = EVENT_LOOP_GONE, .member = &one, .other = &two },
	  "web-2",
	  "port 3: the loop is gone; it forwards again" },
	{ { .event = EVENT_SAME_MAC,
	    .member = &one,
	    .other = &two,
	    .mac = 0x0200a0000b01 },
	  "02:00:a0:00:0b:01, also at port 4",
	  "the address 02:00:a0:00:0b:01 is alternately at port 3 and at port 4, web-2 (two): two "
	  "machines have it, and each should have its own, or there is a loop; frames for "
	  "it go to the port where it was seen last" },
	{ { .event = EVENT_STORM, .member = &one, .limit = 1000, .why = "" },
	  "",
	  "a storm: more than 1000 broadcasts a second; those above this limit are "
	  "dropped" },
	{ { .event = EVENT_STORM_OVER, .member = &one, .why = "" },
	  "",
	  "the storm is over" },
};

int main(void)
{
	char buf[EVENTS_TEXT_MAX], few[8];

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		events_text(&all[i].news, buf, sizeof(buf));
		ok_eq_str(buf, all[i].text, "%s, for programs",
			  events_name(all[i].news.event));
		events_sentence(&all[i].news, buf, sizeof(buf));
		ok_eq_str(buf, all[i].sentence, "and for people");
		events_sentence(&all[i].news, few, sizeof(few));
		ok(strlen(few) < sizeof(few), "and cut where there is no room");
	}
	return done();
}
