/* SPDX-License-Identifier: MIT */
/*
 * The page at / that draws the relay, in browsers. It is static: page.html, page.css and
 * page.js are in the program, compressed, and the script asks for the relay's status and
 * for its addresses as JSON.
 */
#ifndef PAGE_H
#define PAGE_H

#include <stddef.h>

#include "base/parts.h"
#include "show/show.h"

/*
 * What there is at a path: @len bytes of @data, or a view.
 * @type: for http_begin()
 * @show: the view; NULL if there is @data
 */
struct page_part {
	const char *path, *type;
	const void *data;
	size_t len;
	show_step *show;
};

/* page_find() - What there is at that path. Return: it or NULL. */
const struct page_part *page_find(const char *path);

#endif
