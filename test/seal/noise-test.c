/* SPDX-License-Identifier: MIT */
/*
 * noise.c, beside published vectors (noise.vectors): both ends, byte for byte, and the
 * messages of the session. What must be refused is in noise-refuse-test.c.
 */
#include "seal/noise.h"

#include <errno.h>
#include <stdlib.h>

#include "base/parts.h"
#include "base/util.h"
#include "lib/hex.h"
#include "lib/noise-ends.h"
#include "lib/tap.h"
#include "lib/zero.h"

#define VECTORS "test/seal/noise.vectors"
#define MESSAGES_MAX 8
#define MESSAGE_BYTES 512

struct message {
	uint8_t payload[MESSAGE_BYTES], wire[MESSAGE_BYTES];
	size_t payload_len, wire_len;
};

/* A vector. The keys' names are those of the file, in this order. */
struct vector {
	char protocol[64];
	uint8_t psk[32], prologue[64], init_static[32], init_ephemeral[32],
		resp_static[32], resp_ephemeral[32], hash[32];
	size_t prologue_len;
	bool has_psk;
	struct message messages[MESSAGES_MAX];
	unsigned n;
};

/* ---- the file ---- */

static void read_word(struct vector *v, const char *name, const char *value)
{
	const struct {
		const char *name;
		uint8_t *to;
	} keys[] = {
		{ "psk", v->psk },
		{ "init_static", v->init_static },
		{ "init_ephemeral", v->init_ephemeral },
		{ "resp_static", v->resp_static },
		{ "resp_ephemeral", v->resp_ephemeral },
		{ "hash", v->hash },
	};

	if (!strcmp(name, "prologue"))
		v->prologue_len = hex_read(v->prologue, sizeof(v->prologue), value);
	if (!strcmp(name, "protocol") && strlen(value) < sizeof(v->protocol))
		memcpy(v->protocol, value, strlen(value) + 1);
	if (!strcmp(name, "psk"))
		v->has_psk = true;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!strcmp(name, keys[i].name))
			hex_read(keys[i].to, 32, value);
	}
}

static void read_message(struct vector *v, const char *payload, const char *wire)
{
	struct message *m = &v->messages[v->n++];

	if (v->n > MESSAGES_MAX)
		abort();
	m->payload_len =
		hex_read(m->payload, MESSAGE_BYTES, *payload == '-' ? "" : payload);
	m->wire_len = hex_read(m->wire, MESSAGE_BYTES, wire);
}

/* ---- a vector ---- */

static struct noise begin(const struct vector *v, bool is_dialler, bool knows_psk)
{
	static const uint8_t no_psk[32];
	const uint8_t *psk = knows_psk ? v->psk : no_psk;
	struct noise_pair key, peer;
	struct noise h;

	memcpy(key.key, is_dialler ? v->init_static : v->resp_static, 32);
	crypto_public(key.pub, key.key);
	crypto_public(peer.pub, v->resp_static);
	noise_init(&h, is_dialler,
		   strstr(v->protocol, "AESGCM") ? SEAL_AES256_GCM
						 : SEAL_CHACHA20_POLY1305,
		   v->prologue, v->prologue_len, &key, is_dialler ? peer.pub : NULL,
		   v->has_psk ? psk : NULL);
	noise_set_ephemeral(&h, is_dialler ? v->init_ephemeral : v->resp_ephemeral);
	return h;
}

static void pass(const struct vector *v, unsigned i, struct noise *one,
		 struct noise *other)
{
	const struct message *m = &v->messages[i];
	uint8_t wire[MESSAGE_BYTES], payload[MESSAGE_BYTES];

	ok_eq_int(noise_write(one, m->payload, m->payload_len, wire), m->wire_len,
		  "%s: bytes of message %u", v->protocol, i + 1);
	ok(!memcmp(wire, m->wire, m->wire_len), "%s: message %u", v->protocol, i + 1);
	ok_eq_int(noise_read(other, m->wire, m->wire_len, payload), m->payload_len,
		  "%s: message %u is understood", v->protocol, i + 1);
	ok(!memcmp(payload, m->payload, m->payload_len), "%s: its payload", v->protocol);
}

/* The messages behind the handshake, by turns. */
static void transport(const struct vector *v, enum seal_suite suite, uint8_t keys[2][32])
{
	struct aead *a = aead_new();

	for (unsigned i = 2; i < v->n; i++) {
		const struct message *m = &v->messages[i];
		uint8_t wire[MESSAGE_BYTES];

		memcpy(wire, m->payload, m->payload_len);
		aead_set(a, suite, keys[i % 2]);
		aead_seal(a, i / 2 - 1, NULL, 0, wire, m->payload_len,
			  wire + m->payload_len);
		ok(m->wire_len == m->payload_len + SEAL_TAG_BYTES &&
			   !memcmp(wire, m->wire, m->wire_len),
		   "%s: message %u", v->protocol, i + 1);
	}
	aead_free(a);
}

static void finish(const struct vector *v, struct noise *dialler, struct noise *listener)
{
	enum seal_suite suite = dialler->suite;
	uint8_t keys[2][32], other[2][32];

	ok(!memcmp(noise_hash(dialler), v->hash, 32), "%s: the hash", v->protocol);
	ok(!memcmp(noise_hash(listener), v->hash, 32), "%s: that of the listener",
	   v->protocol);
	ok_eq_int(noise_split(dialler, keys[0], keys[1]), 0, "%s: split", v->protocol);
	ok_eq_int(noise_split(listener, other[1], other[0]), 0, "%s: both", v->protocol);
	ok(!memcmp(keys, other, sizeof(keys)), "%s: the same keys", v->protocol);
	ok(is_zero(dialler, sizeof(*dialler)) && is_zero(listener, sizeof(*listener)),
	   "%s: the handshakes are wiped", v->protocol);
	transport(v, suite, keys);
}

/* A listener that reads who it is before the rest, and then knows the secrets of the pair. */
static void in_steps(const struct vector *v)
{
	struct noise dialler = begin(v, true, true), listener = begin(v, false, false);
	struct noise_pair peer;
	uint8_t shared[32];

	crypto_public(peer.pub, v->init_static);
	ok(!noise_peer(&listener), "%s: who dials is not known yet", v->protocol);
	ok_eq_int(
		noise_read_peer(&listener, v->messages[0].wire, v->messages[0].wire_len),
		0, "%s: who dials is read", v->protocol);
	ok(noise_peer(&listener) && !memcmp(noise_peer(&listener), peer.pub, 32),
	   "%s: and known", v->protocol);
	ok_eq_int(crypto_dh(shared, v->resp_static, noise_peer(&listener)), 0,
		  "it has a secret");
	noise_set_shared(&listener, shared);
	noise_set_psk(&listener, v->psk);
	pass(v, 0, &dialler, &listener);
	pass(v, 1, &listener, &dialler);
	finish(v, &dialler, &listener);
}

static void run(const struct vector *v)
{
	struct noise dialler, listener;

	if (strstr(v->protocol, "AESGCM") && !crypto_has_aes()) {
		ok(true, "%s # SKIP this processor has no AES", v->protocol);
		return;
	}
	dialler = begin(v, true, true);
	listener = begin(v, false, true);
	ok(!!noise_peer(&dialler), "%s: the dialler knows whom it dials", v->protocol);
	pass(v, 0, &dialler, &listener);
	pass(v, 1, &listener, &dialler);
	finish(v, &dialler, &listener);
	in_steps(v);
}

static void test_vectors(void)
{
	static struct vector v;
	char line[2 * MESSAGE_BYTES], name[32], first[MESSAGE_BYTES],
		second[MESSAGE_BYTES];
	unsigned n = 0;
	FILE *f = fopen(VECTORS, "re");

	if (!ok(!!f, "%s", VECTORS))
		return;
	while (fgets(line, sizeof(line), f)) {
		int words = sscanf(line, "%31s %511s %511s", name, first, second);

		if (words == 2 && *name != '#')
			read_word(&v, name, first);
		if (words == 3 && *name != '#')
			read_message(&v, first, second);
		if (words <= 0 && v.n) {
			run(&v);
			n++;
			memset(&v, 0, sizeof(v));
		}
	}
	if (v.n) {
		run(&v);
		n++;
	}
	fclose(f);
	ok_eq_int(n, 20, "all vectors");
}

/* ---- without vectors ---- */

static void test_hkdf(void)
{
	static const uint8_t no_salt[32];
	uint8_t secret[22], out[3][32];

	memset(secret, 0x0b, sizeof(secret));
	noise_hkdf(out, 3, no_salt, secret, sizeof(secret));
	ok_hex(out, 42,
	       "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a"
	       "96c8",
	       "RFC 5869, A.3");
}

static void test_random(void)
{
	struct ends e;
	uint8_t one[NOISE_IK_1], other[NOISE_IK_1];

	for (int i = 0; i < 2; i++) {
		ends_begin(&e, SEAL_CHACHA20_POLY1305, NULL);
		e.dialler.has_ephemeral = false;
		ok_eq_int(noise_write(&e.dialler, NULL, 0, i ? one : other), NOISE_IK_1,
			  "a message with no payload");
		ok_eq_int(noise_read(&e.listener, i ? one : other, NOISE_IK_1, NULL), 0,
			  "is read");
	}
	ok(memcmp(one, other, 32) != 0 && memcmp(one + 32, other + 32, 48) != 0,
	   "two handshakes have not a byte in common");
}

int main(void)
{
	if (!HAS_KEYS) {
		ok(true, "noise # SKIP built without a library");
		return done();
	}
	test_vectors();
	test_hkdf();
	test_random();
	return done();
}
