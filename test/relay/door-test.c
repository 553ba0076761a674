/* SPDX-License-Identifier: MIT */
/*
 * door.c: who of those that come to a listener of sealed trunks over UDP becomes a port, and
 * what is told of the others; and what is left when memory ends anywhere. Files, sockets and
 * handshakes are real; who comes is played by the test.
 *
 *   site, far, stranger ---- UDP ---- listener, relay
 */
#include "relay/door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
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
#include "lib/random.h"
#include "lib/tap.h"
#include "lib/turn.h"

#define ALARM_S 120
#define WHY_MAX 256
#define FRAME_BYTES 60
#define ROUNDS 4   /* hello and answer, ping and pong, and some more */
#define DEAD_S 15  /* see udp-session.c */
#define PROVE_S 10 /* the same */

/*
 * Somebody who dials.
 * @hello: its last one
 */
struct visitor {
	struct seal_link link;
	const struct identity *me;
	int fd;
	uint32_t index;
	uint8_t hello[SEAL_LINK_HELLO_BYTES];
};

/* ---- the relay ---- */

static uint16_t port_of(int fd)
{
	struct sockaddr_in6 addr = { 0 };

	if (getsockname(fd, (struct sockaddr *)&addr, &(socklen_t){ sizeof(addr) }) < 0)
		abort();
	/* It is at the same place in both versions. */
	return ntohs(addr.sin6_port);
}

static uint16_t free_port(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint16_t port;

	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		abort();
	port = port_of(fd);
	close(fd);
	return port;
}

static int try_listen(const char *host, uint16_t port, const char *more, char *why)
{
	struct endpoint ep;
	char text[256];

	snprintf(text, sizeof(text), "tcp-listen:%s%u,udp%s", host, port, more);
	if (endpoint_parse(&ep, text, why, WHY_MAX) == 0)
		return relay_add(&relay, &ep, why, WHY_MAX);
	printf("Bail out! %s\n", why);
	exit(1);
}

static struct acceptor *listen_more(const char *more)
{
	char why[WHY_MAX];

	if (try_listen("127.0.0.1:", free_port(), more, why) < 0) {
		printf("Bail out! %s\n", why);
		exit(1);
	}
	return relay.acceptors;
}

static void begin_relay(enum relay_kind kind)
{
	write_peers("usual", "site", "far");
	keyed_begin(kind);
	relay_set_running(&relay);
}

static struct acceptor *begin(enum relay_kind kind, const char *more)
{
	struct acceptor *a;

	begin_relay(kind);
	a = listen_more(more);
	is_silent();
	return a;
}

static bool has_session(const struct acceptor *a, const struct identity *who)
{
	return udp_hub_find(&a->door->hub, who->pair.pub);
}

/* ---- visitors ---- */

static int visitor_send(struct seal_link *l, const uint8_t *data, size_t len,
			bool is_reply)
{
	struct visitor *v = container_of(l, struct visitor, link);

	(void)is_reply;
	if (data[0] == SEAL_LINK_HELLO)
		memcpy(v->hello, data, sizeof(v->hello));
	return send(v->fd, data, len, MSG_DONTWAIT) < 0 ? -errno : 0;
}

static void come_to(struct visitor *v, uint16_t port, const struct identity *me)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons(port) };

	*v = (struct visitor){ .me = me, .link.is_dialler = true };
	v->link.send = visitor_send;
	v->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connect(v->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		abort();
	seal_link_begin(&v->link, loop_now());
}

static void come(struct visitor *v, struct acceptor *a, const struct identity *me)
{
	come_to(v, port_of(a->door->hub.watch.fd), me);
}

static void say_hello(struct visitor *v, const uint8_t *psk)
{
	if (seal_link_dial(&v->link, v->me, own.pair.pub, psk, ++v->index, loop_now()) <
	    0)
		abort();
}

/* What it has said before may have met nobody. */
static void say(struct visitor *v, const void *data, size_t len)
{
	if (send(v->fd, data, len, 0) != (ssize_t)len &&
	    (errno != ECONNREFUSED || send(v->fd, data, len, 0) != (ssize_t)len))
		abort();
}

/* Take what has come. Return: how many datagrams these were. */
static unsigned hear(struct visitor *v)
{
	uint8_t data[PMTU_MAX + 1];
	struct seal_link_taken t;
	unsigned count = 0;
	ssize_t n;

	for (; (n = recv(v->fd, data, sizeof(data), 0)) >= 0; count++)
		seal_link_take(&v->link, data, (size_t)n, loop_now(), &t);
	return count;
}

/* Each says all that it has to. */
static unsigned settle(struct visitor *v)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		turns(&loop, 2);
		count += hear(v);
	}
	return count;
}

/* Come, and prove it. Return: whether it was let in. */
static bool call(struct visitor *v, struct acceptor *a, const struct identity *me)
{
	come(v, a, me);
	say_hello(v, NULL);
	settle(v);
	return seal_link_is_up(&v->link);
}

/* Send the last hello again, and whatever else. Return: whether it was answered. */
static bool repeat(struct visitor *v)
{
	say(v, v->hello, sizeof(v->hello));
	return settle(v) > 0;
}

static void send_frame(struct visitor *v)
{
	uint8_t wire[DATAGRAM_OVERHEAD + 2 + FRAME_BYTES] = { 0 };
	uint8_t *at = wire + DATAGRAM_HEAD;

	put_be16(at, FRAME_BYTES);
	memset(at + 2, 0xff, 6);
	at[8] = 0x52;
	say(v, wire, seal_link_seal(&v->link, wire, 2 + FRAME_BYTES, loop_now()));
	settle(v);
}

/* It leaves without a word, and so do its keys. */
static void go(struct visitor *v)
{
	close(v->fd);
	seal_link_end(&v->link);
}

/* ---- tests ---- */

static void test_strangers(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "");
	uint8_t junk[SEAL_LINK_HELLO_BYTES] = { SEAL_LINK_HELLO, [7] = 1 };
	char text[KEY_TEXT_MAX], want[256];
	struct visitor v;

	come(&v, a, &stranger);
	say(&v, junk, sizeof(junk));
	ok(!settle(&v) && refusals() == 1, "who does not know our key is not answered");
	ok(was_said("refused: it does not know our key"), "and told of");
	say(&v, junk, 5);
	ok(!settle(&v) && refusals() == 2 && is_silent(), "the next one not at once");
	leap(&loop, 2);
	say_hello(&v, NULL);
	key_write(text, stranger.pair.pub);
	snprintf(want, sizeof(want), "its key %s is not in usual; add it there", text);
	ok(!settle(&v) && was_said(want), "nor is who is not in the file: %s", want);
	ok(!a->door->hub.n_slots && !relay.forward.members.n && refusals() == 3,
	   "nothing is kept of them");
	go(&v);
	keyed_end();
}

static void test_peer(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "");
	struct visitor v, w;

	write_peers("usual", "site isolated storm=7", "far");
	come(&v, a, &site);
	say_hello(&v, NULL);
	turns(&loop, 2);
	ok(has_session(a, &site) && !member() && !a->listener.n,
	   "a peer that has proved nothing is no port");
	settle(&v);
	ok(seal_link_is_up(&v.link) && member() && a->listener.n == 1,
	   "and then it is one");
	ok(!strcmp(member()->name, "site") && member()->rules.is_isolated &&
		   member()->rules.storm == 7,
	   "with the name and the rules of the file");
	ok(member()->known && member()->known->member == member() &&
		   !memcmp(member()->port->seal.peer, site.pair.pub, SEAL_KEY_BYTES),
	   "and is known");
	send_frame(&v);
	ok_eq_int(member()->port->count.rx_frames, 1, "its frames arrive");
	ok(call(&w, a, &far) && relay.forward.members.n == 2, "another peer comes");
	ok(!refusals(), "nobody was refused");
	go(&w);
	go(&v);
	leap(&loop, DEAD_S + 1);
	turns(&loop, 4);
	ok(!relay.forward.members.n && !a->listener.n && !has_session(a, &site),
	   "both have gone");
	ok(call(&v, a, &site) && member(), "and may come again");
	go(&v);
	keyed_end();
}

static void test_anew(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, ""), *b;
	struct visitor v, w;
	struct member *m;

	ok(call(&v, a, &site), "a peer");
	m = member();
	ok(call(&w, a, &site) && member() == m && relay.forward.members.n == 1,
	   "that comes anew from another address is the same port");
	send_frame(&w);
	ok_eq_int(m->port->count.rx_frames, 1, "with new keys");
	go(&v);
	b = listen_more("");
	ok(call(&v, b, &site) && was_said("its peer has connected anew"),
	   "at another listener it is another port");
	turns(&loop, 2);
	ok(relay.forward.members.n == 1 && member()->acceptor == b && !a->listener.n,
	   "and the old one has ended");
	go(&v);
	go(&w);
	keyed_end();
}

/* Two hosts have one key, and take turns. */
static void test_rivals(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "");
	struct visitor v, w;

	ok(call(&v, a, &site) && call(&w, a, &site), "one key at two addresses");
	for (unsigned i = 0; i < 3; i++) {
		say_hello(i % 2 ? &w : &v, NULL);
		settle(i % 2 ? &w : &v);
	}
	say_hello(&v, NULL);
	settle(&v);
	ok(!was_said("its key came from elsewhere"), "may be one that moves");
	say_hello(&w, NULL);
	settle(&w);
	ok(was_said("site: its key came from elsewhere 5 times within a minute"),
	   "but not again and again");
	go(&v);
	go(&w);
	keyed_end();
}

/* Change a hello so that only who has its keys can tell. */
static void forge(struct visitor *v)
{
	uint8_t *first = v->hello + SEAL_LINK_HEAD;
	uint8_t *mac = first + HANDSHAKE_1_BYTES - HANDSHAKE_MAC_BYTES;
	struct iovec iov = { first, (size_t)(mac - first) };
	uint8_t code[SEAL_HASH_BYTES];

	mac[-1] ^= 1;
	crypto_hmac(code, own.mac_key, sizeof(own.mac_key), &iov, 1);
	memcpy(mac, code, HANDSHAKE_MAC_BYTES);
}

static void test_replay(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "");
	struct visitor v, w;

	ok(call(&v, a, &site), "a peer");
	come(&w, a, &site);
	memcpy(w.hello, v.hello, sizeof(w.hello));
	ok(!repeat(&w) && was_said("refused: site was later when it last connected"),
	   "somebody repeats what it has said: no answer");
	leap(&loop, 2);
	forge(&w);
	ok(!repeat(&w) && was_said("refused: its handshake is wrong"),
	   "or changes it: no answer");
	send_frame(&v);
	ok(member() && member()->port->count.rx_frames == 1 && refusals() == 2,
	   "the peer is not disturbed");
	go(&v);
	go(&w);
	keyed_end();
}

static void test_cable(void)
{
	struct acceptor *a = begin(RELAY_CABLE, "");
	struct visitor v, w;

	come(&v, a, &site);
	come(&w, a, &far);
	say_hello(&v, NULL);
	say_hello(&w, NULL);
	turns(&loop, 2);
	settle(&v);
	ok(member() && !strcmp(member()->name, "site"),
	   "the first has the cable's place");
	settle(&w);
	ok(was_said("another peer has this end of the cable") && refusals() == 1 &&
		   !has_session(a, &far),
	   "who proves it later has not, and is forgotten");
	leap(&loop, 2);
	say_hello(&w, NULL);
	ok(!settle(&w) && was_said("far is another peer than the one that has this end"),
	   "and is not answered any more");
	ok(relay.forward.members.n == 1 && a->listener.n == 1, "the first one stays");
	go(&v);
	go(&w);
	keyed_end();
}

static void test_struck(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "");
	struct visitor v, w;

	ok(call(&v, a, &site), "a peer");
	come(&w, a, &far);
	say_hello(&w, NULL);
	turns(&loop, 2);
	keys.look_ms = 1000000; /* no look is due */
	write_peers("usual", "other", NULL);
	settle(&w);
	ok(!has_session(a, &far) && was_said("is not in usual; add it there"),
	   "one that is struck before it has proved anything is no port");
	keys.look_ms = 0;
	write_peers("usual", NULL, "far");
	leap(&loop, 2);
	say_hello(&w, NULL);
	settle(&w);
	ok(seal_link_is_up(&w.link) &&
		   was_said("its key was taken out of the peers file"),
	   "another one ends when somebody comes");
	turns(&loop, 2);
	ok(relay.forward.members.n == 1 && !strcmp(member()->name, "far"), "who stays");
	go(&v);
	go(&w);
	keyed_end();
}

static void test_secret(void)
{
	const uint8_t psk[SEAL_KEY_BYTES] = { 5 };
	struct acceptor *a = begin(RELAY_SWITCH, "");
	char text[KEY_TEXT_MAX];
	struct visitor v;

	write_peers("usual", "site psk=secret", "far");
	come(&v, a, &site);
	say_hello(&v, psk);
	ok(!settle(&v) && was_said("refused: secret: No such file or directory"),
	   "a secret that can't be read");
	key_write(text, psk);
	replace("secret", text);
	say_hello(&v, NULL);
	settle(&v);
	ok(!member(), "one who has not got it");
	say_hello(&v, psk);
	settle(&v);
	ok(member() && seal_link_is_up(&v.link), "one who has");
	go(&v);
	unlink("secret");
	keyed_end();
}

static void test_load(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "");
	struct visitor v;

	a->door->jar.second = loop_now();
	a->door->jar.n = 2 * COOKIE_PER_SECOND;
	come(&v, a, &site);
	say_hello(&v, NULL);
	settle(&v);
	ok(v.link.has_cookie && !has_session(a, &site) && is_silent(),
	   "under load a peer is only told a cookie");
	say_hello(&v, NULL);
	settle(&v);
	ok(member() && seal_link_is_up(&v.link), "and with that it is let in");
	go(&v);
	keyed_end();
}

/* It has another address of this host, and the same keys. */
static void move_to(struct visitor *v, in_addr_t addr)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = addr }, to;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (getpeername(v->fd, (struct sockaddr *)&to, &(socklen_t){ sizeof(to) }) < 0 ||
	    bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		abort();
	close(v->fd);
	v->fd = fd;
}

static void test_allow(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, ",allow=10.0.0.0/8");
	struct visitor v;
	struct sock_addr to;

	ok(!call(&v, a, &site) && a->listener.admit.refused[ADMIT_ALLOW] == 1 &&
		   !refusals(),
	   "a peer from elsewhere than allow= has is not answered");
	go(&v);
	keyed_end();
	a = begin(RELAY_SWITCH, ",allow=127.0.0.1");
	ok(call(&v, a, &site), "one from where it has is let in");
	to = udp_hub_find(&a->door->hub, site.pair.pub)->to;
	move_to(&v, htonl(INADDR_LOOPBACK + 1));
	send_frame(&v);
	ok(sock_is_from(&to, &udp_hub_find(&a->door->hub, site.pair.pub)->to.storage),
	   "and not followed to elsewhere");
	say_hello(&v, NULL);
	ok(!settle(&v) && a->listener.admit.refused[ADMIT_ALLOW] == 1,
	   "where it is not answered, either");
	go(&v);
	keyed_end();
}

/* How many may come, of those who prove who they are. */
static void test_limits(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, ",max=1");
	const uint64_t *refused = a->listener.admit.refused;
	struct visitor v, w;

	come(&v, a, &site);
	say_hello(&v, NULL);
	turns(&loop, 2);
	come(&w, a, &far);
	say_hello(&w, NULL);
	turns(&loop, 2);
	ok(has_session(a, &site) && has_session(a, &far), "two are answered");
	settle(&w);
	ok(member() && !strcmp(member()->name, "far"),
	   "who has not proved anything has no place");
	settle(&v);
	ok(relay.forward.members.n == 1 && refused[ADMIT_MAX] == 1 && !refusals() &&
		   !has_session(a, &site),
	   "and finds none if it does so too late");
	say_hello(&v, NULL);
	ok(!settle(&v) && refused[ADMIT_MAX] == 2 && !has_session(a, &site) &&
		   is_silent(),
	   "it is not answered any more, but counted");
	say_hello(&w, NULL);
	settle(&w);
	ok(relay.forward.members.n == 1 && refused[ADMIT_MAX] == 2,
	   "who has the place may renew its keys");
	go(&w);
	leap(&loop, DEAD_S + 1);
	turns(&loop, 4);
	say_hello(&v, NULL);
	settle(&v);
	ok(member() && !strcmp(member()->name, "site"), "until that has gone");
	go(&v);
	keyed_end();

	a = begin(RELAY_SWITCH, ",per-address=1");
	refused = a->listener.admit.refused;
	ok(call(&v, a, &site) && !call(&w, a, &far) && refused[ADMIT_PER_ADDRESS] == 1 &&
		   relay.forward.members.n == 1,
	   "of one address comes one");
	leap(&loop, DEAD_S + 1);
	turns(&loop, 4);
	say_hello(&w, NULL);
	settle(&w);
	ok(member() && !strcmp(member()->name, "far"), "and then another one");
	go(&v);
	go(&w);
	keyed_end();

	a = begin(RELAY_SWITCH, ",accept-rate=1");
	refused = a->listener.admit.refused;
	come(&v, a, &stranger);
	for (unsigned i = 0; i < 5; i++)
		say_hello(&v, NULL);
	settle(&v);
	go(&v);
	ok(call(&v, a, &site) && !refused[ADMIT_RATE],
	   "strangers do not use up the places of a second");
	ok(!call(&w, a, &far) && refused[ADMIT_RATE] == 1, "but a peer does");
	leap(&loop, 2);
	say_hello(&w, NULL);
	settle(&w);
	ok(relay.forward.members.n == 2, "and the other one comes a second later");
	go(&v);
	go(&w);
	keyed_end();
}

/* With --wait. */
static void test_waits(void)
{
	uint16_t port;
	char why[WHY_MAX];
	struct visitor v;

	write_peers("usual", "site", "far");
	keyed_begin(RELAY_SWITCH);
	relay.waits = true;
	port = free_port();
	fault_arm(FAULT_bind, 1, EADDRNOTAVAIL);
	ok(try_listen("127.0.0.1:", port, "", why) == 0 && fault_disarm() &&
		   !relay.acceptors->door && was_said("trying again"),
	   "an address that is missing is waited for");
	relay_set_running(&relay);
	turn_until(&loop, 5000, relay.acceptors->door);
	ok(relay.acceptors->door && call(&v, relay.acceptors, &site), "and comes");
	go(&v);
	keyed_end();
}

/* The service manager has made the socket. */
static void test_passed(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct passed passed = { .n = 1, .fds[0] = { .is_udp = true } };
	struct passed_fd *one = &passed.fds[0];
	char why[WHY_MAX];
	struct visitor v;

	begin_relay(RELAY_SWITCH);
	relay.env.passed = &passed;
	one->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(one->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		abort();
	one->addr.len = sizeof(one->addr.storage);
	getsockname(one->fd, &one->addr.sa, &one->addr.len);
	for (unsigned i = 0; i < 2; i++) {
		ok(try_listen("127.0.0.1:", port_of(one->fd), "", why) == 0 &&
			   one->is_used && call(&v, relay.acceptors, &site),
		   "a socket that the service manager has made is used");
		go(&v);
		acceptor_del(relay.acceptors);
		leap(&loop, DEAD_S + 1);
		turns(&loop, 4);
		ok(!one->is_used && fcntl(one->fd, F_GETFD) >= 0,
		   "and left open for the next one");
	}
	keyed_end();
	close(one->fd);
}

static void test_not_proved(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "");
	struct visitor v;

	come(&v, a, &site);
	say_hello(&v, NULL);
	turns(&loop, 2);
	leap(&loop, PROVE_S - 1);
	turns(&loop, 2);
	ok(has_session(a, &site), "who proves nothing is waited for");
	leap(&loop, 2);
	turns(&loop, 3);
	ok(!has_session(a, &site) && !a->listener.n, "a while");
	go(&v);
	keyed_end();
}

static void test_deleted(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "");
	uint8_t junk[SEAL_LINK_HELLO_BYTES] = { SEAL_LINK_HELLO, [7] = 1 };
	unsigned fds = fault_open_fds();
	const struct port_counters *c;
	struct visitor v, w;

	ok(call(&v, a, &site), "a peer");
	come(&w, a, &far);
	say_hello(&w, NULL);
	turns(&loop, 2);
	acceptor_del(a);
	ok(!has_session(a, &far), "a listener that is taken away forgets who is no port");
	settle(&w);
	say_hello(&w, NULL);
	ok(!settle(&w) && relay.forward.members.n == 1, "and takes no more");
	send_frame(&v);
	/* A hello that nobody waits for has the index of another session. */
	c = &member()->port->count;
	ok(c->rx_frames - c->dropped[DROP_NOT_GENUINE] == 1, "its port goes on");
	is_silent();
	go(&w);
	come(&w, a, &stranger);
	say_hello(&w, NULL);
	say(&w, junk, sizeof(junk));
	ok(!settle(&w) && is_silent(), "nobody else is told of");
	go(&v);
	go(&w);
	leap(&loop, DEAD_S + 1);
	turns(&loop, 4);
	ok(!relay.forward.members.n && fault_open_fds() == fds - 1,
	   "and its socket goes with that");
	a = listen_more("");
	acceptor_del(a);
	turns(&loop, 2);
	ok_eq_int(fault_open_fds(), fds - 1, "one without ports goes at once");
	a = listen_more("");
	ok(call(&v, a, &site), "a peer of another one");
	acceptor_del(a);
	go(&v);
	keyed_end();
	ok_eq_int(fault_open_fds(), fds - 1, "that is gone when the relay ends");
}

/* A port lives as long as its keys, which its peer renews by saying hello again. */
static void test_deleted_renews(void)
{
	static const unsigned hours[] = { 2, 3, 3 };
	struct acceptor *a = begin(RELAY_SWITCH, ",dead=0");
	struct visitor v, w;
	uint32_t index;

	ok(call(&v, a, &site) && call(&w, a, &far), "two peers");
	go(&w);
	acceptor_del(a);
	for (unsigned i = 0; i < ARRAY_SIZE(hours); i++) {
		leap(&loop, hours[i] * 3600);
		turns(&loop, 3);
		index = v.link.keys.ours;
		say_hello(&v, NULL);
		settle(&v);
		send_frame(&v);
		ok(v.link.keys.ours != index && member() &&
			   member()->port->count.rx_frames == i + 1,
		   "a peer gets new keys when its listener was taken away");
	}
	ok(relay.forward.members.n == 1 && was_said("its keys are too old"),
	   "who wants none has ended");
	come(&w, a, &far);
	say_hello(&w, NULL);
	ok(!settle(&w) && is_silent(), "and comes no more");
	go(&w);
	come(&w, a, &site);
	w.index = 100;
	say_hello(&w, NULL);
	settle(&w);
	send_frame(&w);
	ok(seal_link_is_up(&w.link) && member()->port->count.rx_frames == 4,
	   "a peer that moves meanwhile is the same port");
	write_peers("usual", NULL, "far");
	leap(&loop, 2);
	say_hello(&w, NULL);
	settle(&w);
	ok(was_said("its key was taken out of the peers file") &&
		   !relay.forward.members.n,
	   "and ends when it is struck from the file");
	go(&v);
	go(&w);
	keyed_end();
}

/* A reload that gives a listener another name takes it away, and adds it, in one turn. */
static void test_replaced(void)
{
	struct acceptor *a = begin(RELAY_SWITCH, "");
	uint16_t port = port_of(a->door->hub.watch.fd);
	char why[WHY_MAX] = "";
	struct visitor v, w;

	acceptor_del(a);
	ok(try_listen("127.0.0.1:", port, ",name=b", why) == 0,
	   "one takes the address of one that is taken away in this turn %s", why);
	turns(&loop, 2);
	ok(call(&v, relay.acceptors, &site), "and is joined");
	come(&w, relay.acceptors, &far);
	say_hello(&w, NULL);
	turns(&loop, 2);
	acceptor_del(relay.acceptors);
	leap(&loop, 2);
	ok(try_listen("127.0.0.1:", port, ",name=c", why) == 0,
	   "one takes that of one whose ports went on: these end %s", why);
	turns(&loop, 2);
	ok(!relay.forward.members.n && relay.acceptors && !relay.acceptors->next,
	   "nothing is left of the old one");
	say_hello(&v, NULL);
	settle(&v);
	ok(member() && member()->acceptor == relay.acceptors, "their peers come again");
	ok(try_listen("127.0.0.1:", port, ",name=d", why) == -EADDRINUSE && member(),
	   "one that is there keeps its address");
	go(&v);
	go(&w);
	keyed_end();
}

/* ---- all in any order ---- */

#define DEEDS 5000
#define PORTS 2
#define VISITORS 4

static void change_listeners(const uint16_t port[PORTS])
{
	struct acceptor *a = relay.acceptors;
	char why[WHY_MAX], more[32];

	snprintf(more, sizeof(more), ",dead=%u", rnd(3) * DEAD_S);
	if (!a || rnd(2))
		try_listen("127.0.0.1:", port[rnd(PORTS)], more, why);
	else
		acceptor_del(rnd(2) && a->next ? a->next : a);
}

static void do_anything(struct visitor *v, const uint16_t port[PORTS])
{
	static const struct identity *const who[] = { &site, &far, &site, &stranger };
	struct member *m = relay.forward.members.first;

	switch (rnd(12)) {
	case 0:
	case 1:
		change_listeners(port);
		break;
	case 2:
		go(v);
		come_to(v, port[rnd(PORTS)], who[rnd(ARRAY_SIZE(who))]);
		break;
	case 3:
		if (m)
			relay_del(rnd(2) && m->next ? m->next : m);
		break;
	case 4:
		write_peers("usual", rnd(4) ? "site" : NULL, rnd(4) ? "far" : NULL);
		break;
	case 5:
		leap(&loop, rnd(8) ? 1 + rnd(DEAD_S) : 5 * 3600);
		break;
	case 6:
		say(v, v->hello, rnd(8) ? sizeof(v->hello) : rnd(sizeof(v->hello)));
		break;
	case 7:
		if (seal_link_is_up(&v->link))
			send_frame(v);
		break;
	case 8:
		turns(&loop, rnd(3));
		break;
	default:
		say_hello(v, NULL);
		if (rnd(3))
			settle(v);
		break;
	}
}

/* Whether a port has other keys than it had, and its listener was taken away. */
static bool renews_alone(const struct visitor *v, uint32_t before)
{
	const struct member *m = relay.forward.members.first;

	while (m && (!m->acceptor->is_stopped ||
		     memcmp(m->port->seal.peer, v->me->pair.pub, SEAL_KEY_BYTES) != 0))
		m = m->next;
	return m && v->link.keys.ours != before;
}

/* Listeners come and go, and peers, and files; nothing may be used that is gone. */
static void test_disorder(void)
{
	unsigned fds = fault_open_fds(), renewed = 0, came = 0;
	uint16_t port[PORTS] = { free_port(), free_port() };
	struct visitor v[VISITORS];

	random_begin(5);
	begin_relay(RELAY_SWITCH);
	for (unsigned i = 0; i < VISITORS; i++)
		come_to(&v[i], port[i % PORTS], i % 2 ? &far : &site);
	for (unsigned i = 0; i < DEEDS; i++) {
		struct visitor *one = &v[rnd(VISITORS)];
		uint32_t before = one->link.keys.ours;

		do_anything(one, port);
		renewed += renews_alone(one, before);
		came += relay.forward.members.n > 0;
		is_silent();
	}
	ok(came > DEEDS / 10 && renewed > 3,
	   "all in any order: %u times somebody is there, %u get keys from a listener "
	   "that was taken away",
	   came, renewed);
	while (relay.acceptors)
		acceptor_del(relay.acceptors);
	for (struct member *m = relay.forward.members.first; m; m = m->next)
		relay_del(m);
	for (unsigned i = 0; i < VISITORS; i++)
		go(&v[i]);
	turns(&loop, 3);
	ok(!relay.forward.members.n && !relay.stopped,
	   "nothing is left of the listeners");
	keyed_end();
	ok_eq_int(fault_open_fds(), fds, "nor of their sockets");
}

/* ---- a machine that has nothing left ---- */

static void test_sockets(void)
{
	char why[WHY_MAX];
	uint16_t port;

	begin_relay(RELAY_SWITCH);
	port = free_port();
	ok(try_listen("", port, "", why) == 0 && relay.acceptors->door,
	   "any address of both versions");
	ok(try_listen("", port, "", why) == -EADDRINUSE && strstr(why, ": listen: "),
	   "a port that is taken: %s", why);
	port = free_port();
	fault_arm(FAULT_socket, 1, EAFNOSUPPORT);
	ok(try_listen("", port, "", why) == 0 && fault_disarm(), "a host without IPv6");
	port = free_port();
	fault_arm(FAULT_bind, 1, EADDRNOTAVAIL);
	ok(try_listen("", port, "", why) == 0 && fault_disarm(),
	   "one that has it turned off");
	no_memory = true;
	ok(door_open(relay.acceptors) == -ENOMEM, "no memory");
	no_memory = false;
	keyed_end();
}

/* A peer comes, and so many allocations are granted. Return: whether it became a port. */
static bool comes_to(unsigned granted)
{
	struct acceptor *a = begin(RELAY_SWITCH, "");
	struct visitor v;
	bool is_port;

	come(&v, a, &site);
	say_hello(&v, NULL);
	no_memory_after = granted;
	no_memory = true;
	settle(&v);
	no_memory = false;
	turns(&loop, 2);
	is_port = member();
	if (!is_port && (a->listener.n || relay.forward.members.n || is_silent()))
		ok(false, "%u allocations: something is left, or nothing told", granted);
	leap(&loop, 2);
	say_hello(&v, NULL);
	settle(&v);
	if (!member())
		ok(false, "%u allocations: it never comes in", granted);
	go(&v);
	keyed_end();
	is_silent();
	return is_port;
}

static void test_no_memory(void)
{
	unsigned granted = 0;

	while (granted < 100 && !comes_to(granted))
		granted++;
	ok(granted > 3 && granted < 100, "memory that ends anywhere: %u places", granted);
}

int main(void)
{
	alarm(ALARM_S);
	keyed_open();
	test_strangers();
	test_peer();
	test_anew();
	test_rivals();
	test_replay();
	test_cable();
	test_struck();
	test_secret();
	test_load();
	test_allow();
	test_limits();
	test_waits();
	test_passed();
	test_not_proved();
	test_deleted();
	test_deleted_renews();
	test_replaced();
	test_disorder();
	test_sockets();
	test_no_memory();
	keyed_close();
	return done();
}
