/* SPDX-License-Identifier: MIT */
/* The hello of a trunk: what is in ours, and what follows from the peer's. */
#include "trunk/trunk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

/* Our hello is to be sent, whole. */
static void say_hello(struct trunk *t)
{
	memset(t->hello, 0, sizeof(t->hello));
	put_be32(t->hello, TRUNK_MAGIC);
	put_be32(t->hello + 4, TRUNK_VERSION << 16 | TRUNK_HELLO_BYTES);
	put_be32(t->hello + 8, HAS_OFFLOAD ? TRUNK_TAKES_SUPER : 0);
	t->n_unsent = sizeof(t->hello);
}

void trunk_begin(struct trunk *t, enum trunk_state state)
{
	t->state = state;
	t->peer_takes = 0;
	t->n_unsent = 0;
	if (HAS_TRUNK && state == TRUNK_HELLO_SENT)
		say_hello(t);
}

void trunk_establish(struct trunk *t, uint32_t takes)
{
	*t = (struct trunk){ .state = TRUNK_ESTABLISHED, .peer_takes = takes };
}

int trunk_take_hello(struct trunk *t, const uint8_t *hello, char *why, size_t size)
{
	uint32_t shape = get_be32(hello + 4);

	if (t->state == TRUNK_HELLO_EXPECTED)
		say_hello(t);
	if (get_be32(hello) != TRUNK_MAGIC ||
	    shape != (TRUNK_VERSION << 16 | TRUNK_HELLO_BYTES)) {
		if (shape >> 16 == TRUNK_SEALED)
			snprintf(
				why, size,
				"the peer has a key, so give this one --key and --peers, "
				"or leave out peer= there");
		else
			snprintf(why, size,
				 "the peer's trunk is of version %u, ours of %u; "
				 "take tcp:, or the same netrelay on both sides",
				 shape >> 16, TRUNK_VERSION);
		return -EPROTO;
	}
	t->state = TRUNK_ESTABLISHED;
	t->peer_takes = get_be32(hello + 8);
	return 0;
}

const char *trunk_no_answer(void)
{
	return "no answer as a netrelay gives it; to reach a QEMU, take tcp:";
}

const char *trunk_hung_up(const struct trunk *t)
{
	if (t->state != TRUNK_HELLO_SENT)
		return NULL;
	return "closed by the peer, which is no netrelay, too old for trunks, or takes only "
	       "peers with keys (peer=); to reach a QEMU, take tcp:";
}
