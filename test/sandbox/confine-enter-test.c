/* SPDX-License-Identifier: MIT */
/*
 * confine.c: what the relay is told to give up, and what people are told of that. The
 * sandbox itself, the rights that there are, and the users of the host are the test's own.
 */
#include "confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "lib/tap.h"
#include "lib/words.h"
#include "sandbox/caps.h"
#include "sandbox/user.h"

#define WRITER 77

/*
 * @lacks:   a capability that there is not; -1 for none
 * @found:   what looking for the user returns
 * @entered: what the sandbox returns, with @has, and @got is what it was told
 */
static struct {
	int lacks, found, entered;
	struct sandbox_has has;
	struct sandbox got;
} host;

static struct confine confine;
static struct conf conf;
static char why[600];
static int out; /* what is logged */

bool caps_has(int cap)
{
	return cap != host.lacks;
}

int user_find(const char *name, struct user *user)
{
	user->uid = strcmp(name, "tom") ? 1 : 1000;
	return host.found;
}

int sandbox_enter(const struct sandbox *s, struct sandbox_has *has)
{
	host.got = *s;
	s->look(s->arg);
	*has = host.has;
	return host.entered;
}

/* Which paths can be written to is in their names. */
int access(const char *path, int mode)
{
	if (mode != W_OK || !strncmp(path, "/open/", 6))
		return 0;
	errno = strncmp(path, "/denied/", 8) ? ENOENT : EACCES;
	return -1;
}

static void read_words(const char *const *words)
{
	if (words_read(&conf, words, why, sizeof(why)) < 0)
		abort();
	memset(&confine, 0, sizeof(confine));
	memset(&host.got, 0, sizeof(host.got));
	confine.conf = &conf;
	why[0] = '\0';
}

static int enter(const char *const *words)
{
	conf_free(&conf);
	read_words(words);
	if (ftruncate(out, 0) < 0 || lseek(out, 0, SEEK_SET) < 0)
		abort();
	return confine_enter(&confine, WRITER, why, sizeof(why));
}

static const char *said(void)
{
	static char text[2000];
	ssize_t n = pread(out, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

/* ---- whom to become ---- */

static int prepare(const char *user, int found, int lacks)
{
	const char *const words[] = { "--user", user, "-l", "5000", NULL };
	struct broker broker;

	conf_free(&conf);
	read_words(words);
	host.found = found;
	host.lacks = lacks;
	return confine_prepare(&confine, &broker, &conf, false, why, sizeof(why));
}

static void test_user(void)
{
	ok(prepare("tom", 0, -1) == 0 && confine.user.uid == 1000, "a user is found");
	ok_eq_int(prepare("tom", -ENOENT, -1), -ENOENT, "or not");
	ok_eq_str(why, "--user tom: there is no such user in /etc/passwd", "said so");
	ok_eq_int(prepare("tom", -EMFILE, -1), -EMFILE, "or can't be looked for");
	ok_eq_str(why, "--user tom: Too many open files", "said so");
	ok_eq_int(prepare("tom", 0, CAP_SETUID), -EPERM, "no right to change the user");
	ok_eq_str(why, "--user tom: only root can become another user", "said so");
	ok_eq_int(prepare("tom", 0, CAP_SETGID), -EPERM, "nor its groups");
	ok_eq_str(why, "--user tom: only root can become another user", "said so");
}

/* ---- entering ---- */

static const char *const as_root[] = {
	"-l",
	"5000",
	"unix:/denied/a",
	"unixgram:/denied/b,local=/denied/c",
	"unixgram:/open/d,local=/e",
	"unixgram:/missing/f,local=/g",
	"tcp:127.0.0.1:9",
	NULL,
};
static const char *const as_tom[] = {
	"--user",
	"tom",
	"-l",
	"5000",
	"unix:/denied/a",
	"unixgram:/denied/b,local=/c",
	"unix:/open/d",
	NULL,
};
static const char *const plain[] = { "-l", "5000", "tcp:127.0.0.1:9", NULL };
static const char *const off[] = { "--no-sandbox", "-l", "5000", NULL };

static void test_reach(void)
{
	ok_eq_int(enter(as_root), 0, "as root");
	ok_eq_str(said(),
		  "netrelay: user root without capabilities may not write to: "
		  "unixgram:/denied/b,local=/denied/c\n",
		  "the broker dials streams, nobody else's sockets for datagrams");
	ok(host.got.role == SANDBOX_RELAY && !host.got.user &&
		   host.got.kills[0] == WRITER && !host.got.kills[1],
	   "the relay stays who it is, and may end the capture's writer");
	ok_eq_int(enter(as_tom), 0, "as another user");
	ok_eq_str(said(),
		  "netrelay: user tom may not write to: unix:/denied/a, "
		  "unixgram:/denied/b,local=/c\n",
		  "for whom nothing is dialled");
	ok(host.got.user == &confine.user, "the relay becomes it");
	ok(enter(plain) == 0 && !*said(), "nothing that is out of reach");
}

static void test_result(void)
{
	log_verbosity(1);
	host.has = (struct sandbox_has){ .landlock = 3, .seccomp = true };
	ok_eq_int(enter(plain), 0, "confined");
	ok_eq_str(said(),
		  "netrelay: confined: no capabilities, Landlock 3, few system calls\n",
		  "how far is told");
	host.has = (struct sandbox_has){ 0 };
	ok_eq_int(enter(plain), 0, "on an old kernel");
	ok_eq_str(said(),
		  "netrelay: confined: no capabilities, Landlock 0, all system calls\n",
		  "how far is told");
	host.entered = -EPERM;
	ok_eq_int(enter(plain), -EPERM, "not confined");
	ok_eq_str(why, "can't give up rights: Operation not permitted", "said so");
	ok_eq_str(said(), "", "and nothing else is");
	host.entered = 0;
	ok(enter(off) == 0 && !host.got.look, "--no-sandbox: nothing is given up");
	ok_eq_str(said(),
		  "netrelay: --no-sandbox: the relay keeps all its rights; this is for "
		  "tracing only\n",
		  "said so");
}

int main(void)
{
	int saved = dup(STDERR_FILENO);

	out = memfd_create("log", MFD_CLOEXEC);
	if (saved < 0 || out < 0)
		abort();
	test_user();
	dup2(out, STDERR_FILENO);
	log_reset();
	test_reach();
	test_result();
	conf_free(&conf);
	/* A sanitizer may have something to say at the end. */
	dup2(saved, STDERR_FILENO);
	return done();
}
