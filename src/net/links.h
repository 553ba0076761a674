/* SPDX-License-Identifier: MIT */
/*
 * Events of links and addresses: one subscription to rtnetlink serves the whole
 * relay, and passes each event on to the users that it concerns.
 */
#ifndef LINKS_H
#define LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "net/nl.h"

/*
 * A user of the subscription; part of its owner's struct.
 * @changed: a link that the user waits for appeared, changed or went. With @link
 *           NULL events were lost, and the user must look for itself. It must not
 *           call links_join() or links_leave(). Another link whose name has the
 *           same hash may be reported too.
 * @is_of_host: the user is told of every link and address, always with @link NULL
 * @slot:    the user's place in the list of keys
 * @is_in:   it has joined
 */
struct links_user {
	void (*changed)(struct links_user *u, const struct nl_link *link);
	bool is_of_host;
	unsigned slot;
	bool is_in;
};

struct links_key;

/*
 * The subscription, and the socket by which its users ask the kernel.
 * @sock:  for events; it is subscribed to them only while there are users
 * @asks:  for requests; see links_ask()
 * @is_sealed: nothing is opened any more
 * @again: reading @sock failed; it is read again when this is due
 * @keys:  @n of them in use, room for @size
 */
struct links {
	struct loop *loop;
	struct watch watch;
	struct timer again;
	struct mnl_socket *sock, *asks;
	struct links_key *keys;
	unsigned n, size;
	bool is_sealed;
};

/* links_init() - Make @l ready for use. Nothing is opened; @loop must outlive it. */
void links_init(struct links *l, struct loop *loop);

/*
 * links_seal() - Open both sockets now, and never later, when the relay is confined and
 * can't.
 * @is_needed: if not, they are not opened now either
 *
 * Return: 0 or -errno: what could not be opened is missing from then on.
 */
int links_seal(struct links *l, bool is_needed);

/*
 * links_ask() - The socket for requests, for nl_link_get() and the like; it stays ours.
 *
 * Return: NULL without @l, or with errno set when there is none.
 */
struct mnl_socket *links_ask(struct links *l);

/*
 * links_join() - Tell @u about links called @name from now on, unless @u has joined
 * already.
 * @u:    its @changed and @is_of_host are set; it must stay where it is until
 *        links_leave()
 * @name: copied as a hash
 *
 * Return: 0; -ENOMEM; another -errno when the socket cannot be opened. An error changes
 * nothing.
 */
int links_join(struct links *l, struct links_user *u, const char *name);

/*
 * links_follow() - Tell @u, which has joined, about two links by number as well.
 * @one, @other: ifindex, or 0 for none; these replace the numbers given before
 */
void links_follow(struct links *l, const struct links_user *u, int one, int other);

/* links_leave() - Tell @u nothing more. */
void links_leave(struct links *l, struct links_user *u);

/* links_free() - Close and free all, when no user is left. It may be used again. */
void links_free(struct links *l);

#endif
