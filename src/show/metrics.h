/* SPDX-License-Identifier: MIT */
/*
 * The relay's metrics over HTTP, for Prometheus to fetch: /metrics is
 * metrics-text.h's text. A client has one request a connection, and little time;
 * there are few at once, and when one more comes the oldest has to go. So nobody
 * who only holds connections can keep others out, or anything busy. Of the text
 * there are two at most, whoever asks and does not read: one more ends the clients
 * that still have the older one.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "conf/endpoint.h"
#include "net/listen.h"
#include "relay/relay.h"
#include "show/http.h"
#include "show/metrics-text.h"

#define METRICS_CLIENTS 16
#define METRICS_PAGES 2

enum metrics_state {
	METRICS_READING,
	METRICS_AWAITING,
	METRICS_WRITING,
	METRICS_CLOSING
};

/*
 * A text, which may be of thousands of ports: it is built in as many turns as it
 * takes, and shared by all who ask meanwhile or soon after.
 * @users:   clients that wait for it, or that it is sent to
 * @is_new:  who asks now gets it
 * @began:   when it was begun
 * @step:    goes on building
 * @old:     goes off when it is too old for who asks
 */
struct metrics_page {
	struct metrics *metrics;
	struct metrics_text text;
	unsigned users;
	bool is_new, is_whole;
	uint64_t began;
	struct timer step, old;
};

/*
 * @timer:  its end, unless it gets on
 * @answer: the beginning of it; what follows is the page, if there is one
 * @sent:   how many bytes of both are on their way
 */
struct metrics_client {
	struct metrics *metrics;
	struct watch watch;
	struct timer timer;
	enum metrics_state state;
	struct http_request request;
	struct buf answer;
	struct metrics_page *page;
	size_t sent;
};

/*
 * All zero: not started.
 * @name:     what messages call it
 * @statm_fd: /proc/self/statm, or -1
 */
struct metrics {
	const struct relay *relay;
	struct loop *loop;
	char name[ENDPOINT_TEXT_MAX];
	struct listener listener;
	int statm_fd;
	uint64_t start_s;
	struct metrics_client clients[METRICS_CLIENTS];
	struct metrics_page pages[METRICS_PAGES];
};

/*
 * metrics_start() - Begin to serve.
 * @relay: must stay until metrics_stop()
 * @ep:    a TCP_LISTEN; must stay, too
 * @why:   on error, one line that says what is wrong and what to do
 *
 * Return: 0 or -errno.
 */
int metrics_start(struct metrics *m, struct loop *loop, const struct relay *relay,
		  const struct endpoint *ep, char *why, size_t size);

/* metrics_stop() - End it, whether it was started or not. */
void metrics_stop(struct metrics *m);

#endif
