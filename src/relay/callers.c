/* SPDX-License-Identifier: MIT */
/*
 * Who may come is looked up (net/keys.h) when somebody says that it has a key, so a file
 * that was changed counts from the next connection on. A stranger that does not know our
 * key costs a hash.
 *
 * #syscalls: close
 */
#include "relay/callers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parts.h"
#include "net/keys.h"
#include "port/driver.h"
#include "relay/acceptor.h"
#include "relay/relay.h"
#include "seal/key.h"
#include "trunk/prove.h"

#define TELL_MS 1000 /* between two messages about strangers of a listener */
#define RIVALS 5     /* links that took the place of another one within RIVALS_MS */
#define RIVALS_MS 60000

/*
 * @peer, @known: a copy of its line, once it is found; but for psk_path
 */
struct caller {
	struct prove prove;
	struct acceptor *acceptor;
	struct admit_host *host;
	char name[PORT_NAME_MAX];
	struct peer peer;
	struct known_peer *known;
	struct caller *next, **link;
	struct deferred end;
};

static struct known_peer **bucket_of(struct callers *all, const uint8_t *key)
{
	/* Keys are as good as random, and these are in a file of ours. */
	return &all->known[get_be16(key) % CALLERS_BUCKETS];
}

static struct known_peer *known_of(struct callers *all, const uint8_t *key)
{
	struct known_peer *k = *bucket_of(all, key);

	while (k && memcmp(k->key, key, sizeof(k->key)) != 0)
		k = k->next;
	return k;
}

/* Return: what is known of it, from now on; NULL without memory. */
static struct known_peer *know(struct callers *all, const uint8_t *key)
{
	struct known_peer **first = bucket_of(all, key), *k = known_of(all, key);

	if (k)
		return k;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	memcpy(k->key, key, sizeof(k->key));
	k->next = *first;
	*first = k;
	return k;
}

bool callers_have_file(const struct acceptor *a)
{
	const struct keys *keys = a->relay->env.keys;

	return keys && !driver_of(a->ep)->has_no_keys &&
	       (a->ep->peers_path[0] || keys->usual[0]);
}

static const struct peer *peer_of(const struct acceptor *a, const uint8_t *key)
{
	const struct peers *peers = keys_peers(a->relay->env.keys, a->ep->peers_path);

	return peers ? peers_find(peers, key) : NULL;
}

void callers_rules(const struct acceptor *a, const struct peer *peer,
		   struct endpoint_rules *rules)
{
	*rules = a->ep->rules;
	rules->is_isolated |= peer->rules.is_isolated;
	rules->is_unpadded |= peer->rules.is_unpadded;
	if (peer->rules.storm)
		rules->storm = peer->rules.storm;
	if (peer->rules.n_macs) {
		rules->n_macs = peer->rules.n_macs;
		memcpy(rules->macs, peer->rules.macs, sizeof(rules->macs));
	}
}

/* ---- one of them ---- */

static void free_caller(struct deferred *d)
{
	struct caller *c = container_of(d, struct caller, end);

	/* It may have keys of a session that came to nothing. */
	crypto_wipe(c, sizeof(*c));
	free(c);
}

static void forget(struct caller *c)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	/* Its watch may have called. */
	loop_defer(c->acceptor->relay->loop, &c->end, free_caller);
}

void callers_refused(struct acceptor *a, const char *who, bool is_named, const char *why)
{
	uint64_t now = loop_now(), *told_at = &a->told_at[is_named];

	a->listener.admit.refused[ADMIT_PEERS]++;
	if (now - *told_at < TELL_MS && *told_at)
		return;
	log_warn("%s: %s refused: %s", a->label, who, why);
	*told_at = now;
}

static void refuse(struct caller *c, int fd, const char *why)
{
	struct acceptor *a = c->acceptor;

	callers_refused(a, c->name, c->known != NULL, why);
	close(fd);
	forget(c);
	listener_gone(&a->listener, c->host);
}

/* What our key and its have in common, which costs as much as all else of a handshake. */
static int share(struct known_peer *k, const struct keys *keys, const struct identity *me)
{
	if (k->has_shared && k->version == keys->version)
		return 0;
	k->version = keys->version;
	k->has_shared = crypto_dh(k->shared, me->pair.key, k->key) == 0;
	return k->has_shared ? 0 : -EINVAL;
}

int callers_find(struct acceptor *a, const uint8_t key[SEAL_KEY_BYTES], struct peer *out,
		 struct known_peer **known, char *why, size_t size)
{
	struct keys *keys = a->relay->env.keys;
	const struct peer *peer = peer_of(a, key);
	char text[KEY_TEXT_MAX];

	if (!peer) {
		key_write(text, key);
		snprintf(why, size, "its key %s is not in %.64s; add it there", text,
			 a->ep->peers_path[0] ? a->ep->peers_path : keys->usual);
		return -EACCES;
	}
	*out = *peer;
	*known = know(&a->relay->callers, key);
	if (!*known || share(*known, keys, keys_own(keys)) < 0) {
		snprintf(why, size, *known ? "its key is none" : "no memory");
		return -ENOMEM;
	}
	return 0;
}

int callers_find_proved(struct acceptor *a, const uint8_t key[SEAL_KEY_BYTES],
			struct peer *out, struct known_peer **known, char *why,
			size_t size)
{
	keys_look_now(a->relay->env.keys, a->ep->peers_path);
	return callers_find(a, key, out, known, why, size);
}

/* Whether it has the place already that it wants. */
static bool has_place(const struct acceptor *a, const struct known_peer *known)
{
	return known->member && known->member->acceptor == a;
}

void callers_note_rival(struct known_peer *k)
{
	uint64_t now = loop_now();

	if (now - k->rivals_at >= RIVALS_MS) {
		k->rivals_at = now;
		k->rivals = 0;
	}
	if (++k->rivals == RIVALS)
		log_warn("%s: its key came from elsewhere %u times within a minute; if "
			 "two hosts have it, give each a key of its own",
			 k->member->name, k->rivals);
}

int callers_make_room(struct acceptor *a, struct known_peer *known, char *why,
		      size_t size)
{
	if (!has_place(a, known) && !acceptor_make_room(a)) {
		snprintf(why, size, "another peer has this end of the cable");
		return -EBUSY;
	}
	if (known->member) {
		callers_note_rival(known);
		callers_end_port(known, "its peer has connected anew");
	}
	return 0;
}

int callers_admit(struct acceptor *a, struct known_peer *known, const char *name,
		  const uint8_t stamp[HANDSHAKE_STAMP_BYTES], uint8_t psk[SEAL_KEY_BYTES],
		  char *why, size_t size)
{
	const struct peer *peer;

	if (memcmp(stamp, known->stamp, HANDSHAKE_STAMP_BYTES) <= 0) {
		snprintf(why, size,
			 "%s was later when it last connected: its clock went back, or "
			 "somebody repeats what it sent; set its clock",
			 name);
		return -EACCES;
	}
	if (!has_place(a, known) && !acceptor_has_room(a)) {
		snprintf(why, size,
			 "%s is another peer than the one that has this end of the cable",
			 name);
		return -EBUSY;
	}
	memcpy(known->stamp, stamp, HANDSHAKE_STAMP_BYTES);
	peer = peer_of(a, known->key);
	return keys_psk(a->relay->env.keys, peer ? peer->psk_path : NULL, psk, why, size);
}

static int find(struct prove *p, const uint8_t key[SEAL_KEY_BYTES])
{
	struct caller *c = container_of(p, struct caller, prove);
	int ret = callers_find(c->acceptor, key, &c->peer, &c->known, p->why,
			       sizeof(p->why));

	p->shared = ret == 0 ? c->known->shared : NULL;
	return ret;
}

static int check(struct prove *p, const uint8_t stamp[HANDSHAKE_STAMP_BYTES],
		 uint8_t psk[SEAL_KEY_BYTES])
{
	struct caller *c = container_of(p, struct caller, prove);

	return callers_admit(c->acceptor, c->known, c->peer.name, stamp, psk, p->why,
			     sizeof(p->why));
}

void callers_end_port(struct known_peer *k, const char *why)
{
	struct port *p = k->member->port;

	k->member->known = NULL;
	k->member = NULL;
	if (p->state != PORT_UP)
		return;
	port_why(p, -EACCES, "%s", why);
	port_down(p);
}

static void proved(struct prove *p, int fd, int ret)
{
	struct caller *c = container_of(p, struct caller, prove);
	struct arrival in = { .fd = fd, .name = c->name, .host = c->host };
	struct relay *r = c->acceptor->relay;

	if (ret == 0)
		ret = callers_find_proved(c->acceptor, c->known->key, &c->peer, &c->known,
					  p->why, sizeof(p->why));
	if (ret == 0) {
		in.session = &p->session;
		in.peer = &c->peer;
		in.known = c->known;
		ret = callers_make_room(c->acceptor, in.known, p->why, sizeof(p->why));
	}
	if (ret < 0) {
		refuse(c, fd, p->why);
	} else if (ret == PROVE_PLAIN && !acceptor_make_room(c->acceptor)) {
		refuse(c, fd, "another peer has this end of the cable");
	} else {
		acceptor_take(c->acceptor, &in);
		forget(c);
	}
	callers_check(r);
}

void callers_begin(struct acceptor *a, int fd, const char *peer, struct admit_host *host)
{
	struct callers *all = &a->relay->callers;
	struct caller *c = calloc(1, sizeof(*c));
	int ret;

	if (!c) {
		log_warn("%s: no memory for it", peer);
		close(fd);
		listener_gone(&a->listener, host);
		return;
	}
	c->acceptor = a;
	c->host = host;
	snprintf(c->name, sizeof(c->name), "%s", peer);
	c->next = all->first;
	c->link = &all->first;
	if (c->next)
		c->next->link = &c->next;
	all->first = c;
	prove_init(&c->prove, a->relay->loop);
	c->prove.find = find;
	c->prove.check = check;
	c->prove.done = proved;
	ret = prove_answer(&c->prove, fd, keys_own(a->relay->env.keys),
			   a->ep->takes_plain);
	if (ret < 0)
		refuse(c, fd, c->prove.why);
}

void callers_end(struct relay *r, const struct acceptor *a)
{
	for (struct caller *c = r->callers.first, *next; c; c = next) {
		next = c->next;
		if (a && c->acceptor != a)
			continue;
		close(prove_stop(&c->prove));
		forget(c);
		listener_gone(&c->acceptor->listener, c->host);
	}
}

/* ---- those who have become ports ---- */

static void check_one(struct relay *r, struct known_peer *k)
{
	struct acceptor *a = k->member->acceptor;
	struct endpoint_rules rules;
	const struct peer *peer;

	if (a->is_stopped && !keys_have(r->env.keys, a->ep->peers_path)) {
		callers_end_port(
			k, "its listener was taken away, and its peers file with it");
		return;
	}
	peer = peer_of(a, k->key);
	if (!peer) {
		callers_end_port(k, "its key was taken out of the peers file");
		return;
	}
	callers_rules(a, peer, &rules);
	members_set_rules(&r->forward.members, k->member, &rules);
}

void callers_check(struct relay *r)
{
	if (r->callers.version == r->env.keys->version)
		return;
	r->callers.version = r->env.keys->version;
	for (unsigned i = 0; i < CALLERS_BUCKETS; i++)
		for (struct known_peer *k = r->callers.known[i]; k; k = k->next)
			if (k->member)
				check_one(r, k);
}

void callers_free(struct callers *all)
{
	for (unsigned i = 0; i < CALLERS_BUCKETS; i++)
		while (all->known[i]) {
			struct known_peer *k = all->known[i];

			all->known[i] = k->next;
			crypto_wipe(k, sizeof(*k));
			free(k);
		}
}
