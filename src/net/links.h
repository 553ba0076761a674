/* SPDX-License-Identifier: MIT */
/*
 * News of links and addresses, for all who want to know: one subscription to
 * rtnetlink for the whole relay, and each event goes to those alone whom it concerns.
 */
#ifndef LINKS_H
#define LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "net/nl.h"

/*
 * One who wants to know; lives in its owner's struct.
 * @changed: a link of these numbers, or of that name, came, changed or went; or
 *           with @link NULL: some news was lost, look for yourself. It must not
 *           call links_join() or links_leave().
 * @is_of_host: it wants to hear of every link and address, with @link NULL
 * @slot:    its place in the list
 */
struct links_user {
	void (*changed)(struct links_user *u, const struct nl_link *link);
	bool is_of_host;
	unsigned slot;
	bool is_in;
};

struct links_key;

/* Initialise with links_init(). Nothing is open while nobody is in. */
struct links {
	struct loop *loop;
	struct watch watch;
	struct timer again; /* the socket failed, and is to be opened anew */
	struct mnl_socket *sock;
	struct links_key *keys;
	unsigned n, size;
};

void links_init(struct links *l, struct loop *loop);

/*
 * links_join() - Have @u told of links called @name from now on; once only, if it is in.
 *
 * Return: 0 or -errno.
 */
int links_join(struct links *l, struct links_user *u, const char *name);

/* links_follow() - And of the links of these two numbers; 0 for none. */
void links_follow(struct links *l, const struct links_user *u, int one, int other);

/* links_leave() - No more; the last one closes all. */
void links_leave(struct links *l, struct links_user *u);

#endif
