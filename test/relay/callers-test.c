/* SPDX-License-Identifier: MIT */
/*
 * callers.c: who of those that come to a listener with a peers file becomes a port, with
 * which name and rules, and what is told of the others; what a change of the files does;
 * and what is left when memory ends anywhere. Files, sockets and handshakes are real.
 *
 *   site, far, stranger ---- unix socket ---- listener, relay
 */
#include "relay/callers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fault.h"
#include "lib/keyed-relay.h"
#include "lib/leap.h"
#include "lib/no-memory.h"
#include "lib/proof.h"
#include "lib/tap.h"
#include "lib/turn.h"
#include "trunk/channel-sealed.h"
#include "trunk/prove.h"
#include "trunk/trunk.h"

#define ALARM_S 120
#define WAIT_MS 5000
#define WHY_MAX 256
#define FRAME_BYTES 60

/*
 * Somebody who dials.
 * @first: what it has sent, or is about to
 */
struct visitor {
	const struct identity *me;
	int fd;
	struct handshake hs;
	struct session session;
	uint8_t first[HANDSHAKE_1_BYTES];
};

/* ---- the relay ---- */

static struct acceptor *listen_to(const char *text)
{
	struct endpoint ep;
	char why[WHY_MAX];

	if (endpoint_parse(&ep, text, why, sizeof(why)) < 0 ||
	    relay_add(&relay, &ep, why, sizeof(why)) < 0) {
		printf("Bail out! %s\n", why);
		exit(1);
	}
	return relay.acceptors;
}

static struct acceptor *begin(enum relay_kind kind, const char *text)
{
	struct acceptor *a;

	keyed_begin(kind);
	a = listen_to(text);
	relay_set_running(&relay);
	is_silent();
	return a;
}

static void end(void)
{
	keyed_end();
	unlink("s");
}

/* ---- visitors ---- */

static void come(struct visitor *v, const struct identity *me)
{
	struct sock_addr addr;
	bool in_progress;

	memset(v, 0, sizeof(*v));
	v->me = me;
	sock_unix("s", &addr);
	v->fd = sock_connect(&addr, SOCK_STREAM, 0, &in_progress);
	if (v->fd < 0)
		abort();
}

/* Make the first message, with the time of now in it. */
static void prepare(struct visitor *v, const uint8_t *psk)
{
	if (handshake_dial(&v->hs, v->me, own.pair.pub, psk, v->first) < 0)
		abort();
}

static void say(struct visitor *v, const void *data, size_t len)
{
	if (write(v->fd, data, len) != (ssize_t)len)
		abort();
}

/* Until no caller is under way. */
static void settle(void)
{
	turns(&loop, 2);
	turn_until(&loop, WAIT_MS, !relay.callers.first);
	turns(&loop, 2);
}

/* Whether anything came for it, or its end. */
static bool is_told(const struct visitor *v)
{
	return recv(v->fd, &(char){ 0 }, 1, MSG_PEEK) >= 0 || errno != EAGAIN;
}

/* Say the first message, and wait for what comes of it. */
static void ask(struct visitor *v)
{
	say(v, v->first, sizeof(v->first));
	turns(&loop, 2);
	turn_until(&loop, WAIT_MS, is_told(v));
}

static bool is_answered(struct visitor *v)
{
	uint8_t second[HANDSHAKE_2_BYTES];

	return recv(v->fd, second, sizeof(second), 0) == sizeof(second) &&
	       handshake_finish(&v->hs, second, &v->session) == 0;
}

/* Prove that it has the keys. */
static void prove(struct visitor *v)
{
	uint8_t record[PROVE_BYTES];

	proof_make(&v->session, RECORD_DATA, record);
	say(v, record, sizeof(record));
	settle();
}

/* Whether it was let in. */
static bool is_let_in(struct visitor *v)
{
	if (!is_answered(v))
		return false;
	prove(v);
	return true;
}

/* Whether its connection was ended without a word. */
static bool is_sent_away(struct visitor *v)
{
	char c;
	ssize_t n = recv(v->fd, &c, 1, 0);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* Whether it was a port, which has ended. */
static bool has_ended(struct visitor *v)
{
	char c[256];
	ssize_t n;

	while ((n = recv(v->fd, c, sizeof(c), 0)) > 0)
		;
	return n == 0;
}

static void go(struct visitor *v)
{
	close(v->fd);
	handshake_wipe(&v->hs);
	settle();
}

/* Come, and prove it. Return: whether it was let in. */
static bool call(struct visitor *v, const struct identity *me, const uint8_t *psk)
{
	come(v, me);
	prepare(v, psk);
	ask(v);
	return is_let_in(v);
}

/* ---- tests ---- */

static void test_strangers(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "unix-listen:s");
	struct visitor v, w;
	char text[KEY_TEXT_MAX], want[256];

	come(&v, &stranger);
	turns(&loop, 2);
	ok(relay.callers.first && a->listener.n == 1 && !relay.forward.members.n,
	   "a caller is a connection, and no port");
	say(&v, "\0\0\0\x3c", 4);
	settle();
	ok(is_sent_away(&v) && refusals() == 1 && !a->listener.n &&
		   !relay.forward.members.n,
	   "a QEMU is sent away, and counted");
	ok(was_said("refused: no handshake came"), "and told of");
	go(&v);
	ok(!call(&v, &stranger, NULL) && is_sent_away(&v) && refusals() == 2,
	   "so is one whose key is not in the file");
	ok(is_silent(), "of whom nothing is told at once");
	go(&v);
	leap(&loop, 2);
	call(&v, &stranger, NULL);
	key_write(text, stranger.pair.pub);
	snprintf(want, sizeof(want), "its key %s is not in usual; add it there", text);
	ok(was_said(want), "but after a while: %s", want);
	go(&v);
	leap(&loop, 2);
	come(&v, &site);
	come(&w, &site);
	turns(&loop, 2);
	close(v.fd);
	turns(&loop, 3);
	ok(was_said("before it had proved anything"), "one that goes is told of, too");
	go(&w);
	ok(refusals() == 5 && !a->listener.n, "none is left");
	end();
}

static void test_plain(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "unix-listen:s,plain");
	struct visitor v;

	come(&v, NULL);
	say(&v, "\0\0\0\x3c", 4);
	settle();
	ok(member() && !member()->known && !member()->port->seal.suite,
	   "a plain peer is a port where plain ones may come");
	go(&v);
	come(&v, NULL);
	turns(&loop, 2);
	ok(!member(), "one that is silent is none");
	leap(&loop, PROVE_PLAIN_MS / 1000 + 1);
	settle();
	ok(member() && !refusals(), "for a while");
	go(&v);
	ok(call(&v, &site, NULL) && member()->port->seal.suite,
	   "others prove who they are");
	go(&v);
	ok(!a->listener.n && !relay.forward.members.n, "all have gone");
	end();
}

/* A frame goes through what was agreed on. */
static void send_frame(struct visitor *v, struct channel_sealed *c)
{
	uint8_t wire[4 + FRAME_BYTES] = { 0,	0,    0,    FRAME_BYTES, 0xff, 0xff,
					  0xff, 0xff, 0xff, 0xff,	 0x52, 0x54 };
	struct iovec iov = { wire, sizeof(wire) };

	if (channel_sealed_begin(c, v->fd, &v->session) < 0)
		abort();
	c->channel.ops->send(&c->channel, &iov, 1);
	turn_until(&loop, WAIT_MS, member()->port->count.rx_frames);
}

static void test_peer(void)
{
	struct acceptor *a =
		begin(RELAY_SWITCH, "unix-listen:s,name=guest,mac=52:54:00:00:00:09");
	const struct endpoint_rules *rules;
	struct channel_sealed c;
	struct visitor v, w;

	write_peers("usual", "site isolated pad=0 storm=7 mac=52:54:00:00:00:01", "far");
	ok(call(&v, &site, NULL) && a->listener.n == 1, "a peer of the file is let in");
	ok(member() && !strcmp(member()->name, "site"), "it has the name of the file");
	ok(member()->known && member()->known->member == member() &&
		   !memcmp(member()->port->seal.peer, site.pair.pub, SEAL_KEY_BYTES),
	   "and is known");
	rules = &member()->rules;
	ok(rules->is_isolated && rules->is_unpadded && rules->storm == 7 &&
		   rules->n_macs == 1 && rules->macs[0][5] == 1,
	   "and the rules of the file");
	send_frame(&v, &c);
	ok_eq_int(member()->port->count.rx_frames, 1, "its frames arrive");
	ok(call(&w, &far, NULL) && relay.forward.members.n == 2, "another peer comes");
	rules = &member()->next->rules;
	ok(!strcmp(member()->next->name, "far") && !rules->is_isolated &&
		   !rules->is_unpadded && rules->storm != 7 && rules->n_macs == 1 &&
		   rules->macs[0][5] == 9,
	   "without rules of its own it has the listener's");
	c.channel.ops->close(&c.channel);
	settle();
	ok(relay.forward.members.n == 1 && !refusals(), "it goes, and the other stays");
	go(&w);
	end();
}

static void test_anew(void)
{
	struct acceptor *a = begin(RELAY_CABLE, "unix-listen:s");
	struct known_peer *known;
	struct visitor v, w;

	ok(call(&v, &site, NULL), "a peer");
	known = member()->known;
	ok(call(&w, &site, NULL) && has_ended(&v),
	   "that comes anew ends its old connection");
	ok(was_said("its peer has connected anew"), "which is told");
	ok(relay.forward.members.n == 1 && a->listener.n == 1 &&
		   member()->known == known && known->member == member() &&
		   !strcmp(member()->name, "site"),
	   "and has its name, and the cable's place");
	go(&v);
	ok(member(), "the old one has gone without harm");
	go(&w);
	ok(!member() && !known->member, "and then the new one");
	end();
}

static void test_replay(void)
{
	struct visitor v, w, before = { .me = &site };

	begin(RELAY_SWITCH, "unix-listen:s");
	prepare(&before, NULL);
	ok(call(&w, &site, NULL), "a peer");
	come(&v, &site);
	say(&v, before.first, sizeof(before.first));
	settle();
	ok(is_sent_away(&v) && refusals() == 1 && member() && !has_ended(&w),
	   "what it has made before is refused, and it stays");
	ok(was_said("refused: site was later when it last connected"), "which is told");
	go(&v);
	come(&v, &site);
	say(&v, w.first, sizeof(w.first));
	settle();
	ok(is_sent_away(&v) && member(), "so is what somebody repeats");
	ok(!was_said("refused: site was later"), "and is not told again at once");
	go(&v);
	leap(&loop, 2);
	ok(!call(&v, &stranger, NULL) && was_said("its key"), "a stranger is told of");
	go(&v);
	come(&v, &site);
	say(&v, w.first, sizeof(w.first));
	settle();
	ok(was_said("refused: site was later"), "and then the peer all the same");
	go(&v);
	go(&w);
	come(&v, &site);
	say(&v, w.first, sizeof(w.first));
	settle();
	ok(is_sent_away(&v) && !member(), "even when the peer has gone");
	go(&v);
	ok(call(&v, &site, NULL), "it may come again itself");
	go(&v);
	end();
}

/*
 * The relay has started anew, and knows no timestamps. Somebody repeats what a peer has
 * said before.
 */
static void test_recorded(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "unix-listen:s");
	struct member *m;
	struct visitor v, w;

	ok(call(&w, &site, NULL), "a peer");
	m = member();
	memset(m->known->stamp, 0, sizeof(m->known->stamp));
	come(&v, &site);
	memcpy(v.first, w.first, sizeof(v.first));
	ask(&v);
	turns(&loop, 2);
	ok(is_told(&v) && relay.callers.first && member() == m && a->listener.n == 2 &&
		   relay.forward.members.n == 1 && !has_ended(&w),
	   "a recorded message makes no port, and ends none");
	leap(&loop, TRUNK_ANSWER_MS / 1000 + 1);
	settle();
	ok(was_said("refused: it has not proved") && refusals() == 1 &&
		   a->listener.n == 1 && member() == m && !has_ended(&w),
	   "after a while it is refused");
	go(&v);
	leap(&loop, 2);
	memset(m->known->stamp, 0, sizeof(m->known->stamp));
	come(&v, &site);
	memcpy(v.first, w.first, sizeof(v.first));
	ask(&v);
	say(&v, "\0\0\0\20this is no proof", 20);
	settle();
	ok(refusals() == 2 && member() == m && !has_ended(&w),
	   "so is a proof that is none");
	go(&v);
	go(&w);
	end();
}

/* What has changed until the proof counts. */
static void test_late(void)
{
	struct acceptor *a = begin(RELAY_CABLE, "unix-listen:s");
	struct visitor v, w;

	come(&v, &site);
	prepare(&v, NULL);
	ask(&v);
	come(&w, &far);
	prepare(&w, NULL);
	ask(&w);
	ok(is_answered(&v) && is_answered(&w) && !member() && a->listener.n == 2,
	   "two peers are answered");
	proof_make(&v.session, RECORD_DATA, v.first);
	say(&v, v.first, PROVE_BYTES);
	turns(&loop, 3);
	ok(member() && !strcmp(member()->name, "site"), "the first has the place");
	prove(&w);
	ok(is_sent_away(&w) && was_said("another peer has this end of the cable") &&
		   relay.forward.members.n == 1 && a->listener.n == 1,
	   "and the other, which proves it later, has not");
	go(&w);
	go(&v);
	come(&v, &site);
	prepare(&v, NULL);
	ask(&v);
	ok(is_answered(&v), "a peer is answered");
	write_peers("usual", NULL, "far");
	leap(&loop, 1);
	keys_peers(&keys, "");
	callers_check(&relay);
	prove(&v);
	ok(!member() && is_sent_away(&v) && was_said("is not in usual; add it there"),
	   "one that is struck until it has proved it is no port");
	go(&v);
	write_peers("usual", "site", "far");
	come(&v, &site);
	prepare(&v, NULL);
	ask(&v);
	ok(is_answered(&v), "another one is answered");
	keys.look_ms = 1000000;
	write_peers("usual", NULL, "far");
	prove(&v);
	ok(!member() && is_sent_away(&v), "nor if the file was looked at just before");
	keys.look_ms = 0;
	go(&v);
	write_peers("usual", "site", "far");
	end();
}

static void test_cable(void)
{
	struct acceptor *a = begin(RELAY_CABLE, "unix-listen:s,plain");
	struct visitor v, w;

	ok(call(&v, &site, NULL), "a peer has the cable's place");
	ok(!call(&w, &far, NULL) && is_sent_away(&w), "another peer has not");
	ok(was_said("far is another peer than the one that has this end"), "it is told");
	go(&w);
	leap(&loop, 2);
	come(&w, NULL);
	say(&w, "\0\0\0\x3c", 4);
	settle();
	ok(is_sent_away(&w) && was_said("another peer has this end of the cable"),
	   "nor has a plain one");
	go(&w);
	ok(member() && a->listener.n == 1 && refusals() == 2, "the first one stays");
	go(&v);
	come(&w, NULL);
	say(&w, "\0\0\0\x3c", 4);
	settle();
	ok(member() && call(&v, &site, NULL) == false, "it goes, and a plain one has it");
	go(&v);
	go(&w);
	end();
}

static void test_struck(void)
{
	struct visitor v, w;

	begin(RELAY_SWITCH, "unix-listen:s");
	ok(call(&v, &site, NULL) && call(&w, &far, NULL), "two peers");
	write_peers("usual", "site isolated", "far");
	go(&w);
	ok(!member()->rules.is_isolated,
	   "a file that was changed is not looked at at once");
	ok(call(&w, &far, NULL) && member()->rules.is_isolated,
	   "when another connection comes, all have the rules that stand there");
	go(&w);
	ok(call(&w, &far, NULL) && member()->rules.is_isolated, "and keep them");
	go(&v);
	write_peers("usual", "site", NULL);
	ok(call(&v, &site, NULL) && has_ended(&w) && relay.forward.members.n == 1,
	   "one that was struck ends");
	ok(was_said("its key was taken out of the peers file"), "which is told");
	go(&w);
	ok(!call(&w, &far, NULL), "and does not come back");
	go(&w);
	write_peers("usual", "site storm=3", NULL);
	callers_check(&relay);
	ok_eq_int(member()->rules.storm, 0, "the same version is not compared");
	keys.version++;
	callers_check(&relay);
	ok_eq_int(member()->rules.storm, 3, "but when somebody asks");
	go(&v);
	write_peers("usual", "site", "far");
	end();
}

/* What our key and a peer's have in common is kept, but not longer than the key. */
static void test_own_key(void)
{
	struct identity before = own;
	struct visitor v;

	begin(RELAY_SWITCH, "unix-listen:s");
	for (unsigned i = 0; i < 2; i++) {
		ok(call(&v, &site, NULL), "a peer");
		go(&v);
	}
	write_own(&stranger);
	own = stranger;
	ok(call(&v, &site, NULL), "another key of ours counts from the next one on");
	go(&v);
	own = before;
	ok(!call(&v, &site, NULL) && was_said("the peer has another key for us"),
	   "and the old one no more");
	go(&v);
	write_own(&own);
	end();
}

static void test_secret(void)
{
	const uint8_t psk[SEAL_KEY_BYTES] = { 5 }, other[SEAL_KEY_BYTES] = { 6 };
	char text[KEY_TEXT_MAX];
	struct visitor v;

	begin(RELAY_SWITCH, "unix-listen:s");
	write_peers("usual", "site psk=secret", "far");
	ok(!call(&v, &site, psk) && is_sent_away(&v) && !member(),
	   "a secret that can't be read");
	ok(was_said("refused: secret: No such file or directory"), "is told of");
	go(&v);
	key_write(text, psk);
	replace("secret", text);
	ok(call(&v, &site, psk) && member(), "now it can");
	go(&v);
	ok(!call(&v, &site, other), "another one is none");
	go(&v);
	leap(&loop, 2);
	ok(!call(&v, &site, NULL), "nor is none");
	go(&v);
	ok(!member() && was_said("refused: it has not proved"),
	   "which is told here, too");
	unlink("secret");
	write_peers("usual", "site", "far");
	end();
}

/* A key that is none, in the file, and at somebody who says that it is its. */
static void test_no_key(void)
{
	struct identity liar = stranger;
	char line[256];
	struct visitor v;

	memset(liar.pair.pub, 0, sizeof(liar.pair.pub));
	replace("usual", peer_line(line, &liar, "liar"));
	begin(RELAY_SWITCH, "unix-listen:s");
	ok(!call(&v, &liar, NULL) && is_sent_away(&v) && !member(), "a key that is none");
	ok(was_said("refused: its key is none"), "is refused though it is in the file");
	go(&v);
	end();
	write_peers("usual", "site", "far");
}

/* Keys of which nothing is known but that they are in one chain. */
static void test_chain(void)
{
	uint8_t key[SEAL_KEY_BYTES] = { 0, 77 };
	unsigned bucket = get_be16(site.pair.pub) % CALLERS_BUCKETS;
	struct identity same = { 0 }, before = far;
	struct visitor v, w;

	for (uint32_t i = 0; i < 100 * CALLERS_BUCKETS; i++) {
		put_be32(key + 8, i);
		crypto_public(same.pair.pub, key);
		if (get_be16(same.pair.pub) % CALLERS_BUCKETS == bucket)
			break;
	}
	identity_set(&same, key);
	far = same;
	write_peers("usual", "site", "far");
	begin(RELAY_SWITCH, "unix-listen:s");
	ok(call(&v, &site, NULL) && call(&w, &far, NULL) &&
		   !strcmp(member()->name, "site") &&
		   !strcmp(member()->next->name, "far"),
	   "two peers of one chain");
	go(&v);
	ok(call(&v, &site, NULL) && relay.forward.members.n == 2, "are two still");
	go(&v);
	go(&w);
	end();
	far = before;
	write_peers("usual", "site", "far");
}

static void test_deleted(void)
{
	struct visitor v[3], w;
	struct acceptor *a;

	a = begin(RELAY_SWITCH, "unix-listen:s");
	ok(call(&w, &far, NULL), "a peer");
	come(&v[0], &site);
	come(&v[1], &site);
	turns(&loop, 3);
	ok_eq_int(a->listener.n, 3, "and two that have proved nothing");
	rename("s", "t");
	listen_to("unix-listen:s,peers=other");
	come(&v[2], &site);
	turns(&loop, 3);
	acceptor_del(a);
	turns(&loop, 2);
	ok(is_sent_away(&v[0]) && is_sent_away(&v[1]) && !has_ended(&w) &&
		   !has_ended(&v[2]),
	   "a listener that is taken away ends its own callers, and no port");
	ok(relay.callers.first && relay.acceptors->listener.n == 1, "one caller is left");
	prepare(&v[2], NULL);
	ask(&v[2]);
	ok(is_let_in(&v[2]) && !strcmp(member()->next->name, "other-site"),
	   "which is judged by the file of its own listener");
	go(&w);
	go(&v[0]);
	go(&v[1]);
	go(&v[2]);
	come(&v[0], &site);
	turns(&loop, 2);
	ok(relay.callers.first, "the relay ends with one under way");
	end();
	ok(is_sent_away(&v[0]), "which ends, too");
	close(v[0].fd);
	unlink("t");
}

/* A listener and its peers file are no more in a configuration. */
static void test_lost_file(void)
{
	const struct conf conf = { .key_file = "own", .peers_file = "usual" };
	struct acceptor *a = begin(RELAY_SWITCH, "unix-listen:s,peers=other");
	char why[PEERS_WHY_MAX];
	struct keys before;
	struct visitor v;

	ok(call(&v, &site, NULL), "a peer");
	acceptor_del(a);
	callers_check(&relay);
	ok(member() && !has_ended(&v), "stays when its listener goes");
	if (keys_renew(&keys, &conf, &before, why, sizeof(why)) < 0)
		abort();
	keys_renewed(&keys, &before, true);
	callers_check(&relay);
	turns(&loop, 2);
	ok(has_ended(&v) && was_said("its listener was taken away, and its peers file"),
	   "and goes with the file, which is told");
	go(&v);
	end();
}

/* Two hosts have one key. */
static void test_rivals(void)
{
	struct visitor v[2];
	unsigned i;

	begin(RELAY_SWITCH, "unix-listen:s");
	call(&v[1], &site, NULL);
	for (i = 0; i < 4; i++) {
		call(&v[i % 2], &site, NULL);
		go(&v[!(i % 2)]);
	}
	ok(!was_said("its key came from elsewhere"), "a peer that comes anew is one");
	for (; i < 8; i++) {
		call(&v[i % 2], &site, NULL);
		go(&v[!(i % 2)]);
		if (i == 4)
			ok(was_said("site: its key came from elsewhere 5 times"),
			   "one that does so again and again is told of");
	}
	ok(!was_said("its key came from elsewhere"), "once a minute");
	leap(&loop, 61);
	for (; i < 12; i++) {
		call(&v[i % 2], &site, NULL);
		go(&v[!(i % 2)]);
	}
	ok(!was_said("its key came from elsewhere"), "a few are right again");
	go(&v[1]);
	end();
}

static void test_changed(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "unix-listen:s");
	struct visitor v, w, x;
	struct endpoint ep;
	char why[WHY_MAX];

	ok(call(&v, &site, NULL) && call(&w, &far, NULL), "two peers");
	come(&x, &far);
	turns(&loop, 2);
	endpoint_parse(&ep, "unix-listen:s,peers=other,isolated", why, sizeof(why));
	ok_eq_int(acceptor_change(a, &ep, why, sizeof(why)), 1, "other peers may come");
	keys.version++; /* as keys_renew() does */
	callers_check(&relay);
	turns(&loop, 2);
	ok(has_ended(&w) && relay.forward.members.n == 1 && member()->rules.is_isolated,
	   "who is not of them ends, and the others have the new rules");
	prepare(&x, NULL);
	say(&x, x.first, sizeof(x.first));
	settle();
	ok(is_sent_away(&x) && was_said("is not in other; add it there"),
	   "a caller that is under way is judged by the new file");
	go(&v);
	go(&w);
	go(&x);
	end();
}

static void test_without(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "unix-listen:s");
	struct visitor v, w;

	ok(call(&v, &site, NULL), "a peer");
	keys.usual[0] = '\0';
	ok(!callers_wanted(a), "nobody has to prove anything without a file");
	come(&w, NULL);
	settle();
	ok(relay.forward.members.n == 2 && !member()->next->known,
	   "and is a port at once");
	keys.version++;
	callers_check(&relay);
	turns(&loop, 2);
	ok(has_ended(&v) && relay.forward.members.n == 1,
	   "but who was in a file is in none now");
	relay.env.keys = NULL;
	ok(!callers_wanted(a), "nor without a key of ours");
	relay.env.keys = &keys;
	go(&v);
	go(&w);
	end();
}

/* ---- a machine that has nothing left ---- */

static void test_no_watch(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "unix-listen:s");
	struct visitor v;

	come(&v, &site);
	/* The first one is the turn's own. */
	fault_arm(FAULT_epoll_ctl, 2, ENOSPC);
	turn(&loop);
	ok(fault_disarm() && was_said("refused: No space left on device"),
	   "a caller that can't be watched is told of");
	ok(is_sent_away(&v) && !a->listener.n && !relay.callers.first,
	   "and nothing is left");
	go(&v);
	end();
}

/* A peer comes, and so many allocations are granted. Return: whether it became a port. */
static bool comes_to(struct acceptor *a, unsigned granted)
{
	struct visitor v;
	bool is_in, is_port;

	come(&v, &site);
	prepare(&v, NULL);
	no_memory_after = granted;
	no_memory = true;
	ask(&v);
	is_in = is_let_in(&v);
	no_memory = false;
	settle();
	is_port = member();
	if (is_port && (!is_in || !member()->port->seal.suite))
		ok(false, "%u allocations: a port that is not sealed", granted);
	if (!is_port && (a->listener.n || relay.forward.members.n || is_silent()))
		ok(false, "%u allocations: something is left, or nothing told", granted);
	go(&v);
	is_silent();
	return is_port;
}

static void test_no_memory(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "unix-listen:s");
	unsigned fds = fault_open_fds(), granted = 0;
	struct visitor v;

	come(&v, &site);
	no_memory = true;
	turns(&loop, 2);
	no_memory = false;
	ok(is_sent_away(&v) && !a->listener.n && was_said("no memory for it"),
	   "no memory for a caller");
	go(&v);
	while (granted < 100 && !comes_to(a, granted))
		granted++;
	ok(granted > 3 && granted < 100, "memory that ends anywhere: %u places", granted);
	ok_eq_int(fault_open_fds(), fds, "leaves no descriptor open");
	ok(call(&v, &site, NULL), "and with memory the peer comes");
	go(&v);
	end();
}

int main(void)
{
	alarm(ALARM_S);
	signal(SIGPIPE, SIG_IGN);
	keyed_open();
	write_peers("other", "other-site", NULL);
	test_strangers();
	test_plain();
	test_peer();
	write_peers("usual", "site", "far");
	test_anew();
	test_replay();
	test_recorded();
	test_late();
	test_cable();
	test_struck();
	test_own_key();
	test_secret();
	test_no_key();
	test_chain();
	test_deleted();
	test_lost_file();
	test_rivals();
	test_changed();
	test_without();
	test_no_watch();
	test_no_memory();
	unlink("other");
	keyed_close();
	return done();
}
