/* SPDX-License-Identifier: MIT */
/*
 * The queue of a capture. A port is found by its id in a hash table with open
 * addressing. Ids are assigned in sequence, so the first slot that is looked at is
 * nearly always the right one. The table keeps ports that are gone. When it is three
 * quarters full, a new pcapng section begins, in which interfaces are numbered anew.
 *
 * Lost packets are noted twice: as a count at the interface's next packet, which shows
 * where they were lost, and as a sum in the statistics at the end. Readers that show
 * statistics expect one such block for each interface.
 *
 * #syscalls: madvise mmap munmap uname
 */
#include "capture/capture-queue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "base/util.h"
#include "base/version.h"
#include "capture/pcapng.h"

#define SLOTS 16384u
#define PORTS_MAX (SLOTS / 4 * 3)
#define TABLE_BYTES (SLOTS * sizeof(struct capture_port))

/*
 * A port in the table.
 * @id:           the port's id; 0 if the slot is free
 * @is_described: its interface block is queued
 * @number:       the interface's number in this section, if it is described
 * @packets:      packets queued
 * @lost:         packets lost
 * @gap:          packets lost since its last one that was queued
 */
struct capture_port {
	unsigned id;
	bool is_described;
	uint32_t number;
	uint64_t packets, lost, gap;
};

_Static_assert(PORTS_MAX *(size_t)PCAPNG_STATISTICS_BYTES < CAPTURE_QUEUE_BYTES / 4,
	       "all statistics must fit where half of the queue is free");

static bool add_block(struct capture_queue *q, const uint8_t *block, size_t len)
{
	uint8_t *at = byte_ring_add(&q->ring, len);

	if (at)
		memcpy(at, block, len);
	return at;
}

static void add_section(struct capture_queue *q)
{
	uint8_t block[PCAPNG_BLOCK_MAX];
	struct utsname host = { 0 };
	char os[sizeof(host.sysname) + sizeof(host.release) + 1];
	size_t len;

	uname(&host);
	snprintf(os, sizeof(os), "%s %s", host.sysname, host.release);
	len = pcapng_section(block, host.machine, os, version_name);
	add_block(q, block, len);
}

/*
 * The description is the port's number, which commands and filters take. If it has a name,
 * what messages call it is behind that, for that tells who it is now.
 */
static void describe(struct capture_queue *q, struct capture_port *entry,
		     const struct member *m)
{
	uint8_t block[PCAPNG_BLOCK_MAX];
	char description[PORT_NAME_MAX + 32];
	size_t len;

	snprintf(description, sizeof(description), "port %u%s%s", m->id,
		 *m->name ? ", " : "", *m->name ? m->port->name : "");
	len = pcapng_interface(block, member_name(m), description, q->snaplen);
	entry->is_described = add_block(q, block, len);
	if (entry->is_described)
		entry->number = q->n_interfaces++;
}

bool capture_queue_end(struct capture_queue *q, uint64_t time)
{
	uint8_t block[PCAPNG_BLOCK_MAX];

	for (; q->next_statistics < SLOTS; q->next_statistics++) {
		const struct capture_port *entry = &q->ports[q->next_statistics];
		size_t len;

		if (!entry->is_described)
			continue;
		len = pcapng_statistics(block, entry->number, time,
					entry->packets + entry->lost, entry->lost);
		if (!add_block(q, block, len))
			return false;
	}
	return true;
}

static bool next_section(struct capture_queue *q, uint64_t time)
{
	if (q->ring.bytes > CAPTURE_QUEUE_BYTES / 2)
		return false;
	capture_queue_end(q, time);
	add_section(q);
	/* This gives the memory back, and makes the table all zeros again. */
	madvise(q->ports, TABLE_BYTES, MADV_DONTNEED);
	q->n_ports = q->n_interfaces = q->next_statistics = 0;
	return true;
}

static struct capture_port *find_slot(const struct capture_queue *q, unsigned id)
{
	unsigned i = id % SLOTS;

	while (q->ports[i].id && q->ports[i].id != id)
		i = (i + 1) % SLOTS;
	return &q->ports[i];
}

struct capture_port *capture_queue_port(struct capture_queue *q, const struct member *m,
					uint64_t time)
{
	struct capture_port *entry = find_slot(q, m->id);

	if (!entry->id) {
		if (q->n_ports == PORTS_MAX) {
			if (!next_section(q, time))
				return NULL;
			entry = find_slot(q, m->id);
		}
		entry->id = m->id;
		q->n_ports++;
	}
	if (!entry->is_described)
		describe(q, entry, m);
	return entry;
}

void capture_queue_frame(struct capture_queue *q, struct capture_port *entry, bool is_out,
			 uint64_t time, const struct frame *f)
{
	struct pcapng_packet k = {
		.time = time,
		.len = f->len,
		.is_out = is_out,
	};
	uint8_t *at = NULL;

	k.captured = (uint32_t)min_size(k.len, q->snaplen);
	if (entry && entry->is_described) {
		k.interface = entry->number;
		k.gap = entry->gap;
		at = byte_ring_add(&q->ring, pcapng_packet_size(&k));
	}
	if (at) {
		frame_copy(pcapng_packet(at, &k), f, 0, k.captured);
		entry->gap = 0;
		entry->packets++;
		q->packets++;
		return;
	}
	q->lost++;
	if (entry) {
		entry->lost++;
		entry->gap++;
	}
}

int capture_queue_init(struct capture_queue *q, uint32_t snaplen)
{
	int ret;

	*q = (struct capture_queue){ .snaplen = snaplen };
	ret = byte_ring_init(&q->ring, CAPTURE_QUEUE_BYTES);
	if (ret < 0)
		return ret;
	/* The table takes only as much memory as there were ports. */
	q->ports = mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (q->ports == MAP_FAILED) {
		byte_ring_free(&q->ring);
		return -ENOMEM;
	}
	add_section(q);
	return 0;
}

void capture_queue_free(struct capture_queue *q)
{
	byte_ring_free(&q->ring);
	munmap(q->ports, TABLE_BYTES);
}
