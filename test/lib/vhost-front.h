/* SPDX-License-Identifier: MIT */
/*
 * A front end of vhost-user, as QEMU with a guest is one: it has the guest's memory in a
 * memfd, agrees with the back end on features, and passes memory and rings to it. Written
 * from QEMU's docs/interop/vhost-user.rst and VIRTIO 1.2; it uses nothing of what it is to
 * judge. vhost-guest.h sends and receives frames by it.
 *
 *	front_init(&f, &config);	memory and rings
 *	front_start(&f, sock);		all messages, up to rings that are enabled
 *	...
 *	front_free(&f);
 *
 * What front_start() does can be done step by step, in another order, or not. Every step
 * returns 0 or -errno: -ECONNRESET when the back end has gone, -EPROTO when it refuses,
 * -ETIMEDOUT when it does not answer.
 *
 * The guest sees two regions of memory, which are not neighbours: in the low one, which
 * begins at 0, are the rings; in the high one what descriptors point to.
 */
#ifndef LIB_VHOST_FRONT_H
#define LIB_VHOST_FRONT_H

#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>

#include "lib/vhost-ring.h"
#include "lib/vhost-wire.h"

/* Features: bits. */
#define FRONT_F_CSUM 0
#define FRONT_F_GUEST_CSUM 1
#define FRONT_F_MTU 3
#define FRONT_F_GUEST_TSO4 7
#define FRONT_F_GUEST_TSO6 8
#define FRONT_F_HOST_TSO4 11
#define FRONT_F_HOST_TSO6 12
#define FRONT_F_MRG_RXBUF 15
#define FRONT_F_GUEST_ANNOUNCE 21
#define FRONT_F_MQ 22
#define FRONT_F_LOG_ALL 26
#define FRONT_F_ANY_LAYOUT 27
#define FRONT_F_INDIRECT 28
#define FRONT_F_EVENT_IDX 29
#define FRONT_F_PROTOCOL 30
#define FRONT_F_VERSION_1 32
#define FRONT_F_GUEST_USO4 54
#define FRONT_F_GUEST_USO6 55
#define FRONT_F_HOST_USO 56
#define FRONT_BIT(n) (UINT64_C(1) << (n))

/* What most guests would have that know no super-frames, and those that do. */
#define FRONT_PLAIN                                                    \
	(FRONT_BIT(FRONT_F_VERSION_1) | FRONT_BIT(FRONT_F_MRG_RXBUF) | \
	 FRONT_BIT(FRONT_F_EVENT_IDX) | FRONT_BIT(FRONT_F_INDIRECT) |  \
	 FRONT_BIT(FRONT_F_ANY_LAYOUT) | FRONT_BIT(FRONT_F_PROTOCOL))
#define FRONT_SUPER                                                              \
	(FRONT_PLAIN | FRONT_BIT(FRONT_F_CSUM) | FRONT_BIT(FRONT_F_GUEST_CSUM) | \
	 FRONT_BIT(FRONT_F_GUEST_TSO4) | FRONT_BIT(FRONT_F_GUEST_TSO6) |         \
	 FRONT_BIT(FRONT_F_HOST_TSO4) | FRONT_BIT(FRONT_F_HOST_TSO6))

#define FRONT_RX 0 /* the guest receives */
#define FRONT_TX 1
#define FRONT_RINGS 2
#define FRONT_SIZE_MAX 32768 /* of a ring */
#define FRONT_SLOT 73728     /* bytes for a chain's pieces; by default */
#define FRONT_HIGH UINT64_C(0x100000000)
#define FRONT_PAGE 4096u
#define FRONT_MS 10000 /* that an answer may take */

/*
 * @features: wanted; what is not offered is done without
 * @protocol: protocol features, likewise
 * @size:     of each ring; 0: 256
 * @base:     the index at which each ring begins
 * @slot_bytes: for the pieces of a chain of each ring; 0: FRONT_SLOT
 * @buffer:   bytes of each buffer to receive into, for guest_refill()
 * @has_slots: regions are passed one by one, if that was agreed on
 * @idle:     called while an answer is waited for; it may wait for a moment
 */
struct front_config {
	uint64_t features, protocol;
	unsigned size;
	uint16_t base[FRONT_RINGS];
	uint32_t slot_bytes[FRONT_RINGS], buffer;
	bool has_slots;
	void (*idle)(void *arg);
	void *idle_arg;
};

/*
 * @sock:    -1 when there is no back end
 * @region:  the low and the high one; @used: bytes that are taken of each
 * @offered, @features: what the back end offers, and what was agreed on
 * @protocol_offered, @protocol: the same of protocol features
 * @header:  bytes ahead of each frame
 */
struct front {
	struct front_config config;
	int sock, memfd;
	uint8_t *map;
	size_t map_bytes;
	struct wire_region region[2];
	uint64_t used[2];
	uint64_t offered, features, protocol_offered, protocol;
	uint32_t header;
	struct vring ring[FRONT_RINGS];
};

static inline bool front_has(const struct front *f, unsigned feature)
{
	return f->features >> feature & 1;
}

/* ---- memory ---- */

/* front_at() - What the guest sees at @gpa, which must be in its memory. */
static inline void *front_at(const struct front *f, uint64_t gpa)
{
	unsigned high = gpa >= FRONT_HIGH;

	return f->map + f->region[high].offset + (gpa - f->region[high].gpa);
}

/* front_uva() - The same as the front end names it in its messages. */
static inline uint64_t front_uva(const struct front *f, uint64_t gpa)
{
	unsigned high = gpa >= FRONT_HIGH;

	return f->region[high].uva + (gpa - f->region[high].gpa);
}

/* front_alloc() - Take @bytes of a region, aligned. Return: where the guest sees them. */
static inline uint64_t front_alloc(struct front *f, unsigned high, uint64_t bytes,
				   uint64_t align)
{
	uint64_t at = (f->used[high] + align - 1) / align * align;

	if (at + bytes > f->region[high].size)
		abort();
	f->used[high] = at + bytes;
	return f->region[high].gpa + at;
}

static inline uint64_t front_pages(uint64_t bytes)
{
	return (bytes + FRONT_PAGE - 1) / FRONT_PAGE * FRONT_PAGE;
}

static inline void front_make_memory(struct front *f)
{
	uint64_t size = f->config.size;
	uint64_t slots = size * (f->config.slot_bytes[0] + f->config.slot_bytes[1]);
	/* Also for rings that a test lays out elsewhere. */
	uint64_t low = front_pages(FRONT_RINGS * (64 + size * 40) + 2 * FRONT_PAGE);
	uint64_t high = front_pages(slots + FRONT_RINGS * size * VRING_TABLE_BYTES +
				    16 * FRONT_PAGE);

	f->map_bytes = (size_t)(low + high);
	f->memfd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (f->memfd < 0 || ftruncate(f->memfd, (off_t)f->map_bytes) < 0)
		abort();
	f->map =
		mmap(NULL, f->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, f->memfd, 0);
	if (f->map == MAP_FAILED)
		abort();
	f->region[0] = (struct wire_region){ 0, low, (uintptr_t)f->map, 0 };
	f->region[1] =
		(struct wire_region){ FRONT_HIGH, high, (uintptr_t)f->map + low, low };
}

/* front_lay_ring() - Place a ring of this size in memory; its slots are there. */
static inline void front_lay_ring(struct front *f, unsigned i, unsigned size)
{
	struct vring *r = &f->ring[i];

	r->size = size;
	r->desc_at = front_alloc(f, 0, size * VRING_DESC_BYTES, 16);
	r->avail_at = front_alloc(f, 0, vring_avail_bytes(size), 2);
	r->used_at = front_alloc(f, 0, vring_used_bytes(size), 4);
	r->desc = front_at(f, r->desc_at);
	r->avail = front_at(f, r->avail_at);
	r->used = front_at(f, r->used_at);
	vring_init(r);
}

static inline void front_make_ring(struct front *f, unsigned i)
{
	struct vring *r = &f->ring[i];
	unsigned size = f->config.size;

	front_lay_ring(f, i, size);
	r->slot_bytes = f->config.slot_bytes[i];
	r->slots_at = front_alloc(f, 1, (uint64_t)size * r->slot_bytes, 64);
	r->tables_at = front_alloc(f, 1, (uint64_t)size * VRING_TABLE_BYTES, 16);
	r->tables = front_at(f, r->tables_at);
	r->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r->err = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r->kick < 0 || r->call < 0 || r->err < 0)
		abort();
	r->wants_calls = true;
}

/* front_init() - Memory and rings; nothing is told to anybody. */
static inline void front_init(struct front *f, const struct front_config *config)
{
	memset(f, 0, sizeof(*f));
	f->config = *config;
	f->sock = -1;
	if (!f->config.size)
		f->config.size = 256;
	for (unsigned i = 0; i < FRONT_RINGS; i++)
		if (!f->config.slot_bytes[i])
			f->config.slot_bytes[i] = FRONT_SLOT;
	front_make_memory(f);
	for (unsigned i = 0; i < FRONT_RINGS; i++)
		front_make_ring(f, i);
}

/* front_hang_up() - The connection ends, as when QEMU dies. */
static inline void front_hang_up(struct front *f)
{
	if (f->sock >= 0)
		close(f->sock);
	f->sock = -1;
}

static inline void front_free(struct front *f)
{
	front_hang_up(f);
	for (unsigned i = 0; i < FRONT_RINGS; i++) {
		close(f->ring[i].kick);
		close(f->ring[i].call);
		close(f->ring[i].err);
		vring_free(&f->ring[i]);
	}
	munmap(f->map, f->map_bytes);
	close(f->memfd);
}

/* ---- messages ---- */

static inline uint64_t front_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* front_answer() - The answer to @request, as soon as it has come. */
static inline int front_answer(struct front *f, uint32_t request, struct wire_message *m)
{
	uint64_t end = front_now_ms() + FRONT_MS;
	int ret;

	while ((ret = wire_receive(f->sock, m)) == -EAGAIN) {
		if (front_now_ms() > end)
			return -ETIMEDOUT;
		f->config.idle(f->config.idle_arg);
	}
	for (unsigned i = 0; ret == 0 && i < m->n_fds; i++)
		close(m->fds[i]);
	return ret == 0 && m->request != request ? -EBADMSG : ret;
}

/* front_ask() - Send a request that has an answer, which is at @m then. */
static inline int front_ask(struct front *f, uint32_t request, struct wire_message *m)
{
	int ret;

	m->request = request;
	m->flags = WIRE_VERSION;
	ret = wire_send(f->sock, m);
	return ret ? ret : front_answer(f, request, m);
}

static inline int front_get(struct front *f, uint32_t request, uint64_t *value)
{
	struct wire_message m = { 0 };
	int ret = front_ask(f, request, &m);

	*value = m.u64;
	return ret ? ret : m.size == sizeof(m.u64) ? 0 : -EBADMSG;
}

static inline bool front_has_protocol(const struct front *f, unsigned bit)
{
	return f->protocol >> bit & 1;
}

/* front_tell() - Send a request that has none; whether it was obeyed, if that is answered. */
static inline int front_tell(struct front *f, uint32_t request, struct wire_message *m)
{
	bool is_acked = front_has_protocol(f, WIRE_PF_REPLY_ACK);
	int ret;

	m->request = request;
	m->flags = WIRE_VERSION | (is_acked ? WIRE_NEED_REPLY : 0);
	ret = wire_send(f->sock, m);
	if (ret || !is_acked)
		return ret;
	ret = front_answer(f, request, m);
	if (ret)
		return ret;
	return m->size != sizeof(m->u64) ? -EBADMSG : m->u64 ? -EPROTO : 0;
}

static inline int front_tell_number(struct front *f, uint32_t request, uint64_t value)
{
	struct wire_message m = { .size = sizeof(value), .u64 = value };

	return front_tell(f, request, &m);
}

static inline int front_tell_nothing(struct front *f, uint32_t request)
{
	struct wire_message m = { 0 };

	return front_tell(f, request, &m);
}

static inline int front_tell_state(struct front *f, uint32_t request, uint32_t index,
				   uint32_t num)
{
	struct wire_message m = { .size = sizeof(m.state),
				  .state = { .index = index, .num = num } };

	return front_tell(f, request, &m);
}

/* front_tell_fd() - SET_VRING_KICK and the like; @fd -1: none. */
static inline int front_tell_fd(struct front *f, uint32_t request, uint32_t index, int fd)
{
	struct wire_message m = { .size = sizeof(m.u64),
				  .u64 = index | (fd < 0 ? WIRE_NO_FD : 0),
				  .fds = { fd },
				  .n_fds = fd >= 0 };

	return front_tell(f, request, &m);
}

/* ---- steps ---- */

/* front_agree() - Features of both kinds. */
static inline int front_agree(struct front *f)
{
	uint64_t wanted = f->config.features;
	int ret = front_get(f, WIRE_GET_FEATURES, &f->offered);

	f->protocol = f->protocol_offered = 0;
	f->features = wanted & f->offered;
	if (!ret && front_has(f, FRONT_F_PROTOCOL)) {
		uint64_t protocol;

		ret = front_get(f, WIRE_GET_PROTOCOL_FEATURES, &f->protocol_offered);
		protocol = f->config.protocol & f->protocol_offered;
		if (!ret)
			ret = front_tell_number(f, WIRE_SET_PROTOCOL_FEATURES, protocol);
		f->protocol = protocol;
	}
	if (!ret)
		ret = front_tell_nothing(f, WIRE_SET_OWNER);
	if (!ret)
		ret = front_tell_number(f, WIRE_SET_FEATURES, f->features);
	f->header = front_has(f, FRONT_F_VERSION_1) || front_has(f, FRONT_F_MRG_RXBUF)
			    ? 12
			    : 10;
	return ret;
}

/* front_share_slot() - One region by itself. */
static inline int front_share_slot(struct front *f, const struct wire_region *region)
{
	struct wire_message m = { .size = sizeof(m.slot),
				  .slot.region = *region,
				  .fds = { f->memfd },
				  .n_fds = 1 };

	return front_tell(f, WIRE_ADD_MEM_REG, &m);
}

/* front_share() - Pass the guest's memory. */
static inline int front_share(struct front *f)
{
	struct wire_message m = { .size = 8 + 2 * sizeof(struct wire_region),
				  .table.n = 2,
				  .fds = { f->memfd, f->memfd },
				  .n_fds = 2 };
	int ret = 0;

	if (f->config.has_slots && front_has_protocol(f, WIRE_PF_MEM_SLOTS)) {
		for (unsigned i = 0; !ret && i < 2; i++)
			ret = front_share_slot(f, &f->region[i]);
		return ret;
	}
	memcpy(m.table.region, f->region, sizeof(f->region));
	return front_tell(f, WIRE_SET_MEM_TABLE, &m);
}

/* front_set_addr() - Where a ring is. */
static inline int front_set_addr(struct front *f, unsigned i)
{
	const struct vring *r = &f->ring[i];
	struct wire_message m = { .size = sizeof(m.addr),
				  .addr = { .index = i,
					    .desc = front_uva(f, r->desc_at),
					    .used = front_uva(f, r->used_at),
					    .avail = front_uva(f, r->avail_at) } };

	return front_tell(f, WIRE_SET_VRING_ADDR, &m);
}

/*
 * front_begin_ring() - The features are known: the ring is made empty, and begins at @base.
 * A test that wants it otherwise does so after this.
 */
static inline void front_begin_ring(struct front *f, unsigned i, uint16_t base)
{
	struct vring *r = &f->ring[i];

	r->has_event_idx = front_has(f, FRONT_F_EVENT_IDX);
	r->is_swapped = front_has(f, FRONT_F_VERSION_1) &&
			__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	vring_begin(r, base);
}

/* front_pass_ring() - Pass a ring, the next chain of which is number @base. */
static inline int front_pass_ring(struct front *f, unsigned i, uint16_t base)
{
	struct vring *r = &f->ring[i];
	int ret = front_tell_state(f, WIRE_SET_VRING_NUM, i, r->size);

	if (!ret)
		ret = front_tell_state(f, WIRE_SET_VRING_BASE, i, base);
	if (!ret)
		ret = front_set_addr(f, i);
	if (!ret)
		ret = front_tell_fd(f, WIRE_SET_VRING_ERR, i, r->err);
	if (!ret)
		ret = front_tell_fd(f, WIRE_SET_VRING_CALL, i, r->call);
	if (!ret)
		ret = front_tell_fd(f, WIRE_SET_VRING_KICK, i, r->kick);
	return ret;
}

/* front_enable() - Without protocol features a ring that was passed is enabled. */
static inline int front_enable(struct front *f, unsigned i, bool on)
{
	if (!front_has(f, FRONT_F_PROTOCOL))
		return 0;
	return front_tell_state(f, WIRE_SET_VRING_ENABLE, i, on);
}

/* front_stop_ring() - Return: its next index, or -errno. */
static inline int front_stop_ring(struct front *f, unsigned i)
{
	struct wire_message m = { .size = sizeof(m.state), .state.index = i };
	int ret = front_ask(f, WIRE_GET_VRING_BASE, &m);

	if (ret)
		return ret;
	if (m.size != sizeof(m.state) || m.state.index != i || m.state.num > UINT16_MAX)
		return -EBADMSG;
	return (int)m.state.num;
}

/* front_prepare() - As front_start() until all is passed; no ring is enabled. */
static inline int front_prepare(struct front *f, int sock)
{
	int ret;

	f->sock = sock;
	ret = front_agree(f);
	if (!ret)
		ret = front_share(f);
	for (unsigned i = 0; !ret && i < FRONT_RINGS; i++) {
		front_begin_ring(f, i, f->config.base[i]);
		ret = front_pass_ring(f, i, f->config.base[i]);
	}
	return ret;
}

/* front_start() - All of it over @sock, which is its own now; rings begin empty. */
static inline int front_start(struct front *f, int sock)
{
	int ret = front_prepare(f, sock);

	for (unsigned i = 0; !ret && i < FRONT_RINGS; i++)
		ret = front_enable(f, i, true);
	return ret;
}

#endif
