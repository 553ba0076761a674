/* SPDX-License-Identifier: MIT */
/*
 * The process that writes the file of --capture. Opening the file may take long, and
 * writing may block, so the relay does neither itself.
 */
#ifndef CAPTURE_WRITER_H
#define CAPTURE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* @pid: the process; 0 when there is none */
struct capture_writer {
	pid_t pid;
};

/*
 * capture_writer_start() - Fork the process. Call it early: it closes all descriptors
 * but stderr, but keeps a copy of the memory that is in use.
 * @path: as of capture_file_open(); it is the process that waits for a FIFO's reader
 * @is_confined: it gives up its rights when the file is open (sandbox/sandbox.h)
 * @why:  on error, one line that says what is wrong
 * @size: bytes at @why
 *
 * Return: the socket to write the capture to, the caller's to close; -errno.
 */
int capture_writer_start(struct capture_writer *w, const char *path, bool is_confined,
			 char *why, size_t size);

/*
 * capture_writer_stop() - Wait until the process has written all that it got. Close its
 * socket first. If it still waits for a FIFO's reader, it is ended.
 */
void capture_writer_stop(struct capture_writer *w);

#endif
