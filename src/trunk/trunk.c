/* SPDX-License-Identifier: MIT */
/* The preamble of a trunk. */
#include "trunk/trunk.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

void trunk_preamble(uint8_t *out)
{
	memset(out, 0, TRUNK_PREAMBLE);
	put_be32(out, TRUNK_MAGIC);
	put_be32(out + 4, (uint32_t)TRUNK_VERSION << 16 | TRUNK_PREAMBLE);
	put_be32(out + 8, TRUNK_TAKES_SUPER);
}

int trunk_read_preamble(const uint8_t *in, unsigned *version, uint32_t *takes)
{
	uint32_t shape = get_be32(in + 4);

	*version = shape >> 16;
	*takes = get_be32(in + 8);
	if (get_be32(in) != TRUNK_MAGIC || *version != TRUNK_VERSION ||
	    (shape & 0xffff) != TRUNK_PREAMBLE)
		return -EPROTO;
	return 0;
}
