/* SPDX-License-Identifier: MIT */
/*
 * For tests of drivers: a loop, and an owner of ports who takes all that they bring as
 * soon as they are readable, and shows it to the test, frame by frame.
 */
#ifndef LIB_TAKER_H
#define LIB_TAKER_H

#include <stdlib.h>
#include <string.h>

#include "lib/fake-port.h"
#include "lib/turn.h"
#include "port/port.h"

/*
 * @frame:    optional: is shown each frame, none of them a run
 * @scribble: so many bytes of the buffer are overwritten afterwards: it is another
 *            port's then
 * @calls:    how often a port was readable
 * @batches:  those that were not empty, and @entries in them, for @frames
 * @more:     how often a batch was told to have more behind it
 * @worst:    most entries of a batch
 * @changes:  of a port's state
 */
struct taker {
	struct loop loop;
	struct port_env env;
	struct batch batch;
	void (*frame)(const struct frame *f);
	size_t scribble;
	unsigned calls, batches, entries, frames, more, worst, changes;
};

static inline void taker_show(struct taker *t, struct frame f)
{
	for (;; f = run_next(&f)) {
		struct frame alone = run_first(&f);

		t->frames++;
		if (t->frame)
			t->frame(&alone);
		if (!f.n_more)
			return;
	}
}

/* taker_take() - What a relay does with a port that is readable. Return: as port_receive(). */
static inline int taker_take(struct taker *t, struct port *p)
{
	struct batch *b = &t->batch;
	int ret;

	t->calls++;
	do {
		ret = port_receive(p, b);
		if (ret < 0)
			break;
		for (unsigned i = 0; i < b->n; i++)
			taker_show(t, b->frame[i]);
		t->batches += b->n > 0;
		t->entries += b->n;
		t->more += b->more;
		t->worst = b->n > t->worst ? b->n : t->worst;
	} while (b->more);
	port_received(p);
	memset(b->buf, 0xee, t->scribble);
	return ret;
}

static inline void taker_readable(struct port *p, void *arg)
{
	taker_take(arg, p);
}

static inline void taker_changed(struct port *p, void *arg)
{
	(void)p;
	((struct taker *)arg)->changes++;
}

/* taker_reset() - Nothing was counted yet. */
static inline void taker_reset(struct taker *t)
{
	t->calls = t->batches = t->entries = t->frames = 0;
	t->more = t->worst = t->changes = 0;
}

static inline void taker_init(struct taker *t, void (*frame)(const struct frame *f))
{
	static const struct port_host host = { taker_readable, fake_heard_nothing,
					       taker_changed };

	memset(t, 0, sizeof(*t));
	t->frame = frame;
	t->env = (struct port_env){ .loop = &t->loop, .host = &host, .host_arg = t };
	t->batch.buf = malloc(BATCH_BUF_SIZE);
	if (!t->batch.buf || loop_init(&t->loop) < 0)
		abort();
}

static inline void taker_free(struct taker *t)
{
	loop_free(&t->loop);
	free(t->batch.buf);
}

#endif
