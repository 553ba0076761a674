/* SPDX-License-Identifier: MIT */
/*
 * The relay's metrics over HTTP, for Prometheus to fetch: /metrics is
 * metrics-text.h's text. A client has one request a connection, and little time;
 * there are few at once, and when one more comes the oldest has to go. So nobody
 * who only holds connections can keep others out, or anything busy.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stdint.h>

#include "buf.h"
#include "endpoint.h"
#include "http.h"
#include "listen.h"
#include "loop.h"
#include "relay.h"

#define METRICS_CLIENTS 16

enum metrics_state { METRICS_READING, METRICS_WRITING, METRICS_CLOSING };

/*
 * @timer:  its end, unless it gets on
 * @answer: all of it, of which @sent bytes are on their way
 */
struct metrics_client {
	struct metrics *metrics;
	struct watch watch;
	struct timer timer;
	enum metrics_state state;
	struct http_request request;
	struct buf answer;
	size_t sent;
};

/*
 * All zero: not started.
 * @ep:       where it listens, by a name for messages
 * @statm_fd: /proc/self/statm, or -1
 */
struct metrics {
	const struct relay *relay;
	struct loop *loop;
	struct endpoint ep;
	struct listener listener;
	int statm_fd;
	uint64_t start_s;
	struct metrics_client clients[METRICS_CLIENTS];
};

/*
 * metrics_start() - Begin to serve.
 * @relay: must stay until metrics_stop()
 * @ep:    a TCP_LISTEN
 * @why:   on error, one line that says what is wrong and what to do
 *
 * Return: 0 or -errno.
 */
int metrics_start(struct metrics *m, struct loop *loop, const struct relay *relay,
		  const struct endpoint *ep, char *why, size_t size);

/* metrics_stop() - End it, whether it was started or not. */
void metrics_stop(struct metrics *m);

#endif
