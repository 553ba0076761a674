/* SPDX-License-Identifier: MIT */
/*
 * netrelay ctl, in a child, and a relay that is the test: what it sends, what it prints
 * of the answer, what it complains of, and how it ends.
 */
#include "client/ctl-client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "capture/pcapng.h"
#include "lib/fast.h"
#include "lib/fault.h"
#include "lib/sockets.h"
#include "lib/tap.h"

#define ALARM_S 300
#define TEXT_MAX 16384

static char dir[] = "/tmp/ctl-client-test.XXXXXX";
static char path[64], file[64];

/* What became of a client. @ret: what ctl_client() returned, made positive */
static struct {
	int ret;
	char sent[TEXT_MAX], out[TEXT_MAX], err[TEXT_MAX];
} got;

static void read_all(int fd, char *to)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, to + len, TEXT_MAX - 1 - len)) > 0)
		len += (size_t)n;
	to[len] = '\0';
	close(fd);
}

/* In the client: @call fails by @err at number @at. */
static struct {
	enum fault_call call;
	unsigned at;
	int err;
} fails;

static pid_t start(char **words, int *out, int *err)
{
	int outs[2], errs[2];
	pid_t pid;

	if (pipe2(outs, O_CLOEXEC) < 0 || pipe2(errs, O_CLOEXEC) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		dup2(outs[1], STDOUT_FILENO);
		dup2(errs[1], STDERR_FILENO);
		fast_begin();
		fault_arm(fails.call, fails.at, fails.err);
		_exit(-ctl_client(path, words));
	}
	close(outs[1]);
	close(errs[1]);
	*out = outs[0];
	*err = errs[0];
	return pid;
}

/* One that only looks whether there is anybody says nothing. Return: the connection. */
static int accept_one(int fd)
{
	for (;;) {
		int c = accept(fd, NULL, NULL);
		ssize_t n = c < 0 ? -1 : recv(c, got.sent, TEXT_MAX - 1, 0);

		if (n < 0)
			abort();
		got.sent[n] = '\0';
		if (n)
			return c;
		close(c);
	}
}

/*
 * @answers: whether there is anybody to
 * @answer, @len: what is said, in two pieces, before the connection is closed
 */
static void run(char **words, bool answers, const char *answer, size_t len)
{
	int fd = answers ? socket_listener(path) : -1, out, err, status = 0;
	pid_t pid;

	memset(&got, 0, sizeof(got));
	pid = start(words, &out, &err);
	if (answers) {
		int c = accept_one(fd);

		if (send(c, answer, len / 2, MSG_NOSIGNAL) < 0 ||
		    send(c, answer + len / 2, len - len / 2, MSG_NOSIGNAL) < 0)
			printf("# it has ended before\n");
		close(c);
		close(fd);
	}
	read_all(out, got.out);
	read_all(err, got.err);
	waitpid(pid, &status, 0);
	got.ret = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The same, to a relay that does nothing about it. */
static void run_ignored(char **words)
{
	int fd = socket_listener(path), out, err;
	pid_t pid = start(words, &out, &err);

	read_all(out, got.out);
	read_all(err, got.err);
	waitpid(pid, &got.ret, 0);
	got.ret = WIFEXITED(got.ret) ? WEXITSTATUS(got.ret) : -1;
	close(fd);
}

static void test_answers(void)
{
	static const struct {
		const char *answer, *out, *err;
		int ret;
	} cases[] = {
		{ "ok\n", "", "", 0 },
		{ "ok\nport 1\nport 2\n", "port 1\nport 2\n", "", 0 },
		{ "ok\nno newline", "no newline", "", 0 },
		{ "error: no such port\n", "", "ctl: no such port", EINVAL },
		{ "HTTP/1.0 400\n", "", "the program that answers is not a relay",
		  EPROTO },
		{ "okay\n", "", "the program that answers is not a relay", EPROTO },
		{ "ok", "", "the relay has closed", EPIPE },
		{ "", "", "the relay has closed", EPIPE },
	};
	static char set[] = "set", words_with[] = "a b";
	char *words[] = { set, words_with, NULL };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		run(words, true, cases[i].answer, strlen(cases[i].answer));
		ok_eq_int(got.ret, cases[i].ret, "answer '%s': how it ends",
			  cases[i].answer);
		ok_eq_str(got.out, cases[i].out, "answer '%s': is printed",
			  cases[i].answer);
		ok(cases[i].err[0] ? strstr(got.err, cases[i].err) != NULL : !got.err[0],
		   "answer '%s': complains '%s'", cases[i].answer, got.err);
	}
	ok_eq_str(got.sent, "set \"a b\"\n", "the words are sent, quoted");
}

static void test_no_end_of_line(void)
{
	static char status[] = "status", line[10000];
	char *words[] = { status, NULL };

	memset(line, 'x', sizeof(line));
	run(words, true, line, sizeof(line));
	ok_eq_int(got.ret, EPROTO, "a first line without an end is no relay's");
}

static void test_nobody(void)
{
	static char status[] = "status";
	char *words[] = { status, NULL };
	FILE *f;

	unlink(path);
	run(words, false, "", 0);
	ok_eq_int(got.ret, ENOENT, "no socket");
	ok(strstr(got.err, "there is no such socket"), "is told: %s", got.err);
	close(socket_listener(path));
	run(words, false, "", 0);
	ok_eq_int(got.ret, ECONNREFUSED, "a socket without a relay");
	ok(strstr(got.err, "nobody listens there any more"), "is told: %s", got.err);
	unlink(path);
	f = fopen(path, "we");
	if (f)
		fclose(f);
	run(words, false, "", 0);
	ok(strstr(got.err, "is no socket"), "a file is told: %s", got.err);
	unlink(path);
}

/* The client's connection does not do what it is to. */
static void test_faults(void)
{
	static const struct {
		enum fault_call call;
		unsigned at;
		bool is_ignored;
		int err, ret;
		const char *text;
	} cases[] = {
		{ FAULT_send, 1, true, EIO, EIO, "Input/output error" },
		{ FAULT_send, 1, false, EAGAIN, 0, "" },
		{ FAULT_recv, 1, true, EIO, EIO, "Input/output error" },
		{ FAULT_recv, 1, false, ECONNRESET, EPIPE,
		  "the relay has closed the connection" },
		{ FAULT_recv, 1, false, EINTR, 0, "" },
		{ FAULT_recv, 3, false, ECONNRESET, 0, "" },
		{ FAULT_write, 1, false, ENOSPC, ENOSPC, "ctl: stdout: No space left" },
		{ FAULT_write, 1, false, EPIPE, EPIPE, "" },
	};
	static char status[] = "status";
	char *words[] = { status, NULL };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *name = fault_name(cases[i].call);

		fails.call = cases[i].call;
		fails.at = cases[i].at;
		fails.err = cases[i].err;
		if (cases[i].is_ignored)
			run_ignored(words);
		else
			run(words, true, "ok\nport 1\nport 2\n", 17);
		ok_eq_int(got.ret, cases[i].ret, "%s(): %s", name,
			  strerror(cases[i].err));
		ok(strstr(got.err, cases[i].text), "is told: %s", got.err);
	}
	fails.call = FAULT_NONE;
}

static void test_silent(void)
{
	static char status[] = "status";
	char *words[] = { status, NULL };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, waiting[10];

	run_ignored(words);
	ok_eq_int(got.ret, ETIMEDOUT, "a relay that does not answer");
	ok(strstr(got.err, "the relay does not answer"), "is told: %s", got.err);
	fd = socket_listener(path);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	for (unsigned i = 0; i < ARRAY_SIZE(waiting); i++) {
		waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(waiting[i], (struct sockaddr *)&addr, sizeof(addr));
	}
	run(words, false, "", 0);
	ok_eq_int(got.ret, EAGAIN, "one that too many wait for");
	ok(strstr(got.err, "too many clients wait already"), "is told: %s", got.err);
	for (unsigned i = 0; i < ARRAY_SIZE(waiting); i++)
		close(waiting[i]);
	close(fd);
}

/* ---- captures ---- */

static void test_capture(void)
{
	static char capture[] = "capture", snap[] = "snap=64";
	static uint8_t data[4096];
	struct pcapng_packet k = { .captured = 60, .len = 60 };
	char *words[] = { capture, file, snap, NULL };
	char named[sizeof(file) + 8];
	struct stat st;
	size_t len = 3;

	memcpy(data, "ok\n", 3);
	(void)pcapng_packet(data + 3, &k);
	len += pcapng_packet_size(&k);
	snprintf(named, sizeof(named), "%s,port=1", file);
	words[1] = named;
	run(words, true, (char *)data, len);
	ok_eq_int(got.ret, 0, "a capture: %s", got.err);
	ok_eq_str(got.sent, "capture port=1 snap=64\n", "is asked for without its file");
	ok(stat(file, &st) == 0 && st.st_size == (off_t)len - 3, "and is in the file");
	ok_eq_int(st.st_mode & 0777, 0600, "which is the user's own");
	words[1] = file;
	run(words, true, "error: no\n", 10);
	ok_eq_int(got.ret, EINVAL, "one that is refused");
	ok(stat(file, &st) == 0 && st.st_size == (off_t)len - 3,
	   "leaves the file as it was");
	run(words, true, "ok\nnonsense, nonsense", 21);
	ok_eq_int(got.ret, EINVAL, "one that is none");
	ok(strstr(got.err, "the data received is not a capture"), "is told: %s", got.err);
	unlink(file);
}

static void test_no_file(void)
{
	static char capture[] = "capture", port[] = "port=1", none[] = "/none/x";
	char *words[] = { capture, port, NULL };
	int fd;

	run(words, false, "", 0);
	ok_eq_int(got.ret, EINVAL, "a capture to no file");
	ok(strstr(got.err, "the file is missing"), "is told: %s", got.err);
	words[1] = none;
	fd = socket_listener(path);
	run(words, false, "", 0);
	ok_eq_int(got.ret, ENOENT, "a file that can't be made");
	ok(strstr(got.err, "capture /none/x: No such file"), "is told: %s", got.err);
	close(fd);
}

int main(void)
{
	alarm(ALARM_S);
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/ctl", dir);
	snprintf(file, sizeof(file), "%s/file", dir);
	test_answers();
	test_no_end_of_line();
	test_nobody();
	test_faults();
	test_silent();
	test_capture();
	test_no_file();
	unlink(path);
	rmdir(dir);
	return done();
}
