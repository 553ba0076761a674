/* SPDX-License-Identifier: MIT */
/*
 * The forwarding decision: which frames of a batch may pass, and which ports each of
 * them goes to. forward.c begins with how the whole path works.
 */
#ifndef FORWARD_H
#define FORWARD_H

#include "relay/deliver.h"

/*
 * forward_batch() - Decide on each frame of @src's batch, and have it pending at its
 * targets.
 *
 * The frames must stay where they are until the caller's deliver_flush(). Those that go
 * nowhere are counted as drops of @src, with the reason.
 */
void forward_batch(struct forwarding *fwd, struct member *src, const struct batch *b);

#endif
