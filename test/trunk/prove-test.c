/* SPDX-License-Identifier: MIT */
/* Two ends of a connection that prove who they are, and strangers at either end. */
#include "trunk/prove.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fault.h"
#include "lib/leap.h"
#include "lib/no-random.h"
#include "lib/proof.h"
#include "lib/sockets.h"
#include "lib/tap.h"
#include "lib/turn.h"
#include "trunk/trunk.h"

#define ALARM_S 120
#define NOT_YET 1000

static struct loop loop;
static struct identity dialler, listener, other;

/*
 * One end.
 * @ret:  of done(); NOT_YET
 * @says, @checks: what find() and check() are to say
 * @random: what comes of random numbers from check() on
 * @shared: what find() knows of the peer
 */
struct side {
	struct prove p;
	int fd, ret, says, checks, random;
	unsigned calls;
	uint8_t asked[SEAL_KEY_BYTES];
	const uint8_t *psk, *shared;
};

static struct side d, l;

static void on_done(struct prove *p, int fd, int ret)
{
	struct side *s = container_of(p, struct side, p);

	if (fd != s->fd)
		abort();
	s->ret = ret;
	s->calls++;
}

static int on_find(struct prove *p, const uint8_t *peer)
{
	struct side *s = container_of(p, struct side, p);

	memcpy(s->asked, peer, sizeof(s->asked));
	snprintf(p->why, sizeof(p->why), "not in the list");
	p->shared = s->shared;
	return s->says;
}

static int on_check(struct prove *p, const uint8_t *stamp, uint8_t *psk)
{
	struct side *s = container_of(p, struct side, p);

	snprintf(p->why, sizeof(p->why), "%u is too late", stamp[0]);
	if (s->psk)
		memcpy(psk, s->psk, SEAL_KEY_BYTES);
	random_error = s->random;
	return s->checks;
}

static void begin(void)
{
	int fds[2];

	sockets_pair(SOCK_STREAM, fds);
	memset(&d, 0, sizeof(d));
	memset(&l, 0, sizeof(l));
	prove_init(&d.p, &loop);
	prove_init(&l.p, &loop);
	d.fd = fds[0];
	l.fd = fds[1];
	d.ret = l.ret = NOT_YET;
}

static void end(void)
{
	prove_stop(&d.p);
	prove_stop(&l.p);
	if (d.fd >= 0)
		close(d.fd);
	if (l.fd >= 0)
		close(l.fd);
}

static int dial(void)
{
	return prove_dial(&d.p, d.fd, &dialler, listener.pair.pub, d.psk, on_done);
}

static int await(bool takes_plain)
{
	l.p.find = on_find;
	l.p.check = on_check;
	l.p.done = on_done;
	return prove_answer(&l.p, l.fd, &listener, takes_plain);
}

static void test_agree(bool takes_plain)
{
	begin();
	ok(await(takes_plain) == 0 && dial() == 0, "both begin%s",
	   takes_plain ? ", and a plain peer might come, too" : "");
	turns(&loop, 8);
	ok(l.ret == 0 && d.ret == 0 && l.calls == 1 && d.calls == 1,
	   "both have proved it");
	ok(memcmp(l.asked, dialler.pair.pub, SEAL_KEY_BYTES) == 0 &&
		   memcmp(l.p.session.recv, d.p.session.send, SEAL_KEY_BYTES) == 0,
	   "and have a session");
	ok(d.p.session.sent == 1 && l.p.session.received == 1 && !d.p.session.received &&
		   !l.p.session.sent,
	   "of which one record was used");
	ok(prove_stop(&d.p) == -1 && prove_stop(&l.p) == -1,
	   "nothing is under way any more");
	ok(write(d.fd, "x", 1) == 1 && recv(l.fd, &(char){ 0 }, 1, 0) == 1,
	   "what comes behind it was not read");
	end();
}

static void say_slowly(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (write(d.fd, data + i, 1) != 1)
			break;
		turn(&loop);
	}
}

/* Make the first message. */
static void prepare(struct handshake *hs, uint8_t first[HANDSHAKE_1_BYTES])
{
	if (handshake_dial(hs, &dialler, listener.pair.pub, NULL, first) < 0)
		abort();
}

/* Wait for the second message, and take it. Return: whether it came. */
static bool is_answered(struct handshake *hs, struct session *s)
{
	uint8_t second[HANDSHAKE_2_BYTES];
	ssize_t n = -1;

	turn_until(&loop, 5000, (n = recv(d.fd, second, sizeof(second), 0)) >= 0);
	return n == sizeof(second) && handshake_finish(hs, second, s) == 0;
}

/* What the dialler has to say comes byte by byte. */
static void test_slowly(bool takes_plain)
{
	uint8_t first[HANDSHAKE_1_BYTES], record[PROVE_BYTES];
	struct handshake hs;
	struct session s;

	begin();
	await(takes_plain);
	prepare(&hs, first);
	say_slowly(first, sizeof(first));
	ok(is_answered(&hs, &s) && l.ret == NOT_YET,
	   "a first message byte by byte proves nothing yet");
	proof_make(&s, RECORD_DATA, record);
	say_slowly(record, sizeof(record));
	turn_until(&loop, 5000, l.calls);
	ok_eq_int(l.ret, 0, "and so the record that does");
	end();
}

/* Answer somebody who says @record then, @len bytes. */
static void answer_with(const char *what, struct session *s, enum record_kind kind,
			unsigned bit)
{
	uint8_t first[HANDSHAKE_1_BYTES], record[PROVE_BYTES];
	struct handshake hs;

	begin();
	await(false);
	prepare(&hs, first);
	write(d.fd, first, sizeof(first));
	if (!is_answered(&hs, s))
		abort();
	proof_make(s, kind, record);
	if (bit < 8 * PROVE_BYTES)
		record[bit / 8] ^= (uint8_t)(1u << bit % 8);
	write(d.fd, record, sizeof(record));
	turns(&loop, 3);
	if (l.ret != -EBADMSG || !strstr(l.p.why, "has not proved"))
		ok_eq_int(l.ret, -EBADMSG, "%s: %u", what, bit);
	end();
}

/* Somebody has recorded a first message, and says it again. */
static void test_not_proved(void)
{
	uint8_t first[HANDSHAKE_1_BYTES];
	struct handshake hs;
	struct session s;

	for (unsigned bit = 0; bit < 8 * PROVE_BYTES; bit++)
		answer_with("a record with a bit changed", &s, RECORD_DATA, bit);
	answer_with("a record of another kind", &s, RECORD_END, 8 * PROVE_BYTES);
	answer_with("and another", &s, RECORD_REKEY, 8 * PROVE_BYTES);
	ok(true, "no other record proves anything");
	begin();
	await(false);
	prepare(&hs, first);
	write(d.fd, first, sizeof(first));
	turns(&loop, 2);
	leap(&loop, TRUNK_ANSWER_MS / 1000 - 1);
	turns(&loop, 2);
	ok_eq_int(l.ret, NOT_YET, "who says nothing more has a while");
	leap(&loop, 2);
	turn_until(&loop, 1000, l.calls);
	ok(l.ret == -ETIMEDOUT && strstr(l.p.why, "has not proved"), "but not longer");
	end();
	begin();
	await(true);
	prepare(&hs, first);
	write(d.fd, first, sizeof(first));
	turns(&loop, 3);
	close(d.fd);
	d.fd = -1;
	turns(&loop, 2);
	ok(l.ret == -ECONNRESET && strstr(l.p.why, "has not proved"),
	   "who goes has not, either");
	end();
}

static void test_strangers(void)
{
	static const char noise[] = "no handshake came, but something else",
			  plain[] = "it has no key; give it --key",
			  version[] = "its sealed trunk is of another version; take";
	static const struct {
		const char *what, *text;
		size_t len;
		const char *why;
	} rows[] = {
		{ "a QEMU", "\0\0\0\x3c", 4, noise },
		{ "a browser", "GET / HTTP/1.1\r\n\r\n", 18, noise },
		{ "a trunk without a key", "\xffntr\0\1\0\x40", 8, plain },
		{ "one byte", "\1", 1, noise },
		{ "a trunk of version 3", "\xffntr\0\3\0\x40", 8, version },
		{ "a sealed one of another length", "\xffntr\0\2\0\x40", 8, version },
		{ "something like a trunk", "\xffnts\0\1\0\x40", 8, noise },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		begin();
		await(false);
		write(d.fd, rows[i].text, rows[i].len);
		turns(&loop, 2);
		ok(l.ret == -EPROTO && strstr(l.p.why, rows[i].why), "%s is refused: %s",
		   rows[i].what, l.p.why);
		ok(recv(d.fd, &(char){ 0 }, 1, 0) < 0 && errno == EAGAIN,
		   "and told nothing");
		end();
		begin();
		await(true);
		write(d.fd, rows[i].text, rows[i].len);
		turns(&loop, 2);
		ok(l.ret == PROVE_PLAIN &&
			   recv(l.fd, &(char[64]){ 0 }, 64, 0) == (ssize_t)rows[i].len,
		   "where plain peers may come, nothing of it was read");
		end();
	}
	begin();
	await(true);
	for (unsigned i = 0; i < 300 && l.ret == NOT_YET; i++)
		turn_for(&loop, 10);
	ok_eq_int(l.ret, PROVE_PLAIN, "a silent peer is a plain one after a while");
	end();
}

static void test_refused(void)
{
	begin();
	l.says = -EACCES;
	await(false);
	dial();
	turns(&loop, 6);
	ok(l.ret == -EACCES && strcmp(l.p.why, "not in the list") == 0,
	   "who is not in the list is refused");
	ok_eq_int(d.ret, NOT_YET, "and told nothing");
	close(l.fd);
	l.fd = -1;
	turns(&loop, 3);
	ok(d.ret == -ECONNRESET && strstr(d.p.why, "peers file"),
	   "but what may be the reason is told to the user");
	end();
	begin();
	l.checks = -EACCES;
	await(false);
	dial();
	turns(&loop, 6);
	ok(l.ret == -EACCES && strstr(l.p.why, "too late") && d.ret == NOT_YET,
	   "so is one that repeats an old handshake");
	end();
	begin();
	l.psk = other.pair.key;
	await(false);
	dial();
	turns(&loop, 6);
	ok(l.ret == NOT_YET && d.ret == -EBADMSG && strstr(d.p.why, "psk="),
	   "another secret shows at the dialler");
	close(d.fd);
	d.fd = -1;
	turns(&loop, 2);
	ok(l.ret == -ECONNRESET && strstr(l.p.why, "psk="), "and then at the listener");
	end();
	begin();
	await(false);
	prove_dial(&d.p, d.fd, &dialler, other.pair.pub, NULL, on_done);
	turns(&loop, 6);
	ok(l.ret == -EACCES && strstr(l.p.why, "another key"),
	   "another key for the listener");
	end();
	begin();
	ok(prove_dial(&d.p, d.fd, &dialler, (uint8_t[SEAL_KEY_BYTES]){ 0 }, NULL,
		      on_done) == -EINVAL &&
		   strstr(d.p.why, "no public key"),
	   "a key that is none");
	end();
}

/* What a dialler may meet at the other end. */
static void test_answers(void)
{
	static const struct {
		const char *what, *text, *why;
		size_t len;
	} rows[] = {
		{ "a trunk without keys", "\xffntr\0\1\0\x40", "takes no keys", 64 },
		{ "a later version", "\xffntr\0\3\0\x40", "another version", 64 },
		{ "another length", "\xffntr\0\2\0\x41", "another version", 64 },
		{ "a QEMU", "\0\0\0\x3c\x52\x54\0\0", "no netrelay with keys", 64 },
		{ "noise in place of an answer", "\xffntr\0\2\0\x40", "can't prove", 64 },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t answer[HANDSHAKE_2_BYTES] = { 0 };

		begin();
		dial();
		memcpy(answer, rows[i].text, 8);
		write(l.fd, answer, rows[i].len);
		turns(&loop, 3);
		ok(d.ret < 0 && strstr(d.p.why, rows[i].why), "%s: %s", rows[i].what,
		   d.p.why);
		end();
	}
}

static void test_ends(void)
{
	for (size_t len = 0; len < HANDSHAKE_1_BYTES; len += 13) {
		uint8_t first[HANDSHAKE_1_BYTES];
		struct handshake hs;

		begin();
		await(false);
		handshake_dial(&hs, &dialler, listener.pair.pub, NULL, first);
		handshake_wipe(&hs);
		if (write(d.fd, first, len) != (ssize_t)len)
			abort();
		close(d.fd);
		d.fd = -1;
		turns(&loop, 4);
		if (l.ret != -ECONNRESET)
			ok_eq_int(l.ret, -ECONNRESET, "a peer that goes after %zu bytes",
				  len);
		end();
	}
	ok(true, "a peer that goes in the middle is an end");
	begin();
	await(false);
	dial();
	prove_stop(&d.p);
	prove_stop(&l.p);
	turns(&loop, 4);
	ok(d.ret == NOT_YET && l.ret == NOT_YET, "one that was stopped says nothing");
	end();
}

/* Turns, until a @call in one has failed by @err. Return: whether any has. */
static bool turns_with(enum fault_call call, int err)
{
	for (unsigned i = 0; i < 6; i++) {
		fault_arm(call, 1, err);
		turn(&loop);
		if (fault_disarm())
			return true;
	}
	return false;
}

static void test_interrupted(bool takes_plain)
{
	begin();
	await(takes_plain);
	fault_arm(FAULT_send, 1, EINTR);
	ok(dial() == 0 && fault_disarm(), "a send() that is interrupted is made again");
	ok(turns_with(FAULT_recv, EINTR) && l.ret == NOT_YET, "so is a recv()");
	ok(turns_with(FAULT_recv, EAGAIN) && l.ret == NOT_YET, "or a vain one");
	turns(&loop, 8);
	ok(l.ret == 0 && d.ret == 0, "and both have proved it");
	end();
}

static void test_recv_fails(bool takes_plain)
{
	begin();
	await(takes_plain);
	dial();
	ok(turns_with(FAULT_recv, EIO), "an error of recv()");
	if (takes_plain)
		ok_eq_int(l.ret, PROVE_PLAIN,
			  "is the port's, where plain peers may come");
	else
		ok(l.ret == -EIO && !strcmp(l.p.why, strerror(EIO)), "is told");
	end();
	begin();
	await(takes_plain);
	dial();
	ok(turns_with(FAULT_recv, ECONNRESET), "a peer that resets the connection");
	if (takes_plain)
		ok_eq_int(l.ret, PROVE_PLAIN, "is the port's, too");
	else
		ok(l.ret == -ECONNRESET && strstr(l.p.why, "closed by the peer"),
		   "has closed it");
	end();
}

/* A plain peer may come, and this one goes before it has said anything. */
static void test_gone_at_once(void)
{
	begin();
	await(true);
	close(d.fd);
	d.fd = -1;
	turns(&loop, 2);
	ok_eq_int(l.ret, PROVE_PLAIN, "the port shall see that a plain peer has gone");
	end();
}

static void test_send_fails(void)
{
	static const int errors[] = { EPIPE, EAGAIN, ENOBUFS };

	for (unsigned i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		begin();
		fault_arm(FAULT_send, 1, errors[i]);
		ok_eq_int(dial(), -errors[i], "a first message that can't be sent");
		ok(fault_disarm() && !strcmp(d.p.why, strerror(errors[i])) &&
			   prove_stop(&d.p) == -1,
		   "is told: %s", d.p.why);
		end();
		begin();
		await(false);
		dial();
		ok(turns_with(FAULT_send, errors[i]) && l.ret == -errors[i],
		   "so is an answer");
		end();
		begin();
		await(false);
		dial();
		turn_until(&loop, 1000, l.p.is_answered);
		ok(turns_with(FAULT_send, errors[i]) && d.ret == -errors[i],
		   "and the proof");
		end();
	}
}

static void test_cut_short(void)
{
	begin();
	fault_arm(FAULT_send, 1, 0);
	ok(dial() == -ENOBUFS && fault_disarm() && !strcmp(d.p.why, "cut short"),
	   "nor is a part of it enough");
	end();
}

static void test_no_watch(void)
{
	begin();
	fault_arm(FAULT_epoll_ctl, 1, ENOMEM);
	ok(dial() == -ENOMEM && fault_disarm() && !strcmp(d.p.why, strerror(ENOMEM)),
	   "a dialler that can't be watched");
	fault_arm(FAULT_epoll_ctl, 1, ENOSPC);
	ok(await(false) == -ENOSPC && fault_disarm() &&
		   !strcmp(l.p.why, strerror(ENOSPC)),
	   "nor a listener");
	turns(&loop, 2);
	ok(!d.calls && !l.calls, "is told at once, and not again");
	end();
}

static void test_no_random(void)
{
	begin();
	random_error = EIO;
	ok(dial() == -EIO && !strcmp(d.p.why, strerror(EIO)),
	   "nobody dials without random numbers");
	random_error = 0;
	l.random = EIO;
	await(false);
	dial();
	turns(&loop, 4);
	ok(l.ret == -EIO && !strcmp(l.p.why, strerror(EIO)), "nor answers");
	random_error = 0;
	end();
}

static void test_limits(void)
{
	uint8_t first[HANDSHAKE_1_BYTES];
	struct handshake hs;

	begin();
	await(false);
	leap(&loop, TRUNK_ANSWER_MS / 1000 - 1);
	turns(&loop, 2);
	ok_eq_int(l.ret, NOT_YET, "a peer has a while to prove it");
	leap(&loop, 2);
	turn_until(&loop, 1000, l.calls);
	ok(l.ret == -ETIMEDOUT && !strcmp(l.p.why, "no handshake came"), "but not more");
	end();
	begin();
	dial();
	leap(&loop, TRUNK_ANSWER_MS / 1000 + 1);
	turn_until(&loop, 1000, d.calls);
	ok(d.ret == -ETIMEDOUT && !strcmp(d.p.why, trunk_no_answer()),
	   "nor has a listener");
	end();
	begin();
	await(true);
	if (write(d.fd, "\xffnt", 3) != 3)
		abort();
	turns(&loop, 2);
	leap(&loop, PROVE_PLAIN_MS / 1000 + 1);
	turn_until(&loop, 1000, l.calls);
	ok_eq_int(l.ret, PROVE_PLAIN, "where plain ones may come, it is such a one then");
	end();
	begin();
	await(true);
	handshake_dial(&hs, &dialler, listener.pair.pub, NULL, first);
	handshake_wipe(&hs);
	if (write(d.fd, first, HANDSHAKE_HELLO_BYTES) != HANDSHAKE_HELLO_BYTES)
		abort();
	turns(&loop, 2);
	leap(&loop, PROVE_PLAIN_MS / 1000 + 1);
	turn_until(&loop, 1000, l.calls);
	ok_eq_int(l.ret, -ETIMEDOUT, "but not who has begun a handshake");
	end();
}

/* Who knows our key, and no more. */
static void test_liars(void)
{
	uint8_t first[HANDSHAKE_1_BYTES], mac[SEAL_HASH_BYTES];
	struct iovec iov = { first, HANDSHAKE_1_BYTES - HANDSHAKE_MAC_BYTES };
	struct handshake hs;

	begin();
	await(false);
	handshake_dial(&hs, &dialler, listener.pair.pub, NULL, first);
	first[HANDSHAKE_HELLO_BYTES + SEAL_KEY_BYTES] ^= 1;
	crypto_hmac(mac, listener.mac_key, SEAL_HASH_BYTES, &iov, 1);
	memcpy(first + iov.iov_len, mac, HANDSHAKE_MAC_BYTES);
	if (write(d.fd, first, sizeof(first)) != sizeof(first))
		abort();
	turns(&loop, 3);
	ok(l.ret == -EBADMSG && strstr(l.p.why, "not right"),
	   "one that knows our key, and says nothing right");
	end();
	begin();
	l.shared = other.pair.pub;
	await(false);
	dial();
	turns(&loop, 4);
	ok(l.ret == -EBADMSG && strstr(l.p.why, "claims to have"),
	   "one that has not the key that it names");
	end();
}

int main(void)
{
	static const uint8_t dk[SEAL_KEY_BYTES] = { 0, 1 }, lk[SEAL_KEY_BYTES] = { 0, 2 },
			     ok_[SEAL_KEY_BYTES] = { 0, 3 };

	alarm(ALARM_S);
	signal(SIGPIPE, SIG_IGN);
	if (loop_init(&loop) < 0)
		abort();
	identity_set(&dialler, dk);
	identity_set(&listener, lk);
	identity_set(&other, ok_);
	test_agree(false);
	test_agree(true);
	test_slowly(false);
	test_slowly(true);
	test_not_proved();
	test_strangers();
	test_refused();
	test_answers();
	test_ends();
	test_interrupted(false);
	test_interrupted(true);
	test_recv_fails(false);
	test_recv_fails(true);
	test_gone_at_once();
	test_send_fails();
	test_cut_short();
	test_no_watch();
	test_no_random();
	test_limits();
	test_liars();
	loop_free(&loop);
	return done();
}
