/* SPDX-License-Identifier: MIT */
/*
 * From a stream's bytes to frames; it never sees where those come from.
 *
 * A stream is records, each with a length prefix: a frame (frame/stream-layout.h) or a
 * trunk's hello. Its user receives into the room that deframer_room() shows, and gets
 * frames that lie where they were received; those that go on as they came are one run.
 * Only a record that has not come whole is copied, when all others have been dealt with,
 * and its rest is then received right behind it:
 *
 *	deframer_room() .. deframer_received() -> deframer_next() .. -> deframer_keep()
 */
#ifndef DEFRAMER_H
#define DEFRAMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "frame/frame.h"
#include "frame/stream-layout.h"
#include "trunk/trunk.h"

#define DEFRAMER_PARTIAL_MAX ((size_t)LAYOUT_FRAME_MAX)

/*
 * @partial:  of a record that has not come whole, the first @n_partial bytes
 * @missing:  bytes that it lacks; 0: not known, or it lacks none
 * @is_whole: it lacks none, and is the next record
 * @next, @end: what was received and is not yet taken
 * @record:   bytes of the record at @next, which is not there whole; 0: not known
 * @is_full:  the last receive brought all that there was room for
 */
struct deframer {
	uint8_t *partial;
	size_t n_partial, missing;
	bool is_whole;
	uint8_t *next, *end;
	size_t record;
	bool is_full;
};

/*
 * DEFRAMED_NONE:   no record is there whole
 * DEFRAMED_FRAMES: a frame, or a run of them
 * DEFRAMED_HELLO:  the peer's hello, while the trunk awaits one
 * DEFRAMED_BAD:    what comes next can't be understood; deframer_left() bytes at @next
 */
enum deframed { DEFRAMED_NONE, DEFRAMED_FRAMES, DEFRAMED_HELLO, DEFRAMED_BAD };

/* deframer_init() - @d must be all zero. Return: 0 or -ENOMEM. */
int deframer_init(struct deframer *d);
void deframer_free(struct deframer *d);

/* deframer_reset() - A new stream begins. */
void deframer_reset(struct deframer *d);

/* deframer_left() - Bytes that were received and are not yet taken, but for a partial record. */
static inline size_t deframer_left(const struct deframer *d)
{
	return (size_t)(d->end - d->next);
}

/*
 * deframer_room() - Where to receive to, when deframer_left() is 0 and no record is_whole.
 * @buf, @size: more than DEFRAMER_PARTIAL_MAX; must stay until deframer_keep(), and there
 *              must be room for DEFRAMER_PARTIAL_MAX more behind it, for deframer_rest()
 *
 * Return: how many pieces there are in @iov.
 */
int deframer_room(struct deframer *d, uint8_t *buf, size_t size, struct iovec iov[2]);

/* deframer_received() - @n bytes have come, into the room shown last, in @buf of @size. */
void deframer_received(struct deframer *d, uint8_t *buf, size_t size, size_t n);

/*
 * deframer_next() - The next record.
 * @t: decides what may come
 * @f: set to frames in LAYOUT_STREAM; of DEFRAMED_HELLO, its data is the hello
 *
 * The memory that @f points to stays until deframer_keep().
 */
enum deframed deframer_next(struct deframer *d, const struct trunk *t, struct frame *f);

/*
 * deframer_rest() - After DEFRAMED_NONE: whether it is worthwhile to receive the rest
 * of the record at @next now, which is most likely there, rather than copy its beginning.
 * @iov: set to where it goes; then add what came to @end
 */
bool deframer_rest(struct deframer *d, struct iovec *iov);

/* deframer_keep() - Copy what is left, for nobody needs the records ahead any more. */
void deframer_keep(struct deframer *d);

#endif
