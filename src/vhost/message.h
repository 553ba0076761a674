/* SPDX-License-Identifier: MIT */
/*
 * Messages of the vhost-user protocol, as a back end receives and answers them (QEMU,
 * docs/interop/vhost-user.rst, from where all names and numbers are). A message is a header
 * and a payload, both in the host's byte order; some have descriptors with them.
 *
 * A message is read as it comes, in any number of parts, and never beyond its end. Then
 * message_check() has looked at all that can be wrong with it alone.
 */
#ifndef VHOST_MESSAGE_H
#define VHOST_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#define MESSAGE_FDS_MAX 8u     /* VHOST_MEMORY_BASELINE_NREGIONS */
#define MESSAGE_REGIONS_MAX 8u /* the same: of one message */
#define MESSAGE_HEADER 12u

/* Of the flags. */
#define MESSAGE_VERSION 1u
#define MESSAGE_VERSION_MASK 3u
#define MESSAGE_REPLY 4u
#define MESSAGE_NEED_REPLY 8u

/* Of a payload that says which ring its descriptor is for. */
#define MESSAGE_RING_MASK 0xffu
#define MESSAGE_NO_FD 0x100u

enum message_request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_MEM_TABLE = 5,
	SET_LOG_BASE = 6,
	SET_LOG_FD = 7,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
	SEND_RARP = 19,
	NET_SET_MTU = 20,
	RESET_DEVICE = 34,
	GET_MAX_MEM_SLOTS = 36,
	ADD_MEM_REG = 37,
	REM_MEM_REG = 38,
	SET_STATUS = 39,
	GET_STATUS = 40,
	MESSAGE_REQUESTS,
};

struct message_state {
	uint32_t index, num;
};

struct message_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

#define MESSAGE_ADDR_LOG 1u /* of flags: VHOST_VRING_F_LOG */

struct message_region {
	uint64_t guest, size, user, offset;
};

struct message_table {
	uint32_t n, padding;
	struct message_region region[MESSAGE_REGIONS_MAX];
};

struct message_slot {
	uint64_t padding;
	struct message_region region;
};

struct message_log {
	uint64_t size, offset;
};

/*
 * @have: bytes of it that were read so far
 * @fd:   the @n_fds descriptors that came with it, which are the message's; -1: it was taken
 */
struct message {
	uint32_t request, flags, size;
	union {
		uint64_t u64;
		struct message_state state;
		struct message_addr addr;
		struct message_table table;
		struct message_slot slot;
		struct message_log log;
	};
	size_t have;
	int fd[MESSAGE_FDS_MAX];
	unsigned n_fds;
};

/*
 * message_read() - Read from a socket what is there of a message, or of the rest of it.
 * @m:   all zeros at first, and after message_end()
 * @why: on an error, a constant
 *
 * Return: 1: it is complete, and message_check() found nothing; 0: more of it is to come;
 * -ENODATA: the peer has ended the connection in good order; another -errno.
 */
int message_read(struct message *m, int fd, const char **why);

/*
 * message_check() - Whether a message has the size, the descriptors and the flags that its
 * request wants. One whose request is not known has nothing wrong.
 *
 * Return: 0; -EPROTO with @why.
 */
int message_check(const struct message *m, const char **why);

/* message_take_fd() - Take over its first descriptor. Return: it; -1: it has none. */
int message_take_fd(struct message *m);

/* message_end() - Close the descriptors that nobody took, and get ready for the next message. */
void message_end(struct message *m);

/*
 * message_answer() - Send an answer to @m, whose payload is the first @size bytes behind its
 * header. It never waits.
 *
 * Return: 0; -EAGAIN: the peer does not read; another -errno.
 */
int message_answer(const struct message *m, uint32_t size, int fd);

/* message_name() - A request's name, for messages; "request" if it has none. */
const char *message_name(uint32_t request);

#endif
