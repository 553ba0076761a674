/* SPDX-License-Identifier: MIT */
/*
 * The rings of a device: what the front end says of them, and when they start and stop.
 *
 * Kicks come by eventfds, which are watched by their edges (EPOLLET): each one is told of
 * once, and nobody needs to read them. A kick that comes for nothing does no harm.
 *
 * #syscalls: close fcntl statx
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/stat.h>

#include "vhost/device.h"

#define POLL_MS 1 /* between looks at a ring without a kick descriptor */
#define DISCARD_MAX 64

#define HEADER_SHORT 10u /* struct virtio_net_hdr */
#define HEADER_LONG 12u	 /* with num_buffers (VIRTIO 1.2, 5.1.6) */

static unsigned number_of(const struct device_ring *r)
{
	return (unsigned)(r - r->device->ring);
}

/* ---- descriptors ---- */

/*
 * Which file a descriptor is, without asking its file system, which may be one that never
 * answers (FUSE). By its number, for musl has it since 1.2.4 only. Return: 0 or -1 with errno.
 */
static int look_at(int fd, struct statx *st)
{
	return (int)syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, st);
}

/*
 * All eventfds share one inode, which no file, pipe, socket or device has, but an epoll
 * descriptor: whoever watches that has the kernel ask all that it watches.
 */
static int check_eventfd(struct device *d, const struct message *m, int fd)
{
	struct statx st, ours;

	if (look_at(fd, &st) == 0 && look_at(d->loop->epfd, &ours) == 0 &&
	    st.stx_dev_major == ours.stx_dev_major &&
	    st.stx_dev_minor == ours.stx_dev_minor && st.stx_ino == ours.stx_ino &&
	    call_check(fd) == 0)
		return 0;
	return device_why(d, -EPROTO, "%s: its descriptor is no eventfd",
			  message_name(m->request));
}

static void close_kick(struct device_ring *r)
{
	loop_del(r->device->loop, &r->kick);
	if (r->kick_fd >= 0)
		close(r->kick_fd);
	r->kick_fd = -1;
	r->has_kick = false;
}

/*
 * Chains of a ring that was disabled are thrown away. Before it is enabled for the first time,
 * they are what the guest has sent while nobody was there.
 *
 * Return: 0; 1: there may be more; -errno, with d->why.
 */
static int discard(struct device_ring *r)
{
	struct device *d = r->device;
	struct iovec iov[RING_PIECES_MAX];
	struct ring_chain c;
	int ret = 1, err = 0;

	for (unsigned i = 0; i < DISCARD_MAX && ret > 0; i++) {
		ret = ring_pop(&r->ring, &c, iov, RING_PIECES_MAX);
		if (ret > 0)
			ring_use(&r->ring, c.id, 0);
		else if (ret == 0)
			ret = ring_listen(&r->ring);
	}
	if (ring_publish(&r->ring))
		err = device_call(d, number_of(r));
	if (!err || ret < 0)
		err = device_look(d, number_of(r), ret < 0 ? ret : 0);
	return err < 0 ? err : ret;
}

static void poll_due(struct timer *t);

static void was_kicked(struct device_ring *r)
{
	struct device *d = r->device;
	unsigned i = number_of(r);
	int ret;

	if (r->runs) {
		d->host->kicked(d, i);
		return;
	}
	if (!r->is_started || !r->has_run || i != DEVICE_TX)
		return;
	ret = discard(r);
	if (ret < 0)
		d->host->failed(d, ret);
	else if (ret)
		timer_set(d->loop, &d->poll, POLL_MS, poll_due);
}

static void kick_ready(struct watch *w, uint32_t events)
{
	(void)events;
	was_kicked(container_of(w, struct device_ring, kick));
}

void device_kick(struct device *d)
{
	for (unsigned i = 0; i < DEVICE_RINGS && d->socket.fd >= 0; i++)
		was_kicked(&d->ring[i]);
}

static bool polls(const struct device *d)
{
	bool any = false;

	for (unsigned i = 0; i < DEVICE_RINGS; i++)
		any |= d->ring[i].is_started && d->ring[i].kick_fd < 0;
	return any;
}

static void poll_due(struct timer *t)
{
	struct device *d = container_of(t, struct device, poll);

	device_kick(d);
	if (d->socket.fd >= 0 && polls(d))
		timer_set(d->loop, t, POLL_MS, poll_due);
}

/* ---- what the front end says ---- */

static int set_num(struct device_ring *r, struct message *m)
{
	uint32_t num = m->state.num;

	if (!num || num > RING_SIZE_MAX || (num & (num - 1)))
		return device_why(r->device, -EPROTO,
				  "SET_VRING_NUM: %u is no power of two up to %u", num,
				  RING_SIZE_MAX);
	if (r->ring.size != num)
		r->is_started = false;
	r->ring.size = num;
	return 0;
}

static int set_addr(struct device_ring *r, struct message *m)
{
	r->desc = m->addr.desc;
	r->avail = m->addr.avail;
	r->used = m->addr.used;
	r->has_addr = true;
	r->ring.log = m->addr.log;
	r->ring.has_log = m->addr.flags & MESSAGE_ADDR_LOG;
	return 0;
}

static int set_base(struct device_ring *r, struct message *m)
{
	if (m->state.num > UINT16_MAX)
		return device_why(r->device, -EPROTO, "SET_VRING_BASE: %u is no index",
				  m->state.num);
	r->base = (uint16_t)m->state.num;
	return 0;
}

static void stop(struct device_ring *r)
{
	if (r->is_started)
		r->base = r->ring.next;
	r->is_started = r->runs = false;
}

static int get_base(struct device_ring *r, struct message *m)
{
	stop(r);
	close_kick(r);
	m->state.num = r->base;
	return sizeof(m->state);
}

static int set_enable(struct device_ring *r, struct message *m)
{
	r->is_enabled = m->state.num;
	return 0;
}

static int set_kick(struct device_ring *r, struct message *m)
{
	struct device *d = r->device;
	int ret = 0;

	close_kick(r);
	r->has_kick = true;
	if (m->u64 & MESSAGE_NO_FD)
		return 0;
	ret = check_eventfd(d, m, m->fd[0]);
	if (ret < 0)
		return ret;
	r->kick_fd = message_take_fd(m);
	ret = loop_add(d->loop, &r->kick, r->kick_fd, EPOLLIN | (uint32_t)EPOLLET,
		       kick_ready);
	if (ret == 0 && r->kick.always_ready)
		ret = -EPERM;
	return ret < 0 ? device_why(d, ret, "SET_VRING_KICK: %s", strerror(-ret)) : 0;
}

/* A call that went to the descriptor before may be lost, so there is one at once. */
static int set_call(struct device_ring *r, struct message *m)
{
	struct device *d = r->device;
	int ret, flags;

	if (r->call_fd >= 0)
		close(r->call_fd);
	r->call_fd = -1;
	if (m->u64 & MESSAGE_NO_FD)
		return 0;
	ret = check_eventfd(d, m, m->fd[0]);
	if (ret < 0)
		return ret;
	r->call_fd = message_take_fd(m);
	flags = fcntl(r->call_fd, F_GETFL);
	if (flags < 0 || fcntl(r->call_fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return device_why(d, -errno, "SET_VRING_CALL: %s", strerror(errno));
	return device_call(d, number_of(r));
}

static int ignore(struct device_ring *r, struct message *m)
{
	(void)r;
	(void)m;
	return 0;
}

int device_ring_request(struct device *d, struct message *m)
{
	/* @is_masked: the number of the ring is in the lower bits of a larger number. */
	static const struct {
		int (*fn)(struct device_ring *r, struct message *m);
		bool is_masked;
	} fns[MESSAGE_REQUESTS] = {
		[SET_VRING_NUM] = { set_num, false },
		[SET_VRING_ADDR] = { set_addr, false },
		[SET_VRING_BASE] = { set_base, false },
		[GET_VRING_BASE] = { get_base, false },
		[SET_VRING_KICK] = { set_kick, true },
		[SET_VRING_CALL] = { set_call, true },
		[SET_VRING_ERR] = { ignore, true },
		[SET_VRING_ENABLE] = { set_enable, false },
	};
	uint64_t i = fns[m->request].is_masked ? m->u64 & MESSAGE_RING_MASK
					       : m->state.index;

	if (i >= DEVICE_RINGS || !fns[m->request].fn)
		return device_why(d, -EPROTO, "%s: there is no ring %u",
				  message_name(m->request), (unsigned)i);
	return fns[m->request].fn(&d->ring[i], m);
}

/* ---- start and stop ---- */

static bool may_start(const struct device_ring *r)
{
	return r->ring.size && r->has_addr && r->has_kick && r->device->memory.n;
}

/* Find the ring's parts in memory. Return: 0; -EPROTO, with d->why. */
static int find(struct device_ring *r)
{
	struct memory *m = &r->device->memory;
	struct ring *ring = &r->ring;
	const char *missing = NULL;

	ring->desc =
		memory_user(m, r->desc, RING_DESC_BYTES(ring->size), RING_DESC_ALIGN);
	ring->avail =
		memory_user(m, r->avail, RING_AVAIL_BYTES(ring->size), RING_AVAIL_ALIGN);
	ring->used =
		memory_user(m, r->used, RING_USED_BYTES(ring->size), RING_USED_ALIGN);
	if (!ring->desc)
		missing = "its descriptors are";
	else if (!ring->avail)
		missing = "its available ring is";
	else if (!ring->used)
		missing = "its used ring is";
	return missing ? device_why(r->device, -EPROTO,
				    "ring %u: %s not in one region, or not aligned",
				    number_of(r), missing)
		       : 0;
}

static void start(struct device_ring *r)
{
	struct device *d = r->device;
	bool is_modern = device_has(d, VIRTIO_VERSION_1);

	d->header = is_modern || device_has(d, NET_MRG_RXBUF) ? HEADER_LONG
							      : HEADER_SHORT;
	r->ring.has_event_idx = device_has(d, RING_EVENT_IDX);
	r->ring.has_indirect = device_has(d, RING_INDIRECT_DESC);
	/* Those of before VIRTIO 1.0 have the guest's byte order, and that is ours. */
	r->ring.is_swapped = is_modern && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	r->ring.is_to_us = number_of(r) == DEVICE_TX;
	ring_start(&r->ring);
	ring_listen(&r->ring);
	r->is_started = true;
	r->has_run = false;
}

static int settle_ring(struct device_ring *r)
{
	struct device *d = r->device;
	bool ran;
	int ret;

	if (!may_start(r)) {
		stop(r);
		return 0;
	}
	ran = r->is_started && r->runs;
	/* Memory or addresses may be others now. */
	ret = find(r);
	if (ret == 0 && !r->is_started)
		start(r);
	r->runs = ret == 0 && (r->is_enabled || !device_has(d, VHOST_PROTOCOL_FEATURES));
	r->has_run |= r->runs;
	d->must_look |= r->runs && !ran;
	return ret;
}

int device_settle(struct device *d)
{
	int ret = 0;

	for (unsigned i = 0; i < DEVICE_RINGS && ret == 0; i++)
		ret = settle_ring(&d->ring[i]);
	if (polls(d) && !d->poll.is_set)
		timer_set(d->loop, &d->poll, POLL_MS, poll_due);
	return ret < 0 ? ret : device_look(d, 0, 0);
}

void device_rings_init(struct device *d)
{
	for (unsigned i = 0; i < DEVICE_RINGS; i++) {
		struct device_ring *r = &d->ring[i];

		r->device = d;
		r->ring.memory = &d->memory;
		r->kick.fd = r->kick_fd = r->call_fd = -1;
	}
}

/*
 * The index at which a ring stopped is still asked for after that: QEMU 7.2 resets the device by
 * SET_STATUS before it sends GET_VRING_BASE (its vhost_dev_stop()).
 */
void device_rings_reset(struct device *d)
{
	timer_cancel(d->loop, &d->poll);
	for (unsigned i = 0; i < DEVICE_RINGS; i++) {
		struct device_ring *r = &d->ring[i];

		stop(r);
		close_kick(r);
		r->has_addr = r->is_enabled = false;
		r->ring.size = 0;
	}
}

/* ---- at work ---- */

int device_call(struct device *d, unsigned ring)
{
	int ret = call_make(d->ring[ring].call_fd);

	if (ret < 0)
		return device_why(d, ret, "ring %u: can't notify the guest: %s", ring,
				  ret == -EDEADLK ? "its eventfd has no room, and blocks"
						  : strerror(-ret));
	return 0;
}

int device_look(struct device *d, unsigned ring, int ret)
{
	if (d->memory.is_broken)
		return device_why(d, -EFAULT, "the guest's memory was taken away");
	if (d->memory.is_log_short)
		return device_why(d, -EPROTO,
				  "the log of written pages is shorter than the memory");
	if (ret < 0)
		return device_why(d, ret, "ring %u: %s", ring, d->ring[ring].ring.why);
	return 0;
}
