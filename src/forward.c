/* SPDX-License-Identifier: MIT */
/*
 * The way of a batch. Each frame is appended to its targets' pending lists,
 * and every target that got any is flushed once. Nothing is copied on this
 * way. A super-frame is split only if somebody needs that, and once for all of
 * them.
 */
#include "forward.h"

#include "util.h"

static bool is_target(const struct port *p, const struct port *src)
{
	return p != src && p->state == PORT_UP;
}

static void send_to(struct forward *fwd, struct port *p, const struct frame *f)
{
	if (!p->is_dirty) {
		p->is_dirty = true;
		p->next_dirty = fwd->dirty;
		fwd->dirty = p;
	}
	port_send(p, f);
}

static void flush_dirty(struct forward *fwd)
{
	while (fwd->dirty) {
		struct port *p = fwd->dirty;

		fwd->dirty = p->next_dirty;
		p->is_dirty = false;
		port_flush(p);
	}
	fwd->n_segments = 0;
}

/* How many ports a frame of @src goes to, and how many of those want it plain. */
static unsigned count_targets(const struct forward *fwd, const struct port *src,
			      unsigned *plain)
{
	unsigned n = 0;

	*plain = 0;
	for (const struct port *p = fwd->ports; p; p = p->next) {
		if (!is_target(p, src))
			continue;
		n++;
		*plain += !p->takes_super;
	}
	return n;
}

static void send_plain(struct forward *fwd, const struct port *src, const struct frame *f)
{
	for (struct port *p = fwd->ports; p; p = p->next)
		if (is_target(p, src))
			send_to(fwd, p, f);
}

static void send_segment(struct forward *fwd, const struct port *src,
			 const struct gso_segment *s)
{
	struct frame f = {
		.head = s->head,
		.head_len = s->head_len,
		.data = s->data,
		.len = s->len,
	};

	for (struct port *p = fwd->ports; p; p = p->next)
		if (is_target(p, src) && !p->takes_super)
			send_to(fwd, p, &f);
}

/* Return: how many segments it became; 0 when it is malformed. */
static unsigned split(struct forward *fwd, const struct port *src, const struct frame *f)
{
	struct gso g;

	if (gso_begin(&g, f->data, f->len, f->vnet) < 0)
		return 0;
	for (;;) {
		/* The headers of those that are pending are still needed. */
		if (fwd->n_segments == BATCH_MAX)
			flush_dirty(fwd);
		if (!gso_next(&g, &fwd->segments[fwd->n_segments]))
			return g.n;
		send_segment(fwd, src, &fwd->segments[fwd->n_segments++]);
	}
}

static void send_whole(struct forward *fwd, const struct port *src, const struct frame *f)
{
	for (struct port *p = fwd->ports; p; p = p->next)
		if (is_target(p, src) && p->takes_super)
			send_to(fwd, p, f);
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

static void forward_super(struct forward *fwd, struct port *src,
			  const struct frame *super)
{
	struct frame f = *super;
	unsigned plain, targets = count_targets(fwd, src, &plain), made = 1;

	if (plain && f.vnet->gso_type == VNET_GSO_NONE) {
		if (complete(&f)) {
			send_plain(fwd, src, &f);
			fwd->copied += targets - 1;
			return;
		}
		made = 0;
	} else if (plain) {
		made = split(fwd, src, &f);
	}
	if (!made) {
		port_drop(src, DROP_MALFORMED, 1);
		return;
	}
	send_whole(fwd, src, &f);
	fwd->copied += plain * made + (targets - plain) - 1;
}

void forward_batch(struct forward *fwd, struct port *src, const struct batch *b)
{
	unsigned plain, targets = count_targets(fwd, src, &plain);

	if (!targets) {
		port_drop(src, DROP_NO_PORT, b->n);
		return;
	}
	for (unsigned i = 0; i < b->n; i++) {
		if (b->frame[i].vnet) {
			forward_super(fwd, src, &b->frame[i]);
		} else {
			send_plain(fwd, src, &b->frame[i]);
			fwd->copied += targets - 1;
		}
	}
	flush_dirty(fwd);
}
