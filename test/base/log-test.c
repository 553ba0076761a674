/* SPDX-License-Identifier: MIT */
/*
 * log.c, with stderr put on a pipe, a socket or a terminal that the test reads,
 * or does not. Should a message wait for its reader, the alarm ends the test.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

#define READ_MAX (1 << 20)
#define ALARM_S 300

static int saved_stderr;
static bool is_poll_wrong;
static char text[READ_MAX + 1];

/* In place of the C library's; log.c has no other descriptor to poll than one. */
int poll(struct pollfd *fds, nfds_t n, int ms)
{
	struct timespec limit = { ms / 1000, ms % 1000 * 1000000L };

	if (!is_poll_wrong)
		return ppoll(fds, n, ms < 0 ? NULL : &limit, NULL);
	fds->revents = POLLOUT;
	return 1;
}

static void stderr_to(int fd)
{
	saved_stderr = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
	log_reset();
}

static void stderr_back(void)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	log_reset();
}

/* All there is to read now. Return: @text. */
static const char *read_all(int fd)
{
	size_t len = 0;
	ssize_t n;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (len < READ_MAX && (n = read(fd, text + len, READ_MAX - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return text;
}

/* Return: the end to read from. */
static int stderr_to_pipe(void)
{
	int fds[2];

	if (pipe(fds) < 0)
		exit(1);
	stderr_to(fds[1]);
	return fds[0];
}

static void test_lines(void)
{
	int fd = stderr_to_pipe();

	log_info("not %s", "said");
	log_warn("%s: %d of %s", "br0", 7, "x");
	log_verbosity(1);
	log_info("is %s", "said");
	log_warn("%s", "");
	log_verbosity(0);
	log_info("not said");
	stderr_back();
	ok_eq_str(read_all(fd), "netrelay: br0: 7 of x\nnetrelay: is said\nnetrelay: \n",
		  "a line each, and what happens to ports only when asked for");
	close(fd);
}

/* @wrong: added to the inode that $JOURNAL_STREAM has */
static void test_journal(unsigned wrong, const char *want, const char *what)
{
	char stream[64];
	struct stat st;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		exit(1);
	fstat(fds[1], &st);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + wrong);
	setenv("JOURNAL_STREAM", stream, 1);
	stderr_to(fds[1]);
	log_verbosity(1);
	log_warn("%s", "a\n<0>b");
	log_info("c");
	log_answer("d");
	log_verbosity(0);
	stderr_back();
	unsetenv("JOURNAL_STREAM");
	ok_eq_str(read_all(fds[0]), want, "%s", what);
	close(fds[0]);
}

/* Until warnings are logged again. */
static void wait_after_flood(void)
{
	int fd = stderr_to_pipe();

	do {
		poll(NULL, 0, 100);
		log_warn("x");
	} while (!*read_all(fd));
	stderr_back();
	close(fd);
}

static bool is_joined_again;
static int syslog_again;

static bool join_again(int fd)
{
	is_joined_again = true;
	return dup2(syslog_again, fd) == fd;
}

/* Each message is a datagram; before that, messages go to whoever started the daemon. */
static void test_daemon(void)
{
	int old[2], new[2], first[2];
	char want[128];

	if (pipe(first) < 0 || socketpair(AF_UNIX, SOCK_DGRAM, 0, old) < 0 ||
	    socketpair(AF_UNIX, SOCK_DGRAM, 0, new) < 0)
		exit(1);
	stderr_to(old[1]);
	log_begin_daemon(first[1]);
	log_warn("not ready");
	log_use_syslog(join_again);
	log_warn("a\nb");
	ok_eq_str(read_all(first[0]), "netrelay: not ready\n",
		  "who starts a daemon is told");
	snprintf(want, sizeof(want), "<28>netrelay[%d]: a\\x0ab", (int)getpid());
	ok_eq_str(read_all(old[0]), want, "later the system log is");
	close(old[0]);
	syslog_again = new[1];
	log_answer("c");
	snprintf(want, sizeof(want), "<30>netrelay[%d]: c", (int)getpid());
	ok_eq_str(read_all(new[0]), want, "also one that was started again");
	ok(is_joined_again, "after a message that could not be sent");
	for (int i = 0; i < 10000; i++)
		log_answer("many");
	read_all(new[0]);
	log_answer("d");
	read_all(new[0]);
	ok(strstr(text, " messages left out here; d"), "it is told what was left out");
	close(new[0]);
	close(new[1]);
	/* It is a daemon for good, so this is the last test. */
	stderr_back();
}

static void test_control_characters(void)
{
	char all[256] = "", want[1100] = "netrelay: ";
	char *end = want + strlen(want);
	int fd = stderr_to_pipe();

	for (int c = 1; c < 256; c++) {
		all[c - 1] = (char)c;
		end += sprintf(end, c < ' ' || c > '~' ? "\\x%02x" : "%c", (unsigned)c);
	}
	*end = '\n';
	log_warn("%s", all);
	stderr_back();
	ok_eq_str(read_all(fd), want, "what could steer a terminal is escaped");
	close(fd);
}

/* Around the length that is cut, and far above. */
static void test_long_lines(void)
{
	static char many[9000];
	size_t longest = 0, shortest_cut = sizeof(many);
	int wrong = 0, fd = stderr_to_pipe();

	for (size_t len = 1300; len < sizeof(many) - 1; len += len < 1500 ? 1 : 997) {
		size_t got;

		memset(many, 'x', len);
		many[len] = '\0';
		log_warn("%s", many);
		got = strlen(read_all(fd));
		wrong += got < 12 || text[got - 1] != '\n' ||
			 strchr(text, '\n') != text + got - 1 ||
			 strspn(text + strlen("netrelay: "), "x") !=
				 got - strlen("netrelay: ") - 1;
		longest = got > longest ? got : longest;
		if (got < len + strlen("netrelay: \n") && len < shortest_cut)
			shortest_cut = len;
	}
	stderr_back();
	close(fd);
	ok_eq_int(wrong, 0, "long messages stay a line, and are what was said");
	ok(longest <= 1400 && longest + 2 > shortest_cut + strlen("netrelay: \n") - 1,
	   "the longest has %zu bytes, nothing shorter was cut", longest);
}

/* A string of many lines is one line. */
static void test_line_breaks(void)
{
	int fd = stderr_to_pipe();

	log_warn("a\nnetrelay: b\r\n\033[2Jc");
	stderr_back();
	ok_eq_str(read_all(fd), "netrelay: a\\x0anetrelay: b\\x0d\\x0a\\x1b[2Jc\n",
		  "nobody else can write a line of ours");
	close(fd);
}

/* Return: the number in the line that says how many messages were left out, or -1. */
static long left_out(const char *line)
{
	long n = -1;

	return sscanf(line, "netrelay: %ld messages left out here\n", &n) == 1 ? n : -1;
}

static unsigned count_lines(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

/* Whether all lines but those that say what was left out count from 1 on. */
static bool counts_up(const char *s, long *next)
{
	for (; *s; s = strchr(s, '\n') + 1) {
		long n = left_out(s);

		if (n < 0 && (sscanf(s, "netrelay: message %ld", &n) != 1 || n != *next))
			return false;
		*next = left_out(s) < 0 ? n + 1 : *next + n;
	}
	return true;
}

static void test_stalled(const char *what, int ours, int theirs)
{
	const char *s;
	long next = 1;
	unsigned n = 0;

	stderr_to(ours);
	for (int i = 1; i <= 20000; i++)
		log_answer("message %d", i);
	s = read_all(theirs);
	n = count_lines(s);
	ok(n > 0 && n < 20000, "%s: %u messages fit, and none was waited with", what, n);
	ok(counts_up(s, &next), "%s: they are the first ones, whole", what);
	log_warn("message %d", 20001);
	log_warn("message %d", 20002);
	stderr_back();
	s = read_all(theirs);
	ok_eq_int(left_out(s), 20000 - n, "%s: then it is said how many were left out",
		  what);
	ok(counts_up(s, &next) && next == 20003, "%s: and the next ones are said again",
	   what);
	close(theirs);
}

static void test_stalled_readers(void)
{
	int fds[2];

	if (pipe(fds) == 0)
		test_stalled("a pipe", fds[1], fds[0]);
	if (pipe2(fds, O_NONBLOCK) == 0)
		test_stalled("a non-blocking pipe", fds[1], fds[0]);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0)
		test_stalled("a socket", fds[1], fds[0]);
}

/*
 * In between, another process has taken the room that poll saw: then a write that
 * is let wait waits for as long as nobody reads.
 */
static void test_taken(const char *what, int ours, int theirs)
{
	stderr_to(ours);
	for (int i = 1; i <= 20000; i++)
		log_answer("message %d", i);
	is_poll_wrong = true;
	/* More of them than what may be free in a pipe's last page. */
	for (int i = 1; i <= 5; i++)
		log_answer("a long message: %01000d", i);
	is_poll_wrong = false;
	ok(!(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK),
	   "%s: there is no room after all, and nobody waits for it", what);
	ok(strstr(read_all(theirs), "netrelay: message 1\n"),
	   "%s: others who hold it find it as it was", what);
	log_warn("again");
	ok(left_out(read_all(theirs)) > 5, "%s: it is said what was left out", what);
	stderr_back();
	close(theirs);
}

static void test_taken_room(void)
{
	int fds[2];

	if (pipe(fds) == 0)
		test_taken("a pipe", fds[1], fds[0]);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0)
		test_taken("a socket", fds[1], fds[0]);
}

/* Room for very few messages, so that it is full now and then. */
static void test_often_stalled(void)
{
	int fds[2], wrong = 0;
	long next = 1;

	if (pipe(fds) < 0 || fcntl(fds[0], F_SETPIPE_SZ, 8192) < 0)
		return;
	stderr_to(fds[1]);
	for (int i = 1; i <= 3000; i++) {
		log_answer("message %d", i);
		if (i % 517 == 0)
			wrong += !counts_up(read_all(fds[0]), &next);
	}
	log_warn("message 3001");
	wrong += !counts_up(read_all(fds[0]), &next);
	log_warn("message 3002");
	stderr_back();
	wrong += !counts_up(read_all(fds[0]), &next);
	close(fds[0]);
	ok(!wrong && next == 3003,
	   "stalled again and again: every message is accounted for");
}

/* A child writes to a terminal nobody reads. Return: its wait status. */
static int log_to_terminal(int master)
{
	int status = 0, slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	pid_t pid = fork();

	if (pid == 0) {
		static char many[1001];

		alarm(60);
		memset(many, 'x', sizeof(many) - 1);
		dup2(slave, STDERR_FILENO);
		log_reset();
		for (int i = 0; i < 1000; i++)
			log_answer("%.*s", 100 + i % 900, many);
		_exit(0);
	}
	close(slave);
	waitpid(pid, &status, 0);
	return status;
}

/* What a terminal made of lines: "\r\n" is at their ends. */
static bool are_all_ours(const char *s)
{
	for (const char *next; (next = strstr(s, "\r\n")); s = next + 2)
		if (strncmp(s, "netrelay: ", 10) != 0)
			return false;
	return true;
}

static void test_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) {
		ok(true, "no terminals here to try");
		return;
	}
	ok_eq_int(log_to_terminal(master), 0,
		  "a terminal that is not read holds nobody up");
	read_all(master);
	ok(strstr(text, "xxx\r\n") && are_all_ours(text),
	   "and gets lines as far as it takes them");
	close(master);
}

static void test_closed(void)
{
	int fd = stderr_to_pipe();

	close(fd);
	log_warn("nobody reads this");
	close(STDERR_FILENO);
	log_warn("nor this");
	log_warn("nor that");
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	fd = stderr_to_pipe();
	log_warn("this");
	stderr_back();
	ok_eq_str(read_all(fd), "netrelay: 3 messages left out here\nnetrelay: this\n",
		  "a stderr that is closed is survived");
	close(fd);
}

/* A stranger makes us tell of it as often as it likes. */
static void test_flood(void)
{
	int fds[2];
	const char *s;

	if (pipe(fds) < 0)
		abort();
	stderr_to(fds[1]);
	log_verbosity(1);
	for (int i = 0; i < 2500; i++)
		log_info("flood");
	s = read_all(fds[0]);
	ok(count_lines(s) >= 100 && count_lines(s) < 2000,
	   "a flood of messages is cut: %d lines", count_lines(s));
	log_warn("a warning");
	s = read_all(fds[0]);
	ok(strstr(s, "a warning"), "and leaves room for warnings");
	for (int i = 0; i < 2500; i++)
		log_warn("flood");
	s = read_all(fds[0]);
	ok(count_lines(s) >= 100 && count_lines(s) < 2000,
	   "a flood of warnings is cut: %d lines", count_lines(s));
	log_verbosity(0);
	log_answer("asked");
	s = read_all(fds[0]);
	ok(strstr(s, " messages left out here\n") && strstr(s, "netrelay: asked\n"),
	   "what was asked for is answered, with what was left out");
	for (int i = 0; i < 2500; i++)
		log_answer("%d", i);
	ok_eq_int(count_lines(read_all(fds[0])), 2500, "all of it");
	do
		log_warn("later");
	while (!strstr(read_all(fds[0]), "later"));
	ok(true, "a while after it, a warning is written again");
	stderr_back();
	close(fds[0]);
}

int main(void)
{
	alarm(ALARM_S);
	signal(SIGPIPE, SIG_IGN);
	test_lines();
	test_control_characters();
	test_long_lines();
	test_line_breaks();
	test_stalled_readers();
	test_taken_room();
	test_often_stalled();
	test_terminal();
	test_closed();
	test_journal(0, "<4>a\\x0a<0>b\n<6>c\n<6>d\n", "the journal learns priorities");
	test_journal(1, "netrelay: a\\x0a<0>b\nnetrelay: c\nnetrelay: d\n",
		     "a stderr that is not the journal's does not");
	test_flood();
	wait_after_flood();
	test_daemon();
	return done();
}
