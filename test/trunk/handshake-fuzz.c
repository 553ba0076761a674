/* SPDX-License-Identifier: MIT */
/*
 * The two messages of a handshake, as somebody may send them: nothing but what the other
 * end has made is ever taken, whoever knows which key.
 *
 * Input: what is done to the message; then bytes that are put into it.
 */
#include "lib/fuzz.h"

#include "trunk/handshake.h"

enum { TO_LISTENER = 1, WITH_MAC = 2, WHOLE = 4 };

static struct identity dialler, listener;

static void begin(void)
{
	static const uint8_t d[SEAL_KEY_BYTES] = { 0, 1 }, l[SEAL_KEY_BYTES] = { 0, 2 };

	identity_set(&dialler, d);
	identity_set(&listener, l);
}

/* Put bytes at places of a message, or all of it. Return: whether it is another one now. */
static bool change(struct fuzz_input *in, uint8_t *msg, size_t size, bool whole)
{
	bool has_changed = false;

	for (size_t i = 0; whole && i < size; i++) {
		uint8_t byte = fuzz_byte(in);

		has_changed |= msg[i] != byte;
		msg[i] = byte;
	}
	while (!whole && in->left > 1) {
		size_t at = fuzz_byte(in) % size;
		uint8_t by = fuzz_byte(in);

		has_changed |= by;
		msg[at] ^= by;
	}
	return has_changed;
}

static bool differs(const uint8_t *a, const uint8_t *b, size_t n)
{
	return memcmp(a, b, n) != 0;
}

static void to_listener(struct fuzz_input *in, unsigned how, uint8_t *first)
{
	uint8_t sent[HANDSHAKE_1_BYTES], mac[SEAL_HASH_BYTES];
	struct iovec iov = { first, HANDSHAKE_1_BYTES - HANDSHAKE_MAC_BYTES };
	struct handshake h;
	int ret;

	memcpy(sent, first, sizeof(sent));
	change(in, first, HANDSHAKE_1_BYTES, how & WHOLE);
	if (how & WITH_MAC) {
		crypto_hmac(mac, listener.mac_key, sizeof(listener.mac_key), &iov, 1);
		memcpy(first + iov.iov_len, mac, HANDSHAKE_MAC_BYTES);
	}
	ret = handshake_check(&listener, first);
	if (ret == 0)
		ret = handshake_hear(&h, &listener, first);
	if (ret == 0)
		ret = handshake_believe(&h, NULL, first);
	must((ret == 0) == !differs(sent, first, sizeof(sent)));
	if (ret == 0)
		must(!differs(noise_peer(&h.noise), dialler.pair.pub, SEAL_KEY_BYTES));
	handshake_wipe(&h);
}

static void to_dialler(struct fuzz_input *in, unsigned how, struct handshake *d,
		       const uint8_t *first)
{
	uint8_t second[HANDSHAKE_2_BYTES], sent[HANDSHAKE_2_BYTES];
	struct session ds = { 0 }, ls;
	struct handshake l;

	must(handshake_check(&listener, first) == 0);
	must(handshake_hear(&l, &listener, first) == 0);
	must(handshake_believe(&l, NULL, first) == 0);
	must(handshake_answer(&l, NULL, second, &ls) == 0);
	memcpy(sent, second, sizeof(sent));
	change(in, second, sizeof(second), how & WHOLE);
	if (handshake_finish(d, second, &ds) < 0) {
		must(differs(sent, second, sizeof(sent)));
		return;
	}
	must(!differs(sent, second, sizeof(sent)));
	must(!differs(ds.send, ls.recv, SEAL_KEY_BYTES));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	unsigned how = fuzz_byte(&in);
	uint8_t first[HANDSHAKE_1_BYTES];
	struct handshake d;

	begin();
	must(handshake_dial(&d, &dialler, listener.pair.pub, NULL, first) == 0);
	if (how & TO_LISTENER)
		to_listener(&in, how, first);
	else
		to_dialler(&in, how, &d, first);
	handshake_wipe(&d);
	return 0;
}
