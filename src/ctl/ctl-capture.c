/* SPDX-License-Identifier: MIT */
/* Keeps a list of captures, and frees each when it has ended. */
#include "ctl/ctl-capture.h"

#include <errno.h>
#include <stdlib.h>

#include "conf/endpoint-name.h"

struct ctl_capture {
	struct ctl_capture *next;
	struct ctl_captures *all;
	struct capture capture;
};

static void ended(struct capture *capture, void *arg)
{
	struct ctl_capture *c = container_of(capture, struct ctl_capture, capture);
	struct ctl_capture **link = &c->all->first;

	(void)arg;
	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	c->all->n--;
	free(c);
}

/* A number is never given again, but a name may be: it need not be in use now. */
static bool may_exist(const struct relay *r, const struct capture_filter *filter)
{
	const struct acceptor *a = r->acceptors;

	if (!*filter->name)
		return !filter->port || relay_find(r, filter->port);
	while (a && !endpoint_may_name(a->ep, filter->name))
		a = a->next;
	return a || relay_find_name(r, filter->name);
}

int ctl_capture_start(struct ctl_captures *all, struct relay *r, int fd,
		      const struct capture_filter *filter)
{
	struct ctl_capture *c;
	int ret;

	if (!may_exist(r, filter))
		return -ENOENT;
	if (all->n == CTL_CAPTURES_MAX)
		return -EBUSY;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	ret = capture_start(&c->capture, &r->forward, r->loop, fd, filter, "ctl capture",
			    ended, NULL);
	if (ret < 0) {
		free(c);
		return ret;
	}
	c->all = all;
	c->next = all->first;
	all->first = c;
	all->n++;
	return 0;
}

void ctl_captures_stop(struct ctl_captures *all)
{
	while (all->first) {
		struct ctl_capture *c = all->first;

		all->first = c->next;
		capture_stop(&c->capture);
		free(c);
	}
	all->n = 0;
}
