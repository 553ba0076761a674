/* SPDX-License-Identifier: MIT */
/*
 * Serves the relay's metrics over HTTP, for Prometheus: /metrics is the text of
 * metrics-text.h. Beside it are the page for browsers and what the page asks for, see
 * page.h.
 *
 * A connection serves one request, and must end within seconds. When there are
 * METRICS_CLIENTS, a new client ends the oldest. So a client that only holds
 * connections cannot lock out others. There are at most METRICS_PAGES copies of the
 * text, even if clients ask and do not read: a further copy ends the clients that still
 * read the older one. A view that the page asks for is written step by step as the client
 * takes it, so it needs the memory of one step.
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
#include "show/show.h"

#define METRICS_CLIENTS 16
#define METRICS_PAGES 2

/* A client is in the state of its next event: its request, the text, room, its closing. */
enum metrics_state {
	METRICS_READING,
	METRICS_AWAITING,
	METRICS_WRITING,
	METRICS_CLOSING
};

/*
 * A copy of the text. With thousands of ports it is built over several turns of the
 * event loop. All clients that ask meanwhile, or soon after, share it.
 * @users:    clients that wait for it or that it is being sent to
 * @is_new:   it is recent enough for a client that asks now
 * @is_whole: it is complete
 * @began:    when building it began, as loop_now(), ms
 * @step:     goes on building when it is due
 * @old:      clears @is_new when it is due
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
 * @watch:  its fd is -1 if this slot is free
 * @timer:  closes the client when it is due
 * @answer: the head of the answer, or all of it if there is no page
 * @page:   what follows the head; NULL if there is no page
 * @sent:   bytes of both that were sent
 * @show, @shown: a view whose next step follows @answer, and how far it has got; or NULL
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
	show_step *show;
	struct show shown;
};

/*
 * All zero: not started.
 * @statm_fd: /proc/self/statm, or -1
 */
struct metrics {
	const struct relay *relay;
	struct loop *loop;
	struct listener listener;
	int statm_fd;
	uint64_t start_s;
	struct metrics_client clients[METRICS_CLIENTS];
	struct metrics_page pages[METRICS_PAGES];
};

/*
 * metrics_start() - Begin to serve.
 * @relay: must stay until metrics_stop()
 * @ep:    a TCP_LISTEN, as endpoint_parse_option() reads it; must stay, too
 * @why:   on error, one line that says what is wrong and what to do
 *
 * Return: 0 or -errno.
 */
int metrics_start(struct metrics *m, struct loop *loop, const struct relay *relay,
		  const struct endpoint *ep, char *why, size_t size);

/* metrics_stop() - Stop serving, and free everything. It may be called if not started. */
void metrics_stop(struct metrics *m);

#endif
