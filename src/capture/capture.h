/* SPDX-License-Identifier: MIT */
/*
 * A capture copies passing frames as pcapng to a stream socket. The reader at its other
 * end writes them to a file or shows them. The relay never waits for the reader: up to
 * CAPTURE_QUEUE_BYTES are queued, and packets beyond that are lost. Lost packets are
 * counted, logged, and noted in the capture.
 *
 * Each port is an interface of the capture. It is described when the capture begins or
 * when its first frame comes. Frames are captured as the relay handles them: a
 * super-frame (GSO) is one large packet without its virtio header, and no frame is
 * padded.
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
 * A struct capture of all zeros does not run.
 * @forward: the relay's; NULL while the capture does not run
 * @name:    the name in messages
 * @ended, @arg: as of capture_start()
 * @work:    does the turn's work at its end
 * @limit:   ends the capture when ending takes too long
 * @queue:   its counts of captured and lost packets stay when the capture has ended
 * @time:    timestamp of this batch, ns since 1970
 * @is_timed:   @time was read in this turn
 * @is_sending: the batch was received, and is now being sent
 * @is_blocked: the socket takes no more now
 * @is_ending:  only statistics, and what is queued, still go out
 * @err:     0, or the -errno that ends the capture
 */
struct capture {
	struct observer observer;
	struct forwarding *forward;
	struct loop *loop;
	struct capture_filter filter;
	const char *name;
	void (*ended)(struct capture *c, void *arg);
	void *arg;
	struct watch watch;
	struct deferred work;
	struct timer limit;
	struct capture_queue queue;
	uint64_t time;
	bool is_timed;
	bool is_sending;
	bool is_blocked;
	bool is_ending;
	int err;
};

/*
 * capture_start() - Begin a capture.
 * @c:       set up here
 * @forward: the relay's; it must outlive the capture
 * @fd:      a connected stream socket. The capture closes it when it ends, but not if
 *           this fails. Nothing is written to it before the end of this turn of the
 *           event loop. If the peer shuts its side down, the capture ends in good order
 * @filter:  which frames to capture; copied
 * @name:    the name in messages; it must outlive the capture
 * @ended:   may be NULL. Called once if the capture ends by itself, from deferred work,
 *           so that @c may be freed in it
 * @arg:     passed to @ended
 *
 * A port that is added later is captured as well.
 *
 * Return: 0 or -errno.
 */
int capture_start(struct capture *c, struct forwarding *forward, struct loop *loop,
		  int fd, const struct capture_filter *filter, const char *name,
		  void (*ended)(struct capture *c, void *arg), void *arg);

/* capture_end() - End a running capture within a second; its @ended is called then. */
void capture_end(struct capture *c);

/*
 * capture_stop() - End the capture now, because the relay ends. It blocks for a second
 * at most, until the reader has taken what is queued. @ended is not called. It does
 * nothing if the capture does not run.
 */
void capture_stop(struct capture *c);

/* capture_drop() - End the capture of a relay that failed to start: nothing is written. */
void capture_drop(struct capture *c);

#endif
