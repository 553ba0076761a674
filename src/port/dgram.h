/* SPDX-License-Identifier: MIT */
/*
 * One frame a datagram, over any datagram socket. What those ports share; a
 * driver embeds struct dgram first, and fills its ops with these functions.
 */
#ifndef DGRAM_H
#define DGRAM_H

#include <sys/socket.h>

#include "net/links.h"
#include "net/sock.h"
#include "port/port.h"

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
 * @to:         whom they go to; its len is 0: whom wfd is connected to
 * @is_foreign: optional; whether a datagram from @from is none of ours
 * @full:       optional; the kernel takes no more: find out where room will show
 * @look:       optional; called now and then: whether the host still is as it was
 *              when the port was opened. Return: 0; -errno, with port_why(), when
 *              the port is to be opened anew.
 * @timer, @looks: for that; how often it was done. It is, every two seconds, while
 *              something is sent, and for a while after anything changed on the host
 * @looks_left: so often more, if nothing of that comes
 * @idle_ms:    how often else, for what nobody tells of; 0: not at all
 * @news:       of the host
 * @has_end:    an empty message may be the peer's end: SOCK_SEQPACKET
 * @is_udp:     dgram_use_udp() was called
 * @has_errors: the socket keeps what ICMP told of it, for dgram_take_errors()
 * @refused:    datagrams that had been counted as sent when they were refused; as
 *              many of the next count as refused in their place
 * @told_tx, @quiet: frames sent at the last look, and for how many looks nobody
 *              has refused any
 * @segment_max: longest frame that UDP_SEGMENT may be used for; 0: none
 * @brings_runs: of many datagrams was the last message received
 * @got, @n_got: messages of the last receive; @next is the first not yet taken
 *              whole, and @offset what of it has been taken
 */
struct dgram {
	struct port port;
	int rfd, wfd;
	struct sock_addr to;
	bool (*is_foreign)(const struct dgram *d, const struct sockaddr_storage *from);
	void (*full)(struct dgram *d);
	int (*look)(struct dgram *d);
	struct timer timer;
	unsigned looks, looks_left, idle_ms;
	struct links_user news;
	bool has_end;
	bool is_udp;
	bool has_errors;
	uint64_t refused, told_tx;
	unsigned quiet;
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

#define DGRAM_LOOK_MS 2000

/*
 * dgram_begin() - Begin to relay over rfd and wfd, and to look after them.
 *
 * Return: 0; -errno, with port_why().
 */
int dgram_begin(struct dgram *d);

/* dgram_look_on() - Something was sent: look again now and then. */
void dgram_look_on(struct dgram *d);

/*
 * dgram_use_udp() - Have the kernel segment runs of frames on the way out, and
 * hand over runs on the way in, where it can (udp(7): UDP_SEGMENT, UDP_GRO).
 * The sockets must be open, and wfd connected.
 */
void dgram_use_udp(struct dgram *d);

/*
 * dgram_look_source() - Whether the address that wfd sends from is still this host's.
 *
 * IPv6 goes on sending from one that is gone, and no answer can arrive there.
 *
 * Return: 0; -EADDRNOTAVAIL, with port_why().
 */
int dgram_look_source(struct dgram *d);

/*
 * dgram_take_errors() - Read what ICMP has told of datagrams sent earlier.
 *
 * Return: how many of them were refused.
 */
unsigned dgram_take_errors(struct dgram *d);

/* As struct port_ops says. */
int dgram_rx(struct port *p, struct batch *b);
int dgram_tx(struct port *p, const struct frame *f, unsigned n);
void dgram_close(struct port *p);
void dgram_free(struct port *p);

#endif
