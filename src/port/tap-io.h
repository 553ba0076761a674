/* SPDX-License-Identifier: MIT */
/* A tap's frames, in and out. Where the tap comes from is in port-tap.c. */
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
 * @look:    when it is looked at where it is, or of one that was inherited, whether it still is
 * @flags:   of the descriptor of one that was inherited, as they were
 * @is_kept: it is away from where it belongs, and its descriptor outlives ops->close()
 * @is_dark: it was told that there is no carrier
 * @merges:  the kernel takes what was merged
 * @is_told: that it does not was told
 * @vnets:   of the frames received last
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

/* tap_io_drain() - Throw away what came while nobody read. */
void tap_io_drain(const struct tap *t);

/* As in struct port_ops. */
int tap_rx(struct port *p, struct batch *b);
int tap_tx(struct port *p, const struct frame *f, unsigned n);

#endif
