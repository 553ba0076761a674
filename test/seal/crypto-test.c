/* SPDX-License-Identifier: MIT */
/*
 * crypto.c, beside the vectors of those who published each algorithm: RFC 7748 (X25519),
 * RFC 8439 (ChaCha20-Poly1305), RFC 4231 (HMAC), FIPS 180-2 (SHA-256), and of AES-256-GCM
 * McGrew and Viega's test cases 13 and 14, whose nonces are zero; their others have nonces
 * that Noise never makes.
 */
#include "seal/crypto.h"

#include <errno.h>
#include <stdlib.h>

#include "base/parts.h"
#include "base/util.h"
#include "lib/hex.h"
#include "lib/no-random.h"
#include "lib/random.h"
#include "lib/tap.h"

#ifdef HAS_SANDY2X
#include <bearssl.h>
#endif

/* ---- the curve ---- */

static void dh(const char *key, const char *pub, const char *want, const char *what)
{
	uint8_t k[32], p[32], out[32];

	hex_read(k, sizeof(k), key);
	hex_read(p, sizeof(p), pub);
	ok_eq_int(crypto_dh(out, k, p), 0, "%s: is accepted", what);
	ok_hex(out, 32, want, what);
	ok_eq_int(crypto_dh(p, k, p), 0, "%s: in place", what);
	ok_hex(p, 32, want, what);
}

static void iterate(void)
{
	uint8_t k[32] = { 9 }, u[32] = { 9 }, next[32];

	for (int i = 1; i <= 1000; i++) {
		crypto_dh(next, k, u);
		memcpy(u, k, 32);
		memcpy(k, next, 32);
		if (i == 1)
			ok_hex(k, 32,
			       "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
			       "RFC 7748, 5.2: after one iteration");
	}
	ok_hex(k, 32, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51",
	       "RFC 7748, 5.2: after 1000 iterations");
}

static void test_x25519(void)
{
	dh("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
	   "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
	   "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
	   "RFC 7748, 5.2: the first vector");
	dh("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
	   "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
	   "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
	   "RFC 7748, 5.2: the second, with the highest bit of the point set");
	iterate();
}

/*
 * What comes of these is a number below 19, which 255 bits can write in two ways: as it is,
 * as RFC 7748 asks, and with the prime added. They are such a point of prime order, on the
 * curve or on its twist, multiplied by the inverse of the key.
 */
static void test_smallest(void)
{
	dh("f0b165224a58b791df6af1d8303e61cdc4bb86c3d1c427103c344c4189eb2f5e",
	   "d0e0508c69fb01133449463115472e01041b7182aba0a2d833ed992b7993a259",
	   "0200000000000000000000000000000000000000000000000000000000000000",
	   "2 comes of it, on the twist");
	dh("78d5d47e446fcec2a3d811736110e5781bcccea696762e6116c6e9c92d99bf75",
	   "ad945a98a17a720a7fef88e2f8b1da1bd1bdab266fe561649cce3cafb169894d",
	   "0900000000000000000000000000000000000000000000000000000000000000",
	   "9 comes of it, the base point");
	dh("882e0718822ce47ca8c74107e66cb0e4b2b3f4d58d82ca6386d2c96e760e815b",
	   "3bba48f6f690ccb34f9a5fb0a9bc751cdcda9af71736338571aaaa58ce115a0c",
	   "1000000000000000000000000000000000000000000000000000000000000000",
	   "16 comes of it, on the curve");
}

/* Points next to the prime, whose limbs are full, so that carries run through; by OpenSSL. */
static void test_carries(void)
{
	dh("457c769f39d8644199c0e5bdbcfbc85b37ce91cbde1fc1b0ea6b44f130436dd7",
	   "d0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	   "a06293ac13e21abcedb6ad1b38708e21d604c893eca3a2fddbeb63d7a917a82e",
	   "2^255 - 48");
	dh("29fe69bd9e8ceba6a07d1dec25b1b087efe26c07ff0d21d7db0b33777738a5c6",
	   "e1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	   "2323aa94ab66d07b10364e5d13adc13c7ca0bf8daaa4e9de917141432e443f0a",
	   "2^255 - 31");
	dh("a2e81478007152dea8651f3fce59796168e9338b87fe1a1a45cfed925923d43f",
	   "efffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	   "e8c1503460b387d78d891e575ee5d971a843ee21e40d3dff52f87f791c326c19",
	   "2^255 - 17");
}

#ifdef HAS_SANDY2X
/* Any points, small ones, and those next to 2^255, as BearSSL computes them. */
static void test_against_bearssl(void)
{
	int n = 0;

	random_begin(7);
	for (int i = 0; i < 600; i++) {
		uint8_t key[32], point[32], ours[32], theirs[32];

		rnd_bytes(key, sizeof(key));
		rnd_bytes(point, sizeof(point));
		if (i % 3) {
			memset(point + 1, i % 3 == 1 ? 0 : 0xff, 31);
			point[31] ^= (uint8_t)(i & 0x80);
		}
		memcpy(theirs, point, sizeof(theirs));
		br_ec_c25519_m31.mul(theirs, 32, key, 32, BR_EC_curve25519);
		crypto_dh(ours, key, point);
		n += !memcmp(ours, theirs, 32);
	}
	ok_eq_int(n, 600, "X25519 as BearSSL computes it");
}
#else
static void test_against_bearssl(void)
{
}
#endif

/* ---- low orders ---- */

/* Points of low order (RFC 7748, 6.1, and Bernstein's list), also by numbers beyond the prime. */
static void test_low_order(void)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	static const uint8_t key[32] = { 1, 2, 3 };
	uint8_t point[32], out[32];

	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		hex_read(point, sizeof(point), points[i]);
		memset(out, 1, sizeof(out));
		ok_eq_int(crypto_dh(out, key, point), -EINVAL, "low order: %s",
			  points[i]);
		point[31] |= 0x80;
		ok_eq_int(crypto_dh(out, key, point), -EINVAL,
			  "the same with the highest bit");
		ok_hex(out, 32, points[0], "and what comes of it is zero");
	}
}

static void test_public(void)
{
	static const char alice[] =
		"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
	static const char bob[] =
		"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
	static const char alice_public[] =
		"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
	static const char bob_public[] =
		"de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
	static const char shared[] =
		"4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
	uint8_t key[32], pub[32];

	hex_read(key, sizeof(key), alice);
	crypto_public(pub, key);
	ok_hex(pub, 32, alice_public, "RFC 7748, 6.1: Alice's public key");
	hex_read(key, sizeof(key), bob);
	crypto_public(pub, key);
	ok_hex(pub, 32, bob_public, "RFC 7748, 6.1: Bob's public key");
	dh(alice, bob_public, shared, "RFC 7748, 6.1: what Alice computes");
	dh(bob, alice_public, shared, "RFC 7748, 6.1: what Bob computes");
}

/* ---- hashes ---- */

/* The same text in one piece, and in three. */
static int cut(struct iovec iov[3], const char *text, size_t n, bool is_cut)
{
	size_t at = is_cut ? n / 3 : n;

	iov[0] = (struct iovec){ .iov_base = (void *)(uintptr_t)text, .iov_len = at };
	iov[1] = (struct iovec){ .iov_base = (void *)(uintptr_t)(text + at),
				 .iov_len = 0 };
	iov[2] = (struct iovec){ .iov_base = (void *)(uintptr_t)(text + at),
				 .iov_len = n - at };
	return is_cut ? 3 : 1;
}

static void test_hash(void)
{
	static const char long_text[] =
		"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	uint8_t out[32];
	struct iovec iov[3];

	crypto_hash(out, NULL, 0);
	ok_hex(out, 32,
	       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	       "SHA-256 of nothing");
	for (int is_cut = 0; is_cut < 2; is_cut++) {
		crypto_hash(out, iov, cut(iov, "abc", 3, is_cut));
		ok_hex(out, 32,
		       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		       "FIPS 180-2, B.1");
		crypto_hash(out, iov, cut(iov, long_text, strlen(long_text), is_cut));
		ok_hex(out, 32,
		       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
		       "FIPS 180-2, B.2");
	}
}

static void hmac(const char *key, const char *text, const char *want, const char *what)
{
	uint8_t k[200], out[32];
	char data[200];
	size_t k_len = hex_read(k, sizeof(k), key);
	size_t len = hex_read((uint8_t *)data, sizeof(data), text);
	struct iovec iov[3];

	for (int is_cut = 0; is_cut < 2; is_cut++) {
		crypto_hmac(out, k, k_len, iov, cut(iov, data, len, is_cut));
		ok_hex(out, strlen(want) / 2, want, what);
	}
}

#define AA_20 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define AA_131 AA_20 AA_20 AA_20 AA_20 AA_20 AA_20 "aaaaaaaaaaaaaaaaaaaaaa"
#define DD_50                                                                              \
	"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd" \
	"dddddddddddddddddddd"

static void test_hmac(void)
{
	hmac("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
	     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
	     "RFC 4231, 1");
	hmac("4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
	     "RFC 4231, 2");
	hmac(AA_20, DD_50,
	     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
	     "RFC 4231, 3");
	hmac(AA_131,
	     "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048"
	     "617368204b6579204669727374",
	     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
	     "RFC 4231, 6");
}

/* ---- ciphers ---- */

struct sealed {
	const char *what;
	enum seal_suite suite;
	const char *key;
	uint64_t n;
	const char *ad, *text, *want; /* with its tag behind it */
};

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define COUNT "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define SIXTY                                                                                  \
	"01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3dae1e8eff6fd040b121920" \
	"272e353c434a51585f666d747b828990979e"
#define AD_20 "05080b0e1114171a1d202326292c2f3235383b3e"

/* Those of nonces with all bytes different were computed by OpenSSL 3.0. */
static const struct sealed sealed[] = {
	{ "RFC 8439, A.5", SEAL_CHACHA20_POLY1305,
	  "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
	  0x0807060504030201u, "f33388860000000000004e91",
	  "496e7465726e65742d4472616674732061726520647261667420646f63756d656e74732076616c6964"
	  "20666f722061206d6178696d756d206f6620736978206d6f6e74687320616e64206d61792062652075"
	  "7064617465642c207265706c616365642c206f72206f62736f6c65746564206279206f746865722064"
	  "6f63756d656e747320617420616e792074696d652e20497420697320696e617070726f707269617465"
	  "20746f2075736520496e7465726e65742d447261667473206173207265666572656e6365206d617465"
	  "7269616c206f7220746f2063697465207468656d206f74686572207468616e206173202fe2809c776f"
	  "726b20696e2070726f67726573732e2fe2809d",
	  "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea0"
	  "9ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad"
	  "176e008d33bd60f982b1ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f615"
	  "7b53c867e4b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7"
	  "f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd631"
	  "59434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130305beaba2eda"
	  "04df997b714d6c6f2c29a6ad5cb4022b02709beead9d67890cbb22392336fea1851f38" },
	{ "ChaCha20-Poly1305", SEAL_CHACHA20_POLY1305, COUNT, 0x0102030405060708u, AD_20,
	  SIXTY,
	  "f141a2f2b61dc12a5deb6d82262402d2917e8d4205d0de3cfe8510e32cce7407b894ef4b2f3602eb09"
	  "1441def75ca32cade7a9ee42e8f79e0b771a3784eadd94810eaf615df56d9762103520" },
	{ "nothing, by ChaCha20-Poly1305", SEAL_CHACHA20_POLY1305, ZEROS, 0, "", "",
	  "4eb972c9a8fb3a1b382bb4d36f5ffad1" },
	{ "McGrew and Viega, 13", SEAL_AES256_GCM, ZEROS, 0, "", "",
	  "530f8afbc74536b9a963b4f1c4cb738b" },
	{ "McGrew and Viega, 14", SEAL_AES256_GCM, ZEROS, 0, "",
	  "00000000000000000000000000000000",
	  "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919" },
	{ "AES-256-GCM", SEAL_AES256_GCM, COUNT, 0x0102030405060708u, AD_20, SIXTY,
	  "05596a18c0c522ac3adfbaa14b3b5a9a0b8123445a41d3ce404be3eeaefb0c17cec0f76e67bec634f9"
	  "2745b55f1513ec6ba386c74874c024c28a2e7d4859a0949c28e163b26be71fa49ded20" },
};

/* Whether a message with one bit flipped is refused, and nothing of it is seen. */
static bool is_refused(struct aead *a, const struct sealed *s, const uint8_t *ad,
		       size_t ad_len, const uint8_t *message, size_t len)
{
	static const uint8_t zeros[512];
	uint8_t bytes[512];

	memcpy(bytes, message, len + SEAL_TAG_BYTES);
	return aead_open(a, s->n, ad, ad_len, bytes, len, bytes + len) == -EBADMSG &&
	       !memcmp(bytes, zeros, len);
}

static void flip(struct aead *a, const struct sealed *s, uint8_t *ad, size_t ad_len,
		 uint8_t *message, size_t len)
{
	struct sealed other = *s;
	unsigned taken = 0;

	for (size_t bit = 0; bit < 8 * (len + SEAL_TAG_BYTES); bit++) {
		message[bit / 8] ^= (uint8_t)(1 << bit % 8);
		taken += !is_refused(a, s, ad, ad_len, message, len);
		message[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ok_eq_int(taken, 0, "%s: each bit of the message counts", s->what);
	for (size_t bit = 0; bit < 8 * ad_len; bit++) {
		ad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		taken += !is_refused(a, s, ad, ad_len, message, len);
		ad[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (unsigned bit = 0; bit < 64; bit++) {
		other.n = s->n ^ (uint64_t)1 << bit;
		taken += !is_refused(a, &other, ad, ad_len, message, len);
	}
	ok_eq_int(taken, 0, "%s: so does each of what goes with it, and of the nonce",
		  s->what);
}

static void open_and_seal(const struct sealed *s, struct aead *a)
{
	uint8_t key[32], ad[64], text[512], message[512];
	size_t ad_len = hex_read(ad, sizeof(ad), s->ad);
	size_t len = hex_read(text, sizeof(text), s->text);

	hex_read(key, sizeof(key), s->key);
	aead_set(a, s->suite, key);
	memcpy(message, text, len);
	aead_seal(a, s->n, ad, ad_len, message, len, message + len);
	ok_hex(message, len + SEAL_TAG_BYTES, s->want, s->what);
	flip(a, s, ad, ad_len, message, len);
	ok_eq_int(aead_open(a, s->n, ad, ad_len, message, len, message + len), 0,
		  "%s: opened", s->what);
	ok_hex(message, len, s->text, s->what);
}

static void test_aead(void)
{
	struct aead *a = aead_new();
	struct aead copy;

	for (size_t i = 0; i < ARRAY_SIZE(sealed); i++) {
		if (sealed[i].suite == SEAL_AES256_GCM && !crypto_has_aes())
			ok(true, "%s # SKIP this processor has no AES", sealed[i].what);
		else
			open_and_seal(&sealed[i], a);
	}
	open_and_seal(&sealed[0], &copy);
	aead_free(a);
	aead_free(NULL);
}

/* ---- memory ---- */

static void test_memory(void)
{
	uint8_t a[70], b[70];
	unsigned equal = 0;

	ok_eq_int(crypto_random(a, sizeof(a)), 0, "random bytes");
	ok_eq_int(crypto_random(b, sizeof(b)), 0, "and more of them");
	ok(!crypto_equal(a, b, sizeof(a)), "are others");
	memcpy(b, a, sizeof(b));
	ok(crypto_equal(a, b, sizeof(a)), "the same bytes are equal");
	for (unsigned bit = 0; bit < 8 * sizeof(a); bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		equal += crypto_equal(a, b, sizeof(a));
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ok_eq_int(equal, 0, "those with one bit flipped are not");
	random_at_once = 30;
	random_breaks = 2;
	memset(a, 0, sizeof(a));
	ok_eq_int(crypto_random(a, sizeof(a)), 0,
		  "random bytes that come in three pieces");
	memset(b, 0, sizeof(b));
	ok(!crypto_equal(a, b, 20) && !crypto_equal(a + 30, b, 20) &&
		   !crypto_equal(a + 50, b, 20),
	   "they fill all of it");
	random_error = ENOSYS;
	ok_eq_int(crypto_random(a, sizeof(a)), -ENOSYS, "a kernel that has none");
	random_error = 0;
	memcpy(b, a, sizeof(b));
	crypto_wipe(a, sizeof(a) - 1);
	memset(b, 0, sizeof(b) - 1);
	ok(crypto_equal(a, b, sizeof(a)), "what is wiped is zero, and nothing beyond it");
}

int main(void)
{
	if (!HAS_KEYS) {
		ok(true, "crypto # SKIP built without a library");
		return done();
	}
	test_x25519();
	test_smallest();
	test_carries();
	test_against_bearssl();
	test_public();
	test_low_order();
	test_hash();
	test_hmac();
	test_aead();
	test_memory();
	return done();
}
