/* SPDX-License-Identifier: MIT */
/*
 * What sealing costs without a network: records sealed and opened by src/seal/crypto.c beside
 * the library called directly, and handshakes of src/seal/noise.c, on one core. Prints lines
 *
 *	record CIPHER BYTES OURS LIBRARY	MB/s of sealing, the best of some turns
 *	open CIPHER BYTES OURS		of opening; of large ones alone, for the clock takes time
 *	handshake WHAT N			a second
 *
 * by the time that the processor took, so that others on the machine matter less.
 *
 * usage: seal [SECONDS]     for each figure, by default 0.5
 */
#include <bearssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "seal/noise.h"

#define TURNS 5
#define RECORD_MAX 65536
#define HEADER 4

static double limit = 0.5;
static uint8_t record[RECORD_MAX + SEAL_TAG_BYTES];
static const uint8_t key[SEAL_KEY_BYTES] = { 1, 2, 3 };
static const uint8_t header[HEADER];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- what is measured ---- */

struct work {
	enum seal_suite suite;
	size_t len;
	uint64_t n;
	struct aead *aead;
	br_aes_gen_ctr_keys aes;
	br_gcm_context gcm;
};

static void ours(struct work *w)
{
	aead_seal(w->aead, w->n++, header, HEADER, record, w->len, record + w->len);
}

/* The right message each time: what is refused is wiped, which takes longer. */
static void open_ours(struct work *w)
{
	uint8_t tag[SEAL_TAG_BYTES];

	memcpy(tag, record + w->len, sizeof(tag));
	if (aead_open(w->aead, 0, header, HEADER, record, w->len, tag) < 0)
		abort();
}

static void library(struct work *w)
{
	uint8_t nonce[12] = { 0 };

	memcpy(nonce + 4, &w->n, 8);
	w->n++;
	if (w->suite == SEAL_AES256_GCM) {
		br_gcm_reset(&w->gcm, nonce, sizeof(nonce));
		br_gcm_aad_inject(&w->gcm, header, HEADER);
		br_gcm_flip(&w->gcm);
		br_gcm_run(&w->gcm, 1, record, w->len);
		br_gcm_get_tag(&w->gcm, record + w->len);
	} else {
		br_poly1305_run run = br_poly1305_ctmulq_get();
		br_chacha20_run chacha20 = br_chacha20_sse2_get();

		run = run ? run : br_poly1305_ctmul_run;
		run(key, nonce, record, w->len, header, HEADER, record + w->len,
		    chacha20 ? chacha20 : br_chacha20_ct_run, 1);
	}
}

/* ---- measuring ---- */

static double megabytes_a_second(struct work *w, void (*one)(struct work *))
{
	double begin = now(), took;
	size_t bytes = 0;

	do {
		for (int i = 0; i < 8; i++)
			one(w);
		bytes += 8 * w->len;
		took = now() - begin;
	} while (took < limit / TURNS);
	return (double)bytes / took / 1e6;
}

static double larger(double a, double b)
{
	return a > b ? a : b;
}

/* Opening takes the record in turns with sealing, so that there is always one to open. */
static double opening(struct work *w)
{
	double took = 0;
	size_t bytes = 0;

	while (took < limit / TURNS) {
		double begin;

		w->n = 0;
		ours(w);
		begin = now();
		open_ours(w);
		took += now() - begin;
		bytes += w->len;
	}
	return (double)bytes / took / 1e6;
}

static void records(const char *name, enum seal_suite suite, size_t len)
{
	struct work w = { .suite = suite, .len = len, .aead = aead_new() };
	double best[3] = { 0 };
	const br_block_ctr_class *aes = br_aes_x86ni_ctr_get_vtable();
	br_ghash ghash = br_ghash_pclmul_get();

	if (!w.aead)
		abort();
	aead_set(w.aead, suite, key);
	if (suite == SEAL_AES256_GCM) {
		aes = aes ? aes : br_aes_pwr8_ctr_get_vtable();
		aes->init(&w.aes.vtable, key, sizeof(key));
		br_gcm_init(&w.gcm, &w.aes.vtable, ghash ? ghash : br_ghash_pwr8_get());
	}
	for (int i = 0; i < TURNS; i++) {
		best[0] = larger(best[0], megabytes_a_second(&w, ours));
		best[1] = larger(best[1], megabytes_a_second(&w, library));
		best[2] = len < RECORD_MAX ? 0 : larger(best[2], opening(&w));
	}
	printf("record %s %zu %.0f %.0f\n", name, len, best[0], best[1]);
	if (len == RECORD_MAX)
		printf("open %s %zu %.0f\n", name, len, best[2]);
	aead_free(w.aead);
}

/* ---- handshakes ---- */

enum what { DIALLER, LISTENER, KNOWN, STRANGER, WHATS };

static const char *const whats[WHATS] = {
	[DIALLER] = "dialler",
	[LISTENER] = "listener",
	[KNOWN] = "listener-that-knows-the-peer",
	[STRANGER] = "refused-stranger",
};

/* Add to @took[] what each end took; the listener knows @shared, unless it is NULL. */
static void shake(const struct noise_pair pairs[2], const uint8_t *shared,
		  double took[WHATS])
{
	static const uint8_t psk[SEAL_KEY_BYTES];
	struct noise dialler, listener, other;
	uint8_t first[NOISE_IK_1], second[NOISE_IK_2], keys[2][SEAL_KEY_BYTES];
	double at[5] = { now() };

	noise_init(&dialler, true, SEAL_CHACHA20_POLY1305, "", 0, &pairs[0], pairs[1].pub,
		   psk);
	noise_write(&dialler, NULL, 0, first);
	at[1] = now();
	noise_init(&listener, false, SEAL_CHACHA20_POLY1305, "", 0, &pairs[1], NULL, psk);
	other = listener;
	if (noise_read_peer(&listener, first, sizeof(first)) < 0)
		abort();
	if (shared)
		noise_set_shared(&listener, shared);
	noise_read(&listener, first, sizeof(first), NULL);
	noise_write(&listener, NULL, 0, second);
	noise_split(&listener, keys[0], keys[1]);
	at[2] = now();
	if (noise_read(&dialler, second, sizeof(second), NULL) < 0)
		abort();
	noise_split(&dialler, keys[0], keys[1]);
	at[3] = now();
	first[SEAL_KEY_BYTES] ^= 1;
	if (noise_read_peer(&other, first, sizeof(first)) == 0)
		abort();
	at[4] = now();
	took[DIALLER] += at[1] - at[0] + at[3] - at[2];
	took[shared ? KNOWN : LISTENER] += at[2] - at[1];
	took[STRANGER] += at[4] - at[3];
}

static void handshakes(void)
{
	struct noise_pair pairs[2];
	uint8_t shared[SEAL_KEY_BYTES];
	double took[WHATS] = { 0 };
	int n = 0;

	for (int i = 0; i < 2; i++) {
		if (crypto_random(pairs[i].key, sizeof(pairs[i].key)) < 0)
			abort();
		crypto_public(pairs[i].pub, pairs[i].key);
	}
	if (crypto_dh(shared, pairs[1].key, pairs[0].pub) < 0)
		abort();
	for (; took[DIALLER] < 2 * limit; n++) {
		shake(pairs, shared, took);
		shake(pairs, NULL, took);
	}
	for (int i = 0; i < WHATS; i++) {
		bool is_twice = i == DIALLER || i == STRANGER;

		printf("handshake %s %.0f\n", whats[i], (is_twice ? 2 : 1) * n / took[i]);
	}
}

int main(int argc, char **argv)
{
	static const size_t lengths[] = { 64, 1500, 12288, 65536 };

	if (argc > 1)
		limit = atof(argv[1]);
	if (argc > 2 || limit <= 0) {
		fprintf(stderr, "usage: seal [SECONDS]\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		if (crypto_has_aes())
			records("aes-256-gcm", SEAL_AES256_GCM, lengths[i]);
		records("chacha20-poly1305", SEAL_CHACHA20_POLY1305, lengths[i]);
	}
	handshakes();
	return 0;
}
