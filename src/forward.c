/* SPDX-License-Identifier: MIT */
/*
 * The way of a batch. Each frame is appended to its targets' pending lists,
 * and every target that got any is flushed once. Nothing is copied on this
 * way. A super-frame is split only if somebody needs that, and once for all of
 * them.
 */
#include "forward.h"

#include <errno.h>

#include "util.h"

static bool is_target(const struct port *p, const struct port *src)
{
	return p != src && p->state == PORT_UP;
}

void forward_observe(struct forward *fwd, struct observer *o)
{
	o->next = fwd->observers;
	fwd->observers = o;
}

void forward_ignore(struct forward *fwd, struct observer *o)
{
	struct observer **link = &fwd->observers;

	while (*link && *link != o)
		link = &(*link)->next;
	if (*link)
		*link = o->next;
}

static void show(const struct forward *fwd, const struct port *p,
		 enum direction direction, const struct frame *f)
{
	for (struct observer *o = fwd->observers; o; o = o->next)
		o->seen(o, p, direction, f);
}

static void send_to(struct forward *fwd, struct port *p, const struct frame *f)
{
	if (fwd->observers)
		show(fwd, p, FRAME_OUT, f);
	if (!p->is_dirty) {
		p->is_dirty = true;
		p->next_dirty = fwd->dirty;
		fwd->dirty = p;
	}
	port_send(p, f);
}

void forward_flush(struct forward *fwd)
{
	while (fwd->dirty) {
		struct port *p = fwd->dirty;

		fwd->dirty = p->next_dirty;
		p->is_dirty = false;
		port_flush(p);
	}
	fwd->n_segments = 0;
}

/* Super-frames of UDP came late to Linux: not all who take others take those. */
static bool takes(const struct port *p, const struct frame *super)
{
	if (super->vnet->gso_type == VNET_GSO_UDP_L4)
		return p->takes_uso;
	return p->takes_super;
}

/* How many ports a frame of @src goes to. */
static unsigned count_targets(const struct forward *fwd, const struct port *src)
{
	unsigned n = 0;

	for (const struct port *p = fwd->ports; p; p = p->next)
		n += is_target(p, src);
	return n;
}

/* Whether one of those wants it plain. */
static bool is_wanted_plain(const struct forward *fwd, const struct port *src,
			    const struct frame *super)
{
	for (const struct port *p = fwd->ports; p; p = p->next)
		if (is_target(p, src) && !takes(p, super))
			return true;
	return false;
}

/*
 * The following return how many frames they sent, or how often a run. A port may
 * go down under way, when it is flushed to make room; so what was sent is
 * counted, and not foretold.
 */

static unsigned send_plain(struct forward *fwd, const struct port *src,
			   const struct frame *f)
{
	unsigned sent = 0;

	for (struct port *p = fwd->ports; p; p = p->next) {
		if (!is_target(p, src))
			continue;
		send_to(fwd, p, f);
		sent++;
	}
	return sent;
}

static unsigned send_segment(struct forward *fwd, const struct port *src,
			     const struct frame *super, const struct gso_segment *s)
{
	unsigned sent = 0;
	struct frame f = {
		.head = s->head,
		.head_len = s->head_len,
		.data = s->data,
		.len = s->len,
	};

	for (struct port *p = fwd->ports; p; p = p->next) {
		if (!is_target(p, src) || takes(p, super))
			continue;
		send_to(fwd, p, &f);
		sent++;
	}
	return sent;
}

static unsigned send_split(struct forward *fwd, const struct port *src,
			   const struct frame *super, struct gso *g)
{
	unsigned sent = 0;

	for (;;) {
		/* The headers of those that are pending are still needed. */
		if (fwd->n_segments == BATCH_MAX)
			forward_flush(fwd);
		if (!gso_next(g, &fwd->segments[fwd->n_segments]))
			return sent;
		sent += send_segment(fwd, src, super, &fwd->segments[fwd->n_segments++]);
	}
}

static unsigned send_whole(struct forward *fwd, const struct port *src,
			   const struct frame *f)
{
	unsigned sent = 0;

	for (struct port *p = fwd->ports; p; p = p->next) {
		if (!is_target(p, src) || !takes(p, f))
			continue;
		send_to(fwd, p, f);
		sent++;
	}
	return sent;
}

/* One that lacks only its checksum: with that filled in, it is plain for all. */
static bool complete(struct frame *f)
{
	if (gso_complete((uint8_t *)(uintptr_t)f->data, f->len, f->vnet) < 0)
		return false;
	f->vnet = NULL;
	/* Its virtio header has done its work, and makes room for a length word. */
	if (f->has_word)
		put_be32((uint8_t *)(uintptr_t)f->data - FRAME_WORD, f->len);
	return true;
}

/* Return: how many were sent; -EINVAL when it is malformed. */
static int send_super(struct forward *fwd, const struct port *src, struct frame *f)
{
	unsigned sent = 0;
	struct gso g;

	if (is_wanted_plain(fwd, src, f)) {
		if (f->vnet->gso_type == VNET_GSO_NONE)
			return complete(f) ? (int)send_plain(fwd, src, f) : -EINVAL;
		if (gso_begin(&g, f->data, f->len, f->vnet) < 0)
			return -EINVAL;
		sent = send_split(fwd, src, f, &g);
	}
	return (int)(sent + send_whole(fwd, src, f));
}

void forward_batch(struct forward *fwd, struct port *src, const struct batch *b)
{
	for (unsigned i = 0; fwd->observers && i < b->n; i++)
		show(fwd, src, FRAME_IN, &b->frame[i]);
	if (!count_targets(fwd, src)) {
		port_drop(src, DROP_NO_PORT, frames_in(b->frame, b->n));
		return;
	}
	for (unsigned i = 0; i < b->n; i++) {
		struct frame f = b->frame[i];
		int sent = f.vnet ? send_super(fwd, src, &f)
				  : (int)send_plain(fwd, src, &f);

		if (sent > 0)
			fwd->copied += (uint64_t)(sent - 1) * (1 + f.more);
		else
			port_drop(src, sent < 0 ? DROP_MALFORMED : DROP_NO_PORT,
				  1 + f.more);
	}
	if (!b->more)
		forward_flush(fwd);
}
