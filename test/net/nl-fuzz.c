/* SPDX-License-Identifier: MIT */
/*
 * Messages of the kernel's as nobody has seen them: as an answer to a request, and as
 * events. A link that comes of it has a name, and all lengths stay within what came.
 * The stand-in for libmnl is used here, as in the static program.
 *
 * Input: the type of each message's header; whether its length is another one than the
 * bytes', which may be wrong, too; then its payload.
 */
#include "net/mnl-builtin.c"

#include "lib/fuzz.h"

#include <linux/rtnetlink.h>

#include "net/links.h"

#define BYTES_MAX 1024

/* What the kernel says next, each time that it is asked. */
static struct {
	uint8_t bytes[BYTES_MAX];
	size_t len;
	bool is_told, is_asked;
} kernel;

/* ---- the kernel: of exactly the bytes that there are ---- */

ssize_t recv(int fd, void *data, size_t size, int flags)
{
	(void)fd;
	(void)data;
	(void)size;
	(void)flags;
	errno = EAGAIN;
	return -1;
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, __CONST_SOCKADDR_ARG to,
	       socklen_t len)
{
	(void)fd;
	(void)data;
	(void)flags;
	(void)to;
	(void)len;
	kernel.is_told = false;
	return (ssize_t)size;
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	(void)fd;
	(void)flags;
	if (kernel.is_told || msg->msg_iov->iov_len < kernel.len) {
		errno = EAGAIN;
		return -1;
	}
	kernel.is_told = true;
	memcpy(msg->msg_iov->iov_base, kernel.bytes, kernel.len);
	msg->msg_flags = 0;
	msg->msg_namelen = sizeof(struct sockaddr_nl);
	return (ssize_t)kernel.len;
}

/* ---- what it says ---- */

static void add_message(struct fuzz_input *in, uint32_t port)
{
	static const uint16_t types[] = { RTM_NEWLINK, RTM_DELLINK, RTM_NEWROUTE,
					  RTM_NEWADDR, NLMSG_ERROR };
	uint8_t type = fuzz_byte(in), how = fuzz_byte(in);
	size_t len = fuzz_byte(in);
	struct nlmsghdr nlh = { .nlmsg_seq = 1, .nlmsg_pid = port };

	len = len < in->left ? len : in->left;
	nlh.nlmsg_type = type < sizeof(types) / sizeof(*types) ? types[type] : type;
	nlh.nlmsg_len = (uint32_t)(sizeof(nlh) + len);
	if (how & 1)
		nlh.nlmsg_len = fuzz_number(in, how & 2 ? 4 : 1);
	len = len < in->left ? len : in->left;
	if (kernel.len + sizeof(nlh) + len + 3 > BYTES_MAX)
		return;
	memcpy(kernel.bytes + kernel.len, &nlh, sizeof(nlh));
	memcpy(kernel.bytes + kernel.len + sizeof(nlh), in->at, len);
	kernel.len += (sizeof(nlh) + len + 3) & ~(size_t)3;
	in->at += len;
	in->left -= len;
}

static void must_be_link(const struct nl_link *link)
{
	must(link->index > 0 && link->master >= 0);
	must(*link->name && memchr(link->name, '\0', sizeof(link->name)));
	must(memchr(link->kind, '\0', sizeof(link->kind)));
}

static void changed(struct links_user *u, const struct nl_link *link)
{
	(void)u;
	if (link)
		must_be_link(link);
}

static void see(const struct nl_link *link, void *arg)
{
	(void)arg;
	if (link)
		must_be_link(link);
}

/* In memory of exactly that size: where a message ends the memory does. */
static void parse_alone(void)
{
	struct nlmsghdr *copy = malloc(kernel.len + !kernel.len);
	struct nl_link link;

	memcpy(copy, kernel.bytes, kernel.len);
	if (mnl_nlmsg_ok(copy, (int)kernel.len)) {
		if (nl_parse_link(copy, &link) == 0)
			must_be_link(&link);
		must(nl_parse_route(copy) != 0);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mnl_socket *asks, *hears;
	struct fuzz_input in = { data, size };
	struct links_user user = { .changed = changed };
	struct nl_link link;
	int fd;

	if (!asks)
		must((asks = nl_open()) && (hears = nl_monitor_open(&fd)));
	kernel.len = 0;
	memset(kernel.bytes, 0, sizeof(kernel.bytes));
	while (in.left)
		add_message(&in, mnl_socket_get_portid(asks));
	parse_alone();
	if (nl_link_get(asks, "br0", &link) == 0)
		must_be_link(&link);
	must(nl_route_link(asks, (struct in_addr){ 0 }) != 0);
	kernel.is_told = false;
	must(nl_monitor_read(hears, see, &user) == 0);
	return 0;
}
