/* SPDX-License-Identifier: MIT */
/* What the counters have grown by, in the time that has really gone by. */
#include "relay/rates.h"

#define PERIOD_MS 1000

static void take_port(struct port *p, uint64_t ms)
{
	const struct port_rate now = {
		.rx_frames = p->count.rx_frames,
		.rx_bytes = p->count.rx_bytes,
		.tx_frames = p->count.tx_frames,
		.tx_bytes = p->count.tx_bytes,
	};
	const struct port_rate *before = &p->rate_base;

	p->rate.rx_frames = per_second(now.rx_frames, before->rx_frames, ms);
	p->rate.rx_bytes = per_second(now.rx_bytes, before->rx_bytes, ms);
	p->rate.tx_frames = per_second(now.tx_frames, before->tx_frames, ms);
	p->rate.tx_bytes = per_second(now.tx_bytes, before->tx_bytes, ms);
	p->rate_base = now;
}

void rates_take(struct relay *r, uint64_t ms)
{
	for (struct port *p = r->forward.ports; ms && p; p = p->next)
		take_port(p, ms);
}

static void sample_due(struct timer *t)
{
	struct rates *rates = container_of(t, struct rates, timer);
	uint64_t now = loop_now();

	rates_take(rates->relay, now - rates->last);
	rates->last = now;
	timer_set(rates->relay->loop, t, PERIOD_MS, sample_due);
}

void rates_start(struct rates *rates, struct relay *r)
{
	rates->relay = r;
	rates->last = loop_now();
	timer_set(r->loop, &rates->timer, PERIOD_MS, sample_due);
}

void rates_stop(struct rates *rates)
{
	if (rates->relay)
		timer_cancel(rates->relay->loop, &rates->timer);
}
