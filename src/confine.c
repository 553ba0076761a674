/* SPDX-License-Identifier: MIT */
/*
 * Without --ctl all endpoints are known from the start, or named by the configuration file
 * later: the broker serves no path but theirs, and the helper no request that none of them
 * leads to. Both look into the file themselves. With --ctl, others may come.
 *
 * #syscalls: access close fstat mmap open
 */
#include "confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/parts.h"
#include "helper/helper-serve.h"
#include "helper/helper.h"
#include "port/driver.h"
#include "sandbox/caps.h"

static bool has_path(const struct endpoint *eps, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (!path ? eps[i].path[0]
			  : !strcmp(path, eps[i].path) ||
				    !strcmp(path, eps[i].local_path))
			return true;
	return false;
}

/* Whether an endpoint has this path; with NULL, whether one has any. */
static bool names(const struct conf *conf, const char *path)
{
	return has_path(conf->endpoints, conf->n_endpoints, path) ||
	       has_path(conf->listeners, conf->n_listeners, path);
}

/* Whether one of the endpoints leads to this request. */
static bool asks(const struct conf *conf, const struct helper_request *req)
{
	bool is_asked = false;

	for (size_t i = 0; i < conf->n_endpoints && !is_asked; i++)
		is_asked = driver_asks(&conf->endpoints[i], req);
	return is_asked;
}

/*
 * Read the file again, by ourselves: the relay can't say what it names. One that is wrong
 * names nothing more than it did before.
 */
static bool look_again(struct confine *c)
{
	struct conf now;
	char why[256];
	bool has_file = HAS_CONFIG && c->conf->file;
	bool is_read = has_file && conf_read(&now, c->conf->argc, c->conf->argv, why,
					     sizeof(why)) == 0;

	if (is_read) {
		conf_free(&c->now);
		c->now = now;
	} else if (has_file) {
		conf_free(&now);
	}
	return is_read;
}

static bool is_named(const char *path, void *arg)
{
	struct confine *c = arg;

	return *path && (c->conf->ctl_path || names(c->conf, path) ||
			 names(&c->now, path) || (look_again(c) && names(&c->now, path)));
}

/*
 * A file of keys is none that a control command named: who has taken over the relay could have
 * the broker read any file.
 */
static size_t key_file_limit(const char *path, void *arg)
{
	struct confine *c = arg;
	size_t limit = keys_limit(&c->keys, c->conf, path);

	if (!limit)
		limit = keys_limit(&c->keys, &c->now, path);
	if (!limit && look_again(c))
		limit = keys_limit(&c->keys, &c->now, path);
	return limit;
}

static bool allows(const struct helper_request *req, void *arg)
{
	struct confine *c = arg;

	return c->conf->ctl_path || asks(c->conf, req) || asks(&c->now, req) ||
	       (look_again(c) && asks(&c->now, req));
}

static void serve_helper(int fd, unsigned kind, void *arg)
{
	const struct helper_rules rules = { .allows = allows, .arg = arg };

	helper_serve(fd, (enum helper_op)kind, &rules);
}

static void relay_ended(void *arg)
{
	pidfile_remove(((const struct confine *)arg)->pidfile);
}

static int find_user(struct confine *c, char *why, size_t size)
{
	const char *name = c->conf->user;
	int ret = user_find(name, &c->user);

	if (ret < 0)
		snprintf(why, size, "--user %s: %s", name,
			 ret == -ENOENT ? "there is no such user in /etc/passwd"
					: strerror(-ret));
	else if (!caps_has(CAP_SETUID) || !caps_has(CAP_SETGID))
		snprintf(why, size, "--user %s: only root can become another user", name);
	else
		return 0;
	return ret < 0 ? ret : -EPERM;
}

int confine_prepare(struct confine *c, struct broker *broker, const struct conf *conf,
		    bool needs_helper, char *why, size_t size)
{
	int ret;

	c->conf = conf;
	c->rules.names = is_named;
	c->rules.file = HAS_KEYS && (conf->key_file || conf->file) ? key_file_limit
								   : NULL;
	c->rules.arg = c;
	c->keys.is_quiet = true;
	c->rules.dials = !conf->user;
	c->rules.helper = serve_helper;
	c->rules.ended = HAS_SERVICE && conf->pidfile ? relay_ended : NULL;
	c->rules.config = conf->file;
	if (conf->no_sandbox)
		return 0;
	if (HAS_USERS && conf->user && (ret = find_user(c, why, size)) < 0)
		return ret;
	if (!needs_helper && !conf->ctl_path && !conf->file && !conf->pidfile &&
	    !conf->key_file && !names(conf, NULL))
		return 0;
	snprintf(why, size, "not enough memory or descriptors to start");
	return broker_start(broker, &c->rules);
}

/*
 * Tell which unix sockets can't be reached with the rights that are left. Those of
 * streams the broker dials, unless the user was changed.
 */
static void tell_out_of_reach(void *arg)
{
	const struct conf *conf = arg;
	struct buf list = { 0 };

	for (size_t i = 0; i < conf->n_endpoints; i++) {
		const struct endpoint *ep = &conf->endpoints[i];

		if (ep->path[0] && (conf->user || ep->local_path[0]) &&
		    access(ep->path, W_OK) < 0 && errno == EACCES)
			buf_printf(&list, "%s%s", list.len ? ", " : "", ep->text);
	}
	if (list.len)
		log_warn("user %s may not write to: %.*s",
			 conf->user ? conf->user : "root without capabilities",
			 (int)list.len, (const char *)list.data);
	buf_free(&list);
}

int confine_enter(struct confine *c, pid_t writer, char *why, size_t size)
{
	const struct sandbox s = {
		.role = SANDBOX_RELAY,
		.user = HAS_USERS && c->conf->user ? &c->user : NULL,
		.kills = { writer },
		.look = tell_out_of_reach,
		.arg = (void *)(uintptr_t)c->conf,
	};
	struct sandbox_has has;
	int ret;

	if (c->conf->no_sandbox) {
		log_warn(
			"--no-sandbox: the relay keeps all its rights; this is for tracing "
			"only");
		return 0;
	}
	log_open();
	/* glibc reads the time zone when it first converts a time, even to UTC. */
	if (HAS_TRACE)
		tzset();
	ret = sandbox_enter(&s, &has);
	if (ret < 0)
		snprintf(why, size, "can't give up rights: %s", strerror(-ret));
	else
		log_info("confined: no capabilities, Landlock %d, %s", has.landlock,
			 has.seccomp ? "few system calls" : "all system calls");
	return ret;
}
