/* SPDX-License-Identifier: MIT */
/*
 * The reader's end of a capture: pcapng comes in on a socket and goes to a file,
 * a FIFO or stdout, which may block. For a process that has nothing else to do.
 */
#ifndef CAPTURE_FILE_H
#define CAPTURE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * capture_file_open() - Open where a capture goes to.
 * @path: a file, created if there is none; a FIFO; "-" for stdout
 * @why:  on error, one line that says what is wrong and what would be right
 *
 * A file that is there stays as it is until capture_file_begin(). It must be the
 * user's own, and no symbolic link, for it will be emptied. A terminal is refused.
 * A FIFO that nobody reads yet is waited for.
 *
 * Return: the descriptor, the caller's to close; -errno.
 */
int capture_file_open(const char *path, char *why, size_t size);

/* capture_file_try() - The same, but -EAGAIN when there is a FIFO's reader to wait for. */
int capture_file_try(const char *path, char *why, size_t size);

/*
 * capture_file_begin() - Empty it, and make it its owner's alone to read, now that
 * it is certain that a capture comes. What is no file, or is stdout, stays as it is.
 * @to, @path: of capture_file_open()
 *
 * Return: 0; -errno with @why.
 */
int capture_file_begin(int to, const char *path, char *why, size_t size);

/*
 * capture_file_copy() - Copy a capture to its end, as it comes.
 * @from: socket
 * @to:   from capture_file_open()
 * @name: what the file is called in @why
 *
 * SIGINT, SIGTERM and SIGHUP, unless they are ignored, end it in good order: the
 * relay is told to stop, and what it still has is waited for, though not for
 * long. When nothing more can be written, a file is cut behind its last whole
 * block. SIGPIPE and SIGXFSZ are ignored from then on.
 *
 * Return: 0 when the capture has come to its end; -errno with @why.
 */
int capture_file_copy(int from, int to, const char *name, char *why, size_t size);

#endif
