/* SPDX-License-Identifier: MIT */
/*
 * Sends and receives descriptors with a message.
 *
 * #syscalls: close recvmsg sendmsg
 */
#include "base/pass-fd.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(PASS_FDS_MAX * sizeof(int))];
};

int pass_send(int sock, const void *data, size_t len, const int *fds, size_t n)
{
	union control control = { 0 };
	struct iovec iov = { .iov_base = (char *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t ret;

	if (n) {
		struct cmsghdr *cmsg = &control.align;

		msg.msg_control = &control;
		msg.msg_controllen = (socklen_t)CMSG_SPACE(n * sizeof(int));
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = (socklen_t)CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	}
	do
		ret = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

/* Take the descriptors out of a message. */
static void take(struct msghdr *msg, int fds[PASS_FDS_MAX])
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);

	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(cmsg), cmsg->cmsg_len - CMSG_LEN(0));
}

ssize_t pass_receive(int sock, void *data, size_t size, int fds[PASS_FDS_MAX],
		     bool *left_out)
{
	union control control;
	struct iovec iov = { .iov_base = data, .iov_len = size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*left_out = false;
	for (unsigned i = 0; i < PASS_FDS_MAX; i++)
		fds[i] = -1;
	if (n < 0)
		return -errno;
	take(&msg, fds);
	*left_out = msg.msg_flags & MSG_CTRUNC;
	/* Without a byte a message looks like the end, and nobody expects descriptors there. */
	for (unsigned i = 0; (*left_out || !n) && i < PASS_FDS_MAX; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
	return n;
}
