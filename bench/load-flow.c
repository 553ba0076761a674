/* SPDX-License-Identifier: MIT */
/*
 * The rounds of a measurement. One thread sends a burst, and then receives what has
 * arrived. So sender and receiver never compete for their core, and the number of frames
 * under way is known: the relay always has work, but never more than a window, so that
 * socket buffers do not overflow.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "load.h"

#define BURST_BYTES 65536
#define EVENTS_MAX 64
/* ns without an arrival, after which the frames under way count as lost. */
#define LOST_NS 2000000000
#define LOST_IN_FLOOD_NS 200000000 /* in a flood some frames are always lost */
#define PING_GAP_NS 40000   /* ns; long enough for the relay to go to sleep */
#define PING_LOST_NS 20000000
#define NS_PER_MS 1000000

/* Return: whether anything had arrived. */
static bool drain(struct load *l, int timeout_ms)
{
	struct epoll_event ready[EVENTS_MAX];
	/* Guests are looked at in any case, and nobody else's time is to be taken. */
	bool only_guests = l->n_guests == l->n && !timeout_ms, any = false;
	int n = only_guests ? 0 : epoll_wait(l->epfd, ready, EVENTS_MAX, timeout_ms);

	for (int i = 0; i < n; i++)
		any |= port_drain(ready[i].data.ptr, &l->tally);
	for (unsigned i = 0; l->n_guests && i < l->n; i++)
		if (l->ports[i].guest)
			any |= port_drain(&l->ports[i], &l->tally);
	return any;
}

/* Receive the rest of an earlier round, until nothing more comes. */
static void begin(struct load *l, uint32_t size, bool is_pair, bool batch)
{
	struct tally *t = &l->tally;

	for (unsigned i = 0; i < l->n; i++) {
		if (!l->ports[i].guest)
			continue;
		guest_resize(l->ports[i].guest, size);
		guest_call(l->ports[i].guest, !batch);
	}
	t->mark++;
	t->size = size;
	t->is_pair = l->n == 2 || is_pair;
	t->delivered = t->copies = t->wrong = 0;
	t->n_latency = 0;
	if (l->burst.size != size)
		burst_resize(&l->burst, size);
	while (drain(l, 1))
		;
}

static uint64_t copies_meant(const struct load *l, const struct flow *f)
{
	return f->broadcast ? l->n - 1 : 1;
}

/* How many frames a turn sends: if batched, as many as fill a buffer of netrelay's size. */
static unsigned burst_of(const struct flow *f)
{
	unsigned n = BURST_BYTES / (f->size + WORD);

	if (n < 4)
		n = f->batch ? 4 : 1;
	return n < BURST_MAX ? n : BURST_MAX;
}

/*
 * @under_way: frames that have neither arrived nor been given up
 * @seen:      delivered frames that are already taken into account
 */
struct progress {
	uint64_t sent, under_way, seen, turn;
};

static void settle(struct load *l, struct progress *p)
{
	uint64_t news = l->tally.delivered - p->seen;

	p->seen += news;
	p->under_way -= news < p->under_way ? news : p->under_way;
}

static void send_burst(struct load *l, const struct flow *f, struct progress *p)
{
	uint64_t copies = copies_meant(l, f);
	struct port *from = &l->ports[p->turn % (l->n > 2 && !f->pair ? l->n : 1)];
	unsigned to = f->broadcast ? BROADCAST : (from->id + 1) % l->n;
	unsigned n;

	if (f->window && p->under_way * (f->size + WORD) >= f->window * copies)
		return;
	n = port_send(from, &l->burst, &l->tally, to, l->seq, burst_of(f), f->batch);
	p->turn++;
	p->sent += n;
	p->under_way += n * copies;
	l->seq += n;
}

static void flush(struct load *l)
{
	for (unsigned i = 0; i < l->n; i++)
		port_flush(&l->ports[i]);
}

/* Send and receive until all frames have arrived or are lost. Return: when the last one came. */
static uint64_t exchange(struct load *l, const struct flow *f, struct progress *p)
{
	uint64_t now = now_ns(), end = now + f->ms * NS_PER_MS;
	uint64_t last = now, silence = now;
	uint64_t patience = f->window ? LOST_NS : LOST_IN_FLOOD_NS;

	while (now < end || p->under_way) {
		/* Do not sleep: the relay would have to wake us, at its own cost. */
		if (now < end)
			send_burst(l, f, p);
		else
			flush(l);
		if (drain(l, 0))
			last = silence = now_ns();
		settle(l, p);
		now = now_ns();
		if (now - silence < patience)
			continue;
		p->under_way = 0;
		silence = now;
	}
	return last;
}

void flow_run(struct load *l, const struct flow *f)
{
	struct progress p = { 0 };
	uint64_t cpu, start, last, calls;
	int counting = -1;

	l->tally.latency_max = 0;
	/* So that a switch knows the receiver's port. */
	if (f->pair)
		port_send(&l->ports[1], &l->burst, &l->tally, 0, l->seq++, 1, false);
	begin(l, f->size, f->pair, f->batch);
	cpu = cost_cpu_ns(&l->cost);
	if (f->count)
		counting = cost_count(&l->cost);
	start = now_ns();
	last = exchange(l, f, &p);
	calls = cost_counted(&l->cost);
	printf("sent=%" PRIu64 " delivered=%" PRIu64 " copies=%" PRIu64 " wrong=%" PRIu64
	       " ns=%" PRIu64 " cpu=%" PRIu64,
	       p.sent * copies_meant(l, f), l->tally.delivered, l->tally.copies,
	       l->tally.wrong, last - start, cost_cpu_ns(&l->cost) - cpu);
	if (counting == 0)
		printf(" calls=%" PRIu64, calls);
	printf("\n");
}

/* Return: how many frames are ready to go, as many as all rings hold. */
static unsigned fill(struct load *l)
{
	unsigned room = guest_room(l->ports[1].guest), sent = 0, n = 1;

	while (n && sent < room) {
		n = room - sent < BURST_MAX ? room - sent : BURST_MAX;
		n = port_send(&l->ports[0], &l->burst, &l->tally, 1, l->seq, n, true);
		l->seq += n;
		sent += n;
	}
	return sent;
}

void rush_run(struct load *l, uint32_t size, uint64_t ms)
{
	uint64_t cpu, end, sent = 0, took = 0;

	l->tally.latency_max = 0;
	begin(l, size, true, true);
	l->ports[0].holds = true;
	cpu = cost_cpu_ns(&l->cost);
	end = now_ns() + ms * NS_PER_MS;
	while (now_ns() < end) {
		unsigned n = fill(l);
		uint64_t start = now_ns();

		guest_go(l->ports[0].guest);
		guest_await(l->ports[1].guest, n, LOST_IN_FLOOD_NS);
		took += now_ns() - start;
		sent += n;
		while (drain(l, 0))
			;
	}
	l->ports[0].holds = false;
	printf("sent=%" PRIu64 " delivered=%" PRIu64 " copies=0 wrong=%" PRIu64 " ns=%" PRIu64
	       " cpu=%" PRIu64 "\n",
	       sent, l->tally.delivered, l->tally.wrong, took, cost_cpu_ns(&l->cost) - cpu);
}

/* ---- latency ---- */

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print_latency(struct tally *t, uint64_t sent)
{
	size_t n = t->n_latency;

	qsort(t->latency, n, sizeof(*t->latency), compare);
	printf("sent=%" PRIu64 " delivered=%" PRIu64 " wrong=%" PRIu64
	       " p50=%" PRIu32 " p99=%" PRIu32 "\n",
	       sent, t->delivered, t->wrong, n ? t->latency[n / 2] : 0,
	       n ? t->latency[n * 99 / 100] : 0);
}

static bool open_latency(struct load *l, uint64_t count, uint32_t size)
{
	l->tally.latency = calloc(count, sizeof(*l->tally.latency));
	l->tally.latency_max = l->tally.latency ? count : 0;
	begin(l, size, false, false);
	return l->tally.latency;
}

static void close_latency(struct load *l, uint64_t sent)
{
	print_latency(&l->tally, sent);
	free(l->tally.latency);
	l->tally.latency = NULL;
}

/* Wait without sleeping, so that the figure contains only the relay's wake-up and not ours. */
static void spin_until(struct load *l, uint64_t when, uint64_t delivered)
{
	do {
		port_flush(&l->ports[0]);
		port_drain(&l->ports[1], &l->tally);
	} while (l->tally.delivered < delivered && now_ns() < when);
}

void ping_run(struct load *l, uint32_t size, uint64_t count)
{
	uint64_t sent = 0;

	if (!open_latency(l, count, size))
		return;
	while (sent < count) {
		sent += port_send(&l->ports[0], &l->burst, &l->tally, 1, l->seq++, 1, false);
		spin_until(l, now_ns() + PING_LOST_NS, sent);
		spin_until(l, now_ns() + PING_GAP_NS, UINT64_MAX);
	}
	close_latency(l, sent);
}

void paced_run(struct load *l, uint32_t size, uint64_t rate, uint64_t ms)
{
	uint64_t count = rate * ms / 1000, sent = 0, start;

	if (!open_latency(l, count, size))
		return;
	start = now_ns();
	while (sent < count) {
		spin_until(l, start + sent * 1000 * NS_PER_MS / rate, UINT64_MAX);
		sent += port_send(&l->ports[0], &l->burst, &l->tally, 1, l->seq++, 1, false);
	}
	spin_until(l, now_ns() + PING_LOST_NS, sent);
	close_latency(l, sent);
}
