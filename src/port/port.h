/* SPDX-License-Identifier: MIT */
/*
 * A port: a live endpoint inside the relay. Here is everything that ports have in common:
 * state, counters, pending frames, the queue and retries; port.c begins with how these
 * work together. Each kind of port has a driver of its own, behind struct port_ops.
 *
 * A port comes up by ops->open(), at once or later, and goes down when one of the
 * driver's functions returns an error. A port that can be opened again is retried with
 * back-off for ever; one that can't has ended.
 *
 * The contract for drivers. A driver embeds struct port as its first member. Everything
 * runs in one thread, nothing may block, and the ops are called by port.c alone:
 *
 *   open -> [ arm | rx.. rx_done | tx | shut | carrier | is_gone ] .. -> close .. -> free
 *
 *  - open() is called while the port is closed. close() follows each open() once, also if
 *    that failed or has not come to an end. free() comes last, once.
 *  - All others are called only while the port is up: open() or port_opened() gave 0, and
 *    close() was not called since. is_gone() is called while it is opening, too.
 *  - rx() is called when the port is readable, and again after the frames have been
 *    forwarded while the batch says that there are @more. One rx_done() follows the last
 *    rx() in any case, also if that failed or brought nothing. The frames of a batch, and
 *    what they point to, must stay as they are until then.
 *  - Between rx() and rx_done() the port's own tx(), arm(), shut() and carrier() may be
 *    called; close() never is, even if the port fails or is taken away meanwhile.
 *  - After an error of rx() neither rx() nor tx() is called again before the next open();
 *    after an error of tx() no tx() is. A stream is still read after an error of tx(), for
 *    what the peer sent before it went away.
 *  - tx() reads the frames before it returns; they are someone else's memory, which it
 *    must not write to.
 *  - An error is -errno, with a reason given to port_why(); PORT_CLOSED is an end in good
 *    order. A fault of one frame only is no error: it is counted by port_drop().
 *
 * No calls upward. In its ops a driver may call port_why(), port_take(), port_sent(),
 * port_drop(), port_pause(), port_set_fds() and port_arm_fds(); in rx() also port_proven().
 * Everything else that it has to tell is what it returns. In functions that the loop calls,
 * for its watches, timers and deferred work, it may call all that is below "For drivers";
 * port_down() and a failed port_opened() have called close() when they return.
 */
#ifndef PORT_H
#define PORT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/util.h"
#include "frame/frame-queue.h"
#include "frame/frame.h"
#include "frame/run.h"
#include "seal/crypto.h"

#define PORT_NAME_MAX 192
#define PORT_WHY_MAX 512
#define PORT_CLOSED (-ENODATA) /* the peer ended the link, in good order */
#define PORT_QUEUE_BYTES ((size_t)512 << 10)

enum port_state {
	PORT_OPENING, /* ops->open() has begun, and will tell */
	PORT_UP,
	PORT_WAITING, /* for the next try */
	PORT_ENDED,
};

/* Why a frame went no further. Each has a name in port_drop_name(). */
enum port_drop {
	DROP_RUNT,     /* received: shorter than an Ethernet header */
	DROP_OVERSIZE, /* received: longer than FRAME_MAX */
	DROP_CUT,      /* received: the stream, or the guest's memory, ended inside it */
	DROP_NO_PORT,  /* received: no other port was up to take it */
	DROP_NOT_ALLOWED, /* received: a datagram from elsewhere than allow= has */
	DROP_NOT_GENUINE, /* received: a datagram that the peer did not seal, or that came twice */
	DROP_MALFORMED, /* received: a super-frame that is not what its header says */
	DROP_LOCAL,	/* received: its destination is behind the port it came from */
	DROP_MAC,	/* received: its source is none of those the port may have */
	DROP_STORM,	/* received: more broadcasts than the port's limit */
	DROP_LOOP,	/* received: the port is blocked because it closes a loop */
	DROP_PROBE,	/* received: a probe for loops */
	DROP_QUEUE,	/* to send: the queue was full */
	DROP_TOO_LONG,	/* to send: longer than the way out carries */
	DROP_LOST,	/* to send: the link went away before it could */
	DROP_REFUSED,	/* to send: the kernel, or nobody at the other end, took it */
	DROP_REASONS,
};

struct port_counters {
	uint64_t rx_frames, rx_bytes; /* all that arrived, dropped ones too */
	uint64_t tx_frames, tx_bytes; /* handed to the kernel */
	uint64_t dropped[DROP_REASONS];
	uint64_t made; /* by the driver: segments, beyond one for each super-frame */
};

struct port;

/*
 * A driver; see the contract at the top. It gives one or two descriptors to the loop
 * through port_set_fds(); a driver with more has watches of its own and @arm. It closes
 * all of them itself.
 *
 * @is_stream: takes runs in LAYOUT_STREAM whole; rx() sees its end after all data that
 *             was sent before it
 * @is_dgram:  takes runs in LAYOUT_NONE whole, if there are no gaps
 * @takes_runs: takes any run whole
 * @has_backpressure:  frames not received now are not lost: the peer holds them back, or
 *             the kernel, which for a tap has a queue of its own
 * @one_shot: when it goes down it has ended: there is no way to open it again
 * @open_error_is_fatal:  a first open() that fails is a mistake in the set-up, not an
 *             outage; but see passing_error()
 * @is_stdio:   stdin is not read before another port is up, and its end of file ends
 *             the program
 *
 * @open:   mandatory. Return: 0 when up; -EINPROGRESS when it will call
 *          port_opened(); -errno, with the reason in port_why().
 * @arm:    watch for frames to receive (@rx), and for room to send (@tx), or no longer;
 *          port_readable() and port_writable() say that there are. Called while the port
 *          is up only; close() ends all watches. NULL: the descriptors of port_set_fds()
 *          are all there is, as port_arm_fds() has it.
 * @rx:     mandatory. Fill the batch through port_take(); see struct batch.
 *          Return: 0, also when there was nothing; -errno, with port_why(),
 *          when the link has ended.
 * @rx_done: what rx() brought is no longer needed, by anybody.
 * @tx:     mandatory. Send or drop, in order, counting through port_sent() and
 *          port_drop(). Return: how many frames are dealt with; fewer than all
 *          when the kernel takes no more now: the next call then begins with
 *          the first frame left, which may be partly sent. -errno, with
 *          port_why(), when nothing can be sent any more; it is then not called
 *          again before the next open(). @n may be 0: then only
 *          control data is sent (see tx_control), and @f is not looked at.
 * @shut:   no more will be sent: tell the peer.
 * @carrier: show those behind it whether there is somebody at the other end.
 * @is_gone: whether the peer, which has said nothing of the kind, is most likely gone
 * @close:  mandatory. Undo open(), finished or not.
 * @free:   mandatory. The port's memory; called after @close.
 */
struct port_ops {
	const char *kind;
	bool is_stream;
	bool is_dgram;
	bool takes_runs;
	bool has_backpressure;
	bool one_shot;
	bool open_error_is_fatal;
	bool is_stdio;

	int (*open)(struct port *p);
	void (*arm)(struct port *p, bool rx, bool tx);
	int (*rx)(struct port *p, struct batch *b);
	void (*rx_done)(struct port *p);
	int (*tx)(struct port *p, const struct frame *f, unsigned n);
	void (*shut)(struct port *p);
	void (*carrier)(struct port *p, bool is_on);
	bool (*is_gone)(struct port *p);
	void (*close)(struct port *p);
	void (*free)(struct port *p);
};

/*
 * What a port tells its owner, the relay.
 * @readable: frames wait: port_receive() them
 * @drained:  the queue has drained to PORT_QUEUE_LOW or less
 * @changed:  the state is another one; a port that PORT_ENDED may be freed at
 *            the end of the turn, not before
 */
struct port_host {
	void (*readable)(struct port *p, void *arg);
	void (*drained)(struct port *p, void *arg);
	void (*changed)(struct port *p, void *arg);
};

#define PORT_QUEUE_HIGH ((size_t)256 << 10)
#define PORT_QUEUE_LOW ((size_t)64 << 10)

struct broker;
struct helper;
struct keys;
struct links;
struct passed;

/* Where a port lives. */
struct port_env {
	struct loop *loop;
	struct helper *helpers; /* one for each kind of request */
	struct broker *broker;	/* may be NULL */
	struct passed *passed;	/* for listeners; may be NULL */
	struct links *links;
	struct keys *keys; /* NULL: there are none */
	const struct port_host *host;
	void *host_arg;
};

/*
 * What seals the bytes of a port on their way to its peer.
 * @suite: enum seal_suite; 0: nothing does
 * @peer:  the peer's public key
 */
struct port_seal {
	unsigned suite;
	uint8_t peer[SEAL_KEY_BYTES];
};

struct port {
	/* What a frame meets that is dropped because the queue is full: one cache line. */
	const struct port_ops *ops;
	enum port_state state;
	unsigned n_pending;
	struct frame_queue queue;
	struct port_counters count;

	const struct port_env *env;
	void *owner;	    /* the owner: what it knows of the port */
	uint64_t since;	    /* when the state began, loop_now() */
	bool was_up;	    /* ever */
	bool tx_broken;	    /* nothing can be sent; what can still be read is */
	bool takes_super;   /* frames with a virtio header, as they are */
	bool takes_uso;	    /* those of UDP, too */
	bool tx_control;    /* the driver: data to send that is no frame */
	bool awaiting_peer; /* the driver: up, maybe to no use: no success yet */
	bool is_held;	    /* do not read */
	bool is_unpadded;   /* the owner: what is sent is not padded */
	bool waits;	    /* the owner: what it lacks at first may come */
	bool has_later;	 /* it has more to read, of which its descriptors say nothing */
	bool is_lending; /* frames that it received are still being sent on */
	bool has_failed; /* went down while it lent, and is to be closed after that */
	bool is_taken_away; /* the same, for good */
	bool is_shut;	    /* the peer was told that no more will be sent */
	bool is_mistake;    /* as open_error_is_fatal, set by open() for this error */
	bool is_quiet;	    /* a try was told step by step: the next ones are not */

	struct watch rd; /* reads, and writes too unless wr is in use */
	struct watch wr;
	struct deferred turn; /* set while it has_later, and may be read */
	struct timer retry;
	struct timer trim;   /* gives back the queue's memory, when a stall is over */
	struct timer pause;  /* set while it is left alone; see port_pause() */
	struct timer broken; /* set while it is still read, though tx_broken */
	unsigned backoff_ms;

	char name[PORT_NAME_MAX]; /* as messages call it */
	char why[PORT_WHY_MAX];
	int why_err;
	int far_errno; /* the driver: what the far end, or the way to it, answers; 0 */
	struct port_seal seal; /* the driver: while it is up */
	const char *peer;      /* the driver: what is at the other end, or NULL */
	const char *features;  /* the driver: what a guest and we agreed on, or NULL */
	uint64_t told;	       /* a hash of the reason last warned of; 0: none */

	struct frame pending[BATCH_MAX];
};

/*
 * How much waits to be sent, in all stages between port_flush() and the kernel.
 * @bytes: of frames, with the memory that each costs besides
 * @limit: bytes above which frames are dropped
 */
struct port_backlog {
	unsigned frames;
	size_t bytes, limit;
};

/* For the owner. */

/* port_backlog() - How far the port is behind; for all who show that or act on it. */
static inline struct port_backlog port_backlog(const struct port *p)
{
	return (struct port_backlog){
		.frames = p->queue.frames,
		.bytes = p->queue.bytes,
		.limit = p->queue.limit,
	};
}

/* port_start() - Open the port, and again when it is lost. */
void port_start(struct port *p);

/* port_free() - Close the port if need be, and free it; at the end of a turn of the loop. */
void port_free(struct port *p);

/*
 * port_receive() - Take a batch.
 *
 * Its frames lie in memory of the port's, which stays until port_received(): a
 * port that goes down before is closed there.
 *
 * Return: 0; -errno when the link has ended. port_received() follows in any case.
 */
int port_receive(struct port *p, struct batch *b);

/* port_received() - Nobody needs what port_receive() has brought any more. */
void port_received(struct port *p);

/* port_can_read() - Whether there is any use in another port_receive(). */
static inline bool port_can_read(const struct port *p)
{
	return p->state == PORT_UP && !p->has_failed;
}

/* port_append() - The rest of port_send(). */
void port_append(struct port *p, const struct frame *f);

/*
 * port_send() - Append to the frames pending, which port_flush() sends. They
 * must live until then. A port that is full of them is flushed at once.
 *
 * Return: whether there is something to flush; false: it was dropped, as the queue has no room
 * for it. So a port that has stopped costs a frame little.
 */
static inline bool port_send(struct port *p, const struct frame *f)
{
	if (p->queue.frames && !f->n_more && !frame_queue_has_room(&p->queue, f)) {
		p->count.dropped[DROP_QUEUE]++;
		return false;
	}
	port_append(p, f);
	return true;
}

/* port_flush() - Hand what is pending to the kernel, or to the queue. */
void port_flush(struct port *p);

/* port_hold() - Stop reading the port, or go on. */
void port_hold(struct port *p, bool hold);

/*
 * port_end() - Close the port for good: it is PORT_ENDED when this returns; between
 * port_receive() and port_received(), when the latter does.
 */
void port_end(struct port *p);

/* port_shut() - Tell the peer that no more will be sent. */
void port_shut(struct port *p);

/* port_state_name() - "connecting", "up", "waiting" or "ended". */
const char *port_state_name(enum port_state state);

/* port_state_shown() - As the state is told: one that has not proved to be of use is not up yet. */
enum port_state port_state_shown(const struct port *p);

const char *port_drop_name(enum port_drop reason);

/*
 * port_far_name() - What is known of the far end of one that is up without a connection:
 * "unreachable" (far_errno says why), "silent" (nothing was ever heard) or "heard"; else "".
 */
const char *port_far_name(const struct port *p);

/* For drivers. */

/*
 * port_new() - A driver's structure of @size bytes, all zero but for the struct port at
 * its beginning, on which port_init() was called.
 *
 * Return: it, which ops->free() frees; NULL with errno ENOMEM.
 */
void *port_new(size_t size, const struct port_ops *ops, const struct port_env *env,
	       const char *name);

/* port_init() - The part that all ports share. Return: 0 or -ENOMEM. */
int port_init(struct port *p, const struct port_ops *ops, const struct port_env *env,
	      const char *name);

/*
 * port_set_fds() - Frames come from @rfd, and room to send shows at @wfd, which may be the
 * same. Descriptors that the port had before are watched no longer; -1 for both: none are.
 *
 * They are unset when the port goes down, ahead of ops->close().
 *
 * Return: 0; -errno, with port_why().
 */
int port_set_fds(struct port *p, int rfd, int wfd);

/* port_arm_fds() - The same as a driver's arm() for the descriptors of port_set_fds(). */
void port_arm_fds(struct port *p, bool rx, bool tx);

/*
 * port_readable() - Frames wait, as a watch of the driver's own has told. They are received
 * at once; or if the port may not be read now, when it may.
 *
 * Both are for a driver's watches and timers, and not to be called from its ops.
 */
void port_readable(struct port *p);

/* port_writable() - There may be room to send. */
void port_writable(struct port *p);

/* port_opened() - Opening has ended later than open(); @ret: as open() would return it. */
void port_opened(struct port *p, int ret);

/* port_proven() - There is somebody at the other end of a port that is awaiting_peer. */
void port_proven(struct port *p);

/*
 * port_unproven() - There is nobody at the other end any more of a port that stays up, for the
 * reason in port_why(): it is awaiting_peer.
 */
void port_unproven(struct port *p);

/* port_down() - The link is lost, for the reason in port_why(). */
void port_down(struct port *p);

/* port_retry_now() - Try a waiting port again, for the reason to wait seems to be gone. */
void port_retry_now(struct port *p);

/*
 * port_pause() - The kernel is short of memory (ENOBUFS, ENOMEM), which passes: leave
 * the port alone for a moment. Waiting for it to be ready would be to spin.
 */
void port_pause(struct port *p);

/*
 * port_look_source() - Check that the address that @fd, an IP socket, sends from is still
 * this host's.
 *
 * Return: 0; -EADDRNOTAVAIL, with port_why().
 */
int port_look_source(struct port *p, int fd);

/*
 * port_tell() - Log, under -v, a step of the first try to open the port, or of the first one
 * after it was up. Later tries are told by their results alone.
 */
void port_tell(struct port *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* port_why() - Say why an error is about to be returned. Return: @err. */
int port_why(struct port *p, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* port_pad() - What shorter frames are to be filled up to for who is behind it. */
static inline uint32_t port_pad(const struct port *p)
{
	return p->is_unpadded ? 0 : FRAME_PAD;
}

static inline void port_drop(struct port *p, enum port_drop reason, unsigned frames)
{
	p->count.dropped[reason] += frames;
}

static inline void port_sent(struct port *p, const struct frame *f)
{
	p->count.tx_frames += 1 + f->n_more;
	p->count.tx_bytes += f->len + f->more_bytes;
}

/*
 * port_take() - Count a received frame, and put it into the batch if it is one.
 * @f: a frame, or a run; what struct frame says must hold, but for the length
 *
 * The batch must have room.
 */
static inline void port_take(struct port *p, struct batch *b, const struct frame *f)
{
	p->count.rx_frames += 1 + f->n_more;
	p->count.rx_bytes += f->len + f->more_bytes;
	switch (frame_check_len(f->len)) {
	case FRAME_OK:
		frame_assert(f);
		batch_add(b, f);
		break;
	case FRAME_RUNT:
		port_drop(p, DROP_RUNT, 1);
		break;
	case FRAME_OVERSIZE:
		port_drop(p, DROP_OVERSIZE, 1);
		break;
	}
}

#endif
