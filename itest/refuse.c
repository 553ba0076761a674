/* SPDX-License-Identifier: MIT */
/*
 * A kernel that refuses what others always grant: preloaded into a relay, it lets
 * some system calls fail with what passes by itself, or do only a part of what
 * they were asked for. How many of a thousand is the first word of the file that
 * REFUSE names, and may change at any time; REFUSE_SEED is where chance begins.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static const volatile uint32_t *per_mille;
static uint64_t state;

__attribute__((constructor)) static void set_up(void)
{
	const char *path = getenv("REFUSE"), *seed = getenv("REFUSE_SEED");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map = MAP_FAILED;

	state = seed ? strtoull(seed, NULL, 10) : 1;
	if (fd >= 0) {
		map = mmap(NULL, sizeof(*per_mille), PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
	}
	per_mille = map == MAP_FAILED ? NULL : map;
	/* What the relay starts is to be spared. */
	unsetenv("LD_PRELOAD");
}

/* splitmix64 */
static uint64_t chance(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static int is_due(void)
{
	return per_mille && chance() % 1000 < *per_mille;
}

/* Who waits for a call to be done is spared: those do not fail by themselves. */
static int is_refused(int fd, int flags)
{
	return is_due() && ((flags & MSG_DONTWAIT) || (fcntl(fd, F_GETFL) & O_NONBLOCK));
}

static int fail(const int *errors, size_t n)
{
	errno = errors[chance() % n];
	return -1;
}

#define FAIL(...) \
	fail((const int[]){ __VA_ARGS__ }, sizeof((int[]){ __VA_ARGS__ }) / sizeof(int))

static void *next_of(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (!f)
		abort();
	return f;
}

/* The real function, looked up once. */
#define REAL(name)                     \
	static __typeof__(&name) real; \
	if (!real)                     \
	*(void **)(void *)&real = next_of(#name)

/* A part of @len, at least one byte. */
static size_t some(size_t len)
{
	return len > 1 ? 1 + chance() % (len - 1) : len;
}

static int is_socket(int fd)
{
	int type;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_STREAM;
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	REAL(writev);
	size_t all = 0, part;
	struct iovec few[8];
	int i;

	if (!is_refused(fd, 0))
		return real(fd, iov, n);
	if (chance() % 2)
		return FAIL(EAGAIN, EINTR, ENOBUFS, ENOMEM);
	if (!is_socket(fd))
		return real(fd, iov, n);
	for (i = 0; i < n && i < 8; i++) {
		few[i] = iov[i];
		all += iov[i].iov_len;
	}
	part = some(all);
	for (n = 0; n < i && part; n++) {
		if (few[n].iov_len > part)
			few[n].iov_len = part;
		part -= few[n].iov_len;
	}
	return real(fd, few, n);
}

ssize_t write(int fd, const void *data, size_t len)
{
	REAL(write);

	if (is_refused(fd, 0) && is_socket(fd)) {
		if (chance() % 2)
			return FAIL(EAGAIN, EINTR, ENOBUFS, ENOMEM);
		len = some(len);
	}
	return real(fd, data, len);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
	REAL(send);

	/* A line or so always has room where nothing waits. */
	if (len > 128 && is_refused(fd, flags))
		return FAIL(EAGAIN, EINTR, ENOBUFS, ENOMEM);
	return real(fd, data, len, flags);
}

ssize_t read(int fd, void *data, size_t len)
{
	REAL(read);

	if (is_refused(fd, 0) && is_socket(fd)) {
		if (chance() % 2)
			return FAIL(EAGAIN, EINTR, ENOMEM, ENOBUFS);
		len = some(len);
	}
	return real(fd, data, len);
}

ssize_t readv(int fd, const struct iovec *iov, int n)
{
	REAL(readv);
	struct iovec one;

	if (n && is_refused(fd, 0) && is_socket(fd)) {
		if (chance() % 2)
			return FAIL(EAGAIN, EINTR, ENOMEM, ENOBUFS);
		one = iov[0];
		one.iov_len = some(one.iov_len);
		return real(fd, &one, 1);
	}
	return real(fd, iov, n);
}

ssize_t recv(int fd, void *data, size_t len, int flags)
{
	REAL(recv);

	if (is_refused(fd, flags))
		return FAIL(EAGAIN, EINTR);
	return real(fd, data, len, flags);
}

int sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	REAL(sendmmsg);

	if (is_refused(fd, flags)) {
		if (n < 2 || chance() % 2)
			return FAIL(EAGAIN, EINTR, ENOBUFS, ENOMEM, ECONNREFUSED, EPERM);
		n = (unsigned)some(n);
	}
	return real(fd, msgs, n, flags);
}

int recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *limit)
{
	REAL(recvmmsg);

	if (is_refused(fd, flags))
		return FAIL(EAGAIN, EINTR, ECONNREFUSED, ENOMEM);
	return real(fd, msgs, n, flags, limit);
}

int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	REAL(accept4);

	if (is_refused(fd, 0))
		return FAIL(EAGAIN, EINTR, ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM,
			    EPERM);
	return real(fd, addr, len, flags);
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	REAL(epoll_ctl);

	if (op == EPOLL_CTL_ADD && is_due())
		return FAIL(ENOMEM, ENOSPC);
	return real(epfd, op, fd, event);
}

int socket(int domain, int type, int protocol)
{
	REAL(socket);

	if (is_due())
		return FAIL(EMFILE, ENFILE, ENOBUFS, ENOMEM);
	return real(domain, type, protocol);
}

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	REAL(connect);

	if (is_refused(fd, 0))
		return FAIL(EAGAIN, EADDRNOTAVAIL, ENETUNREACH, ENOMEM);
	return real(fd, addr, len);
}
