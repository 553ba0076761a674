/* SPDX-License-Identifier: MIT */
/*
 * Draws the picture of netrelay top. It depends on nothing but the relay's data and the
 * size of the window, so it can be tested without a terminal.
 */
#ifndef TOP_DRAW_H
#define TOP_DRAW_H

#include "base/buf.h"
#include "client/top-data.h"

/*
 * @data:    the latest data; NULL when there is none yet
 * @path:    the control socket, printable
 * @trouble: why there is no newer data; NULL if there is
 * @width, @height: columns and lines of the window
 * @first:   index of the first port that is shown; those before it are scrolled away
 * @is_utf8: the terminal can show block characters
 * @by_id:   the ports are sorted by number
 */
struct top_view {
	const struct top_data *data;
	const char *path, *trouble;
	unsigned width, height;
	size_t first;
	bool is_utf8, by_id;
};

/* top_rows() - The number of ports that fit into the window. */
unsigned top_rows(const struct top_view *v);

/*
 * top_draw() - Append the picture to @out: exactly @height lines, separated by \r\n, none
 * wider than @width. Its only escape sequences set attributes, and erase a line before
 * it is drawn.
 */
void top_draw(const struct top_view *v, struct buf *out);

#endif
