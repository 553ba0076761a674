/* SPDX-License-Identifier: MIT */
/*
 * What a relay shows of itself. Every frame that came in must be found again
 * in the sums: received + copied = sent + queued + dropped.
 */
#include <inttypes.h>
#include <stdio.h>

#include "log.h"
#include "relay.h"

static uint64_t all_drops(const struct port_counters *c)
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

void relay_status(const struct relay *r)
{
	uint64_t received = r->gone.rx_frames, sent = r->gone.tx_frames, queued = 0;
	uint64_t dropped = all_drops(&r->gone);

	for (const struct port *p = r->forward.ports; p; p = p->next) {
		received += p->count.rx_frames;
		sent += p->count.tx_frames;
		queued += p->queue.frames;
		dropped += all_drops(&p->count);
	}
	log_warn("status: %s, %u ports: received %" PRIu64 ", copied %" PRIu64
		 ", sent %" PRIu64 ", queued %" PRIu64 ", dropped %" PRIu64,
		 relay_kind_name(r->kind), r->forward.n_ports, received,
		 r->forward.copied, sent, queued, dropped);
	for (const struct listener *l = r->listeners; l; l = l->next)
		log_warn("listener %s: %u connected, %u accepted so far", l->ep->text,
			 l->n, l->count);
	for (const struct port *p = r->forward.ports; p; p = p->next)
		print_port(p);
	log_warn("end of status");
}
