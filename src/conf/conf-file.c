/* SPDX-License-Identifier: MIT */
/*
 * A file is read whole and cut into lines. Only "include" is understood here; all other
 * statements are passed on. A file that includes itself, also by way of others, is told by
 * its inode.
 *
 * #syscalls: close fstat open read
 */
#include "conf/conf-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/quote.h"

#define BLANKS " \t\r"
#define FILES_MAX 64
#define DEPTH_MAX 8
#define PATH_MAX_BYTES 4096
#define MESSAGE_MAX 256

/*
 * All files of a text.
 * @n:       how many were read
 * @is_full: the text is as long as it may be
 * @lack:    -errno if the host could not read a file now; else 0
 */
struct job {
	struct buf *text;
	unsigned n;
	bool is_full;
	int lack;
};

/* A file that is being read. @outer: the one that includes it; NULL for the first */
struct file {
	const struct file *outer;
	const char *path;
	struct stat st;
};

static void add_record(struct job *job, const char *where, const char *text)
{
	buf_add(job->text, where, strlen(where) + 1);
	buf_add(job->text, text, strlen(text) + 1);
}

PRINTF_LIKE(3, 4)
static void add_fault(struct job *job, const char *where, const char *fmt, ...)
{
	char text[1 + MESSAGE_MAX] = { CONF_FILE_FAULT };
	va_list args;

	va_start(args, fmt);
	vsnprintf(text + 1, sizeof(text) - 1, fmt, args);
	va_end(args);
	add_record(job, where, text);
}

/* What errno says. Some of that is a lack of the host's, which may pass. */
static const char *errno_text(struct job *job)
{
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO)
		job->lack = -errno;
	return strerror(errno);
}

/* Return: whether it was read; if not, the fault is noted. */
static bool read_whole(struct job *job, int fd, const char *where, struct buf *whole)
{
	char part[4096];
	ssize_t n;

	while (whole->len <= CONF_FILE_BYTES && (n = read(fd, part, sizeof(part))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			add_fault(job, where, "can't be read: %s", errno_text(job));
			return false;
		}
		buf_add(whole, part, (size_t)n);
	}
	if (whole->failed || (whole->len && memchr(whole->data, '\0', whole->len))) {
		add_fault(job, where, "%s",
			  whole->failed ? "there is no memory to read it"
					: "it has zero bytes; it must be a text");
		return false;
	}
	return true;
}

static void include(struct job *job, const char *where, const char *path,
		    const struct file *outer);

/* Include what a line names, relative to the folder of the line's file. */
static void do_include(struct job *job, const char *where, char *statement,
		       const struct file *file)
{
	const char *slash = strrchr(file->path, '/'), *why;
	char path[PATH_MAX_BYTES], *value;
	int folder = slash ? (int)(slash + 1 - file->path) : 0;

	if (conf_file_value(statement, &value, &why) < 0) {
		add_fault(job, where, "include: %s", why);
		return;
	}
	if (!value || !*value) {
		add_fault(job, where, "include: the file's name is missing");
		return;
	}
	if ((size_t)snprintf(path, sizeof(path), "%.*s%s", *value == '/' ? 0 : folder,
			     file->path, value) >= sizeof(path))
		add_fault(job, where, "include: the path is too long");
	else
		include(job, where, path, file);
}

static void read_line(struct job *job, const struct file *file, unsigned number,
		      char *line)
{
	char where[PATH_MAX_BYTES + 16];
	size_t len;

	line += strspn(line, BLANKS);
	for (len = strlen(line); len && strchr(BLANKS, line[len - 1]); len--)
		line[len - 1] = '\0';
	if (!*line || *line == '#' || job->is_full)
		return;
	snprintf(where, sizeof(where), "%s:%u", file->path, number);
	if (job->text->len > CONF_FILE_BYTES) {
		job->is_full = true;
		add_fault(job, where,
			  "the configuration is too large; 256 KiB are allowed");
	} else if (!strncmp(line, "include", 7) &&
		   (!line[7] || strchr(BLANKS, line[7]))) {
		do_include(job, where, line, file);
	} else if (*line == CONF_FILE_FAULT) {
		add_fault(job, where, "it begins with a control character");
	} else {
		add_record(job, where, line);
	}
}

static void read_lines(struct job *job, const struct file *file, struct buf *whole)
{
	char *line = whole->data;

	for (unsigned number = 1; line; number++) {
		char *end = strchr(line, '\n');

		if (end)
			*end++ = '\0';
		read_line(job, file, number, line);
		line = end;
	}
}

/* Return: what is wrong with @file, which is open; NULL: nothing. */
static const char *fault_of(const struct job *job, const struct file *file)
{
	unsigned depth = 0;

	if (!S_ISREG(file->st.st_mode))
		return "it is no file; a configuration must be one, so that it can be "
		       "read again";
	if (job->n >= FILES_MAX)
		return "too many files are included; 64 are allowed";
	for (const struct file *f = file->outer; f; f = f->outer, depth++)
		if (f->st.st_dev == file->st.st_dev && f->st.st_ino == file->st.st_ino)
			return "it is being read already; files must not include each "
			       "other in a circle";
	return depth >= DEPTH_MAX ? "files are included 8 deep at most" : NULL;
}

/*
 * Read a file. What can't be opened, or must not be read, is told with the line that
 * includes it.
 */
static void include(struct job *job, const char *where, const char *path,
		    const struct file *outer)
{
	/* What is no file must not hang us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct file file = { .outer = outer, .path = path };
	const char *sep = outer ? "include " : "", *name = outer ? path : "";
	const char *colon = outer ? ": " : "", *fault;
	struct buf whole = { 0 };

	if (fd < 0 || fstat(fd, &file.st) < 0) {
		add_fault(job, where, "%s%.128s%s%s", sep, name, colon, errno_text(job));
	} else if ((fault = fault_of(job, &file))) {
		add_fault(job, where, "%s%.128s%s%s", sep, name, colon, fault);
	} else {
		job->n++;
		if (read_whole(job, fd, path, &whole))
			read_lines(job, &file, &whole);
	}
	if (fd >= 0)
		close(fd);
	buf_free(&whole);
}

int conf_file_read(const char *path, struct buf *text)
{
	struct job job = { .text = text };

	include(&job, path, path, NULL);
	return job.lack;
}

bool conf_file_next(char **at, char *end, struct conf_line *line)
{
	char *where = *at;
	char *text = memchr(where, '\0', (size_t)(end - where));
	char *behind = text ? memchr(text + 1, '\0', (size_t)(end - text - 1)) : NULL;

	if (!behind)
		return false;
	text++;
	line->where = where;
	line->is_fault = *text == CONF_FILE_FAULT;
	line->text = text + line->is_fault;
	*at = behind + 1;
	return true;
}

/* Whether a value looks as if a comment followed it. In a command it may be one of the shell's. */
static bool has_comment(const char *value)
{
	return strncmp(value, "exec:", 5) != 0 &&
	       (*value == '#' || strstr(value, " #") || strstr(value, "\t#"));
}

int conf_file_value(char *statement, char **value, const char **why)
{
	char *rest = statement + strcspn(statement, BLANKS), *word[2];
	int n;

	*value = NULL;
	if (!*rest)
		return 0;
	*rest++ = '\0';
	rest += strspn(rest, BLANKS);
	*value = rest;
	if (*rest != '"' && has_comment(rest)) {
		*why = "a comment needs a line of its own; if # is part of the value, put "
		       "that in quotes";
		return -EINVAL;
	}
	if (*rest != '"')
		return 0;
	n = quote_split(rest, word, 1, why);
	if (n < 0)
		return n;
	*value = word[0];
	return 0;
}

void conf_file_print(struct buf *text, const char *keyword, const char *value)
{
	size_t len = value ? strlen(value) : 0;

	buf_printf(text, "%s", keyword);
	if (value)
		buf_add(text, " ", 1);
	if (value &&
	    (!len || *value == '"' || strchr(value, '\n') || strchr(BLANKS, *value) ||
	     strchr(BLANKS, value[len - 1]) || has_comment(value)))
		quote_wrap(text, value);
	else
		buf_add(text, value, len);
	buf_add(text, "\n", 1);
}
