/* SPDX-License-Identifier: MIT */
/*
 * conf.c: what the command line may be, what is said when it is wrong, and
 * that the help text fits a screen and shows every form there is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../src/conf.h"
#include "../src/util.h"
#include "tap.h"

#define WORDS_MAX 8
#define WHY_MAX 1024

struct good {
	const char *words[WORDS_MAX]; /* behind "netrelay" */
	enum conf_action action;
	int verbose;
	const char *
		listeners; /* their texts, each with a blank behind it; NULL: no server */
	const char *endpoints;
};

struct bad {
	const char *words[WORDS_MAX];
	const char *why;
};

static const struct good goods[] = {
	{ { "br0" }, CONF_RUN, 0, NULL, "br0 - " },
	{ { "-", "br0" }, CONF_RUN, 0, NULL, "- br0 " },
	{ { "br0", "-" }, CONF_RUN, 0, NULL, "br0 - " },
	{ { "br0", "tap:t0" }, CONF_RUN, 0, NULL, "br0 tap:t0 " },
	{ { "-v", "br0", "-v" }, CONF_RUN, 2, NULL, "br0 - " },
	{ { "-vvv", "10.0.0.1:5000", "br0" }, CONF_RUN, 3, NULL, "10.0.0.1:5000 br0 " },
	{ { "--", "br0", "-" }, CONF_RUN, 0, NULL, "br0 - " },
	{ { "-v", "--", "br0", "--" }, CONF_RUN, 1, NULL, "br0 -- " },
	{ { "--", "-v", "--help" }, CONF_RUN, 0, NULL, "-v --help " },
	{ { "fd:3", "fd:4" }, CONF_RUN, 0, NULL, "fd:3 fd:4 " },
	{ { "fd:2", "-" }, CONF_RUN, 0, NULL, "fd:2 - " },
	{ { "fd:0", "fd:1" }, CONF_RUN, 0, NULL, "fd:0 fd:1 " },
	{ { "exec:true", "exec:true" }, CONF_RUN, 0, NULL, "exec:true exec:true " },
	{ { "tcp-listen:1", "tcp-listen:2" },
	  CONF_RUN,
	  0,
	  NULL,
	  "tcp-listen:1 tcp-listen:2 " },
	{ { "-l", "5000" }, CONF_RUN, 0, "5000 ", "" },
	{ { "-l5000" }, CONF_RUN, 0, "5000 ", "" },
	{ { "-vl5000", "br0" }, CONF_RUN, 1, "5000 ", "br0 " },
	{ { "br0", "-l", "5000" }, CONF_RUN, 0, "5000 ", "br0 " },
	{ { "-l", "5000", "-" }, CONF_RUN, 0, "5000 ", "- " },
	{ { "-l", "5000", "br0", "br1", "br2", "-" },
	  CONF_RUN,
	  0,
	  "5000 ",
	  "br0 br1 br2 - " },
	{ { "-l", "[::1]:5000", "br0", "-l", "unix-listen:a", "br1" },
	  CONF_RUN,
	  0,
	  "[::1]:5000 unix-listen:a ",
	  "br0 br1 " },
	{ { "-l", "5000", "-l", "127.0.0.1:5000" },
	  CONF_RUN,
	  0,
	  "5000 127.0.0.1:5000 ",
	  "" },
	{ { "-l", "unix-listen:a", "unix-listen:b", "unix:a" },
	  CONF_RUN,
	  0,
	  "unix-listen:a ",
	  "unix-listen:b unix:a " },
	{ { "-h" }, CONF_HELP, 0, NULL, "" },
	{ { "--help" }, CONF_HELP, 0, NULL, "" },
	{ { "br0", "br1", "br2", "--help" }, CONF_HELP, 0, NULL, "" },
	{ { "-V" }, CONF_VERSION, 0, NULL, "" },
	{ { "--version" }, CONF_VERSION, 0, NULL, "" },
	{ { "-vV" }, CONF_VERSION, 1, NULL, "" },
	{ { "--version", "--nonsense" }, CONF_VERSION, 0, NULL, "" },
};

#define NOTHING                                                                        \
	"nothing to join: name one or two endpoints, or a port to listen on with -l; " \
	"see netrelay --help"
#define TOO_MANY(n)                                                             \
	n " endpoints are more than a cable's two; to join more, be a server: " \
	  "netrelay -l PORT TARGET ..."
#define NO_OPTION ": there is no such option; see netrelay --help"
#define STDIO_TWICE \
	"-: stdin and stdout can be one endpoint only; name something else for the other"
#define LISTENER_TWICE ": this listener is given twice; once is enough"
#define FD_TWICE ": this descriptor is given twice, but can be one endpoint only"
#define FD_OF_STDIO ": this is a descriptor of -, which is given too"

static const struct bad bads[] = {
	{ { NULL }, NOTHING },
	{ { "-v" }, NOTHING },
	{ { "--" }, NOTHING },
	{ { "-" }, STDIO_TWICE },
	{ { "-", "-" }, STDIO_TWICE },
	{ { "-l", "5000", "-", "br0", "-" }, STDIO_TWICE },
	{ { "a", "b", "c" }, TOO_MANY("3") },
	{ { "a", "-v", "b", "c", "--", "d" }, TOO_MANY("4") },
	{ { "-l" }, "-l: the port is missing, as in -l 5000" },
	{ { "br0", "-vl" }, "-l: the port is missing, as in -l 5000" },
	{ { "-x" }, "-x" NO_OPTION },
	{ { "br0", "-vxv" }, "-x" NO_OPTION },
	{ { "-?" }, "-?" NO_OPTION },
	{ { "-:" }, "-:" NO_OPTION },
	{ { "-\x1b" }, "-\\x1b" NO_OPTION },
	{ { "br0", "--listen", "br1" }, "--listen" NO_OPTION },
	{ { "--\x1b[2J\n" }, "--\\x1b[2J\\x0a" NO_OPTION },
	{ { "--help=me" }, "--help=me: this option takes no value; see netrelay --help" },
	{ { "--version=2" },
	  "--version=2: this option takes no value; see netrelay --help" },
	{ { "-l", "5000", "-l", "5000" }, "5000" LISTENER_TWICE },
	{ { "-l", "5000", "-l", "tcp-listen:05000" }, "tcp-listen:05000" LISTENER_TWICE },
	{ { "-l", "[::1]:5", "-l", "6", "tcp-listen:[::1]:5" },
	  "tcp-listen:[::1]:5" LISTENER_TWICE },
	{ { "tcp-listen:5", "tcp-listen:5" }, "tcp-listen:5" LISTENER_TWICE },
	{ { "-l", "unix-listen:a", "-l", "unix-listen:a,mode=0666" },
	  "unix-listen:a,mode=0666" LISTENER_TWICE },
	{ { "unix-listen:\n", "unix-listen:\n" }, "unix-listen:\\x0a" LISTENER_TWICE },
	{ { "fd:3", "fd:3" }, "fd:3" FD_TWICE },
	{ { "fd:3", "fd:03" }, "fd:03" FD_TWICE },
	{ { "-l", "5000", "fd:3", "br0", "fd:3" }, "fd:3" FD_TWICE },
	{ { "fd:0" }, "-" FD_OF_STDIO },
	{ { "-", "fd:1" }, "fd:1" FD_OF_STDIO },
	{ { "br0", "tap:" }, "tap:: nothing follows tap:; the form is tap:NAME" },
	{ { "-l", "5000", "fd:x" },
	  "fd:x: descriptor \"x\" must be a number, as in fd:3" },
	{ { "-l", "0" }, "0: port \"0\" must be a number from 1 to 65535" },
	{ { "" }, "\"\": an endpoint must not be empty; - is stdin and stdout" },
};

static const char *const shown[] = {
	"netrelay [-v] [SRC] [DST]",
	"netrelay [-v] -l PORT [TARGET ...]",
	"-l PORT, ADDR:PORT, [ADDR6]:PORT",
	"-v ",
	"-h, --help",
	"-V, --version",
	"\n  - ",
	"  LPORT:ADDR:RPORT ",
	"  LPORT:ADDR: or :ADDR:RPORT ",
	"  LPORT::RPORT ",
	"  ADDR:PORT ",
	"  NAME ",
	"  tcp:HOST:PORT ",
	"  tcp-listen:[ADDR:]PORT ",
	"  unix:PATH ",
	"  unix-listen:PATH[,mode=0660] ",
	"  udp:HOST:PORT[,local=[ADDR:]PORT] ",
	"  unixgram:PATH,local=PATH ",
	"  mcast:GROUP:PORT[,if=ADDR] ",
	"  bridge:NAME[,tap=NAME][,mtu=N] ",
	"  tap:NAME ",
	"  fd:N ",
	"  exec:COMMAND ",
	"Exit status: 0 ",
	"1 something failed",
	"2 wrong usage",
};

/* getopt_long() puts operands last in argv, hence a copy of @words. */
static int read_words(struct conf *conf, const char *const *words, char *why, size_t size)
{
	char *argv[WORDS_MAX + 2] = { strdup("netrelay") };
	char *owned[WORDS_MAX + 1];
	int argc = 1, err;

	for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
		argv[argc++] = strdup(words[i]);
	memcpy(owned, argv, sizeof(owned));
	err = conf_read(conf, argc, argv, why, size);
	for (int i = 0; i < argc; i++)
		free(owned[i]);
	return err;
}

/* @words as one line, for the name of a check. */
static const char *line(const char *const *words, char *buf, size_t size)
{
	size_t used = (size_t)snprintf(buf, size, "netrelay");

	for (size_t i = 0; i < WORDS_MAX && words[i] && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, " %s", words[i]);
	return buf;
}

static const char *texts(const struct endpoint *list, size_t n, char *buf, size_t size)
{
	size_t used = 0;

	*buf = '\0';
	for (size_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s ", list[i].text);
	return buf;
}

static void test_good(const struct good *good)
{
	char name[256], got[256], why[WHY_MAX];
	struct conf conf;

	line(good->words, name, sizeof(name));
	if (!ok_eq_int(read_words(&conf, good->words, why, sizeof(why)), 0, "%s is read",
		       name))
		printf("# %s\n", why);
	ok_eq_str(why, "", "%s: no message", name);
	ok_eq_int(conf.action, good->action, "%s: what to do", name);
	ok_eq_int(conf.verbose, good->verbose, "%s: how verbose", name);
	ok_eq_int(conf.server, good->listeners != NULL, "%s: a server or not", name);
	ok_eq_str(texts(conf.listeners, conf.n_listeners, got, sizeof(got)),
		  good->listeners ? good->listeners : "", "%s: listeners", name);
	ok_eq_str(texts(conf.endpoints, conf.n_endpoints, got, sizeof(got)),
		  good->endpoints, "%s: endpoints", name);
	conf_free(&conf);
}

static void test_bad(const struct bad *bad)
{
	char name[256], why[WHY_MAX];
	struct conf conf;

	line(bad->words, name, sizeof(name));
	ok_eq_int(read_words(&conf, bad->words, why, sizeof(why)), -EINVAL,
		  "%s is refused", name);
	ok_eq_str(why, bad->why, "%s: is told why", name);
	conf_free(&conf);
}

/* The endpoints are read as what they are: -l as a listener, the omitted one as stdio. */
static void test_kinds(void)
{
	static const char *const server[] = { "-l", "5000", "tcp", NULL };
	static const char *const cable[] = { "5000::5001", NULL };
	char why[WHY_MAX];
	struct conf conf;

	if (ok_eq_int(read_words(&conf, server, why, sizeof(why)), 0,
		      "a server is read")) {
		ok_eq_int(conf.listeners[0].kind, ENDPOINT_TCP_LISTEN, "-l listens");
		ok_eq_int(conf.listeners[0].local.port, 5000, "-l's port");
		ok_eq_int(conf.endpoints[0].kind, ENDPOINT_BRIDGE,
			  "the target is a bridge");
	}
	conf_free(&conf);
	if (ok_eq_int(read_words(&conf, cable, why, sizeof(why)), 0, "a cable is read")) {
		ok_eq_int(conf.endpoints[0].kind, ENDPOINT_UDP, "the first end is UDP");
		ok_eq_int(conf.endpoints[1].kind, ENDPOINT_STDIO, "the second is stdio");
	}
	conf_free(&conf);
	ok(!conf.listeners && !conf.endpoints, "nothing is left behind");
	conf_free(&conf);
}

/* What an earlier command line left half-read is not read on. */
static void test_fresh_start(void)
{
	char name[] = "netrelay", cluster[] = "-xvv", bridge[] = "br0";
	char *refused[] = { name, cluster, NULL }, *good[] = { name, bridge, NULL };
	char why[WHY_MAX];
	struct conf conf;

	ok_eq_int(conf_read(&conf, 2, refused, why, sizeof(why)), -EINVAL,
		  "-xvv is refused");
	conf_free(&conf);
	ok_eq_int(conf_read(&conf, 2, good, why, sizeof(why)), 0, "br0 is read after it");
	ok_eq_int(conf.verbose, 0, "and is not verbose");
	conf_free(&conf);
}

/* The caller prints @why; nobody else prints anything. */
static void test_silence(void)
{
	static const char *const words[] = { "--nonsense", NULL };
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	char why[WHY_MAX];
	struct conf conf;

	if (!file || saved < 0 || dup2(fileno(file), STDERR_FILENO) < 0)
		abort();
	read_words(&conf, words, why, sizeof(why));
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	ok_eq_int(lseek(fileno(file), 0, SEEK_END), 0, "nothing is printed on the way");
	fclose(file);
	conf_free(&conf);
}

/* A message stays within the room there is, whoever wrote it. */
static void test_small_buffers(void)
{
	static const char *const words[] = { "-\x1b", NULL };
	char whole[WHY_MAX];
	struct conf conf;
	int wrong = 0;

	read_words(&conf, words, whole, sizeof(whole));
	conf_free(&conf);
	for (size_t size = 0; size <= strlen(whole) + 8; size++) {
		char *why = malloc(size + 1);

		if (!why)
			abort();
		memset(why, 'z', size + 1);
		wrong += read_words(&conf, words, why, size) != -EINVAL ||
			 why[size] != 'z';
		if (size)
			wrong += strlen(why) >= size ||
				 strncmp(why, whole, strlen(why)) ||
				 (strlen(why) > 1 && strlen(why) < 5);
		conf_free(&conf);
		free(why);
	}
	ok_eq_int(wrong, 0, "messages are cut to the room there is");
}

static void test_help(void)
{
	const char *help = conf_help();
	size_t lines = 0, widest = 0;

	for (const char *s = help; *s; s += strcspn(s, "\n") + 1) {
		size_t width = strcspn(s, "\n");

		lines++;
		widest = width > widest ? width : widest;
	}
	ok(lines <= 24, "the help has %zu lines, at most 24", lines);
	ok(widest <= 80, "the help is %zu columns wide, at most 80", widest);
	ok(help[strlen(help) - 1] == '\n', "the help ends its last line");
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		ok(strstr(help, shown[i]), "the help shows %s", shown[i]);
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(goods); i++)
		test_good(&goods[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bads); i++)
		test_bad(&bads[i]);
	test_kinds();
	test_fresh_start();
	test_silence();
	test_small_buffers();
	test_help();
	return done();
}
