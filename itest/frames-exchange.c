// SPDX-License-Identifier: MIT
/*
 * Receiving, checking, and knowing when to stop, with the sender in a thread
 * beside it: neither waits for the other, so two of these that face each other
 * cannot block each other, however full the way between them.
 *
 * Even who only sends has to read: closing a TCP socket with bytes unread
 * resets it, and a reset takes what we have just sent with it. For the same reason
 * the peer has a second to close its end, which it does once it has read all.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "frames.h"

#define CHUNK (128u << 10)
#define CHUNK_SLOW 4096u /* a slow reader must leave its bytes in the kernel */
#define BUFFER (CHUNK + 4 + FRAME_MAX)
#define TICK_MS 20
#define CLOSING_MS 1000
#define SIGNALS_EVERY 64 /* reads without a look at signals */

/*
 * WANTED: frames are missing. SENDING: our own sender is not through. EXTRA:
 * does more come than should? CLOSING: half-closed; the peer may still write.
 */
enum phase { WANTED, SENDING, EXTRA, CLOSING, OVER };

struct transmitter {
	struct channel *ch;
	const struct plan *plan;
	uint64_t sent;
	int err;
	atomic_bool done;
};

/*
 * @fill:  bytes in @buf
 * @taken: frames taken off the channel, whatever they were
 * @since: when the phase began or a frame came last, ms
 */
struct receiver {
	struct channel *ch;
	const struct wish *wish;
	struct tally *tally;
	struct transmitter *tx;
	int signals;
	enum phase phase;
	uint8_t *buf;
	size_t fill;
	uint64_t taken;
	uint64_t start_ns;
	uint64_t since;
	bool stopped;
	bool interrupted;
};

int signals_open(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &set, NULL);
	return fd;
}

static void *transmit(void *arg)
{
	struct transmitter *tx = arg;

	tx->err = send_plan(tx->ch, tx->plan, &tx->sent);
	atomic_store(&tx->done, true);
	return NULL;
}

static int take_frame(struct receiver *rx, const uint8_t *frame, size_t len)
{
	const struct wish *wish = rx->wish;
	int err = 0;

	rx->taken++;
	if (wish->verify)
		err = tally_frame(rx->tally, frame, len);
	if (wish->slow)
		sleep_until_ns(rx->start_ns + rx->taken * 1000000000u / wish->slow);
	if (wish->stop_after && rx->taken == wish->stop_after) {
		rx->stopped = true;
		fputs("stopped\n", wish->out);
		fflush(wish->out);
	}
	return err;
}

/* Take what is whole off the front of the buffer. */
static int take_stream(struct receiver *rx)
{
	const uint8_t *p = rx->buf;
	size_t left = rx->fill;
	int err = 0;

	while (!err && !rx->stopped && left >= 4) {
		size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 |
			     p[3];

		if (len > FRAME_MAX) {
			rx->tally->unclear++;
			rx->phase = OVER;
			break;
		}
		if (left - 4 < len)
			break;
		err = take_frame(rx, p + 4, len);
		p += 4 + len;
		left -= 4 + len;
	}
	memmove(rx->buf, p, left);
	rx->fill = left;
	return err;
}

/* Return: bytes; 0 at the end of a stream; -EAGAIN. A reset is an end, too. */
static ssize_t read_some(struct receiver *rx)
{
	const struct wish *wish = rx->wish;
	size_t room = wish->slow || wish->stop_after ? CHUNK_SLOW : CHUNK;
	uint8_t *to = rx->buf + rx->fill;
	ssize_t n;

	if (!rx->ch->stream)
		room = BUFFER;
	if (rx->ch->socket)
		n = recv(rx->ch->in, to, room, MSG_DONTWAIT);
	else if (wait_fd(rx->ch->in, POLLIN, 0) > 0)
		n = read(rx->ch->in, to, room);
	else
		return -EAGAIN;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : 0;
	return n;
}

static int receive(struct receiver *rx)
{
	ssize_t n;

	/* Frames may be left from before a stop. */
	if (rx->fill >= 4 && rx->ch->stream) {
		int err = take_stream(rx);

		if (err || rx->stopped)
			return err;
	}
	n = read_some(rx);
	if (n < 0)
		return (int)n;
	rx->since = now_ms();
	if (!rx->ch->stream)
		return take_frame(rx, rx->buf, (size_t)n);
	if (n == 0)
		rx->phase = OVER;
	rx->fill += (size_t)n;
	return take_stream(rx);
}

static void wait_for_more(struct receiver *rx)
{
	struct pollfd p[2] = {
		{ .fd = rx->signals, .events = POLLIN },
		{ .fd = rx->stopped ? -1 : rx->ch->in, .events = POLLIN },
	};

	poll(p, 2, TICK_MS);
}

static void look_at_signals(struct receiver *rx)
{
	struct signalfd_siginfo info;

	while (read(rx->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			rx->stopped = false;
		else
			rx->interrupted = true;
	}
	if (rx->stopped && rx->wish->resume_ms &&
	    now_ms() >= rx->since + (uint64_t)rx->wish->resume_ms)
		rx->stopped = false;
}

static void enter(struct receiver *rx, enum phase phase)
{
	rx->phase = phase;
	rx->since = now_ms();
	if (phase != CLOSING)
		return;
	if (!rx->tx->plan->count || !rx->ch->stream || !rx->ch->socket)
		rx->phase = OVER;
	else
		shutdown(rx->ch->out, SHUT_WR);
}

static void advance(struct receiver *rx)
{
	const struct wish *wish = rx->wish;
	uint64_t quiet = now_ms() - rx->since;

	if (rx->stopped)
		return;
	if (rx->phase == WANTED &&
	    (rx->tally->received >= wish->count || quiet >= (uint64_t)wish->timeout_ms))
		enter(rx, SENDING);
	else if (rx->phase == SENDING && atomic_load(&rx->tx->done))
		enter(rx, EXTRA);
	else if (rx->phase == EXTRA &&
		 (!wish->verify || quiet >= (uint64_t)wish->linger_ms))
		enter(rx, CLOSING);
	else if (rx->phase == CLOSING && quiet >= CLOSING_MS &&
		 quiet >= (uint64_t)wish->linger_ms)
		rx->phase = OVER;
}

static int receive_until_over(struct receiver *rx)
{
	unsigned int reads = 0;
	int err = 0;

	while (rx->phase != OVER && !rx->interrupted) {
		err = rx->stopped ? -EAGAIN : receive(rx);
		if (err && err != -EAGAIN)
			return err;
		if (err == -EAGAIN)
			wait_for_more(rx);
		if (err == -EAGAIN || ++reads % SIGNALS_EVERY == 0)
			look_at_signals(rx);
		if (rx->phase != OVER)
			advance(rx);
	}
	return 0;
}

int exchange(struct channel *ch, const struct plan *plan, const struct wish *wish,
	     struct tally *tally, uint64_t *sent)
{
	struct transmitter tx = { .ch = ch, .plan = plan };
	struct receiver rx = { .ch = ch,
			       .wish = wish,
			       .tally = tally,
			       .tx = &tx,
			       .start_ns = now_ns(),
			       .since = now_ms() };
	pthread_t thread;
	int err;

	ch->step = "start";
	atomic_init(&tx.done, plan->count == 0);
	rx.buf = malloc(BUFFER);
	rx.signals = signals_open();
	err = rx.signals < 0 ? rx.signals : rx.buf ? 0 : -ENOMEM;
	if (!err && plan->count)
		err = -pthread_create(&thread, NULL, transmit, &tx);
	if (err)
		goto out;
	err = receive_until_over(&rx);
	if (plan->count) {
		if (rx.interrupted || err)
			pthread_cancel(thread);
		pthread_join(thread, NULL);
	}
	*sent = tx.sent;
	ch->step = err ? "receive" : "send";
	if (!err)
		err = tx.err;
out:
	free(rx.buf);
	return err;
}
