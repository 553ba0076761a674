/* SPDX-License-Identifier: MIT */
/*
 * The picture that netrelay top shows: a function of what is known of the relay
 * and of the window's size alone.
 */
#ifndef TOP_DRAW_H
#define TOP_DRAW_H

#include "base/buf.h"
#include "client/top-data.h"

/*
 * @data:    what is known; NULL when nothing is yet
 * @trouble: why nothing newer is, or NULL
 * @width, @height: of the window
 * @first:   ports before this one are scrolled away
 * @is_utf8: blocks may be drawn
 */
struct top_view {
	const struct top_data *data;
	const char *path, *trouble;
	unsigned width, height;
	size_t first;
	bool is_utf8, by_id;
};

/* top_rows() - How many ports fit. */
unsigned top_rows(const struct top_view *v);

/*
 * top_draw() - Append exactly @height lines, none of them wider than @width,
 * with \r\n between. Attributes, and erasing a line before it is drawn, are the
 * only escape sequences in them.
 */
void top_draw(const struct top_view *v, struct buf *out);

#endif
