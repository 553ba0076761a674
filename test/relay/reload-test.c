/* SPDX-License-Identifier: MIT */
/* reload.c: what a file that is read again changes, and what it must not change. */
#include "reload.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/no-memory.h"
#include "lib/quiet.h"
#include "lib/tap.h"
#include "lib/write-text.h"
#include "lib/turn.h"

static struct loop loop;
static struct relay relay;
static struct trace trace;
static struct conf conf;
static struct keys keys;
static struct reload again;
static struct buf out;
static char dir[] = "/tmp/reload-test.XXXXXX", why[1200];

static void begin(const char *text)
{
	static char words[][16] = { "netrelay", "-f", "f" };
	static char *argv[] = { words[0], words[1], words[2], NULL };
	static const struct switching_limits limits = { 100, 1000 };
	enum relay_kind kind;

	write_text("f", text);
	if (conf_read(&conf, 3, argv, why, sizeof(why)) < 0 || loop_init(&loop) < 0)
		abort();
	kind = conf.server ? RELAY_SWITCH : RELAY_CABLE;
	if (relay_init(&relay, &loop, NULL, kind, &limits) < 0)
		abort();
	for (size_t i = 0; i < conf_count(&conf); i++)
		if (relay_add(&relay, conf_nth(&conf, i), why, sizeof(why)) < 0)
			printf("# %s\n", why);
	relay_set_running(&relay);
	again = (struct reload){
		.conf = &conf, .relay = &relay, .trace = &trace, .keys = &keys
	};
	if (keys_start(&keys, &conf, why, sizeof(why)) < 0)
		abort();
}

static void end(void)
{
	trace_stop(&trace, &relay.forward);
	relay_free(&relay);
	loop_free(&loop);
	reload_free(&again);
	keys_free(&keys);
	conf_free(&conf);
}

static void check(const char *text, const char *want)
{
	int ret;

	if (text)
		write_text("f", text);
	else
		unlink("f");
	buf_free(&out);
	ret = reload_run(&again, &out, why, sizeof(why));
	turn(&loop);
	ok_eq_str(ret < 0 ? why : out.data, want, "%s", text ? text : "no file");
}

static void test_switch(void)
{
	begin("listen unix-listen:l\njoin unix:a\n");
	check("listen unix-listen:l\njoin unix:a\n",
	      "0 added, 0 ended, 0 changed, 2 as before\n");
	check("listen unix-listen:l\njoin unix:b\nstorm 7\nverbose\n",
	      "1 added, 1 ended, 0 changed, 1 as before\n");
	ok_eq_int(relay.switching.storm.limit, 7, "the limit of broadcasts changes");
	check("listen unix-listen:l\nlisten unix-listen:no/l\njoin unix:b\n",
	      "not added: unix-listen:no/l: listen: No such file or directory; make its "
	      "directory first\n0 added, 0 ended, 0 changed, 2 as before\n");
	ok_eq_int(relay.switching.storm.limit, CONF_STORM_LIMIT, "and goes back");
	check("listen unix-listen:l\njoin unix:b\nverbose\nverbose\n",
	      "0 added, 0 ended, 0 changed, 2 as before\n");
	ok(relay.forward.observers, "frames are shown");
	check("listen unix-listen:l\njoin unix:b\n",
	      "0 added, 0 ended, 0 changed, 2 as before\n");
	ok(!relay.forward.observers, "and no longer");
	check(NULL, "f: No such file or directory; nothing was changed");
	check("listen unix-listen:l\njoin unix:\n",
	      "f:2: unix:: nothing follows unix:; the form is unix:PATH; a comma within a "
	      "path is doubled; nothing was changed");
	check("join unix:a\njoin unix:b\n",
	      "f: listen can't change while the relay runs; restart netrelay for that; "
	      "nothing was changed");
	check("listen unix-listen:l\nfdb-size 5\n",
	      "f: fdb-size can't change while the relay runs; restart netrelay for that; "
	      "nothing was changed");
	check("listen unix-listen:l\njoin fd:9\n",
	      "f: fd:9 is a descriptor, and a relay that runs can't be given one; restart "
	      "netrelay for that; nothing was changed");
	ok(relay_find(&relay, 2), "nor was it");
	drain_begin(&relay.drain, &loop, &relay.forward);
	check("listen unix-listen:l\n", "the relay is about to end; nothing was changed");
	end();
}

/* What was there at the start may stay in the file, though it can't be had again. */
static void test_descriptor(void)
{
	begin("listen unix-listen:l\njoin fd:99\nuser nobody\n");
	check("listen unix-listen:l\njoin fd:99\njoin unix:a\nuser nobody\n",
	      "1 added, 0 ended, 0 changed, 1 as before\n");
	check("listen unix-listen:l\njoin fd:99\nuser root\n",
	      "f: user can't change while the relay runs; restart netrelay for that; "
	      "nothing was changed");
	check("listen unix-listen:l\nuser nobody\n",
	      "0 added, 1 ended, 0 changed, 1 as before\n");
	check("listen unix-listen:l\njoin fd:99\nuser nobody\n",
	      "f: fd:99 is a descriptor, and a relay that runs can't be given one; restart "
	      "netrelay for that; nothing was changed");
	end();
}

/* Memory ends anywhere: what could not be done whole has changed nothing. */
static void test_no_memory(void)
{
	const char *two =
		"key own\nlisten unix-listen:l,peers=p\nlisten unix-listen:m,peers=q\n";
	const char *one = "key own\nlisten unix-listen:l,peers=p\n";
	unsigned granted, n_failed = 0, n_bad = 0;
	int ret = -1;

	write_text("own", "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=\n");
	chmod("own", 0600);
	write_text("p", "");
	write_text("q", "");
	begin(two);
	write_text("f", one);
	for (granted = 0; granted < 200 && ret < 0; granted++) {
		no_memory_after = granted;
		no_memory = true;
		buf_free(&out);
		ret = reload_run(&again, &out, why, sizeof(why));
		no_memory = false;
		turn(&loop);
		n_failed += ret < 0;
		n_bad += !keys_own(&keys) || !keys_have(&keys, "p") ||
			 keys_have(&keys, "q") != (ret < 0);
	}
	ok(ret == 0 && n_failed > 5 && !n_bad,
	   "memory that ends anywhere: %u failures, %u of them changed the keys",
	   n_failed, n_bad);
	end();
	unlink("own");
	unlink("p");
	unlink("q");
}

int main(void)
{
	quiet();
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 1;
	test_switch();
	test_descriptor();
	test_no_memory();
	buf_free(&out);
	unlink("f");
	ok_eq_int(rmdir(dir), 0, "nothing is left behind");
	return done();
}
