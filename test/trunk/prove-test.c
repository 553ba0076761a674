/* SPDX-License-Identifier: MIT */
/* Two ends of a connection that prove who they are, and strangers at either end. */
#include "trunk/prove.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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
 */
struct side {
	struct prove p;
	int fd, ret, says, checks;
	unsigned calls;
	uint8_t asked[SEAL_KEY_BYTES];
	const uint8_t *psk;
};

static struct side d, l;

static void on_done(struct prove *p, int ret)
{
	struct side *s = container_of(p, struct side, p);

	s->ret = ret;
	s->calls++;
}

static int on_find(struct prove *p, const uint8_t *peer, uint8_t *psk)
{
	struct side *s = container_of(p, struct side, p);

	memcpy(s->asked, peer, sizeof(s->asked));
	snprintf(p->why, sizeof(p->why), "not in the list");
	if (s->psk)
		memcpy(psk, s->psk, SEAL_KEY_BYTES);
	return s->says;
}

static int on_check(struct prove *p, const uint8_t *stamp)
{
	struct side *s = container_of(p, struct side, p);

	snprintf(p->why, sizeof(p->why), "%u is too late", stamp[0]);
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
	turns(&loop, 6);
	ok(l.ret == 0 && d.ret == 0 && l.calls == 1 && d.calls == 1,
	   "both have proved it");
	ok(memcmp(l.asked, dialler.pair.pub, SEAL_KEY_BYTES) == 0 &&
		   memcmp(l.p.session.recv, d.p.session.send, SEAL_KEY_BYTES) == 0,
	   "and have a session");
	ok(prove_stop(&d.p) == -1 && prove_stop(&l.p) == -1,
	   "nothing is under way any more");
	ok(write(d.fd, "x", 1) == 1 && recv(l.fd, &(char){ 0 }, 1, 0) == 1,
	   "what comes behind it was not read");
	end();
}

/* The first message comes byte by byte. */
static void test_slowly(bool takes_plain)
{
	uint8_t first[HANDSHAKE_1_BYTES];
	struct handshake hs;

	begin();
	await(takes_plain);
	handshake_dial(&hs, &dialler, listener.pair.pub, NULL, first);
	for (unsigned i = 0; i < sizeof(first); i++) {
		if (write(d.fd, first + i, 1) != 1)
			break;
		turn(&loop);
	}
	for (unsigned i = 0; i < 1000 && l.ret == NOT_YET; i++)
		turn_for(&loop, 10);
	ok_eq_int(l.ret, 0, "a handshake byte by byte");
	end();
}

static void test_strangers(void)
{
	static const struct {
		const char *what, *text;
		size_t len;
	} rows[] = {
		{ "a QEMU", "\0\0\0\x3c", 4 },
		{ "a browser", "GET / HTTP/1.1\r\n\r\n", 18 },
		{ "a trunk without a key", "\xffntr\0\1\0\x40", 8 },
		{ "one byte", "\1", 1 },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		begin();
		await(false);
		write(d.fd, rows[i].text, rows[i].len);
		turns(&loop, 2);
		ok_eq_int(l.ret, -EPROTO, "%s is refused", rows[i].what);
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
	ok(l.ret == 0 && d.ret == -EBADMSG && strstr(d.p.why, "psk="),
	   "another secret shows at the dialler");
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
	test_strangers();
	test_refused();
	test_answers();
	test_ends();
	loop_free(&loop);
	return done();
}
