/* SPDX-License-Identifier: MIT */
/*
 * Noise, revision 34. Its names are kept: MixHash() is mix_hash() and so on (section 5), and
 * each letter of struct noise is that of section 7. In IK no message has a part without a
 * key, so encrypt and decrypt always have one.
 */
#include "seal/noise.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

static struct iovec piece(const void *data, size_t len)
{
	return (struct iovec){ .iov_base = (void *)(uintptr_t)data, .iov_len = len };
}

void noise_hkdf(uint8_t (*out)[SEAL_HASH_BYTES], unsigned n,
		const uint8_t ck[SEAL_HASH_BYTES], const void *secret, size_t len)
{
	uint8_t key[SEAL_HASH_BYTES];
	struct iovec from = piece(secret, len);

	crypto_hmac(key, ck, SEAL_HASH_BYTES, &from, 1);
	for (unsigned i = 0; i < n; i++) {
		uint8_t count = (uint8_t)(i + 1);
		struct iovec iov[] = { piece(i ? out[i - 1] : key,
					     i ? SEAL_HASH_BYTES : 0),
				       piece(&count, 1) };

		crypto_hmac(out[i], key, sizeof(key), iov, 2);
	}
	crypto_wipe(key, sizeof(key));
}

/* ---- the symmetric state ---- */

static void mix_hash(struct noise *h, const void *data, size_t len)
{
	struct iovec iov[] = { piece(h->h, sizeof(h->h)), piece(data, len) };

	crypto_hash(h->h, iov, 2);
}

static void mix_key(struct noise *h, const uint8_t secret[SEAL_KEY_BYTES])
{
	uint8_t out[2][SEAL_HASH_BYTES];

	noise_hkdf(out, 2, h->ck, secret, SEAL_KEY_BYTES);
	memcpy(h->ck, out[0], sizeof(h->ck));
	memcpy(h->k, out[1], sizeof(h->k));
	h->n = 0;
	crypto_wipe(out, sizeof(out));
}

static void mix_key_and_hash(struct noise *h, const uint8_t secret[SEAL_KEY_BYTES])
{
	uint8_t out[3][SEAL_HASH_BYTES];

	noise_hkdf(out, 3, h->ck, secret, SEAL_KEY_BYTES);
	memcpy(h->ck, out[0], sizeof(h->ck));
	mix_hash(h, out[1], sizeof(out[1]));
	memcpy(h->k, out[2], sizeof(h->k));
	h->n = 0;
	crypto_wipe(out, sizeof(out));
}

/* @out: @len bytes and the tag */
static void encrypt_and_hash(struct noise *h, const void *data, size_t len, uint8_t *out)
{
	struct aead a;

	if (len)
		memcpy(out, data, len);
	aead_set(&a, h->suite, h->k);
	aead_seal(&a, h->n++, h->h, sizeof(h->h), out, len, out + len);
	crypto_wipe(&a, sizeof(a));
	mix_hash(h, out, len + SEAL_TAG_BYTES);
}

/* @len: of what comes out; the tag lies behind as many bytes of @data */
static int decrypt_and_hash(struct noise *h, const uint8_t *data, size_t len,
			    uint8_t *out)
{
	struct aead a;
	int ret;

	if (len)
		memcpy(out, data, len);
	aead_set(&a, h->suite, h->k);
	ret = aead_open(&a, h->n++, h->h, sizeof(h->h), out, len, data + len);
	crypto_wipe(&a, sizeof(a));
	mix_hash(h, data, len + SEAL_TAG_BYTES);
	return ret;
}

static int mix_dh(struct noise *h, const uint8_t key[SEAL_KEY_BYTES],
		  const uint8_t pub[SEAL_KEY_BYTES])
{
	uint8_t secret[SEAL_KEY_BYTES];
	int ret = crypto_dh(secret, key, pub);

	if (ret == 0)
		mix_key(h, secret);
	crypto_wipe(secret, sizeof(secret));
	return ret;
}

/* ---- the tokens of a message ---- */

/* A public key of this handshake alone; section 9.2 says why psk patterns mix it in twice. */
static void mix_e(struct noise *h, const uint8_t pub[SEAL_KEY_BYTES])
{
	mix_hash(h, pub, SEAL_KEY_BYTES);
	if (h->has_psk)
		mix_key(h, pub);
}

static int write_e(struct noise *h, uint8_t *out)
{
	int ret = h->has_ephemeral ? 0 : crypto_random(h->e.key, sizeof(h->e.key));

	if (ret < 0)
		return ret;
	crypto_public(h->e.pub, h->e.key);
	memcpy(out, h->e.pub, SEAL_KEY_BYTES);
	mix_e(h, h->e.pub);
	return 0;
}

static void read_e(struct noise *h, const uint8_t *msg)
{
	memcpy(h->re, msg, SEAL_KEY_BYTES);
	mix_e(h, h->re);
}

static int mix_es(struct noise *h)
{
	return h->is_dialler ? mix_dh(h, h->e.key, h->rs) : mix_dh(h, h->s.key, h->re);
}

static int mix_ss(struct noise *h)
{
	if (!h->has_shared)
		return mix_dh(h, h->s.key, h->rs);
	mix_key(h, h->shared);
	return 0;
}

static int mix_ee_se_psk(struct noise *h)
{
	int ret = mix_dh(h, h->e.key, h->re);

	if (ret == 0)
		ret = h->is_dialler ? mix_dh(h, h->s.key, h->re)
				    : mix_dh(h, h->e.key, h->rs);
	if (ret == 0 && h->has_psk)
		mix_key_and_hash(h, h->psk);
	return ret;
}

/* ---- messages ---- */

static int write_first(struct noise *h, const void *payload, size_t len, uint8_t *out)
{
	int ret = write_e(h, out);

	if (ret == 0)
		ret = mix_es(h);
	if (ret == 0) {
		encrypt_and_hash(h, h->s.pub, SEAL_KEY_BYTES, out + SEAL_KEY_BYTES);
		ret = mix_ss(h);
	}
	if (ret < 0)
		return ret;
	encrypt_and_hash(h, payload, len, out + NOISE_IK_1 - SEAL_TAG_BYTES);
	return (int)(NOISE_IK_1 + len);
}

static int write_second(struct noise *h, const void *payload, size_t len, uint8_t *out)
{
	int ret = write_e(h, out);

	if (ret == 0)
		ret = mix_ee_se_psk(h);
	if (ret < 0)
		return ret;
	encrypt_and_hash(h, payload, len, out + SEAL_KEY_BYTES);
	return (int)(NOISE_IK_2 + len);
}

int noise_write(struct noise *h, const void *payload, size_t len, uint8_t *out)
{
	bool is_first = h->is_dialler;
	size_t more = is_first ? NOISE_IK_1 : NOISE_IK_2;
	int ret = -EINVAL;

	if (h->stage == (is_first ? NOISE_FIRST : NOISE_SECOND) &&
	    len <= NOISE_MAX - more)
		ret = is_first ? write_first(h, payload, len, out)
			       : write_second(h, payload, len, out);
	if (ret < 0)
		noise_wipe(h);
	else
		h->stage = is_first ? NOISE_SECOND : NOISE_DONE;
	return ret;
}

static int read_peer(struct noise *h, const uint8_t *msg, size_t len)
{
	int ret;

	if (h->is_dialler || h->stage != NOISE_FIRST)
		return -EINVAL;
	if (len < NOISE_IK_1 || len > NOISE_MAX)
		return -EBADMSG;
	read_e(h, msg);
	ret = mix_es(h);
	if (ret == 0)
		ret = decrypt_and_hash(h, msg + SEAL_KEY_BYTES, SEAL_KEY_BYTES, h->rs);
	h->stage = NOISE_FIRST_PEER;
	return ret;
}

static int read_first(struct noise *h, const uint8_t *msg, size_t len, uint8_t *payload)
{
	int ret = h->stage == NOISE_FIRST_PEER ? 0 : read_peer(h, msg, len);

	if (ret == 0 && (len < NOISE_IK_1 || len > NOISE_MAX))
		ret = -EBADMSG;
	if (ret == 0)
		ret = mix_ss(h);
	if (ret < 0)
		return ret;
	len -= NOISE_IK_1;
	ret = decrypt_and_hash(h, msg + NOISE_IK_1 - SEAL_TAG_BYTES, len, payload);
	h->stage = NOISE_SECOND;
	return ret < 0 ? ret : (int)len;
}

static int read_second(struct noise *h, const uint8_t *msg, size_t len, uint8_t *payload)
{
	int ret;

	if (h->stage != NOISE_SECOND)
		return -EINVAL;
	if (len < NOISE_IK_2 || len > NOISE_MAX)
		return -EBADMSG;
	read_e(h, msg);
	ret = mix_ee_se_psk(h);
	if (ret < 0)
		return ret;
	len -= NOISE_IK_2;
	ret = decrypt_and_hash(h, msg + SEAL_KEY_BYTES, len, payload);
	h->stage = NOISE_DONE;
	return ret < 0 ? ret : (int)len;
}

int noise_read(struct noise *h, const uint8_t *msg, size_t len, uint8_t *payload)
{
	int ret = h->is_dialler ? read_second(h, msg, len, payload)
				: read_first(h, msg, len, payload);

	if (ret < 0)
		noise_wipe(h);
	return ret;
}

int noise_read_peer(struct noise *h, const uint8_t *msg, size_t len)
{
	int ret = read_peer(h, msg, len);

	if (ret < 0)
		noise_wipe(h);
	return ret;
}

/* ---- the handshake ---- */

/* Section 5.2: a name that is longer than a hash is hashed, another one padded with zeros. */
static void hash_name(struct noise *h)
{
	static const char *const names[2][2] = {
		{ "Noise_IK_25519_ChaChaPoly_SHA256", "Noise_IK_25519_AESGCM_SHA256" },
		{ "Noise_IKpsk2_25519_ChaChaPoly_SHA256",
		  "Noise_IKpsk2_25519_AESGCM_SHA256" },
	};
	const char *name = names[h->has_psk][h->suite == SEAL_AES256_GCM];
	size_t len = strlen(name);
	struct iovec iov = piece(name, len);

	if (len > sizeof(h->h))
		crypto_hash(h->h, &iov, 1);
	else
		memcpy(h->h, name, len);
	memcpy(h->ck, h->h, sizeof(h->ck));
}

void noise_init(struct noise *h, bool is_dialler, enum seal_suite suite,
		const void *prologue, size_t prologue_len, const struct noise_pair *s,
		const uint8_t *rs, const uint8_t *psk)
{
	memset(h, 0, sizeof(*h));
	h->stage = NOISE_FIRST;
	h->suite = suite;
	h->is_dialler = is_dialler;
	h->s = *s;
	if (is_dialler)
		memcpy(h->rs, rs, SEAL_KEY_BYTES);
	if (psk) {
		h->has_psk = true;
		memcpy(h->psk, psk, SEAL_KEY_BYTES);
	}
	hash_name(h);
	mix_hash(h, prologue, prologue_len);
	mix_hash(h, is_dialler ? h->rs : h->s.pub, SEAL_KEY_BYTES);
}

const uint8_t *noise_peer(const struct noise *h)
{
	return h->is_dialler || h->stage >= NOISE_FIRST_PEER ? h->rs : NULL;
}

void noise_set_psk(struct noise *h, const uint8_t psk[SEAL_KEY_BYTES])
{
	memcpy(h->psk, psk, SEAL_KEY_BYTES);
}

void noise_set_shared(struct noise *h, const uint8_t shared[SEAL_KEY_BYTES])
{
	h->has_shared = true;
	memcpy(h->shared, shared, SEAL_KEY_BYTES);
}

void noise_set_ephemeral(struct noise *h, const uint8_t key[SEAL_KEY_BYTES])
{
	h->has_ephemeral = true;
	memcpy(h->e.key, key, SEAL_KEY_BYTES);
}

const uint8_t *noise_hash(const struct noise *h)
{
	return h->h;
}

int noise_split(struct noise *h, uint8_t send[SEAL_KEY_BYTES],
		uint8_t recv[SEAL_KEY_BYTES])
{
	bool is_done = h->stage == NOISE_DONE;
	uint8_t out[2][SEAL_HASH_BYTES] = { { 0 } };

	if (is_done)
		noise_hkdf(out, 2, h->ck, NULL, 0);
	memcpy(send, out[!h->is_dialler], SEAL_KEY_BYTES);
	memcpy(recv, out[h->is_dialler], SEAL_KEY_BYTES);
	crypto_wipe(out, sizeof(out));
	noise_wipe(h);
	return is_done ? 0 : -EINVAL;
}

void noise_wipe(struct noise *h)
{
	crypto_wipe(h, sizeof(*h));
}
