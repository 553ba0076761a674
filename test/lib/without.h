/* SPDX-License-Identifier: MIT */
/*
 * What the kernel is to refuse in this run, as itest/without.c has it refuse it: a test
 * then expects what there is without it, or says that it leaves a part out.
 */
#ifndef LIB_WITHOUT_H
#define LIB_WITHOUT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* is_without() - Whether LACKS, a list with commas, has @name or "all". */
static inline bool is_without(const char *name)
{
	const char *list = getenv("LACKS");
	char within[256], wanted[40];

	snprintf(within, sizeof(within), ",%s,", list ? list : "");
	snprintf(wanted, sizeof(wanted), ",%s,", name);
	return strstr(within, wanted) || strstr(within, ",all,");
}

/* leave_out() - The same, and say that @what is left out for it. */
static inline bool leave_out(const char *name, const char *what)
{
	bool is_left_out = is_without(name);

	if (is_left_out)
		printf("# left out, without %s: %s\n", name, what);
	return is_left_out;
}

#endif
