/* SPDX-License-Identifier: MIT */
/*
 * Draws the picture of netrelay top. Each column has a rank: if the window is too narrow
 * for all columns, those with the highest rank are left out first. Room that is left
 * over goes to the names, as much as the longest needs, and then to the bars. A bar of
 * full width stands for the rate of the busiest port.
 */
#include "client/top-draw.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/human.h"
#include "base/util.h"

#define NAME_MIN 12
#define BAR_MIN 6
#define BAR_MAX 32
#define TEXT_MAX 1024

#define PLAIN ""
#define BOLD "\033[1m"
#define DIM "\033[2m"
#define INVERSE "\033[7m"
#define GREEN "\033[32m"
#define CYAN "\033[36m"
#define RED "\033[1;31m"
#define OFF "\033[m"
#define ERASE "\033[K" /* erase the line from the cursor on */

enum column {
	COLUMN_ID,
	COLUMN_NAME,
	COLUMN_STATE,
	COLUMN_SINCE,
	COLUMN_IN_FRAMES,
	COLUMN_IN_BITS,
	COLUMN_IN_BAR,
	COLUMN_OUT_FRAMES,
	COLUMN_OUT_BITS,
	COLUMN_OUT_BAR,
	COLUMN_QUEUE,
	COLUMN_DROPS,
	COLUMNS,
};

static const struct {
	const char *title;
	unsigned width, rank;
	bool is_left;
} columns[COLUMNS] = {
	[COLUMN_ID] = { "port", 4, 0, false },
	[COLUMN_NAME] = { "name", NAME_MIN, 0, true },
	[COLUMN_STATE] = { "state", 10, 4, true },
	[COLUMN_SINCE] = { "since", 6, 9, false },
	[COLUMN_IN_FRAMES] = { "in f/s", 6, 7, false },
	[COLUMN_IN_BITS] = { "in bps", 6, 2, false },
	[COLUMN_IN_BAR] = { "", BAR_MIN, 6, true },
	[COLUMN_OUT_FRAMES] = { "out f/s", 7, 7, false },
	[COLUMN_OUT_BITS] = { "out bps", 7, 2, false },
	[COLUMN_OUT_BAR] = { "", BAR_MIN, 6, true },
	[COLUMN_QUEUE] = { "queue", 6, 8, false },
	[COLUMN_DROPS] = { "drops", 6, 5, false },
};

/* ---- lines ---- */

/*
 * Where drawing has got to.
 * @width: columns of the window
 * @room:  columns that are left in this line
 * @lines: lines that are left in the window, including this one
 */
struct pen {
	struct buf *out;
	unsigned width, room, lines;
};

/* Add text as far as there is room; each of its bytes must take one column. */
PRINTF_LIKE(3, 4)
static void put(struct pen *pen, const char *style, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	len = min_size(strlen(text), pen->room);
	pen->room -= (unsigned)len;
	text[len] = '\0';
	buf_printf(pen->out, "%s%s%s", style, text, *style ? OFF : "");
}

static void end_line(struct pen *pen)
{
	pen->lines--;
	pen->room = pen->width;
	/* Erase a line before drawing it: behind a full line, that may erase its last column. */
	if (pen->lines)
		buf_printf(pen->out, "\r\n" ERASE);
}

static void put_bar(struct pen *pen, const char *style, uint64_t value, uint64_t max,
		    unsigned width, bool is_utf8)
{
	/* The blocks are U+2588, a full one, to U+258F, an eighth. */
	uint64_t eighths = max ? (value / 8 * width * 64 + value % 8 * width * 8) / max
			       : 0;
	unsigned full = (unsigned)(eighths / 8), rest = (unsigned)(eighths % 8);

	width = (unsigned)min_size(width, pen->room);
	if (full >= width) {
		full = width;
		rest = 0;
	} else if (value && !full && !rest) {
		rest = 1;
	}
	buf_printf(pen->out, "%s", style);
	for (unsigned i = 0; i < full; i++)
		buf_printf(pen->out, is_utf8 ? "\u2588" : "#");
	if (rest)
		buf_printf(pen->out, is_utf8 ? "\xe2\x96%c" : "-", 0x90 - (int)rest);
	buf_printf(pen->out, "%s%*s", OFF, (int)(width - full - !!rest), "");
	pen->room -= width;
}

/* ---- what fits ---- */

static const char *name_text(const struct top_port *p, char *text)
{
	bool is_news = *p->peer && !strcasestr(p->name, p->peer);

	snprintf(text, TEXT_MAX, is_news ? "%s (%s)" : "%s", p->name, p->peer);
	return text;
}

static unsigned longest_name(const struct top_data *d)
{
	size_t longest = NAME_MIN;
	char text[TEXT_MAX];

	for (size_t i = 0; i < d->n; i++) {
		size_t len = strlen(name_text(&d->port[i], text));

		longest = len > longest ? len : longest;
	}
	return (unsigned)longest;
}

/* The width of all columns with a rank up to @rank, with a blank before each. */
static unsigned taken_by(unsigned rank)
{
	unsigned sum = 0;

	for (int i = 0; i < COLUMNS; i++)
		if (columns[i].rank <= rank)
			sum += columns[i].width + 1;
	return sum;
}

/* @width: set to the width of each column; 0 if it is left out */
static void lay_out(const struct top_view *v, unsigned *width)
{
	unsigned rank = 9, spare, name, bar;

	while (rank && taken_by(rank) > v->width)
		rank--;
	for (int i = 0; i < COLUMNS; i++)
		width[i] = columns[i].rank <= rank ? columns[i].width : 0;
	spare = v->width > taken_by(rank) ? v->width - taken_by(rank) : 0;
	name = (unsigned)min_size(spare, longest_name(v->data) - NAME_MIN);
	width[COLUMN_NAME] += name;
	bar = (unsigned)min_size((spare - name) / 2, BAR_MAX - BAR_MIN);
	if (width[COLUMN_IN_BAR]) {
		width[COLUMN_IN_BAR] += bar;
		width[COLUMN_OUT_BAR] += bar;
	}
}

/* Whether the window is high enough for lines besides those of the ports. */
static bool has_foot(const struct top_view *v)
{
	return v->height >= 7;
}

static bool has_gap(const struct top_view *v)
{
	return v->height >= 9;
}

unsigned top_rows(const struct top_view *v)
{
	unsigned others = 3u + has_gap(v) + has_foot(v);

	return v->height > others ? v->height - others : 0;
}

/* ---- the parts ---- */

/* One that is limited passes frames, too. */
static bool is_up(const struct top_port *p)
{
	return !strcmp(p->state, "up") || !strcmp(p->state, "limited");
}

static void draw_title(struct pen *pen, const struct top_view *v)
{
	const struct top_data *d = v->data;
	char left[TEXT_MAX], uptime[HUMAN_MAX];
	size_t up = 0, len;

	for (size_t i = 0; d && i < d->n; i++)
		up += is_up(&d->port[i]);
	if (d)
		snprintf(left, sizeof(left),
			 " netrelay %.32s  %.16s, %zu of %zu ports up, for %s",
			 d->version, d->kind, up, d->n, human_time(d->uptime, uptime));
	else
		snprintf(left, sizeof(left), " netrelay");
	len = strlen(left) + strlen(v->path) + 2;
	if (len <= v->width)
		put(pen, INVERSE, "%s%*s%s ", left, (int)(v->width - len + 1), "",
		    v->path);
	else
		put(pen, INVERSE, "%-*s", (int)v->width, left);
	end_line(pen);
}

static void draw_rate(struct pen *pen, const char *name, const char *style,
		      const struct top_rate *rate)
{
	char frames[HUMAN_MAX], bits[HUMAN_MAX];

	put(pen, style, " %s", name);
	put(pen, PLAIN, " %s f/s %s bit/s  ", human_count(rate->frames, frames),
	    human_count(rate->bits, bits));
}

static void draw_trouble(struct pen *pen, const struct top_view *v)
{
	put(pen, RED, " %s", v->trouble);
	end_line(pen);
}

static void draw_sums(struct pen *pen, const struct top_view *v)
{
	const struct top_data *d = v->data;
	char drops[HUMAN_MAX], rate[HUMAN_MAX], queued[HUMAN_MAX];

	draw_rate(pen, "in", GREEN, &d->in);
	draw_rate(pen, "out", CYAN, &d->out);
	put(pen, PLAIN, " queued %s  ", human_count(d->queued, queued));
	put(pen, d->drops ? RED : PLAIN, " dropped %s", human_count(d->dropped, drops));
	if (d->drops)
		put(pen, RED, ", %s/s", human_count(d->drops, rate));
	end_line(pen);
}

static void draw_titles(struct pen *pen, const unsigned *width)
{
	for (int i = 0; i < COLUMNS; i++) {
		int w = (int)width[i];

		if (w)
			put(pen, BOLD, columns[i].is_left ? " %-*s" : " %*s", w,
			    columns[i].title);
	}
	end_line(pen);
}

/* A name that is too long is cut in the middle, as names mostly differ at their ends. */
static void put_name(struct pen *pen, const char *name, int width)
{
	int len = (int)strlen(name), head = (width - 2) / 3, tail = width - 2 - head;

	if (len <= width)
		put(pen, PLAIN, "%-*s", width, name);
	else
		put(pen, PLAIN, "%.*s..%s", head, name, name + len - tail);
}

static void draw_cell(struct pen *pen, enum column column, const struct top_port *p,
		      int width)
{
	char text[TEXT_MAX];
	bool is_well = !strcmp(p->state, "up");

	switch (column) {
	case COLUMN_ID:
		put(pen, PLAIN, "%*u", width, (unsigned)p->id);
		break;
	case COLUMN_NAME:
		put_name(pen, name_text(p, text), width);
		break;
	case COLUMN_STATE:
		put(pen, is_well ? PLAIN : RED, "%-*.*s", width, width, p->state);
		break;
	case COLUMN_SINCE:
		put(pen, DIM, "%*s", width, human_time(p->since, text));
		break;
	case COLUMN_IN_FRAMES:
		put(pen, PLAIN, "%*s", width, human_count(p->in.frames, text));
		break;
	case COLUMN_IN_BITS:
		put(pen, PLAIN, "%*s", width, human_count(p->in.bits, text));
		break;
	case COLUMN_OUT_FRAMES:
		put(pen, PLAIN, "%*s", width, human_count(p->out.frames, text));
		break;
	case COLUMN_OUT_BITS:
		put(pen, PLAIN, "%*s", width, human_count(p->out.bits, text));
		break;
	case COLUMN_QUEUE:
		put(pen, p->queue ? BOLD : PLAIN, "%*s", width,
		    human_count(p->queue, text));
		break;
	case COLUMN_DROPS:
		put(pen, p->drops ? RED : PLAIN, "%*s", width,
		    human_count(p->dropped, text));
		break;
	default:
		break;
	}
}

static void draw_port(struct pen *pen, const struct top_view *v, const struct top_port *p,
		      const unsigned *width, uint64_t max)
{
	for (int i = 0; i < COLUMNS; i++) {
		if (!width[i])
			continue;
		put(pen, PLAIN, " ");
		if (i == COLUMN_IN_BAR)
			put_bar(pen, GREEN, p->in.bits, max, width[i], v->is_utf8);
		else if (i == COLUMN_OUT_BAR)
			put_bar(pen, CYAN, p->out.bits, max, width[i], v->is_utf8);
		else
			draw_cell(pen, (enum column)i, p, (int)width[i]);
	}
	end_line(pen);
}

static void draw_foot(struct pen *pen, const struct top_view *v, size_t shown)
{
	size_t n = v->data ? v->data->n : 0;
	size_t below = n > v->first + shown ? n - v->first - shown : 0;

	if (v->first)
		put(pen, BOLD, " %zu above ", v->first);
	if (below)
		put(pen, BOLD, " ... %zu more ", below);
	put(pen, DIM, " q quit  s sort by %s%s", v->by_id ? "rate" : "number",
	    v->first || below ? "  up, down: scroll" : "");
	end_line(pen);
}

static size_t draw_ports(struct pen *pen, const struct top_view *v)
{
	const struct top_data *d = v->data;
	unsigned width[COLUMNS], rows = top_rows(v);
	uint64_t max = 0;
	size_t shown = 0;

	lay_out(v, width);
	draw_titles(pen, width);
	for (size_t i = 0; i < d->n; i++) {
		max = d->port[i].in.bits > max ? d->port[i].in.bits : max;
		max = d->port[i].out.bits > max ? d->port[i].out.bits : max;
	}
	for (; shown < rows && v->first + shown < d->n; shown++)
		draw_port(pen, v, &d->port[v->first + shown], width, max);
	return shown;
}

void top_draw(const struct top_view *v, struct buf *out)
{
	struct pen pen = { out, v->width, v->width, v->height };
	size_t shown = 0;

	buf_printf(out, ERASE);
	if (pen.lines)
		draw_title(&pen, v);
	if (pen.lines && v->data && (!v->trouble || has_gap(v)))
		draw_sums(&pen, v);
	if (pen.lines && v->trouble)
		draw_trouble(&pen, v);
	else if (pen.lines && has_gap(v))
		end_line(&pen);
	if (pen.lines && v->data)
		shown = draw_ports(&pen, v);
	while (pen.lines > (has_foot(v) ? 1 : 0))
		end_line(&pen);
	if (pen.lines)
		draw_foot(&pen, v, shown);
}
