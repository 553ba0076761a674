/* SPDX-License-Identifier: MIT */
/*
 * The answer's first line says whether there is an error; all behind it is
 * printed as it comes. A relay that says nothing is given up after a while, but
 * not between two events.
 */
#include "client/ctl-client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/quote.h"
#include "base/util.h"
#include "capture/capture-file.h"
#include "conf/capture-filter.h"
#include "net/sock.h"

#define ANSWER_MS 10000
#define CHUNK 16384
#define WHY_MAX 512
#define CAPTURE_WORDS_MAX 64 /* many more than the relay takes */
#define VERDICT_MAX 8192     /* bytes of the first line */

static const char *connect_fault(const char *path, int err)
{
	struct stat st;

	switch (err) {
	case ENOENT:
		return "there is no such socket; the relay makes it when it is started "
		       "with --ctl";
	case ECONNREFUSED:
		if (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
			return "is no socket; name the one that the relay was given "
			       "with --ctl";
		return "nobody listens there any more; start the relay again, with --ctl";
	case EACCES:
		return "no right to; only the user who runs the relay may, and root";
	case EAGAIN:
		return "the relay does not answer; too many wait for it already";
	default:
		return strerror(err);
	}
}

int ctl_connect(const char *path, char *why, size_t size)
{
	bool in_progress = false;
	struct sock_addr addr;
	int fd;

	sock_unix(path, &addr);
	fd = sock_connect(&addr, SOCK_STREAM, 0, &in_progress);
	if (fd < 0)
		snprintf(why, size, "%s: %s", path, connect_fault(path, -fd));
	return fd;
}

/* The following say themselves what is wrong. */

static int lost(const char *path, int err)
{
	log_warn("ctl: %s: %s", path, err ? strerror(err) : "the relay has closed");
	return err ? -err : -EPIPE;
}

static int wait_for(const char *path, int fd, short events, int ms)
{
	/* Of stdout only whether there is anybody left to read it. */
	struct pollfd pfd[] = {
		{ .fd = fd, .events = events },
		{ .fd = STDOUT_FILENO },
	};
	int n;

	do
		n = poll(pfd, 2, ms);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return lost(path, errno);
	if (n == 0) {
		log_warn("ctl: %s: the relay does not answer", path);
		return -ETIMEDOUT;
	}
	return pfd[1].revents & (POLLERR | POLLNVAL) ? -EPIPE : 0;
}

static int send_all(const char *path, int fd, const struct buf *line)
{
	size_t sent = 0;

	while (sent < line->len) {
		ssize_t n = send(fd, line->data + sent, line->len - sent, MSG_NOSIGNAL);
		int ret;

		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		/* It may have said why before it closed. */
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN)
			return lost(path, errno);
		ret = wait_for(path, fd, POLLOUT, ANSWER_MS);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Return: bytes received, 0 at the end; -errno. */
static ssize_t receive(const char *path, int fd, void *to, size_t size, int ms)
{
	for (;;) {
		ssize_t n = recv(fd, to, size, 0);
		int ret;

		if (n >= 0)
			return n;
		/* The relay closed with something of ours unread: what it said is here. */
		if (errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return lost(path, errno);
		ret = wait_for(path, fd, POLLIN, ms);
		if (ret < 0)
			return ret;
	}
}

static int to_stdout(const char *data, size_t len)
{
	int ret = write_all(STDOUT_FILENO, data, len);

	if (ret < 0 && ret != -EPIPE)
		log_warn("ctl: stdout: %s", strerror(-ret));
	return ret;
}

/*
 * Read the first line, and print what has come behind it.
 * @step: bytes to read at once; with 1, nothing comes behind it
 *
 * Return: 0 for "ok".
 */
static int read_verdict(const char *path, int fd, size_t step)
{
	char line[VERDICT_MAX], *end = NULL;
	size_t len = 0;

	while (!end && len < sizeof(line)) {
		size_t room = min_size(sizeof(line) - len, step);
		ssize_t n = receive(path, fd, line + len, room, ANSWER_MS);

		if (n <= 0)
			return n ? (int)n : lost(path, 0);
		end = memchr(line + len, '\n', (size_t)n);
		len += (size_t)n;
	}
	if (end && end - line == 2 && !memcmp(line, "ok", 2))
		return to_stdout(end + 1, len - 3);
	if (end && !strncmp(line, "error: ", 7)) {
		*end = '\0';
		log_warn("ctl: %s", line + 7);
		return -EINVAL;
	}
	log_warn("ctl: %s: what answers there is no relay", path);
	return -EPROTO;
}

static int print_rest(const char *path, int fd, int ms)
{
	char chunk[CHUNK];
	ssize_t n;
	int ret = 0;

	while (!ret && (n = receive(path, fd, chunk, sizeof(chunk), ms)) != 0)
		ret = n < 0 ? (int)n : to_stdout(chunk, (size_t)n);
	return ret;
}

/* Send the words, and see whether they are taken. */
static int command_is_taken(const char *path, int fd, char **words, size_t step)
{
	struct buf line = { 0 };
	int ret;

	for (char **word = words; *word; word++)
		quote_add(&line, *word);
	buf_add(&line, "\n", 1);
	if (line.failed) {
		ret = -ENOMEM;
		log_warn("ctl: no memory for the command");
	} else {
		ret = send_all(path, fd, &line);
	}
	if (!ret)
		ret = read_verdict(path, fd, step);
	buf_free(&line);
	return ret;
}

static int print_answer(const char *path, int fd, char **command)
{
	bool goes_on = !strcmp(command[0], "events");
	int ret = command_is_taken(path, fd, command, SIZE_MAX);

	return ret ? ret : print_rest(path, fd, goes_on ? -1 : ANSWER_MS);
}

static int dial(const char *path)
{
	char why[WHY_MAX];
	int fd = ctl_connect(path, why, sizeof(why));

	if (fd < 0)
		log_warn("ctl: %s", why);
	return fd;
}

static int print(const char *path, char **command)
{
	int ret, fd = dial(path);

	if (fd < 0)
		return fd;
	ret = print_answer(path, fd, command);
	close(fd);
	return ret;
}

/* Return: the descriptor of what is to be written to; -errno. */
static int open_file(const char *path, const char *name)
{
	char why[WHY_MAX];
	int to, fd = dial(path);

	/* Only tried: a FIFO's reader may be waited for longer than the relay waits. */
	if (fd < 0)
		return fd;
	close(fd);
	to = capture_file_open(name, why, sizeof(why));
	if (to < 0)
		log_warn("ctl: %s", why);
	return to;
}

static int copy(const char *path, int fd, int to, char **command, const char *name)
{
	char why[WHY_MAX];
	int ret = command_is_taken(path, fd, command, 1);

	if (ret < 0)
		return ret;
	ret = capture_file_begin(to, name, why, sizeof(why));
	if (!ret)
		ret = capture_file_copy(fd, to, name, why, sizeof(why));
	if (ret < 0)
		log_warn("ctl: %s", why);
	return ret;
}

/*
 * capture FILE[,WORD...] [WORD...]: what is sent is the command without the file,
 * which is ours.
 */
static int capture(const char *path, char **command)
{
	char *words[CAPTURE_WORDS_MAX + 1] = { command[0] }, *name = command[1];
	char *rest = name ? capture_filter_cut(name) : NULL;
	size_t n = 1;
	int ret, fd, to;

	if (!name || !*name || strchr(name, '=')) {
		log_warn("ctl: capture: the file is missing; the form is capture FILE "
			 "[port=N] [dir=in|out|both] [snap=N]");
		return -EINVAL;
	}
	for (; rest && n < CAPTURE_WORDS_MAX; n++) {
		words[n] = rest;
		rest = capture_filter_cut(rest);
	}
	for (char **word = command + 2; *word && n < CAPTURE_WORDS_MAX; word++)
		words[n++] = *word;
	to = open_file(path, name);
	if (to < 0)
		return to;
	ret = fd = dial(path);
	if (fd >= 0) {
		ret = copy(path, fd, to, words, name);
		close(fd);
	}
	close(to);
	return ret;
}

int ctl_client(const char *path, char **command)
{
	return strcmp(command[0], "capture") ? print(path, command)
					     : capture(path, command);
}
