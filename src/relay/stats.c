/* SPDX-License-Identifier: MIT */
/* A rate is what a counter has grown by, in the time that has really gone by. */
#include "relay/stats.h"

#include "base/parts.h"

#define PERIOD_MS 1000

/* ---- sums ---- */

void stats_add(struct port_counters *sum, const struct port_counters *c)
{
	sum->rx_frames += c->rx_frames;
	sum->rx_bytes += c->rx_bytes;
	sum->tx_frames += c->tx_frames;
	sum->tx_bytes += c->tx_bytes;
	if (HAS_KEYS) /* other drivers make none */
		sum->made += c->made;
	for (int i = 0; i < DROP_REASONS; i++)
		sum->dropped[i] += c->dropped[i];
}

uint64_t stats_drops(const struct port_counters *c)
{
	uint64_t sum = 0;

	for (int i = 0; i < DROP_REASONS; i++)
		sum += c->dropped[i];
	return sum;
}

struct stats_sums stats_sum(const struct relay *r)
{
	struct port_counters all = r->gone;
	uint64_t queued = 0;

	for (const struct member *m = r->forward.members.first; m; m = m->next) {
		stats_add(&all, &m->port->count);
		queued += port_backlog(m->port).frames;
	}
	return (struct stats_sums){
		.received = all.rx_frames,
		.copied = r->forward.copied + all.made,
		.sent = all.tx_frames,
		.queued = queued,
		.dropped = stats_drops(&all),
	};
}

void stats_sum_acceptors(const struct relay *r, struct port_counters *all)
{
	*all = r->gone;
	for (struct acceptor *a = r->acceptors; a; a = a->next)
		a->sum = a->gone;
	for (const struct member *m = r->forward.members.first; m; m = m->next) {
		stats_add(all, &m->port->count);
		if (acceptor_of(m))
			stats_add(&acceptor_of(m)->sum, &m->port->count);
	}
}

/* ---- rates ---- */

static void measure(struct member *m, uint64_t ms)
{
	const struct port_counters *count = &m->port->count;
	const struct member_rate *before = &m->rate_base, now = {
		.rx_frames = count->rx_frames,
		.rx_bytes = count->rx_bytes,
		.tx_frames = count->tx_frames,
		.tx_bytes = count->tx_bytes,
	};

	m->rate.rx_frames = per_second(now.rx_frames, before->rx_frames, ms);
	m->rate.rx_bytes = per_second(now.rx_bytes, before->rx_bytes, ms);
	m->rate.tx_frames = per_second(now.tx_frames, before->tx_frames, ms);
	m->rate.tx_bytes = per_second(now.tx_bytes, before->tx_bytes, ms);
	m->rate_base = now;
}

void stats_measure(struct relay *r, uint64_t ms)
{
	for (struct member *m = r->forward.members.first; ms && m; m = m->next)
		measure(m, ms);
}

static void measure_due(struct timer *t)
{
	struct stats_rates *rates = container_of(t, struct stats_rates, timer);
	uint64_t now = loop_now();

	stats_measure(rates->relay, now - rates->last);
	rates->last = now;
	timer_set(rates->relay->loop, t, PERIOD_MS, measure_due);
}

void stats_start(struct stats_rates *rates, struct relay *r)
{
	rates->relay = r;
	rates->last = loop_now();
	timer_set(r->loop, &rates->timer, PERIOD_MS, measure_due);
}

void stats_stop(struct stats_rates *rates)
{
	if (rates->relay)
		timer_cancel(rates->relay->loop, &rates->timer);
}
