/* SPDX-License-Identifier: MIT */
/*
 * bridge-acl.c: what an access list allows and denies to whom, every mistake that can be
 * in one, and files and directories that are not to be trusted. As another user than
 * root, files cannot be given to root, and only the list itself is tested.
 */
#include "helper/bridge-acl.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/util.h"
#include "lib/fault.h"
#include "lib/tap.h"

#define PATH "/acl"

static const gid_t groups[] = { 100, 2000, 2001 };
static const struct bridge_acl_user alice = { 1000, groups, ARRAY_SIZE(groups) };
static char why[512];

/* In memory of exactly its size, so that a sanitizer sees every byte too many. */
static int read_text(const char *text, size_t len, const char *bridge, size_t size)
{
	char *copy = malloc(len ? len : 1), *said = malloc(size);
	int ret;

	if (!copy || !said)
		abort();
	memcpy(copy, text, len);
	ret = bridge_acl_read(copy, len, PATH, bridge, &alice, said, size);
	snprintf(why, sizeof(why), "%s", said);
	free(copy);
	free(said);
	return ret;
}

static const struct {
	const char *text, *bridge;
	int ret;
	const char *why;
} lists[] = {
	{ "", "br0", -EACCES,
	  "/acl has no line that allows bridge br0 to user 1000; as root, add: allow br0 "
	  "user:1000" },
	{ "# allow all\n\n \t\n", "br0", -EACCES, "/acl has no line" },
	{ "allow br0\n", "br0", 0, "/acl, line 1, allows bridge br0 to user 1000" },
	{ "allow br0\n", "br1", -EACCES, "/acl has no line" },
	{ "allow br0\n", "br", -EACCES, "/acl has no line" },
	{ "allow br\n", "br0", -EACCES, "/acl has no line" },
	{ "allow BR0\n", "br0", -EACCES, "/acl has no line" },
	{ "\n# who\n\t allow\t br0 \t# yes\n", "br0", 0, "/acl, line 3, allows" },
	{ "allow br0#\n", "br0", 0, "/acl, line 1, allows" },
	{ "allow all\n", "br0", 0, "/acl, line 1, allows" },
	{ "allow br1\nallow br0\nallow all\n", "br0", 0, "/acl, line 2, allows" },
	{ "allow abcdefghijklmno\n", "abcdefghijklmno", 0, "/acl, line 1" },
	{ "# caf\xc3\xa9\nallow br0\n", "br0", 0, "/acl, line 2" },
	/* users and groups */
	{ "allow br0 user:1000\n", "br0", 0, "/acl, line 1" },
	{ "allow br0 user:1001\n", "br0", -EACCES, "/acl has no line" },
	{ "allow br0 user:100\n", "br0", -EACCES, "/acl has no line" },
	{ "allow br0 group:100\n", "br0", 0, "/acl, line 1" },
	{ "allow br0 group:2001\n", "br0", 0, "/acl, line 1" },
	{ "allow br0 group:1000\n", "br0", -EACCES, "/acl has no line" },
	{ "allow br0 user:root\n", "br0", -EACCES, "/acl has no line" },
	{ "allow all group:root\n", "br0", -EACCES, "/acl has no line" },
	{ "allow all user:4294967294\n", "br0", -EACCES, "/acl has no line" },
	/* deny wins, wherever it is */
	{ "allow br0\ndeny br0\n", "br0", -EACCES,
	  "/acl, line 2, denies bridge br0 to user 1000" },
	{ "deny br0\nallow br0 user:1000\n", "br0", -EACCES, "/acl, line 1, denies" },
	{ "deny all user:1000\nallow all\n", "br0", -EACCES, "/acl, line 1, denies" },
	{ "allow br0 user:1000\ndeny all group:2000\n", "br0", -EACCES,
	  "/acl, line 2, denies" },
	{ "deny br0\ndeny br0 user:1000\nallow br0\n", "br0", -EACCES,
	  "/acl, line 1, denies" },
	{ "deny br1\ndeny all user:1001\nallow br0\n", "br0", 0, "/acl, line 3, allows" },
	/* mistakes, before and behind a line that would allow it */
	{ "allow br0\nAllow br1\n", "br0", -EINVAL,
	  "/acl, line 2: \"Allow\" must be allow or deny" },
	{ "permit br1\nallow br0\n", "br0", -EINVAL,
	  "/acl, line 1: \"permit\" must be allow or deny" },
	{ "allow br0\ndeny\n", "br0", -EINVAL,
	  "/acl, line 2: the name of a bridge is missing behind deny, or all" },
	{ "allow br0\nallow # br0\n", "br0", -EINVAL, "missing behind allow" },
	{ "allow br0\nallow abcdefghijklmnop\n", "br0", -EINVAL,
	  "/acl, line 2: \"abcdefghijklmnop\" is too long; a bridge's name has 15 bytes at "
	  "most" },
	{ "allow br0 alice\n", "br0", -EINVAL,
	  "/acl, line 1: \"alice\" must be user:NAME or group:NAME" },
	{ "allow br0 user:\n", "br0", -EINVAL, "must be user:NAME or group:NAME" },
	{ "allow br0 group:\n", "br0", -EINVAL, "must be user:NAME or group:NAME" },
	{ "allow br0 users:1000\n", "br0", -EINVAL, "must be user:NAME or group:NAME" },
	{ "allow br0 :1000\n", "br0", -EINVAL, "must be user:NAME or group:NAME" },
	{ "allow br0\ndeny br0 user:no-such-one\n", "br0", -EINVAL,
	  "/acl, line 2: /etc/passwd has no no-such-one; correct the name, or write the "
	  "number" },
	{ "allow br0 group:no-such-one\n", "br0", -EINVAL,
	  "/etc/group has no no-such-one" },
	{ "allow br0 user:-1\n", "br0", -EINVAL, "/etc/passwd has no -1" },
	{ "allow br0 user:+1000\n", "br0", -EINVAL, "/etc/passwd has no +1000" },
	{ "allow br0 user:0x3e8\n", "br0", -EINVAL, "/etc/passwd has no 0x3e8" },
	{ "allow br0 user:4294967295\n", "br0", -EINVAL, "has no 4294967295" },
	{ "allow br0 user:4294968296\n", "br0", -EINVAL, "has no 4294968296" },
	{ "allow br0 user:roo\n", "br0", -EINVAL, "has no roo;" },
	{ "allow br0 user:root:\n", "br0", -EINVAL, "has no root:;" },
	{ "allow br0 user:root:x\n", "br0", -EINVAL, "has no root:x;" },
	{ "allow br0 user:1000 group:5\n", "br0", -EINVAL,
	  "/acl, line 1: \"group:5\" is too much; write one user or group to a line" },
	{ "allow br0\r\n", "br0", -EINVAL,
	  "/acl, line 1: byte 10 is a control character (0x0d); end lines by LF alone" },
	{ "allow br0\n# \x1b[2J\n", "br0", -EINVAL,
	  "/acl, line 2: byte 3 is a control character (0x1b)" },
	{ "allow br0\n#\x7f\n", "br0", -EINVAL, "(0x7f)" },
	{ "allow br0", "br0", -EINVAL,
	  "/acl, line 1: it does not end; end it by a line break" },
	{ "allow br0\nallow br1 user:al", "br0", -EINVAL,
	  "/acl, line 2: it does not end" },
	{ "\xef\xbb\xbf"
	  "allow br0\n",
	  "br0", -EINVAL, "must be allow or deny" },
};

static void test_lists(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const char *text = lists[i].text;

		ok_eq_int(read_text(text, strlen(text), lists[i].bridge, sizeof(why)),
			  lists[i].ret, "'%s', %s", text, lists[i].bridge);
		ok(strstr(why, lists[i].why), "says '%s': '%s'", lists[i].why, why);
	}
}

static void test_bytes(void)
{
	static const char nul[] = "allow br0\0 user:1\n";
	char text[2 * BRIDGE_ACL_LINE_MAX];

	ok_eq_int(read_text(nul, sizeof(nul) - 1, "br0", sizeof(why)), -EINVAL, "a NUL");
	ok(strstr(why, "byte 10 is a control character (0x00)"), "is told: %s", why);
	memset(text, ' ', sizeof(text));
	memcpy(text, "allow br0", 9);
	text[BRIDGE_ACL_LINE_MAX] = '\n';
	ok_eq_int(read_text(text, BRIDGE_ACL_LINE_MAX + 1, "br0", sizeof(why)), 0,
		  "the longest line");
	text[BRIDGE_ACL_LINE_MAX] = ' ';
	text[BRIDGE_ACL_LINE_MAX + 1] = '\n';
	ok_eq_int(read_text(text, BRIDGE_ACL_LINE_MAX + 2, "br0", sizeof(why)), -EINVAL,
		  "one that is longer");
	ok(strstr(why, "longer than 256 bytes"), "is told: %s", why);
	memset(text, 'x', BRIDGE_ACL_LINE_MAX);
	text[BRIDGE_ACL_LINE_MAX] = '\n';
	ok_eq_int(read_text(text, BRIDGE_ACL_LINE_MAX + 1, "br0", sizeof(why)), -EINVAL,
		  "a long word");
	for (size_t size = 1; size < 90; size++) {
		int ret = read_text("allow all\ndeny br0 user:no-such-one\n", 36, "br0",
				    size);

		ok(ret == -EINVAL && strlen(why) < size, "cut off at %zu: %s", size, why);
	}
}

/* What the C library knows of users, we know, too. */
static void test_names(void)
{
	const struct passwd *pw;
	const struct group *gr;
	unsigned n = 0, good = 0;
	char text[200];

	for (setpwent(); n < 50 && (pw = getpwent()); n++) {
		const struct bridge_acl_user user = { .uid = pw->pw_uid };

		snprintf(text, sizeof(text), "allow br0 user:%s\n", pw->pw_name);
		good += !bridge_acl_read(text, strlen(text), PATH, "br0", &user, why,
					 sizeof(why));
	}
	endpwent();
	ok(n && good == n, "all users are known by their names: %u of %u", good, n);
	for (n = good = 0, setgrent(); n < 50 && (gr = getgrent()); n++) {
		const struct bridge_acl_user user = { 1, &gr->gr_gid, 1 };

		snprintf(text, sizeof(text), "allow br0 group:%s\n", gr->gr_name);
		good += !bridge_acl_read(text, strlen(text), PATH, "br0", &user, why,
					 sizeof(why));
	}
	endgrent();
	ok(n && good == n, "all groups are known by their names: %u of %u", good, n);
}

/* ---- a passwd of our own ---- */

static const char *passwd; /* in place of /etc/passwd */

FILE *fopen(const char *path, const char *mode)
{
	static FILE *(*next)(const char *path, const char *mode);

	if (!next)
		fault_find(&next, "fopen");
	errno = ENOENT;
	if (passwd && !strcmp(path, "/etc/passwd"))
		return *passwd ? fmemopen((void *)(uintptr_t)passwd, strlen(passwd), mode)
			       : NULL;
	return next(path, mode);
}

static void one_passwd(const char *text, int want, const char *what)
{
	char list[] = "allow br0 user:al\n";

	passwd = text;
	ok_eq_int(bridge_acl_read(list, strlen(list), PATH, "br0", &alice, why,
				  sizeof(why)),
		  want, "passwd: %s", what);
	passwd = NULL;
}

static void test_passwd(void)
{
	char text[1200] = "x:";

	one_passwd("al:x:1000:1:::\n", 0, "a user");
	one_passwd("al::1000:1:::\n", 0, "without a password");
	one_passwd("alx:x:1000:1:::\nxal:x:1000:1:::\n", -EINVAL, "names like it");
	one_passwd("al:x:1001:1:::\nal:x:1000:1:::\n", -EACCES, "the first counts");
	one_passwd("al", -EINVAL, "a name alone");
	one_passwd("al:\n", -EINVAL, "no number");
	one_passwd("al:x:1000\n", -EINVAL, "a line that was cut");
	one_passwd("al:x::1:::\n", -EINVAL, "an empty number");
	one_passwd("al:x:1000x:1:::\n", -EINVAL, "letters in it");
	one_passwd("al:x:4294968296:1:::\n", -EINVAL, "a number too large");
	one_passwd("", -EINVAL, "none at all");
	/* Wherever a long line is taken apart, its rest is no line of its own. */
	for (size_t at = 200; at < 300; at++) {
		memset(text + 2, 'y', sizeof(text) - 2);
		memcpy(text + at, "al:x:1000:1:::\nal:x:1001:1:::\n", 31);
		one_passwd(text, -EACCES, "a long line with what looks like one in it");
	}
}

/* ---- files ---- */

static char dir[] = "/tmp/bridge-acl-test.XXXXXX";
static char file[sizeof(dir) + 20], other[sizeof(dir) + 20];

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode) < 0)
		abort();
	close(fd);
}

static void checked(const char *what, int want, const char *word)
{
	unsigned before = fault_open_fds();

	ok_eq_int(bridge_acl_check(dir, "br0", why, sizeof(why)), want, "%s", what);
	ok(strstr(why, word), "%s: says '%s': %s", what, word, why);
	ok_eq_int(fault_open_fds(), before, "%s: no descriptor is left", what);
}

static void test_file(void)
{
	write_file(file, "allow br0\n", 0644);
	checked("root's file", 0, "bridge.conf, line 1, allows bridge br0 to user 0");
	chmod(file, 0400);
	checked("that only root can read", 0, "line 1");
	chmod(file, 0664);
	checked("a group's", -EINVAL,
		"writable by others than root; as root: chmod go-w ");
	chmod(file, 0646);
	checked("everybody's", -EINVAL, "writable by others than root");
	chmod(file, 0644);
	if (chown(file, 1, 0) < 0)
		abort();
	checked("another user's", -EINVAL, "bridge.conf belongs to user 1, who");
	write_file(other, "allow br0\n", 0644);
	unlink(file);
	checked("none", -ENOENT,
		"is missing, so no user may join a bridge; as root, create "
		"it, with the line: allow br0 user:0");
	if (symlink(other, file) < 0)
		abort();
	checked("a symbolic link", -ELOOP, "it must not be a symbolic link");
	unlink(file);
	mkdir(file, 0755);
	checked("a directory", -EINVAL, "is not a regular file");
	rmdir(file);
	mkfifo(file, 0644);
	checked("a FIFO", -EINVAL, "is not a regular file");
	unlink(file);
}

static void test_groups(void)
{
	static const gid_t group = 4242;
	gid_t before[NGROUPS_MAX];
	int n = getgroups(NGROUPS_MAX, before);

	write_file(file, "allow br0 group:4242\n", 0644);
	checked("a group of others", -EACCES, "has no line that allows bridge br0");
	if (setgroups(1, &group) < 0)
		abort();
	checked("a group of ours beside the first", 0, "line 1, allows bridge br0");
	if (setgroups((size_t)n, before) < 0)
		abort();
}

static void test_size(void)
{
	char *text = malloc(BRIDGE_ACL_SIZE_MAX + 2);

	if (!text)
		abort();
	memset(text, '\n', BRIDGE_ACL_SIZE_MAX + 1);
	text[BRIDGE_ACL_SIZE_MAX + 1] = '\0';
	memcpy(text, "allow br0", 9);
	write_file(file, text + 1, 0644);
	checked("a mistake in a huge file", -EINVAL, "line 1: \"llow\"");
	write_file(file, text, 0644);
	checked("a file larger than allowed", -EFBIG, "longer than 16384 bytes");
	text[BRIDGE_ACL_SIZE_MAX] = '\0';
	write_file(file, text, 0644);
	checked("the largest one", 0, "line 1");
	free(text);
}

static void test_dir(void)
{
	char moved[sizeof(dir) + 2];

	write_file(file, "allow br0\n", 0644);
	chmod(dir, 0775);
	checked("a directory that a group can write to", -EINVAL, "chmod go-w /tmp/");
	chmod(dir, 0757);
	checked("that all can write to", -EINVAL, "writable by others than root");
	chmod(dir, 0755);
	if (chown(dir, 1, 0) < 0)
		abort();
	checked("another user's directory", -EINVAL, "belongs to user 1");
	if (chown(dir, 0, 0) < 0)
		abort();
	snprintf(moved, sizeof(moved), "%s.1", dir);
	if (rename(dir, moved) < 0)
		abort();
	checked("no directory", -ENOENT, "bridge.conf is missing");
	if (symlink(moved, dir) < 0)
		abort();
	checked("a symbolic link to one", -ELOOP, "must not be a symbolic link");
	unlink(dir);
	write_file(dir, "allow br0\n", 0644);
	checked("a file in its place", -EINVAL, "is not a directory");
	unlink(dir);
	if (rename(moved, dir) < 0)
		abort();
	checked("as it was", 0, "line 1");
}

static void test_faults(void)
{
	fault_arm(FAULT_read, 1, EIO);
	checked("a disk that fails", -EIO, "bridge.conf: Input/output error");
	fault_arm(FAULT_read, 2, EIO);
	checked("that fails later", -EIO, "Input/output error");
	fault_arm(FAULT_read, 1, EINTR);
	checked("a read that is interrupted", 0, "line 1");
	fault_disarm();
}

int main(void)
{
	alarm(300); /* a FIFO could keep it waiting */
	test_lists();
	test_bytes();
	test_names();
	test_passwd();
	if (getuid() == 0 && mkdtemp(dir) && chmod(dir, 0755) == 0) {
		snprintf(file, sizeof(file), "%s/bridge.conf", dir);
		snprintf(other, sizeof(other), "%s/other", dir);
		test_file();
		test_groups();
		test_size();
		test_dir();
		test_faults();
		unlink(file);
		unlink(other);
		rmdir(dir);
	}
	return done();
}
