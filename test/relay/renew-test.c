/* SPDX-License-Identifier: MIT */
/*
 * renew.c: what goes on, what is ended and what is added when a relay gets another
 * configuration.
 */
#include "relay/renew.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/quiet.h"
#include "lib/tap.h"
#include "lib/turn.h"

#define WORDS_MAX 16

static struct loop loop;
static struct relay relay;
static struct renewal done_;
static char dir[] = "/tmp/renew-test.XXXXXX", told[2048];

static void tell(void *arg, const char *why)
{
	(void)arg;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s\n", why);
}

/* Words between blanks; the rest is as conf_read() has it. */
static void read_conf(struct conf *conf, const char *line)
{
	static char copy[1024];
	char *argv[WORDS_MAX + 2] = { (char *)"netrelay" }, why[1200];
	int n = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word && n <= WORDS_MAX;
	     word = strtok(NULL, " "))
		argv[n++] = word;
	if (conf_read(conf, n, argv, why, sizeof(why)) < 0) {
		printf("# %s\n", why);
		abort();
	}
}

static void begin(enum relay_kind kind, const char *line)
{
	static const struct switching_limits limits = { 100, 1000 };
	char why[1200];
	struct conf conf;

	if (loop_init(&loop) < 0 || relay_init(&relay, &loop, NULL, kind, &limits) < 0)
		abort();
	read_conf(&conf, line);
	for (size_t i = 0; i < conf_count(&conf); i++)
		if (relay_add(&relay, conf_nth(&conf, i), why, sizeof(why)) < 0)
			printf("# %s\n", why);
	conf_free(&conf);
	relay_set_running(&relay);
}

static void end(void)
{
	relay_free(&relay);
	loop_free(&loop);
}

/* What there is: "-l TEXT" of listeners, and numbers and names of ports. */
static const char *state(void)
{
	static char text[2048];
	size_t len = 0;

	turn(&loop);
	text[0] = '\0';
	for (const struct acceptor *a = relay.acceptors; a; a = a->next)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "-l %s ",
					a->ep->text);
	for (const struct member *m = relay.forward.members.first; m; m = m->next)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%u=%s%s ", m->id,
					m->port->name,
					m->rules.is_isolated ? "(isolated)" : "");
	return text;
}

static int renew(const char *line)
{
	struct conf conf;
	int ret;

	read_conf(&conf, line);
	told[0] = '\0';
	ret = relay_renew(&relay, &conf, &done_, tell, NULL);
	conf_free(&conf);
	return ret;
}

/* @n: what the numbers are, as "added ended changed same failed" */
static void check(const char *line, const char *n, const char *want)
{
	char got[64];

	ok_eq_int(renew(line), 0, "to %s", line);
	snprintf(got, sizeof(got), "%u %u %u %u %u", done_.added, done_.ended,
		 done_.changed, done_.same, done_.failed);
	ok_eq_str(got, n, "the numbers");
	ok_eq_str(state(), want, "what there is then");
}

static void add(const char *text)
{
	char why[1200];
	struct endpoint ep;

	if (endpoint_parse(&ep, text, why, sizeof(why)) < 0 ||
	    relay_add(&relay, &ep, why, sizeof(why)) < 0)
		abort();
}

static void test_switch(void)
{
	begin(RELAY_SWITCH, "-l unix-listen:l unix:a unix:b unix:b");
	check("-l unix-listen:l unix:a unix:b unix:b", "0 0 0 4 0",
	      "-l unix-listen:l 1=unix:a 2=unix:b 3=unix:b ");
	check("-l unix-listen:l unix:b unix:a,isolated", "0 1 1 2 0",
	      "-l unix-listen:l 1=unix:a,isolated(isolated) 2=unix:b ");
	check("-l unix-listen:m unix:a unix:c", "2 2 1 0 0",
	      "-l unix-listen:m 1=unix:a 4=unix:c ");
	ok(access("l", F_OK) < 0 && access("m", F_OK) == 0, "paths come and go");
	check("-l unix-listen:m,mode=0660 unix:a unix:c", "1 1 0 2 0",
	      "-l unix-listen:m,mode=0660 1=unix:a 4=unix:c ");
	ok(access("m", F_OK) == 0, "the same path is free when it is made anew");
	/* The descriptor of a port that has ended can't be had again. */
	check("-l unix-listen:m,mode=0660 unix:a fd:9 -", "0 1 0 2 0",
	      "-l unix-listen:m,mode=0660 1=unix:a ");
	end();
}

static void test_ctl(void)
{
	begin(RELAY_SWITCH, "-l unix-listen:l unix:a unix:b");
	add("unix:c");
	add("unix:d");
	add("unix-listen:m");
	relay_del(relay_find(&relay, 1));
	check("-l unix-listen:l unix:a unix:d", "1 1 0 2 0",
	      "-l unix-listen:m -l unix-listen:l 3=unix:c 4=unix:d 5=unix:a ");
	check("-l unix-listen:l unix:a", "0 1 0 2 0",
	      "-l unix-listen:m -l unix-listen:l 3=unix:c 5=unix:a ");
	/* Of two that are the same it keeps its own. */
	add("unix:a");
	check("-l unix-listen:l", "0 1 0 1 0",
	      "-l unix-listen:m -l unix-listen:l 3=unix:c 6=unix:a ");
	end();
}

static void test_cable(void)
{
	begin(RELAY_CABLE, "unix:a unix:b");
	relay_del(relay_find(&relay, 2));
	add("unix:c");
	check("unix:a unix:b", "1 1 0 1 0", "1=unix:a 4=unix:b ");
	check("unix-listen:l unix:b", "1 1 0 1 0", "-l unix-listen:l 4=unix:b ");
	ok_eq_int(relay_count_ends(&relay), 2, "two ends");
	end();
}

/* Names come, go and change places; those of a listener's connections do not. */
static void test_names(void)
{
	begin(RELAY_SWITCH, "-l unix-listen:l,name=n unix:a,name=x unix:b,name=y unix:c");
	check("-l unix-listen:l,name=n unix:a,name=y unix:b,name=x unix:c,name=z",
	      "0 0 3 1 0", "-l unix-listen:l 1=y (unix:a) 2=x (unix:b) 3=z (unix:c) ");
	ok(relay_find_name(&relay, "x") == relay_find(&relay, 2),
	   "found by its new name");
	check("-l unix-listen:l,name=n unix:a unix:a,name=y unix:c,name=x", "1 1 1 2 0",
	      "-l unix-listen:l 1=y (unix:a) 3=x (unix:c) 4=unix:a ");
	check("-l unix-listen:l,name=m unix:a,name=y", "1 3 0 1 0",
	      "-l unix-listen:l 1=y (unix:a) ");
	ok_eq_str(relay.acceptors->ep->port_name, "m", "another listener");
	add("unix:d,name=v");
	check("-l unix-listen:l,name=m unix:a,name=v unix:e,name=v-2", "1 0 1 1 1",
	      "-l unix-listen:l 1=unix:a 5=v (unix:d) 6=v-2 (unix:e) ");
	ok(strstr(told, "v (unix:a): port 5 is called v; choose another name"),
	   "a name that a control command has given is told");
	end();
}

static void test_failures(void)
{
	begin(RELAY_SWITCH, "-l unix-listen:l unix:a");
	check("-l unix-listen:l -l unix-listen:none/x unix:b", "1 1 0 1 1",
	      "-l unix-listen:l 2=unix:b ");
	ok(strstr(told, "unix-listen:none/x: listen: No such file"), "it is told");
	check("-l unix-listen:l,allow=uid:no-such-user unix:b", "0 0 0 1 1",
	      "-l unix-listen:l 2=unix:b ");
	ok_eq_str(told,
		  "unix-listen:l,allow=uid:no-such-user: allow=no-such-user: there is no "
		  "such user in /etc/passwd\n",
		  "a user that is not there is told");
	ok_eq_int(relay.acceptors->ep->access.n, 0, "and nothing else is allowed");
	check("-l unix-listen:l,allow=uid:root,isolated unix:b", "0 0 1 1 0",
	      "-l unix-listen:l,allow=uid:root,isolated 2=unix:b ");
	ok_eq_int(relay.acceptors->ep->access.n, 1, "one that is there is allowed");
	end();
}

int main(void)
{
	quiet();
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 1;
	test_switch();
	test_ctl();
	test_cable();
	test_names();
	test_failures();
	ok_eq_int(rmdir(dir), 0, "nothing is left behind");
	return done();
}
