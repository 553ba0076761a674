/* SPDX-License-Identifier: MIT */
/* Lines of words with tabs between. A line that is not understood spoils them all. */
#include "client/top-data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define RELAY_WORDS 9
#define PORT_WORDS 13

static void make_printable(char *text)
{
	for (; *text; text++)
		if ((*text < ' ' || *text > '~') && *text != '\t' && *text != '\n')
			*text = '?';
}

/* Cut off what is before @end. Return: it; what follows is at *@text, or NULL. */
static char *cut(char **text, char end)
{
	char *piece = *text, *at = strchr(piece, end);

	*text = at ? at + 1 : NULL;
	if (at)
		*at = '\0';
	return piece;
}

static size_t split(char *line, char **word, size_t max)
{
	size_t n = 0;

	while (line && n < max)
		word[n++] = cut(&line, '\t');
	return line ? max + 1 : n;
}

static bool read_numbers(uint64_t **to, char **word, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *end;

		errno = 0;
		*to[i] = strtoull(word[i], &end, 10);
		if (*end || end == word[i] || *word[i] == '-' || errno)
			return false;
	}
	return true;
}

static bool read_relay(struct top_data *d, char **word, size_t n)
{
	uint64_t received = 0, copied = 0, sent = 0; /* of no use here */
	uint64_t *numbers[] = { &d->uptime, &received,	&copied,
				&sent,	    &d->queued, &d->dropped };

	if (n != RELAY_WORDS || d->kind)
		return false;
	d->kind = word[1];
	d->version = word[2];
	return read_numbers(numbers, word + 3, ARRAY_SIZE(numbers));
}

static bool read_port(struct top_data *d, char **word, size_t n)
{
	struct top_port *p = &d->port[d->n];
	uint64_t *numbers[] = { &p->since,	 &p->rx_frames, &p->rx_bytes,
				&p->tx_frames,	 &p->tx_bytes,	&p->queue,
				&p->queue_limit, &p->dropped };
	uint64_t *id = &p->id;

	if (n != PORT_WORDS || !d->kind)
		return false;
	p->state = word[2];
	p->name = word[11];
	p->peer = word[12];
	d->n++;
	return read_numbers(&id, word + 1, 1) &&
	       read_numbers(numbers, word + 3, ARRAY_SIZE(numbers));
}

static bool read_line(struct top_data *d, char *line)
{
	char *word[PORT_WORDS];
	size_t n = split(line, word, PORT_WORDS);

	if (!strcmp(word[0], "relay"))
		return read_relay(d, word, n);
	return !strcmp(word[0], "port") && read_port(d, word, n);
}

int top_read(struct top_data *d, char *text)
{
	size_t lines = 1;

	*d = (struct top_data){ .text = text };
	make_printable(text);
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	d->port = calloc(lines, sizeof(*d->port));
	if (!d->port)
		return -ENOMEM;
	while (text && *text)
		if (!read_line(d, cut(&text, '\n')))
			return -EPROTO;
	return d->kind ? 0 : -EPROTO;
}

void top_free(struct top_data *d)
{
	free(d->text);
	free(d->port);
	*d = (struct top_data){ 0 };
}

/* ---- two of them ---- */

/* A counter that went back is another relay's. */
static int by_number(const void *a, const void *b)
{
	const struct top_port *p = a, *q = b;

	return p->id < q->id ? -1 : p->id > q->id;
}

static uint64_t busy(const struct top_port *p)
{
	return p->in.bits + p->out.bits;
}

static int by_activity(const void *a, const void *b)
{
	const struct top_port *p = a, *q = b;

	if (busy(p) != busy(q))
		return busy(p) > busy(q) ? -1 : 1;
	return by_number(a, b);
}

void top_sort(struct top_data *d, bool by_id)
{
	if (d->n)
		qsort(d->port, d->n, sizeof(*d->port), by_id ? by_number : by_activity);
}

/* @d is sorted by number. */
static const struct top_port *find(const struct top_data *d, uint64_t id)
{
	const struct top_port key = { .id = id };

	return d->n ? bsearch(&key, d->port, d->n, sizeof(key), by_number) : NULL;
}

static void compare_port(struct top_port *p, const struct top_port *q, uint64_t ms)
{
	p->in.frames = per_second(p->rx_frames, q->rx_frames, ms);
	p->in.bits = per_second(p->rx_bytes, q->rx_bytes, ms) * 8;
	p->out.frames = per_second(p->tx_frames, q->tx_frames, ms);
	p->out.bits = per_second(p->tx_bytes, q->tx_bytes, ms) * 8;
	p->drops = per_second(p->dropped, q->dropped, ms);
}

static void add_way(struct top_way *sum, const struct top_way *way)
{
	sum->frames += way->frames;
	sum->bits += way->bits;
}

void top_compare(struct top_data *now, struct top_data *before)
{
	uint64_t ms = now->uptime - before->uptime;

	if (now->uptime <= before->uptime)
		return;
	top_sort(before, true);
	now->drops = per_second(now->dropped, before->dropped, ms);
	for (size_t i = 0; i < now->n; i++) {
		struct top_port *p = &now->port[i];
		const struct top_port *q = find(before, p->id);

		if (!q)
			continue;
		compare_port(p, q, ms);
		add_way(&now->in, &p->in);
		add_way(&now->out, &p->out);
	}
}
