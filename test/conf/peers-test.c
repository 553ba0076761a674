/* SPDX-License-Identifier: MIT */
/* peers.c: what a line may be, what is said of one that is wrong, and many peers. */
#include "conf/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "lib/no-memory.h"
#include "lib/tap.h"

#define K(c) "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" c "="
#define K1 K("A")
#define K2 K("E")
#define KEYS_OTHER "//////////////////////////////////////////8="

static char why[PEERS_WHY_MAX];

static int read_text(struct peers *p, const char *text)
{
	char *copy = strdup(text);
	int ret;

	if (!copy)
		abort();
	memset(why, 0, sizeof(why));
	ret = peers_read(p, "a/b.peers", copy, strlen(copy), why, sizeof(why));
	free(copy);
	return ret;
}

static const struct peer *find(const struct peers *p, const char *text)
{
	uint8_t key[SEAL_KEY_BYTES];

	if (key_read(key, text, strlen(text)) < 0)
		abort();
	return peers_find(p, key);
}

static void test_good(void)
{
	struct peers p;
	const struct peer *one, *two;

	ok_eq_int(read_text(&p, "# who\n\n  \t\r\n" K2 "\tsite-b  isolated "
				"mac=52:54:00:00:00:01 mac=52:54:00:00:00:02 pad=0 "
				"storm=5 psk=b.psk # it's \"b\n" K1
				" a.b_c psk=\"/x y\"#z\r\n#" K1 " a\n" KEYS_OTHER " c"),
		  0, "a file is read");
	ok_eq_str(why, "", "without a message");
	ok_eq_int(p.n, 3, "it has three peers");
	one = find(&p, K1);
	two = find(&p, K2);
	ok(one && two && find(&p, KEYS_OTHER), "each is found");
	ok(!find(&p, K("I")), "no other is");
	ok_eq_str(one->name, "a.b_c", "a name");
	ok_eq_str(one->psk_path, "/x y#z", "a path in quotes");
	ok_eq_int(one->line, 5, "its line");
	ok_eq_str(two->name, "site-b", "another name");
	ok_eq_str(two->psk_path, "a/b.psk", "a relative path");
	ok(two->rules.is_isolated && two->rules.is_unpadded && two->rules.n_macs == 2 &&
		   two->rules.storm == 5,
	   "its rules");
	ok(!one->rules.is_isolated && !one->rules.n_macs, "not those of the other");
	peers_free(&p);
	ok(!p.n && !p.list, "nothing is left");
	peers_free(&p);
	ok_eq_int(read_text(&p, ""), 0, "an empty file");
	ok(!find(&p, K1), "has nobody");
	peers_free(&p);
}

#define AT "a/b.peers:2: "
#define FORM "; a line is PUBKEY NAME, and rules"
#define RULES "; a peer may have isolated, mac=ADDR, pad=0, storm=N and psk=FILE"
#define NO_KEY " is no public key: 44 characters, as netrelay pubkey prints it" FORM
#define NO_NAME " must be 1 to 31 letters, digits, ., _ or -, and not digits alone" FORM

static const struct {
	const char *line, *why;
} bads[] = {
	{ "x", AT "\"x\"" NO_KEY },
	{ "site " K1, AT "\"site\"" NO_KEY },
	{ K("B") " a", AT "\"" K("B") "\"" NO_KEY },
	{ K1 "= a", AT "\"" K1 "=\"" NO_KEY },
	{ "\x1b[2J a", AT "\"\\x1b[2J\"" NO_KEY },
	{ K1, AT "the peer's name is missing" FORM },
	{ K1 " # a", AT "the peer's name is missing" FORM },
	{ K1 " 12", AT "the name \"12\"" NO_NAME },
	{ K1 " a,b", AT "the name \"a,b\"" NO_NAME },
	{ K1 " \"\"", AT "the name \"\"" NO_NAME },
	{ K1 " aaaaaaaabbbbbbbbccccccccdddddddd",
	  AT "the name \"aaaaaaaabbbbbbbbccccccccdddddddd\"" NO_NAME },
	{ K1 " a b", AT "there is no rule \"b\"" RULES },
	{ K1 " a isolate",
	  AT "there is no rule \"isolate\"" RULES "; did you mean isolated?" },
	{ K1 " a name=b", AT "there is no rule \"name\"" RULES },
	{ K1 " a isolated isolated", AT "isolated is given twice; give it once" },
	{ K1 " a storm=1 storm=1", AT "storm is given twice; give it once" },
	{ K1 " a isolated=1", AT "isolated takes no value; say isolated alone" },
	{ K1 " a pad", AT "pad has no value" RULES },
	{ K1 " a psk=", AT "psk has no value" RULES },
	{ K1 " a pad=1", AT "a: option pad: \"1\" must be 0 or 60" },
	{ K1 " a storm=-1",
	  AT "a: option storm: \"-1\" must be a number from 0 to 4294967295" },
	{ K1 " a mac=1",
	  AT "a: option mac: \"1\" must be the MAC address of one machine, "
	     "as in 52:54:00:00:00:01" },
	{ K1 " a \"b", AT "a quote is not closed" FORM },
	{ K1 " b\n" K2 " b",
	  "a/b.peers:3: the name b is that of line 2, too; give each peer its own" },
	{ K2 " c\n\n" K1 " d\n" K2 " e\n" K1 " f",
	  "a/b.peers:6: the key is that of line 4, too; a peer has one line" },
};

static void test_bad(void)
{
	static const char pad[] = "                                                  ";
	char text[4096];
	struct peers p;
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(bads); i++) {
		snprintf(text, sizeof(text), KEYS_OTHER " first\n%s\n", bads[i].line);
		ok_eq_int(read_text(&p, text), -EINVAL, "refused: %s", bads[i].line);
		ok_eq_str(why, bads[i].why, "and told");
		ok(!p.n && !p.list, "nothing of it is taken");
	}
	len = (size_t)snprintf(text, sizeof(text), "\n" K1 " a");
	while (len < 1 + PEERS_LINE_MAX)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s",
					(int)min_size(50, 1 + PEERS_LINE_MAX - len), pad);
	ok_eq_int(read_text(&p, text), 0, "a long line");
	peers_free(&p);
	text[len] = ' ';
	text[len + 1] = '\0';
	ok_eq_int(read_text(&p, text), -EINVAL, "a line too long");
	ok_eq_str(why, AT "the line has 1025 bytes; 1024 are allowed", "and told");
}

static void test_paths(void)
{
	char text[1024], path[ENDPOINT_FILE_MAX + 1];
	struct peers p;

	memset(path, 'p', sizeof(path));
	path[ENDPOINT_FILE_MAX - 3] = '\0';
	snprintf(text, sizeof(text), K1 " a psk=%s", path);
	ok_eq_int(read_text(&p, text), 0, "the longest path");
	ok_eq_int(strlen(p.list[0].psk_path), ENDPOINT_FILE_MAX - 1, "with its folder");
	peers_free(&p);
	path[ENDPOINT_FILE_MAX - 3] = 'p';
	path[ENDPOINT_FILE_MAX - 2] = '\0';
	snprintf(text, sizeof(text), K1 " a psk=%s", path);
	ok_eq_int(read_text(&p, text), -EINVAL, "one byte too many");
	ok(strstr(why, "psk: the path has 256 bytes, with that of this file's folder"),
	   "%s", why);
	path[ENDPOINT_FILE_MAX - 2] = 'p';
	path[ENDPOINT_FILE_MAX] = '\0';
	snprintf(text, sizeof(text), K1 " a psk=%s", path);
	ok_eq_int(read_text(&p, text), -EINVAL, "and without the folder");
	ok(strstr(why, "the path has 256 bytes; 255 are allowed"), "%s", why);
}

static void test_zero(void)
{
	char text[] = K1 " a\n\n" K2 "\0b\n";
	struct peers p;

	ok_eq_int(peers_read(&p, "f", text, sizeof(text) - 1, why, sizeof(why)), -EINVAL,
		  "zero bytes are refused");
	ok_eq_str(why, "f:3: it has zero bytes; it must be a text", "and told");
}

static void test_no_memory(void)
{
	char text[] = K1 " a psk=b\n";
	struct peers p;
	int ret;

	no_memory = true;
	ret = peers_read(&p, "f", text, sizeof(text) - 1, why, sizeof(why));
	no_memory = false;
	ok(ret == -ENOMEM && !p.n && !p.list, "no memory for the path of a secret");
	ok_eq_str(why, "f: no memory to read it", "is told");
}

/* Peers whose keys come in no order. */
static char *many(unsigned n)
{
	uint8_t key[SEAL_KEY_BYTES] = { 0 };
	char text[KEY_TEXT_MAX], *all = NULL;
	size_t size;
	FILE *out = open_memstream(&all, &size);

	if (!out)
		abort();
	for (uint32_t i = 0; i < n; i++) {
		put_be32(key + 3, i * 2654435761u);
		key_write(text, key);
		fprintf(out, "%s peer-%u isolated mac=52:54:00:00:00:01\n", text, i);
	}
	fclose(out);
	return all;
}

static void test_many(void)
{
	uint8_t key[SEAL_KEY_BYTES] = { 0 };
	char *text = many(10000);
	unsigned found = 0;
	struct peers p;
	clock_t began = clock();

	ok_eq_int(read_text(&p, text), 0, "10,000 peers");
	ok((clock() - began) / (CLOCKS_PER_SEC / 1000) < 2000,
	   "are read in less than two seconds, sanitized: %ld ms",
	   (long)((clock() - began) / (CLOCKS_PER_SEC / 1000)));
	ok_eq_int(p.n, 10000, "all of them");
	for (uint32_t i = 0; i < 10000; i++) {
		char name[16];
		const struct peer *peer;

		put_be32(key + 3, i * 2654435761u);
		peer = peers_find(&p, key);
		snprintf(name, sizeof(name), "peer-%u", i);
		found += peer && !strcmp(peer->name, name) && peer->line == i + 1;
	}
	ok_eq_int(found, 10000, "each is found");
	peers_free(&p);
	free(text);
}

int main(void)
{
	test_good();
	test_bad();
	test_paths();
	test_zero();
	test_no_memory();
	test_many();
	return done();
}
