/* SPDX-License-Identifier: MIT */
/* For tests of what stands between ports: whether all adds up. */
#ifndef LIB_PORTS_H
#define LIB_PORTS_H

#include "port/port.h"

static inline uint64_t ports_dropped(const struct port_counters *c)
{
	uint64_t sum = 0;

	for (int i = 0; i < DROP_REASONS; i++)
		sum += c->dropped[i];
	return sum;
}

/* ports_balance() - Frames that came in, less those that can be found again. */
static inline int64_t ports_balance(const struct port *p)
{
	return (int64_t)(p->count.rx_frames - p->count.tx_frames -
			 ports_dropped(&p->count) - port_backlog(p).frames -
			 p->n_pending);
}

#endif
