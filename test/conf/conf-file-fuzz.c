/* SPDX-License-Identifier: MIT */
/*
 * Configuration files: whatever is in one, it is understood, or one line says what is wrong;
 * and what is printed for it means the same. And the text that the relay is given of one,
 * which may be anything.
 *
 * Input: a file; or behind a zero byte, a text.
 */
#include "lib/fuzz.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/conf-file.h"
#include "conf/conf.h"

#define WHY_MAX 1200

static int fd = -1;
static char path[32];

static void write_file(const void *data, size_t size)
{
	if (fd < 0)
		fd = memfd_create("conf", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	must(ftruncate(fd, 0) == 0);
	must(pwrite(fd, data, size, 0) == (ssize_t)size);
}

static int read_conf(struct conf *conf, const char *what, const struct buf *text)
{
	char name[] = "netrelay", option[16], dash_f[] = "-f";
	char *argv[] = { name, option, dash_f, path, NULL };
	char *why = malloc(WHY_MAX);
	int ret;

	must(why);
	snprintf(option, sizeof(option), "%s", what);
	ret = conf_reread(conf, 4, argv, text, why, WHY_MAX);
	must(ret == 0 || ret == -EINVAL);
	if (ret < 0)
		must(memchr(why, '\0', WHY_MAX) && *why && !strchr(why, '\n'));
	free(why);
	return ret;
}

static void check_conf(const struct conf *conf)
{
	must(conf->action == CONF_PRINT);
	must(conf->server == (conf->n_listeners > 0));
	must(conf->server || conf->n_endpoints == 2);
	must(conf->fdb_size <= CONF_FDB_SIZE_MAX);
	must(conf->text.len);
}

/* What is printed is read as the same, and printed as the same. */
static void check_printed(const struct conf *conf)
{
	struct conf again;

	write_file(conf->text.data, conf->text.len);
	must(read_conf(&again, "--print-config", NULL) == 0);
	check_conf(&again);
	must(again.text.len == conf->text.len);
	must(!memcmp(again.text.data, conf->text.data, conf->text.len));
	must(again.n_endpoints == conf->n_endpoints && again.verbose == conf->verbose);
	must(!conf_fixed(conf, &again));
	for (size_t i = 0; i < conf_count(conf); i++)
		must(!strcmp(conf_nth(conf, i)->text, conf_nth(&again, i)->text) &&
		     !strcmp(conf_nth(conf, i)->port_name,
			     conf_nth(&again, i)->port_name) &&
		     endpoint_same(conf_nth(conf, i), conf_nth(&again, i)));
	conf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool is_text = size && !*data;
	struct buf text = { 0 };
	struct conf conf;

	if (is_text)
		buf_add(&text, data + 1, size - 1);
	else
		write_file(data, size);
	if (read_conf(&conf, "--print-config", is_text ? &text : NULL) == 0) {
		check_conf(&conf);
		check_printed(&conf);
	}
	conf_free(&conf);
	buf_free(&text);
	return 0;
}
