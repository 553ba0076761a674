/* SPDX-License-Identifier: MIT */
/*
 * The messages of vhost-user, as a front end sends and receives them. From QEMU's
 * docs/interop/vhost-user.rst; it uses nothing of what it is to judge.
 */
#ifndef LIB_VHOST_WIRE_H
#define LIB_VHOST_WIRE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum wire_request {
	WIRE_GET_FEATURES = 1,
	WIRE_SET_FEATURES,
	WIRE_SET_OWNER,
	WIRE_RESET_OWNER,
	WIRE_SET_MEM_TABLE,
	WIRE_SET_LOG_BASE,
	WIRE_SET_LOG_FD,
	WIRE_SET_VRING_NUM,
	WIRE_SET_VRING_ADDR,
	WIRE_SET_VRING_BASE,
	WIRE_GET_VRING_BASE,
	WIRE_SET_VRING_KICK,
	WIRE_SET_VRING_CALL,
	WIRE_SET_VRING_ERR,
	WIRE_GET_PROTOCOL_FEATURES,
	WIRE_SET_PROTOCOL_FEATURES,
	WIRE_GET_QUEUE_NUM,
	WIRE_SET_VRING_ENABLE,
	WIRE_SEND_RARP,
	WIRE_NET_SET_MTU,
	WIRE_SET_BACKEND_REQ_FD,
	WIRE_IOTLB_MSG,
	WIRE_SET_VRING_ENDIAN,
	WIRE_GET_CONFIG,
	WIRE_SET_CONFIG,
	WIRE_RESET_DEVICE = 34,
	WIRE_VRING_KICK,
	WIRE_GET_MAX_MEM_SLOTS,
	WIRE_ADD_MEM_REG,
	WIRE_REM_MEM_REG,
	WIRE_SET_STATUS,
	WIRE_GET_STATUS,
	WIRE_REQUESTS = 44, /* all known ones are below */
};

/* Flags of a message. */
#define WIRE_VERSION 1u
#define WIRE_REPLY (1u << 2)
#define WIRE_NEED_REPLY (1u << 3)

/* Protocol features: bits. */
#define WIRE_PF_MQ 0
#define WIRE_PF_LOG_SHMFD 1
#define WIRE_PF_RARP 2
#define WIRE_PF_REPLY_ACK 3
#define WIRE_PF_MTU 4
#define WIRE_PF_CONFIG 9
#define WIRE_PF_RESET_DEVICE 13
#define WIRE_PF_MEM_SLOTS 15
#define WIRE_PF_STATUS 16

#define WIRE_NO_FD (1u << 8) /* of SET_VRING_KICK, _CALL, _ERR: no descriptor comes */

#define WIRE_REGIONS 8 /* in SET_MEM_TABLE */
#define WIRE_FDS 16    /* that we can send; more than anybody may */
#define WIRE_HEADER 12
#define WIRE_PAYLOAD 512

/*
 * @gpa:    where the guest sees it
 * @uva:    where the front end does: addresses of rings are such
 * @offset: of its first byte in the file
 */
struct wire_region {
	uint64_t gpa, size, uva, offset;
};

/*
 * @size: bytes of the payload
 * @fds:  descriptors that go or came with it; a receiver closes them
 */
struct wire_message {
	uint32_t request, flags, size;
	union {
		uint64_t u64;
		struct {
			uint32_t index, num;
		} state;
		struct {
			uint32_t index, flags;
			uint64_t desc, used, avail, log;
		} addr;
		struct {
			uint32_t n, pad;
			struct wire_region region[WIRE_REGIONS];
		} table;
		struct {
			uint64_t pad;
			struct wire_region region;
		} slot;
		struct {
			uint64_t size, offset;
		} log;
		uint8_t bytes[WIRE_PAYLOAD];
	};
	int fds[WIRE_FDS];
	unsigned n_fds;
};

union wire_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS)];
};

/*
 * wire_send_bytes() - Send @len bytes with @n descriptors, which stay the caller's. Blocks
 * if the socket does.
 *
 * Return: 0 or -errno.
 */
static inline int wire_send_bytes(int sock, const void *bytes, size_t len, const int *fds,
				  unsigned n)
{
	union wire_control control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * n);
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == (ssize_t)len ? 0
								 : -(errno ? errno : EIO);
}

/* wire_pack() - A message as it goes over the socket. Return: its bytes. */
static inline size_t wire_pack(uint8_t to[WIRE_HEADER + WIRE_PAYLOAD],
			       const struct wire_message *m)
{
	size_t size = m->size < WIRE_PAYLOAD ? m->size : WIRE_PAYLOAD;

	memcpy(to, m, WIRE_HEADER);
	memcpy(to + WIRE_HEADER, m->bytes, size);
	return WIRE_HEADER + size;
}

/* wire_send() - A message with its descriptors. Return: 0 or -errno. */
static inline int wire_send(int sock, const struct wire_message *m)
{
	uint8_t bytes[WIRE_HEADER + WIRE_PAYLOAD];

	return wire_send_bytes(sock, bytes, wire_pack(bytes, m), m->fds, m->n_fds);
}

static inline void wire_keep_fds(struct wire_message *m, struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	m->n_fds = 0;
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return;
	m->n_fds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(m->fds, CMSG_DATA(c), m->n_fds * sizeof(int));
}

/*
 * wire_receive_any() - The next message, which has come whole or not at all, whichever way it
 * goes.
 *
 * Return: 0; -EAGAIN when there is none; -ECONNRESET when the peer is gone; -EBADMSG.
 */
static inline int wire_receive_any(int sock, struct wire_message *m)
{
	union wire_control control;
	struct iovec iov = { m, WIRE_HEADER };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EAGAIN ? -EAGAIN : -ECONNRESET;
	if (n == 0)
		return -ECONNRESET;
	wire_keep_fds(m, &msg);
	if (n != WIRE_HEADER || m->size > WIRE_PAYLOAD || (m->flags & 3) != WIRE_VERSION)
		return -EBADMSG;
	if (m->size && recv(sock, m->bytes, m->size, MSG_DONTWAIT) != (ssize_t)m->size)
		return -EBADMSG;
	return 0;
}

/* wire_receive() - The same of an answer. */
static inline int wire_receive(int sock, struct wire_message *m)
{
	int ret = wire_receive_any(sock, m);

	return ret == 0 && !(m->flags & WIRE_REPLY) ? -EBADMSG : ret;
}

#endif
