/* SPDX-License-Identifier: MIT */
/* A datagram port's receiving side; for drivers through dgram.h. */
#ifndef DGRAM_RX_H
#define DGRAM_RX_H

#include "port/port.h"

/*
 * A message: one datagram, or with UDP_GRO many, each but the last of @segment bytes.
 *
 * @is_cut: it was longer than the longest frame (MSG_TRUNC)
 * @is_foreign: it is to be ignored
 * @is_refused: it is to be counted as dropped
 */
struct dgram_message {
	uint32_t len;
	uint32_t segment;
	bool is_cut;
	bool is_foreign;
	bool is_refused;
};

/*
 * @got, @n_got: messages of the last receive
 * @next, @offset: the first that is not yet taken whole, and its bytes that are
 * @brings_runs:   the last message had many datagrams
 */
struct dgram_rx {
	struct dgram_message got[BATCH_DATAGRAMS];
	unsigned n_got, next;
	uint32_t offset;
	bool brings_runs;
};

/* As struct port_ops says. */
int dgram_rx(struct port *p, struct batch *b);

#endif
