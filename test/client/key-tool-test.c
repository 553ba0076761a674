/* SPDX-License-Identifier: MIT */
/*
 * netrelay genkey and pubkey, whose stdin and stdout are files: what they print, of what
 * they complain, and how they end.
 */
#include "client/key-tool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fault.h"
#include "lib/no-random.h"
#include "lib/said.h"
#include "lib/tap.h"
#include "lib/write-text.h"
#include "seal/key.h"

#define OUT_MAX 256

/* Of RFC 7748, section 6.1. */
#define PRIVATE "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
#define PUBLIC "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="

static char dir[] = "/tmp/key-tool-test.XXXXXX";
static char out[OUT_MAX];
static mode_t mode; /* of the file that is stdout */

static void take_place(int fd, const char *path, int flags)
{
	int other = open(path, flags | O_CLOEXEC, 0600);

	if (other < 0 || dup2(other, fd) < 0)
		abort();
	close(other);
}

/* Run @tool on @in; @out is what it prints. Return: what it does. */
static int run(int (*tool)(void), const char *in, enum fault_call call, unsigned at,
	       int err)
{
	int stdin_before = dup(STDIN_FILENO), stdout_before, fd, ret;
	ssize_t n;

	fflush(stdout);
	stdout_before = dup(STDOUT_FILENO);
	write_text("in", in);
	take_place(STDIN_FILENO, "in", O_RDONLY);
	take_place(STDOUT_FILENO, "out", O_WRONLY | O_CREAT | O_TRUNC);
	fchmod(STDOUT_FILENO, mode);
	fault_arm(call, at, err);
	ret = tool();
	fault_disarm();
	dup2(stdin_before, STDIN_FILENO);
	dup2(stdout_before, STDOUT_FILENO);
	close(stdin_before);
	close(stdout_before);
	fd = open("out", O_RDONLY | O_CLOEXEC);
	n = read(fd, out, OUT_MAX - 1);
	out[n > 0 ? n : 0] = '\0';
	close(fd);
	return ret;
}

static int run_plain(int (*tool)(void), const char *in)
{
	return run(tool, in, FAULT_NONE, 0, 0);
}

static void test_genkey(void)
{
	uint8_t key[SEAL_KEY_BYTES] = { 0 };
	char first[OUT_MAX];

	mode = 0600;
	ok(run_plain(key_tool_genkey, "") == 0 && is_silent(), "a key is made");
	ok(strlen(out) == KEY_CHARS + 1 && out[KEY_CHARS] == '\n' &&
		   key_read_file(key, out, strlen(out)) == 0,
	   "and printed, and a line break");
	ok(!(key[0] & 7) && (key[31] & 0xc0) == 0x40, "it is one of X25519");
	strcpy(first, out);
	run_plain(key_tool_genkey, "");
	ok(strcmp(first, out) != 0, "the next one is another one");
	mode = 0644;
	ok(run_plain(key_tool_genkey, "") == 0 && was_said("others can read the file"),
	   "a file that others can read is told of");
	mode = 0600;
	random_error = ENOSYS;
	ok(run_plain(key_tool_genkey, "") == -ENOSYS && !out[0] &&
		   was_said("genkey: no random bytes: Function not implemented"),
	   "without random bytes there is none");
	random_error = 0;
	ok(run(key_tool_genkey, "", FAULT_write, 1, ENOSPC) == -ENOSPC &&
		   was_said("stdout: No space left on device"),
	   "it can't be written");
}

static void test_pubkey(void)
{
	static const char *const bad[] = { "",
					   "\n",
					   "no key",
					   PRIVATE "\n\n",
					   PRIVATE " ",
					   PRIVATE "\n" PRIVATE "\n",
					   "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo" };

	ok(run_plain(key_tool_pubkey, PRIVATE "\n") == 0 && !strcmp(out, PUBLIC "\n") &&
		   is_silent(),
	   "the public key of a private one");
	ok(run_plain(key_tool_pubkey, PRIVATE) == 0 && !strcmp(out, PUBLIC "\n"),
	   "without a line break, too");
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		ok(run_plain(key_tool_pubkey, bad[i]) < 0 && !out[0] &&
			   was_said("pubkey: stdin has no key: one line of 44"),
		   "what is none: %u", i);
	ok(run(key_tool_pubkey, PRIVATE, FAULT_read, 1, EINTR) == 0 &&
		   !strcmp(out, PUBLIC "\n"),
	   "a signal in between does no harm");
	ok(run(key_tool_pubkey, PRIVATE, FAULT_read, 1, EIO) == -EIO && !out[0] &&
		   was_said("stdin: Input/output error"),
	   "it can't be read");
	ok(run(key_tool_pubkey, PRIVATE, FAULT_write, 1, EPIPE) == -EPIPE &&
		   was_said("stdout: Broken pipe"),
	   "it can't be written");
}

int main(void)
{
	said_begin();
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 1;
	test_genkey();
	test_pubkey();
	unlink("in");
	unlink("out");
	ok(chdir("/") == 0 && rmdir(dir) == 0, "nothing is left behind");
	return done();
}
