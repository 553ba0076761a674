/* SPDX-License-Identifier: MIT */
/*
 * The way of a batch through the relay: which of its frames pass, and to which
 * ports each of them goes.
 */
#ifndef FORWARD_H
#define FORWARD_H

#include "relay/deliver.h"

/*
 * forward_batch() - Send each frame of @src's batch on its way.
 *
 * While b->more, they may stay pending, as the memory that they are in does.
 */
void forward_batch(struct forwarding *fwd, struct port *src, const struct batch *b);

#endif
