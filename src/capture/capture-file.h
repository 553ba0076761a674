/* SPDX-License-Identifier: MIT */
/*
 * The reading end of a capture: pcapng arrives on a socket and is written to a file,
 * a FIFO or stdout. Writing may block, so this is for a process that does nothing else.
 */
#ifndef CAPTURE_FILE_H
#define CAPTURE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * capture_file_open() - Open the file that a capture is to be written to.
 * @path: a file, created if there is none; a FIFO; "-" for stdout
 * @why:  on error, one line that says what is wrong and what would be right
 * @size: bytes at @why
 *
 * A file that exists is not changed until capture_file_begin(). It must belong to the
 * user and must not be a symbolic link, because it will be emptied. A terminal is
 * refused. If nobody reads a FIFO yet, this waits until somebody does.
 *
 * Return: the descriptor, the caller's to close; -errno.
 */
int capture_file_open(const char *path, char *why, size_t size);

/* capture_file_try() - As capture_file_open(), but -EAGAIN if nobody reads the FIFO yet. */
int capture_file_try(const char *path, char *why, size_t size);

/*
 * capture_file_begin() - Empty a regular file, and let only its owner read it. Call it
 * when it is certain that a capture follows. stdout, and what is not a file, stays as
 * it is.
 * @to, @path: of capture_file_open()
 *
 * Return: 0; -errno with @why.
 */
int capture_file_begin(int to, const char *path, char *why, size_t size);

/*
 * capture_file_copy() - Copy a capture until it ends.
 * @from: a stream socket; stays the caller's
 * @to:   of capture_file_open(); stays the caller's
 * @name: the file's name, for @why
 *
 * SIGINT, SIGTERM and SIGHUP, unless they are ignored, end the capture in good order:
 * the relay is told to stop, and what it has still queued is written, for up to 2 s.
 * If writing fails, a regular file is cut behind its last whole block. SIGPIPE and
 * SIGXFSZ are ignored from then on.
 *
 * Return: 0 when the capture has come to its end; -errno with @why.
 */
int capture_file_copy(int from, int to, const char *name, char *why, size_t size);

#endif
