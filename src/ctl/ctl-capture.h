/* SPDX-License-Identifier: MIT */
/*
 * Captures that clients of the control socket asked for. Each has taken over its
 * client's connection, and lasts as long as that.
 */
#ifndef CTL_CAPTURE_H
#define CTL_CAPTURE_H

#include "capture/capture.h"
#include "relay/relay.h"

#define CTL_CAPTURES_MAX 4 /* at a time: each may queue CAPTURE_QUEUE_BYTES */

struct ctl_capture;

/* All zero, there are none. */
struct ctl_captures {
	struct ctl_capture *first;
	unsigned n;
};

/*
 * ctl_capture_start() - Begin one more.
 * @fd: the connection; it becomes the capture's, but not on an error. Nothing is
 *      written to it before the end of this turn.
 *
 * Return: 0; -EBUSY when there are CTL_CAPTURES_MAX; -ENOENT when there is no such
 * port; else as capture_start().
 */
int ctl_capture_start(struct ctl_captures *all, struct relay *r, int fd,
		      const struct capture_filter *wish);

/* ctl_captures_stop() - End all; see capture_stop(). */
void ctl_captures_stop(struct ctl_captures *all);

#endif
