/* SPDX-License-Identifier: MIT */
/*
 * What a relay shows of itself. Every frame that came in must be found again
 * in the sums: received + copied = sent + queued + dropped.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "relay/relay.h"

uint64_t relay_drops(const struct port_counters *c)
{
	uint64_t sum = 0;

	for (int i = 0; i < DROP_REASONS; i++)
		sum += c->dropped[i];
	return sum;
}

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

static void print_port(const struct port *p)
{
	char drops[256];

	log_warn("port %u %s: %s, rx %" PRIu64 " frames %" PRIu64 " bytes, tx %" PRIu64
		 " frames %" PRIu64 " bytes, queued %u frames %zu bytes, dropped: %s",
		 p->id, p->name, port_state_text(p), p->count.rx_frames,
		 p->count.rx_bytes, p->count.tx_frames, p->count.tx_bytes,
		 p->queue.frames, p->queue.bytes,
		 drops_text(&p->count, drops, sizeof(drops)));
}

struct relay_sums relay_sums(const struct relay *r)
{
	struct relay_sums sums = {
		.received = r->gone.rx_frames,
		.copied = r->forward.copied,
		.sent = r->gone.tx_frames,
		.dropped = relay_drops(&r->gone),
	};

	for (const struct port *p = r->forward.ports; p; p = p->next) {
		sums.received += p->count.rx_frames;
		sums.sent += p->count.tx_frames;
		sums.queued += p->queue.frames;
		sums.dropped += relay_drops(&p->count);
	}
	return sums;
}

void relay_status(const struct relay *r)
{
	struct relay_sums sums = relay_sums(r);

	log_warn("status: %s, %u ports: received %" PRIu64 ", copied %" PRIu64
		 ", sent %" PRIu64 ", queued %" PRIu64 ", dropped %" PRIu64,
		 relay_kind_name(r->kind), r->forward.n_ports, sums.received, sums.copied,
		 sums.sent, sums.queued, sums.dropped);
	for (const struct acceptor *a = r->acceptors; a; a = a->next)
		log_warn("listener %s: %u connected, %u accepted so far", a->ep->text,
			 a->listener.n, a->listener.count);
	for (const struct port *p = r->forward.ports; p; p = p->next)
		print_port(p);
	log_warn("end of status");
}
