/* SPDX-License-Identifier: MIT */
/*
 * A sealed channel at either end of a link, with a man in the middle: what channel.h
 * promises, of random pieces over sockets that take little; and everything that the one in
 * the middle may do to records.
 */
#include "trunk/channel-sealed.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "lib/bytes.h"
#include "lib/fault.h"
#include "lib/no-memory.h"
#include "lib/random.h"
#include "lib/sockets.h"
#include "lib/tap.h"

#define ALARM_S 300
#define PIECES 6
#define WORK ((size_t)3 << 20)
#define PERIOD ((size_t)1 << 18)

static uint8_t noise[2 * PERIOD];

/*
 * @a, @b:  the two ends
 * @middle: the other ends of their sockets
 * @way:    what is on its way from @a to @b
 */
static struct {
	struct channel_sealed a, b;
	int middle[2];
	struct bytes way;
} rig;

static void begin(enum seal_suite suite)
{
	struct session to = { .suite = suite, .send = { 1 }, .recv = { 2 } };
	struct session from = { .suite = suite, .send = { 2 }, .recv = { 1 } };
	int left[2], right[2];

	sockets_pair(SOCK_STREAM, left);
	sockets_pair(SOCK_STREAM, right);
	setsockopt(left[0], SOL_SOCKET, SO_SNDBUF, &(int){ 4096 }, sizeof(int));
	if (channel_sealed_begin(&rig.a, left[0], &to) < 0 ||
	    channel_sealed_begin(&rig.b, right[0], &from) < 0)
		abort();
	rig.middle[0] = left[1];
	rig.middle[1] = right[1];
	rig.way.len = 0;
}

static void end(void)
{
	rig.a.channel.ops->close(&rig.a.channel);
	rig.b.channel.ops->close(&rig.b.channel);
	close(rig.middle[0]);
	close(rig.middle[1]);
}

/* What came from @a; then up to @most bytes of it go to @b. */
static void pass(size_t most)
{
	ssize_t n;

	while (bytes_read(&rig.way, rig.middle[0], 65536) > 0)
		;
	n = write(rig.middle[1], rig.way.at, min_size(most, rig.way.len));
	if (n > 0)
		bytes_drop(&rig.way, (size_t)n);
}

static ssize_t send_some(const uint8_t *data, size_t len)
{
	struct iovec iov = { (void *)data, len };

	return rig.a.channel.ops->send(&rig.a.channel, &iov, len ? 1 : 0);
}

static ssize_t recv_some(uint8_t *data, size_t len)
{
	struct iovec iov = { data, len };

	return rig.b.channel.ops->recv(&rig.b.channel, &iov, 1);
}

/* As recv_some(), but that the link was cut shows behind the part of a record. */
static ssize_t recv_last(uint8_t *data, size_t len)
{
	ssize_t n = recv_some(data, len);

	return n == -EAGAIN ? recv_some(data, len) : n;
}

/* ---- what it carries ---- */

/* Cut @len bytes into pieces. Return: how many. */
static int cut(struct iovec iov[PIECES], const uint8_t *data, size_t len)
{
	int n = 0;

	while (len && n < PIECES - 1) {
		size_t now = rnd((uint32_t)len + 1);

		iov[n++] = (struct iovec){ (void *)data, now };
		data += now;
		len -= now;
	}
	iov[n++] = (struct iovec){ (void *)data, len };
	return n;
}

static void test_carries(enum seal_suite suite, uint64_t max_records)
{
	static uint8_t got[PERIOD];
	struct iovec iov[PIECES];
	size_t sent = 0, came = 0;
	unsigned kept = 0, inputs = 0, wrong = 0;

	begin(suite);
	rig.a.tx.max_records = max_records;
	while (came < WORK || came < sent) {
		size_t len = 1 + rnd(rnd(4) ? 3000 : 200000), most = 1 + rnd(200000);
		ssize_t n = sent < WORK ? rig.a.channel.ops->send(
						  &rig.a.channel, iov,
						  cut(iov, noise + sent % PERIOD, len))
					: send_some(NULL, 0);

		if (n < 0)
			wrong += n != -EAGAIN || !rig.a.channel.has_output;
		else if (sent < WORK)
			sent += (size_t)n;
		kept += rig.a.channel.has_output;
		pass(rnd(3) ? SIZE_MAX : 1 + rnd(5000));
		n = rig.b.channel.ops->recv(&rig.b.channel, iov, cut(iov, got, most));
		if (n < 0 && n != -EAGAIN)
			break;
		inputs += rig.b.channel.has_input;
		if (n > 0 && memcmp(got, noise + came % PERIOD, (size_t)n) != 0)
			wrong++;
		came += n > 0 ? (size_t)n : 0;
	}
	ok(came >= WORK && came == sent && !wrong,
	   "suite %d: all comes once, in order and as it was", suite);
	ok(kept > 10 && inputs > 10,
	   "records were half sent, and had more than was asked for");
	ok((rig.a.tx.at > 0) == (max_records < 1000) && rig.a.tx.n == rig.b.rx.n, "%s",
	   max_records < 1000 ? "with keys that changed" : "with one key");
	end();
}

/* A long piece is a record of its own, and neither end copies it. */
static void test_long(enum seal_suite suite)
{
	static const size_t want[] = { 100, 9000, 50 };
	static uint8_t got[9150], before[9150];
	struct iovec out[] = { { noise, 100 },
			       { noise + 100, 9000 },
			       { noise + 9100, 20 },
			       { noise + 9120, 30 } };
	struct iovec in[] = { { got, 40 }, { got + 40, 60 }, { got + 100, 9050 } };
	size_t at = 0, same = 0;

	begin(suite);
	memcpy(before, noise, sizeof(before));
	ok_eq_int(rig.a.channel.ops->send(&rig.a.channel, out, 4), 9150,
		  "long and short");
	ok(!memcmp(before, noise, sizeof(before)), "what is sent stays as it is");
	while (bytes_read(&rig.way, rig.middle[0], 65536) > 0)
		send_some(NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		same += record_size(rig.way.at + at) == want[i] + RECORD_OVERHEAD;
		at += want[i] + RECORD_OVERHEAD;
	}
	ok(same == 3 && at == rig.way.len,
	   "a record for those ahead, it, and those behind");
	pass(SIZE_MAX);
	ok_eq_int(rig.b.channel.ops->recv(&rig.b.channel, in, 3), 9150,
		  "all of it comes");
	ok(!memcmp(got, noise, sizeof(got)), "to where it belongs");
	ok(!memcmp(rig.b.in + RECORD_HEAD, noise, 100) &&
		   memcmp(rig.b.in + 120 + RECORD_HEAD, noise + 100, 9000) != 0,
	   "and what has room in one piece is opened to there");
	end();
}

/* Pieces that are not long fill a record to its last byte; what is left begins another one. */
static void test_many_pieces(enum seal_suite suite)
{
	static uint8_t got[70000];
	struct iovec out[35];
	size_t sent = 0, n = 0;

	begin(suite);
	for (size_t i = 0; i < ARRAY_SIZE(out); i++)
		out[i] = (struct iovec){ noise + 2000 * i, 2000 };
	ok_eq_int(rig.a.channel.ops->send(&rig.a.channel, out, ARRAY_SIZE(out)), 70000,
		  "more pieces than a record takes");
	while (sent < sizeof(got) && n < 1000) {
		ssize_t now;

		send_some(NULL, 0);
		pass(SIZE_MAX);
		n++;
		now = recv_some(got + sent, sizeof(got) - sent);
		sent += now > 0 ? (size_t)now : 0;
	}
	ok(sent == sizeof(got) && !memcmp(got, noise, sizeof(got)),
	   "and all of them come");
	end();
}

static void test_idle(void)
{
	uint8_t got[10];

	begin(SEAL_CHACHA20_POLY1305);
	ok(recv_some(got, 10) == -EAGAIN && !rig.b.channel.has_input, "nothing has come");
	send_some(noise, 30);
	pass(20);
	ok(recv_some(got, 10) == -EAGAIN && !rig.b.channel.has_input,
	   "nor with a part of a record");
	pass(SIZE_MAX);
	ok(recv_some(got, 10) == 10 && rig.b.channel.has_input &&
		   recv_some(got, 10) == 10 && recv_some(got, 10) == 10 &&
		   !rig.b.channel.has_input && recv_some(got, 10) == -EAGAIN,
	   "what is not asked for stays, and is told of");
	send_some(noise, 10);
	send_some(noise + 10, 10);
	pass(SIZE_MAX);
	ok(recv_some(got, 10) == 10 && rig.b.channel.has_input &&
		   recv_some(got, 10) == 10 && !rig.b.channel.has_input,
	   "and so is a whole record behind what was asked for");
	end();
}

static void test_nothing(void)
{
	begin(SEAL_CHACHA20_POLY1305);
	ok(rig.a.channel.ops->send(&rig.a.channel, &(struct iovec){ noise, 0 }, 1) == 0,
	   "a piece without bytes");
	send_some(NULL, 0);
	ok(!rig.a.channel.has_output && rig.a.tx.n == 0 &&
		   bytes_read(&rig.way, rig.middle[0], 65536) < 0,
	   "makes no record");
	end();
}

static void test_interrupted(void)
{
	uint8_t got[60];

	begin(SEAL_CHACHA20_POLY1305);
	fault_arm(FAULT_write, 1, EINTR);
	ok(send_some(noise, 60) == 60 && fault_disarm() && !rig.a.channel.has_output,
	   "a write() that is interrupted is made again");
	pass(SIZE_MAX);
	fault_arm(FAULT_read, 1, EINTR);
	ok(recv_some(got, 60) == 60 && fault_disarm() && !memcmp(got, noise, 60),
	   "so is a read()");
	fault_arm(FAULT_read, 1, EIO);
	ok(recv_some(got, 60) == -EIO && fault_disarm(), "another error is told");
	end();
}

static void test_shut(void)
{
	static uint8_t got[300000];
	ssize_t n, all = 0;

	begin(SEAL_CHACHA20_POLY1305);
	n = send_some(noise, 200000);
	ok(n > 0 && rig.a.channel.has_output, "more than the socket takes");
	rig.a.channel.ops->shut(&rig.a.channel);
	rig.a.channel.ops->shut(&rig.a.channel);
	while (rig.a.channel.has_output) {
		pass(SIZE_MAX);
		send_some(NULL, 0);
	}
	pass(SIZE_MAX);
	shutdown(rig.middle[1], SHUT_WR);
	while (rig.way.len)
		pass(SIZE_MAX);
	while ((all += recv_some(got + all, sizeof(got) - (size_t)all)) < n)
		pass(SIZE_MAX);
	ok(all == n && memcmp(got, noise, (size_t)n) == 0, "comes whole behind a shut()");
	ok(recv_some(got, 10) == 0 && recv_some(got, 10) == 0,
	   "and then the end, each time");
	ok(read(rig.middle[0], got, 1) == 0, "the socket was shut, too");
	end();
}

/* All that is ever kept at once: another key, two records as long as they get, and the end. */
static void test_fullest(void)
{
	static uint8_t data[2 * RECORD_MAX], got[2 * RECORD_MAX];
	const size_t len = sizeof(data);
	size_t came = 0, n_kept;
	unsigned turns = 0;
	ssize_t n = -EAGAIN;

	rnd_bytes(data, len);
	begin(SEAL_CHACHA20_POLY1305);
	rig.a.tx.max_records = 0;
	/* What came for this end, and was not asked for yet. */
	memset(rig.a.in, 0x5a, RECORD_OVERHEAD);
	n = send_some(data, len);
	ok_eq_int(n, (int)len, "two whole records are taken behind another key");
	ok(rig.a.channel.has_output, "and kept");
	rig.a.channel.ops->shut(&rig.a.channel);
	n_kept = rig.a.out_end;
	ok(n_kept <= CHANNEL_SEALED_OUT && rig.a.in[0] == 0x5a,
	   "there is room for the end, too: %zu of %zu bytes", n_kept,
	   (size_t)CHANNEL_SEALED_OUT);
	while (came < len && turns++ < 10000) {
		pass(SIZE_MAX);
		send_some(NULL, 0);
		n = recv_some(got + came, len - came);
		came += n > 0 ? (size_t)n : 0;
	}
	ok(came == len && memcmp(got, data, len) == 0, "and all of it comes");
	end();
}

/* ---- the man in the middle ---- */

/* Two records of 60 bytes lie in @way. */
static void two_records(void)
{
	begin(SEAL_CHACHA20_POLY1305);
	send_some(noise, 60);
	send_some(noise + 60, 60);
	bytes_read(&rig.way, rig.middle[0], 65536);
}

static bool is_broken(ssize_t ret)
{
	uint8_t got[200];

	return ret == -EPROTO && recv_some(got, sizeof(got)) == -EPROTO &&
	       strstr(channel_why(&rig.b.channel, ret), "did not seal");
}

static void test_flipped(void)
{
	size_t size = 60 + RECORD_OVERHEAD;
	unsigned wrong = 0;
	uint8_t got[200];

	for (size_t at = 0; at < 2 * size; at++) {
		ssize_t first;

		two_records();
		rig.way.at[at] ^= 0x10;
		pass(SIZE_MAX);
		shutdown(rig.middle[1], SHUT_WR);
		first = recv_last(got, sizeof(got));
		if (at >= size) {
			wrong += first != 60 || memcmp(got, noise, 60) != 0;
			first = recv_last(got, sizeof(got));
		}
		/* With another length, the rest may be waited for in vain. */
		wrong += !is_broken(first) && first != -ECONNRESET;
		end();
	}
	ok_eq_int(wrong, 0,
		  "a changed byte ends the link, and what came before stays good");
}

static void test_reordered(void)
{
	size_t size = 60 + RECORD_OVERHEAD;
	uint8_t got[200];

	two_records();
	bytes_drop(&rig.way, size);
	pass(SIZE_MAX);
	ok(is_broken(recv_some(got, sizeof(got))), "a record that is left out ends it");
	end();
	two_records();
	bytes_append(&rig.way, rig.way.at, size);
	pass(SIZE_MAX);
	ok(recv_some(got, sizeof(got)) == 120 && is_broken(recv_some(got, sizeof(got))),
	   "so does one that comes twice");
	end();
	two_records();
	write(rig.middle[1], rig.way.at + size, size);
	pass(size);
	ok(is_broken(recv_some(got, sizeof(got))), "or too early");
	end();
	two_records();
	write(rig.middle[0], rig.way.at, size);
	{
		struct iovec iov = { got, sizeof(got) };

		ok(rig.a.channel.ops->recv(&rig.a.channel, &iov, 1) == -EPROTO,
		   "or that comes back to who sent it");
	}
	end();
}

static void test_cut(void)
{
	size_t size = 60 + RECORD_OVERHEAD;
	unsigned wrong = 0;
	uint8_t got[200];

	for (size_t len = 0; len <= 2 * size; len++) {
		size_t whole = len / size * 60;
		ssize_t n;

		two_records();
		pass(len);
		shutdown(rig.middle[1], SHUT_WR);
		n = recv_last(got, sizeof(got));
		wrong += n != (whole ? (ssize_t)whole : -ECONNRESET);
		if (whole)
			wrong += recv_last(got, sizeof(got)) != -ECONNRESET;
		wrong += !strstr(channel_why(&rig.b.channel, -ECONNRESET), "cut off");
		end();
	}
	ok_eq_int(wrong, 0, "a link that is cut anywhere did not end in good order");
}

/* An end or another key with something in it; the peer is one that has the key. */
static void test_lying_peer(void)
{
	for (enum record_kind kind = RECORD_END; kind <= RECORD_REKEY; kind++) {
		uint8_t at[RECORD_OVERHEAD + 5] = { 0 }, got[20];
		struct record_way way;

		begin(SEAL_CHACHA20_POLY1305);
		record_begin(&way, SEAL_CHACHA20_POLY1305,
			     (const uint8_t[SEAL_KEY_BYTES]){ 1 }, 0);
		record_seal(&way, kind, at, at + RECORD_HEAD, 5);
		write(rig.middle[1], at, sizeof(at));
		ok_eq_int(recv_some(got, sizeof(got)), -EPROTO,
			  "a record of kind %d with bytes in it is refused", kind);
		record_end(&way);
		end();
	}
}

static void test_close(void)
{
	struct session s = { .suite = SEAL_CHACHA20_POLY1305, .send = { 1 } },
		       none = { 0 };
	struct channel_sealed c = { 0 };
	int sv[2];
	uint8_t end[100];

	sockets_pair(SOCK_STREAM, sv);
	ok_eq_int(channel_sealed_begin(&c, sv[0], &s), 0, "it begins");
	ok(memcmp(&s, &none, sizeof(s)) == 0, "and leaves no key to its owner");
	c.channel.ops->close(&c.channel);
	c.channel.ops->close(&c.channel);
	ok(read(sv[1], end, sizeof(end)) == RECORD_OVERHEAD && end[1] == RECORD_END &&
		   read(sv[1], end, 1) == 0,
	   "a close, even a second one, says so once, and closes the socket");
	ok(!c.tx.aead && !c.rx.aead && !c.out, "and forgets the keys");
	close(sv[1]);
}

/* @granted: allocations; -1: not even buffers. Return: what the beginning says. */
static int begin_without(int granted)
{
	struct session s = { .suite = SEAL_CHACHA20_POLY1305, .send = { 1 } },
		       none = { 0 };
	struct channel_sealed c;
	int sv[2], ret;

	sockets_pair(SOCK_STREAM, sv);
	if (granted < 0) {
		fault_arm(FAULT_mmap, 1, ENOMEM);
	} else {
		no_memory_after = (unsigned)granted;
		no_memory = true;
	}
	ret = channel_sealed_begin(&c, sv[0], &s);
	fault_disarm();
	no_memory = false;
	if (ret == 0)
		c.channel.ops->close(&c.channel);
	ok(memcmp(&s, &none, sizeof(s)) == 0 && c.channel.rfd == -1 && !c.tx.aead &&
		   !c.rx.aead && !c.out,
	   "no key is left, and nothing else");
	ok(ret == 0 || read(sv[1], &(char){ 0 }, 1) == 0, "the peer sees it end at once");
	close(sv[1]);
	return ret;
}

static void test_no_memory(void)
{
	ok_eq_int(begin_without(-1), -ENOMEM, "no memory for the buffers");
	ok_eq_int(begin_without(0), -ENOMEM, "nor for a cipher");
	ok_eq_int(begin_without(1), -ENOMEM, "nor for the second one");
	ok_eq_int(begin_without(2), 0, "for both");
}

int main(void)
{
	alarm(ALARM_S);
	signal(SIGPIPE, SIG_IGN);
	random_begin(1);
	rnd_bytes(noise, PERIOD);
	memcpy(noise + PERIOD, noise, PERIOD);
	test_carries(SEAL_CHACHA20_POLY1305, RECORD_REKEY_RECORDS);
	test_carries(SEAL_CHACHA20_POLY1305, 2);
	test_long(SEAL_CHACHA20_POLY1305);
	test_many_pieces(SEAL_CHACHA20_POLY1305);
	if (crypto_has_aes()) {
		test_carries(SEAL_AES256_GCM, 3);
		test_long(SEAL_AES256_GCM);
	}
	test_idle();
	test_nothing();
	test_interrupted();
	test_shut();
	test_fullest();
	test_flipped();
	test_reordered();
	test_cut();
	test_lying_peer();
	test_close();
	test_no_memory();
	bytes_free(&rig.way);
	return done();
}
