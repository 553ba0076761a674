/* SPDX-License-Identifier: MIT */
/*
 * unpacking.c with the datagrams of a peer that has the key and lies. Input: datagrams,
 * each behind its length (2 bytes) and how far its counter is from the last one (1). Some of
 * them are read at once, as they are received.
 */
#include "lib/fuzz.h"

#include "lib/pieces.h"
#include "trunk/packing.h"

#define AT_ONCE 8

static struct unpacker u;
static struct frame kept[BATCH_MAX + 1];
static uint8_t *copies[AT_ONCE];
static unsigned n, n_copies;

/* All bytes of the frames can be read, and super-frames be split. */
static void read_kept(void)
{
	static uint8_t bytes[FRAME_MAX];
	struct gso_segment s;
	struct gso g;

	while (n) {
		const struct frame *f = &kept[--n];

		must(f->len && f->len <= FRAME_MAX);
		frame_assert(f);
		must(pieces_join(bytes, f) == f->len);
		must(!f->vnet || f->vnet->hdr_len == f->head_len);
		if (f->vnet && gso_begin(&g, f) == 0)
			while (gso_next(&g, &s))
				must(s.frame.len <= f->len);
	}
	unpacker_release(&u);
}

/*
 * Frames lie in the datagrams, too, so these stay until the next ones were read: slices may
 * wait so long for others.
 */
static void end_receive(bool is_last)
{
	static uint8_t *old[AT_ONCE];
	static unsigned n_old;
	static const uint8_t *waited;

	if ((is_last || unpacker_waits(&u) == waited) && unpacker_flush(&u, &kept[n]))
		n++;
	read_kept();
	waited = unpacker_waits(&u);
	while (n_old)
		free(old[--n_old]);
	for (; n_copies; n_old++)
		old[n_old] = copies[--n_copies];
	if (is_last && n_old)
		end_receive(true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	uint64_t id = 1000;

	must(unpacker_init(&u) == 0);
	while (in.left) {
		uint32_t len = fuzz_number(&in, 2);
		enum unpack what;
		uint8_t *copy;

		id += fuzz_byte(&in) - 2u;
		len = len < in.left ? len : (uint32_t)in.left;
		copy = malloc(len + 1);
		must(copy);
		memcpy(copy, in.at, len);
		unpacker_begin(&u, id, copy, len);
		copies[n_copies++] = copy;
		while ((what = unpacker_next(&u, &kept[n])) == UNPACK_FRAME ||
		       what == UNPACK_FULL) {
			n += what == UNPACK_FRAME;
			if (n == BATCH_MAX || what == UNPACK_FULL)
				read_kept();
		}
		if (n_copies == AT_ONCE)
			end_receive(false);
		in.at += len;
		in.left -= len;
	}
	end_receive(true);
	unpacker_free(&u);
	return 0;
}
