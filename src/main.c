/* SPDX-License-Identifier: MIT */
/*
 * Reads the command line and runs the action that it asks for. Only this file ends the
 * program.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"
#include "base/parts.h"
#include "base/util.h"
#include "base/version.h"
#include "client/ctl-client.h"
#include "client/key-tool.h"
#include "client/top.h"
#include "conf/conf.h"
#include "helper/file-cap.h"
#include "helper/tap-attach.h"
#include "inherited.h"
#include "net/keys.h"
#include "program.h"

enum exit_status { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

static enum exit_status refuse(int err, const char *why)
{
	log_warn("%s", why);
	return err == -EINVAL || err == -ENOTTY ? STATUS_USAGE : STATUS_FAILED;
}

static enum exit_status run(const struct conf *conf)
{
	char why[PROGRAM_WHY_MAX];
	struct passed passed;
	int ret = inherited_check(conf, &passed, why, sizeof(why));

	if (ret < 0)
		return refuse(ret, why);
	return program_run(conf, &passed) < 0 ? STATUS_FAILED : STATUS_OK;
}

static enum exit_status print(const char *text)
{
	int ret = write_all(STDOUT_FILENO, text, strlen(text));

	if (ret == 0)
		return STATUS_OK;
	log_warn("stdout: %s", strerror(-ret));
	return STATUS_FAILED;
}

static enum exit_status help(const struct conf *conf)
{
	struct buf text = { 0 };
	enum exit_status status;

	(void)conf;
	conf_help(&text);
	status = text.failed ? refuse(-ENOMEM, "no memory") : print(text.data);
	buf_free(&text);
	return status;
}

static enum exit_status version(const struct conf *conf)
{
	const char *less = version_left_out;
	char text[400];

	(void)conf;
	snprintf(text, sizeof(text), "%s (%s, %s%s%s)\n%s%s%s", version_name,
		 version_libc, version_libmnl, HAS_KEYS ? ", " : "",
		 HAS_KEYS ? version_crypto : "", *less ? "left out: " : "", less,
		 *less ? "\n" : "");
	return print(text);
}

static enum exit_status check_bridge(const struct conf *conf)
{
	char why[PROGRAM_WHY_MAX], text[PROGRAM_WHY_MAX];
	int ret = tap_check_bridge(conf->bridge, why, sizeof(why));

	escape_text(text, sizeof(text), why);
	if (print(text) != STATUS_OK || print("\n") != STATUS_OK || ret < 0)
		return STATUS_FAILED;
	return STATUS_OK;
}

static enum exit_status ctl(const struct conf *conf)
{
	file_cap_set(FILE_CAP_GONE);
	return ctl_client(conf->ctl_path, conf->command) ? STATUS_FAILED : STATUS_OK;
}

static enum exit_status top(const struct conf *conf)
{
	file_cap_set(FILE_CAP_GONE);
	return top_run(conf->ctl_path) ? STATUS_FAILED : STATUS_OK;
}

static enum exit_status genkey(const struct conf *conf)
{
	(void)conf;
	file_cap_set(FILE_CAP_GONE);
	return key_tool_genkey() ? STATUS_FAILED : STATUS_OK;
}

static enum exit_status pubkey(const struct conf *conf)
{
	(void)conf;
	file_cap_set(FILE_CAP_GONE);
	return key_tool_pubkey() ? STATUS_FAILED : STATUS_OK;
}

/* Whether the files of keys and peers that it names are right, too. */
static bool has_good_keys(const struct conf *conf)
{
	struct keys keys = { .look_ms = 0 };
	char why[PROGRAM_WHY_MAX];
	int ret = keys_start(&keys, conf, why, sizeof(why));

	keys_free(&keys);
	if (ret < 0)
		log_answer("%s", why);
	return ret == 0;
}

static enum exit_status check(const struct conf *conf)
{
	const char *line = conf->faults.data;

	if (!line && HAS_KEYS && !has_good_keys(conf))
		return STATUS_USAGE;
	if (!line)
		return print(conf->text.data);
	for (unsigned i = 0; i < conf->n_faults; i++, line += strcspn(line, "\n") + 1)
		log_answer("%.*s", (int)strcspn(line, "\n"), line);
	return STATUS_USAGE;
}

static enum exit_status print_config(const struct conf *conf)
{
	return print(conf->text.data);
}

static enum exit_status (*const actions[])(const struct conf *conf) = {
	[CONF_RUN] = run,
	[CONF_HELP] = help,
	[CONF_VERSION] = version,
	[CONF_CTL] = HAS_CTL ? ctl : NULL,
	[CONF_TOP] = HAS_TOP ? top : NULL,
	[CONF_GENKEY] = HAS_KEYS ? genkey : NULL,
	[CONF_PUBKEY] = HAS_KEYS ? pubkey : NULL,
	[CONF_CHECK_BRIDGE] = HAS_BRIDGE ? check_bridge : NULL,
	[CONF_CHECK] = check,
	[CONF_PRINT] = print_config,
};

int main(int argc, char **argv)
{
	char why[PROGRAM_WHY_MAX];
	enum exit_status status;
	struct conf conf;
	int ret = file_cap_begin();

	if (ret < 0)
		return (int)refuse(ret,
				   "netrelay must not be set-user-ID or set-group-ID; as "
				   "root: chmod ug-s its file, and make install-setcap");
	ret = conf_read(&conf, argc, argv, why, sizeof(why));

	log_verbosity(conf.verbose);
	status = ret < 0 ? refuse(ret, why) : actions[conf.action](&conf);
	conf_free(&conf);
	return (int)status;
}
