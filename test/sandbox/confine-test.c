/* SPDX-License-Identifier: MIT */
/*
 * confine.c: what the broker and its helper do for a relay of a given command line, and
 * what they refuse, as when somebody else has taken the relay over.
 */
#include "confine.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/pass-fd.h"
#include "helper/helper.h"
#include "lib/quiet.h"
#include "lib/tap.h"
#include "lib/words.h"
#include "lib/write-text.h"

#define REFUSED "helper: the configuration does not name what it was asked for"

static struct confine confine;
static struct broker broker;
static struct conf conf;
static struct helper_answer answer;
static char why[600];
static bool needs_helper;

static int prepare(const char *const *words)
{
	if (words_read(&conf, words, why, sizeof(why)) < 0)
		abort();
	memset(&confine, 0, sizeof(confine));
	memset(&broker, 0, sizeof(broker));
	return confine_prepare(&confine, &broker, &conf, needs_helper, why, sizeof(why));
}

static void finish(void)
{
	broker_stop(&broker);
	conf_free(&conf);
}

/* Return: what a new helper of kind @kind answers. */
static int ask(unsigned kind, struct helper_request *req)
{
	struct pollfd pfd = { .events = POLLIN };
	int fds[PASS_FDS_MAX];
	bool left_out;
	pid_t pid;

	pfd.fd = broker_helper(&broker, kind, &pid);
	if (pfd.fd < 0 || write(pfd.fd, req, sizeof(*req)) != (ssize_t)sizeof(*req) ||
	    poll(&pfd, 1, 20000) != 1 ||
	    pass_receive(pfd.fd, &answer, sizeof(answer), fds, &left_out) <= 0)
		abort();
	for (unsigned i = 0; i < PASS_FDS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	close(pfd.fd);
	return answer.err;
}

/* Whether a helper refuses the request; it may fail for another reason. */
static bool is_refused(struct helper_request *req)
{
	return ask(req->op, req) == -EPERM && !strcmp(answer.why, REFUSED);
}

/* Whether the helper of kind @kind refuses @req, which is for another one. */
static bool is_misplaced(unsigned kind, struct helper_request *req)
{
	return ask(kind, req) == -EPERM &&
	       !strcmp(answer.why, "helper: it does not answer such requests");
}

static bool is_host_refused(const char *host)
{
	struct helper_request req = { .op = HELPER_RESOLVE };

	snprintf(req.resolve.addr.host, sizeof(req.resolve.addr.host), "%s", host);
	req.resolve.addr.port = 9;
	req.resolve.type = SOCK_STREAM;
	return is_refused(&req);
}

static bool is_command_refused(const char *command)
{
	struct helper_request req = { .op = HELPER_SPAWN };

	snprintf(req.command, sizeof(req.command), "%s", command);
	return is_refused(&req);
}

/* @index: of a tap that does not exist, or 0 */
static bool is_tap_refused(const char *bridge, const char *name, int index)
{
	struct helper_request req = { .op = HELPER_ATTACH, .attach.index = index };

	snprintf(req.attach.bridge, sizeof(req.attach.bridge), "%s", bridge);
	snprintf(req.attach.tap, sizeof(req.attach.tap), "%s", name);
	return is_refused(&req);
}

/* Bridges that are not there: attaching fails, but is tried. */
static void test_named(void)
{
	static const char *const words[] = { "-l",
					     "5000",
					     "-l",
					     "unix-listen:/none/l",
					     "tcp:localhost:9",
					     "bridge:none-1,tap=t1",
					     "none-2",
					     "exec:exit 0",
					     "unixgram:/a,local=/none/b",
					     "unix:/c",
					     NULL };
	struct sock_path made;

	ok_eq_int(prepare(words), 0, "a broker is started");
	ok(broker.is_on, "and there");
	ok(!is_host_refused("localhost"), "a host that is named");
	ok(is_host_refused("example.org"), "another host is refused");
	ok(is_host_refused(""), "and none");
	ok(!is_command_refused("exit 0"), "a command that is named");
	ok(is_command_refused("exit 0; true"), "another command is refused");
	ok(is_command_refused(""), "and none");
	ok(!is_tap_refused("none-1", "t1", 0), "a bridge that is named, by its tap");
	ok(!is_tap_refused("none-2", "", 0), "and by any tap");
	ok(is_tap_refused("none-2", "t1", 0), "not by another's tap");
	ok(is_tap_refused("none-3", "", 0), "another bridge is refused");
	ok(is_tap_refused("", "t1", 0), "a tap without its bridge is refused");
	ok(!is_tap_refused("none-1", "t1", 999999), "a tap that is open, to its bridge");
	ok(is_tap_refused("none-3", "t1", 999999), "not to another");
	ok(!is_tap_refused("", "", 999999), "or as it is, for its MTU");
	ok_eq_int(broker_dial(&broker, "/d"), -EPERM, "another path is refused");
	ok_eq_int(broker_dial(&broker, ""), -EPERM, "and none");
	ok(broker_dial(&broker, "/c") != -EPERM, "one that is named is dialled");
	ok_eq_int(broker_bind(&broker, "/d", SOCK_DGRAM, 0600, SOCK_OWN_GROUP, &made),
		  -EPERM, "nor is it bound");
	ok_eq_int(
		broker_bind(&broker, "/none/b", SOCK_DGRAM, 0600, SOCK_OWN_GROUP, &made),
		-ENOENT, "one of ours is");
	ok_eq_int(
		broker_bind(&broker, "/none/l", SOCK_STREAM, 0600, SOCK_OWN_GROUP, &made),
		-ENOENT, "and a listener's");
	finish();
}

/* What is named is done by the helper for it, and by no other. */
static void test_misplaced(void)
{
	static const char *const words[] = { "-l",     "5000",	  "exec:exit 0",
					     "none-1", "unix:/c", NULL };
	struct helper_request spawn = { .op = HELPER_SPAWN, .command = "exit 0" };
	struct helper_request attach = { .op = HELPER_ATTACH, .attach.bridge = "none-1" };
	pid_t pid;

	ok_eq_int(prepare(words), 0, "a command and a bridge");
	ok(is_misplaced(HELPER_RESOLVE, &spawn), "names: no command");
	ok(is_misplaced(HELPER_ATTACH, &spawn), "taps: no command");
	ok(!is_refused(&spawn), "commands: this one");
	ok(is_misplaced(HELPER_RESOLVE, &attach), "names: no tap");
	ok(is_misplaced(HELPER_SPAWN, &attach), "commands: no tap");
	ok(!is_refused(&attach), "taps: this one");
	ok(is_host_refused("localhost"), "names: none");
	ok_eq_int(broker_helper(&broker, HELPER_OPS, &pid), -EINVAL, "no other kind");
	finish();
}

/* The broker removes the file of the process, also if it has nothing else to do. */
static void test_pidfile(void)
{
	char file[] = "/tmp/confine-test.XXXXXX";
	char *argv[] = { "netrelay", "-l", "5000", "--pidfile", file, NULL };
	struct pidfile f;
	int fd = mkstemp(file);

	close(fd);
	if (conf_read(&conf, 5, argv, why, sizeof(why)) < 0 ||
	    pidfile_open(&f, conf.pidfile, why, sizeof(why)) < 0)
		abort();
	memset(&confine, 0, sizeof(confine));
	confine.pidfile = &f;
	ok_eq_int(confine_prepare(&confine, &broker, &conf, false, why, sizeof(why)), 0,
		  "a broker is started");
	ok(broker.is_on && access(file, F_OK) == 0, "for the file of the process");
	pidfile_close(&f);
	finish();
	ok(access(file, F_OK) < 0, "which is gone when the broker has ended");
}

static void test_ctl(void)
{
	static const char *const words[] = { "--ctl", "/run/none/s", "-l", "5000", NULL };

	ok_eq_int(prepare(words), 0, "with ctl");
	ok(!is_command_refused("exit 0"), "any command may come");
	ok(!is_tap_refused("none-3", "", 0), "any bridge");
	ok(broker_dial(&broker, "/d") != -EPERM, "and any path");
	finish();
}

/* What the file names is allowed, also what it names only now; the relay has no say. */
static void test_file(void)
{
	static char path[] = "/tmp/confine-test.XXXXXX";
	static const char *const words[] = { "-f", path, "exec:exit 0", NULL };
	struct buf text = { 0 };
	int fd = mkstemp(path);

	if (fd < 0 || close(fd) < 0)
		abort();
	write_text(path, "listen unix-listen:/none/l\njoin none-1\n");
	ok(prepare(words) == 0 && confine.rules.config == conf.file, "with a file");
	ok(!is_tap_refused("none-1", "", 0), "what it names");
	ok(!is_command_refused("exit 0"), "and the command line");
	ok(is_command_refused("exit 1"), "no other command");
	ok_eq_int(broker_dial(&broker, "/c"), -EPERM, "no other path");
	write_text(path, "listen 5000\njoin exec:exit 1\njoin unix:/c\nctl /d\n");
	ok(!is_command_refused("exit 1"), "a command that it names now");
	ok(!is_tap_refused("none-1", "", 0), "what it named at the start");
	ok(broker_dial(&broker, "/c") != -EPERM, "a path");
	ok(is_command_refused("exit 2"), "no other, though it names a control socket");
	ok_eq_int(broker_config(&broker, "/nowhere", &text), 0, "its text");
	ok(text.len && strstr(text.data, path), "is of that file");
	write_text(path, "listen 5000\njoin exec:exit 3\njion unix:/e\n");
	ok(is_command_refused("exit 3"), "a wrong file names nothing more");
	ok_eq_int(broker_dial(&broker, "/e"), -EPERM, "no path");
	ok(broker_dial(&broker, "/c") != -EPERM, "nor less");
	unlink(path);
	ok(is_command_refused("exit 3"), "nor one that is not there");
	write_text(path, "listen 5000\njoin exec:exit 4\n");
	ok(!is_command_refused("exit 4"), "a right one again");
	unlink(path);
	ok(!is_command_refused("exit 1"), "what it has named is known");
	buf_free(&text);
	finish();
	conf_free(&confine.now);
}

static void test_without(void)
{
	static const char *const plain[] = { "-l", "5000", "tcp:127.0.0.1:9", NULL };
	static const char *const listener[] = { "-l", "unix-listen:/none/a", NULL };
	static const char *const off[] = { "--no-sandbox", "-l", "unix-listen:/a", NULL };
	static const char *const nobody[] = { "--user", "no-such-user", "-l", "5000",
					      NULL };
	static const char *const other[] = { "--user", "root", "unix:/c",
					     "-l",     "5000", NULL };

	ok(prepare(plain) == 0 && !broker.is_on, "nothing for a broker to do");
	finish();
	ok(prepare(listener) == 0 && broker.is_on, "a path of a listener is");
	finish();
	needs_helper = true;
	ok(prepare(plain) == 0 && broker.is_on, "and a helper to start");
	needs_helper = false;
	finish();
	ok(prepare(off) == 0 && !broker.is_on, "none with --no-sandbox");
	ok_eq_int(confine_enter(&confine, 0, why, sizeof(why)), 0, "which is told");
	finish();
	ok_eq_int(prepare(nobody), -ENOENT, "a user that is not there");
	ok_eq_str(why, "--user no-such-user: there is no such user in /etc/passwd",
		  "is told");
	finish();
	if (geteuid() != 0)
		return;
	ok_eq_int(prepare(other), 0, "another user");
	ok_eq_int(broker_dial(&broker, "/c"), -EACCES, "for whom nothing is dialled");
	finish();
}

int main(void)
{
	quiet();
	test_named();
	test_misplaced();
	test_pidfile();
	test_ctl();
	test_file();
	test_without();
	return done();
}
