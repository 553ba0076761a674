/* SPDX-License-Identifier: MIT */
/* What x86 processors say of themselves, for those who choose by it. */
#ifndef X86_H
#define X86_H

#include <cpuid.h>
#include <stdbool.h>

/* Registers, as bits of XCR0 (Intel's Software Developer's Manual, volume 1, 13.3). */
#define X86_AVX 0x6
#define X86_AVX512 0xe6

/*
 * x86_saves() - Whether the kernel saves all of these registers. If not, no program may use
 * them, though the processor has them.
 */
static inline bool x86_saves(unsigned registers)
{
	unsigned a, b, c, d, low, high;

	__cpuid(1, a, b, c, d);
	if (!(c & bit_OSXSAVE))
		return false;
	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & registers) == registers;
}

#endif
