/* SPDX-License-Identifier: MIT */
/* pidfile.c: new, old, other people's and locked files, and which of them are removed. */
#include "pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "lib/tap.h"

static char dir[] = "/tmp/pidfile-test.XXXXXX";
static char path[64], other[64], why[512];

static const char *contents(const char *of)
{
	static char text[64];
	int fd = open(of, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n < 0 ? NULL : text;
}

static void make(const char *at, const char *text)
{
	FILE *f = fopen(at, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

static void test_life(const char *before)
{
	char want[16];
	struct pidfile f;

	if (before)
		make(path, before);
	ok_eq_int(pidfile_open(&f, path, why, sizeof(why)), 0, "after \"%s\"",
		  before ? before : "no file");
	ok_eq_str(contents(path), "", "nothing is in it before it is written");
	pidfile_write(&f);
	snprintf(want, sizeof(want), "%d\n", (int)getpid());
	ok_eq_str(contents(path), want, "then a number is");
	pidfile_remove(&f);
	ok(contents(path), "it stays as long as it is locked");
	pidfile_close(&f);
	pidfile_remove(&f);
	ok(!contents(path), "it is removed at the end");
	pidfile_remove(&f);
}

static void test_refused(const char *what, const char *want)
{
	const char *text = contents(other);
	struct pidfile f;

	ok(pidfile_open(&f, path, why, sizeof(why)) < 0 && strstr(why, want), "%s: %s",
	   what, why);
	pidfile_remove(&f);
	ok(!text || !strcmp(contents(other), text), "and is left as it is");
	unlink(path);
}

static void test_wrong(void)
{
	static const char *const texts[] = {
		"root:x:0:0", "12 ", "12\n13\n", "\n\n", "1234567890123456", " 7", "-1\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		make(path, texts[i]);
		ok(pidfile_open(&(struct pidfile){ 0 }, path, why, sizeof(why)) ==
			   -EEXIST,
		   "\"%s\" is no number", texts[i]);
		ok_eq_str(contents(path), texts[i], "it stays");
	}
	unlink(path);
	make(other, "1\n");
	if (symlink(other, path) == 0)
		test_refused("a symbolic link", "symbolic link");
	if (link(other, path) == 0)
		test_refused("another name", "another name");
	if (mkfifo(path, 0600) == 0)
		test_refused("a FIFO", "not a regular file");
	if (mkdir(path, 0700) == 0)
		test_refused("a directory", "directory");
	rmdir(path);
	if (geteuid() == 0) {
		make(path, "1\n");
		if (chown(path, 12345, 12345) < 0)
			abort();
		test_refused("another user's", "another user");
	}
	snprintf(path, sizeof(path), "%s/no/p", dir);
	test_refused("no folder", "No such file");
	snprintf(path, sizeof(path), "%s/p", dir);
	unlink(other);
}

/* A process that has it locked, or two names of one. Return: its pid. */
static pid_t start_other(bool ends)
{
	int fds[2], status = 0;
	pid_t pid;
	char byte;

	if (pipe(fds) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		struct pidfile f;

		status = pidfile_open(&f, path, why, sizeof(why));
		pidfile_write(&f);
		if (write(fds[1], "", 1) < 0)
			_exit(1);
		if (!ends)
			pause();
		/* As the kernel does it for one that is killed: it stays there. */
		poll(NULL, 0, 100);
		_exit(status != 0);
	}
	if (read(fds[0], &byte, 1) != 1)
		abort();
	close(fds[0]);
	close(fds[1]);
	return pid;
}

static void test_locked(void)
{
	pid_t pid = start_other(false);
	struct pidfile f;
	char want[64];

	snprintf(want, sizeof(want), "process %d has it", (int)pid);
	ok(pidfile_open(&f, path, why, sizeof(why)) == -EAGAIN && strstr(why, want),
	   "locked: %s", why);
	pidfile_remove(&f);
	ok(contents(path) && atoi(contents(path)) == pid, "it stays");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ok_eq_int(pidfile_open(&f, path, why, sizeof(why)), 0,
		  "that of a process that was killed is taken over");
	pidfile_close(&f);
	pidfile_remove(&f);
	pid = start_other(true);
	ok_eq_int(pidfile_open(&f, path, why, sizeof(why)), 0,
		  "one that is about to end is waited for");
	waitpid(pid, NULL, 0);
	/* Somebody has put another one there. */
	unlink(path);
	make(path, "1\n");
	pidfile_close(&f);
	pidfile_remove(&f);
	ok_eq_str(contents(path), "1\n", "what was put in its place stays");
	unlink(path);
}

int main(void)
{
	struct pidfile f;

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/p", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	alarm(300);
	test_life(NULL);
	test_life("");
	test_life("123");
	test_life("4194304\n");
	test_wrong();
	test_locked();
	ok_eq_int(pidfile_open(&f, NULL, why, sizeof(why)), 0, "there need not be one");
	pidfile_write(&f);
	pidfile_close(&f);
	pidfile_remove(&f);
	rmdir(dir);
	return done();
}
