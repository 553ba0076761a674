/* SPDX-License-Identifier: MIT */
/* file-text.c: what is read, what is not, and that a file which is as it was is not read. */
#include "base/file-text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fault.h"
#include "lib/tap.h"
#include "lib/write-text.h"

#define LIMIT 100

static char dir[] = "/tmp/file-text-test.XXXXXX";
static char path[64];
static struct file_stamp stamp;

/* @want: the text that is read; NULL: none is */
static void check(const char *want, int want_ret, const char *what)
{
	struct file_stamp before = stamp;
	char *text = (char *)(uintptr_t)1;
	size_t len = 1;
	int ret = file_text_read(path, LIMIT, &stamp, &text, &len);

	ok_eq_int(ret, want_ret, "%s", what);
	ok_eq_str(text, want, "%s: the text", what);
	ok_eq_int(len, want ? strlen(want) : 0, "%s: its length", what);
	if (!want)
		ok(!memcmp(&before, &stamp, sizeof(stamp)), "%s: the same stamp", what);
	free(text);
}

static void test_read(void)
{
	char longest[LIMIT + 2];

	check(NULL, -ENOENT, "no file");
	write_text(path, "one\n");
	chmod(path, 0640);
	check("one\n", 0, "a file");
	ok_eq_int(stamp.mode, 0640, "its mode");
	check(NULL, 0, "as it was");
	write_text(path, "");
	check("", 0, "an empty one");
	memset(longest, 'a', LIMIT + 1);
	longest[LIMIT + 1] = '\0';
	write_text(path, longest);
	check(NULL, -EFBIG, "one byte too many");
	longest[LIMIT] = '\0';
	write_text(path, longest);
	check(longest, 0, "the most");
	chmod(path, 0600);
	check(longest, 0, "another mode: read again");
	unlink(path);
	check(NULL, -ENOENT, "gone");
}

/* The same text, length and time, and yet another file. */
static void test_renamed(void)
{
	char other[64];
	struct timespec times[2];
	struct stat st;

	snprintf(other, sizeof(other), "%s/other", dir);
	write_text(path, "abc");
	check("abc", 0, "the first");
	write_text(other, "xyz");
	if (stat(path, &st) < 0)
		abort();
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	ok(utimensat(AT_FDCWD, other, times, 0) == 0 && rename(other, path) == 0,
	   "another one takes its place");
	check("xyz", 0, "which is noticed");
	unlink(path);
}

static void test_no_file(void)
{
	ok(mkdir(path, 0700) == 0, "a folder");
	check(NULL, -EINVAL, "a folder is refused");
	rmdir(path);
	ok(mkfifo(path, 0600) == 0, "a pipe");
	check(NULL, -EINVAL, "a pipe is refused, and not waited for");
	unlink(path);
	ok(symlink("/dev/zero", path) == 0, "a device");
	check(NULL, -EINVAL, "a device is refused");
	unlink(path);
}

static void test_faults(void)
{
	ok(strstr(file_text_fault(-EBUSY), "rename"), "what grows");
	ok(strstr(file_text_fault(-EFBIG), "too large"), "what is too large");
	ok(strstr(file_text_fault(-EINVAL), "no file"), "what is no file");
	ok_eq_str(file_text_fault(-EACCES), strerror(EACCES), "any other");
}

int main(void)
{
	unsigned before = fault_open_fds();

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/file", dir);
	test_read();
	test_renamed();
	test_no_file();
	test_faults();
	ok_eq_int(fault_open_fds(), before, "no descriptor is left open");
	ok_eq_int(rmdir(dir), 0, "nothing is left behind");
	return done();
}
