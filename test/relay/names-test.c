/* SPDX-License-Identifier: MIT */
/*
 * names.c: which names a listener's connections get, by chance against an array, and over
 * real sockets; and which names are refused.
 */
#include "relay/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/quiet.h"
#include "lib/random.h"
#include "lib/tap.h"
#include "lib/turn.h"
#include "net/sock.h"
#include "relay/relay.h"

#define NUMBERS 300 /* some words of bits */
#define CHURN 20000
#define WHY_MAX 256

/* ---- numbers ---- */

static unsigned first_free(const bool *used)
{
	unsigned i = 1;

	while (used[i])
		i++;
	return i;
}

static void test_first(void)
{
	char name[ENDPOINT_NUMBERED_MAX], want[ENDPOINT_NUMBERED_MAX];
	static bool used[NUMBERS + 2];
	struct names *all = NULL, *n = names_get(&all, "web");
	bool is_good = true;
	unsigned taken = 0;

	ok_eq_int(names_take(n, name, sizeof(name)), 1, "the first one");
	ok_eq_str(name, "web", "has no number in its name");
	ok_eq_int(names_take(n, name, sizeof(name)), 2, "the second one");
	ok_eq_str(name, "web-2", "has");
	names_release(n, 1);
	ok_eq_int(names_take(n, name, sizeof(name)), 1, "what is given back is taken");
	ok_eq_str(name, "web", "again");
	names_release(n, 1);
	names_release(n, 2);
	random_begin(1);
	for (unsigned i = 0; i < CHURN && is_good; i++) {
		unsigned k = 1 + rnd(NUMBERS);

		if (used[k]) {
			names_release(n, k);
			used[k] = false;
			taken--;
			continue;
		}
		if (taken == NUMBERS)
			continue;
		k = first_free(used);
		snprintf(want, sizeof(want), k > 1 ? "web-%u" : "web", k);
		is_good = names_take(n, name, sizeof(name)) == k && !strcmp(name, want);
		used[k] = true;
		taken++;
	}
	ok(is_good && taken > 64, "always the first one that is free, of %u that are not",
	   taken);
	names_put(&all, n);
	ok(!all, "and all are given back");
}

static void test_shared(void)
{
	struct names *all = NULL, *a = names_get(&all, "a"), *b = names_get(&all, "b");
	char name[8];

	ok(a != b && names_get(&all, "a") == a, "names of one stem are the same");
	ok(names_take(a, name, sizeof(name)) == 1 &&
		   names_take(b, name, sizeof(name)) == 1,
	   "those of two are not");
	names_put(&all, a);
	ok(names_get(&all, "a") == a, "they stay as long as they have a user");
	names_put(&all, a);
	names_put(&all, a);
	names_put(&all, NULL);
	ok(all == b, "and no longer");
	names_put(&all, b);
	ok(!all, "none is left");
}

/* ---- a relay ---- */

static struct loop loop;
static struct relay relay;
static char dir[] = "/tmp/names-test.XXXXXX";

static void begin(void)
{
	if (loop_init(&loop) < 0 || relay_init(&relay, &loop, NULL, RELAY_HUB, NULL) < 0)
		exit(1);
	relay_set_running(&relay);
}

static void end(void)
{
	relay_free(&relay);
	ok(!relay.names, "all names are freed");
	loop_free(&loop);
}

/* Add an endpoint. Return: as relay_add(). */
static int add(const char *text, char *why)
{
	struct endpoint ep;

	why[0] = '\0';
	if (endpoint_parse(&ep, text, why, WHY_MAX) < 0)
		return -EINVAL;
	return relay_add(&relay, &ep, why, WHY_MAX);
}

static void added(const char *text)
{
	char why[WHY_MAX];

	ok_eq_int(add(text, why), 0, "%s is added", text);
	if (*why)
		printf("# %s\n", why);
}

static void refused(const char *text, const char *part)
{
	unsigned last = relay.forward.members.last_id;
	char why[WHY_MAX];

	ok(add(text, why) == -EEXIST && relay.forward.members.last_id == last,
	   "%s is refused", text);
	if (!ok(strstr(why, part), "because: %s", part))
		printf("# %s\n", why);
}

static int dial(void)
{
	struct sock_addr addr;
	bool in_progress;
	int fd;

	sock_unix("s", &addr);
	fd = sock_connect(&addr, SOCK_STREAM, 0, &in_progress);
	turn_for(&loop, 5);
	return fd;
}

static void hang_up(int fd)
{
	close(fd);
	turn_for(&loop, 5);
}

static void has_names(const char *want)
{
	char got[256] = "";

	for (const struct member *m = relay.forward.members.first; m; m = m->next) {
		size_t len = strlen(got);

		snprintf(got + len, sizeof(got) - len, "%s%s", len ? " " : "",
			 member_name(m));
	}
	ok_eq_str(got, want, "the names are: %s", want);
}

static void test_connections(void)
{
	const struct port *p;
	int fd[4];

	begin();
	added("unix-listen:s,name=web");
	for (int i = 0; i < 3; i++)
		fd[i] = dial();
	has_names("web web-2 web-3");
	p = relay.forward.members.first->port;
	ok(!strncmp(p->name, "web (unix:", 10), "messages say who it is: %s", p->name);
	ok(relay_find_name(&relay, "web-2") == relay_find(&relay, 2) &&
		   !relay_find_name(&relay, "web-4") && !relay_find_name(&relay, ""),
	   "each is found by its name");
	hang_up(fd[1]);
	fd[1] = dial();
	has_names("web web-3 web-2");
	hang_up(fd[0]);
	hang_up(fd[2]);
	fd[0] = dial();
	fd[2] = dial();
	has_names("web-2 web web-3");
	/* As soon as a port has ended, though it is freed at the end of the turn. */
	relay_del(relay_find_name(&relay, "web"));
	ok(!relay_find_name(&relay, "web"), "one that has ended is not found");
	fd[3] = dial();
	has_names("web-2 web-3 web");
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	end();
}

/* A listener that is replaced leaves its connections, which keep their names. */
static void test_again(void)
{
	int fd[3];

	begin();
	added("unix-listen:s,name=web");
	fd[0] = dial();
	fd[1] = dial();
	acceptor_del(relay.acceptors);
	turn_for(&loop, 5);
	refused("unix:none,name=web-2", "port 2 is called web-2");
	refused("unix-listen:t,name=web-2", "port 2 is called web-2");
	added("unix-listen:s,name=web,max=9");
	fd[2] = dial();
	has_names("web web-2 web-3");
	hang_up(fd[0]);
	fd[0] = dial();
	has_names("web-2 web-3 web");
	acceptor_del(relay.acceptors);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	turn_for(&loop, 5);
	ok(!relay.forward.members.n && !relay.names, "with the last one the names go");
	added("unix:none,name=web-2");
	end();
}

static void test_refused(void)
{
	char why[WHY_MAX];

	begin();
	added("unix:none,name=a");
	refused("unix:other,name=a", "a (unix:other): ");
	refused("unix:other,name=a", "port 1 is called a; choose another");
	refused("unix-listen:s,name=a", "port 1 is called a");
	added("unix:none,name=b-2");
	refused("unix-listen:s,name=b", "port 2 is called b-2");
	added("unix-listen:s,name=c");
	refused("unix-listen:t,name=c", "another endpoint has this name");
	refused("unix-listen:t,name=c-3", "such names");
	refused("unix:none,name=c-3", "such names");
	added("unix:none,name=c-1");
	added("unix:none");
	added("unix:none");
	relay_del(relay_find_name(&relay, "a"));
	added("unix:none,name=a");
	ok(add("unix:none,name=1", why) == -EINVAL, "a number is no name");
	end();
}

int main(void)
{
	quiet();
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 1;
	test_first();
	test_shared();
	test_connections();
	test_again();
	test_refused();
	ok(rmdir(dir) == 0, "no path is left");
	return done();
}
