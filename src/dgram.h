/* SPDX-License-Identifier: MIT */
/*
 * One frame a datagram, over any datagram socket. What those ports share; a
 * driver embeds struct dgram first, and fills its ops with these functions.
 */
#ifndef DGRAM_H
#define DGRAM_H

#include <sys/socket.h>

#include "port.h"

struct dgram;

/* A message received: one datagram, or with UDP_GRO many, each of @segment bytes. */
struct dgram_message {
	uint32_t len;
	uint32_t segment;
	bool is_cut; /* MSG_TRUNC */
	bool is_foreign;
};

/*
 * @rfd, @wfd:  where frames come from and go to; may be equal; -1: closed
 * @is_foreign: optional; whether a datagram from @from is none of ours
 * @reconnect:  optional; called when the peer is not there: it may have come
 *              back. Return: 0 when it has; -errno.
 * @segment_max: longest frame that UDP_SEGMENT may be used for; 0: none
 * @brings_runs: of many datagrams was the last message received
 * @got, @n_got: messages of the last receive; @next is the first not yet taken
 *              whole, and @offset what of it has been taken
 */
struct dgram {
	struct port port;
	int rfd, wfd;
	bool (*is_foreign)(const struct dgram *d, const struct sockaddr_storage *from);
	int (*reconnect)(struct dgram *d);
	uint32_t segment_max;
	bool brings_runs;
	struct dgram_message got[BATCH_DATAGRAMS];
	unsigned n_got, next;
	uint32_t offset;
};

static inline struct dgram *dgram_of(struct port *p)
{
	return container_of(p, struct dgram, port);
}

/* Room for one number; aligned as struct cmsghdr, which ends in an array, is. */
union dgram_control {
	size_t align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/*
 * dgram_use_udp() - Have the kernel segment runs of frames on the way out, and
 * hand over runs on the way in, where it can (udp(7): UDP_SEGMENT, UDP_GRO).
 * The sockets must be open, and wfd connected.
 */
void dgram_use_udp(struct dgram *d);

/* As struct port_ops says. */
int dgram_rx(struct port *p, struct batch *b);
int dgram_tx(struct port *p, const struct frame *f, unsigned n);
void dgram_close(struct port *p);
void dgram_free(struct port *p);

#endif
