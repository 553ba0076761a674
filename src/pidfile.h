/* SPDX-License-Identifier: MIT */
/*
 * --pidfile: a file with the number of our process, for programs that send it signals. It is
 * locked as long as the process lives, so one that was left behind is told from one in use.
 */
#ifndef PIDFILE_H
#define PIDFILE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * @path: NULL: there is none
 * @fd:   open and locked; -1 after pidfile_close()
 * @dev, @ino: tell whether the path still leads to our file
 */
struct pidfile {
	const char *path;
	int fd;
	dev_t dev;
	ino_t ino;
};

/*
 * pidfile_open() - Make or take over the file, and lock it; it is empty.
 * @path: NULL: do nothing
 * @why:  on error, one line that says what is wrong
 * @size: bytes at @why
 *
 * Another's file is never written to: one that has other contents than a number, or other
 * names, or another owner, and what is no regular file. It waits half a second for the end of
 * a process that has it.
 *
 * Return: 0 or -errno.
 */
int pidfile_open(struct pidfile *f, const char *path, char *why, size_t size);

/* pidfile_write() - Write our number into it. Also for a confined process. */
void pidfile_write(const struct pidfile *f);

/* pidfile_close() - Unlock it. */
void pidfile_close(struct pidfile *f);

/*
 * pidfile_remove() - Remove it if it is ours, and nobody has locked it for half a second. For
 * a process with the right to do so, after pidfile_close() or the end of the process that had
 * it open.
 */
void pidfile_remove(const struct pidfile *f);

#endif
