/* SPDX-License-Identifier: MIT */
/*
 * How much each port brings and takes a second: its counters are looked at once
 * a second, for as long as there is somebody who may ask.
 */
#ifndef RATES_H
#define RATES_H

#include "relay/relay.h"

struct rates {
	struct relay *relay;
	struct timer timer;
	uint64_t last; /* when it was looked, loop_now() */
};

/* rates_start() - Keep port->rate of all ports of @r up to date, until rates_stop(). */
void rates_start(struct rates *rates, struct relay *r);
void rates_stop(struct rates *rates);

/* rates_take() - Look now, @ms after the last time; what the timer does. */
void rates_take(struct relay *r, uint64_t ms);

#endif
