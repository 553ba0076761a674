/* SPDX-License-Identifier: MIT */
/*
 * Nothing is copied on this way. A super-frame is split only if somebody needs
 * that, and once for all of them.
 */
#include "relay/deliver.h"

#include <errno.h>

#include "base/util.h"

void observer_add(struct forwarding *fwd, struct observer *o)
{
	o->next = fwd->observers;
	fwd->observers = o;
}

void observer_remove(struct forwarding *fwd, struct observer *o)
{
	struct observer **link = &fwd->observers;

	while (*link && *link != o)
		link = &(*link)->next;
	if (*link)
		*link = o->next;
}

void observer_notify(const struct forwarding *fwd, const struct port *p,
		     enum direction direction, const struct frame *f)
{
	struct observer *next;

	/* One may take itself off. */
	for (struct observer *o = fwd->observers; o; o = next) {
		next = o->next;
		o->seen(o, p, direction, f);
	}
}

void deliver_flush(struct forwarding *fwd)
{
	while (fwd->dirty) {
		struct port *p = fwd->dirty;

		fwd->dirty = p->next_dirty;
		p->is_dirty = false;
		port_flush(p);
	}
	fwd->n_segments = 0;
}

/* ---- who gets a frame ---- */

static struct port *next_of(struct port *p, const struct port *src)
{
	while (p && !deliver_is_target(p, src))
		p = p->next;
	return p;
}

static struct port *first_target(const struct forwarding *fwd, const struct dest *way)
{
	if (way->only)
		return deliver_is_target(way->only, way->src) ? way->only : NULL;
	return next_of(fwd->ports, way->src);
}

static struct port *next_target(const struct dest *way, const struct port *p)
{
	return way->only ? NULL : next_of(p->next, way->src);
}

static void send_to(struct forwarding *fwd, struct port *p, const struct frame *f)
{
	if (fwd->observers)
		observer_notify(fwd, p, FRAME_OUT, f);
	if (!p->is_dirty) {
		p->is_dirty = true;
		p->next_dirty = fwd->dirty;
		fwd->dirty = p;
	}
	port_send(p, f);
}

void deliver_local(struct forwarding *fwd, struct port *p, const struct frame *f)
{
	send_to(fwd, p, f);
	fwd->copied++;
}

/* Super-frames of UDP came late to Linux: not all who take others take those. */
static bool takes(const struct port *p, const struct frame *super)
{
	if (super->vnet->gso_type == VNET_GSO_UDP_L4)
		return p->takes_uso;
	return p->takes_super;
}

/*
 * The following return how many frames they sent, or how often a run. A port may
 * go down under way, when it is flushed to make room; so what was sent is
 * counted, and not foretold.
 */

static unsigned send_plain(struct forwarding *fwd, const struct dest *way,
			   const struct frame *f)
{
	unsigned sent = 0;

	for (struct port *p = first_target(fwd, way); p; p = next_target(way, p)) {
		send_to(fwd, p, f);
		sent++;
	}
	return sent;
}

/* To those who take @super whole, or (@is_whole false) to those who do not, @f. */
static unsigned send_to_some(struct forwarding *fwd, const struct dest *way,
			     const struct frame *super, bool is_whole,
			     const struct frame *f)
{
	unsigned sent = 0;

	for (struct port *p = first_target(fwd, way); p; p = next_target(way, p)) {
		if (takes(p, super) != is_whole)
			continue;
		send_to(fwd, p, f);
		sent++;
	}
	return sent;
}

static bool is_wanted_plain(const struct forwarding *fwd, const struct dest *way,
			    const struct frame *super)
{
	for (struct port *p = first_target(fwd, way); p; p = next_target(way, p))
		if (!takes(p, super))
			return true;
	return false;
}

/* Memory for a frame made here. Those of frames that are pending are still needed. */
static struct gso_segment *new_segment(struct forwarding *fwd)
{
	if (fwd->n_segments == BATCH_MAX)
		deliver_flush(fwd);
	return &fwd->segments[fwd->n_segments];
}

static unsigned send_split(struct forwarding *fwd, const struct dest *way,
			   const struct frame *super, struct gso *g)
{
	struct gso_segment *s;
	unsigned sent = 0;

	while (s = new_segment(fwd), gso_next(g, s)) {
		fwd->n_segments++;
		sent += send_to_some(fwd, way, super, false, &s->frame);
	}
	return sent;
}

/* A frame that lacks only its checksum: with that filled in, it is plain for all. */
static int send_completed(struct forwarding *fwd, const struct dest *way,
			  const struct frame *f)
{
	struct gso_segment *s = new_segment(fwd);

	if (gso_complete(s, f) < 0)
		return -EINVAL;
	fwd->n_segments++;
	return (int)send_plain(fwd, way, &s->frame);
}

static int send_super(struct forwarding *fwd, const struct dest *way,
		      const struct frame *f)
{
	unsigned sent = 0;
	struct gso g;

	if (is_wanted_plain(fwd, way, f)) {
		if (f->vnet->gso_type == VNET_GSO_NONE)
			return send_completed(fwd, way, f);
		if (gso_begin(&g, f) < 0)
			return -EINVAL;
		sent = send_split(fwd, way, f, &g);
	}
	return (int)(sent + send_to_some(fwd, way, f, true, f));
}

int deliver_frame(struct forwarding *fwd, const struct dest *way, const struct frame *f)
{
	int sent = f->vnet ? send_super(fwd, way, f) : (int)send_plain(fwd, way, f);

	if (sent > 0)
		fwd->copied += (uint64_t)(sent - 1) * (1 + f->n_more);
	return sent;
}
