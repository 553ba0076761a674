/* SPDX-License-Identifier: MIT */
/*
 * Captures that clients of the control socket asked for. Each takes over its client's
 * connection, and lasts as long as that.
 */
#ifndef CTL_CAPTURE_H
#define CTL_CAPTURE_H

#include "capture/capture.h"
#include "relay/relay.h"

#define CTL_CAPTURES_MAX 4 /* at a time: each may queue CAPTURE_QUEUE_BYTES */

struct ctl_capture;

/* A list of @n captures; it begins as all zeros. */
struct ctl_captures {
	struct ctl_capture *first;
	unsigned n;
};

/*
 * ctl_capture_start() - Begin another capture.
 * @fd: the client's connection. The capture closes it when it ends, but not if this
 *      fails. Nothing is written to it before the end of this turn of the event loop
 *
 * Return: 0; -EBUSY when there are CTL_CAPTURES_MAX; -ENOENT when there is no such
 * port, and none that may get the name; another -errno of capture_start().
 */
int ctl_capture_start(struct ctl_captures *all, struct relay *r, int fd,
		      const struct capture_filter *filter);

/* ctl_captures_stop() - End all captures, each as capture_stop() does. */
void ctl_captures_stop(struct ctl_captures *all);

#endif
