/* SPDX-License-Identifier: MIT */
/*
 * Nothing is copied here. A super-frame is split only if a target needs that, and once
 * for all of them.
 */
#include "relay/deliver.h"

#include <errno.h>

#include "base/parts.h"
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

void observer_notify(const struct forwarding *fwd, const struct member *m,
		     enum direction direction, const struct frame *f)
{
	struct observer *next;

	/* One may remove itself. */
	for (struct observer *o = fwd->observers; o; o = next) {
		next = o->next;
		o->seen(o, m, direction, f);
	}
}

void deliver_flush(struct forwarding *fwd)
{
	while (fwd->dirty) {
		struct member *m = fwd->dirty;

		fwd->dirty = m->next_dirty;
		m->is_dirty = false;
		port_flush(m->port);
	}
	fwd->n_segments = 0;
}

/* ---- the targets ---- */

static struct member *next_of(struct member *m, const struct member *src)
{
	while (m && !deliver_is_target(m, src))
		m = m->next;
	return m;
}

static struct member *first_target(const struct forwarding *fwd, const struct dest *to)
{
	if (to->only)
		return deliver_is_target(to->only, to->src) ? to->only : NULL;
	return next_of(fwd->members.first, to->src);
}

static struct member *next_target(const struct dest *to, const struct member *m)
{
	return to->only ? NULL : next_of(m->next, to->src);
}

static void send_to(struct forwarding *fwd, struct member *m, const struct frame *f)
{
	if (fwd->observers)
		observer_notify(fwd, m, FRAME_OUT, f);
	if (!port_send(m->port, f) || m->is_dirty)
		return;
	m->is_dirty = true;
	m->next_dirty = fwd->dirty;
	fwd->dirty = m;
}

void deliver_local(struct forwarding *fwd, struct member *m, const struct frame *f)
{
	send_to(fwd, m, f);
	fwd->copied++;
}

/* Super-frames of UDP came late to Linux: not all that take others take these. */
static bool takes(const struct member *m, const struct frame *super)
{
	if (super->vnet->gso_type == VNET_GSO_UDP_L4)
		return m->port->takes_uso;
	return m->port->takes_super;
}

/*
 * The following return how many frames they sent, or how often a run. A port may go down
 * meanwhile, when it is flushed to make room: so the frames that were sent are counted,
 * not those that were to be.
 */

static unsigned send_plain(struct forwarding *fwd, const struct dest *to,
			   const struct frame *f)
{
	unsigned sent = 0;

	for (struct member *m = first_target(fwd, to); m; m = next_target(to, m)) {
		send_to(fwd, m, f);
		sent++;
	}
	return sent;
}

/* Send @f to those that take @super whole, or (@is_whole is false) to the others. */
static unsigned send_to_some(struct forwarding *fwd, const struct dest *to,
			     const struct frame *super, bool is_whole,
			     const struct frame *f)
{
	unsigned sent = 0;

	for (struct member *m = first_target(fwd, to); m; m = next_target(to, m)) {
		if (takes(m, super) != is_whole)
			continue;
		send_to(fwd, m, f);
		sent++;
	}
	return sent;
}

static bool is_wanted_plain(const struct forwarding *fwd, const struct dest *to,
			    const struct frame *super)
{
	for (struct member *m = first_target(fwd, to); m; m = next_target(to, m))
		if (!takes(m, super))
			return true;
	return false;
}

/* Memory for a frame made here. If all is in use, pending frames are sent first. */
static struct gso_segment *new_segment(struct forwarding *fwd)
{
	if (fwd->n_segments == BATCH_MAX)
		deliver_flush(fwd);
	return &fwd->segments[fwd->n_segments];
}

static unsigned send_split(struct forwarding *fwd, const struct dest *to,
			   const struct frame *super, struct gso *g)
{
	struct gso_segment *s;
	unsigned sent = 0;

	while (s = new_segment(fwd), gso_next(g, s)) {
		fwd->n_segments++;
		sent += send_to_some(fwd, to, super, false, &s->frame);
	}
	return sent;
}

/* A frame that lacks only its checksum is plain for all when that is filled in. */
static int send_completed(struct forwarding *fwd, const struct dest *to,
			  const struct frame *f)
{
	struct gso_segment *s = new_segment(fwd);

	if (gso_complete(s, f) < 0)
		return -EINVAL;
	fwd->n_segments++;
	return (int)send_plain(fwd, to, &s->frame);
}

static int send_super(struct forwarding *fwd, const struct dest *to,
		      const struct frame *f)
{
	unsigned sent = 0;
	struct gso g;

	if (is_wanted_plain(fwd, to, f)) {
		if (f->vnet->gso_type == VNET_GSO_NONE)
			return send_completed(fwd, to, f);
		if (gso_begin(&g, f) < 0)
			return -EINVAL;
		sent = send_split(fwd, to, f, &g);
	}
	return (int)(sent + send_to_some(fwd, to, f, true, f));
}

int deliver_frame(struct forwarding *fwd, const struct dest *to, const struct frame *f)
{
	bool is_super = HAS_OFFLOAD && f->vnet;
	int sent = is_super ? send_super(fwd, to, f) : (int)send_plain(fwd, to, f);

	if (sent > 0)
		fwd->copied += (uint64_t)(sent - 1) * (1 + f->n_more);
	return sent;
}
