/* SPDX-License-Identifier: MIT */
/* For tests of what stands between ports: their list, and whether all adds up. */
#ifndef LIB_PORTS_H
#define LIB_PORTS_H

#include "port/port.h"

/* ports_join() - Behind the last one of a list. */
static inline void ports_join(struct port **list, struct port *p)
{
	while (*list)
		list = &(*list)->next;
	p->next = NULL;
	*list = p;
}

/* ports_leave() - Out of the list that it is in. */
static inline void ports_leave(struct port **list, const struct port *p)
{
	while (*list != p)
		list = &(*list)->next;
	*list = p->next;
}

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
			 ports_dropped(&p->count) - p->queue.frames - p->n_pending);
}

#endif
