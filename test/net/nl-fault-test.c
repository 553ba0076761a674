/* SPDX-License-Identifier: MIT */
/*
 * nl.c with a kernel that answers otherwise than it should, or is interrupted: what is no
 * answer to the question is an error. Its real answers are bent on their way. It needs a
 * network namespace.
 */
#include "net/nl.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/fault.h"
#include "lib/netns.h"
#include "lib/tap.h"

/* Replaces the library's: what it received is at @nlh, and is made another by the test. */
static void (*bend)(struct nlmsghdr *nlh, ssize_t *n);

ssize_t mnl_socket_recvfrom(const struct mnl_socket *sock, void *buf, size_t size)
{
	static ssize_t (*next)(const struct mnl_socket *sock, void *buf, size_t size);
	ssize_t n;

	if (!next)
		fault_find(&next, "mnl_socket_recvfrom");
	n = next(sock, buf, size);
	if (n >= 0 && bend)
		bend(buf, &n);
	return n;
}

static void cut_header(struct nlmsghdr *nlh, ssize_t *n)
{
	(void)nlh;
	*n = sizeof(*nlh) - 1;
}

static void cut_message(struct nlmsghdr *nlh, ssize_t *n)
{
	(void)nlh;
	--*n;
}

static void other_seq(struct nlmsghdr *nlh, ssize_t *n)
{
	(void)n;
	nlh->nlmsg_seq++;
}

static void other_pid(struct nlmsghdr *nlh, ssize_t *n)
{
	(void)n;
	nlh->nlmsg_pid++;
}

static void no_error(struct nlmsghdr *nlh, ssize_t *n)
{
	nlh->nlmsg_type = NLMSG_ERROR;
	nlh->nlmsg_len = NLMSG_LENGTH(sizeof(int) - 1);
	((struct nlmsgerr *)NLMSG_DATA(nlh))->error = -5;
	*n = (ssize_t)nlh->nlmsg_len;
}

static void positive_error(struct nlmsghdr *nlh, ssize_t *n)
{
	(void)n;
	nlh->nlmsg_type = NLMSG_ERROR;
	((struct nlmsgerr *)NLMSG_DATA(nlh))->error = 5;
}

static void no_link(struct nlmsghdr *nlh, ssize_t *n)
{
	(void)n;
	nlh->nlmsg_type = NLMSG_DONE;
}

static void gone(struct nlmsghdr *nlh, ssize_t *n)
{
	(void)n;
	nlh->nlmsg_type = RTM_DELLINK;
}

static void test_bent(void)
{
	static const struct {
		void (*bend)(struct nlmsghdr *nlh, ssize_t *n);
		const char *what;
	} ways[] = {
		{ cut_header, "less than a header" },
		{ cut_message, "a message that was cut" },
		{ other_seq, "an answer to another question" },
		{ other_pid, "an answer to somebody else" },
		{ no_error, "an error that is too short" },
		{ positive_error, "an error that is positive" },
		{ no_link, "a message that is about no link" },
		{ gone, "a link that has just gone" },
	};
	struct nl_change up = { .index = 1, .master = -1, .up = true };
	struct nl_link lo;

	ok_eq_int(nl_link_get(NULL, "lo", &lo), 0, "lo is there");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		bend = ways[i].bend;
		ok_eq_int(nl_link_get(NULL, "lo", &lo), -EPROTO, "%s", ways[i].what);
	}
	bend = no_link;
	ok_eq_int(nl_link_change(&up), -EPROTO, "anything but an acknowledgement");
	bend = NULL;
	ok_eq_int(nl_link_change(&up), 0, "an acknowledgement");
}

/* A socket that is kept, on which an answer was left that nobody waited for. */
static void test_left(struct mnl_socket *sock, int err)
{
	struct nl_link link;

	fault_arm(FAULT_recvmsg, 1, ENOMEM);
	ok_eq_int(nl_link_get(sock, "lo", &link), -ENOMEM, "no answer can be had");
	fault_arm(FAULT_recv, 1, err);
	ok_eq_int(nl_link_get(sock, "none", &link), -ENODEV,
		  "when it comes it is not another's: %s", strerror(err));
	ok(fault_disarm(), "it was thrown away before");
}

static void test_kept(void)
{
	struct mnl_socket *sock = nl_open();
	struct nl_link lo;

	if (!sock)
		abort();
	test_left(sock, EINTR);
	test_left(sock, ENOBUFS);
	fault_arm(FAULT_recvmsg, 1, EINTR);
	ok_eq_int(nl_link_get(sock, "lo", &lo), 0, "waiting is interrupted");
	ok(fault_disarm(), "it was");
	nl_close(sock);
}

static void hear(const struct nl_link *link, void *arg)
{
	*(unsigned *)arg += link && link->index == 1;
}

static void test_monitor(void)
{
	static const struct {
		int err, ret;
	} faults[] = { { EINTR, 0 },
		       { ENOBUFS, -ENOBUFS },
		       { ENOSPC, -ENOBUFS },
		       { ENOMEM, -ENOMEM } };
	struct nl_change change = { .index = 1, .master = -1, .mtu = 2000 };
	unsigned heard = 0;
	int fd;
	struct mnl_socket *sock = nl_monitor_open(&fd);

	if (!sock || nl_monitor_hear(sock, true) < 0)
		abort();
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		int err = faults[i].err;

		change.mtu++;
		if (nl_link_change(&change) < 0)
			abort();
		heard = 0;
		fault_arm(FAULT_recvmsg, 1, err);
		ok_eq_int(nl_monitor_read(sock, hear, &heard), faults[i].ret,
			  "events: %s", strerror(err));
		fault_disarm();
		ok_eq_int(nl_monitor_read(sock, hear, &heard), 0, "and on it goes");
		ok(heard > 0, "what came was heard");
	}
	nl_close(sock);
}

int main(void)
{
	if (!netns_or_skip())
		return 0;
	test_bent();
	test_kept();
	test_monitor();
	return done();
}
