/* SPDX-License-Identifier: MIT */
/*
 * Reads a small file whole, and tells whether it has changed since. The text may be secret: it
 * is in no memory but what the caller gets, and wipes.
 */
#ifndef FILE_TEXT_H
#define FILE_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What a file is when it is read; another one of this makes it a changed file. All zeros: no
 * file. There is no padding, so that two can be compared as memory.
 * @mode: of its permissions, 07777 at most
 */
struct file_stamp {
	uint64_t dev, ino, size;
	int64_t written_s, changed_s;
	uint32_t written_ns, changed_ns;
	uint64_t mode;
};

/*
 * file_text_read() - Read a file, unless it is as it was.
 * @limit: bytes that it may have
 * @stamp: of what was read before; set to the file's; as it was after an error
 * @text:  set to its bytes with a NUL behind them, to be freed; NULL if the stamp is the same
 * @len:   set to how many there are without that NUL
 *
 * Return: 0; -EFBIG; -EINVAL: it is no file; -EBUSY: it grows; another -errno.
 */
int file_text_read(const char *path, size_t limit, struct file_stamp *stamp, char **text,
		   size_t *len);

/*
 * file_text_fault() - Say what an error of file_text_read() means, and what to do.
 * Return: a text that stays until the next call of strerror().
 */
const char *file_text_fault(int err);

#endif
