/* SPDX-License-Identifier: MIT */
/*
 * A test harness that speaks TAP, https://testanything.org: a line for each
 * check, and the plan at the end, or with plan() at the beginning. Where a check
 * failed is said on stdout too, as a comment behind its line, and the seed of the
 * random numbers, if there are any. main() ends with "return done();".
 */
#ifndef LIB_TAP_H
#define LIB_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
	int planned;
	int run;
	int failed;
	bool has_seed; /* of random.h */
	unsigned long long seed;
} tap;

/* ok() - Check @cond; the rest is what is checked, as for printf(). Return: @cond. */
#define ok(cond, ...) tap_ok((cond), __FILE__, __LINE__, __VA_ARGS__)

/* ok_eq_int(), ok_eq_str() - Check that @got is @want; both are shown when it isn't. */
#define ok_eq_int(got, want, ...) \
	tap_eq_int((long long)(got), (long long)(want), __FILE__, __LINE__, __VA_ARGS__)
#define ok_eq_str(got, want, ...) \
	tap_eq_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)

/* A line break, or a '#', would mean something to who reads the TAP. */
static inline void tap_puts(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			printf("\\x%02x", (unsigned int)(unsigned char)*s);
		else
			printf(*s == '#' ? "\\%c" : "%c", *s);
	}
}

__attribute__((format(printf, 4, 0))) static inline bool tap_report(
	bool passed, const char *file, int line, const char *fmt, va_list args)
{
	char what[512];

	vsnprintf(what, sizeof(what), fmt, args);
	printf("%sok %d - ", passed ? "" : "not ", ++tap.run);
	tap_puts(what);
	printf("\n");
	if (!passed) {
		tap.failed++;
		printf("# failed at %s:%d\n", file, line);
		if (tap.has_seed)
			printf("# random numbers from seed %llu\n", tap.seed);
	}
	fflush(stdout);
	return passed;
}

__attribute__((format(printf, 4, 5))) static inline bool tap_ok(bool passed,
								const char *file,
								int line, const char *fmt,
								...)
{
	va_list args;

	va_start(args, fmt);
	tap_report(passed, file, line, fmt, args);
	va_end(args);
	return passed;
}

__attribute__((format(printf, 5, 6))) static inline bool tap_eq_int(
	long long got, long long want, const char *file, int line, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (!tap_report(got == want, file, line, fmt, args))
		printf("#  got: %lld\n# want: %lld\n", got, want);
	va_end(args);
	return got == want;
}

__attribute__((format(printf, 5, 6))) static inline bool tap_eq_str(const char *got,
								    const char *want,
								    const char *file,
								    int line,
								    const char *fmt, ...)
{
	bool same = got && want ? !strcmp(got, want) : got == want;
	va_list args;

	va_start(args, fmt);
	if (!tap_report(same, file, line, fmt, args)) {
		printf("#  got: ");
		tap_puts(got ? got : "(null)");
		printf("\n# want: ");
		tap_puts(want ? want : "(null)");
		printf("\n");
	}
	va_end(args);
	return same;
}

/* plan() - Say beforehand that there will be @n checks; fewer or more fail then. */
static inline void plan(int n)
{
	tap.planned = n;
	printf("1..%d\n", n);
}

/* done() - End. Return: the exit status, 1 when anything failed. */
static inline int done(void)
{
	if (!tap.planned)
		printf("1..%d\n", tap.run);
	else if (tap.planned != tap.run)
		printf("# planned %d checks, ran %d\n", tap.planned, tap.run);
	if (tap.failed)
		printf("# %d of %d checks failed\n", tap.failed, tap.run);
	return tap.failed || !tap.run || (tap.planned && tap.planned != tap.run);
}

#endif
