/* SPDX-License-Identifier: MIT */
/*
 * The least that a back end of vhost-user must do between two guests: take a chain, copy it
 * once, give it to the other guest, and tell. It has the features that netrelay has, and
 * checks nothing: guests are believed.
 *
 *	null-vhost FD FD
 *
 * Both descriptors are inherited and are a front end's socket. It is for hosts that are
 * little-endian, as rings are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "lib/vhost-front.h"

#define BATCH 64
#define PIECES 64
#define FEATURES (FRONT_SUPER)
#define PROTOCOL FRONT_BIT(WIRE_PF_REPLY_ACK)

struct region {
	struct wire_region is;
	uint8_t *at;
};

/*
 * @last: the next chain to be taken; @used_idx: the next to be given back
 * @seen: how far the guest had come when that was looked at last
 */
struct ring {
	unsigned size;
	struct vring_desc *desc;
	uint16_t *avail, *used;
	uint16_t last, seen, used_idx, called;
	int kick, call;
	bool is_enabled;
};

struct device {
	int sock;
	struct region region[WIRE_REGIONS];
	unsigned n_regions;
	struct ring ring[FRONT_RINGS];
	struct device *other;
};

/* A chain, with its header: @n pieces. */
struct chain {
	uint16_t head;
	unsigned n;
	struct iovec piece[PIECES];
};

static int epfd;

static void fail(const char *what)
{
	fprintf(stderr, "null-vhost: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- memory ---- */

static void *of_guest(const struct device *d, uint64_t gpa)
{
	const struct region *r = d->region;

	while (gpa - r->is.gpa >= r->is.size)
		r++;
	return r->at + (gpa - r->is.gpa);
}

static void *of_front(const struct device *d, uint64_t uva)
{
	const struct region *r = d->region;

	while (uva - r->is.uva >= r->is.size)
		r++;
	return r->at + (uva - r->is.uva);
}

static void map_all(struct device *d, const struct wire_message *m)
{
	d->n_regions = m->table.n;
	for (unsigned i = 0; i < m->table.n; i++) {
		struct region *r = &d->region[i];

		r->is = m->table.region[i];
		r->at = mmap(NULL, r->is.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			     m->fds[i], (off_t)r->is.offset);
		if (r->at == MAP_FAILED)
			fail("memory");
		close(m->fds[i]);
	}
}

/* ---- rings ---- */

static uint16_t *avail_event(const struct ring *r)
{
	return &r->used[2 + 4 * r->size];
}

/* The index is in the guest's cache: it is looked at again only when all was taken. */
static bool has_chain(struct ring *r)
{
	if (r->seen == r->last)
		r->seen = __atomic_load_n(&r->avail[1], __ATOMIC_ACQUIRE);
	return r->seen != r->last;
}

/* Ask for a kick. Return: whether there is a chain already. */
static bool rearm(struct ring *r)
{
	__atomic_store_n(avail_event(r), r->last, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return has_chain(r);
}

static void pop(const struct device *d, struct ring *r, struct chain *c)
{
	const struct vring_desc *table = r->desc, *at;

	c->head = r->avail[2 + (r->last++ & (r->size - 1))];
	at = &table[c->head];
	if (at->flags & VRING_INDIRECT)
		at = table = of_guest(d, at->addr);
	for (c->n = 0;; at = &table[at->next]) {
		c->piece[c->n++] = (struct iovec){ of_guest(d, at->addr), at->len };
		if (!(at->flags & VRING_NEXT))
			return;
	}
}

static void push(struct ring *r, uint16_t head, uint32_t len)
{
	struct vring_used u = { head, len };

	memcpy(&r->used[2 + 4 * (r->used_idx++ & (r->size - 1))], &u, sizeof(u));
}

static void show_used(struct ring *r)
{
	uint16_t event, from = r->called;
	uint64_t one = 1;

	__atomic_store_n(&r->used[1], r->used_idx, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = __atomic_load_n(&r->avail[2 + r->size], __ATOMIC_RELAXED);
	r->called = r->used_idx;
	if ((uint16_t)(r->used_idx - event - 1) < (uint16_t)(r->used_idx - from) &&
	    write(r->call, &one, sizeof(one)) < 0)
		fail("call");
}

/* ---- frames ---- */

static uint32_t copy_into(const struct chain *to, const struct chain *from, unsigned *i,
			  size_t *offset)
{
	uint32_t written = 0;

	for (unsigned k = 0; k < to->n; k++) {
		uint8_t *at = to->piece[k].iov_base;
		size_t room = to->piece[k].iov_len;

		while (room && *i < from->n) {
			size_t left = from->piece[*i].iov_len - *offset;
			size_t part = left < room ? left : room;

			memcpy(at, (uint8_t *)from->piece[*i].iov_base + *offset, part);
			at += part;
			room -= part;
			written += (uint32_t)part;
			*offset += part;
			if (part == left) {
				++*i;
				*offset = 0;
			}
		}
	}
	return written;
}

/* Return: false when there is no buffer; the frame is lost then. */
static bool give(struct device *d, const struct chain *frame)
{
	struct ring *rx = &d->ring[FRONT_RX];
	struct chain buffer;
	uint16_t n = 0, *n_buffers = NULL;
	unsigned i = 0;
	size_t offset = 0;

	while (i < frame->n) {
		if (!has_chain(rx)) {
			rx->last -= n;
			rx->used_idx -= n;
			return false;
		}
		pop(d, rx, &buffer);
		if (!n_buffers)
			n_buffers = (uint16_t *)buffer.piece[0].iov_base + 5;
		push(rx, buffer.head, copy_into(&buffer, frame, &i, &offset));
		n++;
	}
	*n_buffers = n;
	return true;
}

/* Frames of @d go to the other guest. Return: whether there were any. */
static bool pass(struct device *d)
{
	struct ring *tx = &d->ring[FRONT_TX];
	struct chain frame;
	unsigned n = 0;

	if (!tx->is_enabled || !d->other->ring[FRONT_RX].is_enabled)
		return false;
	for (; n < BATCH && has_chain(tx); n++) {
		pop(d, tx, &frame);
		give(d->other, &frame);
		push(tx, frame.head, 0);
	}
	if (!n)
		return false;
	show_used(&d->other->ring[FRONT_RX]);
	show_used(tx);
	return true;
}

/* ---- messages ---- */

static void watch(int fd, struct device *d, bool is_kick)
{
	struct epoll_event event = { .events = EPOLLIN | (is_kick ? EPOLLET : 0) };

	event.data.u64 = (uintptr_t)d | is_kick;
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) < 0)
		fail("epoll");
}

static void set_addr(struct device *d, const struct wire_message *m)
{
	struct ring *r = &d->ring[m->addr.index];

	r->desc = of_front(d, m->addr.desc);
	r->avail = of_front(d, m->addr.avail);
	r->used = of_front(d, m->addr.used);
	r->used_idx = r->called = r->used[1];
}

static void obey(struct device *d, const struct wire_message *m)
{
	struct ring *r = &d->ring[m->state.index % FRONT_RINGS];

	switch (m->request) {
	case WIRE_SET_MEM_TABLE:
		map_all(d, m);
		break;
	case WIRE_SET_VRING_NUM:
		r->size = m->state.num;
		break;
	case WIRE_SET_VRING_BASE:
		r->last = r->seen = (uint16_t)m->state.num;
		break;
	case WIRE_SET_VRING_ADDR:
		set_addr(d, m);
		break;
	case WIRE_SET_VRING_CALL:
		r->call = m->fds[0];
		break;
	case WIRE_SET_VRING_KICK:
		r->kick = m->fds[0];
		if (r == &d->ring[FRONT_TX])
			watch(r->kick, d, true);
		break;
	case WIRE_SET_VRING_ENABLE:
		r->is_enabled = m->state.num;
		rearm(r);
		break;
	default:
		break;
	}
}

static void answer(struct device *d, struct wire_message *m)
{
	static const struct {
		uint32_t request;
		uint64_t value;
	} answers[] = {
		{ WIRE_GET_FEATURES, FEATURES },
		{ WIRE_GET_PROTOCOL_FEATURES, PROTOCOL },
		{ WIRE_GET_QUEUE_NUM, 1 },
	};
	bool is_answer = m->flags & WIRE_NEED_REPLY;

	m->u64 = 0;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		if (m->request != answers[i].request)
			continue;
		m->u64 = answers[i].value;
		is_answer = true;
	}
	m->size = sizeof(m->u64);
	m->flags = WIRE_VERSION | WIRE_REPLY;
	m->n_fds = 0;
	if (is_answer && wire_send(d->sock, m) < 0)
		fail("answer");
}

static void hear(struct device *d)
{
	struct wire_message m = { 0 };
	int ret = wire_receive_any(d->sock, &m);

	if (ret == -ECONNRESET)
		exit(0);
	if (ret < 0)
		fail("message");
	obey(d, &m);
	answer(d, &m);
}

/* ---- the program ---- */

static void drain(struct device *d)
{
	do {
		while (pass(d))
			;
	} while (d->ring[FRONT_TX].is_enabled && d->other->ring[FRONT_RX].is_enabled &&
		 rearm(&d->ring[FRONT_TX]));
}

int main(int argc, char **argv)
{
	static struct device device[2];
	struct epoll_event ready[8];

	epfd = epoll_create1(0);
	if (argc != 3 || epfd < 0) {
		fprintf(stderr, "usage: null-vhost FD FD\n");
		return 2;
	}
	for (unsigned i = 0; i < 2; i++) {
		device[i].sock = atoi(argv[1 + i]);
		device[i].other = &device[!i];
		watch(device[i].sock, &device[i], false);
	}
	for (;;) {
		int n = epoll_wait(epfd, ready, 8, -1);

		for (int i = 0; i < n; i++) {
			uint64_t data = ready[i].data.u64;
			struct device *d =
				(struct device *)(uintptr_t)(data & ~UINT64_C(1));

			if (data & 1)
				drain(d);
			else
				hear(d);
		}
	}
}
