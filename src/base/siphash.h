/* SPDX-License-Identifier: MIT */
/*
 * SipHash-2-4 of one 64-bit number: a keyed hash, which nobody without the key can
 * compute. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.
 */
#ifndef SIPHASH_H
#define SIPHASH_H

#include <stdint.h>

/*
 * siphash() - Hash @m, taken as its eight bytes, the lowest first.
 * @key: the 16-byte key as two numbers, each with its lowest byte first
 *
 * Return: the hash.
 */
uint64_t siphash(const uint64_t key[2], uint64_t m);

#endif
