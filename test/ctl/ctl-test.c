/* SPDX-License-Identifier: MIT */
/*
 * The control socket: commands and what they show, with ports that are made here
 * and carry nothing; then the same over a real socket, with clients that do not
 * behave.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/human.h"
#include "base/quote.h"
#include "client/ctl-client.h"
#include "ctl/ctl-command.h"
#include "lib/fake-port.h"
#include "lib/leap.h"
#include "lib/members.h"
#include "lib/tap.h"
#include "lib/turn.h"
#include "relay/stats.h"
#include "show/show-json.h"
#include "show/show-table.h"

#define HOSTILE "unix:/a\"b\\c\nd\033[2J\xc3\xb6,isolated"
#define LONG_TEXT 5000
#define EVENTS 20000

static struct loop loop;
static struct relay relay;

/* ---- a relay with ports that do nothing ---- */

static struct port *add_fake(const char *name)
{
	struct fake_port *f = fake_new(sizeof(*f), &fake_plain, &relay.env, name);

	members_add(&relay, &f->port, false);
	return &f->port;
}

static void begin(enum relay_kind kind)
{
	static const struct switching_limits limits = { 100, 1000 };

	if (loop_init(&loop) < 0 || relay_init(&relay, &loop, NULL, kind, &limits) < 0)
		exit(1);
	relay_set_running(&relay);
}

static void end(void)
{
	relay_free(&relay);
	loop_free(&loop);
}

/* ---- words, units ---- */

static void check_split(const char *line, int n, const char *first, const char *last)
{
	char copy[256], *word[4 + 1];
	const char *why = NULL;
	int got;

	snprintf(copy, sizeof(copy), "%s", line);
	got = quote_split(copy, word, 4, &why);
	ok_eq_int(got, n, "words of: %s", line);
	if (got > 0) {
		ok_eq_str(word[0], first, "its first one");
		ok_eq_str(word[got - 1], last, "its last one");
		ok(!word[got], "a NULL behind them");
	} else if (got < 0) {
		ok(why != NULL, "and why");
	}
}

static void test_words(void)
{
	static const char *const words[] = { "",	" ",	 "a b",	     "\"",
					     "\\",	"a\nb",	 "\\n",	     "\t",
					     "\033[2J", "plain", "\xc3\xb6", "a\"b c" };
	static const char spoilt[] = "ab \"\\\t\n";
	char *word[2], line[64];
	const char *why;

	check_split("", 0, NULL, NULL);
	check_split("  \t ", 0, NULL, NULL);
	check_split("status", 1, "status", "status");
	check_split("  add\t tcp:a:1 ", 2, "add", "tcp:a:1");
	check_split("add \"exec:ssh host netrelay - br0\"", 2, "add",
		    "exec:ssh host netrelay - br0");
	check_split("a\"b c\"d e", 2, "ab cd", "e");
	check_split("\"\" \"\\\"\\\\\\n\"", 2, "", "\"\\\n");
	check_split("a\\b c\\", 2, "a\\b", "c\\");
	check_split("a \"b", -EINVAL, NULL, NULL);
	check_split("a \"b\\\"", -EINVAL, NULL, NULL);
	check_split("a \"b\\", -EINVAL, NULL, NULL);
	check_split("a \"\\x\"", -EINVAL, NULL, NULL);
	check_split("a b c d", 4, "a", "d");
	check_split("a b c d e", -EINVAL, NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct buf b = { 0 };

		quote_add(&b, words[i]);
		ok(!strchr(b.data, '\n'), "in one line: %s", words[i]);
		ok(quote_split(b.data, word, 1, &why) == 1 && !strcmp(word[0], words[i]),
		   "and back");
		buf_free(&b);
	}
	/* All lines of some length, of bytes that matter: none is read beyond its end. */
	for (unsigned n = 0; n < 7 * 7 * 7 * 7; n++) {
		for (unsigned i = 0, rest = n; i < 4; i++, rest /= 7)
			line[i] = spoilt[rest % 7];
		line[4] = '\0';
		quote_split(line, word, 1, &why);
	}
	ok(true, "2401 lines");
}

static void test_units(void)
{
	static const struct {
		uint64_t n;
		const char *text;
	} counts[] = {
		{ 0, "0" },
		{ 9999, "9999" },
		{ 10000, "10.0k" },
		{ 99999, "99.9k" },
		{ 999999, "999k" },
		{ 1000000, "1.00M" },
		{ 1239999999, "1.23G" },
		{ UINT64_MAX, "18.4E" },
	},
	  times[] = {
		  { 0, "0s" },
		  { 59999, "59s" },
		  { 192000, "3m12s" },
		  { 3599999, "59m59s" },
		  { 8040000, "2h14m" },
		  { 443000000, "5d03h" },
	  };
	char text[HUMAN_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		ok_eq_str(human_count(counts[i].n, text), counts[i].text, "a count");
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		ok_eq_str(human_time(times[i].n, text), times[i].text, "a time");
	human_time(UINT64_MAX, text);
	ok(strlen(text) < HUMAN_MAX, "the longest time fits");
}

/* ---- commands ---- */

static int command(struct ctl_call *call, const char *text)
{
	static struct buf out;
	char line[LONG_TEXT + 64];

	buf_free(&out);
	buf_add(&out, "", 0);
	*call = (struct ctl_call){ .relay = &relay, .out = &out };
	snprintf(line, sizeof(line), "%s", text);
	return ctl_command(call, line);
}

/* What is said of it has @part, and is a line. */
static void check_refused(const char *text, const char *part)
{
	unsigned ends = relay_count_ends(&relay), last = relay.forward.members.last_id;
	struct ctl_call call;

	ok(command(&call, text) < 0, "refused: %s", text);
	ok(strstr(call.why, part), "because: %s", part);
	ok(relay_count_ends(&relay) == ends && relay.forward.members.last_id == last,
	   "nothing has changed");
}

static void test_refusals(void)
{
	static const char *const cases[][2] = {
		{ "", "is empty" },
		{ "nonsense", "no such command" },
		{ "statusx", "no such command; did you mean status?" },
		{ "reload", "no file to read again; start netrelay with -f FILE" },
		{ "reload now", "reload takes no more words" },
		{ "status x", "the form is status" },
		{ "status --json x", "the form is status" },
		{ "\"status", "not closed" },
		{ "1 2 3 4 5 6 7 8 9 a b c d e f g h", "too many words" },
		{ "help me", "no more words" },
		{ "fdb 1", "no more words" },
		{ "fdb", "not a switch" },
		{ "events 1", "no more words" },
		{ "counters 1", "no more words" },
		{ "add", "the form is add" },
		{ "add a b", "the form is add" },
		{ "add \"\"", "must not be empty" },
		{ "add -", "can't be given descriptors" },
		{ "add fd:0", "can't be given descriptors" },
		{ "add nonsense:1:2", "nor a kind" },
		{ "add -l br0", "nothing can listen" },
		{ "add tcp-listen:1.2.3.4:1", "listen: " },
		{ "capture dir=up", "dir" },
		{ "capture port=x/y", "port" },
		{ "del", "the form is del" },
		{ "del 1 2", "the form is del" },
		{ "del 0", "no such port" },
		{ "del 3", "no such port" },
		{ "del 4294967296", "no such port" },
		{ "del -1", "no such port" },
		{ "del -l 1", "no such listener" },
		{ "del twin", "2 ports have that name" },
		{ "set", "the form is set" },
		{ "set 1", "the form is set" },
		{ "set 9 isolated=on", "no such port" },
		{ "set twin isolated=on", "2 ports have that name" },
		{ "set 1 isolated", "KEY=VALUE" },
		{ "set 1 =", "can't be set" },
		{ "set 1 nonsense=1", "can't be set" },
		{ "set 1 isolated=maybe", "on or off" },
		{ "set 1 mac=1", "52:54:00:00:00:01" },
		{ "set 1 mac=01:00:00:00:00:00", "52:54:00:00:00:01" },
		{ "set 1 mac=52:54:00:00:00:01+", "52:54:00:00:00:01" },
		{ "set 1 storm=1", "not a switch" },
	};
	char text[LONG_TEXT];

	begin(RELAY_HUB);
	add_fake("twin");
	add_fake("twin");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_refused(cases[i][0], cases[i][1]);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	check_refused(text, "no such command");
	memcpy(text, "add ", 4);
	check_refused(text, "too long");
	memcpy(text, "del ", 4);
	check_refused(text, "no such port");
	memcpy(text, "set 1 ", 6);
	check_refused(text, "KEY=VALUE");
	end();
}

static int reload(void *arg, struct buf *out, char *reason, size_t size)
{
	if (arg)
		buf_printf(out, "done\n");
	else
		snprintf(reason, size, "file:1: wrong");
	return arg ? 0 : -EINVAL;
}

static void test_reload(void)
{
	struct ctl_call call = { .relay = &relay, .reload = reload };
	char line[2][8] = { "reload", "reload" };
	struct buf out = { 0 };

	call.out = &out;
	ok_eq_int(ctl_command(&call, line[0]), -EINVAL, "reload: an error");
	ok_eq_str(call.why, "file:1: wrong", "is told");
	call.reload_arg = &relay;
	ok_eq_int(ctl_command(&call, line[1]), 0, "reload");
	ok_eq_str(out.data, "done\n", "what was done is told");
	buf_free(&out);
}

static void test_set(void)
{
	struct ctl_call call;
	const struct endpoint_rules *rules;

	begin(RELAY_SWITCH);
	rules = &member_of(add_fake("one"))->rules;
	ok_eq_int(command(&call, "set one isolated=on storm=7 "
				 "mac=52:54:00:00:00:01+52:54:00:00:00:02"),
		  0, "set all");
	ok(rules->is_isolated && rules->storm == 7 && rules->n_macs == 2 &&
		   rules->macs[1][5] == 2,
	   "all are set");
	ok(relay.forward.members.n_mac_filters, "and heeded");
	check_refused("set 1 storm=", "must be a number");
	check_refused("set 1 storm=-1", "must be a number");
	check_refused("set 1 storm=4294967296", "must be a number");
	ok(command(&call, "set 1 isolated=off storm=9 mac=nonsense") < 0, "one is wrong");
	ok(rules->is_isolated && rules->storm == 7 && rules->n_macs == 2 &&
		   rules->macs[1][5] == 2,
	   "then none is");
	ok_eq_int(command(&call, "set 1 mac= isolated=off"), 0, "take them back");
	ok(!rules->is_isolated && !rules->n_macs && rules->storm == 7,
	   "these and no other");
	ok(!relay.forward.members.n_mac_filters, "and heeded");
	end();
}

static unsigned heard;
static enum relay_event last_event;

static void on_event(struct event_watcher *w, const struct news *n)
{
	(void)w;
	heard++;
	last_event = n->event;
}

/* With a connection, which is there longer than the listener. */
static void check_listener(const char *in)
{
	char line[128], why[256], made[64];
	struct ctl_call call;
	int fd;

	snprintf(made, sizeof(made), "%s/l", in);
	snprintf(line, sizeof(line), "add \"unix-listen:%s,mode=0600\"", made);
	ok_eq_int(command(&call, line), 0, "add a listener");
	ok_eq_str(call.out->data, "listening\n", "it says so");
	fd = ctl_connect(made, why, sizeof(why));
	turn_for(&loop, 5);
	ok(relay.forward.members.first && relay.forward.members.first->acceptor,
	   "it accepts");
	memcpy(line, "del", 3);
	ok_eq_int(command(&call, line), 0, "del it");
	ok(!relay.acceptors, "it is gone");
	ok(access(made, F_OK) < 0, "and its path");
	turn_for(&loop, 5);
	ok(relay.forward.members.n == 1 &&
		   relay.forward.members.first->port->state == PORT_UP,
	   "the connection is there");
	close(fd);
	turn_for(&loop, 5);
	ok(!relay.forward.members.first, "until it is closed");
}

static void test_add_del(enum relay_kind kind)
{
	struct event_watcher watcher = { .notify = on_event };
	char line[128], path[] = "/tmp/ctl-test.XXXXXX";
	struct ctl_call call;

	if (!mkdtemp(path))
		exit(1);
	begin(kind);
	events_subscribe(&relay.events, &watcher);
	add_fake(HOSTILE);
	/* To nobody: it waits. */
	snprintf(line, sizeof(line), "add unix:%s/none", path);
	ok_eq_int(command(&call, line), 0, "add one");
	ok_eq_str(call.out->data, "port 2\n", "its number");
	if (kind == RELAY_CABLE)
		check_refused(line, "a cable has two ends");
	turn_for(&loop, 1);
	heard = 0;
	ok_eq_int(command(&call, "del 2"), 0, "del it");
	ok_eq_int(heard, 0, "it is not told of within the command");
	events_flush(&relay.events);
	ok_eq_int(last_event, EVENT_GONE, "but when the turn ends");
	ok_eq_int(heard, 1, "once");
	ok(command(&call, "del 2") < 0, "it can't be had twice");
	turn_for(&loop, 1);
	ok_eq_int(relay.forward.members.n, 1, "and is freed");
	ok_eq_int(command(&call, "del \"unix:/a\\\"b\\\\c\\nd\033[2J\xc3\xb6,isolated\""),
		  0, "del by its name");
	turn_for(&loop, 1);
	ok(!relay.forward.members.first && !relay.drain.has_begun && !relay.failed,
	   "the last one is gone, and that ends nothing");
	check_listener(path);
	end();
	rmdir(path);
}

/* ---- what is shown ---- */

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((*text < ' ' || *text > '~') && *text != '\n' && *text != '\t')
			return false;
	return true;
}

static unsigned show_all(show_step *step, struct buf *out)
{
	struct show s = { 0 };
	unsigned n = 1;

	while (!step(&s, &relay, out))
		n++;
	return n;
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

static void test_show(void)
{
	struct buf out = { 0 };
	struct port *p, *q;

	begin(RELAY_HUB);
	p = add_fake(HOSTILE);
	q = add_fake("exec:a command that is longer than what a column of the table has");
	member_of(p)->is_blocked = true;
	p->count.rx_frames = 12345678;
	p->count.rx_bytes = 999;
	p->count.dropped[DROP_QUEUE] = 12;
	p->count.dropped[DROP_LOOP] = 3;
	stats_measure(&relay, 2000);
	port_why(q, -EIO, "broken\033[31m");
	port_down(q);
	show_all(show_status, &out);
	ok(strstr(out.data, "hub, 2 ports, for "), "its head");
	ok(strstr(out.data,
		  "received 12345678, copied 0, sent 0, queued 0, dropped 15\n"),
	   "the sums");
	ok(strstr(out.data, "\n     drops: loop 3, queue 12\n"), "drops by reason");
	ok(strstr(out.data, "\n     last error: broken\\x1b[31m\n"), "an error");
	ok(strstr(out.data, " blocked "), "a state");
	ok(strstr(out.data, "  12.3M    999  6.17M   3992 "), "counts and rates");
	ok(strstr(out.data, "   1 unix:/a\"b\\c\\x0ad\\x1b[2J\\xc3\\xb6,isolated "),
	   "an escaped name");
	ok(strstr(out.data, "\n   2 exec:a command that is longer than wh... "),
	   "one that is cut");
	out.len = 0;
	show_all(show_json, &out);
	ok(is_printable(out.data), "JSON is printable");
	ok(strstr(out.data, "\"name\": \"unix:/a\\\"b\\\\c\\nd\\u001b[2J\\u00c3\\u00b6,"
			    "isolated\", "),
	   "a name in JSON");
	ok(strstr(out.data, "\"rx_frames_rate\": 6172839, \"rx_bytes_rate\": 499, "),
	   "rates in JSON");
	out.len = 0;
	show_all(show_counters, &out);
	ok(is_printable(out.data), "counters are printable");
	ok(strstr(out.data, "port\t1\tblocked\t"), "a port's line");
	buf_free(&out);
	end();
}

/* Nobody can say who is at fault behind it, so it passes less, and is up. */
static void test_show_limited(void)
{
	struct buf out = { 0 };
	struct port *p, *q;

	begin(RELAY_SWITCH);
	p = add_fake("tcp:127.0.0.1:1");
	q = add_fake("tcp:127.0.0.1:2");
	show_all(show_json, &out);
	ok(count(out.data, "\"limited\": false") == 2, "JSON: none is limited");
	member_of(p)->guard.is_limited = true;
	p->state = q->state = PORT_UP;
	out.len = 0;
	show_all(show_json, &out);
	ok(count(out.data, "\"state\": \"up\"") == 2 &&
		   count(out.data, "\"blocked\": false, \"limited\": true") == 1,
	   "JSON: one that is limited is up");
	out.len = 0;
	show_all(show_counters, &out);
	ok(strstr(out.data, "port\t1\tlimited\t") && strstr(out.data, "port\t2\tup\t"),
	   "its line");
	out.len = 0;
	show_all(show_status, &out);
	ok(count(out.data, " limited ") == 1, "its state in the table");
	out.len = 0;
	p->awaiting_peer = true;
	show_all(show_status, &out);
	ok(count(out.data, " limited ") == 0 && count(out.data, " connecting ") == 1,
	   "but not before it counts as up");
	buf_free(&out);
	end();
}

/* What a word names: a port, or with -l a listener. */
static void test_names(void)
{
	char path_of_all[] = "/tmp/ctl-test.XXXXXX", line[128], listener[64];
	struct buf out = { 0 };
	struct ctl_call call;
	struct member *m;

	if (!mkdtemp(path_of_all))
		exit(1);
	snprintf(listener, sizeof(listener), "unix-listen:%s/l", path_of_all);
	begin(RELAY_HUB);
	add_fake("one");
	snprintf(line, sizeof(line), "add unix:%s/none,name=up", path_of_all);
	ok_eq_int(command(&call, line), 0, "add one with a name");
	check_refused(line, "port 2 is called up; choose another name");
	snprintf(line, sizeof(line), "add %s,name=web", listener);
	ok_eq_int(command(&call, line), 0, "and a listener");
	snprintf(line, sizeof(line), "add unix-listen:%s/m", path_of_all);
	ok_eq_int(command(&call, line), 0, "and one without a name");
	m = relay_find(&relay, 2);
	ok_eq_int(command(&call, "set up isolated=on"), 0, "set by name");
	ok(m->rules.is_isolated, "it is set");
	show_all(show_status, &out);
	ok(strstr(out.data, "\nport name endpoint ") &&
		   strstr(out.data, "\n   1 -    one ") &&
		   strstr(out.data, "\n   2 up   unix:/tmp/"),
	   "the table has a column of names");
	snprintf(line, sizeof(line), "\nlistener web (%s): 0 connected", listener);
	ok(strstr(out.data, line), "and the listener's");
	out.len = 0;
	show_all(show_json, &out);
	ok(strstr(out.data, "\"name\": \"one\", \"endpoint\": \"one\"") &&
		   strstr(out.data, "\"name\": \"up\", \"endpoint\": \"unix:/tmp/") &&
		   strstr(out.data, "/l\", \"name\": \"web\", "),
	   "JSON has names");
	out.len = 0;
	show_all(show_counters, &out);
	ok(strstr(out.data, "\t0\tup\t\n"), "and so have counters");
	check_refused("del web", "no such port or listener");
	snprintf(line, sizeof(line), "del %s,name=wed", listener);
	check_refused(line, "no such port or listener");
	snprintf(line, sizeof(line), "del unix:%s/other,name=up", path_of_all);
	check_refused(line, "no such port or listener");
	check_refused("del -l up", "no such listener");
	check_refused("del -l \"\"", "no such listener");
	check_refused("del \"\"", "no such port");
	ok_eq_int(command(&call, "capture port=web-2"), 0, "capture takes a name");
	ok(!call.filter.port && !strcmp(call.filter.name, "web-2"), "of a port to come");
	/* A name by name= counts before another port's text. */
	strcpy(relay_find(&relay, 2)->name, "one");
	ok_eq_int(command(&call, "del one"), 0, "del by name");
	ok(m->port->state == PORT_ENDED && relay_find(&relay, 1), "the one that has it");
	ok_eq_int(command(&call, "del -l web"), 0, "del -l by name");
	ok(relay.acceptors && !relay.acceptors->next, "that listener is gone");
	snprintf(line, sizeof(line), "add unix:%s/none,name=up,isolated", path_of_all);
	ok_eq_int(command(&call, line), 0, "add one that has a name, and more");
	memcpy(line, "del", 3);
	ok_eq_int(command(&call, line), 0, "del it as it was typed");
	snprintf(line, sizeof(line), "add unix-listen:%s/n,isolated,name=web",
		 path_of_all);
	ok_eq_int(command(&call, line), 0, "and so a listener");
	memcpy(line, "del", 3);
	ok_eq_int(command(&call, line), 0, "del that, too");
	ok(!relay.acceptors->next, "it is gone");
	turn_for(&loop, 5);
	buf_free(&out);
	end();
	rmdir(path_of_all);
}

#define MANY (10 * SHOW_PORTS_A_STEP)

/* In between, of those to come the first one goes, and so does the one shown last. */
static void check_many(show_step *step, const char *each, unsigned steps, unsigned ports)
{
	struct buf out = { 0 };
	struct show s = { 0 };
	unsigned n = 2, last = relay.forward.members.last_id;

	ok(!step(&s, &relay, &out), "%s: not in one turn", each);
	relay_del(relay_find(&relay, last - MANY + SHOW_PORTS_A_STEP));
	relay_del(relay_find(&relay, last - MANY + SHOW_PORTS_A_STEP + 1));
	turn_for(&loop, 1);
	while (!step(&s, &relay, &out))
		n++;
	ok_eq_int(n, steps, "%s: but in some", each);
	ok_eq_int(count(out.data, each), ports, "%s: each is there once", each);
	ok(is_printable(out.data), "%s: whole", each);
	buf_free(&out);
	add_fake("more");
	add_fake("more");
}

static void test_many(void)
{
	begin(RELAY_HUB);
	for (unsigned i = 0; i < MANY; i++)
		add_fake("one of many");
	/* The table measures all before it shows one. */
	check_many(show_status, "0s     ", 19, MANY - 2);
	check_many(show_json, "{\"id\": ", 10, MANY - 1);
	check_many(show_counters, "\nport\t", 10, MANY - 1);
	end();
}

static void test_fdb(void)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0xab, 0xcd, 0xef };
	struct ctl_call call;
	struct member *m;

	begin(RELAY_SWITCH);
	m = member_of(add_fake("one"));
	ok_eq_int(command(&call, "fdb"), 0, "a switch's addresses");
	ok_eq_str(call.out->data, "address           vlan   age port name\n", "none yet");
	for (uint32_t i = 0; i < 2; i++)
		fdb_learn(relay.forward.fdb, fdb_key_of((uint16_t)(i * 42), mac), m,
			  (uint32_t)(loop_coarse() / 1000) - i * 65);
	command(&call, "fdb");
	ok(strstr(call.out->data, "\n52:54:00:ab:cd:ef    0    0s    1 one\n"),
	   "an address");
	ok(strstr(call.out->data, "\n52:54:00:ab:cd:ef   42 1m05s    1 one\n"),
	   "an older one, in a VLAN");
	end();
}

/* ---- over a socket ---- */

static char dir[] = "/tmp/ctl-test.XXXXXX", path[64];
static struct ctl ctl;

static int dial(void)
{
	char why[256];
	int fd = ctl_connect(path, why, sizeof(why));

	if (fd < 0)
		printf("# %s\n", why);
	return fd;
}

/* Send, turn, and see what has come, up to the end of the connection or for now. */
static const char *ask(int fd, const void *line, size_t len)
{
	static char answer[65536];
	size_t got = 0;
	ssize_t n;

	if (send(fd, line, len, MSG_NOSIGNAL) < 0 && errno != EPIPE)
		printf("# send: %s\n", strerror(errno));
	turn_for(&loop, 20);
	while ((n = recv(fd, answer + got, sizeof(answer) - 1 - got, 0)) > 0)
		got += (size_t)n;
	answer[got] = '\0';
	return answer;
}

static void check_answer(const char *line, size_t len, const char *begins,
			 const char *what)
{
	int fd = dial();

	turn_for(&loop, 5);
	ok(!strncmp(ask(fd, line, len), begins, strlen(begins)), "%s", what);
	close(fd);
	turn_for(&loop, 5);
}

static void test_clients(void)
{
	char flood[70000];
	int fds[20], fd;

	memset(flood, 'a', sizeof(flood));
	check_answer("help\n", 5, "ok\nhelp ", "a command is answered");
	check_answer("help", 4, "", "half a one is not");
	check_answer("del 1", 5, "", "nor done");
	turn_for(&loop, 5);
	ok_eq_int(relay.forward.members.n, 1, "the port is there");
	check_answer("he\0lp\n", 6, "error: a command is one line of text",
		     "a zero byte");
	check_answer(flood, sizeof(flood), "error: a command has at most 4095",
		     "too much");
	check_answer("del 1\ndel 1\n", 12, "ok\n", "one command a connection");
	turn_for(&loop, 5);
	ok_eq_int(relay.forward.members.n, 0, "the port is gone");
	fd = dial();
	turn_for(&loop, 5);
	ask(fd, "sta", 3);
	ok(!strncmp(ask(fd, "tus\nmore", 8), "ok\nhub, 0 ports", 15), "in two pieces");
	close(fd);
	for (int i = 0; i < 20; i++)
		fds[i] = dial();
	turn_for(&loop, 10);
	ok(!strncmp(ask(fds[19], "help\n", 5), "error: too many clients", 23),
	   "no more than there is room for");
	ok(!strncmp(ask(fds[3], "help\n", 5), "ok\n", 3), "those before are served");
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	turn_for(&loop, 10);
	ok(!ctl.clients && !ctl.listener.n, "all are gone");
}

static void test_events(void)
{
	int fd = dial(), slow = dial();
	const char *text, *at = NULL;
	struct port *p;

	turn_for(&loop, 5);
	ok_eq_str(ask(fd, "events\n", 7), "ok\n", "it is heard");
	send(slow, "events\n", 7, MSG_NOSIGNAL);
	turn_for(&loop, 5);
	p = add_fake(HOSTILE);
	events_flush(&relay.events);
	text = ask(fd, "", 0);
	ok(strstr(text, "Z up port "), "a port is up");
	ok(strstr(text, "unix:/a\"b\\c\\x0ad\\x1b[2J\\xc3\\xb6,isolated\n"),
	   "its name is safe");
	port_why(p, -EIO, "broken");
	port_down(p);
	events_flush(&relay.events);
	ok(strstr(ask(fd, "", 0), "isolated broken\n"), "it is down, and why");
	turn_for(&loop, 200);
	ok(strstr(ask(fd, "", 0), "isolated after 0."),
	   "it is back, and after what time");
	/* More than the socket and we hold: some 64 bytes each. */
	for (int i = 0; i < EVENTS; i++)
		events_note(&relay.events, &(struct news){ .event = EVENT_STORM,
							   .member = member_of(p) });
	turn_for(&loop, 20);
	for (int i = 0; i < EVENTS; i++)
		events_note(&relay.events, &(struct news){ .event = EVENT_STORM,
							   .member = member_of(p) });
	for (int i = 0; i < 100 && !at; i++)
		at = strstr(ask(slow, "", 0), "... ");
	ok(at && strstr(at, " events left out\n"), "it is told of losses");
	ok(at && atoi(at + 4) > EVENTS / 2, "not all were kept for it");
	close(slow);
	close(fd);
	turn_for(&loop, 5);
	ok(!ctl.clients, "both are gone");
}

static uint64_t cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* What a client does, after which there is nothing to be done about it. */
static void check_idle(const char *what)
{
	uint64_t before;

	turn_for(&loop, 5);
	before = cpu_us();
	turn_for(&loop, 300);
	ok(cpu_us() - before < 150000, "%s: the relay does not spin", what);
}

/* Bytes, also those out of band, from clients that have nothing more to say. */
static void test_urgent(void)
{
	int early = dial(), late = dial();

	turn_for(&loop, 5);
	send(early, "x", 1, MSG_OOB | MSG_NOSIGNAL);
	check_idle("a byte out of band before the command");
	close(early);
	ask(late, "events\n", 7);
	send(late, "more", 4, MSG_NOSIGNAL);
	send(late, "x", 1, MSG_OOB | MSG_NOSIGNAL);
	check_idle("one behind it");
	shutdown(late, SHUT_WR);
	check_idle("half of the connection closed");
	ok(ctl.clients != NULL, "who listens to events may have shut down its side");
	close(late);
	turn_for(&loop, 5);
	ok(!ctl.clients, "and is gone when it closes");
	late = dial();
	turn_for(&loop, 5);
	ask(late, "capture\n", 8);
	send(late, "more", 4, MSG_NOSIGNAL);
	send(late, "x", 1, MSG_OOB | MSG_NOSIGNAL);
	check_idle("one to a capture");
	close(late);
	turn_for(&loop, 5);
	ok(!ctl.captures.n, "which ends when it closes");
}

static int first_free_fd(void)
{
	int fd = dup(STDOUT_FILENO);

	close(fd);
	return fd;
}

/* A command, and descriptors that nobody asked for. */
static void send_fds(int fd, const char *line)
{
	int fds[100];
	char room[CMSG_SPACE(sizeof(fds))] = { 0 };
	struct iovec iov = { (char *)line, strlen(line) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = STDOUT_FILENO;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	/* A kernel that keeps them from us takes the line alone. */
	msg.msg_controllen = sendmsg(fd, &msg, MSG_NOSIGNAL) < 0 ? 0 : sizeof(room);
	if (!msg.msg_controllen && sendmsg(fd, &msg, MSG_NOSIGNAL) < 0)
		printf("# sendmsg: %s\n", strerror(errno));
}

static void test_descriptors(void)
{
	int fd = dial(), before;

	turn_for(&loop, 5);
	before = first_free_fd();
	send_fds(fd, "hel");
	turn_for(&loop, 5);
	ok_eq_int(first_free_fd(), before, "descriptors that come along are not kept");
	ok(!strncmp(ask(fd, "p\n", 2), "ok\nhelp", 7), "and the command is heard");
	close(fd);
	turn_for(&loop, 5);
}

/* More than there is room for, at once; those who wait are told, or served. */
static void test_crowd(void)
{
	int fds[60], refused = 0, served = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = dial();
	turn_for(&loop, 50);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		const char *answer = ask(fds[i], "help\n", 5);

		refused += !strncmp(answer, "error: too many clients", 23);
		served += !strncmp(answer, "ok\n", 3);
	}
	ok_eq_int(refused + served, (int)ARRAY_SIZE(fds), "%d are refused, %d served",
		  refused, served);
	ok_eq_int(served, 16, "as many as there is room for");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	turn_for(&loop, 20);
	ok(!ctl.clients && !ctl.listener.n, "all are gone");
}

/* Read an answer to its end, while the loop turns. */
static void check_long(const char *line, const char *each, unsigned n)
{
	static char answer[1 << 20];
	size_t got = 0;
	int fd = dial();
	ssize_t len = -1;

	turn_for(&loop, 5);
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		printf("# send: %s\n", strerror(errno));
	for (int i = 0; i < 1000 && len != 0; i++) {
		len = recv(fd, answer + got, sizeof(answer) - 1 - got, 0);
		if (len > 0)
			got += (size_t)len;
		else
			turn_for(&loop, 1);
	}
	answer[got] = '\0';
	ok(len == 0, "%.8s... of many comes to its end", line);
	ok_eq_int(count(answer, each), n, "and has all of them");
	close(fd);
}

/* An answer of more than a socket holds. */
static void test_slow(void)
{
	struct port *port[400];
	int fd = dial();

	for (size_t i = 0; i < ARRAY_SIZE(port); i++)
		port[i] = add_fake("one of many");
	turn_for(&loop, 5);
	check_long("status --json\n", "{\"id\": ", relay.forward.members.n);
	check_long("status\n", " one of many ", ARRAY_SIZE(port));
	check_long("counters\n", "\nport\t", relay.forward.members.n);
	if (send(fd, "status --json\n", 14, MSG_NOSIGNAL) < 0)
		printf("# send: %s\n", strerror(errno));
	turn_for(&loop, 20);
	leap(&loop, 4);
	turn_for(&loop, 20);
	ok(ctl.clients != NULL, "who does not read is waited for");
	leap(&loop, 2);
	turn_for(&loop, 20);
	ok(!ctl.clients, "but not for long");
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(port); i++)
		relay_del(member_of(port[i]));
}

static void test_socket(void)
{
	struct endpoint ep;
	char why[256];

	if (!mkdtemp(dir))
		exit(1);
	snprintf(path, sizeof(path), "%s/ctl", dir);
	begin(RELAY_HUB);
	add_fake("one");
	endpoint_parse_option(&ep, "--ctl", path, why, sizeof(why));
	ok_eq_int(ctl_start(&ctl, &relay, &ep, why, sizeof(why)), 0, "it listens");
	test_clients();
	test_events();
	test_urgent();
	test_descriptors();
	test_crowd();
	test_slow();
	/* Left connected, in mid-command and in mid-answer. */
	ask(dial(), "hel", 3);
	ask(dial(), "events\n", 7);
	ctl_stop(&ctl);
	ok(access(path, F_OK) < 0, "the path is removed");
	end();
	rmdir(dir);
}

int main(void)
{
	test_words();
	test_units();
	test_refusals();
	test_reload();
	test_set();
	test_add_del(RELAY_CABLE);
	test_add_del(RELAY_HUB);
	test_show();
	test_show_limited();
	test_many();
	test_names();
	test_fdb();
	test_socket();
	return done();
}
