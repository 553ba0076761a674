/* SPDX-License-Identifier: MIT */
/* port-tell.c: what is said of a link under -v and without, and that a port falls silent. */
#include "port/port-tell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "lib/tap.h"

static int messages; /* what the log has written */

/* What was said since the last call, without the program's and the port's names. */
static const char *said(void)
{
	static char text[2000], plain[2000];
	char *to = plain;
	ssize_t n = read(messages, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	*to = '\0';
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		to += sprintf(to, "%s|", line + strlen("netrelay: far: "));
	return plain;
}

static void begin(struct port *p, int verbosity)
{
	*p = (struct port){ .state = PORT_OPENING };
	snprintf(p->name, sizeof(p->name), "far");
	log_verbosity(verbosity);
}

/* One try that fails for the reason @why. */
static bool fails(struct port *p, const char *why)
{
	bool is_news;

	port_tell(p, "trying");
	port_why(p, -ECONNREFUSED, "%s", why);
	is_news = port_tell_down(p, true);
	port_tell_next(p, 50, is_news, false);
	return is_news;
}

static void test_story(void)
{
	struct port p;

	begin(&p, 1);
	ok(fails(&p, "refused"), "the first reason is news");
	ok_eq_str(said(), "trying|refused; trying again|next try in 0.1 s|",
		  "the first try, step by step");
	ok(!fails(&p, "refused"), "the same one is not");
	ok(!fails(&p, "refused"), "nor later");
	ok_eq_str(said(), "", "of which nothing is said");
	ok(fails(&p, "no route"), "another reason is news");
	ok_eq_str(said(), "no route; trying again|next try in 0.1 s|",
		  "the reason alone");
	port_tell_next(&p, 5000, false, true);
	ok(!strncmp(said(), "still so; tries go on", 21), "it says that it falls silent");
	port_tell_next(&p, 5000, false, false);
	ok_eq_str(said(), "", "once");
}

/* port.c forgets the reason when a link that was up for long enough is lost. */
static void test_lost(void)
{
	struct port p;

	begin(&p, 1);
	fails(&p, "refused");
	fails(&p, "refused");
	said();
	p.state = PORT_UP;
	p.told = 0;
	port_why(&p, PORT_CLOSED, "closed by the peer");
	ok(port_tell_down(&p, true), "a loss is news");
	port_tell_next(&p, 5100, true, false);
	p.state = PORT_OPENING;
	ok_eq_str(said(), "closed by the peer; trying again|next try in 5.1 s|", "told");
	fails(&p, "refused");
	ok_eq_str(said(), "trying|refused; trying again|next try in 0.1 s|",
		  "and the first try after it, step by step");
	fails(&p, "refused");
	ok_eq_str(said(), "", "and the next one is not");
}

static void test_not_verbose(void)
{
	struct port p;

	begin(&p, 0);
	fails(&p, "refused");
	fails(&p, "no route");
	port_tell_next(&p, 5000, false, true);
	ok_eq_str(said(), "refused; trying again|", "without -v, the first reason alone");
	begin(&p, 0);
	port_why(&p, PORT_CLOSED, "closed by the peer");
	port_tell_down(&p, false);
	ok_eq_str(said(), "", "an end in good order is none");
	begin(&p, 0);
	port_why(&p, -EIO, "broken");
	port_tell_down(&p, false);
	ok_eq_str(said(), "broken|", "another end is");
}

int main(void)
{
	int old = dup(STDERR_FILENO);
	int fd = memfd_create("messages", 0);
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	messages = open(path, O_RDONLY);
	dup2(fd, STDERR_FILENO);
	test_story();
	test_lost();
	test_not_verbose();
	dup2(old, STDERR_FILENO);
	return done();
}
