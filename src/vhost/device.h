/* SPDX-License-Identifier: MIT */
/*
 * A network device of a guest, whose front end (QEMU, mostly) is connected by a unix socket:
 * what the two have agreed on, the guest's memory, and its two rings.
 *
 * A ring is started once its size, its addresses and its kick descriptor are known, whatever
 * the order in which they come; it runs if it is enabled, too. The device is up while both
 * rings run. It learns of messages and kicks by watches of its own, and tells its owner by
 * struct device_host. Messages are taken only there, from the event loop: memory that was
 * found in the rings stays until control goes back to the loop.
 *
 * No descriptor of the front end's is ever read, and all are such as eventfd(2) makes: what
 * else it could pass may block, or be readable for ever.
 */
#ifndef VHOST_DEVICE_H
#define VHOST_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/util.h"
#include "vhost/call.h"
#include "vhost/memory.h"
#include "vhost/message.h"
#include "vhost/ring.h"

#define DEVICE_WHY_MAX 160

/* The rings, by their numbers: what the guest receives by, and what it sends by. */
enum { DEVICE_RX = 0, DEVICE_TX = 1, DEVICE_RINGS = 2 };

/* Features, by their bits (VIRTIO 1.2, 5.1.3 and 6; the last two are vhost-user's). */
enum device_feature {
	NET_CSUM = 0,
	NET_GUEST_CSUM = 1,
	NET_MTU = 3,
	NET_GUEST_TSO4 = 7,
	NET_GUEST_TSO6 = 8,
	NET_HOST_TSO4 = 11,
	NET_HOST_TSO6 = 12,
	NET_MRG_RXBUF = 15,
	NET_GUEST_ANNOUNCE = 21,
	RING_ANY_LAYOUT = 27,
	RING_INDIRECT_DESC = 28,
	RING_EVENT_IDX = 29,
	VIRTIO_VERSION_1 = 32,
	NET_GUEST_USO4 = 54,
	NET_GUEST_USO6 = 55,
	NET_HOST_USO = 56,
	VHOST_LOG_ALL = 26,
	VHOST_PROTOCOL_FEATURES = 30,
};

/* Protocol features, by their bits. */
enum device_protocol {
	PROTOCOL_MQ = 0,
	PROTOCOL_LOG_SHMFD = 1,
	PROTOCOL_RARP = 2,
	PROTOCOL_REPLY_ACK = 3,
	PROTOCOL_MTU = 4,
	PROTOCOL_RESET_DEVICE = 13,
	PROTOCOL_CONFIGURE_MEM_SLOTS = 15,
	PROTOCOL_STATUS = 16,
};

struct device;

/*
 * What the owner is told. In each of them it may close the device.
 * @kicked:  the ring has a chain, or may have; it runs
 * @changed: the device is up, or not any more
 * @failed:  it can't go on, for the reason in d->why; @err is -errno, -ENODATA if the front
 *           end has ended the connection in good order. The owner closes it
 */
struct device_host {
	void (*kicked)(struct device *d, unsigned ring);
	void (*changed)(struct device *d);
	void (*failed)(struct device *d, int err);
};

/*
 * @kick:    its watch; without a descriptor, the ring is looked at every millisecond
 * @call_fd: to notify the guest; -1: it does not want that
 * @desc, @avail, @used: addresses of the front end; see @has_addr
 * @base:    the index to begin at, as the front end knows it, while the ring is not started
 * @has_kick: SET_VRING_KICK came
 * @is_enabled: by SET_VRING_ENABLE
 * @has_run:  since it was started
 * @is_started, @runs: see above
 */
struct device_ring {
	struct device *device;
	struct ring ring;
	struct watch kick;
	int kick_fd, call_fd;
	uint64_t desc, avail, used;
	uint16_t base;
	bool has_addr, has_kick, is_enabled, is_started, runs, has_run;
};

/*
 * @features, @protocol: agreed on
 * @header: bytes of the virtio header ahead of each frame, while rings are started
 * @must_look: a ring has begun to run, so it is looked at without a kick
 * @has_spoken: a message has come
 * @mac:    whose move is to be announced (SEND_RARP), if @has_mac; the owner clears that
 */
struct device {
	struct loop *loop;
	const struct device_host *host;
	struct watch socket;
	struct timer poll;
	struct message in;
	struct memory memory;
	uint64_t features, protocol;
	uint8_t status;
	unsigned header;
	uint8_t mac[6];
	bool has_mac;
	bool must_look;
	bool has_spoken;
	bool is_up;
	struct device_ring ring[DEVICE_RINGS];
	char why[DEVICE_WHY_MAX];
};

/* device_init() - Get ready to be opened; @d is all zeros. */
void device_init(struct device *d, struct loop *loop, const struct device_host *host);

/*
 * device_open() - Serve a front end.
 * @fd: of the connection; it is the device's, also after an error
 *
 * Return: 0; -errno of the event loop.
 */
int device_open(struct device *d, int fd);

/* device_close() - End it: no memory is mapped any more, and no descriptor open. */
void device_close(struct device *d);

/* device_has() - Whether a feature was agreed on. */
static inline bool device_has(const struct device *d, enum device_feature bit)
{
	return d->features >> bit & 1;
}

/*
 * device_call() - Notify the guest that a ring's chains were used.
 *
 * Return: 0; -errno, with d->why.
 */
int device_call(struct device *d, unsigned ring);

/*
 * device_look() - Whether all is well after a ring was worked at.
 * @ret: of the function that did; negative: the ring's why has the reason
 *
 * Return: 0; -errno, with d->why.
 */
int device_look(struct device *d, unsigned ring, int ret);

/* device_why() - Set d->why. Return: @err. */
int device_why(struct device *d, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ---- device-ring.c, for device.c ---- */

void device_rings_init(struct device *d);

/* A request that is about a ring. Return: bytes of the answer's payload; 0: none; -errno. */
int device_ring_request(struct device *d, struct message *m);

/*
 * device_settle() - Start, stop or move rings as the last message has it.
 *
 * Return: 0; -errno, with d->why.
 */
int device_settle(struct device *d);

/* device_rings_reset() - Stop all rings, and forget what was said of them. */
void device_rings_reset(struct device *d);

/* device_kick() - As if all rings had been kicked. */
void device_kick(struct device *d);

#endif
