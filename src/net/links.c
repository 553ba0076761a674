/* SPDX-License-Identifier: MIT */
/*
 * One rtnetlink subscription for all users. Each user's link numbers and the hash of
 * its link's name are in one array, apart from the users themselves. So an event is
 * compared with a few kilobytes even for hundreds of taps, and most of them do not
 * match. Two names may have the same hash: a user must check that a link is its own.
 *
 * The socket is subscribed only while there are users. A confined relay can't open it,
 * so it is opened before, and kept whatever happens.
 *
 * When the kernel has dropped events, or reading the socket has failed, all users are
 * told to look for themselves.
 */
#include "net/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/util.h"

#define AGAIN_MS 1000 /* from a failure of the socket to the next try to read it */
#define KEYS_MIN 16

/* The links that @user waits for: two link numbers (0: none), and the hash of a name. */
struct links_key {
	int one, other;
	uint32_t name;
	struct links_user *user;
};

void links_init(struct links *l, struct loop *loop)
{
	*l = (struct links){ .loop = loop, .watch = WATCH_INIT };
}

/* FNV-1a, 32 bits (draft-eastlake-fnv) */
static uint32_t hash(const char *name)
{
	uint32_t h = 2166136261;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619;
	return h;
}

static void hear(const struct nl_link *link, void *arg)
{
	struct links *l = arg;
	uint32_t name = link ? hash(link->name) : 0;

	for (unsigned i = 0; i < l->n; i++) {
		const struct links_key *k = &l->keys[i];

		if (k->user->is_of_host)
			k->user->changed(k->user, NULL);
		else if (!link)
			continue;
		else if (k->one == link->index || k->other == link->index ||
			 k->name == name)
			k->user->changed(k->user, link);
	}
}

static void report_lost(struct links *l)
{
	for (unsigned i = 0; i < l->n; i++)
		l->keys[i].user->changed(l->keys[i].user, NULL);
}

static void again_due(struct timer *t)
{
	struct links *l = container_of(t, struct links, again);

	loop_mod(l->loop, &l->watch, EPOLLIN);
	report_lost(l);
}

static void ready(struct watch *w, uint32_t events)
{
	struct links *l = container_of(w, struct links, watch);
	int ret = nl_monitor_read(l->sock, hear, l);

	(void)events;
	if (ret == -ENOBUFS) {
		report_lost(l);
	} else if (ret < 0) {
		loop_mod(l->loop, &l->watch, 0);
		timer_set(l->loop, &l->again, AGAIN_MS, again_due);
	}
}

struct mnl_socket *links_ask(struct links *l)
{
	if (l && !l->asks && !l->is_sealed)
		l->asks = nl_open();
	return l ? l->asks : NULL;
}

static int open_monitor(struct links *l)
{
	int fd, ret;

	if (l->sock)
		return 0;
	if (l->is_sealed)
		return -EPERM;
	l->sock = nl_monitor_open(&fd);
	if (!l->sock)
		return -errno;
	ret = loop_add(l->loop, &l->watch, fd, EPOLLIN, ready);
	if (ret < 0) {
		nl_close(l->sock);
		l->sock = NULL;
	}
	return ret;
}

int links_seal(struct links *l, bool is_needed)
{
	int ret = 0;

	if (is_needed)
		ret = links_ask(l) ? open_monitor(l) : -errno;
	l->is_sealed = true;
	return ret;
}

static int make_room(struct links *l)
{
	unsigned size = l->size ? l->size * 2 : KEYS_MIN;
	struct links_key *keys;

	if (l->n < l->size)
		return 0;
	keys = realloc(l->keys, size * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	l->keys = keys;
	l->size = size;
	return 0;
}

int links_join(struct links *l, struct links_user *u, const char *name)
{
	int ret = u->is_in ? 0 : make_room(l);

	if (ret == 0)
		ret = open_monitor(l);
	if (ret == 0 && !l->n)
		ret = nl_monitor_hear(l->sock, true);
	if (ret < 0 || u->is_in)
		return ret;
	u->slot = l->n++;
	u->is_in = true;
	l->keys[u->slot] = (struct links_key){ .name = hash(name), .user = u };
	return 0;
}

void links_follow(struct links *l, const struct links_user *u, int one, int other)
{
	l->keys[u->slot].one = one;
	l->keys[u->slot].other = other;
}

void links_leave(struct links *l, struct links_user *u)
{
	if (!u->is_in)
		return;
	u->is_in = false;
	l->keys[u->slot] = l->keys[--l->n];
	l->keys[u->slot].user->slot = u->slot;
	if (l->n)
		return;
	nl_monitor_hear(l->sock, false);
	free(l->keys);
	l->keys = NULL;
	l->size = 0;
}

void links_free(struct links *l)
{
	timer_cancel(l->loop, &l->again);
	loop_del(l->loop, &l->watch);
	if (l->sock)
		nl_close(l->sock);
	if (l->asks)
		nl_close(l->asks);
	free(l->keys);
	*l = (struct links){ .loop = l->loop, .watch = WATCH_INIT };
}
