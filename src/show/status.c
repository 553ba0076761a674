/* SPDX-License-Identifier: MIT */
/* Each frame that was received is in the sums: received + copied = sent + queued + dropped. */
#include "show/status.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "relay/stats.h"
#include "show/show.h"

/* "none", or each reason that occurred with its count. */
static const char *drops_text(const struct port_counters *c, char *buf, size_t size)
{
	size_t len = 0;

	snprintf(buf, size, "none");
	for (int i = 0; i < DROP_REASONS && len < size; i++)
		if (c->dropped[i])
			len += (size_t)snprintf(
				buf + len, size - len, "%s%s %" PRIu64, len ? " " : "",
				port_drop_name((enum port_drop)i), c->dropped[i]);
	return buf;
}

static void print_member(const struct member *m)
{
	const struct port *p = m->port;
	char drops[256];

	log_answer("port %u %s: %s, rx %" PRIu64 " frames %" PRIu64 " bytes, tx %" PRIu64
		   " frames %" PRIu64 " bytes, queued %u frames %zu bytes, dropped: %s",
		   m->id, p->name, member_state_text(m), p->count.rx_frames,
		   p->count.rx_bytes, p->count.tx_frames, p->count.tx_bytes,
		   port_backlog(p).frames, port_backlog(p).bytes,
		   drops_text(&p->count, drops, sizeof(drops)));
}

static void print_listener(const struct acceptor *a)
{
	struct buf line = { 0 };

	show_listener(a, &line);
	log_answer("%s", line.failed ? "listener: no memory to show it" : line.data);
	buf_free(&line);
}

void status_log(const struct relay *r)
{
	struct stats_sums sums = stats_sum(r);

	log_answer("status: %s, %u ports: received %" PRIu64 ", copied %" PRIu64
		   ", sent %" PRIu64 ", queued %" PRIu64 ", dropped %" PRIu64,
		   relay_kind_name(r->kind), r->forward.members.n, sums.received,
		   sums.copied, sums.sent, sums.queued, sums.dropped);
	for (const struct acceptor *a = r->acceptors; a; a = a->next)
		print_listener(a);
	for (const struct member *m = r->forward.members.first; m; m = m->next)
		print_member(m);
	log_answer("end of status");
}
