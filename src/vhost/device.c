/* SPDX-License-Identifier: MIT */
/*
 * The connection to a front end: requests, and their answers. Those about rings are in
 * device-ring.c.
 *
 * A request that can't be right ends the device. One that we do not know is answered by a
 * failure if an answer is wanted: all that we have not agreed to take is optional.
 *
 * #syscalls: close
 */
#include "vhost/device.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/alarm.h"
#include "base/parts.h"

#define MESSAGES_PER_TURN 16
#define QUEUE_PAIRS 1
#define DRIVER_OK 4u /* of the status (VIRTIO 1.2, 2.1) */

#define BIT(n) (1ull << (n))

/* What tells of checksums and super-frames only if the relay carries them. */
#define OFFLOADS                                                         \
	(BIT(NET_CSUM) | BIT(NET_GUEST_CSUM) | BIT(NET_GUEST_TSO4) |     \
	 BIT(NET_GUEST_TSO6) | BIT(NET_HOST_TSO4) | BIT(NET_HOST_TSO6) | \
	 BIT(NET_GUEST_USO4) | BIT(NET_GUEST_USO6) | BIT(NET_HOST_USO))
#define FEATURES                                                                    \
	((HAS_OFFLOAD ? OFFLOADS : 0) | BIT(NET_MTU) | BIT(NET_MRG_RXBUF) |         \
	 BIT(NET_GUEST_ANNOUNCE) | BIT(RING_ANY_LAYOUT) | BIT(RING_INDIRECT_DESC) | \
	 BIT(RING_EVENT_IDX) | BIT(VIRTIO_VERSION_1) | BIT(VHOST_LOG_ALL) |         \
	 BIT(VHOST_PROTOCOL_FEATURES))
#define PROTOCOL                                                                    \
	(BIT(PROTOCOL_MQ) | BIT(PROTOCOL_LOG_SHMFD) | BIT(PROTOCOL_RARP) |          \
	 BIT(PROTOCOL_REPLY_ACK) | BIT(PROTOCOL_MTU) | BIT(PROTOCOL_RESET_DEVICE) | \
	 BIT(PROTOCOL_CONFIGURE_MEM_SLOTS) | BIT(PROTOCOL_STATUS))

int device_why(struct device *d, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->why, sizeof(d->why), fmt, ap);
	va_end(ap);
	return err;
}

/* ---- requests; each returns bytes of the answer's payload, 0 for none, or -errno ---- */

static int answer(struct message *m, uint64_t value)
{
	m->u64 = value;
	return sizeof(m->u64);
}

static int set_features(struct device *d, struct message *m)
{
	uint64_t strange = m->u64 & ~FEATURES;

	if (strange)
		return device_why(d, -EPROTO,
				  "SET_FEATURES has bit %d, which was not offered",
				  __builtin_ctzll(strange));
	d->features = m->u64;
	d->memory.is_logging = device_has(d, VHOST_LOG_ALL);
	return 0;
}

static int set_protocol(struct device *d, struct message *m)
{
	uint64_t strange = m->u64 & ~PROTOCOL;

	if (strange)
		return device_why(
			d, -EPROTO,
			"SET_PROTOCOL_FEATURES has bit %d, which was not offered",
			__builtin_ctzll(strange));
	d->protocol = m->u64;
	return 0;
}

static int add_region(struct device *d, struct memory *to, const struct message *m,
		      const struct message_region *r, int fd)
{
	struct memory_region region = { .guest = r->guest,
					.user = r->user,
					.size = r->size };
	const char *why;
	int ret = memory_add(to, &region, r->offset, fd, &why);

	if (ret == 0)
		return 0;
	if (ret == -EINVAL || ret == -ENOSPC)
		return device_why(d, -EPROTO, "%s: region %u %s",
				  message_name(m->request), to->n, why);
	return device_why(d, ret, "%s: region %u %s: %s", message_name(m->request), to->n,
			  why, strerror(-ret));
}

/* All regions are mapped before those that were there are unmapped. */
static int set_mem_table(struct device *d, struct message *m)
{
	struct memory new = { 0 };
	int ret = 0;

	for (unsigned i = 0; i < m->table.n && ret == 0; i++)
		ret = add_region(d, &new, m, &m->table.region[i], m->fd[i]);
	if (ret == 0)
		memory_move(&d->memory, &new);
	memory_free(&new);
	return ret;
}

static int add_mem_reg(struct device *d, struct message *m)
{
	return add_region(d, &d->memory, m, &m->slot.region, m->fd[0]);
}

static int rem_mem_reg(struct device *d, struct message *m)
{
	const struct message_region *r = &m->slot.region;
	struct memory_region region = { .guest = r->guest,
					.user = r->user,
					.size = r->size };

	if (memory_remove(&d->memory, &region) < 0)
		return device_why(d, -EPROTO, "REM_MEM_REG: there is no such region");
	return 0;
}

static int set_log_base(struct device *d, struct message *m)
{
	const char *why;
	int ret = memory_set_log(&d->memory, m->log.size, m->log.offset, m->fd[0], &why);

	if (ret < 0)
		return device_why(d, ret == -EINVAL ? -EPROTO : ret,
				  "SET_LOG_BASE: the log %s", why);
	return answer(m, 0);
}

static int send_rarp(struct device *d, struct message *m)
{
	memcpy(d->mac, &m->u64, sizeof(d->mac));
	d->has_mac = true;
	return 0;
}

static int reset(struct device *d, struct message *m)
{
	(void)m;
	device_rings_reset(d);
	return 0;
}

/* QEMU has no word for it if memory is not shared: it sends all the rest, and that is that. */
static int set_status(struct device *d, struct message *m)
{
	d->status = (uint8_t)m->u64;
	if ((d->status & DRIVER_OK) && !d->memory.n)
		return device_why(d, -EPROTO, "the guest's memory is not shared");
	return d->status ? 0 : reset(d, m);
}

static int get(struct device *d, struct message *m)
{
	switch (m->request) {
	case GET_FEATURES:
		return answer(m, FEATURES);
	case GET_PROTOCOL_FEATURES:
		return answer(m, PROTOCOL);
	case GET_QUEUE_NUM:
		return answer(m, QUEUE_PAIRS);
	case GET_MAX_MEM_SLOTS:
		return answer(m, MEMORY_REGIONS_MAX);
	default:
		return answer(m, d->status);
	}
}

/* What needs nothing to be done: owners, the MTU, which the relay has none of. */
static int nothing(struct device *d, struct message *m)
{
	(void)d;
	(void)m;
	return 0;
}

static int (*const requests[MESSAGE_REQUESTS])(struct device *d, struct message *m) = {
	[GET_FEATURES] = get,
	[SET_FEATURES] = set_features,
	[SET_OWNER] = nothing,
	[RESET_OWNER] = reset,
	[SET_MEM_TABLE] = set_mem_table,
	[SET_LOG_BASE] = set_log_base,
	[SET_LOG_FD] = nothing,
	[SET_VRING_NUM] = device_ring_request,
	[SET_VRING_ADDR] = device_ring_request,
	[SET_VRING_BASE] = device_ring_request,
	[GET_VRING_BASE] = device_ring_request,
	[SET_VRING_KICK] = device_ring_request,
	[SET_VRING_CALL] = device_ring_request,
	[SET_VRING_ERR] = device_ring_request,
	[GET_PROTOCOL_FEATURES] = get,
	[SET_PROTOCOL_FEATURES] = set_protocol,
	[GET_QUEUE_NUM] = get,
	[SET_VRING_ENABLE] = device_ring_request,
	[SEND_RARP] = send_rarp,
	[NET_SET_MTU] = nothing,
	[RESET_DEVICE] = reset,
	[GET_MAX_MEM_SLOTS] = get,
	[ADD_MEM_REG] = add_mem_reg,
	[REM_MEM_REG] = rem_mem_reg,
	[SET_STATUS] = set_status,
	[GET_STATUS] = get,
};

static int answer_to(struct device *d, struct message *m, int size)
{
	bool wants = (m->flags & MESSAGE_NEED_REPLY) &&
		     d->protocol & BIT(PROTOCOL_REPLY_ACK);
	int ret;

	if (!size && !wants)
		return 0;
	if (!size)
		size = answer(m, 0);
	ret = message_answer(m, (uint32_t)size, d->socket.fd);
	if (ret < 0)
		return device_why(d, ret, "answer to %s: %s", message_name(m->request),
				  ret == -EAGAIN ? "nobody reads it" : strerror(-ret));
	return 0;
}

/* Return: 0; -errno, with d->why. */
static int handle(struct device *d, struct message *m)
{
	bool is_known = m->request < MESSAGE_REQUESTS && requests[m->request];
	bool can_refuse = (m->flags & MESSAGE_NEED_REPLY) &&
			  d->protocol & BIT(PROTOCOL_REPLY_ACK);
	int ret;

	if (!is_known && !can_refuse)
		return device_why(d, -EPROTO, "request %u, which was not agreed on",
				  m->request);
	ret = is_known ? requests[m->request](d, m) : answer(m, 1);
	if (ret >= 0)
		ret = answer_to(d, m, ret);
	return ret < 0 ? ret : device_settle(d);
}

/* ---- the connection ---- */

static void fail(struct device *d, int err)
{
	message_end(&d->in);
	d->host->failed(d, err);
}

/* Tell the owner what a message has changed. Return: whether the device is still open. */
static bool tell(struct device *d)
{
	bool is_up = d->ring[DEVICE_RX].runs && d->ring[DEVICE_TX].runs;

	if (d->is_up != is_up) {
		d->is_up = is_up;
		d->host->changed(d);
	}
	if (d->socket.fd >= 0 && d->is_up && (d->must_look || d->has_mac)) {
		d->must_look = false;
		device_kick(d);
	}
	return d->socket.fd >= 0;
}

static int fault_of(struct device *d, int err, const char *why)
{
	uint32_t request = d->in.have < MESSAGE_HEADER ? 0 : d->in.request;

	if (err == -ENODATA)
		return device_why(d, err, "the front end closed the connection");
	return device_why(d, err, "%s %s", request ? message_name(request) : "a message",
			  why);
}

static void socket_ready(struct watch *w, uint32_t events)
{
	struct device *d = container_of(w, struct device, socket);

	(void)events;
	for (unsigned i = 0; i < MESSAGES_PER_TURN; i++) {
		const char *why = "";
		int ret = message_read(&d->in, w->fd, &why);

		if (ret == 0)
			return;
		d->has_spoken |= ret > 0;
		if (ret < 0)
			fault_of(d, ret, why);
		else
			ret = handle(d, &d->in);
		if (ret < 0) {
			fail(d, ret);
			return;
		}
		message_end(&d->in);
		if (!tell(d))
			return;
	}
}

void device_init(struct device *d, struct loop *loop, const struct device_host *host)
{
	d->loop = loop;
	d->host = host;
	d->socket.fd = -1;
	device_rings_init(d);
}

int device_open(struct device *d, int fd)
{
	int ret = loop_add(d->loop, &d->socket, fd, EPOLLIN, socket_ready);

	alarm_need();
	d->features = d->protocol = 0;
	d->status = 0;
	for (unsigned i = 0; i < DEVICE_RINGS; i++)
		d->ring[i].base = 0;
	d->has_mac = d->is_up = d->has_spoken = false;
	d->memory.is_broken = false;
	if (ret < 0)
		close(fd);
	return ret;
}

void device_close(struct device *d)
{
	int fd = d->socket.fd;

	if (fd < 0)
		return;
	device_rings_reset(d);
	for (unsigned i = 0; i < DEVICE_RINGS; i++) {
		if (d->ring[i].call_fd >= 0)
			close(d->ring[i].call_fd);
		d->ring[i].call_fd = -1;
	}
	message_end(&d->in);
	memory_free(&d->memory);
	memory_free_log(&d->memory);
	loop_del(d->loop, &d->socket);
	close(fd);
	d->is_up = false;
}
