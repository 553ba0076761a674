/* SPDX-License-Identifier: MIT */
/*
 * The process behind --capture: it opens the file, which may take long, and
 * writes to it, which may block, so that the relay does neither.
 */
#ifndef CAPTURE_WRITER_H
#define CAPTURE_WRITER_H

#include <stddef.h>
#include <sys/types.h>

/* All zero: there is none. */
struct capture_writer {
	pid_t pid;
};

/*
 * capture_writer_start() - Fork it. Call it early: what is open then, beyond
 * stderr, is closed in it, and what the relay holds stays in its memory.
 * @path: as of capture_file_open(); a FIFO's reader is waited for by the process
 * @why:  on error, one line that says what is wrong
 *
 * Return: the socket that it reads the capture from, the caller's to close; -errno.
 */
int capture_writer_start(struct capture_writer *w, const char *path, char *why,
			 size_t size);

/*
 * capture_writer_stop() - Wait until it has written what it has, once its socket is
 * closed. A FIFO that still has no reader gets none.
 */
void capture_writer_stop(struct capture_writer *w);

#endif
