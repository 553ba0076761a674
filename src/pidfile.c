/* SPDX-License-Identifier: MIT */
/*
 * The relay opens the file before it is confined, and writes to it when it is ready. The
 * broker, which is not confined, removes it when the relay has ended, in whatever way.
 *
 * #syscalls: close flock fstat ftruncate geteuid getpid lstat open poll pread64 unlink write
 */
#include "pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define TEXT_MAX 16 /* bytes of a number, with a newline and a NUL */
#define TRIES 20
#define TRY_MS 25

/* Read it. Return: whether it is empty, or has a number and nothing else. */
static bool read_number(int fd, char text[TEXT_MAX])
{
	ssize_t n = pread(fd, text, TEXT_MAX - 1, 0);
	size_t digits;

	text[n > 0 ? n : 0] = '\0';
	digits = strspn(text, "0123456789");
	if (n < 0 || n == TEXT_MAX - 1 || strlen(text) != (size_t)n ||
	    (text[digits] && strcmp(text + digits, "\n") != 0))
		return false;
	text[digits] = '\0';
	return true;
}

/* Return: NULL if it may be written to, or what is wrong with it. */
static const char *find_fault(int fd, const struct stat *st)
{
	char text[TEXT_MAX];

	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (st->st_uid != geteuid())
		return "belongs to another user";
	if (st->st_nlink > 1)
		return "has another name, too";
	return read_number(fd, text) ? NULL : "has other contents than a number";
}

static bool is_still_there(const struct pidfile *f)
{
	struct stat st;

	return lstat(f->path, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino;
}

/* Return: 0; -EAGAIN when another process has it, or has just removed it; -errno with @why. */
static int try(struct pidfile *f, char *why, size_t size)
{
	const char *fault;
	struct stat st;

	f->fd = open(f->path,
		     O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		     0644);
	if (f->fd < 0 || fstat(f->fd, &st) < 0) {
		snprintf(why, size, "--pidfile %s: %s", f->path,
			 errno == ELOOP ? "is a symbolic link" : strerror(errno));
		return -errno;
	}
	fault = find_fault(f->fd, &st);
	if (fault) {
		snprintf(why, size, "--pidfile %s: %s; name another file", f->path,
			 fault);
		return -EEXIST;
	}
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	if (flock(f->fd, LOCK_EX | LOCK_NB) < 0 || !is_still_there(f))
		return -EAGAIN;
	if (ftruncate(f->fd, 0) == 0)
		return 0;
	snprintf(why, size, "--pidfile %s: %s", f->path, strerror(errno));
	return -errno;
}

static void tell_who_has_it(const struct pidfile *f, char *why, size_t size)
{
	char text[TEXT_MAX] = "";

	read_number(f->fd, text);
	snprintf(why, size,
		 "--pidfile %s: %s%s has it; stop that first, or name another file",
		 f->path, *text ? "process " : "another process", text);
}

int pidfile_open(struct pidfile *f, const char *path, char *why, size_t size)
{
	int ret = path ? -EAGAIN : 0;

	*f = (struct pidfile){ .path = path, .fd = -1 };
	for (int i = 0; i < TRIES && ret == -EAGAIN; i++) {
		if (f->fd >= 0) {
			pidfile_close(f);
			poll(NULL, 0, TRY_MS);
		}
		ret = try(f, why, size);
	}
	if (ret == -EAGAIN)
		tell_who_has_it(f, why, size);
	if (ret < 0) {
		pidfile_close(f);
		f->path = NULL;
	}
	return ret;
}

void pidfile_write(const struct pidfile *f)
{
	char text[TEXT_MAX];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (f->path && write(f->fd, text, (size_t)len) != len)
		log_warn("--pidfile %s: %s", f->path, strerror(errno));
}

void pidfile_close(struct pidfile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

void pidfile_remove(const struct pidfile *f)
{
	int fd = f->path && is_still_there(f)
			 ? open(f->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
			 : -1;
	bool is_free = false;

	/* When a process is killed, its lock may be the last that goes. */
	for (int i = 0; fd >= 0 && i < TRIES && !is_free; i++) {
		is_free = flock(fd, LOCK_EX | LOCK_NB) == 0;
		if (!is_free)
			poll(NULL, 0, TRY_MS);
	}
	if (is_free && is_still_there(f))
		unlink(f->path);
	if (fd >= 0)
		close(fd);
}
