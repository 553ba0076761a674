/* SPDX-License-Identifier: MIT */
/* The parts of a switch, wired to the relay's ports and to each other. */
#include "relay/switching.h"

#include <stdio.h>
#include <string.h>

#include "base/util.h"

#define AGEING_MS 30000
#define SENTENCE_MAX 640

static void forget_all(struct switching *sw)
{
	for (struct port *p = sw->forward->ports; p; p = p->next)
		fdb_forget(&sw->fdb, p);
}

/*
 * What was learnt while frames went round is not where it seemed to be, and once
 * they do not, may be elsewhere again. All is forgotten, so that frames are flooded
 * and relays beyond, who hear nothing of this, learn anew from them. For what one
 * port gives back, which a guest can do at will, only that one's is.
 */
static void loop_told(struct guard *g, struct port *p, struct port *other,
		      enum guard_news news)
{
	struct switching *sw = container_of(g, struct switching, guard);
	char text[SENTENCE_MAX];

	if (sw->forward->fdb && p == other)
		fdb_forget(&sw->fdb, p);
	else if (sw->forward->fdb)
		forget_all(sw);
	if (news == GUARD_OPEN)
		snprintf(text, sizeof(text),
			 "port %u: the loop is gone; it forwards again", p->id);
	else if (news == GUARD_LIMITED)
		snprintf(
			text, sizeof(text),
			"port %u: there is a loop behind it, or somebody sends back what "
			"he gets: what goes out comes back; until that has ended, what "
			"it brings for everybody is limited",
			p->id);
	else if (p == other)
		snprintf(
			text, sizeof(text),
			"port %u: there is a loop behind it: what goes out comes back; it "
			"does not forward until that has ended",
			p->id);
	else
		snprintf(
			text, sizeof(text),
			"port %u: there is a loop: what goes out here comes back at port "
			"%u, %s; this one does not forward until that has ended",
			p->id, other->id, other->name);
	sw->tell(sw, news == GUARD_OPEN ? "loop-gone" : "loop", p, other->name, text);
}

static void move_told(struct moves *m, const struct fdb_entry *e, const struct port *from,
		      const struct port *to)
{
	struct switching *sw = container_of(m, struct switching, moves);
	char text[SENTENCE_MAX], mac[18], more[48];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x",
		 (unsigned)(e->key >> 40 & 0xff), (unsigned)(e->key >> 32 & 0xff),
		 (unsigned)(e->key >> 24 & 0xff), (unsigned)(e->key >> 16 & 0xff),
		 (unsigned)(e->key >> 8 & 0xff), (unsigned)(e->key & 0xff));
	snprintf(text, sizeof(text),
		 "the address %s is here, at port %u, and at port %u, %s, by turns: two "
		 "machines have it, and should have one each, or there is a loop; frames "
		 "for it go to where it was last",
		 mac, to->id, from->id, from->name);
	snprintf(more, sizeof(more), "%s, also at port %u", mac, from->id);
	sw->tell(sw, "same-mac", to, more, text);
}

static void storm_told(struct storm *s, const struct port *p, bool is_over)
{
	struct switching *sw = container_of(s, struct switching, storm);
	char text[SENTENCE_MAX];

	if (is_over)
		snprintf(text, sizeof(text), "the storm is over");
	else
		snprintf(text, sizeof(text),
			 "a storm: more than %u frames a second for everybody; those "
			 "above are dropped",
			 storm_limit(s, p));
	sw->tell(sw, is_over ? "storm-over" : "storm", p, "", text);
}

static void ageing_due(struct timer *t)
{
	struct switching *sw = container_of(t, struct switching, ageing);

	fdb_age(&sw->fdb, (uint32_t)(loop_coarse() / 1000));
	timer_set(sw->loop, t, AGEING_MS, ageing_due);
}

void switching_init(struct switching *sw, struct loop *loop, struct forwarding *fwd)
{
	memset(sw, 0, sizeof(*sw));
	sw->loop = loop;
	sw->forward = fwd;
}

void switching_start_guard(struct switching *sw)
{
	if (sw->forward->guard)
		return;
	guard_init(&sw->guard, sw->loop, sw->forward);
	sw->guard.tell = loop_told;
	sw->forward->guard = &sw->guard;
}

int switching_start(struct switching *sw, const struct switching_limits *limits)
{
	struct forwarding *fwd = sw->forward;
	int ret = fdb_init(&sw->fdb, limits->fdb_size, &fwd->ports, &fwd->n_ports);

	if (ret < 0)
		return ret;
	fwd->fdb = &sw->fdb;
	moves_init(&sw->moves, &sw->fdb, &sw->guard);
	sw->moves.tell = move_told;
	fwd->moves = &sw->moves;
	sw->storm.loop = sw->loop;
	sw->storm.limit = limits->storm_limit;
	sw->storm.tell = storm_told;
	fwd->storm = &sw->storm;
	switching_start_guard(sw);
	timer_set(sw->loop, &sw->ageing, AGEING_MS, ageing_due);
	return 0;
}

void switching_free(struct switching *sw)
{
	struct forwarding *fwd = sw->forward;

	timer_cancel(sw->loop, &sw->ageing);
	for (struct port *p = fwd->ports; p; p = p->next)
		storm_forget(&sw->storm, p);
	guard_free(&sw->guard);
	fdb_free(&sw->fdb);
	fwd->fdb = NULL;
	fwd->moves = NULL;
	fwd->storm = NULL;
	fwd->guard = NULL;
}

void switching_changed(struct switching *sw, struct port *p)
{
	if (sw->forward->fdb && p->state != PORT_UP)
		fdb_forget(&sw->fdb, p);
	if (sw->forward->guard)
		guard_changed(&sw->guard, p);
}

void switching_gone(struct switching *sw, struct port *p)
{
	struct forwarding *fwd = sw->forward;

	if (fwd->guard)
		guard_gone(&sw->guard, p);
	if (!fwd->fdb)
		return;
	storm_forget(&sw->storm, p);
	fdb_forget(&sw->fdb, p);
	/* With two left nothing is learnt, and what was would grow old. */
	if (fwd->n_ports <= 2)
		forget_all(sw);
}
