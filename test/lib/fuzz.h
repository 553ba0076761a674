/* SPDX-License-Identifier: MIT */
/*
 * What the fuzzers share. Each is a program of libFuzzer's, which makes up inputs
 * and is led by what of the code they reach: `make fuzz`. The same functions are run
 * by `make unit`, with the same inputs every time, and by `make check` with those in
 * test/corpus (lib/replay.h).
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* must() - What does not hold is a finding; the input that led to it is kept. */
#define must(cond)                                                                \
	do {                                                                      \
		if (!(cond)) {                                                    \
			printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			fflush(stdout);                                           \
			abort();                                                  \
		}                                                                 \
	} while (0)

/* An input, to be read from its beginning; behind its end are zeros. */
struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static inline uint32_t fuzz_number(struct fuzz_input *in, unsigned bytes)
{
	uint32_t n = 0;

	for (; bytes; bytes--)
		n = n << 8 | fuzz_byte(in);
	return n;
}

/* fuzz_text() - The next bytes up to a newline, as a string to be freed. */
static inline char *fuzz_text(struct fuzz_input *in)
{
	const uint8_t *end = in->left ? memchr(in->at, '\n', in->left) : NULL;
	size_t len = end ? (size_t)(end - in->at) : in->left;
	char *text = malloc(len + 1);

	must(text);
	memcpy(text, in->left ? in->at : (const uint8_t *)"", len);
	text[len] = '\0';
	len += end != NULL;
	in->at += len;
	in->left -= len;
	return text;
}

/* fuzz_copy() - A string of all of @data, to be freed. */
static inline char *fuzz_copy(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	must(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

#ifndef FUZZER
#include "lib/replay.h"
#endif

#endif
