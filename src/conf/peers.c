/* SPDX-License-Identifier: MIT */
/*
 * The file is cut into lines and these into words, in place. The rules of a peer are those
 * of an endpoint, and are read by the same functions. What is double is found by sorting.
 */
#include "conf/peers.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/near.h"
#include "base/quote.h"
#include "conf/endpoint-name.h"
#include "conf/endpoint-rules.h"

#define BLANKS " \t\r"
#define WORDS_MAX 32 /* many more than a peer has */
#define FORM "a line is PUBKEY NAME, and rules"
#define RULES "a peer may have isolated, mac=ADDR, pad=0, storm=N and psk=FILE"

/* A file that is being read. @rule: what the rules of a line are read by, into @ep */
struct reading {
	struct peers *peers;
	size_t room;
	const char *path;
	unsigned line;
	struct endpoint ep;
	struct parse rule;
	char fault[PEERS_WHY_MAX / 2];
	char *why;
	size_t size;
};

PRINTF_LIKE(3, 4)
static int refuse(struct reading *r, unsigned line, const char *fmt, ...)
{
	char msg[PEERS_WHY_MAX];
	va_list args;
	int len = snprintf(msg, sizeof(msg), "%.256s:%u: ", r->path, line);

	va_start(args, fmt);
	vsnprintf(msg + len, sizeof(msg) - (size_t)len, fmt, args);
	va_end(args);
	escape_text(r->why, r->size, msg);
	return -EINVAL;
}

/* ---- rules ---- */

static int rule_storm(struct parse *p, char *value)
{
	if (!parse_uint(value, 10, UINT32_MAX, &p->ep->rules.storm))
		return part_refuse(p, QUOTED " must be a number from 0 to %u", value,
				   UINT32_MAX);
	return 0;
}

/* The path is put into the endpoint; add_psk() has it from there. */
static int rule_psk(struct parse *p, char *value)
{
	size_t len = strlen(value);

	if (len >= ENDPOINT_FILE_MAX)
		return part_refuse(p, "the path has %zu bytes; %d are allowed", len,
				   ENDPOINT_FILE_MAX - 1);
	memcpy(p->ep->psk_path, value, len + 1);
	return 0;
}

static const struct rule {
	const char *key;
	int (*read)(struct parse *p, char *value);
	bool is_flag, repeats;
} rules[] = {
	{ .key = "isolated", .read = rule_isolated, .is_flag = true },
	{ .key = "mac", .read = rule_mac, .repeats = true },
	{ .key = "pad", .read = rule_pad },
	{ .key = "storm", .read = rule_storm },
	{ .key = "psk", .read = rule_psk },
};

static int no_rule(struct reading *r, const char *key)
{
	struct near near = { .word = key, .len = strlen(key) };
	char hint[NEAR_HINT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		near_try(&near, rules[i].key);
	return refuse(r, r->line, "there is no rule \"%.64s\"; " RULES "%s", key,
		      near_hint(&near, "", hint));
}

/* @seen: bits of the rules that the line had before */
static int read_rule(struct reading *r, char *word, unsigned *seen)
{
	char *value = strchr(word, '=');
	size_t i = 0;

	if (value)
		*value++ = '\0';
	while (i < ARRAY_SIZE(rules) && strcmp(rules[i].key, word) != 0)
		i++;
	if (i == ARRAY_SIZE(rules))
		return no_rule(r, word);
	if ((*seen & 1u << i) && !rules[i].repeats)
		return refuse(r, r->line, "%s is given twice; give it once", word);
	if (rules[i].is_flag && value)
		return refuse(r, r->line, "%s takes no value; say %s alone", word, word);
	if (!rules[i].is_flag && (!value || !*value))
		return refuse(r, r->line, "%s has no value; " RULES, word);
	*seen |= 1u << i;
	r->rule.option = rules[i].key;
	return rules[i].read(&r->rule, value);
}

/* ---- lines ---- */

/* A path that is relative is so to the folder of the peers file. */
static int add_psk(struct reading *r, struct peer *peer, const char *path)
{
	const char *slash = *path == '/' ? NULL : strrchr(r->path, '/');
	size_t folder = slash ? (size_t)(slash + 1 - r->path) : 0;

	if (!*path)
		return 0;
	if (folder + strlen(path) >= ENDPOINT_FILE_MAX)
		return refuse(r, r->line,
			      "psk: the path has %zu bytes, with that of this file's "
			      "folder; %d are allowed",
			      folder + strlen(path), ENDPOINT_FILE_MAX - 1);
	peer->psk_path = malloc(folder + strlen(path) + 1);
	if (!peer->psk_path)
		return -ENOMEM;
	memcpy(peer->psk_path, r->path, folder);
	memcpy(peer->psk_path + folder, path, strlen(path) + 1);
	return 0;
}

/* Return: the next place of the list; NULL: no memory. */
static struct peer *place(struct reading *r)
{
	struct peers *p = r->peers;

	if (p->n == r->room) {
		size_t room = r->room ? 2 * r->room : 16;
		struct peer *grown = reallocarray(p->list, room, sizeof(*grown));

		if (!grown)
			return NULL;
		p->list = grown;
		r->room = room;
	}
	p->list[p->n] = (struct peer){ .line = r->line };
	return &p->list[p->n];
}

static int add_peer(struct reading *r, char **word, int n)
{
	struct peer *peer = place(r);
	unsigned seen = 0;
	int ret = 0;

	if (!peer)
		return -ENOMEM;
	if (key_read(peer->key, word[0], strlen(word[0])) < 0)
		return refuse(r, r->line,
			      "\"%.64s\" is no public key: 44 characters, as netrelay "
			      "pubkey prints it; " FORM,
			      word[0]);
	if (n < 2)
		return refuse(r, r->line, "the peer's name is missing; " FORM);
	if (!endpoint_is_port_name(word[1], sizeof(peer->name)))
		return refuse(r, r->line,
			      "the name \"%.64s\" must be 1 to %d letters, digits, ., _ "
			      "or -, and not digits alone; " FORM,
			      word[1], ENDPOINT_PORT_NAME_MAX - 1);
	memcpy(peer->name, word[1], strlen(word[1]) + 1);
	r->ep = (struct endpoint){ .kind = ENDPOINT_TRUNK, .fd = -1 };
	r->rule.text = peer->name;
	*r->fault = '\0';
	for (int i = 2; i < n && ret == 0; i++)
		ret = read_rule(r, word[i], &seen);
	if (ret < 0)
		return *r->fault ? refuse(r, r->line, "%s", r->fault) : ret;
	peer->rules = r->ep.rules;
	ret = add_psk(r, peer, r->ep.psk_path);
	if (ret == 0)
		r->peers->n++;
	return ret;
}

/* End a line where its comment begins. */
static void cut_comment(char *line)
{
	for (char *at = line; (at = strchr(at, '#')); at++) {
		if (at != line && !strchr(BLANKS, at[-1]))
			continue;
		*at = '\0';
		return;
	}
}

static int read_line(struct reading *r, char *line)
{
	char *word[WORDS_MAX + 1];
	size_t len = strlen(line);
	const char *fault;
	int n;

	if (len > PEERS_LINE_MAX)
		return refuse(r, r->line, "the line has %zu bytes; %d are allowed", len,
			      PEERS_LINE_MAX);
	if (len && line[len - 1] == '\r')
		line[len - 1] = '\0';
	cut_comment(line);
	n = quote_split(line, word, WORDS_MAX, &fault);
	if (n < 0)
		return refuse(r, r->line, "%s; " FORM, fault);
	return n ? add_peer(r, word, n) : 0;
}

static int read_lines(struct reading *r, char *text)
{
	int ret = 0;

	for (r->line = 1; text && ret == 0; r->line++) {
		char *end = strchr(text, '\n');

		if (end)
			*end++ = '\0';
		ret = read_line(r, text);
		text = end;
	}
	return ret;
}

/* ---- the list ---- */

/* Of two with the same key, or name, the one that is further ahead in the file is first. */
static int by_line(const struct peer *a, const struct peer *b, int order)
{
	return order ? order : (a->line > b->line) - (a->line < b->line);
}

static int by_key(const void *a, const void *b)
{
	const struct peer *x = a, *y = b;

	return by_line(x, y, memcmp(x->key, y->key, sizeof(x->key)));
}

static int by_name(const void *a, const void *b)
{
	const struct peer *x = a, *y = b;

	return by_line(x, y, strcmp(x->name, y->name));
}

static int check_double(struct reading *r)
{
	struct peers *p = r->peers;

	if (p->n)
		qsort(p->list, p->n, sizeof(*p->list), by_name);
	for (size_t i = 1; i < p->n; i++)
		if (!strcmp(p->list[i - 1].name, p->list[i].name))
			return refuse(r, p->list[i].line,
				      "the name %s is that of line %u, too; give each "
				      "peer its own",
				      p->list[i].name, p->list[i - 1].line);
	if (p->n)
		qsort(p->list, p->n, sizeof(*p->list), by_key);
	for (size_t i = 1; i < p->n; i++)
		if (!memcmp(p->list[i - 1].key, p->list[i].key, SEAL_KEY_BYTES))
			return refuse(r, p->list[i].line,
				      "the key is that of line %u, too; a peer has one "
				      "line",
				      p->list[i - 1].line);
	return 0;
}

int peers_read(struct peers *p, const char *path, char *text, size_t n, char *why,
	       size_t size)
{
	struct reading r = { .peers = p, .path = path, .why = why, .size = size };
	const char *zero = memchr(text, '\0', n);
	int ret;

	*p = (struct peers){ 0 };
	r.rule.ep = &r.ep;
	r.rule.why = r.fault;
	r.rule.size = sizeof(r.fault);
	if (zero) {
		for (const char *at = text; (at = memchr(at, '\n', (size_t)(zero - at)));
		     at++)
			r.line++;
		ret = refuse(&r, r.line + 1, "it has zero bytes; it must be a text");
	} else {
		ret = read_lines(&r, text);
	}
	if (ret == 0)
		ret = check_double(&r);
	if (ret == -ENOMEM)
		snprintf(why, size, "%.256s: no memory to read it", path);
	if (ret < 0)
		peers_free(p);
	return ret;
}

const struct peer *peers_find(const struct peers *p, const uint8_t key[SEAL_KEY_BYTES])
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = memcmp(p->list[mid].key, key, SEAL_KEY_BYTES);

		if (order == 0)
			return &p->list[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

void peers_free(struct peers *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->list[i].psk_path);
	free(p->list);
	*p = (struct peers){ 0 };
}
