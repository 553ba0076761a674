/* SPDX-License-Identifier: MIT */
/*
 * The memory is reserved once, by the file's size: realloc() would leave copies. A file that
 * is longer than it was a moment ago is being written, and half of it is worse than none.
 *
 * #syscalls: close fstat open read
 */
#include "base/file-text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(struct file_stamp) == 7 * sizeof(uint64_t), "it has no padding");

static struct file_stamp stamp_of(const struct stat *st)
{
	return (struct file_stamp){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.written_s = st->st_mtim.tv_sec,
		.changed_s = st->st_ctim.tv_sec,
		.written_ns = (uint32_t)st->st_mtim.tv_nsec,
		.changed_ns = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode & 07777,
	};
}

/* Return: 0, with at most @size bytes at @text; -EBUSY: there are more. */
static int read_whole(int fd, char *text, size_t size, size_t *len)
{
	ssize_t n;

	while (*len <= size && (n = read(fd, text + *len, size + 1 - *len)) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			*len += (size_t)n;
	}
	return *len > size ? -EBUSY : 0;
}

static int read_open(int fd, size_t limit, struct file_stamp *stamp, char **text,
		     size_t *len)
{
	struct file_stamp now;
	struct stat st;
	size_t size;
	int ret;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	now = stamp_of(&st);
	if (!memcmp(&now, stamp, sizeof(now)))
		return 0;
	if (now.size > limit)
		return -EFBIG;
	size = (size_t)now.size;
	*text = malloc(size + 1);
	if (!*text)
		return -ENOMEM;
	ret = read_whole(fd, *text, size, len);
	if (ret < 0)
		return ret;
	(*text)[*len] = '\0';
	*stamp = now;
	return 0;
}

int file_text_read(const char *path, size_t limit, struct file_stamp *stamp, char **text,
		   size_t *len)
{
	/* What is no file must not hang us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), ret;

	*text = NULL;
	*len = 0;
	if (fd < 0)
		return -errno;
	ret = read_open(fd, limit, stamp, text, len);
	close(fd);
	if (ret < 0 && *text) {
		explicit_bzero(*text, *len);
		free(*text);
		*text = NULL;
		*len = 0;
	}
	return ret;
}

const char *file_text_fault(int err)
{
	switch (err) {
	case -EFBIG:
		return "the file is too large";
	case -EINVAL:
		return "it is no file; it must be one, so that it can be read again";
	case -EBUSY:
		return "it grows while it is read; write another file, and rename that";
	default:
		return strerror(-err);
	}
}
