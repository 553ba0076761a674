/* SPDX-License-Identifier: MIT */
/*
 * A capture: frames on their way, copied as pcapng to a stream socket, at whose
 * other end somebody writes them to a file or shows them. The relay never waits
 * for that reader. What it does not take is queued, up to CAPTURE_QUEUE_BYTES,
 * and beyond that packets are lost: counted, told of, and noted in the capture.
 *
 * Each port is an interface, described when the capture begins or when its
 * first frame comes. Frames are what the relay handles: a super-frame is one
 * large packet, without its virtio header, and nothing is padded.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "capture/capture-queue.h"
#include "conf/capture-filter.h"
#include "relay/deliver.h"

/*
 * All zero, it is one that does not run.
 * @forward: NULL: it does not run
 * @queue:   with what was captured and lost so far, also when it has ended
 * @time:    of this batch
 */
struct capture {
	struct observer observer;
	struct forwarding *forward;
	struct loop *loop;
	struct capture_filter wish;
	const char *name;
	void (*ended)(struct capture *c, void *arg);
	void *arg;
	struct watch watch;
	struct deferred work;
	struct timer limit;
	struct capture_queue queue;
	uint64_t time;
	bool is_timed;	 /* in this turn */
	bool is_sending; /* a batch, after receiving it */
	bool is_blocked; /* the socket takes no more now */
	bool is_ending;	 /* statistics, and what is queued, still go out */
	int err;
};

/*
 * capture_start() - Begin.
 * @fd:    a connected stream socket; it becomes the capture's, but not on an
 *         error. Nothing is written to it before the end of this turn. When the
 *         peer shuts its side down, the capture comes to its end in good order.
 * @name:  what messages call it; must outlive it
 * @ended: may be NULL. Called once when the capture has ended by itself, from
 *         deferred work: @c may be freed then
 *
 * A port that is not there yet is captured from when it comes. Return: 0 or -errno.
 */
int capture_start(struct capture *c, struct forwarding *forward, struct loop *loop,
		  int fd, const struct capture_filter *w, const char *name,
		  void (*ended)(struct capture *c, void *arg), void *arg);

/* capture_end() - Have it come to its end within a second; then it has ended(). */
void capture_end(struct capture *c);

/*
 * capture_stop() - End it now, for a relay that relays no more: blocks for a
 * second at most, until the reader has taken what is queued. ended() is not
 * called. One that does not run is left alone.
 */
void capture_stop(struct capture *c);

/* capture_drop() - End it, for a relay that never relayed: nothing of it is written. */
void capture_drop(struct capture *c);

#endif
