/* SPDX-License-Identifier: MIT */
/*
 * Which datagrams of a key have come already, so that one that somebody sends again is
 * told from a new one. Each has a counter that grows, and they may arrive in another order:
 * those up to WINDOW_LATE behind the latest are told apart, older ones are taken for seen.
 *
 * The bits lie in a ring, as in RFC 6479, so nothing is shifted. A step costs as much
 * wherever the counter is, but for words to clear: WINDOW_WORDS at most.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_WORDS 128
#define WINDOW_LATE \
	((WINDOW_WORDS - 1) * 64)    /* a word is only partly behind the latest */
#define WINDOW_LAST (UINT64_MAX - 1) /* the highest counter */

/* All zero: nothing has come. @next: one above the latest counter. */
struct window {
	uint64_t next;
	uint64_t seen[WINDOW_WORDS];
};

/*
 * window_is_new() - Whether a datagram of counter @n may be new. Ask ahead of opening it:
 * a copy need not be opened.
 */
bool window_is_new(const struct window *w, uint64_t n);

/* window_add() - The datagram was opened, so it is the peer's, and window_is_new() was true. */
void window_add(struct window *w, uint64_t n);

#endif
