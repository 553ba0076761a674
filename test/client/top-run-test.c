/* SPDX-License-Identifier: MIT */
/*
 * netrelay top on a terminal of its own, in a process whose clock goes fast; the test is
 * the relay, and the user.
 */
#include "client/top.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "lib/fast.h"
#include "lib/sockets.h"
#include "lib/tap.h"

#define ALARM_S 300
#define WAIT_MS 20000
#define SCREEN_MAX (1 << 20)
#define RELAY "ok\nrelay\tswitch\tv1\t1000\t2\t3\t4\t5\t6\n"
#define PORT(id, name) "port\t" id "\tup\t1\t2\t3\t4\t5\t6\t7\t8\t" name "\tpeer\n"

static char dir[] = "/tmp/top-run-test.XXXXXX", path[64];
static char screen[SCREEN_MAX]; /* what was drawn since forget() */
static size_t n_screen;
static int listener, terminal, inside, silent = -1;
static const char *says; /* what is answered; NULL: nothing */
static struct termios before, after;
static pid_t pid;

static void begin(bool has_terminal)
{
	struct winsize size = { .ws_row = 5, .ws_col = 100 };

	terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0 || grantpt(terminal) < 0 || unlockpt(terminal) < 0)
		abort();
	inside = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ioctl(inside, TIOCSWINSZ, &size);
	tcgetattr(inside, &before);
	pid = fork();
	if (pid > 0)
		return;
	close(terminal);
	close(listener);
	fast_begin();
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	if (has_terminal) {
		dup2(inside, STDIN_FILENO);
		dup2(inside, STDOUT_FILENO);
	} else {
		dup2(STDERR_FILENO, STDOUT_FILENO);
	}
	_exit(-top_run(path));
}

/* Return: its exit status, -1 if a signal has ended it. */
static int end(void)
{
	int status = 0;

	waitpid(pid, &status, 0);
	tcgetattr(inside, &after);
	close(terminal);
	close(inside);
	close(silent);
	silent = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void forget(void)
{
	n_screen = 0;
	screen[0] = '\0';
}

/* Answer who looks; the first connection only looks whether we are there. */
static void answer(void)
{
	int fd = accept(listener, NULL, NULL);
	char command[64];

	if (fd < 0)
		abort();
	if (recv(fd, command, sizeof(command), 0) <= 0) {
		close(fd);
	} else if (!says) {
		close(silent);
		silent = fd;
	} else {
		/* On a machine that is busy it may have given up; then it looks again. */
		send(fd, says, strlen(says), MSG_NOSIGNAL);
		close(fd);
	}
}

/* Take what is drawn, and answer, until @text comes to be on the screen. */
static bool shows(const char *text)
{
	struct pollfd pfd[] = { { .fd = terminal, .events = POLLIN },
				{ .fd = listener, .events = POLLIN } };

	while (!strstr(screen, text)) {
		ssize_t n = 0;

		if (poll(pfd, 2, WAIT_MS) < 1)
			return false;
		if (pfd[1].revents & POLLIN)
			answer();
		if (pfd[0].revents & (POLLIN | POLLHUP))
			n = read(terminal, screen + n_screen, SCREEN_MAX - 1 - n_screen);
		if (n < 0)
			return false;
		n_screen += (size_t)n;
		screen[n_screen] = '\0';
	}
	return true;
}

static void type(const char *keys)
{
	forget();
	if (write(terminal, keys, strlen(keys)) < 0)
		abort();
}

static void test_looks(void)
{
	static const char *const answers[][2] = {
		{ RELAY PORT("1", "first-port"), "first-port" },
		{ RELAY PORT("1", "other-port"), "other-port" },
		{ "error: too many\nmore", "too many" },
		{ "HTTP/1.0 400\n", "the program that answers is not a relay" },
		{ "", "the program that answers is not a relay" },
		{ "ok\nnonsense\n", "the relay's answer is not understood" },
		{ NULL, "the relay does not answer; trying again" },
	};

	begin(true);
	ok(shows("\033[?1049h"), "the other screen");
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		forget();
		says = answers[i][0];
		ok(shows(answers[i][1]), "an answer leads to: %s", answers[i][1]);
	}
	forget();
	close(listener);
	listener = -1;
	ok(shows("nobody listens there any more"), "a relay that has gone is waited for");
	listener = socket_listener(path);
	forget();
	says = RELAY PORT("7", "last-port");
	ok(shows("last-port"), "and found again");
	type("q");
	ok(shows("\033[?1049l"), "q: the screen is as it was");
	ok_eq_int(end(), 0, "that is no error");
}

static void test_keys(void)
{
	static const char *const keys[] = { "\033[B",  "\033[A",  "j", "k", " ",
					    "\033[6~", "\033[5~", "s", "x" };

	begin(true);
	says = RELAY PORT("1", "one") PORT("2", "two") PORT("3", "three")
		PORT("4", "four") PORT("5", "five");
	ok(shows("one") && !strstr(screen, "five"), "what has room is shown");
	type("jjjj");
	ok(shows("five"), "the rest, after having scrolled");
	type("kkkk");
	ok(shows("one"), "and back");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		type(keys[i]);
		ok(shows("\033[H"), "key %zu: it is drawn anew", i);
	}
	type("Q");
	ok_eq_int(end(), 0, "Q ends it");
	forget();
	begin(true);
	shows("\033[?1049h");
	tcgetattr(inside, &after);
	ok(!(after.c_lflag & (ICANON | ECHO)), "keys are read one by one");
	type("q");
	end();
	ok_eq_int(after.c_lflag, before.c_lflag, "the terminal is as it was");
}

static void test_signals(void)
{
	struct winsize size = { .ws_row = 9, .ws_col = 40 };
	int status = 0;

	forget();
	begin(true);
	says = RELAY PORT("1", "one");
	shows("one");
	forget();
	ioctl(inside, TIOCSWINSZ, &size);
	kill(pid, SIGWINCH);
	ok(shows("\033[2J"), "another size: it is drawn anew");
	forget();
	kill(pid, SIGTSTP);
	ok(shows("\033[?1049l"), "stopped: the screen is as it was");
	ok(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status), "and it stops");
	forget();
	kill(pid, SIGCONT);
	ok(shows("\033[?1049h") && shows("one"), "continued: it is back");
	forget();
	kill(pid, SIGTERM);
	ok(shows("\033[?1049l"), "ended: the screen is as it was");
	ok_eq_int(end(), 0, "that is no error");
}

static void test_refused(void)
{
	begin(false);
	ok_eq_int(end(), ENOTTY, "without a terminal");
	close(listener);
	unlink(path);
	begin(true);
	ok_eq_int(end(), ENOENT, "without a relay");
}

int main(void)
{
	alarm(ALARM_S);
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/ctl", dir);
	listener = socket_listener(path);
	test_looks();
	test_keys();
	test_signals();
	test_refused();
	rmdir(dir);
	return done();
}
