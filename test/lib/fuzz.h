/* SPDX-License-Identifier: MIT */
/*
 * What the fuzzers share. Each is a program of libFuzzer's, which makes up inputs
 * and is led by what of the code they reach: `make fuzz`. The same functions are run
 * by `make unit`, with the same inputs every time.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* must() - What does not hold is a finding; the input that led to it is kept. */
#define must(cond)                                                                 \
	do {                                                                       \
		if (!(cond)) {                                                     \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, \
				#cond);                                            \
			abort();                                                   \
		}                                                                  \
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

#endif
