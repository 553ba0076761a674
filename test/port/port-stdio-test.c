/* SPDX-License-Identifier: MIT */
/*
 * port-stdio.c: when stdin has ended though nobody reads it, for all that it may be, and
 * that its flags are put back.
 */
#include <fcntl.h>

#include "lib/leap.h"
#include "lib/live.h"
#include "lib/tap.h"

#define LOOK_S 1 /* LOOK_MS of port-stdio.c */

/*
 * stdin, as it is made for a case; if it is a socket or a terminal, stdout is the same.
 * @make: sets rig.in, and rig.peer if there is one
 * @has_data: something is in it; @is_left: its peer has gone; @is_half: it sends no more
 * @ends:  whether it is found to have ended
 */
struct kind {
	const char *name;
	void (*make)(void);
	bool has_data, is_left, is_half, ends;
};

static struct {
	int in, peer;
	enum port_state state;
	char why[PORT_WHY_MAX];
} rig;

static void make_pipe(void)
{
	int fds[2];

	if (pipe(fds) < 0)
		abort();
	rig.in = fds[0];
	rig.peer = fds[1];
}

static void make_socket(void)
{
	int fds[2];

	sockets_pair(SOCK_STREAM, fds);
	fcntl(fds[0], F_SETFL, 0);
	rig.in = fds[0];
	rig.peer = fds[1];
}

static void make_file(void)
{
	char path[] = "/tmp/port-stdio-test.XXXXXX";

	rig.in = mkstemp(path);
	rig.peer = open(path, O_WRONLY);
	unlink(path);
}

static void make_null(void)
{
	rig.in = open("/dev/null", O_RDWR);
}

static void make_zero(void)
{
	rig.in = open("/dev/zero", O_RDWR);
}

static void make_terminal(void)
{
	rig.peer = posix_openpt(O_RDWR | O_NOCTTY);
	if (rig.peer < 0 || grantpt(rig.peer) < 0 || unlockpt(rig.peer) < 0)
		abort();
	rig.in = open(ptsname(rig.peer), O_RDWR | O_NOCTTY);
}

static const struct kind kinds[] = {
	{ .name = "a pipe", .make = make_pipe },
	{ .name = "a full pipe", .make = make_pipe, .has_data = true },
	{ .name = "a pipe that was left",
	  .make = make_pipe,
	  .is_left = true,
	  .ends = true },
	{ .name = "a full pipe that was left",
	  .make = make_pipe,
	  .has_data = true,
	  .is_left = true },
	{ .name = "a socket", .make = make_socket },
	{ .name = "a full socket", .make = make_socket, .has_data = true },
	{ .name = "a socket that is half closed",
	  .make = make_socket,
	  .is_half = true,
	  .ends = true },
	{ .name = "a full one", .make = make_socket, .has_data = true, .is_half = true },
	{ .name = "a full socket that was left: its other side is gone, too",
	  .make = make_socket,
	  .has_data = true,
	  .is_left = true,
	  .ends = true },
	{ .name = "a file", .make = make_file, .has_data = true, .is_left = true },
	{ .name = "an empty file", .make = make_file, .is_left = true, .ends = true },
	{ .name = "/dev/null", .make = make_null, .ends = true },
	{ .name = "/dev/zero", .make = make_zero },
	{ .name = "a terminal", .make = make_terminal },
};

/* While stdin and stdout are the case's: nothing may be printed. */
static void look(const struct kind *kind)
{
	live_open("-");
	port_hold(live.port, true);
	if (kind->has_data && write(rig.peer, "\0\0\0\074", 4) < 0)
		abort();
	if (kind->is_half)
		shutdown(rig.peer, SHUT_WR);
	if (kind->is_left)
		close(rig.peer);
	turn(&live.taker.loop);
	for (unsigned i = 0; i < 3; i++) {
		leap(&live.taker.loop, LOOK_S);
		turn(&live.taker.loop);
	}
	rig.state = live.port->state;
	snprintf(rig.why, sizeof(rig.why), "%s", live.port->why);
	live_close();
}

static void test(const struct kind *kind)
{
	bool is_one = kind->make == make_socket || kind->make == make_terminal;
	int old[] = { dup(STDIN_FILENO), dup(STDOUT_FILENO) };
	int null = open("/dev/null", O_WRONLY);

	rig.peer = -1;
	kind->make();
	dup2(rig.in, STDIN_FILENO);
	dup2(is_one ? rig.in : null, STDOUT_FILENO);
	look(kind);
	for (int fd = 0; fd < 2; fd++) {
		dup2(old[fd], fd);
		close(old[fd]);
	}
	if (!kind->is_left)
		close(rig.peer);
	ok_eq_int(rig.state, kind->ends ? PORT_ENDED : PORT_UP, "%s: has %sended",
		  kind->name, kind->ends ? "" : "not ");
	ok_eq_str(rig.why, kind->ends ? "stdin has ended" : "", "%s: is said",
		  kind->name);
	/* They are those of whoever else has it. */
	ok(!((fcntl(rig.in, F_GETFL) | fcntl(null, F_GETFL)) & O_NONBLOCK),
	   "%s: has its flags back", kind->name);
	close(rig.in);
	close(null);
}

static void test_terminal(void)
{
	int old = dup(STDIN_FILENO), ret;
	char why[256] = "";

	make_terminal();
	dup2(rig.in, STDIN_FILENO);
	live_parse("-");
	ret = driver_of(&live.ep)->check_inherited(&live.ep, why, sizeof(why));
	dup2(old, STDIN_FILENO);
	close(rig.in);
	close(rig.peer);
	close(old);
	ok_eq_int(ret, -ENOTTY, "a terminal is refused beforehand");
	ok_eq_str(why,
		  "-: stdin is a terminal, and frames are binary; redirect it, or name a "
		  "second endpoint",
		  "and why");
}

int main(void)
{
	live_prepare();
	live_begin(NULL);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		test(&kinds[i]);
	test_terminal();
	live_end();
	return done();
}
