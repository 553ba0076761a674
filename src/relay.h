/* SPDX-License-Identifier: MIT */
/*
 * The relay: its ports, and how frames go between them. As a cable there are
 * two ends, and each end's frames go to the other; as a hub a frame goes to
 * every port but the one it came from.
 */
#ifndef RELAY_H
#define RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "endpoint.h"
#include "forward.h"
#include "helper.h"
#include "listen.h"
#include "loop.h"
#include "port.h"

/*
 * @forward: the ports, and what is on its way between them
 * @gone:   counters of ports that are no more
 * @batch:  the receive buffer of all ports
 * @failed: a port's set-up failed: the program's exit status is 1
 */
struct relay {
	struct loop *loop;
	struct port_env env;
	bool is_cable;
	bool failed;
	bool is_finishing; /* what is queued still goes out */
	bool is_shut;	   /* it has; peers have been told */
	uint64_t finish_sent;
	struct forward forward;
	struct listener *listeners;
	unsigned n_ports, last_id;
	struct port_counters gone;
	struct batch *batch;
	struct deferred reap;
	struct timer finish;
	struct deferred finishing;
};

/*
 * relay_init() - An empty relay.
 * @helper: may be NULL when no port needs it
 *
 * Return: 0 or -ENOMEM. relay_free() it also after an error.
 */
int relay_init(struct relay *r, struct loop *loop, struct helper *helper, bool is_cable);
void relay_free(struct relay *r);

/*
 * relay_add() - Add an endpoint, which must outlive the relay.
 * @why: on error, one line that says what is wrong and what to do
 *
 * One that listens gets a listener, whose connections become ports; any other
 * becomes a port at once, and comes up when it can.
 *
 * Return: 0 or -errno.
 */
int relay_add(struct relay *r, const struct endpoint *ep, char *why, size_t size);

/* relay_status() - Print ports, counters and their sums to the log. */
void relay_status(const struct relay *r);

#endif
