/* SPDX-License-Identifier: MIT */
/* A window against replays. Bit n % 64 of word n / 64 % WINDOW_WORDS is counter n's. */
#include "seal/window.h"

static uint64_t bit_of(uint64_t n)
{
	return 1ull << n % 64;
}

bool window_is_new(const struct window *w, uint64_t n)
{
	if (n > WINDOW_LAST)
		return false;
	if (n >= w->next)
		return true;
	return w->next - 1 - n < WINDOW_LATE &&
	       !(w->seen[n / 64 % WINDOW_WORDS] & bit_of(n));
}

/* Words between the latest counter's and that of @n now stand for other counters. */
static void clear_to(struct window *w, uint64_t n)
{
	uint64_t word = w->next ? (w->next - 1) / 64 : 0, steps = n / 64 - word;

	if (steps > WINDOW_WORDS)
		steps = WINDOW_WORDS;
	while (steps--)
		w->seen[++word % WINDOW_WORDS] = 0;
}

void window_add(struct window *w, uint64_t n)
{
	if (n >= w->next) {
		clear_to(w, n);
		w->next = n + 1;
	}
	w->seen[n / 64 % WINDOW_WORDS] |= bit_of(n);
}
