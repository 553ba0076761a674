/* SPDX-License-Identifier: MIT */
/*
 * A ring of records; a record is a frame with what precedes it on a stream. A record is
 * always contiguous: one that does not fit below the end of the memory goes to its
 * beginning, and q->top notes where the upper part ends. The memory is larger than the
 * limit by the longest record, which is more than what is left unused at the top. So
 * there is room for all that the limit allows.
 *
 * #syscalls: madvise mmap munmap
 */
#include "frame/frame-queue.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"
#include "frame/run.h"

#define PAGE_MAX ((size_t)64 << 10) /* bytes; pages are not larger */

static size_t memory_size(const struct frame_queue *q)
{
	return q->limit + LAYOUT_FRAME_MAX;
}

int frame_queue_init(struct frame_queue *q, size_t limit)
{
	memset(q, 0, sizeof(*q));
	q->limit = limit;
	q->buf = mmap(NULL, memory_size(q), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (q->buf == MAP_FAILED) {
		q->buf = NULL;
		return -ENOMEM;
	}
	return 0;
}

void frame_queue_free(struct frame_queue *q)
{
	if (q->buf)
		munmap(q->buf, memory_size(q));
	memset(q, 0, sizeof(*q));
}

static bool has_wrapped(const struct frame_queue *q)
{
	return q->top != 0;
}

/* Return: where a record of @size bytes goes; the limit allows it. */
static uint8_t *reserve(struct frame_queue *q, size_t size)
{
	uint8_t *at;

	if (!has_wrapped(q) && q->tail + size > memory_size(q)) {
		q->top = q->tail;
		q->tail = 0;
	}
	at = q->buf + q->tail;
	q->tail += size;
	if (q->tail > q->peak)
		q->peak = q->tail;
	return at;
}

/* A run is stored as it lies on its stream. */
static void store_run(uint8_t *at, const struct frame *run)
{
	memcpy(at, layout_start(run), layout_size(run, 0) + run_rest_size(run));
}

static void store(uint8_t *at, const struct frame *f)
{
	put_be32(at, layout_word(f, f->len));
	if (f->vnet)
		memcpy(at + LAYOUT_PREFIX, f->vnet, VNET_BYTES);
	frame_copy(at + layout_prefix_len(f), f, 0, f->len);
}

bool frame_queue_put(struct frame_queue *q, const struct frame *f)
{
	size_t size = layout_size(f, 0) + run_rest_size(f);

	if (q->bytes + size > q->limit || (f->n_more && f->layout != LAYOUT_STREAM))
		return false;
	/* A long run could leave more unused at the top than the memory has to spare. */
	if (f->n_more && !has_wrapped(q) && q->tail + size > memory_size(q))
		return false;
	(f->n_more ? store_run : store)(reserve(q, size), f);
	q->bytes += size;
	q->frames += 1 + f->n_more;
	return true;
}

/* The bytes behind the length prefix of the record at offset @pos. */
static uint32_t record_len(const struct frame_queue *q, size_t pos)
{
	return get_be32(q->buf + pos) & ~LAYOUT_VNET_BIT;
}

unsigned frame_queue_peek(const struct frame_queue *q, struct frame *f, unsigned max,
			  bool runs)
{
	size_t pos = q->head, end = has_wrapped(q) ? q->top : q->tail;
	unsigned n = 0;

	for (unsigned frames = 0; n < max && frames < q->frames; n++) {
		size_t size;

		if (has_wrapped(q) && pos == q->top) {
			pos = 0;
			end = q->tail;
		}
		size = runs ? layout_parse_run(&f[n], q->buf + pos, q->buf + end) : 0;
		if (!size) {
			f[n] = layout_parse(q->buf + pos);
			size = LAYOUT_PREFIX + record_len(q, pos);
		}
		frames += 1 + f[n].n_more;
		pos += size;
	}
	return n;
}

static void became_empty(struct frame_queue *q)
{
	q->head = q->tail = q->top = 0;
	q->bytes = 0;
	q->frames = 0;
}

void frame_queue_trim(struct frame_queue *q)
{
	size_t used = has_wrapped(q) ? q->top : q->tail;
	size_t from = (used + PAGE_MAX - 1) / PAGE_MAX * PAGE_MAX;

	if (from < FRAME_QUEUE_KEEP)
		from = FRAME_QUEUE_KEEP;
	if (q->peak <= from)
		return;
	madvise(q->buf + from, memory_size(q) - from, MADV_DONTNEED);
	q->peak = used;
}

void frame_queue_drop(struct frame_queue *q, unsigned n)
{
	if (n == q->frames) {
		became_empty(q);
		return;
	}
	for (; n; n--) {
		size_t size = LAYOUT_PREFIX + record_len(q, q->head);

		q->head += size;
		q->bytes -= size;
		q->frames--;
		if (has_wrapped(q) && q->head == q->top)
			q->head = q->top = 0;
	}
}

unsigned frame_queue_clear(struct frame_queue *q)
{
	unsigned n = q->frames;

	became_empty(q);
	frame_queue_trim(q);
	return n;
}
