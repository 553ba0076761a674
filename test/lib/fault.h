/* SPDX-License-Identifier: MIT */
/*
 * A kernel that refuses: the functions below are replaced in the program that includes
 * this, for what is linked with it, too, and call the C library's. One of them can be
 * told to fail at a certain call. Children are told nothing: a process forked before
 * fault_arm() is not touched by it.
 *
 *	fault_arm(FAULT_bind, 2, ENOMEM);	the second bind() from now on
 *	...
 *	if (!fault_disarm())			there were fewer calls than that
 *
 * A send() that fails by 0 says that it has taken one byte.
 *
 * After a count run (fault_arm() with FAULT_NONE), fault_calls() says how many there were.
 */
#ifndef LIB_FAULT_H
#define LIB_FAULT_H

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

/* name, type, parameters, arguments, what it returns when it fails */
#define FAULT_FIXED(X)                                                                   \
	X(socket, int, (int d, int t, int p), (d, t, p), -1)                             \
	X(socketpair, int, (int d, int t, int p, int v[2]), (d, t, p, v), -1)            \
	X(bind, int, (int fd, __CONST_SOCKADDR_ARG a, socklen_t n), (fd, a, n), -1)      \
	X(listen, int, (int fd, int n), (fd, n), -1)                                     \
	X(connect, int, (int fd, __CONST_SOCKADDR_ARG a, socklen_t n), (fd, a, n), -1)   \
	X(getsockname, int, (int fd, __SOCKADDR_ARG a, socklen_t *n), (fd, a, n), -1)    \
	X(getpeername, int, (int fd, __SOCKADDR_ARG a, socklen_t *n), (fd, a, n), -1)    \
	X(getsockopt, int, (int fd, int l, int o, void *v, socklen_t *n),                \
	  (fd, l, o, v, n), -1)                                                          \
	X(setsockopt, int, (int fd, int l, int o, const void *v, socklen_t n),           \
	  (fd, l, o, v, n), -1)                                                          \
	X(send, ssize_t, (int fd, const void *v, size_t n, int f), (fd, v, n, f),        \
	  fault.err ? -1 : 1)                                                            \
	X(sendto, ssize_t,                                                               \
	  (int fd, const void *v, size_t n, int f, __CONST_SOCKADDR_ARG a, socklen_t l), \
	  (fd, v, n, f, a, l), -1)                                                       \
	X(sendmsg, ssize_t, (int fd, const struct msghdr *m, int f), (fd, m, f), -1)     \
	X(sendmmsg, int, (int fd, struct mmsghdr *m, unsigned n, int f), (fd, m, n, f),  \
	  -1)                                                                            \
	X(recv, ssize_t, (int fd, void *v, size_t n, int f), (fd, v, n, f), -1)          \
	X(recvmsg, ssize_t, (int fd, struct msghdr *m, int f), (fd, m, f), -1)           \
	X(recvmmsg, int,                                                                 \
	  (int fd, struct mmsghdr *m, unsigned n, int f, struct timespec *t),            \
	  (fd, m, n, f, t), -1)                                                          \
	X(read, ssize_t, (int fd, void *v, size_t n), (fd, v, n), -1)                    \
	X(readv, ssize_t, (int fd, const struct iovec *v, int n), (fd, v, n), -1)        \
	X(write, ssize_t, (int fd, const void *v, size_t n), (fd, v, n), -1)             \
	X(writev, ssize_t, (int fd, const struct iovec *v, int n), (fd, v, n), -1)       \
	X(mmap, void *, (void *a, size_t n, int p, int f, int fd, off_t o),              \
	  (a, n, p, f, fd, o), MAP_FAILED)                                               \
	X(pipe2, int, (int v[2], int f), (v, f), -1)                                     \
	X(signalfd, int, (int fd, const sigset_t *s, int f), (fd, s, f), -1)             \
	X(fork, pid_t, (void), (), -1)                                                   \
	X(fchmod, int, (int fd, mode_t m), (fd, m), -1)                                  \
	X(ftruncate, int, (int fd, off_t n), (fd, n), -1)

/* By hand: a third argument may be left out; of epoll_ctl() only EPOLL_CTL_ADD can fail. */
#define FAULT_OTHERS(X) X(ioctl, ) X(fcntl, ) X(open, ) X(epoll_ctl, )

#define FAULT_ONE(name, ...) FAULT_##name,
enum fault_call {
	FAULT_NONE,
	FAULT_FIXED(FAULT_ONE) FAULT_OTHERS(FAULT_ONE) FAULT_CALLS
};
#undef FAULT_ONE

static struct {
	bool is_armed, is_hit;
	enum fault_call call;
	unsigned at, seen[FAULT_CALLS];
	int err;
} fault;

static inline const char *fault_name(enum fault_call call)
{
#define FAULT_ONE(name, ...) #name,
	static const char *const names[] = { "none", FAULT_FIXED(FAULT_ONE)
							     FAULT_OTHERS(FAULT_ONE) };
#undef FAULT_ONE

	return names[call];
}

/* fault_arm() - From now on, count; and have call number @at of @call fail by @err. */
static inline void fault_arm(enum fault_call call, unsigned at, int err)
{
	memset(&fault, 0, sizeof(fault));
	fault.call = call;
	fault.at = at;
	fault.err = err;
	fault.is_armed = true;
}

/* fault_disarm() - No more. Return: whether anything has failed. */
static inline bool fault_disarm(void)
{
	fault.is_armed = false;
	return fault.is_hit;
}

/* fault_calls() - How many there were of @call while it was armed. */
static inline unsigned fault_calls(enum fault_call call)
{
	return fault.seen[call];
}

static inline bool fault_hits(enum fault_call call)
{
	if (!fault.is_armed || ++fault.seen[call] != fault.at || call != fault.call)
		return false;
	fault.is_hit = true;
	errno = fault.err;
	return true;
}

/*
 * The C library's function, or a sanitizer's. ISO C has no cast for it. Those that take an
 * offset have other names for one of 64 bits, which we build with on all machines.
 */
static inline void fault_find(void *fn, const char *name)
{
	void *found;

	if (!strcmp(name, "mmap"))
		name = "mmap64";
	else if (!strcmp(name, "ftruncate"))
		name = "ftruncate64";
	found = dlsym(RTLD_NEXT, name);
	if (!found)
		abort();
	memcpy(fn, &found, sizeof(found));
}

#define FAULT_ONE(name, type, params, args, failed) \
	type name params                            \
	{                                           \
		static type(*next) params;          \
                                                    \
		if (fault_hits(FAULT_##name))       \
			return failed;              \
		if (!next)                          \
			fault_find(&next, #name);   \
		return next args;                   \
	}
FAULT_FIXED(FAULT_ONE)
#undef FAULT_ONE

int ioctl(int fd, unsigned long request, ...)
{
	static int (*next)(int fd, unsigned long request, ...);
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (fault_hits(FAULT_ioctl))
		return -1;
	if (!next)
		fault_find(&next, "ioctl");
	return next(fd, request, arg);
}

int fcntl(int fd, int command, ...)
{
	static int (*next)(int fd, int command, ...);
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	if (fault_hits(FAULT_fcntl))
		return -1;
	if (!next)
		fault_find(&next, "fcntl");
	return next(fd, command, arg);
}

int open(const char *path, int flags, ...)
{
	static int (*next)(const char *path, int flags, ...);
	va_list args;
	mode_t mode = 0;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	if (fault_hits(FAULT_open))
		return -1;
	if (!next)
		fault_find(&next, "open");
	return next(path, flags, mode);
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	static int (*next)(int epfd, int op, int fd, struct epoll_event *event);

	if (op == EPOLL_CTL_ADD && fault_hits(FAULT_epoll_ctl))
		return -1;
	if (!next)
		fault_find(&next, "epoll_ctl");
	return next(epfd, op, fd, event);
}

/* fault_open_fds() - How many descriptors this process has. */
static inline unsigned fault_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

#endif
