/* SPDX-License-Identifier: MIT */
/*
 * A built-in subset of libmnl: the few functions that nl.c calls, for a static
 * binary on systems that have libmnl as a shared library only. Where there is a
 * static libmnl, that is linked instead of this file. The prototypes come from
 * libmnl's own header, so nl.c is the same either way. test/net/nl-compare checks
 * that both build the same messages, byte by byte. Sources: libmnl's documentation,
 * netlink(7) and rtnetlink(7).
 *
 * A netlink message, and an attribute in it as well, is a header with the length of
 * the whole, a payload, and zeroes up to the next multiple of four.
 *
 * #syscalls: bind close getsockname recvmsg sendto socket
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

/* As MNL_NLMSG_HDRLEN and MNL_ATTR_HDRLEN, but of an unsigned type. */
#define MESSAGE_HEADER sizeof(struct nlmsghdr)
#define ATTR_HEADER sizeof(struct nlattr)

struct mnl_socket {
	int fd;
	struct sockaddr_nl addr;
};

static void *at(const void *base, size_t offset)
{
	return (char *)(uintptr_t)base + offset;
}

static size_t align(size_t len)
{
	return (len + MNL_ALIGNTO - 1) / MNL_ALIGNTO * MNL_ALIGNTO;
}

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	struct mnl_socket *nl = calloc(1, sizeof(*nl));

	if (!nl)
		return NULL;
	nl->fd = socket(AF_NETLINK, SOCK_RAW | flags, bus);
	if (nl->fd < 0) {
		int err = errno;

		free(nl);
		errno = err;
		return NULL;
	}
	return nl;
}

/* With @pid 0 the kernel chooses the port id, and getsockname() says which one. */
int mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid)
{
	socklen_t len = sizeof(nl->addr);

	nl->addr = (struct sockaddr_nl){
		.nl_family = AF_NETLINK,
		.nl_pid = (uint32_t)pid,
		.nl_groups = groups,
	};
	if (bind(nl->fd, (struct sockaddr *)&nl->addr, len) < 0 ||
	    getsockname(nl->fd, (struct sockaddr *)&nl->addr, &len) < 0)
		return -1;
	if (len != sizeof(nl->addr) || nl->addr.nl_family != AF_NETLINK) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

int mnl_socket_close(struct mnl_socket *nl)
{
	int rc = close(nl->fd);

	free(nl);
	return rc;
}

int mnl_socket_get_fd(const struct mnl_socket *nl)
{
	return nl->fd;
}

unsigned int mnl_socket_get_portid(const struct mnl_socket *nl)
{
	return nl->addr.nl_pid;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *nl, const void *req, size_t siz)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	return sendto(nl->fd, req, siz, 0, (const struct sockaddr *)&kernel,
		      sizeof(kernel));
}

/* As libmnl: a message longer than @siz bytes is an error, ENOSPC. */
ssize_t mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t siz)
{
	struct sockaddr_nl from;
	struct iovec iov = { .iov_base = buf, .iov_len = siz };
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t n = recvmsg(nl->fd, &msg, 0);

	if (n < 0)
		return -1;
	if (msg.msg_flags & MSG_TRUNC) {
		errno = ENOSPC;
		return -1;
	}
	if (msg.msg_namelen != sizeof(from)) {
		errno = EINVAL;
		return -1;
	}
	return n;
}

struct nlmsghdr *mnl_nlmsg_put_header(void *buf)
{
	struct nlmsghdr *nlh = memset(buf, 0, MESSAGE_HEADER);

	nlh->nlmsg_len = MESSAGE_HEADER;
	return nlh;
}

void *mnl_nlmsg_put_extra_header(struct nlmsghdr *nlh, size_t size)
{
	void *extra = at(nlh, nlh->nlmsg_len);

	nlh->nlmsg_len += (uint32_t)align(size);
	return memset(extra, 0, align(size));
}

bool mnl_nlmsg_ok(const struct nlmsghdr *nlh, int len)
{
	return len >= (int)sizeof(*nlh) && nlh->nlmsg_len >= sizeof(*nlh) &&
	       nlh->nlmsg_len <= (unsigned int)len;
}

struct nlmsghdr *mnl_nlmsg_next(const struct nlmsghdr *nlh, int *len)
{
	size_t step = align(nlh->nlmsg_len);

	*len -= (int)step;
	return at(nlh, step);
}

size_t mnl_nlmsg_get_payload_len(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_len - MESSAGE_HEADER;
}

void *mnl_nlmsg_get_payload(const struct nlmsghdr *nlh)
{
	return at(nlh, MESSAGE_HEADER);
}

void *mnl_nlmsg_get_payload_offset(const struct nlmsghdr *nlh, size_t offset)
{
	return at(nlh, MESSAGE_HEADER + align(offset));
}

void mnl_attr_put(struct nlmsghdr *nlh, uint16_t type, size_t len, const void *data)
{
	struct nlattr *attr = at(nlh, align(nlh->nlmsg_len));
	size_t padding = align(len) - len;

	attr->nla_type = type;
	attr->nla_len = (uint16_t)(ATTR_HEADER + len);
	memcpy(at(attr, ATTR_HEADER), data, len);
	memset(at(attr, ATTR_HEADER + len), 0, padding);
	nlh->nlmsg_len += (uint32_t)(ATTR_HEADER + len + padding);
}

void mnl_attr_put_u32(struct nlmsghdr *nlh, uint16_t type, uint32_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_strz(struct nlmsghdr *nlh, uint16_t type, const char *data)
{
	mnl_attr_put(nlh, type, strlen(data) + 1, data);
}

bool mnl_attr_ok(const struct nlattr *attr, int len)
{
	return len >= (int)sizeof(*attr) && attr->nla_len >= sizeof(*attr) &&
	       attr->nla_len <= len;
}

struct nlattr *mnl_attr_next(const struct nlattr *attr)
{
	return at(attr, align(attr->nla_len));
}

uint16_t mnl_attr_get_type(const struct nlattr *attr)
{
	return attr->nla_type & (uint16_t)NLA_TYPE_MASK;
}

uint16_t mnl_attr_get_len(const struct nlattr *attr)
{
	return attr->nla_len;
}

uint16_t mnl_attr_get_payload_len(const struct nlattr *attr)
{
	return (uint16_t)(attr->nla_len - ATTR_HEADER);
}

void *mnl_attr_get_payload(const struct nlattr *attr)
{
	return at(attr, ATTR_HEADER);
}

uint32_t mnl_attr_get_u32(const struct nlattr *attr)
{
	uint32_t value;

	memcpy(&value, at(attr, ATTR_HEADER), sizeof(value));
	return value;
}
