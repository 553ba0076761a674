/* SPDX-License-Identifier: MIT */
/*
 * Sending over a sealed trunk over UDP. Frames are copied into datagrams, for these are
 * sealed where they lie. As many datagrams as have one length leave as one run, so one that
 * is nearly full is filled up with zeros.
 *
 * For what the kernel does not take at once a session gets a branch of its hub; what that
 * does not take waits there. So it does in the hub if there can be no branch, and all
 * sessions that have none with it. Frames stay in order: who has something waiting in the
 * hub gets a branch after that.
 *
 * A super-frame is split here, into slices (packing_slice()) or, for a peer that does not take
 * these, into frames (packing_split()), for only here is it known how long a segment may be.
 */
#include <errno.h>
#include <string.h>

#include "port/udp-trunk.h"
#include "trunk/trunk.h"

#define RUN_MAX 65000 /* bytes, below what IP takes with any header */

/*
 * What is being made of frames: @run, and behind it a datagram that is being filled.
 * @base: where the runs lie, UDP_HUB_OUT bytes
 * @frames, @bytes: of the datagram
 * @is_last: the run takes no more
 */
struct outgoing {
	struct udp_session *s;
	struct udp_run run;
	uint8_t *base, *at;
	unsigned frames;
	uint64_t bytes, now;
	bool is_last;
};

static void begin_datagram(struct outgoing *o)
{
	packer_begin(&o->s->packer, o->at + DATAGRAM_HEAD, seal_link_room(&o->s->link));
}

/* Whether there is somebody who would have to wait for it. */
static bool has_others(const struct udp_session *s)
{
	const struct udp_hub *hub = s->hub;

	for (unsigned i = 0; i < hub->n_slots; i++)
		if (hub->slots[i].session && hub->slots[i].session != s)
			return true;
	return false;
}

/* What left by a branch now would be ahead of that. */
static bool waits_in_hub(const struct udp_session *s)
{
	for (unsigned i = 0; i < s->hub->n_waiting; i++)
		if (s->hub->waiting[i].session == s)
			return true;
	return false;
}

/* Return: whether it has one now, and had none. */
static bool get_branch(struct udp_session *s)
{
	return s->branch.watch.fd < 0 && !waits_in_hub(s) && has_others(s) &&
	       udp_hub_branch(s->hub, &s->branch, s) == 0;
}

static int send_run(struct udp_session *s, const struct udp_run *run)
{
	int ret = udp_hub_send_run(udp_session_way(s), run);

	if (ret == -EAGAIN && get_branch(s))
		ret = udp_hub_send_run(&s->branch, run);
	return ret;
}

/* The run is sent, or is dropped. Return: 0; -EAGAIN: it waits. */
static int leave(struct outgoing *o)
{
	struct udp_session *s = o->s;
	struct udp_run *run = &o->run;
	int ret = run->n ? send_run(s, run) : 0;

	if (ret == -EAGAIN) {
		udp_hub_wait(udp_session_way(s), run);
	} else {
		if (ret == -EMSGSIZE)
			pmtu_too_long(&s->link.pmtu, run->segment, o->now);
		udp_hub_count(run, ret);
	}
	*run = (struct udp_run){ .session = s };
	o->is_last = false;
	return ret == -EAGAIN ? ret : 0;
}

/* Seal the datagram. Return: its bytes. */
static uint32_t seal(struct outgoing *o)
{
	struct packer *p = &o->s->packer;
	uint32_t left = p->room - p->n;

	if (left <= p->room / 16) {
		memset(p->to + p->n, 0, left);
		p->n = p->room;
	}
	return (uint32_t)seal_link_seal(&o->s->link, o->at, p->n, o->now);
}

/*
 * The datagram becomes the end of the run, or, when the run has left, the beginning of the
 * next.
 *
 * Return: 0; -EAGAIN: the run waits, and the datagram behind it.
 */
static int close_datagram(struct outgoing *o)
{
	struct udp_run *run = &o->run;
	uint32_t size;
	int ret = 0;

	if (!o->s->packer.n)
		return 0;
	size = seal(o);
	if (run->n && (o->is_last || size > run->segment || run->n == UDP_HUB_SEGMENTS ||
		       run->len + size > RUN_MAX))
		ret = leave(o);
	if (!run->n) {
		run->at = o->at;
		run->segment = size;
	}
	run->n++;
	run->len += size;
	run->frames += o->frames;
	run->bytes += o->bytes;
	o->frames = 0;
	o->bytes = 0;
	o->is_last = size < run->segment;
	o->at += size;
	if (ret == -EAGAIN) {
		udp_hub_wait(udp_session_way(o->s), run);
		return ret;
	}
	if (o->at + PMTU_MAX > o->base + UDP_HUB_OUT) {
		ret = leave(o);
		o->at = o->base;
	}
	return ret;
}

/* Return: 0; -EAGAIN: the frame is dropped, for those ahead of it wait. */
static int next_datagram(struct outgoing *o)
{
	struct udp_session *s = o->s;
	int ret = close_datagram(o);

	if (ret == 0) {
		begin_datagram(o);
		return 0;
	}
	packer_forget(&s->packer);
	s->packer.n = 0;
	port_drop(&s->port, DROP_QUEUE, 1);
	return ret;
}

static void count(struct outgoing *o, const struct frame *f)
{
	o->frames++;
	o->bytes += f->len;
}

/* Return: likewise. */
static int put(struct outgoing *o, const struct frame *f)
{
	int ret = 0;

	while (ret == 0 && !packer_put(&o->s->packer, f))
		ret = next_datagram(o);
	if (ret == 0)
		count(o, f);
	return ret;
}

static int put_slices(struct outgoing *o, const struct gso *g)
{
	struct packer *p = &o->s->packer;
	int ret = 0;

	do {
		while (ret == 0 && !packer_put_slice(p, g))
			ret = next_datagram(o);
	} while (ret == 0 && p->from);
	if (ret == 0)
		count(o, g->frame);
	return ret;
}

static int put_split(struct outgoing *o, const struct frame *f)
{
	struct gso_segment segment;
	struct frame shorter;
	struct vnet vnet;
	struct gso g;
	uint32_t room = seal_link_room(&o->s->link);
	int ret = 0;

	if (o->s->link.peer_takes & TRUNK_TAKES_SLICES &&
	    packing_slice(&g, f, room, &vnet, &shorter) == 0)
		return put_slices(o, &g);
	if (packing_split(&g, f, room, &vnet, &shorter) < 0) {
		port_drop(&o->s->port, DROP_MALFORMED, 1);
		return 0;
	}
	o->s->port.count.made += g.n - 1;
	while (ret == 0 && gso_next(&g, &segment))
		ret = put(o, &segment.frame);
	/* The rest of what was cut. */
	if (ret < 0)
		port_drop(&o->s->port, DROP_QUEUE, g.n - g.next);
	return ret;
}

static int put_any(struct outgoing *o, const struct frame *f)
{
	struct gso_segment whole;

	if (!f->vnet)
		return put(o, f);
	if (f->vnet->gso_type != VNET_GSO_NONE)
		return put_split(o, f);
	if (gso_complete(&whole, f) == 0)
		return put(o, &whole.frame);
	port_drop(&o->s->port, DROP_MALFORMED, 1);
	return 0;
}

int udp_session_tx(struct port *p, const struct frame *f, unsigned n)
{
	struct udp_session *s = container_of(p, struct udp_session, port);
	struct outgoing o = { .s = s, .run.session = s };
	unsigned i = 0;
	int ret = 0;

	if (udp_session_way(s)->n_waiting && !get_branch(s))
		return 0;
	o.base = o.at = udp_session_way(s)->out;
	o.now = loop_now();
	begin_datagram(&o);
	while (i < n && ret == 0)
		ret = put_any(&o, &f[i++]);
	if (ret == 0 && close_datagram(&o) == 0)
		leave(&o);
	if (s->link.pmtu.at < s->timer_at || s->link.unheard_at == o.now)
		udp_session_arm(s, o.now);
	return (int)i;
}
