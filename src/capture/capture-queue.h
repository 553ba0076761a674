/* SPDX-License-Identifier: MIT */
/*
 * The queue of a capture: turns frames into pcapng blocks, which wait to be written. It
 * knows which interface each port is, and counts the packets that found no room.
 */
#ifndef CAPTURE_QUEUE_H
#define CAPTURE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/byte-ring.h"
#include "frame/frame.h"
#include "relay/member.h"

#define CAPTURE_QUEUE_BYTES ((size_t)4 << 20)

struct capture_port;

/*
 * @ring:    blocks, ready to be written
 * @snaplen: bytes to keep of each frame
 * @ports:   table of ports by id, @n_ports of them in this section
 * @n_interfaces: interfaces that were described in this section
 * @next_statistics: the slot of @ports at which capture_queue_end() goes on
 * @packets: packets queued so far
 * @lost:    packets lost so far, because there was no room
 */
struct capture_queue {
	struct byte_ring ring;
	uint32_t snaplen;
	struct capture_port *ports;
	unsigned n_ports;
	uint32_t n_interfaces;
	unsigned next_statistics;
	uint64_t packets, lost;
};

/*
 * capture_queue_init() - Set up a queue, and begin a section in it.
 * @snaplen: bytes to keep of each frame
 *
 * Return: 0 or -ENOMEM.
 */
int capture_queue_init(struct capture_queue *q, uint32_t snaplen);

/* capture_queue_free() - Free the memory of a queue that was set up; its counts stay. */
void capture_queue_free(struct capture_queue *q);

/*
 * capture_queue_port() - Find the entry of a port. A new port is described first.
 * @time: now, as of pcapng.h
 *
 * Return: the entry; NULL when there is no room for another one.
 */
struct capture_port *capture_queue_port(struct capture_queue *q, const struct member *m,
					uint64_t time);

/*
 * capture_queue_frame() - Append a frame, or count it as lost.
 * @entry:  of its port; NULL if there was no room for one: the frame is lost
 * @is_out: the port sends the frame, and did not receive it
 * @time:   now, as of pcapng.h
 * @f:      only the first frame of a run is captured
 */
void capture_queue_frame(struct capture_queue *q, struct capture_port *entry, bool is_out,
			 uint64_t time, const struct frame *f);

/*
 * capture_queue_end() - Append the statistics of all interfaces.
 * @time: now, as of pcapng.h
 *
 * Return: whether there was room for all; if not, call it again when there is room.
 */
bool capture_queue_end(struct capture_queue *q, uint64_t time);

#endif
