/* SPDX-License-Identifier: MIT */
/*
 * Each stem has a bit for each of its numbers, 64 in a word. All words before @first are
 * full, so a number that is free is looked for from there.
 */
#include "relay/names.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/endpoint-name.h"
#include "port/driver.h"
#include "relay/relay.h"

#define WORD_BITS 64u

/*
 * @used:    a bit for each number, set if it is taken; @n_words words
 * @first:   all words before this one are full
 * @n_users: of names_get()
 */
struct names {
	struct names *next;
	char stem[ENDPOINT_PORT_NAME_MAX];
	uint64_t *used;
	unsigned n_words, first, n_users;
};

struct names *names_get(struct names **all, const char *stem)
{
	struct names *n = *all;

	while (n && strcmp(n->stem, stem) != 0)
		n = n->next;
	if (!n) {
		n = calloc(1, sizeof(*n));
		if (!n)
			return NULL;
		snprintf(n->stem, sizeof(n->stem), "%s", stem);
		n->next = *all;
		*all = n;
	}
	n->n_users++;
	return n;
}

void names_put(struct names **all, struct names *names)
{
	if (!names || --names->n_users)
		return;
	while (*all != names)
		all = &(*all)->next;
	*all = names->next;
	free(names->used);
	free(names);
}

static bool grow(struct names *n)
{
	unsigned words = n->n_words ? n->n_words * 2 : 1;
	uint64_t *used = reallocarray(n->used, words, sizeof(*used));

	if (!used)
		return false;
	memset(used + n->n_words, 0, (words - n->n_words) * sizeof(*used));
	n->used = used;
	n->n_words = words;
	return true;
}

unsigned names_take(struct names *names, char *name, size_t size)
{
	unsigned bit, number;

	while (names->first < names->n_words && !~names->used[names->first])
		names->first++;
	if (names->first == names->n_words && !grow(names))
		return 0;
	bit = (unsigned)__builtin_ctzll(~names->used[names->first]);
	names->used[names->first] |= UINT64_C(1) << bit;
	number = names->first * WORD_BITS + bit + 1;
	snprintf(name, size, number > 1 ? "%s-%u" : "%s", names->stem, number);
	return number;
}

void names_release(struct names *names, unsigned number)
{
	unsigned word = (number - 1) / WORD_BITS;

	names->used[word] &= ~(UINT64_C(1) << (number - 1) % WORD_BITS);
	if (word < names->first)
		names->first = word;
}

/* Whether @m was accepted by a listener that had the name of @ep, and shares it. */
static bool shares_name(const struct member *m, const struct endpoint *ep)
{
	return m->acceptor && driver_of(ep)->accept &&
	       !strcmp(m->acceptor->ep->port_name, ep->port_name);
}

int names_check(const struct relay *r, const struct endpoint *ep, char *why, size_t size)
{
	char label[PORT_NAME_MAX];

	if (!*ep->port_name)
		return 0;
	endpoint_label(ep, label, sizeof(label));
	for (const struct acceptor *a = r->acceptors; a; a = a->next) {
		const char *fault = endpoint_name_conflict(a->ep, ep);

		if (!fault)
			continue;
		snprintf(why, size, "%s: %s", label, fault);
		return -EEXIST;
	}
	for (const struct member *m = r->forward.members.first; m; m = m->next) {
		if (m->port->state == PORT_ENDED || !endpoint_may_name(ep, m->name) ||
		    shares_name(m, ep))
			continue;
		snprintf(why, size, "%s: port %u is called %s; choose another name",
			 label, m->id, m->name);
		return -EEXIST;
	}
	return 0;
}
