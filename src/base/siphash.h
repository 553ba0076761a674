/* SPDX-License-Identifier: MIT */
/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012) of one 64-bit number: what only
 * somebody who knows the key can make.
 */
#ifndef SIPHASH_H
#define SIPHASH_H

#include <stdint.h>

/*
 * siphash() - Of @m, as of its eight bytes, the lowest first.
 * @key: 16 bytes as two numbers, the lowest byte first
 */
uint64_t siphash(const uint64_t key[2], uint64_t m);

#endif
