/* SPDX-License-Identifier: MIT */
/*
 * The port of one peer of a sealed trunk over UDP; udp-session-tx.c has its sending side.
 *
 * A dialled one resolves a name anew at each try, and tries the name's addresses in turn.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parts.h"
#include "helper/helper.h"
#include "net/admit.h"
#include "net/keys.h"
#include "port/driver.h"
#include "port/udp-trunk.h"

#define DEAD_S 15	/* as of other trunks */
#define REST_NS 1000000 /* how long slices are kept for the rest of their super-frame */
#define PROVE_MS 10000	/* until a hello that was answered is forgotten */

/* A session that dials has its own hub, and looks names up. */
struct dialler {
	struct udp_session session;
	const struct endpoint *ep;
	struct udp_hub hub;
	struct helper_call call;
	struct sock_addr addrs[HELPER_ADDRS_MAX];
	unsigned n, at;
};

static struct udp_session *to_session(struct port *p)
{
	return container_of(p, struct udp_session, port);
}

static struct dialler *to_dialler(struct udp_session *s)
{
	return container_of(s, struct dialler, session);
}

uint32_t udp_session_index(struct udp_session *s)
{
	uint32_t index;

	do
		index = (s->slot << 8 | ++s->generation) ^ s->hub->mask;
	while (!index);
	return index;
}

/* ---- the link ---- */

static int link_send(struct seal_link *l, const uint8_t *data, size_t len, bool is_reply)
{
	struct udp_session *s = container_of(l, struct udp_session, link);

	return udp_hub_send(is_reply ? s->hub : udp_session_way(s),
			    is_reply ? s->from : &s->to, data, len);
}

static void run_due(struct timer *t);

void udp_session_arm(struct udp_session *s, uint64_t now)
{
	uint64_t at = seal_link_at(&s->link);

	if (!s->hub || at == UINT64_MAX || (s->timer.is_set && s->timer_at <= at))
		return;
	s->timer_at = at;
	timer_set(s->port.env->loop, &s->timer, at > now ? (unsigned)(at - now) : 0,
		  run_due);
}

/* The link has ended, for the reason in port_why(). */
static void fail(struct udp_session *s, int ret)
{
	struct port *p = &s->port;

	if (p->state == PORT_UP)
		port_down(p);
	else
		port_opened(p, ret);
}

static int dial(struct udp_session *s, uint64_t now)
{
	struct port *p = &s->port;
	const struct endpoint *ep = to_dialler(s)->ep;
	uint8_t psk[SEAL_KEY_BYTES];
	char why[PEERS_WHY_MAX];
	int ret = keys_psk(p->env->keys, ep->psk_path, psk, why, sizeof(why));

	if (ret < 0)
		return port_why(p, ret, "%s", why);
	ret = seal_link_dial(&s->link, keys_own(p->env->keys), ep->peer, psk,
			     udp_session_index(s), now);
	crypto_wipe(psk, sizeof(psk));
	return ret < 0 ? port_why(p, ret, "handshake: %s", strerror(-ret)) : 0;
}

static int why_ended(struct udp_session *s, int ret)
{
	if (ret == -EKEYEXPIRED)
		return port_why(&s->port, ret,
				"its keys are too old, and the peer makes "
				"no new ones");
	if (seal_link_is_up(&s->link))
		return port_why(&s->port, ret, "the peer has not answered for %u s",
				(unsigned)(s->link.dead_ms / 1000));
	return port_why(
		&s->port, ret,
		"no answer; does netrelay listen there with ,udp, has it the key "
		"that peer= names, and ours in its peers file? Is our clock right?");
}

static void run_due(struct timer *t)
{
	struct udp_session *s = container_of(t, struct udp_session, timer);
	uint64_t now = loop_now();
	int ret;

	if (!s->is_dialled && s->port.state != PORT_UP) {
		s->failed(s);
		return;
	}
	ret = seal_link_run(&s->link, now);
	if (ret < 0)
		ret = why_ended(s, ret);
	else if (s->link.wants_dial)
		ret = dial(s, now);
	if (ret < 0)
		fail(s, ret);
	else
		udp_session_arm(s, now);
}

static void set_up(struct udp_session *s)
{
	struct port *p = &s->port;

	p->takes_super = p->takes_uso = true;
	p->seal.suite = s->link.keys.suite;
	memcpy(p->seal.peer, s->link.peer, sizeof(p->seal.peer));
}

/* ---- receiving ---- */

static void follow(struct udp_session *s, const struct sock_addr *from, uint64_t now)
{
	char text[SOCK_TEXT_MAX];

	if (sock_is_from(&s->to, &from->storage) ||
	    (HAS_ACCESS && s->access && !admit_has_address(s->access, &from->sa)))
		return;
	s->to = *from;
	seal_link_moved(&s->link, now);
	if (s->branch.watch.fd >= 0) {
		udp_hub_close(&s->branch);
		/* What waited there is lost; what waits behind it is not. */
		port_writable(&s->port);
	}
	if (s->port.state == PORT_UP)
		log_info("%s: the peer is at %s now", s->port.name,
			 sock_text(from, text));
}

static void count_lost(struct udp_session *s, uint64_t n)
{
	port_drop(&s->port, DROP_CUT, (unsigned)n);
	s->port.count.rx_frames += n;
}

void udp_session_take(struct udp_session *s, uint8_t *at, size_t len,
		      const struct sock_addr *from, uint64_t now)
{
	struct seal_link_taken t;

	s->from = from;
	if (seal_link_take(&s->link, at, len, now, &t) < 0) {
		port_drop(&s->port, DROP_NOT_GENUINE, 1);
		s->port.count.rx_frames++;
		s->port.count.rx_bytes += len;
		return;
	}
	if (t.is_newest)
		follow(s, from, now);
	if (t.payload && s->n_in < UDP_SESSION_INBOX) {
		s->inbox[s->n_in++] = (struct udp_letter){ t.payload, t.len, t.id };
		udp_hub_unread(s->hub, s);
	} else if (t.payload) {
		count_lost(s, 1);
	}
	/* Of frames that come at once the first tells as much as all do. */
	if (!t.payload || t.is_first || s->n_in == 1)
		udp_session_arm(s, now);
	if (!t.is_first || s->port.state == PORT_UP)
		return;
	if (s->is_dialled) {
		set_up(s);
		port_opened(&s->port, 0);
	} else {
		s->proved(s);
	}
}

/* The rest of a super-frame has not come. */
static void rest_is_late(struct timer *t)
{
	struct udp_session *s = container_of(t, struct udp_session, rest);
	uint64_t due = s->kept_at + REST_NS;

	if (!unpacker_waits(&s->unpacker))
		return;
	if (loop_now_ns() < due)
		timer_set_at(s->port.env->loop, t, due, rest_is_late);
	else
		port_readable(&s->port);
}

bool udp_session_read(struct udp_session *s)
{
	do {
		s->was_read = s->is_full = false;
		port_readable(&s->port);
	} while (s->was_read && s->next < s->n_in);
	/* Of a port that is not to be read what comes is lost, as if its socket were full. */
	count_lost(s, s->n_in - s->next);
	s->n_in = s->next = 0;
	s->is_begun = false;
	if (!s->hub || !unpacker_waits(&s->unpacker))
		return false;
	if (!udp_hub_is_new(s->hub, unpacker_waits(&s->unpacker))) {
		unpacker_forget(&s->unpacker);
		count_lost(s, 1);
		return false;
	}
	s->kept_at = loop_now_ns();
	if (!s->rest.is_set)
		timer_set_at(s->port.env->loop, &s->rest, s->kept_at + REST_NS,
			     rest_is_late);
	return true;
}

/* Return: whether there may be more in it. */
static bool read_letter(struct udp_session *s, const struct udp_letter *in,
			struct batch *b)
{
	struct frame f;

	if (!s->is_begun)
		unpacker_begin(&s->unpacker, in->id, in->at, in->len);
	s->is_begun = true;
	while (b->n < BATCH_MAX) {
		enum unpack what = unpacker_next(&s->unpacker, &f);

		if (what == UNPACK_FULL)
			s->is_full = true;
		if (what != UNPACK_FRAME)
			return what == UNPACK_FULL;
		port_take(&s->port, b, &f);
	}
	return true;
}

/* Whether the rest of a super-frame, of which slices came just now, may be next. */
static bool may_wait(const struct udp_session *s)
{
	return s->n_in && udp_hub_is_new(s->hub, unpacker_waits(&s->unpacker));
}

static int session_rx(struct port *p, struct batch *b)
{
	struct udp_session *s = to_session(p);
	uint64_t lost = s->unpacker.lost;
	struct frame f;

	s->was_read = true;
	for (; s->next < s->n_in; s->next++, s->is_begun = false) {
		if (!read_letter(s, &s->inbox[s->next], b))
			continue;
		/* Where it is full, rx_done() comes first. */
		b->more = !s->is_full;
		break;
	}
	if (s->next == s->n_in && !may_wait(s) && unpacker_flush(&s->unpacker, &f))
		port_take(p, b, &f);
	count_lost(s, s->unpacker.lost - lost);
	return 0;
}

static void session_rx_done(struct port *p)
{
	unpacker_release(&to_session(p)->unpacker);
}

/* ---- ports ---- */

static void end(struct udp_session *s)
{
	timer_cancel(s->port.env->loop, &s->timer);
	timer_cancel(s->port.env->loop, &s->rest);
	seal_link_end(&s->link);
	udp_hub_close(&s->branch);
	if (s->hub)
		udp_hub_leave(s->hub, s);
	unpacker_free(&s->unpacker);
	s->packer = (struct packer){ 0 };
	s->n_in = s->next = 0;
	s->is_begun = false;
	s->port.takes_super = s->port.takes_uso = false;
	s->port.seal.suite = 0;
}

static int begin(struct udp_session *s, struct udp_hub *h, const struct endpoint *ep)
{
	int ret = unpacker_init(&s->unpacker);

	if (ret == 0)
		ret = udp_hub_join(h, s);
	if (ret < 0)
		return ret;
	s->link = (struct seal_link){
		.is_dialler = s->is_dialled,
		.dead_ms =
			1000ull *
			(ep->dead == ENDPOINT_DEAD_USUAL ? DEAD_S : (unsigned)ep->dead),
		.keepalive_ms = 1000ull * (unsigned)ep->keepalive,
		.send = link_send,
	};
	seal_link_begin(&s->link, loop_now());
	return 0;
}

static int accepted_open(struct port *p)
{
	struct udp_session *s = to_session(p);

	set_up(s);
	/* The timer has been for who does not prove anything. */
	timer_cancel(p->env->loop, &s->timer);
	udp_session_arm(s, loop_now());
	return 0;
}

static void accepted_close(struct port *p)
{
	end(to_session(p));
}

static void session_free(struct port *p)
{
	end(to_session(p));
	loop_undefer(&to_session(p)->later);
	free(to_session(p));
}

/* The hub has the descriptor. */
static void session_arm(struct port *p, bool rx, bool tx)
{
	(void)p;
	(void)rx;
	(void)tx;
}

static const struct port_ops accepted_ops = {
	.kind = "udp-trunk",
	.one_shot = true,
	.open = accepted_open,
	.arm = session_arm,
	.rx = session_rx,
	.rx_done = session_rx_done,
	.tx = udp_session_tx,
	.close = accepted_close,
	.free = session_free,
};

struct udp_session *udp_session_accepted(struct udp_hub *h, const struct endpoint *ep,
					 const char *name, const struct port_env *env)
{
	struct udp_session *s = port_new(sizeof(*s), &accepted_ops, env, name);

	if (!s)
		return NULL;
	s->access = &ep->access;
	udp_hub_init(&s->branch, env->loop);
	if (begin(s, h, ep) < 0) {
		port_free(&s->port);
		return NULL;
	}
	s->timer_at = loop_now() + PROVE_MS;
	timer_set(env->loop, &s->timer, PROVE_MS, run_due);
	return s;
}

int udp_session_answer(struct udp_session *s, struct handshake *hs, const uint8_t *psk,
		       const uint8_t *hello, const struct sock_addr *from, uint64_t now)
{
	s->from = from;
	return seal_link_answer(&s->link, hs, psk, hello, udp_session_index(s), now);
}

/* ---- dialling ---- */

/* Return: -EINPROGRESS; another -errno, with port_why(). */
static int use(struct dialler *d)
{
	struct udp_session *s = &d->session;
	struct sock_addr local = { 0 };
	struct endpoint_addr any = { 0 };
	char text[SOCK_TEXT_MAX];
	int ret;

	s->to = d->addrs[d->at++ % d->n];
	sock_unmap(&s->to);
	ret = sock_addr_parse(&any, s->to.sa.sa_family, &local);
	if (ret == 0)
		ret = udp_hub_open(&d->hub, &local);
	if (ret == 0)
		ret = begin(s, &d->hub, d->ep);
	if (ret < 0)
		return port_why(&s->port, ret, "socket for %s: %s",
				sock_text(&s->to, text), strerror(-ret));
	ret = dial(s, loop_now());
	udp_session_arm(s, loop_now());
	return ret < 0 ? ret : -EINPROGRESS;
}

static void resolved(struct helper_call *call, const struct helper_answer *answer, int fd)
{
	struct dialler *d = container_of(call, struct dialler, call);
	struct port *p = &d->session.port;
	int ret;

	(void)fd;
	if (answer->err) {
		port_opened(p, port_why(p, answer->err, "%s", answer->why));
		return;
	}
	d->n = answer->resolve.n;
	memcpy(d->addrs, answer->resolve.addr, d->n * sizeof(d->addrs[0]));
	ret = use(d);
	if (ret != -EINPROGRESS)
		port_opened(p, ret);
}

static int dialled_open(struct port *p)
{
	struct dialler *d = to_dialler(to_session(p));
	struct helper_request req = { .op = HELPER_RESOLVE };
	int ret = sock_addr_parse(&d->ep->remote, AF_UNSPEC, &d->addrs[0]);

	d->n = 1;
	if (ret == 0)
		return use(d);
	if (!HAS_NAMES || ret != -ENXIO)
		return port_why(p, ret, "%s: %s", d->ep->remote.host, strerror(-ret));
	req.resolve.addr = d->ep->remote;
	req.resolve.type = SOCK_DGRAM;
	ret = helper_ask(p->env->helpers, &d->call, &req, resolved);
	return ret < 0 ? port_why(p, ret, "resolve: %s", strerror(-ret)) : -EINPROGRESS;
}

static void dialled_close(struct port *p)
{
	struct dialler *d = to_dialler(to_session(p));

	helper_forget(&d->call);
	end(&d->session);
	udp_hub_close(&d->hub);
}

static const struct port_ops dialled_ops = {
	.kind = "udp-trunk",
	.open = dialled_open,
	.arm = session_arm,
	.rx = session_rx,
	.rx_done = session_rx_done,
	.tx = udp_session_tx,
	.close = dialled_close,
	.free = session_free,
};

struct port *port_udp_trunk_new(const struct endpoint *ep, const struct port_env *env)
{
	struct dialler *d = port_new(sizeof(*d), &dialled_ops, env, ep->text);

	if (!d)
		return NULL;
	d->ep = ep;
	d->session.is_dialled = true;
	udp_hub_init(&d->hub, env->loop);
	udp_hub_init(&d->session.branch, env->loop);
	d->hub.only = &d->session;
	return &d->session.port;
}
