/* SPDX-License-Identifier: MIT */
/*
 * Only whole blocks are written, so that a capture that is cut off anywhere
 * ends with one. A file is written to as it is. What else there is may stall: it
 * is polled before each write, of no more than a pipe then takes without
 * blocking, so that a signal, or the relay's end, is always seen.
 */
#include "capture/capture-file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/loop.h"
#include "base/util.h"
#include "capture/pcapng.h"

#define BUFFER_BYTES ((size_t)256 << 10)
#define END_MS 2000 /* for all that is left when it is to end */
_Static_assert(sizeof(off_t) == 8, "a capture may be longer than 2 GiB");

/*
 * @signals: a signalfd
 * @have:    bytes in @buf
 * @limit:   when it is over, loop_now(); 0 while nobody wants it to end
 */
struct copy {
	int from, to, signals;
	bool is_file;
	uint8_t *buf;
	size_t have;
	uint64_t limit;
};

/* ---- opening ---- */

static int refuse(char *why, size_t size, int err, const char *path, const char *text)
{
	char escaped[200];

	escape_text(escaped, sizeof(escaped), path);
	snprintf(why, size, "capture %s: %s", escaped, text);
	return err;
}

static bool is_fifo(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
}

static bool is_stdout(const char *path)
{
	return !strcmp(path, "-");
}

/*
 * Whoever may write to a directory, /tmp say, may put a link there to a file that is
 * dear to us. What is behind one, like /dev/fd/3, can be a pipe but no file.
 */
static int open_path(const char *path, int flags, bool *is_link)
{
	int fd = open(path,
		      O_WRONLY | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC | flags,
		      0600);

	*is_link = fd < 0 && errno == ELOOP;
	if (*is_link)
		fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC | flags);
	return fd < 0 ? -errno : fd;
}

/* Return: what keeps a capture from being written there, or NULL. */
static const char *fault_of(int fd, bool is_link)
{
	struct stat st;

	if (isatty(fd))
		return "a terminal can't show a capture; name a file, or lead - into "
		       "a program, as in | wireshark -k -i -";
	if (fstat(fd, &st) < 0 || S_ISBLK(st.st_mode))
		return "is no file; name one, a FIFO, or - for stdout";
	if (!S_ISREG(st.st_mode))
		return NULL;
	if (is_link)
		return "is a symbolic link, and what it points to would be emptied; "
		       "name the file itself";
	if (st.st_uid != geteuid())
		return "belongs to another user, who could read the capture; remove "
		       "it, or name another file";
	return NULL;
}

static int checked(int fd, const char *path, bool is_link, char *why, size_t size)
{
	const char *fault;

	if (fd < 0)
		return refuse(why, size, fd, path, strerror(-fd));
	fault = fault_of(fd, is_link);
	/* The shell opened stdout, and its user chose it. */
	if (!fault || (is_stdout(path) && !isatty(fd)))
		return fd;
	close(fd);
	return refuse(why, size, -EPERM, path, fault);
}

int capture_file_try(const char *path, char *why, size_t size)
{
	bool is_link = false;
	int fd;

	if (is_stdout(path)) {
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		return checked(fd < 0 ? -errno : fd, path, false, why, size);
	}
	fd = open_path(path, O_NONBLOCK, &is_link);
	if (fd == -ENXIO && is_fifo(path))
		return -EAGAIN;
	return checked(fd, path, is_link, why, size);
}

int capture_file_open(const char *path, char *why, size_t size)
{
	int fd = capture_file_try(path, why, size);
	bool is_link;

	if (fd != -EAGAIN)
		return fd;
	fd = open_path(path, 0, &is_link);
	return checked(fd, path, is_link, why, size);
}

int capture_file_begin(int to, const char *path, char *why, size_t size)
{
	struct stat st;

	if (is_stdout(path) || fstat(to, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if ((st.st_mode & 077) && fchmod(to, 0600) < 0)
		return refuse(why, size, -errno, path,
			      "can't be made its owner's alone to read; name another "
			      "file");
	if (ftruncate(to, 0) < 0)
		return refuse(why, size, -errno, path, strerror(errno));
	return 0;
}

/* ---- waiting ---- */

static int time_left(const struct copy *k)
{
	uint64_t now = loop_now();

	if (!k->limit)
		return -1;
	return now < k->limit ? (int)(k->limit - now) : 0;
}

static void limit_time(struct copy *k)
{
	if (!k->limit)
		k->limit = loop_now() + END_MS;
}

static void stop_asked(struct copy *k)
{
	struct signalfd_siginfo info;

	while (read(k->signals, &info, sizeof(info)) > 0)
		;
	shutdown(k->from, SHUT_WR);
	limit_time(k);
}

/*
 * Until there is something to read or, with @is_writing, room to write.
 *
 * Return: 0; -EPIPE; -ETIMEDOUT when it is to end, and that takes too long.
 */
static int wait_ready(struct copy *k, bool is_writing)
{
	struct pollfd pfd[] = {
		{ .fd = k->from, .events = is_writing ? POLLRDHUP : POLLIN },
		{ .fd = k->is_file ? -1 : k->to, .events = is_writing ? POLLOUT : 0 },
		{ .fd = k->signals, .events = POLLIN },
	};
	int n;

	for (;;) {
		/* That the relay has ended is news once. */
		if (is_writing && k->limit)
			pfd[0].fd = -1;
		n = poll(pfd, ARRAY_SIZE(pfd), time_left(k));
		if (n == 0)
			return -ETIMEDOUT;
		if (n < 0)
			continue;
		if (pfd[2].revents)
			stop_asked(k);
		if (pfd[1].revents & (POLLERR | POLLHUP))
			return -EPIPE;
		if (pfd[is_writing].revents)
			return 0;
		if (is_writing && pfd[0].revents)
			limit_time(k);
	}
}

/* ---- writing ---- */

/* After @done bytes of the buffer no more can be written. */
static void cut(const struct copy *k, size_t done)
{
	off_t at = lseek(k->to, 0, SEEK_CUR);
	long whole = pcapng_whole(k->buf, done, BUFFER_BYTES);

	if (at >= 0 && ftruncate(k->to, at - (off_t)done + whole) < 0)
		return; /* it can be read all the same, with a complaint at its end */
}

static int write_some(struct copy *k, size_t done, size_t len)
{
	ssize_t n;

	if (!k->is_file) {
		int ret = wait_ready(k, true);

		if (ret < 0)
			return ret;
		len = min_size(len, PIPE_BUF);
	}
	n = write(k->to, k->buf + done, len);
	if (n >= 0)
		return (int)n;
	return errno == EINTR || errno == EAGAIN ? 0 : -errno;
}

/* Return: 0; -EINVAL when what came is no capture; another -errno. */
static int write_whole(struct copy *k)
{
	long whole = pcapng_whole(k->buf, k->have, BUFFER_BYTES);
	size_t done = 0;

	if (whole < 0)
		return (int)whole;
	while (done < (size_t)whole) {
		int n = write_some(k, done, (size_t)whole - done);

		if (n < 0) {
			if (k->is_file)
				cut(k, done);
			return n;
		}
		done += (size_t)n;
	}
	k->have -= done;
	memmove(k->buf, k->buf + done, k->have);
	return 0;
}

/* Return: bytes; 0 at the end; -errno. */
static ssize_t read_some(struct copy *k)
{
	ssize_t n;
	int ret = wait_ready(k, false);

	/* It has been told to stop, and says nothing any more. */
	if (ret == -ETIMEDOUT)
		return 0;
	if (ret < 0)
		return ret;
	n = recv(k->from, k->buf + k->have, BUFFER_BYTES - k->have, 0);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	k->have += (size_t)n;
	return n;
}

static int copy_all(struct copy *k)
{
	ssize_t n;
	int ret = 0;

	do {
		n = read_some(k);
		if (n > 0)
			ret = write_whole(k);
	} while (ret == 0 && (n > 0 || n == -EINTR));
	return ret < 0 ? ret : (int)n;
}

/* ---- all of it ---- */

static int take_signals(sigset_t *old)
{
	static const int stops[] = { SIGINT, SIGTERM, SIGHUP };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(stops); i++)
		if (!signal_is_ignored(stops[i]))
			sigaddset(&set, stops[i]);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, old);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static const char *reason(const struct copy *k, int err)
{
	if (err == -EPIPE)
		return "who read it has gone; the capture has ended";
	if (err == -ETIMEDOUT)
		return "who reads it takes no more; its end is missing";
	if (err == -EINVAL)
		return "what came is no capture; is the other end a netrelay?";
	return k->is_file ? "the capture has ended, and can be read up to here"
			  : "the capture has ended";
}

int capture_file_copy(int from, int to, const char *name, char *why, size_t size)
{
	struct copy k = { .from = from, .to = to };
	char text[160];
	sigset_t old;
	struct stat st;
	int ret = -ENOMEM;

	k.is_file = fstat(to, &st) == 0 && S_ISREG(st.st_mode);
	k.buf = malloc(BUFFER_BYTES);
	k.signals = take_signals(&old);
	if (k.buf && k.signals >= 0)
		ret = copy_all(&k);
	if (ret < 0) {
		bool is_plain = ret == -EPIPE || ret == -ETIMEDOUT || ret == -EINVAL;

		snprintf(text, sizeof(text), "%s%s%s", is_plain ? "" : strerror(-ret),
			 is_plain ? "" : ": ", reason(&k, ret));
		refuse(why, size, ret, name, text);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (k.signals >= 0)
		close(k.signals);
	free(k.buf);
	return ret;
}
