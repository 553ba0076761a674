/* SPDX-License-Identifier: MIT */
/*
 * A capture's queue: frames become blocks of pcapng here, and wait to be
 * written. It knows which interface each port is, and how many packets of each
 * there was no room for.
 */
#ifndef CAPTURE_QUEUE_H
#define CAPTURE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/byte-ring.h"
#include "frame/frame.h"
#include "port/port.h"

#define CAPTURE_QUEUE_BYTES ((size_t)4 << 20)

struct capture_port;

/*
 * @ring:    blocks, ready to be written
 * @snaplen: bytes of a frame to keep
 * @ports:   by id, @n_ports of them in this section
 * @n_interfaces: described in this section
 * @packets: put in
 * @lost:    that there was no room for
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

/* capture_queue_init() - One that holds the beginning of a section. Return: 0 or -ENOMEM. */
int capture_queue_init(struct capture_queue *q, uint32_t snaplen);
void capture_queue_free(struct capture_queue *q);

/*
 * capture_queue_port() - The entry of a port, which is described if it is new.
 * @time: now; see pcapng.h
 *
 * Return: NULL when there is no room for one more.
 */
struct capture_port *capture_queue_port(struct capture_queue *q, const struct port *p,
					uint64_t time);

/*
 * capture_queue_frame() - Append a frame, or count it as lost.
 * @entry: of its port; may be NULL
 * @f:     only the first frame of a run is captured
 */
void capture_queue_frame(struct capture_queue *q, struct capture_port *entry, bool is_out,
			 uint64_t time, const struct frame *f);

/*
 * capture_queue_end() - Append the statistics of all interfaces.
 *
 * Return: whether there was room for all; if not, call it again, and it goes on.
 */
bool capture_queue_end(struct capture_queue *q, uint64_t time);

#endif
