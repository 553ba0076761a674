/* SPDX-License-Identifier: MIT */
/* A tap's frames, in and out; port-tap.c gets the tap. */
#ifndef TAP_IO_H
#define TAP_IO_H

#include <stdbool.h>

#include "frame/gro.h"
#include "helper/helper.h"
#include "helper/tap-attach.h"
#include "net/links.h"
#include "port/port.h"

/*
 * @link:    the tap; its fd is -1 while there is none
 * @lost_at: when a tap that somebody else had made was deleted, loop_now(); 0: it was not
 * @look:    when to check where the tap is; for an inherited one, whether it exists
 * @flags:   an inherited descriptor's, before we changed them
 * @is_kept: the tap is not where it belongs, and its descriptor outlives ops->close()
 * @is_dark: its carrier is off
 * @merges:  the kernel takes merged frames
 * @is_told: a warning was logged that it does not
 * @vnets:   virtio headers of the frames received last
 */
struct tap {
	struct port port;
	const struct endpoint *ep;
	struct helper_call call;
	struct tap_dev link;
	struct links_user news;
	struct timer look;
	uint64_t lost_at;
	int flags;
	bool is_kept;
	bool is_dark;
	bool merges;
	bool is_told;
	struct gro gro;
	struct vnet vnets[BATCH_MAX];
};

/* tap_io_begin() - The tap is ready: have the port watch it. Return: 0 or -errno. */
int tap_io_begin(struct tap *t);

/* tap_io_drain() - Throw away frames that came while nobody read. */
void tap_io_drain(const struct tap *t);

/* As in struct port_ops. */
int tap_rx(struct port *p, struct batch *b);
int tap_tx(struct port *p, const struct frame *f, unsigned n);

#endif
