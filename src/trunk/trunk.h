/* SPDX-License-Identifier: MIT */
/*
 * A trunk: a link between two netrelays that agreed to carry super-frames (GSO packets
 * of up to 64 KiB, behind a virtio header). Here is how they agree; nothing here knows
 * what carries the bytes.
 *
 * The one that dials sends its hello first, the other answers with its own. A link on
 * which one hello came each way is established. Plain frames may go both ways at any
 * time, before that too. If both dial each other, each takes the other's first hello
 * as the answer.
 *
 * The hello, TRUNK_HELLO_BYTES bytes, big-endian:
 *
 *   0  4  TRUNK_MAGIC: no length of QEMU's, which has bit 31 clear
 *   4  2  version, TRUNK_VERSION
 *   6  2  bytes of the hello
 *   8  4  what the sender takes: TRUNK_TAKES_SUPER
 *  12 52  zero
 *
 * A sealed trunk has hellos of its own, of version TRUNK_SEALED (trunk/handshake.h), and
 * both ends know all that before the first record: trunk_establish().
 *
 * On a stream, bit 31 of a length prefix then marks a frame behind a virtio header,
 * which is little-endian as VIRTIO 1 has it; see frame/stream-layout.h.
 */
#ifndef TRUNK_H
#define TRUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/parts.h"

#define TRUNK_MAGIC 0xff6e7472u /* 0xff "ntr" */
#define TRUNK_VERSION 1u
#define TRUNK_SEALED 2u
#define TRUNK_HELLO_BYTES 64
#define TRUNK_TAKES_SUPER 1u
#define TRUNK_TAKES_SLICES 2u /* said by handshakes only; see trunk/packing.h */

#define TRUNK_ANSWER_MS 5000 /* how long the answer to a hello may take */
#define TRUNK_WHY_MAX 128

/*
 * TRUNK_NONE:           a plain link, which can't become a trunk any more
 * TRUNK_HELLO_SENT:     we dialled, our hello goes first, and an answer is due
 * TRUNK_HELLO_EXPECTED: we were dialled; the peer's first bytes may be a hello
 * TRUNK_ESTABLISHED:    both have each other's hello
 */
enum trunk_state {
	TRUNK_NONE,
	TRUNK_HELLO_SENT,
	TRUNK_HELLO_EXPECTED,
	TRUNK_ESTABLISHED,
};

/*
 * All zero: TRUNK_NONE.
 *
 * @peer_takes: what the peer's hello said that it takes, once established
 * @n_unsent:   bytes at the end of @hello that are still to be sent
 */
struct trunk {
	enum trunk_state state;
	uint32_t peer_takes;
	uint8_t hello[TRUNK_HELLO_BYTES];
	size_t n_unsent;
};

/* trunk_begin() - A link begins, in any state but TRUNK_ESTABLISHED. */
void trunk_begin(struct trunk *t, enum trunk_state state);

/* trunk_establish() - Both ends have agreed already. @takes: what the peer said */
void trunk_establish(struct trunk *t, uint32_t takes);

/* trunk_awaits_hello() - Whether what comes next from the peer may be its hello. */
static inline bool trunk_awaits_hello(const struct trunk *t)
{
	return HAS_TRUNK &&
	       (t->state == TRUNK_HELLO_SENT || t->state == TRUNK_HELLO_EXPECTED);
}

/* trunk_take_frame() - A frame came. Only the first bytes of a peer that dialled can be a hello. */
static inline void trunk_take_frame(struct trunk *t)
{
	if (t->state == TRUNK_HELLO_EXPECTED)
		t->state = TRUNK_NONE;
}

/*
 * trunk_take_hello() - The peer's hello came, while it was awaited.
 * @hello: TRUNK_HELLO_BYTES bytes
 * @why:   on an error, a sentence for people; TRUNK_WHY_MAX bytes are enough
 *
 * If we were dialled, our own is to be sent now; also after an error, for then the peer
 * can tell its user, too.
 *
 * Return: 0: the trunk is established; -EPROTO: the peer speaks another version.
 */
int trunk_take_hello(struct trunk *t, const uint8_t *hello, char *why, size_t size);

/* trunk_unsent() - The @n_unsent bytes of our hello that are still to be sent. */
static inline const uint8_t *trunk_unsent(const struct trunk *t)
{
	return t->hello + sizeof(t->hello) - t->n_unsent;
}

/* trunk_no_answer() - What to tell people when TRUNK_ANSWER_MS have passed without an answer. */
const char *trunk_no_answer(void);

/*
 * trunk_hung_up() - What to tell people when the peer closes a link in this state.
 *
 * Return: a sentence; NULL when the trunk has nothing to do with it. If there is one, a
 * reset is such a close, too: a peer that takes our hello for a length may close the
 * link with the rest unread.
 */
const char *trunk_hung_up(const struct trunk *t);

#endif
