/* SPDX-License-Identifier: MIT */
/*
 * The process behind --capture: what it writes, what it says of a file that it can't
 * write to, and that neither it nor a descriptor is left, whatever fails.
 */
#include "capture/capture-writer.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/util.h"
#include "capture/pcapng.h"
#include "lib/fault.h"
#include "lib/quiet.h"
#include "lib/tap.h"

#define ALARM_S 300
#define PACKETS 100

static char dir[] = "/tmp/capture-writer-test.XXXXXX";
static char path[64], why[512];
static struct capture_writer writer;
static uint8_t packets[PACKETS * 200];

static int start(void)
{
	why[0] = '\0';
	return capture_writer_start(&writer, path, true, why, sizeof(why));
}

static size_t lay_out(void)
{
	size_t len = 0;

	for (unsigned i = 0; i < PACKETS; i++) {
		struct pcapng_packet k = { .time = i, .captured = 60 + i, .len = 60 + i };

		memset(pcapng_packet(packets + len, &k), (int)i, k.captured);
		len += pcapng_packet_size(&k);
	}
	return len;
}

static bool file_is(const uint8_t *want, size_t len)
{
	static uint8_t back[sizeof(packets) + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, back, sizeof(back));

	close(fd);
	return n == (ssize_t)len && (!len || !memcmp(back, want, len));
}

static bool has_no_child(void)
{
	return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

static void test_file(void)
{
	size_t len = lay_out();
	struct stat st;
	int fd = start();

	ok(fd >= 0, "a file: %s", why);
	ok_eq_int(write(fd, packets, len / 3), len / 3, "it takes a part");
	ok_eq_int(write(fd, packets + len / 3, len - len / 3), len - len / 3, "and more");
	close(fd);
	capture_writer_stop(&writer);
	ok(file_is(packets, len), "all of it is in the file");
	ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "the user's own");
	ok(has_no_child(), "the process has ended");
}

static void test_no_capture(void)
{
	size_t len = lay_out();
	int fd = start();

	ok(fd >= 0, "a file that is there");
	close(fd);
	capture_writer_stop(&writer);
	ok(file_is(packets, len), "stays as it is when no capture comes");
	fd = start();
	ok_eq_int(write(fd, "no capture at all.......", 24), 24, "something else");
	close(fd);
	capture_writer_stop(&writer);
	ok(file_is(NULL, 0), "is not written");
	unlink(path);
}

static void test_refused(void)
{
	unsigned before = fault_open_fds();
	char target[80];

	snprintf(target, sizeof(target), "%s/target", dir);
	close(open(target, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	if (symlink(target, path) < 0)
		abort();
	ok_eq_int(start(), -EPERM, "a link to a file");
	ok(strstr(why, "symbolic link"), "is told: %s", why);
	unlink(path);
	unlink(target);
	snprintf(path, sizeof(path), "%s/none/file", dir);
	ok_eq_int(start(), -ENOENT, "no such directory");
	ok(strstr(why, "No such file"), "is told: %s", why);
	snprintf(path, sizeof(path), "%s/file", dir);
	ok(has_no_child(), "no process is left");
	ok_eq_int(fault_open_fds(), before, "nor a descriptor");
}

/* The relay does not wait for one who would read it. */
static void test_fifo(void)
{
	size_t len = lay_out();
	uint8_t *back = packets + len;
	int fd, reader;

	if (mkfifo(path, 0600) < 0)
		abort();
	fd = start();
	ok(fd >= 0, "a FIFO that nobody reads: %s", why);
	close(fd);
	capture_writer_stop(&writer);
	ok(has_no_child(), "is given up");
	fd = start();
	ok_eq_int(write(fd, packets, len), len, "a capture begins");
	reader = open(path, O_RDONLY | O_CLOEXEC);
	ok(read(reader, back, 28) == 28 && !memcmp(back, packets, 28),
	   "who comes later reads it");
	close(fd);
	close(reader);
	capture_writer_stop(&writer);
	unlink(path);
}

static void test_faults(void)
{
	static const enum fault_call calls[] = { FAULT_socketpair, FAULT_fork,
						 FAULT_recv };
	unsigned before = fault_open_fds();

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		int ret;

		fault_arm(calls[i], 1, EMFILE);
		ret = start();
		ok(fault_disarm() && ret < 0 && why[0], "%s() fails: %s",
		   fault_name(calls[i]), why);
		ok(has_no_child() && fault_open_fds() == before && !writer.pid,
		   "nothing is left of it");
		unlink(path);
	}
}

int main(void)
{
	quiet();
	alarm(ALARM_S);
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/file", dir);
	test_file();
	test_no_capture();
	test_refused();
	test_fifo();
	test_faults();
	rmdir(dir);
	return done();
}
