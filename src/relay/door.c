/* SPDX-License-Identifier: MIT */
/*
 * What is computed for a stranger: a hash for who does not know our key, and for a flood of
 * those who do, a cookie (trunk/cookie.h). Nothing is allocated for who is not in the file.
 */
#include "relay/door.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parts.h"
#include "net/admit.h"
#include "net/keys.h"
#include "port/port.h"
#include "relay/acceptor.h"
#include "relay/callers.h"
#include "relay/relay.h"

/* @why: "": it is counted already, or need not be */
static void refuse(struct acceptor *a, const struct sock_addr *from, const char *why)
{
	char text[SOCK_TEXT_MAX];

	if (*why)
		callers_refused(a, sock_text(from, text), false, why);
}

/*
 * Have a peer take one of the places of max= and per-address=.
 *
 * Return: 0; -EBUSY, counted, with no reason in @why.
 */
static int enter(struct acceptor *a, const struct sock_addr *from,
		 struct admit_host **host, char *why)
{
	*why = '\0';
	return !HAS_ACCESS || admit_enter(&a->listener.admit, from, a->listener.n, host)
		       ? 0
		       : -EBUSY;
}

static void leave(struct acceptor *a, struct admit_host *host)
{
	if (HAS_ACCESS)
		admit_leave(&a->listener.admit, host);
}

/*
 * Whether one that has no session yet may come now. It takes no place before it has proved
 * that it is where it says, but gets no answer if there is none.
 */
static int welcome(struct acceptor *a, const struct sock_addr *from, char *why)
{
	struct admit_host *host = NULL;
	int ret;

	*why = '\0';
	if (HAS_ACCESS && !admit_is_welcome(&a->listener.admit, from, -1))
		return -EBUSY;
	ret = enter(a, from, &host, why);
	if (ret == 0)
		leave(a, host);
	return ret;
}

static void forget(struct udp_session *s)
{
	port_free(&s->port);
}

static void forget_later(struct deferred *d)
{
	forget(container_of(d, struct udp_session, later));
}

static void failed(struct udp_session *s)
{
	loop_defer(s->port.env->loop, &s->later, forget_later);
}

/* The peer has the keys, so it becomes a port. */
static void proved(struct udp_session *s)
{
	struct acceptor *a = s->arg;
	char text[SOCK_TEXT_MAX];
	struct arrival in = { .fd = -1,
			      .name = sock_text(&s->to, text),
			      .port = &s->port };
	struct peer peer;
	char why[PEERS_WHY_MAX];
	int ret =
		callers_find_proved(a, s->link.peer, &peer, &in.known, why, sizeof(why));

	if (ret == 0)
		ret = enter(a, &s->to, &in.host, why);
	if (ret == 0)
		ret = callers_make_room(a, in.known, why, sizeof(why));
	if (ret < 0) {
		leave(a, in.host);
		refuse(a, &s->to, why);
		failed(s);
		return;
	}
	in.peer = &peer;
	a->listener.n++;
	a->listener.count++;
	acceptor_take(a, &in);
}

/* Return: the session of the peer of a hello; NULL: there is no memory. */
static struct udp_session *session_for(struct acceptor *a, const uint8_t *key,
				       const struct sock_addr *from)
{
	struct udp_hub *hub = &a->door->hub;
	struct udp_session *s = udp_hub_find(hub, key);
	char text[SOCK_TEXT_MAX];

	if (s)
		return s;
	s = udp_session_accepted(hub, a->ep, sock_text(from, text), &a->relay->env);
	if (!s)
		return NULL;
	s->arg = a;
	s->to = *from;
	s->proved = proved;
	s->failed = failed;
	return s;
}

/*
 * Who sends it knows our key. A listener that was taken away only gives its ports other keys.
 *
 * Return: 0; -errno, with @why.
 */
static int answer(struct acceptor *a, struct handshake *hs, const uint8_t *hello,
		  const struct sock_addr *from, uint8_t psk[SEAL_KEY_BYTES], char *why)
{
	uint8_t key[SEAL_KEY_BYTES];
	struct known_peer *known;
	struct udp_session *s;
	struct peer peer;
	int ret;

	memcpy(key, noise_peer(&hs->noise), sizeof(key));
	s = udp_hub_find(&a->door->hub, key);
	*why = '\0';
	if (a->is_stopped && !s)
		return -ECONNREFUSED;
	ret = callers_find(a, key, &peer, &known, why, PEERS_WHY_MAX);
	if (ret < 0)
		return ret;
	snprintf(why, PEERS_WHY_MAX, "its handshake is wrong");
	ret = handshake_believe(hs, known->shared, hello + SEAL_LINK_HEAD);
	if (ret < 0)
		return ret;
	ret = callers_admit(a, known, peer.name, hs->stamp, psk, why, PEERS_WHY_MAX);
	if (ret == 0 && !s)
		ret = welcome(a, from, why);
	if (ret < 0)
		return ret;
	if (s && known->member && !sock_is_from(&s->to, &from->storage))
		callers_note_rival(known);
	s = session_for(a, key, from);
	snprintf(why, PEERS_WHY_MAX, "there is no memory, or its key is none");
	return s ? udp_session_answer(s, hs, psk, hello, from, loop_now()) : -ENOMEM;
}

static void admit(struct acceptor *a, struct handshake *hs, const uint8_t *hello,
		  const struct sock_addr *from)
{
	uint8_t psk[SEAL_KEY_BYTES] = { 0 };
	char why[PEERS_WHY_MAX];

	if (answer(a, hs, hello, from, psk, why) < 0)
		refuse(a, from, why);
	crypto_wipe(psk, sizeof(psk));
	/* The peers file may have been read again. */
	callers_check(a->relay);
}

static void on_hello(struct udp_hub *h, const uint8_t *at, size_t len,
		     const struct sock_addr *from)
{
	struct acceptor *a = h->arg;
	uint8_t cookie[SEAL_LINK_COOKIE_BYTES];
	struct handshake hs;
	int ret;

	if (HAS_ACCESS && !admit_has_address(&a->ep->access, &from->sa)) {
		a->listener.admit.refused[ADMIT_ALLOW]++;
		return;
	}
	ret = seal_link_hear(&a->door->jar, keys_own(a->relay->env.keys), at, len,
			     &from->storage, from->len, loop_now(), &hs, cookie);
	if (ret == -EAGAIN)
		udp_hub_send(h, from, cookie, sizeof(cookie));
	else if (ret < 0)
		refuse(a, from,
		       a->is_stopped ? ""
				     : "it does not know our key, or is no netrelay of "
				       "this version");
	else
		admit(a, &hs, at, from);
	handshake_wipe(&hs);
}

static int bind_hub(const struct sock_addr *addr, void *arg)
{
	return udp_hub_open(arg, addr);
}

/* Return: 0 or -errno. */
static int open_hub(struct acceptor *a, struct udp_hub *h)
{
	struct listener *l = &a->listener;
	int ret;

	l->own = HAS_SERVICE ? passed_find(l->passed, NULL, l->addr, true) : NULL;
	ret = l->own ? udp_hub_adopt(h, l->own->fd)
		     : sock_bind_listener(l->addr, bind_hub, h);
	if (l->own && ret == 0)
		l->own->is_used = true;
	return ret;
}

/* Close the socket of a listener that takes no hellos, unless a port sends by it. */
static void close_hub(struct acceptor *a)
{
	struct udp_hub *h = &a->door->hub;

	for (unsigned i = 0; i < h->n_slots; i++)
		if (h->slots[i].session)
			return;
	udp_hub_close(h);
	if (a->listener.own)
		a->listener.own->is_used = false;
	a->listener.own = NULL;
}

/* Whether a port sends by the socket of a listener that was taken away, at the port of @a. */
static bool is_in_way(const struct member *m, const struct acceptor *a)
{
	const struct acceptor *old = m->acceptor;

	return old && old->is_stopped && old->door &&
	       old->ep->local.port == a->ep->local.port;
}

/* End those ports. Return: whether there were some. */
static bool make_way(const struct acceptor *a)
{
	struct member *first = a->relay->forward.members.first;
	bool any = false;

	for (struct member *m = first; m; m = m->next)
		if (is_in_way(m, a)) {
			any = true;
			relay_del(m);
		}
	for (struct member *m = first; m; m = m->next)
		if (is_in_way(m, a))
			close_hub(m->acceptor);
	return any;
}

int door_open(void *acceptor)
{
	struct acceptor *a = acceptor;
	struct door *d = calloc(1, sizeof(*d));
	int ret;

	if (!d)
		return -ENOMEM;
	udp_hub_init(&d->hub, a->relay->loop);
	d->hub.arg = a;
	d->hub.hello = on_hello;
	d->hub.strays = &a->listener.admit.refused[ADMIT_STRAY];
	ret = open_hub(a, &d->hub);
	if (ret == -EADDRINUSE && make_way(a))
		ret = open_hub(a, &d->hub);
	if (ret < 0) {
		free(d);
		return ret;
	}
	a->door = d;
	return 0;
}

void door_close(struct acceptor *a)
{
	struct udp_hub *h = &a->door->hub;

	for (unsigned i = 0; i < h->n_slots; i++)
		if (h->slots[i].session && !h->slots[i].session->port.owner)
			forget(h->slots[i].session);
	close_hub(a);
}

void door_free(struct acceptor *a)
{
	if (!a->door)
		return;
	door_close(a);
	crypto_wipe(a->door, sizeof(*a->door));
	free(a->door);
	a->door = NULL;
}
