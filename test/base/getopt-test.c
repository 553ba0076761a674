/* SPDX-License-Identifier: MIT */
/*
 * The static program's getopt_long() against the C library's: random command lines, made of
 * words that are right, wrong and nearly right, must give the same, and leave the same order.
 */
#include "lib/tap.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define getopt_long own_getopt_long
#define optarg own_optarg
#define optind own_optind
#define opterr own_opterr
#define optopt own_optopt
int own_getopt_long(int argc, char *const *argv, const char *letters,
		    const struct option *all, int *index);
#include "../src/base/getopt-static.c"
#undef getopt_long
#undef optarg
#undef optind
#undef opterr
#undef optopt

#define WORDS_MAX 8
#define RUNS 200000

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },	     { "hub", no_argument, NULL, 256 },
	{ "storm", required_argument, NULL, 257 },   { "wait", no_argument, NULL, 258 },
	{ "waiting", required_argument, NULL, 259 }, { NULL, 0, NULL, 0 },
};

static const char *const words[] = {
	"br0",	   "-",	     "--",	    "-v",	"-vv",	  "-vl",
	"-l",	   "-l5",    "-x",	    "-vx5v",	"-:",	  "--hub",
	"--hu",	   "--h",    "--storm",	    "--storm=", "--st",	  "--storm=5",
	"--hub=1", "--wait", "--waiting=1", "--waitin", "--wa",	  "--no",
	"",	   "---",    "--=x",	    "-l-",	"--s=--", "5000",
};

/* All that a command line gives: each option with its value, then the operands. */
struct got {
	char text[1200];
	size_t len;
};

static void add(struct got *g, int c, int opt, const char *value)
{
	int n = snprintf(g->text + g->len, sizeof(g->text) - g->len, "%d/%d/%s ", c, opt,
			 value ? value : "(none)");

	if (n > 0 && g->len + (size_t)n < sizeof(g->text))
		g->len += (size_t)n;
}

/* Return: whether to go on; after a mistake the program does not, and libraries differ. */
static bool add_one(struct got *g, int c, int opt, const char *value, const char *word)
{
	bool is_fault = c == '?' || c == ':';

	add(g, c, is_fault ? opt : 0, c == '?' && !opt ? word : value);
	return !is_fault;
}

static void add_operands(struct got *g, int from, char **argv, int argc)
{
	for (int i = from; i < argc; i++)
		add(g, 0, 0, argv[i]);
}

static void ask_library(struct got *g, int argc, char **argv)
{
	int c;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":hl:vV", longs, NULL)) != -1)
		if (!add_one(g, c, optopt, optarg, argv[optind - 1]))
			return;
	add_operands(g, optind, argv, argc);
}

static void ask_own(struct got *g, int argc, char **argv)
{
	int c;

	own_optind = 0;
	while ((c = own_getopt_long(argc, argv, ":hl:vV", longs, NULL)) != -1)
		if (!add_one(g, c, own_optopt, own_optarg, argv[own_optind - 1]))
			return;
	add_operands(g, own_optind, argv, argc);
}

int main(void)
{
	unsigned differ = 0;

	srandom(1);
	for (int run = 0; run < RUNS; run++) {
		char *a[WORDS_MAX + 2] = { (char *)"netrelay" }, *b[WORDS_MAX + 2];
		int argc = 1 + (int)(random() % WORDS_MAX);
		struct got library = { .len = 0 }, own = { .len = 0 };

		for (int i = 1; i < argc; i++)
			a[i] = (char *)
				words[(size_t)random() % (sizeof(words) / sizeof(*words))];
		memcpy(b, a, sizeof(b));
		ask_library(&library, argc, a);
		ask_own(&own, argc, b);
		if (!strcmp(library.text, own.text))
			continue;
		if (differ++ < 5) {
			printf("# library %s\n# own     %s\n#", library.text, own.text);
			for (int i = 1; i < argc; i++)
				printf(" '%s'", a[i]);
			printf("\n");
		}
	}
	ok(!differ, "%d command lines are read as the C library reads them", RUNS);
	return done();
}
