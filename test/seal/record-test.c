/* SPDX-License-Identifier: MIT */
/* Records of one direction: each comes once, in order, and as it was sealed. */
#include "seal/record.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/no-memory.h"
#include "lib/random.h"
#include "lib/tap.h"

static const uint8_t key[SEAL_KEY_BYTES] = { 42 };
static uint8_t text[RECORD_MAX], sent[RECORD_SIZE_MAX], copy[RECORD_SIZE_MAX];

static struct record_way tx, rx;

static void begin(enum seal_suite suite)
{
	if (record_begin(&tx, suite, key, 0) < 0 || record_begin(&rx, suite, key, 0) < 0)
		abort();
}

static void end(void)
{
	record_end(&tx);
	record_end(&rx);
}

/* Return: bytes of the record. */
static size_t seal(size_t len)
{
	memcpy(sent + RECORD_HEAD, text, len);
	return record_seal(&tx, RECORD_DATA, sent, sent + RECORD_HEAD, len);
}

/* Return: whether the first @n bytes of @sent are opened, and are the text. */
static bool opens(size_t len)
{
	enum record_kind kind = RECORD_END;

	return record_size(sent) == len + RECORD_OVERHEAD &&
	       record_open(&rx, sent, sent + RECORD_HEAD, &kind) == (int)len &&
	       kind == RECORD_DATA && memcmp(sent + RECORD_HEAD, text, len) == 0;
}

static int open_copy(void)
{
	enum record_kind kind;

	return record_size(copy) ? record_open(&rx, copy, copy + RECORD_HEAD, &kind)
				 : -EBADMSG;
}

static void test_lengths(enum seal_suite suite)
{
	static const size_t lens[] = { 0, 1, 15, 16, 17, 60, 4096, RECORD_MAX };
	unsigned good = 0;

	begin(suite);
	for (unsigned i = 0; i < sizeof(lens) / sizeof(*lens); i++)
		good += seal(lens[i]) == lens[i] + RECORD_OVERHEAD && opens(lens[i]);
	ok_eq_int(good, sizeof(lens) / sizeof(*lens), "records of all lengths, suite %d",
		  suite);
	end();
}

static void test_flipped(enum seal_suite suite)
{
	unsigned taken = 0;
	size_t size;

	begin(suite);
	size = seal(60);
	for (unsigned bit = 0; bit < size * 8; bit++) {
		memcpy(copy, sent, sizeof(copy));
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		taken += open_copy() >= 0;
	}
	ok_eq_int(taken, 0, "no bit of a record can be another one");
	ok(opens(60), "and the right one is still taken");
	end();
}

static void test_order(void)
{
	static uint8_t second[RECORD_SIZE_MAX];

	begin(SEAL_CHACHA20_POLY1305);
	seal(60);
	memcpy(copy, sent, sizeof(copy));
	ok(opens(60) && open_copy() == -EBADMSG, "a record does not come twice");
	end();
	begin(SEAL_CHACHA20_POLY1305);
	seal(60);
	memcpy(second, sent, sizeof(second));
	seal(61);
	memcpy(copy, sent, sizeof(copy));
	ok(open_copy() == -EBADMSG, "nor ahead of another");
	memcpy(sent, second, sizeof(sent));
	ok(opens(60), "which is the next one still");
	end();
	begin(SEAL_CHACHA20_POLY1305);
	seal(60);
	record_end(&rx);
	record_begin(&rx, SEAL_CHACHA20_POLY1305, text, 0);
	memcpy(copy, sent, sizeof(copy));
	ok(open_copy() == -EBADMSG, "nor in another session");
	end();
}

static void test_rekey(enum seal_suite suite)
{
	unsigned good = 0;

	begin(suite);
	tx.max_records = 3;
	for (unsigned i = 0; i < 20; i++) {
		if (record_is_stale(&tx, 0)) {
			record_rekey(&tx, 0);
			record_rekey(&rx, 0);
			good += 100;
		}
		seal(100 + i);
		good += opens(100 + i);
	}
	ok_eq_int(good, 620, "records go on under another key after so many");
	ok(tx.n == 20 && rx.n == 20, "and their number, too");
	seal(60);
	memcpy(copy, sent, sizeof(copy));
	record_rekey(&rx, 0);
	ok_eq_int(open_copy(), -EBADMSG, "the old key opens nothing of the new one's");
	end();
	begin(suite);
	ok(!record_is_stale(&tx, RECORD_REKEY_MS - 1) &&
		   record_is_stale(&tx, RECORD_REKEY_MS),
	   "it is time for another one after an hour");
	record_rekey(&tx, RECORD_REKEY_MS);
	ok(!record_is_stale(&tx, RECORD_REKEY_MS), "and not at once again");
	tx.n = RECORD_REKEY_RECORDS;
	ok(record_is_stale(&tx, RECORD_REKEY_MS), "and after so many records");
	end();
}

static void test_heads(void)
{
	static const struct {
		uint8_t head[RECORD_HEAD];
		size_t size;
	} rows[] = {
		{ { 0, 0, 0, 16 }, 20 },
		{ { 0, 0, 0, 15 }, 0 },
		{ { 0, 0, 0, 0 }, 0 },
		{ { 0, 1, 0, 16 }, 20 },
		{ { 0, 2, 0, 16 }, 20 },
		{ { 0, 3, 0, 16 }, 0 },
		{ { 1, 0, 0, 16 }, 0 },
		{ { 0, 0, 0xff, 0xff }, RECORD_SIZE_MAX },
		{ { 0xff, 0xff, 0xff, 0xff }, 0 },
	};
	unsigned good = 0, n = sizeof(rows) / sizeof(*rows);

	for (unsigned i = 0; i < n; i++)
		good += record_size(rows[i].head) == rows[i].size;
	ok_eq_int(good, n, "what a record may begin with");
	record_end(&tx);
	record_end(&tx);
	ok(!tx.aead, "an end may come twice");
}

static void test_no_memory(void)
{
	no_memory = true;
	ok_eq_int(record_begin(&tx, SEAL_CHACHA20_POLY1305, key, 0), -ENOMEM,
		  "no memory for a cipher");
	no_memory = false;
	record_end(&tx);
	ok(!tx.aead, "and it can be ended all the same");
}

int main(void)
{
	enum seal_suite last = crypto_has_aes() ? SEAL_AES256_GCM
						: SEAL_CHACHA20_POLY1305;

	random_begin(1);
	rnd_bytes(text, sizeof(text));
	for (enum seal_suite s = SEAL_CHACHA20_POLY1305; s <= last; s++) {
		test_lengths(s);
		test_flipped(s);
		test_rekey(s);
	}
	test_order();
	test_heads();
	test_no_memory();
	return done();
}
