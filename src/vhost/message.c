/* SPDX-License-Identifier: MIT */
/*
 * Descriptors come with the first byte of a message. A call of recvmsg() asks for no more than
 * the header, or than the rest of the payload: so what it brings belongs to this message.
 *
 * They may be of any kind. Where closing one might wait, it is kept from that, or interrupted.
 *
 * #syscalls: close recvmsg sendmsg setsockopt
 */
#include "vhost/message.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "net/sock.h"

#define PAYLOAD_MAX sizeof(struct message_table)

/* How many descriptors come with a request. */
enum fds {
	FDS_NONE,
	FDS_ONE,
	FDS_RING,    /* one, unless the payload says that there is none */
	FDS_REGIONS, /* one for each region */
	FDS_MAY,     /* one or none */
};

/* @size: of the payload, bytes */
struct rule {
	const char *name;
	uint16_t size;
	uint8_t fds;
};

#define U64 sizeof(uint64_t)
#define STATE sizeof(struct message_state)

static const struct rule rules[MESSAGE_REQUESTS] = {
	[GET_FEATURES] = { "GET_FEATURES", 0, FDS_NONE },
	[SET_FEATURES] = { "SET_FEATURES", U64, FDS_NONE },
	[SET_OWNER] = { "SET_OWNER", 0, FDS_NONE },
	[RESET_OWNER] = { "RESET_OWNER", 0, FDS_NONE },
	[SET_MEM_TABLE] = { "SET_MEM_TABLE", 0, FDS_REGIONS },
	[SET_LOG_BASE] = { "SET_LOG_BASE", sizeof(struct message_log), FDS_ONE },
	[SET_LOG_FD] = { "SET_LOG_FD", 0, FDS_MAY },
	[SET_VRING_NUM] = { "SET_VRING_NUM", STATE, FDS_NONE },
	[SET_VRING_ADDR] = { "SET_VRING_ADDR", sizeof(struct message_addr), FDS_NONE },
	[SET_VRING_BASE] = { "SET_VRING_BASE", STATE, FDS_NONE },
	[GET_VRING_BASE] = { "GET_VRING_BASE", STATE, FDS_NONE },
	[SET_VRING_KICK] = { "SET_VRING_KICK", U64, FDS_RING },
	[SET_VRING_CALL] = { "SET_VRING_CALL", U64, FDS_RING },
	[SET_VRING_ERR] = { "SET_VRING_ERR", U64, FDS_RING },
	[GET_PROTOCOL_FEATURES] = { "GET_PROTOCOL_FEATURES", 0, FDS_NONE },
	[SET_PROTOCOL_FEATURES] = { "SET_PROTOCOL_FEATURES", U64, FDS_NONE },
	[GET_QUEUE_NUM] = { "GET_QUEUE_NUM", 0, FDS_NONE },
	[SET_VRING_ENABLE] = { "SET_VRING_ENABLE", STATE, FDS_NONE },
	[SEND_RARP] = { "SEND_RARP", U64, FDS_NONE },
	[NET_SET_MTU] = { "NET_SET_MTU", U64, FDS_NONE },
	[RESET_DEVICE] = { "RESET_DEVICE", 0, FDS_NONE },
	[GET_MAX_MEM_SLOTS] = { "GET_MAX_MEM_SLOTS", 0, FDS_NONE },
	[ADD_MEM_REG] = { "ADD_MEM_REG", sizeof(struct message_slot), FDS_ONE },
	[REM_MEM_REG] = { "REM_MEM_REG", sizeof(struct message_slot), FDS_MAY },
	[SET_STATUS] = { "SET_STATUS", U64, FDS_NONE },
	[GET_STATUS] = { "GET_STATUS", 0, FDS_NONE },
};

static const struct rule *rule_of(uint32_t request)
{
	return request < MESSAGE_REQUESTS && rules[request].name ? &rules[request] : NULL;
}

const char *message_name(uint32_t request)
{
	const struct rule *r = rule_of(request);

	return r ? r->name : "request";
}

/* ---- what is wrong with one ---- */

/* Of SET_MEM_TABLE, some front ends send only the regions in use, others room for all. */
static bool is_size_right(const struct message *m, const struct rule *r)
{
	size_t head = offsetof(struct message_table, region);

	if (m->request != SET_MEM_TABLE)
		return m->size == r->size;
	return m->size >= head && m->table.n <= MESSAGE_REGIONS_MAX &&
	       m->size >= head + m->table.n * sizeof(struct message_region);
}

static bool are_fds_right(const struct message *m, const struct rule *r)
{
	switch ((enum fds)r->fds) {
	case FDS_NONE:
		break;
	case FDS_ONE:
		return m->n_fds == 1;
	case FDS_RING:
		return m->n_fds == (m->u64 & MESSAGE_NO_FD ? 0 : 1);
	case FDS_REGIONS:
		return m->n_fds == m->table.n;
	case FDS_MAY:
		return m->n_fds <= 1;
	}
	return m->n_fds == 0;
}

int message_check(const struct message *m, const char **why)
{
	const struct rule *r = rule_of(m->request);

	*why = "is of another version, or a reply";
	if ((m->flags & MESSAGE_VERSION_MASK) != MESSAGE_VERSION ||
	    (m->flags & MESSAGE_REPLY))
		return -EPROTO;
	if (!r)
		return 0;
	*why = "has a payload of a wrong size";
	if (!is_size_right(m, r))
		return -EPROTO;
	*why = "has too few or too many descriptors";
	return are_fds_right(m, r) ? 0 : -EPROTO;
}

/* ---- to read one ---- */

/* Take over the descriptors that came. Return: 0; -EPROTO: there were more than we take. */
static int take_fds(struct message *m, struct msghdr *msg)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	bool is_cut = msg->msg_flags & MSG_CTRUNC;
	size_t n = 0;

	/* The kernel puts all of them into one. */
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 0 },
			   sizeof(struct linger));
		is_cut |= !sock_leaves_fds(fd);
		if (m->n_fds < MESSAGE_FDS_MAX) {
			m->fd[m->n_fds++] = fd;
			continue;
		}
		close(fd);
		is_cut = true;
	}
	return is_cut ? -EPROTO : 0;
}

/*
 * Receive up to @len bytes to @to.
 *
 * Return: how many; 0: none now; -ENODATA at the end; another -errno with @why.
 */
static ssize_t receive(struct message *m, int fd, void *to, size_t len, const char **why)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(MESSAGE_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { to, len };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n;

	n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	*why = n < 0 ? strerror(errno) : "has too many descriptors, or we have no more";
	if (n < 0)
		return errno == ECONNRESET ? -ENODATA : -errno;
	if (take_fds(m, &msg) < 0)
		return -EPROTO;
	return n ? n : -ENODATA;
}

int message_read(struct message *m, int fd, const char **why)
{
	while (m->have < MESSAGE_HEADER || m->have < MESSAGE_HEADER + m->size) {
		bool is_header = m->have < MESSAGE_HEADER;
		size_t at = is_header ? m->have : m->have - MESSAGE_HEADER;
		uint8_t *to = is_header ? (uint8_t *)&m->request : (uint8_t *)&m->u64;
		size_t len = (is_header ? MESSAGE_HEADER : m->size) - at;
		ssize_t n = receive(m, fd, to + at, len, why);

		if (n <= 0) {
			*why = n == -ENODATA && m->have ? "ends in the midst" : *why;
			return n == -ENODATA && m->have ? -EPROTO : (int)n;
		}
		m->have += (size_t)n;
		*why = "has a payload of a wrong size";
		if (m->have == MESSAGE_HEADER && m->size > PAYLOAD_MAX)
			return -EPROTO;
	}
	return message_check(m, why) < 0 ? -EPROTO : 1;
}

int message_take_fd(struct message *m)
{
	for (unsigned i = 0; i < m->n_fds; i++) {
		int fd = m->fd[i];

		m->fd[i] = -1;
		if (fd >= 0)
			return fd;
	}
	return -1;
}

void message_end(struct message *m)
{
	int fd;

	while ((fd = message_take_fd(m)) >= 0)
		close(fd);
	memset(m, 0, sizeof(*m));
}

int message_answer(const struct message *m, uint32_t size, int fd)
{
	uint32_t head[] = { m->request, MESSAGE_VERSION | MESSAGE_REPLY, size };
	struct iovec iov[] = { { head, sizeof(head) },
			       { (void *)(uintptr_t)&m->u64, size } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };
	ssize_t n;

	do
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	/* What is left of it could not be told from the next one. */
	return (size_t)n < sizeof(head) + size ? -EAGAIN : 0;
}
