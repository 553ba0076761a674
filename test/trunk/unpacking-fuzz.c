/* SPDX-License-Identifier: MIT */
/*
 * unpacking.c with the datagrams of a peer that has the key and lies. Input: datagrams,
 * each behind its length (2 bytes) and how far its counter is from the last one (1).
 */
#include "lib/fuzz.h"

#include "trunk/packing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	struct frame f, kept[BATCH_MAX];
	unsigned n = 0;
	uint64_t id = 1000;
	struct unpacker u;

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
		while ((what = unpacker_next(&u, &f)) == UNPACK_FRAME ||
		       what == UNPACK_FULL) {
			must(what == UNPACK_FULL || (f.len && f.len <= FRAME_MAX));
			if (what == UNPACK_FRAME)
				kept[n++] = f;
			if (n < BATCH_MAX && what == UNPACK_FRAME)
				continue;
			while (n--)
				must(kept[n].data[0] + kept[n].data[kept[n].len - 1] <
				     1000);
			n = 0;
			unpacker_release(&u);
		}
		/* Frames lie in the datagram, too, so they go with it. */
		n = 0;
		unpacker_release(&u);
		free(copy);
		in.at += len;
		in.left -= len;
	}
	unpacker_free(&u);
	return 0;
}
