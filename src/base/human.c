/* SPDX-License-Identifier: MIT */
/* Writes numbers and times for people, by integer arithmetic alone. */
#include "base/human.h"

#include <inttypes.h>
#include <stdio.h>

const char *human_count(uint64_t n, char *buf)
{
	static const char letters[] = "-kMGTPE";
	uint64_t unit = 1;
	unsigned letter = 0, whole, thousandths;

	if (n < 10000) {
		snprintf(buf, HUMAN_MAX, "%u", (unsigned)n);
		return buf;
	}
	for (; n / unit >= 1000; letter++)
		unit *= 1000;
	whole = (unsigned)(n / unit);
	thousandths = (unsigned)(n % unit / (unit / 1000));
	if (whole >= 100)
		snprintf(buf, HUMAN_MAX, "%u%c", whole, letters[letter]);
	else if (whole >= 10)
		snprintf(buf, HUMAN_MAX, "%u.%u%c", whole, thousandths / 100,
			 letters[letter]);
	else
		snprintf(buf, HUMAN_MAX, "%u.%02u%c", whole, thousandths / 10,
			 letters[letter]);
	return buf;
}

const char *human_time(uint64_t ms, char *buf)
{
	uint64_t s = ms / 1000;

	if (s < 60)
		snprintf(buf, HUMAN_MAX, "%us", (unsigned)s);
	else if (s < 3600)
		snprintf(buf, HUMAN_MAX, "%um%02us", (unsigned)s / 60, (unsigned)s % 60);
	else if (s < 86400)
		snprintf(buf, HUMAN_MAX, "%uh%02um", (unsigned)s / 3600,
			 (unsigned)s / 60 % 60);
	else
		snprintf(buf, HUMAN_MAX, "%" PRIu64 "d%02uh", s / 86400,
			 (unsigned)(s / 3600 % 24));
	return buf;
}
