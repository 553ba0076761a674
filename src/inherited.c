/* SPDX-License-Identifier: MIT */
/*
 * The numbers of descriptors are names that the user, or the service manager, has given. If
 * we opened one before they are checked, it could get such a number.
 *
 * #syscalls: close fcntl open
 */
#include "inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/child.h"
#include "base/parts.h"
#include "port/driver.h"

static int check_endpoints(const struct conf *conf, char *why, size_t size)
{
	for (size_t i = 0; i < conf->n_endpoints; i++) {
		const struct endpoint *ep = &conf->endpoints[i];
		const struct driver *driver = driver_of(ep);
		int ret = 0;

		if (driver->check_inherited)
			ret = driver->check_inherited(ep, why, size);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/*
 * Open /dev/null for standard descriptors that are closed. Otherwise a socket of ours
 * could get such a number, and messages would go to it.
 */
static int fill_standard_fds(char *why, size_t size)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || open("/dev/null", O_RDWR) == fd)
			continue;
		snprintf(why, size,
			 "descriptor %d is closed, and /dev/null can't stand in", fd);
		return -EBADF;
	}
	return 0;
}

static bool is_endpoint(int fd, const void *arg)
{
	return conf_has_fd(arg, fd);
}

static void mark(struct passed *p, const struct endpoint *ep)
{
	struct passed_fd *one;

	if (!driver_of(ep)->accept)
		return;
	one = passed_find(p, ep->path[0] ? ep->path : NULL, &ep->local,
			  HAS_KEYS && ep->is_udp);
	if (one)
		one->is_used = true;
}

/* Refuse a socket that no listener would have: clients would wait there for ever. */
static int check_passed(const struct conf *conf, struct passed *p, char *why, size_t size)
{
	char text[SOCK_TEXT_MAX];
	int ret = 0;

	for (size_t i = 0; i < conf_count(conf); i++)
		mark(p, conf_nth(conf, i));
	if (conf->ctl_path)
		mark(p, &conf->ctl);
	if (conf->has_metrics)
		mark(p, &conf->metrics);
	for (unsigned i = 0; i < p->n; i++) {
		struct passed_fd *one = &p->fds[i];
		bool is_unix = one->addr.sa.sa_family == AF_UNIX;

		if (!one->is_used && ret == 0) {
			snprintf(
				why, size,
				"the service manager passes a socket at %s, \"%s\", and no "
				"listener has that address; add -l %s%s%s",
				sock_text(&one->addr, text), one->name,
				is_unix ? "unix-listen:" : "", text,
				one->is_udp ? ",udp" : "");
			ret = -EINVAL;
		}
		one->is_used = false;
	}
	return ret;
}

/* Whether a listener or an endpoint has it. */
static bool is_wanted(const struct conf *conf, const struct passed *p, int fd)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->fds[i].fd == fd)
			return true;
	return conf_has_fd(conf, fd);
}

/* Whoever has the other end of one, as a shell that reads our output, would wait for ever. */
static void close_others(const struct conf *conf, const struct passed *p)
{
	int from = STDERR_FILENO + 1, top = from - 1;

	for (unsigned i = 0; i < p->n; i++)
		top = p->fds[i].fd > top ? p->fds[i].fd : top;
	for (size_t i = 0; i < conf->n_endpoints; i++)
		top = conf->endpoints[i].fd > top ? conf->endpoints[i].fd : top;
	for (int fd = from; fd <= top; fd++)
		if (!is_wanted(conf, p, fd))
			close(fd);
	child_close_range(top + 1, INT_MAX);
}

int inherited_check(const struct conf *conf, struct passed *passed, char *why,
		    size_t size)
{
	int ret = check_endpoints(conf, why, size);

	if (HAS_SERVICE && ret == 0)
		ret = passed_read(passed, is_endpoint, conf, why, size);
	if (HAS_SERVICE && ret == 0)
		ret = check_passed(conf, passed, why, size);
	if (HAS_SERVICE && ret == 0 && conf->daemon)
		close_others(conf, passed);
	return ret < 0 ? ret : fill_standard_fds(why, size);
}
