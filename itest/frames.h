/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the traffic tool share: an open endpoint (a channel), the
 * frames that are sent (a plan), what is expected back (a wish), and what came
 * (a tally). frames.c has the user's view of it all.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define FRAME_MAX 69632 /* QEMU's NET_BUFSIZE */
#define FRAME_HEADER 26 /* MACs, EtherType, and what our receiver needs to know */
#define FRAME_PADDED 60 /* what shorter frames are filled up to on Ethernet */

/*
 * An open endpoint.
 * @in, @out: the same descriptor but for stdin/stdout; @in is a listener until
 *            channel_accept()
 * @stream:   frames go behind a 4-byte big-endian length; else one a datagram
 * @socket:   can be half-closed
 * @peer:     where datagrams go; @peer_len is 0 for where it needs no saying
 * @path:     a unix socket's own path, removed on close; "" without one
 * @step:     what was being done when an error came
 * @patience_ms: how long a peer may leave us waiting
 */
struct channel {
	int in;
	int out;
	bool stream;
	bool socket;
	bool listening;
	struct sockaddr_storage peer;
	socklen_t peer_len;
	char path[108];
	const char *step;
	int patience_ms;
};

/* How to open one: socket buffer in bytes (0: large), and patience with a peer not there yet. */
struct channel_options {
	int rcvbuf;
	int patience_ms;
};

/*
 * channel_open() - Open endpoint @text, up to where a peer can reach us.
 *
 * Return: 0; -EINVAL for a @text that is none; another -errno, with @ch->step set.
 * channel_close() it in any case.
 */
int channel_open(struct channel *ch, const char *text, const struct channel_options *opt);

/*
 * channel_address() - Where an endpoint that connects to a stream socket leads.
 *
 * Return: 0; -EINVAL if @text is no such endpoint.
 */
int channel_address(const char *text, struct sockaddr_storage *sa, socklen_t *len);

/* channel_accept() - Wait for a listener's first client; nothing to do for the others. */
int channel_accept(struct channel *ch);

void channel_close(struct channel *ch);

enum fault { FAULT_NONE, FAULT_DAMAGE, FAULT_LOSE, FAULT_DUPLICATE, FAULT_REORDER };

/*
 * What to send.
 * @sizes: log-uniform sizes to pick from, or NULL for uniform ones
 * @batch: many frames in one write
 * @rate:  frames a second; 0 for as fast as it goes
 * @fault: what to do wrong at frame @fault_at
 */
struct plan {
	const uint8_t *pool;
	uint64_t count;
	uint32_t min;
	uint32_t max;
	uint32_t *sizes;
	uint64_t seed;
	uint16_t id;
	uint8_t dst[6];
	bool batch;
	uint64_t rate;
	enum fault fault;
	uint64_t fault_at;
};

/* content_pool() - The bytes that frames are windows of; free() it. NULL without memory. */
uint8_t *content_pool(void);

/* content_window() - What a frame with these FRAME_HEADER bytes of @header holds behind it. */
const uint8_t *content_window(const uint8_t *pool, const uint8_t *header);

/* content_sizes() - Table of sizes from @min to @max, evenly spread over their logarithm. */
uint32_t *content_sizes(uint32_t min, uint32_t max);

uint32_t content_size(const struct plan *plan, uint32_t seq);
void content_header(const struct plan *plan, uint32_t seq, uint32_t len, uint8_t *header);

/*
 * What came from one sender.
 * @seen:    a bit for each sequence number below @seen_bits
 * @next:    one more than the highest sequence number that came
 */
struct sender {
	uint64_t received;
	uint64_t damaged;
	uint64_t reordered;
	uint64_t duplicated;
	uint64_t *seen;
	uint64_t seen_bits;
	uint64_t next;
};

#define TALLY_FROM_MAX 64

/*
 * What came from all of them.
 * @senders:  by id, NULL for those never heard of
 * @padded:   frames below 60 bytes must arrive filled up to 60; else exactly as sent
 * @from:     ids to look at, @n_from of them; 0 for all
 * @received: good frames, each counted once
 * @other:    frames that are none of ours
 * @unclear:  ours, but too damaged to say from whom, or broken framing
 */
struct tally {
	const uint8_t *pool;
	struct sender *senders[65536];
	bool padded;
	uint16_t from[TALLY_FROM_MAX];
	size_t n_from;
	uint64_t received;
	uint64_t bytes;
	uint64_t other;
	uint64_t unclear;
};

/* tally_frame() - Check a frame that came, and count it. Return: 0, or -ENOMEM. */
int tally_frame(struct tally *tally, const uint8_t *frame, size_t len);

/*
 * tally_report() - A line for each sender, and a total, to @out.
 * @count: how many should have come; 0 when nobody said
 *
 * Return: whether nothing was damaged, reordered or duplicated and, with
 * @lossless, nothing was lost.
 */
bool tally_report(const struct tally *tally, uint64_t count, bool lossless, FILE *out);

void tally_free(struct tally *tally);

/*
 * What to receive, and when to leave off.
 * @count:      good frames to wait for
 * @verify:     look at what comes; else it is thrown away
 * @timeout_ms: silence after which the rest is lost
 * @linger_ms:  how long to listen for more than should come, and for the peer's close
 * @slow:       frames a second to take; 0 for all that come
 * @stop_after: stop reading after so many, and say so to @out; 0 for never.
 *              SIGUSR1, or @resume_ms later (0: never), makes it go on
 */
struct wish {
	uint64_t count;
	bool verify;
	bool lossless;
	int timeout_ms;
	int linger_ms;
	uint64_t slow;
	uint64_t stop_after;
	int resume_ms;
	FILE *out;
};

/*
 * exchange() - Send the plan and receive the wish, at the same time, on one channel.
 * @sent: set to the number of frames sent
 *
 * SIGTERM and SIGINT make it leave off, SIGUSR1 makes a stopped reader go on.
 *
 * Return: 0; -errno when the channel failed before everything was sent.
 */
int exchange(struct channel *ch, const struct plan *plan, const struct wish *wish,
	     struct tally *tally, uint64_t *sent);

/* signals_open() - From here on SIGTERM, SIGINT, SIGUSR1 come by this signalfd. Or -errno. */
int signals_open(void);

/* send_plan() - The sending half; blocks; a thread's cancellation point. Return: 0, or -errno. */
int send_plan(struct channel *ch, const struct plan *plan, uint64_t *sent);

/* write_all() - Write all of @iov (which is changed) to a stream. Return: 0, or -errno. */
int write_all(int fd, struct iovec *iov, size_t n);

/* send_datagram() - Send @iov as one, with patience. Return: 0, or -errno. */
int send_datagram(struct channel *ch, struct iovec *iov, uint16_t n);

/*
 * Bytes to write as they are.
 * @pieces:      hexadecimal text, @FILE, or +N for N zero bytes; each is a datagram,
 *               or a write of its own
 * @split:       bytes a write on streams; 0 for a whole piece
 * @connections: how many to make, all alike
 * @wait_ms:     how long to watch the other side
 * @hold:        then keep everything open until stdin or SIGTERM says otherwise
 */
struct raw {
	char **pieces;
	size_t n_pieces;
	size_t split;
	size_t connections;
	int wait_ms;
	uint64_t expect; /* bytes; enough of them end the watch */
	bool half_close;
	bool hold;
};

/*
 * raw_run() - Do so, and say to @out what the other side did.
 * @step: on error, what was being done
 *
 * Return: 0, or -errno.
 */
int raw_run(const char *endpoint, const struct channel_options *opt,
	    const struct raw *raw, FILE *out, const char **step);

/*
 * storm_run() - Connect to @endpoint and drop the connection, again and again for @ms, and
 * say to @out how often. TCP connections are reset.
 * @step: on error, what was being done
 *
 * Return: 0, or -errno.
 */
int storm_run(const char *endpoint, int ms, FILE *out, const char **step);

/* now_ms(), now_ns() - Monotonic time. */
uint64_t now_ns(void);
uint64_t now_ms(void);

/* sleep_until_ns() - Sleep to a point of monotonic time. */
void sleep_until_ns(uint64_t when);

/* wait_fd() - Poll one descriptor. Return: 1 when ready, 0 when time is up, -errno. */
int wait_fd(int fd, short events, int timeout_ms);

#endif
