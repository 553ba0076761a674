/* SPDX-License-Identifier: MIT */
/*
 * netrelay ctl: sends a command to a relay and prints its answer. The first line of the
 * answer is "ok" or "error: ..."; all that follows is printed as it arrives. If the
 * relay sends nothing for ANSWER_MS it is given up, except while the client waits for
 * the next event.
 *
 * The command capture is different: the client opens the file itself, sends the command
 * without the file, and writes the capture that it receives.
 *
 * #syscalls: close poll recvfrom sendto stat
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
#include "base/parts.h"
#include "base/quote.h"
#include "base/util.h"
#include "capture/capture-file.h"
#include "conf/capture-filter.h"
#include "net/sock.h"
#include "sandbox/sandbox.h"

#define ANSWER_MS 10000 /* the longest wait for a part of the answer */
#define CHUNK 16384
#define WHY_MAX 512
#define CAPTURE_WORDS_MAX 64 /* many more than the relay accepts */
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
		return "permission denied; only root and the user who runs the relay may use it";
	case EAGAIN:
		return "the relay does not answer; too many clients wait already";
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

int ctl_client_confine(pid_t self)
{
	const struct sandbox s = { .role = SANDBOX_CLIENT, .kills = { self } };
	struct sandbox_has has;
	int ret;

	log_open();
	ret = sandbox_enter(&s, &has);
	if (ret < 0)
		log_warn("can't give up rights: %s", strerror(-ret));
	return ret;
}

/* The following functions log their errors themselves. */

/* Log that the connection failed; @err is an errno, or 0 when the relay closed. Return: -errno. */
static int lost(const char *path, int err)
{
	log_warn("ctl: %s: %s", path,
		 err ? strerror(err) : "the relay has closed the connection");
	return err ? -err : -EPIPE;
}

static int wait_for(const char *path, int fd, short events, int ms)
{
	/* stdout is polled for POLLERR only: has its reader gone? */
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
		/* The relay may have sent the reason before it closed: read that. */
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
		/* The relay closed before it read all of our command; its answer has arrived. */
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
 * Read the first line of the answer, and print what was read behind it.
 * @step: bytes to read at once; with 1, nothing is read behind the line
 *
 * Return: 0 for "ok"; -errno.
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
	log_warn("ctl: %s: the program that answers is not a relay", path);
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

/* Send the words as one line, and read the verdict. Return: 0 for "ok"; -errno. */
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
	bool is_endless = !strcmp(command[0], "events");
	int ret = command_is_taken(path, fd, command, SIZE_MAX);

	return ret ? ret : print_rest(path, fd, is_endless ? -1 : ANSWER_MS);
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
	ret = ctl_client_confine(0);
	if (!ret)
		ret = print_answer(path, fd, command);
	close(fd);
	return ret;
}

/* Open the file of a capture. Return: its descriptor; -errno. */
static int open_file(const char *path, const char *name)
{
	char why[WHY_MAX];
	int to, fd = dial(path);

	/*
	 * This connection only shows that the relay is there. Opening a FIFO may take
	 * longer than the relay waits for a command, so the real one is made later.
	 */
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

/* capture FILE[,WORD...] [WORD...]: send the command without FILE, which we open here. */
static int capture(const char *path, char **command)
{
	char *words[CAPTURE_WORDS_MAX + 1] = { command[0] }, *name = command[1];
	char *rest = name ? capture_filter_cut(name) : NULL;
	size_t n = 1;
	int ret, fd, to;

	if (!name || !*name || strchr(name, '=')) {
		log_warn("ctl: capture: the file is missing; the form is capture FILE "
			 "[port=PORT] [dir=in|out|both] [snap=N]");
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
		ret = ctl_client_confine(0);
		if (!ret)
			ret = copy(path, fd, to, words, name);
		close(fd);
	}
	close(to);
	return ret;
}

int ctl_client(const char *path, char **command)
{
	bool captures = HAS_CAPTURE && !strcmp(command[0], "capture");

	return captures ? capture(path, command) : print(path, command);
}
