/* SPDX-License-Identifier: MIT */
/*
 * Sending over a sealed trunk over UDP. Frames are copied into datagrams, for these are
 * sealed where they lie. As many datagrams as have one length leave as one run, so one that
 * is nearly full is filled up with zeros.
 *
 * What the kernel does not take at once waits in the hub, and all sessions of the hub with
 * it. A super-frame is split here (packing_split()), for only here is it known how long a
 * segment may be.
 */
#include <errno.h>
#include <string.h>

#include "port/udp-trunk.h"

#define RUN_MAX 65000 /* bytes, below what IP takes with any header */

/*
 * What is being made of frames: @run, and behind it a datagram that is being filled.
 * @frames, @bytes: of the datagram
 * @is_last: the run takes no more
 */
struct outgoing {
	struct udp_session *s;
	struct udp_run run;
	uint8_t *at;
	unsigned frames;
	uint64_t bytes, now;
	bool is_last;
};

static void begin_datagram(struct outgoing *o)
{
	packer_begin(&o->s->packer, o->at + DATAGRAM_HEAD, seal_link_room(&o->s->link));
}

/* The run is sent, or is dropped. Return: 0; -EAGAIN: it waits. */
static int leave(struct outgoing *o)
{
	struct udp_session *s = o->s;
	struct udp_run *run = &o->run;
	int ret = run->n ? udp_hub_send_run(s->hub, run) : 0;

	if (ret == -EAGAIN) {
		udp_hub_wait(s->hub, run);
	} else if (ret < 0) {
		if (ret == -EMSGSIZE)
			pmtu_too_long(&s->link.pmtu, run->segment, o->now);
		port_drop(&s->port, ret == -EMSGSIZE ? DROP_TOO_LONG : DROP_REFUSED,
			  run->frames);
	} else {
		s->port.count.tx_frames += run->frames;
		s->port.count.tx_bytes += run->bytes;
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
		udp_hub_wait(o->s->hub, run);
		return ret;
	}
	if (o->at + PMTU_MAX > o->s->hub->out + UDP_HUB_OUT) {
		ret = leave(o);
		o->at = o->s->hub->out;
	}
	return ret;
}

/* Return: 0; -EAGAIN: it is dropped, for those ahead of it wait. */
static int put(struct outgoing *o, const struct frame *f)
{
	struct udp_session *s = o->s;

	while (!packer_put(&s->packer, f)) {
		int ret = close_datagram(o);

		if (ret < 0) {
			packer_forget(&s->packer);
			s->packer.n = 0;
			port_drop(&s->port, DROP_QUEUE, 1);
			return ret;
		}
		begin_datagram(o);
	}
	o->frames++;
	o->bytes += f->len;
	return 0;
}

static int put_split(struct outgoing *o, const struct frame *f)
{
	struct gso_segment segment;
	struct frame shorter;
	struct vnet vnet;
	struct gso g;
	int ret = 0;

	if (packing_split(&g, f, seal_link_room(&o->s->link), &vnet, &shorter) < 0) {
		port_drop(&o->s->port, DROP_MALFORMED, 1);
		return 0;
	}
	while (ret == 0 && gso_next(&g, &segment))
		ret = put(o, &segment.frame);
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
	struct outgoing o = { .s = s, .run.session = s, .at = s->hub->out };
	unsigned i = 0;
	int ret = 0;

	if (s->hub->n_waiting)
		return 0;
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
