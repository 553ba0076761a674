/* SPDX-License-Identifier: MIT */
/*
 * Both ends of a Noise handshake, which a stranger talks to: what is not the peer's message
 * to the last bit is refused, shows nothing of its payload, and leaves nothing behind.
 *
 * Input: a byte, whose bits say which end reads, whether there is a secret, whether the
 * listener reads who it is first, and whether the rest is a message of its own; otherwise the
 * rest changes the right message: two bytes for its length, then three for each change, two
 * for where and one for what.
 */
#include "lib/fuzz.h"

#include <errno.h>

#include "base/parts.h"
#include "lib/noise-ends.h"
#include "lib/zero.h"

#define ROOM 1024

enum {
	IS_DIALLER = 1,
	HAS_PSK = 2,
	IN_STEPS = 4,
	IS_RAW = 8,
};

/* Those with and without a secret, before the first message and before the last is read. */
static struct ends fresh[2], begun[2];

static void begin(void)
{
	for (int has_psk = 0; has_psk < 2; has_psk++) {
		ends_begin(&fresh[has_psk], SEAL_CHACHA20_POLY1305,
			   has_psk ? ends_psk : NULL);
		begun[has_psk] = fresh[has_psk];
		must(ends_run(&begun[has_psk]));
	}
}

/* Change the right message as the input says. Return: its length. */
static size_t change(struct fuzz_input *in, uint8_t *msg, size_t len)
{
	size_t other = fuzz_number(in, 2) % ROOM;

	len = other ? other : len;
	while (in->left) {
		size_t at = fuzz_number(in, 2) % len;

		msg[at] ^= fuzz_byte(in);
	}
	return len;
}

static void check(struct noise *h, bool in_steps, const uint8_t *msg, size_t len,
		  bool is_right)
{
	uint8_t payload[ROOM] = { 0 };
	int ret = in_steps ? noise_read_peer(h, msg, len) : 0;

	if (ret == 0)
		ret = noise_read(h, msg, len, payload);
	else
		must(!noise_peer(h));
	if (is_right) {
		must(ret == ENDS_PAYLOAD_LEN);
		must(!memcmp(payload, ENDS_PAYLOAD, ENDS_PAYLOAD_LEN));
		return;
	}
	must(ret == -EBADMSG || ret == -EINVAL);
	must(is_zero(payload, sizeof(payload)));
	must(is_zero(h, sizeof(*h)));
	must(noise_read(h, msg, len, payload) == -EINVAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { .at = data, .left = size };
	uint8_t flags = fuzz_byte(&in);
	struct ends *e = &begun[!!(flags & HAS_PSK)];
	bool is_dialler = flags & IS_DIALLER;
	const uint8_t *right = is_dialler ? e->second : e->first;
	size_t right_len = is_dialler ? sizeof(e->second) : sizeof(e->first),
	       len = right_len;
	uint8_t msg[ROOM] = { 0 };
	struct noise h;

	if (!HAS_KEYS)
		return 0;
	if (!fresh[0].dialler.stage)
		begin();
	if (flags & IS_RAW) {
		len = in.left < ROOM ? in.left : ROOM;
		if (len)
			memcpy(msg, in.at, len);
	} else {
		memcpy(msg, right, right_len);
		len = change(&in, msg, len);
	}
	h = is_dialler ? e->dialler : fresh[!!(flags & HAS_PSK)].listener;
	check(&h, !is_dialler && flags & IN_STEPS, msg, len,
	      len == right_len && !memcmp(msg, right, len));
	return 0;
}
