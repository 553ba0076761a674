/* SPDX-License-Identifier: MIT */
/*
 * broker.c: what it makes, removes, dials and starts, and what it does not, whoever asks;
 * and a broker that is stopped or has ended.
 */
#include "net/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/util.h"
#include "lib/fault.h"
#include "lib/quiet.h"
#include "lib/tap.h"
#include "lib/write-text.h"

static char dir[] = "/tmp/broker-test.XXXXXX";
static struct broker broker;

static const char *in_dir(const char *name)
{
	static char path[2][64];
	static unsigned i;

	i = !i;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static bool is_named(const char *path, void *arg)
{
	(void)arg;
	return !strncmp(path, dir, strlen(dir));
}

/* A helper that says who it is, and waits for its socket's end. */
static void helper(int fd, unsigned kind, void *arg)
{
	pid_t self = getpid();
	char byte;

	(void)kind;
	(void)arg;
	if (write(fd, &self, sizeof(self)) == (ssize_t)sizeof(self))
		while (read(fd, &byte, 1) > 0)
			;
	_exit(0);
}

static const struct broker_rules rules = {
	.names = is_named,
	.helper = helper,
	.dials = true,
};

/* The process that answers, a child of the one that is known. */
static pid_t server(void)
{
	char path[64], text[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", broker.pid, broker.pid);
	for (int i = 0; i < 20000 && !text[0]; i++) {
		f = fopen(path, "re");
		if (!f || !fgets(text, sizeof(text), f))
			poll(NULL, 0, 1);
		if (f)
			fclose(f);
	}
	return (pid_t)strtol(text, NULL, 10);
}

static bool ends_soon(pid_t pid)
{
	for (int i = 0; i < 20000; i++) {
		if (kill(pid, 0) < 0)
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

static int dial(const char *path)
{
	struct sock_addr addr;
	bool in_progress;

	sock_unix(path, &addr);
	return sock_connect(&addr, SOCK_STREAM, 0, &in_progress);
}

static void test_bind(void)
{
	struct sock_path made = { 0 }, other;
	struct stat st;
	int fd, peer;

	fd = broker_bind(&broker, in_dir("a"), SOCK_STREAM, 0640, SOCK_OWN_GROUP, &made);
	ok(fd >= 0 && stat(in_dir("a"), &st) == 0 && (st.st_mode & 07777) == 0640,
	   "bind: a path with its mode");
	ok(sock_is_linked(&made) && !strcmp(made.path, in_dir("a")), "bind: it is ours");
	ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "bind: close-on-exec");
	ok(fcntl(fd, F_GETFL) & O_NONBLOCK, "bind: non-blocking");
	peer = dial(in_dir("a"));
	ok(peer >= 0, "bind: it listens");
	ok_eq_int(broker_bind(&broker, in_dir("a"), SOCK_STREAM, 0600, SOCK_OWN_GROUP,
			      &other),
		  -EADDRINUSE, "bind: not what is in use");
	ok_eq_int(broker_bind(&broker, in_dir("none/a"), SOCK_DGRAM, 0600, SOCK_OWN_GROUP,
			      &other),
		  -ENOENT, "bind: the reason of an error");
	ok_eq_int(broker_bind(&broker, "/tmp/broker-test-other", SOCK_STREAM, 0600,
			      SOCK_OWN_GROUP, &other),
		  -EPERM, "bind: not what is not named");
	other = made;
	other.ino++;
	broker_unlink(&broker, &other);
	ok(sock_is_linked(&made), "unlink: not another socket");
	broker_unlink(&broker, &made);
	ok(sock_is_linked(&made), "unlink: not what is served");
	close(peer);
	close(fd);
	broker_unlink(&broker, &made);
	ok(!sock_is_linked(&made), "unlink: what is not");
	broker_unlink(&broker, &made);
}

/* What somebody serves is not removed, whoever asks for it; nor what is no socket. */
static void test_foreign(void)
{
	struct sock_path made, none = { 0 };
	int fd = sock_bound_unix(in_dir("b"), SOCK_DGRAM, 0600, SOCK_OWN_GROUP, &made);
	struct stat st;

	broker_unlink(&broker, &made);
	ok(sock_is_linked(&made), "unlink: not datagrams that are served");
	broker_unlink(&broker, &none);
	close(fd);
	broker_unlink(&broker, &made);
	ok(!sock_is_linked(&made), "unlink: what is served no more");
	fd = open(in_dir("b"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		abort();
	made.dev = st.st_dev;
	made.ino = st.st_ino;
	broker_unlink(&broker, &made);
	ok(sock_is_linked(&made), "unlink: no file");
	close(fd);
	unlink(in_dir("b"));
}

static void test_dial(void)
{
	struct sock_path made;
	int fd = sock_bound_unix(in_dir("c"), SOCK_STREAM, 0600, SOCK_OWN_GROUP, &made),
	    peer;

	peer = broker_dial(&broker, in_dir("c"));
	ok(peer >= 0, "dial: a path");
	close(peer);
	close(fd);
	ok_eq_int(broker_dial(&broker, in_dir("c")), -ECONNREFUSED,
		  "dial: nobody listens");
	sock_unlink(&made);
	ok_eq_int(broker_dial(&broker, in_dir("c")), -ENOENT, "dial: nothing is there");
	ok_eq_int(broker_dial(&broker, "/run/other"), -EPERM,
		  "dial: not what is not named");
}

static pid_t hear(int fd)
{
	pid_t pid = 0;

	return read(fd, &pid, sizeof(pid)) == (ssize_t)sizeof(pid) ? pid : -1;
}

static void test_helper(void)
{
	pid_t first = 0, second = 0;
	int one = broker_helper(&broker, 1, &first), two;

	ok(one >= 0 && hear(one) == first, "helper: one is started");
	two = broker_helper(&broker, 1, &second);
	ok(two >= 0 && hear(two) == second && second != first, "helper: and another");
	ok_eq_int(hear(one), -1, "helper: the first is killed");
	close(one);
	close(two);
	ok(ends_soon(first), "helper: and gone");
}

/* No room for the answer's descriptor: what was made is removed. */
static void test_no_descriptors(void)
{
	struct rlimit old, few;
	struct sock_path made;
	unsigned before = fault_open_fds();
	int fd;

	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = (rlim_t)dup(0);
	close((int)few.rlim_cur);
	setrlimit(RLIMIT_NOFILE, &few);
	fd = broker_bind(&broker, in_dir("d"), SOCK_STREAM, 0600, SOCK_OWN_GROUP, &made);
	ok_eq_int(fd, -EMFILE, "no descriptor left: said so");
	ok_eq_int(broker_dial(&broker, in_dir("d")), -ENOENT, "and removed");
	setrlimit(RLIMIT_NOFILE, &old);
	ok_eq_int(fault_open_fds(), before, "nothing else is left");
	fd = broker_bind(&broker, in_dir("d"), SOCK_STREAM, 0600, SOCK_OWN_GROUP, &made);
	ok(fd >= 0, "then it can be had");
	close(fd);
	broker_unlink(&broker, &made);
}

static void test_set_up(void)
{
	struct sock_path made;
	pid_t pid = server(), other;
	int fd;

	kill(pid, SIGSTOP);
	other = fork();
	if (other == 0) {
		poll(NULL, 0, BROKER_ANSWER_MS + 200);
		kill(pid, SIGCONT);
		_exit(0);
	}
	fd = broker_bind(&broker, in_dir("u"), SOCK_STREAM, 0600, SOCK_OWN_GROUP, &made);
	ok(fd >= 0, "in set-up, an answer may take long");
	waitpid(other, NULL, 0);
	close(fd);
	broker_unlink(&broker, &made);
	broker.answer_ms = BROKER_ANSWER_MS;
}

static void test_stopped(void)
{
	struct sock_path made;
	uint64_t began = loop_now();
	unsigned before = fault_open_fds();

	pid_t pid = server();

	kill(pid, SIGSTOP);
	ok_eq_int(broker_bind(&broker, in_dir("e"), SOCK_STREAM, 0600, SOCK_OWN_GROUP,
			      &made),
		  -ETIMEDOUT, "stopped: no answer");
	ok(loop_now() - began >= 400 && loop_now() - began < 9000, "stopped: in time");
	kill(pid, SIGCONT);
	ok_eq_int(broker_dial(&broker, "/run/other"), -EPERM,
		  "continued: the late answer is not taken for another one's");
	ok_eq_int(fault_open_fds(), before, "continued: and what came with it is closed");
	unlink(in_dir("e"));
}

/* Another one is there a moment later, and what the first made can be removed. */
static void test_killed(void)
{
	struct sock_path made;
	int fd = broker_bind(&broker, in_dir("k"), SOCK_STREAM, 0600, SOCK_OWN_GROUP,
			     &made);
	pid_t old = server(), helper_pid;
	int one = broker_helper(&broker, 1, &helper_pid);

	ok(one >= 0 && hear(one) == helper_pid, "killed: a helper");
	kill(old, SIGKILL);
	ok(ends_soon(old) && server() != old, "killed: another one is there");
	close(fd);
	broker_unlink(&broker, &made);
	ok(!sock_is_linked(&made), "killed: it removes what the other made");
	ok(kill(helper_pid, 0) == 0, "killed: the helper is not");
	close(one);
	ok(ends_soon(helper_pid), "killed: it is waited for when it ends");
}

static void test_ended(void)
{
	struct sock_path made;
	pid_t pid = server();

	/* Process 1 of a container may not wait for orphans; qemu-user leaves them to it. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	kill(broker.pid, SIGKILL);
	waitpid(broker.pid, NULL, 0);
	ok_eq_int(broker_dial(&broker, in_dir("f")), -ENOENT,
		  "its parent ended: it goes on");
	kill(pid, SIGKILL);
	ok(waitpid(pid, NULL, 0) == pid || ends_soon(pid), "ended: both");
	ok_eq_int(broker_bind(&broker, in_dir("f"), SOCK_STREAM, 0600, SOCK_OWN_GROUP,
			      &made),
		  -EPIPE, "ended: said so");
	ok_eq_int(broker_helper(&broker, 1, &pid), -EPIPE, "ended: no helper");
	ok_eq_int(pid, 0, "ended: none");
	broker_stop(&broker);
	ok(!broker.is_on, "ended: stopped");
	broker_stop(&broker);
}

static void test_stop(void)
{
	pid_t pid = 0, broker_pid;
	int fd;

	ok_eq_int(broker_start(&broker, &rules), 0, "another broker");
	broker_pid = broker.pid;
	fd = broker_helper(&broker, 1, &pid);
	ok(fd >= 0 && hear(fd) == pid, "stop: a helper");
	close(fd);
	broker_stop(&broker);
	ok(kill(broker_pid, 0) < 0 && errno == ESRCH, "stop: it has ended");
	ok(ends_soon(pid), "stop: the helper, too");
}

/* @b: NULL for none. Names are looked up by either. */
static void test_id(struct broker *b, const char *what)
{
	char why[BROKER_WHY_MAX];
	uint32_t id = 1;

	ok(broker_id(b, "root", false, &id, why) == 0 && id == 0, "%s: a user", what);
	id = 1;
	ok(broker_id(b, "root", true, &id, why) == 0 && id == 0, "%s: a group", what);
	ok(broker_id(b, "4711", true, &id, why) == 0 && id == 4711, "%s: a number", what);
	ok_eq_int(broker_id(b, "no-such", false, &id, why), -ENOENT, "%s: no user", what);
	ok_eq_int(broker_id(b, "no-such", true, &id, why), -ENOENT, "%s: no group", what);
	ok_eq_int(broker_id(b, "4294967295", true, &id, why), -ENOENT, "%s: no number",
		  what);
}

static void test_group(void)
{
	gid_t group = geteuid() ? getegid() : 12345;
	struct sock_path made;
	struct stat st = { 0 };
	int fd = broker_bind(&broker, in_dir("gr"), SOCK_STREAM, 0660, group, &made);

	ok(fd >= 0 && stat(in_dir("gr"), &st) == 0 && st.st_gid == group &&
		   (st.st_mode & 07777) == 0660,
	   "bind: a path of a group");
	close(fd);
	broker_unlink(&broker, &made);
}

/* The file is the one that the rules name, however long it is. */
static void test_config(void)
{
	char path[64];
	struct broker_rules with = { .helper = helper, .config = path };
	unsigned before = fault_open_fds();
	struct buf text = { 0 }, direct = { 0 };
	FILE *f;

	snprintf(path, sizeof(path), "%s/config", dir);
	f = fopen(path, "we");
	for (int i = 0; f && i < 20000; i++)
		fprintf(f, "join %d\n", i);
	if (!f || fclose(f) != 0)
		abort();
	ok_eq_int(broker_config(NULL, in_dir("config"), &direct), 0, "config: no broker");
	ok_eq_int(broker_start(&broker, &with), 0, "config: a broker");
	ok_eq_int(broker_config(&broker, in_dir("other"), &text), 0, "config: read");
	ok(text.len > 262144 && text.len == direct.len, "config: %zu bytes", text.len);
	ok(!memcmp(text.data, direct.data, text.len), "config: the same");
	text.len = 0;
	unlink(in_dir("config"));
	ok_eq_int(broker_config(&broker, in_dir("other"), &text), 0, "config: gone");
	ok(memmem(text.data, text.len, "\1No such file", 13), "config: which is told");
	broker_stop(&broker);
	ok_eq_int(fault_open_fds(), before, "config: no descriptor is left");
	ok_eq_int(broker_start(&broker, &rules), 0, "config: a broker without a file");
	ok_eq_int(broker_config(&broker, in_dir("other"), &text), -EPERM, "config: none");
	broker_stop(&broker);
	buf_free(&text);
	buf_free(&direct);
}

/* A file of keys is any of the folder whose name begins with "key", of 10 bytes or 100 at most. */
static size_t is_key_file(const char *path, void *arg)
{
	const char *name = strrchr(path, '/');

	(void)arg;
	if (!is_named(path, NULL) || !name || strncmp(name, "/key", 4) != 0)
		return 0;
	return !strcmp(name, "/key-long") ? 100 : 10;
}

static int read_key_file(const char *path, struct file_stamp *stamp, const char *want,
			 const char *what)
{
	char *text;
	size_t len;
	int ret = broker_file(&broker, path, 100, stamp, &text, &len);

	ok_eq_str(text, want, "%s", what);
	ok_eq_int(len, want ? strlen(want) : 0, "%s: its length", what);
	free(text);
	return ret;
}

/* Whatever the relay asks for, it gets what is named, and only that. */
static void test_file_refused(void)
{
	static const char *const paths[] = {
		"", "/", "/etc/passwd", "key", "/etc/key", ".", "/proc/self/mem",
	};
	char long_path[2 * BROKER_FILE_MAX];
	struct file_stamp stamp = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		ok_eq_int(read_key_file(paths[i], &stamp, NULL, paths[i]), -EPERM,
			  "file: not \"%s\"", paths[i]);
	ok_eq_int(read_key_file(in_dir("other"), &stamp, NULL, "another"), -EPERM,
		  "file: not what is not named");
	memset(long_path, 'a', sizeof(long_path));
	long_path[BROKER_FILE_MAX] = '\0';
	ok_eq_int(read_key_file(long_path, &stamp, NULL, "a long path"), -ENAMETOOLONG,
		  "file: a path that is too long");
	long_path[BROKER_FILE_MAX - 1] = '\0';
	ok_eq_int(read_key_file(long_path, &stamp, NULL, "a long path"), -EPERM,
		  "file: the longest is asked for");
}

/* Whether a part of a process's memory has these bytes. */
static bool has_bytes(int mem, unsigned long from, unsigned long to, const char *text,
		      size_t len)
{
	static char part[1 << 20];

	for (; from < to; from += sizeof(part) - len) {
		ssize_t n =
			pread(mem, part, min_size(sizeof(part), to - from), (off_t)from);

		if (n > 0 && memmem(part, (size_t)n, text, len))
			return true;
	}
	return false;
}

/*
 * Whether a process has these bytes in memory that it can write to. What is larger than
 * ITS_MAX is not its own, but a sanitizer's.
 */
#define ITS_MAX (64u << 20)
static bool remembers(pid_t pid, const char *text, size_t len)
{
	char path[64], line[512], access[8];
	bool is_found = false;
	unsigned long from, to;
	FILE *maps;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	ok(maps && mem >= 0, "file: its memory can be read");
	while (maps && !is_found && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", &from, &to, access) == 3 &&
		    access[1] == 'w' && to - from <= ITS_MAX)
			is_found = has_bytes(mem, from, to, text, len);
	if (maps)
		fclose(maps);
	close(mem);
	return is_found;
}

/* Neither the process that has read a secret keeps it, nor its parent. */
static void test_secret(void)
{
	char secret[41], *found;
	/* What free() itself may write to is not looked at. */
	const char *rest = secret + 20;
	struct file_stamp stamp = { 0 };
	size_t len;
	int ret;

	for (unsigned i = 0; i < sizeof(secret) - 1; i++)
		secret[i] = (char)('a' + (i * 7 + (unsigned)getpid()) % 26);
	secret[sizeof(secret) - 1] = '\0';
	write_text(in_dir("key-long"), secret);
	ret = broker_file(&broker, in_dir("key-long"), 100, &stamp, &found, &len);
	ok(ret == 0 && found && !strcmp(found, secret), "file: a secret is read");
	ok(remembers(getpid(), rest, 20), "file: which is in our memory, where we look");
	ok(!remembers(server(), rest, 20) && !remembers(broker.pid, rest, 20),
	   "file: and in nobody else's");
	free(found);
	unlink(in_dir("key-long"));
}

static void test_file(void)
{
	static const struct broker_rules with = { .helper = helper, .file = is_key_file };
	unsigned before = fault_open_fds();
	struct file_stamp stamp = { 0 }, old;
	char key[64];

	snprintf(key, sizeof(key), "%s/key", dir);
	ok_eq_int(broker_start(&broker, &with), 0, "file: a broker");
	ok_eq_int(read_key_file(key, &stamp, NULL, "file: none"), -ENOENT, "file: told");
	write_text(key, "secret\n");
	ok_eq_int(read_key_file(key, &stamp, "secret\n", "file: read"), 0, "file: a key");
	old = stamp;
	ok_eq_int(read_key_file(key, &stamp, NULL, "file: the same"), 0,
		  "file: not read anew");
	ok(!memcmp(&old, &stamp, sizeof(old)), "file: the same stamp");
	write_text(key, "other");
	ok_eq_int(read_key_file(key, &stamp, "other", "file: changed"), 0,
		  "file: read anew");
	write_text(key, "12345678901");
	ok_eq_int(read_key_file(key, &stamp, NULL, "file: long"), -EFBIG,
		  "file: too large for the broker");
	write_text(key, "");
	ok_eq_int(read_key_file(key, &stamp, "", "file: empty"), 0,
		  "file: nothing in it");
	unlink(key);
	ok(mkfifo(key, 0600) == 0, "file: a pipe");
	ok_eq_int(read_key_file(key, &stamp, NULL, "file: a pipe"), -EINVAL,
		  "file: refused");
	unlink(key);
	test_file_refused();
	test_secret();
	broker_stop(&broker);
	ok_eq_int(broker_start(&broker, &rules), 0, "file: a broker without any");
	write_text(key, "secret");
	ok_eq_int(read_key_file(key, &stamp, NULL, "file: none is named"), -EPERM,
		  "file: refused");
	broker_stop(&broker);
	ok_eq_int(read_key_file(key, &stamp, "secret", "file: no broker"), 0,
		  "file: read by ourselves");
	unlink(key);
	ok_eq_int(fault_open_fds(), before, "file: no descriptor is left");
}

static void test_rules(void)
{
	static const struct broker_rules any = { .helper = helper };
	int fd;
	struct sock_path made;

	ok_eq_int(broker_start(&broker, &any), 0, "one that may not dial");
	fd = broker_bind(&broker, in_dir("g"), SOCK_DGRAM, 0600, SOCK_OWN_GROUP, &made);
	ok(fd >= 0, "any path is named");
	ok_eq_int(broker_dial(&broker, in_dir("g")), -EACCES, "but not dialled");
	close(fd);
	broker_unlink(&broker, &made);
	broker_stop(&broker);
}

/* Without a broker, all is done here. */
static void test_none(struct broker *none, const char *what)
{
	struct sock_path made;
	int fd = broker_bind(none, in_dir("h"), SOCK_STREAM, 0600, SOCK_OWN_GROUP, &made);

	ok(fd >= 0 && sock_is_linked(&made), "%s: bind", what);
	broker_unlink(none, &made);
	ok(!sock_is_linked(&made), "%s: unlink", what);
	ok_eq_int(broker_dial(none, in_dir("h")), -EACCES, "%s: dial", what);
	close(fd);
}

static void test_faults(void)
{
	unsigned before = fault_open_fds();

	fault_arm(FAULT_socketpair, 1, EMFILE);
	ok_eq_int(broker_start(&broker, &rules), -EMFILE, "no socket for it");
	fault_arm(FAULT_fork, 1, EAGAIN);
	ok_eq_int(broker_start(&broker, &rules), -EAGAIN, "no process for it");
	fault_disarm();
	ok(!broker.is_on && !broker.pid, "then there is none");
	ok_eq_int(fault_open_fds(), before, "and no descriptor");
}

int main(void)
{
	struct broker off = { 0 };

	signal(SIGPIPE, SIG_IGN);
	quiet();
	if (!mkdtemp(dir))
		return 1;
	test_none(NULL, "no broker");
	test_none(&off, "one that is off");
	test_id(NULL, "no broker");
	test_faults();
	ok_eq_int(broker_start(&broker, &rules), 0, "a broker");
	test_set_up();
	test_bind();
	test_group();
	test_id(&broker, "broker");
	test_foreign();
	test_dial();
	test_helper();
	test_no_descriptors();
	test_stopped();
	test_killed();
	test_ended();
	test_stop();
	test_rules();
	test_config();
	test_file();
	ok_eq_int(rmdir(dir), 0, "nothing is left behind");
	return done();
}
