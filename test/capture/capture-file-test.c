/* SPDX-License-Identifier: MIT */
/*
 * capture-file.c, run by a child as a client runs it: blocks go in at a socket,
 * in pieces of any size, and what is in the file or the pipe is compared whole.
 * A limit on the size of files stands for a disk that is full.
 */
#include "capture/capture-file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"
#include "capture/pcapng.h"
#include "lib/tap.h"

#define ALARM_S 300
#define BLOCKS 300
#define WHY_MAX 400

static uint8_t sent[BLOCKS * 1600];
static size_t ends[BLOCKS + 1]; /* of blocks; ends[0] is 0 */
static char path[] = "/tmp/capture-file-test.XXXXXX";

/* A capture of packets of all lengths. */
static void lay_out(void)
{
	for (unsigned i = 0; i < BLOCKS; i++) {
		struct pcapng_packet k = { .time = i, .captured = i * 5, .len = i * 5 };
		uint8_t *data = pcapng_packet(sent + ends[i], &k);

		memset(data, (int)i, k.captured);
		ends[i + 1] = ends[i] + pcapng_packet_size(&k);
	}
}

/* A child that copies, and says on @says what came of it. */
struct child {
	pid_t pid;
	int to, says;
};

static struct child begin(int out, size_t limit)
{
	struct child c;
	int sv[2], says[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0 || pipe(says) < 0)
		exit(1);
	c.pid = fork();
	if (c.pid == 0) {
		struct rlimit most = { limit, limit };
		char why[WHY_MAX] = "";
		int ret;

		close(sv[0]);
		if (limit)
			setrlimit(RLIMIT_FSIZE, &most);
		ret = capture_file_copy(sv[1], out, "FILE", why, sizeof(why));
		if (write(says[1], why, strlen(why)) < 0)
			_exit(77);
		_exit(-ret);
	}
	close(sv[1]);
	close(says[1]);
	c.to = sv[0];
	c.says = says[0];
	return c;
}

/* Return: what the copying returned, made positive. */
static int end_by_itself(struct child *c, char *why)
{
	ssize_t n;
	int status;

	n = read(c->says, why, WHY_MAX - 1);
	why[n < 0 ? 0 : n] = '\0';
	close(c->says);
	waitpid(c->pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
}

static int end(struct child *c, char *why)
{
	close(c->to);
	return end_by_itself(c, why);
}

static void feed(const struct child *c, size_t from, size_t to, size_t piece)
{
	while (from < to) {
		size_t len = to - from < piece ? to - from : piece;
		ssize_t n = send(c->to, sent + from, len, MSG_NOSIGNAL);

		if (n < 0)
			return;
		from += (size_t)n;
	}
}

static int open_file(void)
{
	char why[WHY_MAX];
	int fd = capture_file_open(path, why, sizeof(why));

	capture_file_begin(fd, path, why, sizeof(why));
	return fd;
}

/* Whether the file holds just the first @len bytes. */
static bool holds(size_t len)
{
	static uint8_t got[sizeof(sent) + 1];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, got, sizeof(got));

	close(fd);
	if (n != (ssize_t)len)
		printf("# %zd bytes, want %zu\n", n, len);
	return n == (ssize_t)len && !memcmp(got, sent, len);
}

/* Until so many bytes are in the file; the alarm is the end of it otherwise. */
static void wait_written(size_t len)
{
	struct stat st;

	while (stat(path, &st) == 0 && st.st_size != (off_t)len)
		poll(NULL, 0, 1);
}

static void test_file(size_t piece)
{
	int fd = open_file();
	struct child c = begin(fd, 0);
	char why[WHY_MAX];

	feed(&c, 0, ends[BLOCKS], piece);
	ok_eq_int(end(&c, why), 0, "a capture in pieces of %zu ends well", piece);
	ok(holds(ends[BLOCKS]) && !*why, "and all of it is in the file");
	close(fd);
}

/* The relay is killed in the middle of a block, at any byte of it. */
static void test_cut(void)
{
	bool good = true;
	char why[WHY_MAX];

	for (size_t more = 0; more < ends[11] - ends[10]; more++) {
		int fd = open_file();
		struct child c = begin(fd, 0);

		feed(&c, 0, ends[10] + more, sizeof(sent));
		good &= end(&c, why) == 0 && holds(ends[10]);
		close(fd);
	}
	ok(good, "half a block at the end is left out");
}

static void test_full(size_t limit, unsigned blocks)
{
	int fd = open_file();
	struct child c = begin(fd, limit);
	char why[WHY_MAX];

	feed(&c, 0, ends[BLOCKS], 100000);
	ok_eq_int(end(&c, why), EFBIG, "with room for %zu bytes it ends", limit);
	ok(holds(ends[blocks]), "behind the last whole block");
	ok(strstr(why, "capture FILE: File too large: ") && !strchr(why, '\n'),
	   "and says so: %s", why);
	close(fd);
}

/* What was there already stays, and is not cut. */
static void test_append(void)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_APPEND);
	struct child c;
	char why[WHY_MAX];

	ok(write(fd, sent, ends[5]) == (ssize_t)ends[5], "a file that is appended to");
	c = begin(fd, ends[20] + 7);
	feed(&c, ends[5], ends[100], 100000);
	ok_eq_int(end(&c, why), EFBIG, "gets full");
	ok(holds(ends[20]), "and is cut where the capture's blocks end");
	close(fd);
}

static void test_noise(void)
{
	int fd = open_file();
	struct child c = begin(fd, 0);
	char why[WHY_MAX];

	ok(write(c.to, "error: no such port\n", 20) == 20, "what is no capture");
	ok_eq_int(end(&c, why), EINVAL, "is refused: %s", why);
	ok(holds(0), "and not written");
	close(fd);
}

/* As when its user has had enough: the relay hears of it, and may say more. */
static void test_signal(int sig)
{
	int fd = open_file();
	struct child c = begin(fd, 0);
	char why[WHY_MAX], byte;

	feed(&c, 0, ends[50], sizeof(sent));
	wait_written(ends[50]);
	kill(c.pid, sig);
	ok(recv(c.to, &byte, 1, 0) == 0, "signal %d: the relay is told", sig);
	feed(&c, ends[50], ends[60], sizeof(sent));
	ok(end(&c, why) == 0 && holds(ends[60]), "and what it still has is written");
	close(fd);
}

static void test_signal_silence(void)
{
	int fd = open_file();
	struct child c = begin(fd, 0);
	char why[WHY_MAX];
	uint64_t before;
	siginfo_t info;

	feed(&c, 0, ends[50], sizeof(sent));
	wait_written(ends[50]);
	before = loop_now();
	kill(c.pid, SIGINT);
	waitid(P_PID, (id_t)c.pid, &info, WEXITED | WNOWAIT);
	ok(loop_now() - before < 10000,
	   "a relay that then says nothing is not waited for");
	ok(end(&c, why) == 0 && holds(ends[50]), "and all is well");
	close(fd);
}

static void test_pipe_gone(bool with_data)
{
	struct child c;
	char why[WHY_MAX];
	int fds[2];

	/* A socket is as good as a pipe, and can be shut for the child's copies too. */
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		exit(1);
	c = begin(fds[1], 0);
	close(fds[1]);
	shutdown(fds[0], SHUT_RDWR);
	if (with_data)
		feed(&c, 0, ends[10], sizeof(sent));
	ok_eq_int(end_by_itself(&c, why), EPIPE, "a reader that goes ends it: %s", why);
	close(c.to);
	close(fds[0]);
}

/* A pipe that is full, and whose reader never reads: the end is not put off for ever. */
static void test_pipe_stalls(void)
{
	struct child c;
	char why[WHY_MAX];
	uint64_t before;
	int fds[2];

	if (pipe(fds) < 0)
		exit(1);
	c = begin(fds[1], 0);
	feed(&c, 0, ends[BLOCKS], sizeof(sent));
	before = loop_now();
	ok_eq_int(end(&c, why), ETIMEDOUT, "a reader that stalls at the end: %s", why);
	ok(loop_now() - before < 10000, "is waited for, but not for long");
	close(fds[0]);
	close(fds[1]);
}

/* A file from an earlier time, which others may read. */
static void make_file(void)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ok(write(fd, sent, ends[3]) == (ssize_t)ends[3] && fchmod(fd, 0644) == 0,
	   "a file is there");
	close(fd);
}

static void test_old_file(void)
{
	char why[WHY_MAX];
	struct stat st;
	int fd;

	make_file();
	fd = capture_file_open(path, why, sizeof(why));
	ok(fd >= 0 && holds(ends[3]), "it stays as it is until a capture comes");
	ok_eq_int(capture_file_begin(fd, path, why, sizeof(why)), 0, "then");
	ok(fstat(fd, &st) == 0 && st.st_size == 0 && (st.st_mode & 0777) == 0600,
	   "it is empty, and its owner's alone to read");
	close(fd);
}

static void test_link(void)
{
	char why[WHY_MAX], link[64];
	struct stat st;
	int fd;

	snprintf(link, sizeof(link), "%s.link", path);
	make_file();
	if (symlink(path, link) < 0)
		exit(1);
	ok(capture_file_open(link, why, sizeof(why)) < 0 && holds(ends[3]),
	   "a link to a file is not followed: %s", why);
	unlink(path);
	ok_eq_int(capture_file_open(link, why, sizeof(why)), -ENOENT,
		  "nor one to nothing: %s", why);
	ok(stat(path, &st) < 0, "and nothing is made there");
	unlink(link);
	if (symlink("/dev/null", link) < 0)
		exit(1);
	fd = capture_file_open(link, why, sizeof(why));
	ok(fd >= 0 && capture_file_begin(fd, link, why, sizeof(why)) == 0,
	   "a link to a device is as good as a pipe's name in /dev/fd");
	close(fd);
	unlink(link);
}

static void test_others_file(void)
{
	char why[WHY_MAX];

	make_file();
	if (geteuid() == 0 && chown(path, 65534, 65534) == 0)
		ok(capture_file_open(path, why, sizeof(why)) < 0 && holds(ends[3]),
		   "another user's file is refused: %s", why);
	else
		ok(true, "only root can give a file away");
	unlink(path);
}

static void test_open(void)
{
	char why[WHY_MAX];
	struct stat st;

	unlink(path);
	close(open_file());
	ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600,
	   "a new file is its owner's alone");
	ok_eq_int(capture_file_open("/", why, sizeof(why)), -EISDIR, "%s", why);
	ok_eq_int(capture_file_open("/no/\x1b", why, sizeof(why)), -ENOENT, "%s", why);
	ok(!strchr(why, '\x1b'), "what it says is escaped");
	unlink(path);
	if (mkfifo(path, 0600) < 0)
		exit(1);
	ok_eq_int(capture_file_try(path, why, sizeof(why)), -EAGAIN,
		  "a FIFO without a reader is to be waited for");
	unlink(path);
}

int main(void)
{
	alarm(ALARM_S);
	lay_out();
	close(mkstemp(path));
	test_file(sizeof(sent));
	test_file(4096);
	test_file(7);
	test_file(1);
	test_cut();
	test_full(ends[100], 100);
	test_full(ends[100] - 1, 99);
	test_full(ends[100] + 1, 100);
	test_full(1, 0);
	test_append();
	test_noise();
	test_signal(SIGINT);
	test_signal(SIGTERM);
	test_signal(SIGHUP);
	test_signal_silence();
	test_pipe_gone(true);
	test_pipe_gone(false);
	test_pipe_stalls();
	test_old_file();
	test_link();
	test_others_file();
	test_open();
	return done();
}
