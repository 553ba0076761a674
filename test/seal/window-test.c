/* SPDX-License-Identifier: MIT */
/*
 * window.c against a model that remembers every counter: all orders and gaps that there
 * are on a network, and counters at the ends of their range.
 */
#include "seal/window.h"

#include <string.h>

#include "lib/random.h"
#include "lib/tap.h"

#define COUNTERS (1u << 20)

static struct window w;
static uint8_t seen[COUNTERS];
static uint64_t latest;

/* Return: whether the model and the window agree on @n, which then has come. */
static bool step(uint64_t first, uint32_t n)
{
	bool is_late = latest > n && latest - n >= WINDOW_LATE,
	     is_new = !seen[n] && !is_late;

	if (window_is_new(&w, first + n) != is_new)
		return false;
	if (!is_new)
		return true;
	window_add(&w, first + n);
	seen[n] = 1;
	latest = n > latest ? n : latest;
	return !window_is_new(&w, first + n);
}

static void begin(uint64_t seed)
{
	random_begin(seed);
	memset(&w, 0, sizeof(w));
	memset(seen, 0, sizeof(seen));
	latest = 0;
}

static void in_order(void)
{
	bool good = true;

	begin(1);
	for (uint32_t n = 0; good && n < 100000; n++)
		good = step(0, n);
	ok(good, "counters in order are new, once");
	for (uint32_t n = 0; good && n < 100000; n++)
		good = !window_is_new(&w, n);
	ok(good, "none of them is new again");
}

/* @back: how far behind the latest they may be; @leap: how far ahead */
static void any_order(uint64_t first, uint32_t back, uint32_t leap)
{
	bool good = true;
	uint32_t at = 0;
	unsigned steps = 0;

	begin(first + back + leap);
	while (good && at + leap + 1 < COUNTERS && steps++ < 200000) {
		uint32_t n = rnd(2) ? at + rnd(leap + 1)
				    : at - rnd((at < back ? at : back) + 1);

		good = step(first, n);
		at = n > at ? n : at;
	}
	ok(good, "from %#llx, up to %u behind, up to %u ahead", (unsigned long long)first,
	   back, leap);
}

static void edges(void)
{
	begin(2);
	ok(window_is_new(&w, 0) && window_is_new(&w, WINDOW_LAST),
	   "at first all are new");
	ok(!window_is_new(&w, UINT64_MAX), "but for one that no key has");
	window_add(&w, WINDOW_LAST);
	ok(!window_is_new(&w, WINDOW_LAST) && window_is_new(&w, WINDOW_LAST - 1) &&
		   window_is_new(&w, WINDOW_LAST - WINDOW_LATE + 1) &&
		   !window_is_new(&w, WINDOW_LAST - WINDOW_LATE) && !window_is_new(&w, 0),
	   "after the last, those little behind it");
	begin(3);
	for (uint64_t n = 0; n < WINDOW_WORDS * 64; n++)
		window_add(&w, n);
	window_add(&w, 3 * WINDOW_WORDS * 64);
	ok(window_is_new(&w, 3 * WINDOW_WORDS * 64 - 1) &&
		   window_is_new(&w, 3 * WINDOW_WORDS * 64 - WINDOW_LATE + 1),
	   "a leap over the whole window leaves no old bits in it");
}

int main(void)
{
	ok(WINDOW_LATE >= 2048, "a window of no less than 2048");
	in_order();
	edges();
	any_order(0, 10, 3);
	any_order(0, 3000, 1);
	any_order(0, 10000, 100);
	any_order(0, 20000, 20000);
	any_order((1ull << 32) - 5000, 10000, 64);
	any_order(WINDOW_LAST - COUNTERS, 9000, 200);
	return done();
}
