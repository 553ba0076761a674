/* SPDX-License-Identifier: MIT */
/* The table of drivers: what it says of each form that an endpoint may have. */
#include "port/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/tap.h"

/*
 * @flags: 'l' it listens, 'h' its port asks the helper, 'i' it is made of inherited
 *         descriptors, 'c' it may close a loop
 */
static const struct {
	const char *text, *flags;
} kinds[] = {
	{ "-", "i" },
	{ "192.0.2.1:5000", "" },
	{ "5000:192.0.2.1:", "" },
	{ "br0", "hc" },
	{ "tcp:192.0.2.1:5000", "" },
	{ "tcp:host:5000", "h" },
	{ "tcp-listen:5000", "l" },
	{ "unix:/tmp/x", "" },
	{ "unix-listen:/tmp/x", "l" },
	{ "udp:192.0.2.1:5000", "" },
	{ "udp:host:5000", "h" },
	{ "unixgram:/tmp/x,local=/tmp/y", "" },
	{ "mcast:230.0.0.1:5000", "" },
	{ "bridge:br0", "hc" },
	{ "tap:tap0", "h" },
	{ "fd:3", "i" },
	{ "exec:true", "h" },
	{ "trunk:192.0.2.1:5000", "" },
	{ "trunk:host:5000", "h" },
	{ "trunk:host:5000,udp", "h" },
	{ "vhost-user:/tmp/x", "" },
	{ "vhost-user-listen:/tmp/x", "l" },
};

static struct endpoint parse(const char *text)
{
	struct endpoint ep;
	char why[256];

	if (endpoint_parse(&ep, text, why, sizeof(why)) < 0 &&
	    endpoint_parse_listen(&ep, text, why, sizeof(why)) < 0) {
		printf("Bail out! %s\n", why);
		exit(1);
	}
	return ep;
}

static void test_table(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct endpoint ep = parse(kinds[i].text);
		const struct driver *d = driver_of(&ep);
		char flags[8] = "";

		strcat(flags, d->accept ? "l" : "");
		strcat(flags, driver_asks(&ep, NULL) ? "h" : "");
		strcat(flags, d->check_inherited ? "i" : "");
		strcat(flags, d->may_close_loop ? "c" : "");
		ok_eq_str(flags, kinds[i].flags, "%s: what its driver says",
			  kinds[i].text);
		ok(!d->dial != !d->accept, "%s: it is dialled, or accepted",
		   kinds[i].text);
	}
}

static void test_errors(void)
{
	struct endpoint tcp = parse("tcp:192.0.2.1:5000"), fd = parse("fd:3");

	ok_eq_str(driver_why(&tcp, ENOMEM), strerror(ENOMEM), "an error, as it is");
	ok_eq_str(driver_why(&fd, ENOTCONN), "is a socket that is not connected",
		  "and as its driver has it");
}

static void test_inherited(void)
{
	struct endpoint ep = parse("fd:3");
	char why[256] = "";

	close(3);
	ok_eq_int(driver_of(&ep)->check_inherited(&ep, why, sizeof(why)), -EBADF,
		  "a descriptor that nobody passed");
	ok_eq_str(why, "fd:3: is not open; whoever starts netrelay must pass it",
		  "is told of");
	dup2(STDERR_FILENO, 3);
	ok_eq_int(driver_of(&ep)->check_inherited(&ep, why, sizeof(why)), 0,
		  "one that is there");
	close(3);
	ep = parse("-");
	close(STDIN_FILENO);
	ok_eq_int(driver_of(&ep)->check_inherited(&ep, why, sizeof(why)), -EBADF,
		  "- without stdin");
	ok(open("/dev/null", O_RDONLY) == STDIN_FILENO &&
		   driver_of(&ep)->check_inherited(&ep, why, sizeof(why)) != -EBADF,
	   "- with it; stdout may be a terminal here");
}

/* What is no unix stream can't have a front end of vhost-user. */
static void test_inherited_vhost(void)
{
	char text[32];
	int ends[2];
	struct port_env env = { 0 };

	for (int i = 0; i < 2; i++) {
		struct endpoint ep;
		struct port *p;
		int flags;

		if (socketpair(AF_UNIX, i ? SOCK_SEQPACKET : SOCK_STREAM, 0, ends) < 0)
			exit(1);
		flags = fcntl(ends[0], F_GETFL);
		snprintf(text, sizeof(text), "fd:%d,vhost-user", ends[0]);
		ep = parse(text);
		p = driver_of(&ep)->dial(&ep, &env);
		ok(i ? !p && errno == EAFNOSUPPORT : p && !strcmp(p->ops->kind, "fd"),
		   "fd:,vhost-user of a socket of %s", i ? "packets" : "streams");
		ok(i == 0 || fcntl(ends[0], F_GETFL) == flags, "its flags are as before");
		if (p)
			port_free(p);
		else
			close(ends[0]);
		close(ends[1]);
	}
	ok_eq_str(driver_why(&(struct endpoint){ .kind = ENDPOINT_FD }, EAFNOSUPPORT),
		  "is no unix stream socket, by which vhost-user goes", "and why");
}

int main(void)
{
	test_table();
	test_errors();
	test_inherited();
	test_inherited_vhost();
	return done();
}
