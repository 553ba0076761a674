/* SPDX-License-Identifier: MIT */
/*
 * port-dial.c with peer=: a sealed trunk to a listener that the test plays, and all that may
 * go wrong before it is up: secrets and keys that are none, an end that hangs up, says
 * nothing or is another one, and no memory.
 */
#include <sys/stat.h>

#include "lib/fault.h"
#include "lib/leap.h"
#include "lib/live.h"
#include "lib/no-memory.h"
#include "lib/tap.h"
#include "lib/write-text.h"
#include "net/keys.h"
#include "seal/key.h"
#include "trunk/channel-sealed.h"
#include "trunk/prove.h"
#include "trunk/trunk.h"

#define LEN 60
#define ANSWER_S (TRUNK_ANSWER_MS / 1000)

/*
 * The listener.
 * @psk: its secret of the pair, or NULL
 * @ret: what came of the handshake, once it @is_done
 */
static struct {
	int listener, fd, ret;
	uint16_t port;
	struct prove prove;
	struct channel_sealed channel;
	const uint8_t *psk;
	bool is_done;
} far;

static char dir[] = "/tmp/port-sealed-test.XXXXXX";
static struct keys keys;
static struct identity own, peer;
static unsigned frames;

static void see_frame(const struct frame *f)
{
	frames += f->len == LEN && f->data[13] == 7;
}

/* ---- the other end ---- */

static int on_find(struct prove *p, const uint8_t key[SEAL_KEY_BYTES])
{
	(void)p;
	return memcmp(key, own.pair.pub, SEAL_KEY_BYTES) ? -EACCES : 0;
}

static int on_check(struct prove *p, const uint8_t stamp[HANDSHAKE_STAMP_BYTES],
		    uint8_t psk[SEAL_KEY_BYTES])
{
	(void)p;
	(void)stamp;
	if (far.psk)
		memcpy(psk, far.psk, SEAL_KEY_BYTES);
	return 0;
}

static void on_done(struct prove *p, int fd, int ret)
{
	(void)p;
	(void)fd;
	far.ret = ret;
	far.is_done = true;
}

/* Whether somebody dials; then it is @fd. */
static bool accepts(void)
{
	live_until((far.fd = accept4(far.listener, NULL, NULL,
				     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
	return far.fd >= 0;
}

static void begin_answer(void)
{
	prove_init(&far.prove, &live.taker.loop);
	far.prove.find = on_find;
	far.prove.check = on_check;
	far.prove.done = on_done;
	far.is_done = false;
	if (!accepts() || prove_answer(&far.prove, far.fd, &peer, false) < 0)
		abort();
}

/* Return: what came of it; 1: nothing. */
static int answer(void)
{
	begin_answer();
	live_until(far.is_done);
	return far.is_done ? far.ret : 1;
}

static void hang_up(void)
{
	prove_stop(&far.prove);
	if (far.fd >= 0)
		close(far.fd);
	far.fd = -1;
}

/* ---- the port ---- */

/* @key: of peer= ; @more: further options */
static void begin(const uint8_t key[SEAL_KEY_BYTES], const char *more)
{
	const struct conf conf = { .key_file = "own" };
	char text[256], name[KEY_TEXT_MAX], why[PEERS_WHY_MAX];

	live_begin(see_frame);
	if (keys_start(&keys, &conf, why, sizeof(why)) < 0)
		abort();
	live.taker.env.keys = &keys;
	frames = 0;
	key_write(name, key);
	snprintf(text, sizeof(text), "trunk:127.0.0.1:%u,peer=%s%s", far.port, name,
		 more);
	live_open(text);
}

static void end(void)
{
	live_close();
	hang_up();
	/* What it has dialled since. */
	while ((far.fd = accept4(far.listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
		close(far.fd);
	live_end();
	keys_free(&keys);
}

static void test_up(void)
{
	uint8_t frame[LEN] = { [13] = 7 }, wire[4 + LEN] = { 0, 0, 0, LEN, [17] = 7 };
	struct iovec iov = { wire, sizeof(wire) };
	const struct channel_ops *ops;
	ssize_t n = -EAGAIN;

	begin(peer.pair.pub, "");
	ok_eq_int(answer(), 0, "both ends prove who they are");
	ok(live_is_up() && live.port->seal.suite == far.prove.session.suite &&
		   !memcmp(live.port->seal.peer, peer.pair.pub, SEAL_KEY_BYTES),
	   "the port is up, and sealed");
	ok(live.port->takes_super == !!HAS_OFFLOAD && !live.port->awaiting_peer,
	   "it knows what its peer takes");
	if (channel_sealed_begin(&far.channel, far.fd, &far.prove.session) < 0)
		abort();
	far.fd = -1;
	ops = far.channel.channel.ops;
	ok_eq_int(ops->send(&far.channel.channel, &iov, 1), sizeof(wire), "a frame");
	live_until(frames);
	ok_eq_int(frames, 1, "arrives");
	port_send(live.port, &(struct frame){ .data = frame, .len = LEN });
	port_flush(live.port);
	memset(wire, 0, sizeof(wire));
	live_until((n = ops->recv(&far.channel.channel, &iov, 1)) != -EAGAIN);
	ok(n == sizeof(wire) && !memcmp(wire + 4, frame, LEN), "and one the other way");
	ops->close(&far.channel.channel);
	ok(live_went_down("closed by the peer"),
	   "the peer's end is an end in good order");
	ok(answer() == 0 && live_is_up(), "it is dialled again, and sealed anew");
	hang_up();
	live_forget();
	ok(live_went_down("cut off"), "a link that is cut is told of");
	end();
}

static void test_secret(void)
{
	static const uint8_t psk[SEAL_KEY_BYTES] = { 9 };
	char text[KEY_TEXT_MAX];

	begin(peer.pair.pub, ",psk=secret");
	ok(live_went_down("secret: No such file or directory"),
	   "a secret that can't be read ends the try");
	ok(accepts() && recv(far.fd, text, 1, 0) <= 0, "and nothing was said");
	hang_up();
	key_write(text, psk);
	write_text("secret", text);
	chmod("secret", 0600);
	far.psk = psk;
	/* A try that came before may wait here, given up. */
	while (answer() == -ECONNRESET)
		hang_up();
	ok(far.ret == 0 && live_is_up(), "the next one reads it");
	end();
	far.psk = NULL;
	begin(peer.pair.pub, ",psk=secret");
	answer();
	ok(live_went_down("can't prove that it has the key of peer="),
	   "a listener that has no secret");
	end();
	unlink("secret");
}

static void test_no_key(void)
{
	begin((const uint8_t[SEAL_KEY_BYTES]){ 0 }, "");
	ok(live_went_down("peer= is no public key"), "a key that is none");
	ok(live.port->state == PORT_WAITING, "is tried again");
	end();
	begin(own.pair.pub, "");
	ok_eq_int(answer(), -EACCES, "another key than the listener's");
	hang_up();
	ok(live_went_down("closed by the peer without an answer"), "is told of");
	end();
}

static void test_no_answer(void)
{
	begin(peer.pair.pub, "");
	ok(accepts(), "a listener that says nothing");
	turns(&live.taker.loop, 3);
	ok(live.port->state == PORT_OPENING, "has a while");
	leap(&live.taker.loop, ANSWER_S + 1);
	ok(live_went_down(trunk_no_answer()), "but not more");
	end();
	begin(peer.pair.pub, "");
	ok(accepts() && write(far.fd, "\0\0\0\x3c", 4) == 4, "a QEMU");
	close(far.fd);
	far.fd = -1;
	ok(live_went_down("closed by the peer without an answer"), "that hangs up");
	end();
}

/* The port is closed while it waits for an answer. */
static void test_closed(void)
{
	uint8_t first[HANDSHAKE_1_BYTES];
	ssize_t n = -1;

	begin(peer.pair.pub, "");
	ok(accepts(), "a port that has dialled");
	live_until((n = recv(far.fd, first, sizeof(first), 0)) > 0);
	ok(n == sizeof(first) && live.port->state == PORT_OPENING, "and asks for proof");
	port_end(live.port);
	turn_until(&live.taker.loop, TRUNK_ANSWER_MS / 2,
		   (n = recv(far.fd, first, 1, 0)) >= 0);
	ok_eq_int(n, 0, "closes its connection when it is ended, not when time is over");
	end();
}

/* @granted: allocations from the answer on. Return: whether it is up then. */
static bool is_up_with(unsigned granted)
{
	bool is_up;

	begin(peer.pair.pub, "");
	begin_answer();
	live_until(live.port->state == PORT_OPENING);
	no_memory_after = granted;
	no_memory = true;
	live_until(live.downs || live.port->state == PORT_UP);
	no_memory = false;
	is_up = live.port->state == PORT_UP;
	if (!is_up && !strstr(live.why, strerror(ENOMEM)))
		ok(false, "%u allocations: %s", granted, live.why);
	if (!is_up) {
		hang_up();
		if (answer() < 0 || !live_is_up())
			ok(false, "%u allocations: the next try is no better", granted);
	}
	end();
	return is_up;
}

static void test_no_memory(void)
{
	unsigned granted = 0;

	while (granted < 20 && !is_up_with(granted))
		granted++;
	ok(granted >= 3 && granted < 20,
	   "memory that ends anywhere is an outage: %u places", granted);
}

int main(void)
{
	static const uint8_t ours[SEAL_KEY_BYTES] = { 0, 1 },
			     theirs[SEAL_KEY_BYTES] = { 0, 2 };
	struct sockaddr_in addr;
	char text[KEY_TEXT_MAX];
	unsigned fds;

	live_prepare();
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 1;
	fds = fault_open_fds();
	identity_set(&own, ours);
	identity_set(&peer, theirs);
	key_write(text, ours);
	write_text("own", text);
	chmod("own", 0600);
	far.listener = socket_bound(SOCK_STREAM, &addr);
	far.port = ntohs(addr.sin_port);
	far.fd = -1;
	if (listen(far.listener, 8) < 0 || fcntl(far.listener, F_SETFL, O_NONBLOCK) < 0)
		abort();
	test_up();
	test_secret();
	test_no_key();
	test_no_answer();
	test_closed();
	test_no_memory();
	close(far.listener);
	unlink("own");
	ok_eq_int(fault_open_fds(), fds, "no descriptor is left open");
	ok(chdir("/") == 0 && rmdir(dir) == 0, "nothing is left behind");
	return done();
}
