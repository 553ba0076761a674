/* SPDX-License-Identifier: MIT */
/* Each event in words, for programs and for people. */
#include "show/events-text.h"

#include "base/util.h"
#include "lib/tap.h"

static const struct port one = { .id = 3, .name = "one" };
static const struct port two = { .id = 4, .name = "two" };

static const struct {
	struct news news;
	const char *text, *sentence;
} all[] = {
	{ { .event = EVENT_UP, .port = &one, .why = "" }, "", "" },
	{ { .event = EVENT_DOWN, .port = &one, .why = "refused" }, "refused", "" },
	{ { .event = EVENT_GONE, .port = &one, .why = "taken away" }, "taken away", "" },
	{ { .event = EVENT_RECONNECT, .port = &one, .away_ms = 61950 },
	  "after 61.9 s",
	  "" },
	{ { .event = EVENT_LOOP, .port = &one, .other = &two },
	  "two",
	  "port 3: there is a loop: what goes out here comes back at port 4, two; this "
	  "one does not forward until that has ended" },
	{ { .event = EVENT_LOOP, .port = &one, .other = &one },
	  "one",
	  "port 3: there is a loop behind it: what goes out comes back; it does not "
	  "forward until that has ended" },
	{ { .event = EVENT_LOOP, .port = &one, .other = &one, .is_limited = true },
	  "one",
	  "port 3: there is a loop behind it, or somebody sends back what he gets: what "
	  "goes out comes back; until that has ended, what it brings for everybody is "
	  "limited" },
	{ { .event = EVENT_LOOP_GONE, .port = &one, .other = &two },
	  "two",
	  "port 3: the loop is gone; it forwards again" },
	{ { .event = EVENT_SAME_MAC, .port = &one, .other = &two, .mac = 0x0200a0000b01 },
	  "02:00:a0:00:0b:01, also at port 4",
	  "the address 02:00:a0:00:0b:01 is here, at port 3, and at port 4, two, by turns: "
	  "two machines have it, and should have one each, or there is a loop; frames for "
	  "it go to where it was last" },
	{ { .event = EVENT_STORM, .port = &one, .limit = 1000, .why = "" },
	  "",
	  "a storm: more than 1000 frames a second for everybody; those above are "
	  "dropped" },
	{ { .event = EVENT_STORM_OVER, .port = &one, .why = "" },
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
