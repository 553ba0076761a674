/* SPDX-License-Identifier: MIT */
/*
 * A table of the page's parts. Every browser takes gzip, so there is no other copy.
 */
#include "show/page.h"

#include <string.h>

#include "base/util.h"
#include "show/http.h"
#include "show/page-data.h"
#include "show/show-json.h"

#define TEXT(type) type "; charset=utf-8\r\nContent-Encoding: gzip"
#define JSON "application/json"

static const struct page_part parts[] = {
	{ "/", TEXT("text/html"), page_html, sizeof(page_html), NULL },
	{ "/page.css", TEXT("text/css"), page_css, sizeof(page_css), NULL },
	{ "/page.js", TEXT("text/javascript"), page_js, sizeof(page_js), NULL },
	{ "/status.json", JSON, NULL, HTTP_TO_END, show_json },
	{ "/fdb.json", JSON, NULL, HTTP_TO_END, show_json_fdb },
};

/* Without gzip or od they would be empty. */
_Static_assert(sizeof(page_html) > 99 && sizeof(page_css) > 99 && sizeof(page_js) > 99,
	       "the page is in show/page-data.h");

const struct page_part *page_find(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!strcmp(parts[i].path, path))
			return &parts[i];
	return NULL;
}
