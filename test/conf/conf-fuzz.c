/* SPDX-License-Identifier: MIT */
/*
 * Reading the command line: whatever its words are, it is understood, or one line says
 * what is wrong with it.
 *
 * Input: the words, a newline between two of them.
 */
#include "lib/fuzz.h"

#include <errno.h>
#include <getopt.h>

#include "conf/conf.h"

#define WHY_MAX 600
#define WORDS_MAX 40

static void check_read(const struct conf *conf)
{
	must(conf->action <= CONF_PRINT);
	if (conf->action != CONF_RUN)
		return;
	must(conf->server == (conf->n_listeners > 0));
	must(conf->server || conf->n_endpoints == 2);
	must(conf->fdb_size <= CONF_FDB_SIZE_MAX);
	must(!conf->capture || *conf->capture);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	char *why = malloc(WHY_MAX), *word[WORDS_MAX + 2], *argv[WORDS_MAX + 2];
	struct conf conf;
	int n = 0, ret;

	must(why);
	word[n++] = fuzz_copy((const uint8_t *)"netrelay", 8);
	while (in.left && n <= WORDS_MAX)
		word[n++] = fuzz_text(&in);
	word[n] = NULL;
	/* getopt_long() sorts them. */
	memcpy(argv, word, sizeof(argv));
	optind = 0;
	ret = conf_read(&conf, n, argv, why, WHY_MAX);
	must(ret == 0 || ret == -EINVAL);
	if (ret == 0)
		check_read(&conf);
	else
		must(memchr(why, '\0', WHY_MAX) && *why && !strchr(why, '\n'));
	conf_free(&conf);
	while (n)
		free(word[--n]);
	free(why);
	return 0;
}
