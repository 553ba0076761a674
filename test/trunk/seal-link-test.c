/* SPDX-License-Identifier: MIT */
/*
 * seal-link.c: two ends and a path that loses, repeats, delays and changes datagrams, in a
 * time that is made up. The listener does what its owner does in the program: it looks the
 * sender of a hello up, and compares the stamp.
 */
#include "trunk/seal-link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "lib/random.h"
#include "lib/tap.h"

#define ON_PATH 4000
#define STEP_MS 50

/* @is_up_path: to the listener */
struct datagram {
	uint8_t *data;
	size_t len;
	uint64_t at;
	bool is_up_path;
};

struct end {
	struct seal_link link;
	struct identity me;
	uint32_t next_index;
	unsigned data, bad_data, firsts, newest;
};

static struct {
	struct end a, b; /* the dialler and the listener */
	struct cookie_jar jar;
	uint8_t stamp[HANDSHAKE_STAMP_BYTES];
	struct datagram path[ON_PATH];
	unsigned n;
	uint64_t now;
	unsigned loses, repeats, flips; /* percent */
	unsigned delay;
	size_t takes; /* bytes that get through */
	bool is_cut, knows_nobody, keeps;
	unsigned hellos, cookies, heard, up;
	int ended;
	struct datagram kept[ON_PATH]; /* all that went up, if @keeps */
	unsigned n_kept;
} w;

static void put(const uint8_t *data, size_t len, bool is_up_path)
{
	struct datagram *d;

	if (w.is_cut || rnd(100) < w.loses || len > w.takes || w.n == ON_PATH)
		return;
	d = &w.path[w.n++];
	*d = (struct datagram){ malloc(len), len, w.now + w.delay, is_up_path };
	memcpy(d->data, data, len);
	if (rnd(100) < w.flips)
		d->data[rnd((uint32_t)len)] ^= (uint8_t)(1u << rnd(8));
	if (w.keeps && is_up_path && w.n_kept < ON_PATH) {
		w.kept[w.n_kept] = *d;
		w.kept[w.n_kept].data = malloc(len);
		memcpy(w.kept[w.n_kept++].data, data, len);
	}
}

static int end_send(struct seal_link *l, const uint8_t *data, size_t len, bool is_reply)
{
	bool is_up_path = l == &w.a.link;

	(void)is_reply;
	w.up += is_up_path;
	w.hellos += data[0] == SEAL_LINK_HELLO;
	put(data, len, is_up_path);
	if (rnd(100) < w.repeats)
		put(data, len, is_up_path);
	return 0;
}

static void begin(uint64_t seed)
{
	uint8_t key[SEAL_KEY_BYTES];

	while (w.n)
		free(w.path[--w.n].data);
	while (w.n_kept)
		free(w.kept[--w.n_kept].data);
	memset(&w, 0, sizeof(w));
	random_begin(seed);
	w.now = 1000000;
	w.delay = 20;
	w.takes = 1472;
	w.a.link.is_dialler = true;
	w.a.next_index = 1000;
	w.b.next_index = 2000;
	w.a.link.send = w.b.link.send = end_send;
	w.a.link.dead_ms = w.b.link.dead_ms = 15000;
	rnd_bytes(key, sizeof(key));
	identity_set(&w.a.me, key);
	rnd_bytes(key, sizeof(key));
	identity_set(&w.b.me, key);
	seal_link_begin(&w.a.link, w.now);
	seal_link_begin(&w.b.link, w.now);
}

static void hear(const uint8_t *at, size_t len)
{
	uint8_t cookie[SEAL_LINK_COOKIE_BYTES];
	struct handshake hs;
	int ret = seal_link_hear(&w.jar, &w.b.me, at, len, "10.0.0.1", 8, w.now, &hs,
				 cookie);

	if (ret == -EAGAIN) {
		w.cookies++;
		put(cookie, sizeof(cookie), false);
	}
	if (ret < 0)
		return;
	if (w.knows_nobody ||
	    memcmp(noise_peer(&hs.noise), w.a.me.pair.pub, SEAL_KEY_BYTES) ||
	    handshake_believe(&hs, NULL, at + SEAL_LINK_HEAD) < 0 ||
	    memcmp(hs.stamp, w.stamp, sizeof(w.stamp)) <= 0) {
		handshake_wipe(&hs);
		return;
	}
	memcpy(w.stamp, hs.stamp, sizeof(w.stamp));
	w.heard++;
	seal_link_answer(&w.b.link, &hs, NULL, at, w.b.next_index++, w.now);
}

/* It lies in memory of its own size. */
static int arrive(struct end *e, uint8_t *data, size_t len)
{
	struct seal_link_taken t;
	int ret = seal_link_take(&e->link, data, len, w.now, &t);

	e->firsts += t.is_first;
	e->newest += t.is_newest;
	if (ret == 0 && t.payload) {
		e->data++;
		e->bad_data += t.len != 100 || t.payload[0] != t.payload[99];
	}
	return ret;
}

static void deliver(struct datagram d)
{
	if (d.is_up_path && d.len && d.data[0] == SEAL_LINK_HELLO)
		hear(d.data, d.len);
	else
		arrive(d.is_up_path ? &w.b : &w.a, d.data, d.len);
	free(d.data);
}

static void send_data(struct end *e)
{
	uint8_t at[100 + DATAGRAM_OVERHEAD];

	if (!seal_link_is_up(&e->link))
		return;
	memset(at + DATAGRAM_HEAD, (int)rnd(256), 100);
	e->link.send(&e->link, at, seal_link_seal(&e->link, at, 100, w.now), false);
}

/* Return: as seal_link_run(). */
static int run_end(struct end *e)
{
	int ret = seal_link_run(&e->link, w.now);

	if (ret == 0 && e->link.wants_dial)
		seal_link_dial(&e->link, &e->me, w.b.me.pair.pub, NULL, e->next_index++,
			       w.now);
	return ret;
}

/* What is due now arrives, and both run. */
static void turn(void)
{
	unsigned n = w.n, left = 0;

	for (unsigned i = 0; i < n; i++) {
		struct datagram d = w.path[i];

		if (d.at <= w.now)
			deliver(d);
		else
			w.path[left++] = d;
	}
	memmove(&w.path[left], &w.path[n], (w.n - n) * sizeof(w.path[0]));
	w.n -= n - left;
	w.ended = run_end(&w.a);
	if (!w.ended)
		w.ended = run_end(&w.b);
}

static void run(uint64_t ms, bool with_data)
{
	for (uint64_t stop = w.now + ms; w.now < stop && !w.ended; w.now += STEP_MS) {
		turn();
		if (with_data) {
			send_data(&w.a);
			send_data(&w.b);
		}
	}
}

static uint64_t next_at(void)
{
	uint64_t a = seal_link_at(&w.a.link), b = seal_link_at(&w.b.link);
	uint64_t at = a < b ? a : b;

	for (unsigned i = 0; i < w.n; i++)
		at = w.path[i].at < at ? w.path[i].at : at;
	return at;
}

/* As run(), with turns only when an end has said so. Return: how many there were. */
static unsigned doze(uint64_t ms)
{
	uint64_t stop = w.now + ms, at;
	unsigned n = 0;

	while (!w.ended && n < 100000 && (at = next_at()) < stop) {
		w.now = at > w.now ? at : w.now;
		turn();
		n++;
	}
	if (!w.ended)
		w.now = stop;
	return n;
}

static bool are_up(void)
{
	return seal_link_is_up(&w.a.link) && seal_link_is_up(&w.b.link);
}

static void good_path(void)
{
	begin(1);
	run(500, false);
	ok(are_up() && w.hellos == 1 && w.a.firsts == 1 && w.b.firsts == 1,
	   "two ends find each other by one hello");
	run(60000, true);
	ok(w.a.data > 1100 && w.b.data > 1100 && !w.a.bad_data && !w.b.bad_data,
	   "what is sent arrives");
	ok(!w.a.link.refused && !w.b.link.refused && !w.ended, "nothing is refused");
	ok(w.a.link.pmtu.size == 1472 && w.b.link.pmtu.size == 1472,
	   "and the MTU is found");
	ok(w.a.newest > 1100, "each is later than those before");
	w.up = 0;
	run(600 * 1000, false);
	ok(w.up >= 100 && w.up <= 300, "idle ends look for each other: %u datagrams",
	   w.up);
	w.takes = PMTU_MAX;
	seal_link_moved(&w.a.link, w.now);
	seal_link_moved(&w.b.link, w.now);
	run(2000, false);
	ok_eq_int(w.a.link.pmtu.size, PMTU_MAX, "elsewhere the MTU is found anew");
	w.a.link.dead_ms = w.b.link.dead_ms = 0;
	w.up = 0;
	run(600 * 1000, false);
	ok(w.up <= 2, "without dead= they are silent");
	w.a.link.keepalive_ms = 25000;
	w.up = 0;
	run(600 * 1000, false);
	ok(w.up >= 22 && w.up <= 30, "but for keepalive=: %u", w.up);
}

static void bad_path(void)
{
	begin(2);
	w.loses = 10;
	w.repeats = 10;
	w.flips = 5;
	run(10000, true);
	ok(are_up(), "a path that loses, repeats and changes datagrams: up");
	run(300 * 1000, true);
	ok(!w.ended && w.a.data > 4500 && !w.a.bad_data && !w.b.bad_data,
	   "%u of 6200 arrive, none is changed", w.a.data);
	ok(w.a.data < 6100 && w.a.link.refused > 100, "none twice: %llu were refused",
	   (unsigned long long)w.a.link.refused);
}

static void rekeys(void)
{
	unsigned sent;

	begin(3);
	run(1000, true);
	w.loses = 20;
	for (unsigned i = 0; i < 60; i++) {
		w.a.link.keys.stale_ms = 4000;
		w.b.link.keys.stale_ms = 4000;
		run(1000, true);
	}
	ok(!w.ended && w.heard >= 8, "new keys again and again: %u", w.heard);
	begin(4);
	run(1000, true);
	sent = w.a.data;
	w.a.link.keys.stale = 100;
	run(20000, true);
	ok(w.heard == 2 && w.a.link.keys.stale == DATAGRAM_STALE,
	   "or by the count of datagrams");
	ok(w.a.data - sent == 400 && !w.a.link.refused && !w.b.link.refused,
	   "while data flows, none is lost");
	begin(5);
	run(1000, true);
	w.a.link.keys.stale_ms = w.b.link.keys.stale_ms = 2000;
	w.knows_nobody = true;
	run(60000, true);
	ok_eq_int(w.ended, -EKEYEXPIRED, "without new ones the old ones end");
}

static void death(void)
{
	uint64_t at;

	begin(6);
	w.is_cut = true;
	at = w.now;
	run(60000, true);
	ok(w.ended == -ETIMEDOUT && w.now - at <= 6000 && w.hellos == 5,
	   "nobody answers five hellos");
	begin(7);
	run(5000, true);
	w.is_cut = true;
	at = w.now;
	run(60000, true);
	ok(w.ended == -ETIMEDOUT && w.now - at >= 14000 && w.now - at <= 16000,
	   "a peer that is gone is seen after 15 s");
	begin(8);
	run(5000, false);
	w.is_cut = true;
	run(10000, false);
	w.is_cut = false;
	run(60000, true);
	ok(!w.ended && are_up(), "an outage of 10 s is survived");
	seal_link_end(&w.b.link);
	seal_link_begin(&w.b.link, w.now);
	run(14000, true);
	ok(!w.ended && w.b.firsts == 3 - (w.heard == 2),
	   "a listener that lost its keys gets new ones");
	w.b.data = 0;
	run(1000, true);
	ok_eq_int(w.b.data > 15, true, "and data flows");
}

/* The listener starts anew, with @dead_ms. Return: ms until data arrives again. */
static uint64_t back_after(uint64_t dead_ms, bool with_data)
{
	uint64_t at, limit;

	begin(17);
	w.a.link.dead_ms = w.b.link.dead_ms = dead_ms;
	run(30000, true);
	run(500, false);
	seal_link_end(&w.b.link);
	seal_link_begin(&w.b.link, w.now);
	w.hellos = w.up = 0;
	at = w.now;
	for (limit = at + 60000; w.now < limit && !seal_link_is_up(&w.b.link);)
		run(STEP_MS, with_data);
	return w.now - at;
}

static void restarts(void)
{
	uint64_t ms = back_after(15000, true);

	ok(ms >= 3000 && ms <= 3500 && w.hellos == 1,
	   "a listener that starts anew is asked for keys after 3 s if there is data: %u ms",
	   (unsigned)ms);
	ms = back_after(0, true);
	ok(ms >= 3000 && ms <= 3500, "also without dead=: %u ms", (unsigned)ms);
	ms = back_after(15000, false);
	ok(ms >= 9000 && ms <= 10500 && w.up < 10, "and else after 10 s: %u ms",
	   (unsigned)ms);
	begin(18);
	run(1000, true);
	w.up = w.hellos = 0;
	for (uint64_t stop = w.now + 60000; w.now < stop; w.now += STEP_MS) {
		turn();
		send_data(&w.a);
	}
	ok(w.up >= 1200 && w.up < 1300 && !w.hellos,
	   "who only sends pings once a second, and needs no hello: %u datagrams", w.up);
	w.is_cut = true;
	w.a.link.dead_ms = w.b.link.dead_ms = 0;
	w.up = w.hellos = 0;
	run(60000, true);
	ok(w.hellos >= 50 && w.hellos <= 60,
	   "while nobody answers there is a hello a second at most: %u", w.hellos);
}

static void strangers(void)
{
	begin(9);
	w.knows_nobody = true;
	run(10000, true);
	ok(w.ended == -ETIMEDOUT && !datagram_has_keys(&w.a.link.next) &&
		   w.a.link.refused == 0,
	   "who is not known gets no answer");
	begin(10);
	run(1000, false);
	for (unsigned i = 0; i < 1000; i++)
		cookie_is_wanted(&w.jar, w.now);
	w.a.link.keys.stale_ms = 0;
	w.a.link.keys.stale = 1000000;
	w.a.link.keys.stale_ms = 500;
	for (unsigned i = 0; i < 10; i++) {
		for (unsigned k = 0; k < 300; k++)
			cookie_is_wanted(&w.jar, w.now);
		run(200, true);
	}
	ok(w.cookies >= 1 && w.heard >= 2, "under load a hello with a cookie counts");
}

/* All that went to the listener, sent again. */
static void replays(void)
{
	unsigned data, refused = 0;

	begin(11);
	w.keeps = true;
	run(20000, true);
	run(200, false);
	data = w.b.data;
	for (unsigned i = 0; i < w.n_kept; i++) {
		uint8_t *copy = malloc(w.kept[i].len);

		memcpy(copy, w.kept[i].data, w.kept[i].len);
		if (copy[0] == SEAL_LINK_HELLO)
			hear(copy, w.kept[i].len);
		if (copy[0] == SEAL_LINK_HELLO)
			refused += w.heard == 1;
		else
			refused += arrive(&w.b, copy, w.kept[i].len) < 0;
		free(copy);
	}
	ok(w.n_kept > 390 && refused == w.n_kept && w.b.data == data && w.heard == 1,
	   "all that was recorded, sent again, is refused");
	run(5000, true);
	ok(!w.ended && w.b.data > data + 90, "and the link lives");
}

/* Only the latest may say where the peer is. */
static void order(void)
{
	uint8_t at[2][100 + DATAGRAM_OVERHEAD];

	begin(13);
	run(1000, false);
	for (unsigned i = 0; i < 2; i++)
		seal_link_seal(&w.a.link, at[i], 100, w.now);
	w.b.newest = 0;
	ok(arrive(&w.b, at[1], sizeof(at[1])) == 0 && w.b.newest == 1,
	   "the latest is newest");
	ok(arrive(&w.b, at[0], sizeof(at[0])) == 0 && w.b.newest == 1,
	   "one before it is not");
}

/* Nothing that is due is missed by an end that runs when it said, nor does it spin. */
static void dozing(void)
{
	uint64_t since;
	unsigned n;

	begin(14);
	w.a.link.keepalive_ms = 60000;
	n = doze(500);
	ok(are_up() && w.hellos == 1 && n < 10, "two ends meet in %u turns", n);
	since = w.a.link.keys.since;
	n = doze(since + DATAGRAM_STALE_MS - w.now);
	ok(!w.ended && w.hellos == 1 && n < 6000, "an hour takes %u turns", n);
	doze(500);
	ok(w.heard == 2 && w.a.link.keys.since - since < DATAGRAM_STALE_MS + 100,
	   "then there are new keys at once");
	ok(datagram_has_keys(&w.a.link.before) && datagram_has_keys(&w.b.link.before),
	   "those before are kept");
	doze(SEAL_LINK_LATE_MS);
	ok(!datagram_has_keys(&w.a.link.before) && !datagram_has_keys(&w.b.link.before),
	   "for a minute");
	w.is_cut = true;
	since = w.a.link.heard_at < w.b.link.heard_at ? w.a.link.heard_at
						      : w.b.link.heard_at;
	n = doze(60000);
	ok(w.ended == -ETIMEDOUT && w.now == since + 15000 && w.hellos > 3 && n < 50,
	   "a peer that is gone is asked for keys, and given up after 15 s");
	begin(15);
	w.knows_nobody = true;
	n = doze(60000);
	ok(w.ended == -ETIMEDOUT && w.hellos == 5 && n < 20, "so is one that is not");
	begin(16);
	w.takes = PMTU_MAX;
	w.a.link.dead_ms = w.b.link.dead_ms = 0;
	n = doze(3000 * 1000ull);
	ok(are_up() && n < 40, "without dead= there is little to do: %u turns", n);
	w.a.link.keys.stale_ms = w.b.link.keys.stale_ms = 3100 * 1000ull;
	w.knows_nobody = true;
	since = w.a.link.keys.since;
	doze(20000 * 1000ull);
	ok(w.ended == -EKEYEXPIRED && w.now - since < 4 * 3100 * 1000ull + 100,
	   "but keys end");
}

/* Where the tests are emulated, the curve takes a hundred times as long. */
#ifdef __x86_64__
#define FLIP_STEP 3
#else
#define FLIP_STEP 31
#endif

/* Bits of each message of a handshake. */
static void flips(void)
{
	unsigned good = 0, n = 0, fakes = 0;

	for (unsigned type = 0; type < 2; type++) {
		size_t len = type ? SEAL_LINK_ANSWER_BYTES : SEAL_LINK_HELLO_BYTES;

		for (size_t bit = 0; bit < 8 * len; bit += FLIP_STEP, n++) {
			begin(12);
			run_end(&w.a);
			if (type) {
				w.now += 20;
				deliver(w.path[0]);
				w.path[0] = w.path[1];
				w.n = 1;
			}
			w.path[0].data[bit / 8] ^= (uint8_t)(1u << bit % 8);
			run(900, false);
			fakes += are_up();
			run(3000, false);
			good += are_up() && !w.ended;
		}
	}
	/* A code that no cookie was asked for is not looked at. */
	ok(fakes <= COOKIE_BYTES * 8 / FLIP_STEP + 1, "a flipped bit makes no link");
	ok_eq_int(good, n, "and does not prevent one");
}

int main(void)
{
	good_path();
	bad_path();
	rekeys();
	death();
	restarts();
	strangers();
	replays();
	order();
	dozing();
	flips();
	begin(1);
	return done();
}
