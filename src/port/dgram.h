/* SPDX-License-Identifier: MIT */
/*
 * Ports that carry one frame in each datagram, over any datagram socket. A driver embeds
 * struct dgram first, and fills its ops with these functions.
 *
 *	dgram.c      sending
 *	dgram-rx.c   receiving; its part of the structure is in dgram-rx.h
 *	dgram-far.c  errors that ICMP reports, and checks whether the socket still fits
 */
#ifndef DGRAM_H
#define DGRAM_H

#include <sys/socket.h>

#include "net/links.h"
#include "net/sock.h"
#include "port/dgram-rx.h"
#include "port/port.h"

/*
 * @rfd, @wfd:  where frames come from and go to; may be equal; -1: closed
 * @to:         where they go to; its len is 0 if @wfd is connected
 * @is_foreign: optional; whether to ignore a datagram that came from @from
 * @access:     optional; datagrams from elsewhere than its networks are counted as dropped
 * @full:       optional; the kernel takes no more: find out where room will show
 * @look:       optional; called now and then to check whether the host still is as it
 *              was when the port was opened. Return: 0; -errno, with port_why(), when
 *              the port is to be opened anew.
 * @timer, @looks: the next check, and how many there were. They come every two seconds
 *              while the port sends, and for a while after a change on the host.
 * @looks_left: checks still to come if neither happens again
 * @idle_ms:    time between checks of an idle port, for changes that nobody reports;
 *              0: none are made
 * @news:       changes on the host
 * @has_end:    an empty message may be the peer's end: SOCK_SEQPACKET
 * @is_udp:     dgram_use_udp() was called
 * @has_errors: the socket keeps errors that ICMP reports, for dgram_take_errors()
 * @refused:    datagrams that were counted as sent before they were refused; as many of
 *              the next ones are counted as refused in their place
 * @seen_tx, @quiet: frames sent at the last check, and for how many checks nobody has
 *              refused any
 * @segment_max: longest frame that UDP_SEGMENT may be used for; 0: none
 * @in:         messages that were received
 */
struct dgram {
	struct port port;
	int rfd, wfd;
	struct sock_addr to;
	bool (*is_foreign)(const struct dgram *d, const struct sockaddr_storage *from);
	const struct endpoint_access *access;
	void (*full)(struct dgram *d);
	int (*look)(struct dgram *d);
	struct timer timer;
	unsigned looks, looks_left, idle_ms;
	struct links_user news;
	bool has_end;
	bool is_udp;
	bool has_errors;
	uint64_t refused, seen_tx;
	unsigned quiet;
	uint32_t segment_max;
	struct dgram_rx in;
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
 * dgram_begin() - Begin to relay over rfd and wfd, and to check them now and then.
 *
 * Return: 0; -errno, with port_why().
 */
int dgram_begin(struct dgram *d);

/* dgram_look_on() - Something was sent: check again every two seconds. */
void dgram_look_on(struct dgram *d);

/*
 * dgram_use_udp() - Have the kernel segment runs of frames on the way out, and
 * hand over runs on the way in, where it can (udp(7): UDP_SEGMENT, UDP_GRO).
 * rfd and wfd must be open, and wfd connected.
 */
void dgram_use_udp(struct dgram *d);

/*
 * dgram_take_errors() - Read the errors that ICMP has reported of datagrams sent earlier.
 *
 * Return: how many datagrams were refused.
 */
unsigned dgram_take_errors(struct dgram *d);

/* As struct port_ops says; dgram_rx() is in dgram-rx.h. */
int dgram_tx(struct port *p, const struct frame *f, unsigned n);
void dgram_close(struct port *p);
void dgram_free(struct port *p);

#endif
