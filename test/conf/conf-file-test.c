/* SPDX-License-Identifier: MIT */
/*
 * conf-file.c and conf-option.c: what a file may say, what is said of a wrong one and with
 * which line, what it includes, and that --print-config prints what means the same.
 */
#include "conf/conf-file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/version.h"
#include "conf/conf.h"
#include "lib/random.h"
#include "lib/tap.h"
#include "lib/words.h"
#include "lib/write-text.h"

#define WHY_MAX 1200

static char dir[] = "/tmp/conf-file-test.XXXXXX";

static const char *path_of(const char *name)
{
	static char path[4][128];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void write_file(const char *name, const char *text)
{
	write_text(path_of(name), text);
}

static int read_words(struct conf *conf, char *why, const char *const *words)
{
	return words_read(conf, words, why, WHY_MAX);
}

static int read_file(struct conf *conf, char *why, const char *name)
{
	return read_words(conf, why, (const char *const[]){ "-f", path_of(name), NULL });
}

/* All that a configuration says; the caller's to free. */
static char *describe(const struct conf *conf)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	fprintf(out, "%d%s%s storm=%u fdb=%u%s%s", conf->verbose,
		conf->server ? " server" : "", conf->hub ? " hub" : "", conf->storm_limit,
		conf->fdb_size, conf->no_sandbox ? " bare" : "",
		conf->wait ? " wait" : "");
	fprintf(out, " ctl=%s %s metrics=%s user=%s",
		conf->ctl_path ? conf->ctl_path : "", conf->ctl.text, conf->metrics.text,
		conf->user ? conf->user : "");
	fprintf(out, " port=%s", conf->capture_filter.name);
	fprintf(out, " capture=%s %u %u %d%d", conf->capture ? conf->capture : "",
		conf->capture_filter.port, conf->capture_filter.snaplen,
		conf->capture_filter.in, conf->capture_filter.out);
	for (size_t i = 0; i < conf_count(conf); i++)
		fprintf(out, " [%s%d %s%s%s]", i < conf->n_listeners ? "-l " : "",
			(int)conf_nth(conf, i)->kind, conf_nth(conf, i)->text,
			*conf_nth(conf, i)->port_name ? " is " : "",
			conf_nth(conf, i)->port_name);
	fclose(out);
	return text;
}

/* ---- right files ---- */

static void test_good(const char *text, const char *want)
{
	char why[WHY_MAX], *got;
	struct conf conf;

	write_file("good", text);
	ok_eq_int(read_file(&conf, why, "good"), 0, "read: %s", text);
	ok_eq_str(why, "", "no message");
	got = describe(&conf);
	ok(strstr(got, want), "it says %s", want);
	if (!strstr(got, want))
		printf("# got: %s\n", got);
	free(got);
	conf_free(&conf);
}

static void test_goods(void)
{
	test_good("listen 5000\n", "0 server storm=");
	test_good("listen 5000", "[-l 2 5000]");
	test_good("# a comment\n\n  \t\n  listen 5000  \n\thub\t\n", " server hub");
	test_good("listen 5000\r\njoin br0\r\n", "[8 br0]");
	test_good("join br0\njoin -\n", "[8 br0] [0 -]");
	test_good("listen 1\njoin exec:a # b \"c\"\n", "[11 exec:a # b \"c\"]");
	test_good("listen 1\njoin \"exec:a\\n \\\"b\\\\ \"\n", "[11 exec:a\n \"b\\ ]");
	test_good("listen 1\njoin\t\"unix:a b\"\n", "unix:a b");
	test_good("listen 1\njoin \"unix:a #b\"\njoin unix:a#b\n",
		  "unix:a #b] [3 unix:a#b]");
	test_good("verbose\nverbose\nwait\nuser nobody\nlisten 1\nlisten 2\n",
		  "2 server storm=100000 fdb=16384 wait");
	test_good("wait\nhub\nwait\nlisten 1\nhub\n", "0 server hub");
	test_good("user nobody\nlisten 1\nctl /x,mode=0640\n",
		  "ctl=/x --ctl /x,mode=0640 metrics= user=nobody");
	test_good(
		"storm 1000\nfdb-size 5\nlisten 1\nmetrics 9100\ncapture f,,g,dir=in\n",
		"storm=1000 fdb=5 ctl=  metrics=--metrics 9100 user= port= capture=f,g 0 ");
	test_good("no-sandbox\nlisten unix-listen:/a,,b,mode=0666\n", "bare");
}

/* ---- wrong ones ---- */

/* @want: the message, with % for the file's path, and @ for its folder */
static void test_bad(const char *text, const char *want)
{
	char why[WHY_MAX], whole[WHY_MAX] = "";
	struct conf conf;

	write_file("bad", text);
	for (const char *s = want; *s; s++) {
		size_t len = strlen(whole);

		if (*s == '%' || *s == '@')
			snprintf(whole + len, sizeof(whole) - len, "%s%s", dir,
				 *s == '%' ? "/bad" : "");
		else
			snprintf(whole + len, sizeof(whole) - len, "%c", *s);
	}
	ok_eq_int(read_file(&conf, why, "bad"), -EINVAL, "refused: %s", text);
	ok_eq_str(why, whole, "and told why");
	conf_free(&conf);
}

#define NO_OPTION                                                                     \
	"\" is no option that a file can have, nor join or include; it has the long " \
	"ones of netrelay --help, without dashes"
#define NO_COMMENT                                                                     \
	": a comment needs a line of its own; if # is part of the value, put that in " \
	"quotes"

static void test_bads(void)
{
	test_bad("",
		 "%: nothing to join: no endpoint is named; add a line join ENDPOINT, "
		 "or listen PORT for a server");
	test_bad("join br0\n", "%: a cable has two ends, and one is named; add a line "
			       "join ENDPOINT, or listen PORT for a server");
	test_bad(
		"join a\njoin b\n\njoin c\njoin d\n",
		"%:4: 4 endpoints are too many for a cable, which has two; to join more, "
		"be a server by a line listen PORT");
	test_bad("listen 1\n\nlisen 5\n",
		 "%:3: \"lisen\" is no option that a file can "
		 "have, nor join or include; did you mean listen?");
	test_bad("--hub\n", "%:1: \"--hub\" is no option that a file can have, nor join "
			    "or include; did you mean hub?");
	test_bad("help\n", "%:1: \"help" NO_OPTION);
	test_bad("config x\n", "%:1: \"config" NO_OPTION);
	test_bad("-l 5000\n", "%:1: \"-l" NO_OPTION);
	test_bad("[one]\nlisten 1\n",
		 "%:1: a file is one relay and has no sections; leave this line out");
	test_bad("tcp:1.2.3.4:5\n", "%:1: \"tcp:1.2.3.4:5\" is no option; an endpoint is "
				    "written as: join tcp:1.2.3.4:5");
	test_bad("br0\n",
		 "%:1: \"br0\" is no option; an endpoint is written as: join br0");
	test_bad("\x1b[m\x02\n", "%:1: \"\\x1b[m\\x02" NO_OPTION);
	test_bad("\x01no\n", "%:1: it begins with a control character");
	test_bad("hub yes\n", "%:1: hub takes no value; say hub alone");
	test_bad("storm\n", "%:1: storm: its value is missing; see netrelay --help");
	test_bad("join\n", "%:1: join: its value is missing; see netrelay --help");
	test_bad("storm x\n", "%:1: storm: \"x\" must be a number from 0 to 4294967295");
	test_bad("listen 1\nstorm 1\nstorm 1\n",
		 "%:3: storm is given twice; give it once");
	test_bad("listen 1\nstorm 1\nhub\n",
		 "%:2: storm is for a switch, and --hub makes "
		 "a hub; leave one of them out");
	test_bad("join a\nhub\njoin b\n", "%:2: hub is for a server, with -l; in a cable "
					  "every frame goes to the other end");
	test_bad(
		"listen 1\njoin fd:7\njoin fd:7\n",
		"%:3: fd:7: this descriptor is given twice, but can be one endpoint only");
	test_bad("listen 1\nlisten 1\n",
		 "%:2: 1: this listener is given twice; once is enough");
	test_bad("listen 1\njoin tap:\n",
		 "%:2: tap:: nothing follows tap:; the form is tap:NAME");
	test_bad("ctl a,b\n",
		 "%:1: ctl a,b: there is no option \"b\"; the form is --ctl "
		 "PATH[,mode=0660][,group=NAME][,allow=uid:NAME+gid:NAME]; a comma "
		 "within a path is doubled");
	test_bad("ctl \"\"\n", "%:1: ctl: the path is empty");
	test_bad("user \"\"\n", "%:1: user: the name is empty");
	test_bad("user nobody\nno-sandbox\nlisten 1\n",
		 "%:1: user gives up rights, and --no-sandbox keeps them; leave one of "
		 "them out");
	test_bad("listen 1 # all\n", "%:1: listen" NO_COMMENT);
	test_bad("listen 1\nctl /x\t# me\n", "%:2: ctl" NO_COMMENT);
	test_bad("listen 1\nhub # all\n", "%:2: hub" NO_COMMENT);
	test_bad("include #x\n", "%:1: include" NO_COMMENT);
	test_bad("join \"a\n", "%:1: join: a quote is not closed");
	test_bad("join \"a\" b\n", "%:1: join: there are too many words");
	test_bad("join \"a\\b\"\n", "%:1: join: within quotes, a backslash must stand "
				    "before \", \\ or n");
	test_bad("include\n", "%:1: include: the file's name is missing");
	test_bad("include \"\"\n", "%:1: include: the file's name is missing");
	test_bad("include \"x\n", "%:1: include: a quote is not closed");
	test_bad("include nix\n", "%:1: include @/nix: No such file or directory");
	test_bad("include /\n", "%:1: include /: it is no file; a configuration must be "
				"one, so that it can be read again");
	test_bad("\ninclude bad\n",
		 "%:2: include @/bad: it is being read already; files must not include "
		 "each other in a circle");
}

static void test_unreadable(void)
{
	char why[WHY_MAX], want[WHY_MAX];
	struct conf conf;

	ok_eq_int(read_file(&conf, why, "none"), -EINVAL, "no file");
	snprintf(want, sizeof(want), "%s: No such file or directory", path_of("none"));
	ok_eq_str(why, want, "told why");
	conf_free(&conf);
	if (mkfifo(path_of("fifo"), 0600) < 0)
		abort();
	ok_eq_int(read_file(&conf, why, "fifo"), -EINVAL, "a FIFO does not hang us");
	conf_free(&conf);
	write_bytes(path_of("zero"), "listen 1\0\n", 10);
	ok_eq_int(read_file(&conf, why, "zero"), -EINVAL, "a zero byte");
	ok(strstr(why, ": it has zero bytes; it must be a text"), "told why");
	conf_free(&conf);
}

/* What the host lacks is no mistake of the user's, and the exit status is another one. */
static void test_host(void)
{
	int next = dup(0);
	struct rlimit old, none = { .rlim_cur = (rlim_t)next };
	char why[WHY_MAX], want[WHY_MAX];
	struct conf conf;

	if (next < 0 || close(next) < 0 || getrlimit(RLIMIT_NOFILE, &old) < 0)
		abort();
	write_file("host", "listen 5\n");
	none.rlim_max = old.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &none) < 0)
		abort();
	ok_eq_int(read_file(&conf, why, "host"), -EMFILE, "no descriptor is left");
	if (setrlimit(RLIMIT_NOFILE, &old) < 0)
		abort();
	snprintf(want, sizeof(want), "%s: Too many open files", path_of("host"));
	ok_eq_str(why, want, "told why");
	conf_free(&conf);
}

/* ---- several files ---- */

static void test_include(void)
{
	char why[WHY_MAX], *got;
	struct conf conf;

	if (mkdir(path_of("sub"), 0700) < 0)
		abort();
	write_file("outer", "include sub/one\njoin c\n");
	write_file("sub/one", "listen 5\ninclude two\njoin b\ninclude two\n");
	write_file("sub/two", "join a\n");
	ok_eq_int(read_file(&conf, why, "outer"), 0, "files that include others");
	got = describe(&conf);
	ok(strstr(got, "[8 a] [8 b] [8 a] [8 c]"), "in the order of the lines");
	free(got);
	conf_free(&conf);
	write_file("sub/two", "storm x\n");
	read_file(&conf, why, "outer");
	ok(strstr(why, "/sub/two:1: storm: \"x\" must be a number"),
	   "the line of a file that is included");
	conf_free(&conf);
}

static void test_bounds(void)
{
	char name[16], text[64], why[WHY_MAX];
	struct conf conf;
	FILE *f;

	for (int i = 0; i < 9; i++) {
		snprintf(name, sizeof(name), "deep%d", i);
		snprintf(text, sizeof(text), "include deep%d\n", i + 1);
		write_file(name, text);
	}
	write_file("deep9", "listen 1\n");
	ok_eq_int(read_file(&conf, why, "deep0"), -EINVAL, "too deep");
	ok(strstr(why, "files are included 8 deep at most"), "told why");
	conf_free(&conf);
	ok_eq_int(read_file(&conf, why, "deep2"), 0, "just deep enough");
	conf_free(&conf);
	f = fopen(path_of("many"), "we");
	for (int i = 0; f && i < 64; i++)
		fputs("include deep9\n", f);
	if (!f || fclose(f) != 0)
		abort();
	ok_eq_int(read_file(&conf, why, "many"), -EINVAL, "too many");
	ok(strstr(why, "too many files are included; 64 are allowed"), "told why");
	conf_free(&conf);
	f = fopen(path_of("large"), "we");
	fputs("listen 1\n", f);
	for (size_t i = 0; i < CONF_FILE_BYTES / 900 + 2; i++)
		fprintf(f, "join exec:%0900d\n", 1);
	fclose(f);
	ok_eq_int(read_file(&conf, why, "large"), -EINVAL, "too large");
	ok(strstr(why, "the configuration is too large; 256 KiB are allowed"),
	   "told why");
	conf_free(&conf);
}

/* ---- with the command line ---- */

static void test_both(void)
{
	const char *file = path_of("both");
	char why[WHY_MAX], *got;
	struct conf conf;

	write_file("both", "storm 7\njoin a\n");
	ok_eq_int(read_words(&conf, why,
			     (const char *const[]){ "b", "-f", file, "-v", "-l", "5",
						    NULL }),
		  0, "a file and options");
	got = describe(&conf);
	ok(strstr(got, "1 server storm=7") && strstr(got, "[8 a] [8 b]"),
	   "go together, the file's endpoints first");
	free(got);
	conf_free(&conf);
	ok_eq_int(
		read_words(&conf, why,
			   (const char *const[]){ "--storm=1", "-f", file, "-l5", NULL }),
		-EINVAL, "an option in both");
	ok(strstr(why, "/both:1: storm is given twice; give it once"), "is told");
	conf_free(&conf);
	ok_eq_int(read_words(&conf, why,
			     (const char *const[]){ "-f", file, "-f", file, NULL }),
		  -EINVAL, "two files");
	ok_eq_str(why, "-f is given twice; one file may include others", "told why");
	conf_free(&conf);
	ok_eq_int(read_words(&conf, why, (const char *const[]){ "-f", "", NULL }),
		  -EINVAL, "an empty name");
	conf_free(&conf);
}

/* @words end with NULL, and @path follows them. */
static void ok_both(const char *path, const char *const *words, const char *want)
{
	const char *all[8] = { NULL };
	char why[WHY_MAX], *got;
	struct conf conf;
	size_t n = 0;

	for (; words[n]; n++)
		all[n] = words[n];
	all[n] = path;
	ok_eq_int(read_words(&conf, why, all), 0, "%s and a file are read", words[0]);
	got = describe(&conf);
	ok(strstr(got, want), "together they say %s", want);
	if (!strstr(got, want))
		printf("# got: %s\n", got);
	free(got);
	conf_free(&conf);
}

/* As a unit that gives flags, whose file gives them, too. */
static void test_flags_in_both(void)
{
	const char *once = path_of("once");
	char why[WHY_MAX];
	struct conf conf;

	write_file("once", "wait\nverbose\nlisten 1\n");
	ok_both(once, (const char *const[]){ "-v", "--wait", "-f", NULL },
		"1 server storm=100000 fdb=16384 wait");
	ok_both(once, (const char *const[]){ "-vv", "-f", NULL }, "2 server");
	ok_both(once, (const char *const[]){ "--wait", "--wait", "-f", NULL },
		"1 server");
	ok_eq_int(read_words(&conf, why,
			     (const char *const[]){ "--print-config", "-v", "--wait",
						    "-f", once, NULL }),
		  0, "print it");
	ok_eq_str(conf.text.data, "verbose\nwait\nlisten 1\n", "each flag once");
	conf_free(&conf);
	write_file("twice", "verbose\nverbose\nlisten 1\n");
	ok_both(path_of("twice"), (const char *const[]){ "-v", "-f", NULL }, "2 server");
}

static void test_access_list(void)
{
	char why[WHY_MAX], list[64];
	struct conf conf;

	snprintf(list, sizeof(list), "%s/bridge.conf", version_conf_dir);
	ok_eq_int(read_words(&conf, why, (const char *const[]){ "-f", list, NULL }),
		  -EINVAL, "the access list is no configuration, there or not");
	ok(strstr(why, "is the access list for bridges; a configuration needs a file of"),
	   "and that is said");
	conf_free(&conf);
	write_file("list", "# who may\n\nallow br0 user:alice\n");
	ok_eq_int(read_file(&conf, why, "list"), -EINVAL, "nor is one elsewhere");
	ok(strstr(why,
		  "/list:3: \"allow\" is of an access list for bridges, and no option; "
		  "a configuration needs a file of its own"),
	   "and that is said");
	conf_free(&conf);
	write_file("list", "deny all\n");
	ok_eq_int(read_file(&conf, why, "list"), -EINVAL, "nor one that denies");
	conf_free(&conf);
}

static void test_check(void)
{
	const char *file = path_of("check");
	char why[WHY_MAX], want[WHY_MAX];
	struct conf conf;

	write_file("check", "listen 5\nlisten 6\njoin a\n");
	ok_eq_int(read_words(&conf, why, (const char *const[]){ "--check", file, NULL }),
		  0, "check");
	snprintf(want, sizeof(want), "%s: ok, a switch with 2 listeners and 1 endpoint\n",
		 file);
	ok_eq_str(conf.text.data, want, "what it is");
	ok_eq_int(conf.action, CONF_CHECK, "is all that is done");
	ok_eq_int(conf.n_faults, 0, "no faults");
	conf_free(&conf);
	write_file("check", "storm x\nlisten 5\nlisten 5\njoin tap:\nhub\nuser a\nhup\n"
			    "include nix\njoin fd:3\njoin fd:3\nno-sandbox\n");
	ok_eq_int(read_words(&conf, why, (const char *const[]){ "--check", file, NULL }),
		  0, "check a file with faults");
	ok_eq_int(conf.n_faults, 8, "all are told");
	for (const char *s = conf.faults.data; s && *s; s += strcspn(s, "\n") + 1)
		ok(!strncmp(s, file, strlen(file)), "each with its line: %.*s",
		   (int)strcspn(s, "\n"), s);
	conf_free(&conf);
	write_file("check", "join a\njoin -\n");
	read_words(&conf, why, (const char *const[]){ "--check", file, NULL });
	ok(strstr(conf.text.data, ": ok, a cable with 2 endpoints"), "a cable");
	conf_free(&conf);
}

/* ---- printed, and read again ---- */

static const char *const values[] = {
	"br0",
	"exec:a b",
	"exec: x",
	"exec:\"q\" # \\",
	"exec:a\nb\n",
	"unix:/a,,b",
	"unix:a ",
	"unix:\"x\"",
	"tap:t0,isolated",
	"tap:t0,name=a,isolated",
	"unix:/a,,b,name=b",
	"fd:7",
	"tcp:h:5,dead=5",
	"unix:\\",
	"exec:a\r",
	"unix:x\t",
	"unix:a #b",
	"unix:a\t#b#",
	"-",
};
static const char *const flags[] = { "--hub", "-v", "--wait", "-vv" };
static const char *const pairs[][2] = {
	{ "-l", "5000" },
	{ "--listen", "unix-listen:\"a\" b" },
	{ "--storm", "7" },
	{ "--fdb-size", "9" },
	{ "--ctl", "/a b,mode=0660" },
	{ "--metrics", "9100" },
	{ "--capture", "f g" },
	{ "--user", " root" },
	{ "--ctl", "# a" },
	{ "--capture", "\n,snap=64,port=a" },
	{ "-l", "[::1]:7" },
};

static const char *pick(const char *const *from, size_t n)
{
	return from[rnd((uint32_t)n)];
}

static unsigned make_words(const char **words)
{
	unsigned n = 0, all = 1 + rnd(8);

	words[n++] = "--print-config";
	for (unsigned i = 0; i < all; i++) {
		unsigned what = rnd(3);
		const char *const *pair = pairs[rnd(ARRAY_SIZE(pairs))];

		if (what == 0) {
			words[n++] = pair[0];
			words[n++] = pair[1];
		} else {
			words[n++] = what == 1 ? pick(values, ARRAY_SIZE(values))
					       : pick(flags, ARRAY_SIZE(flags));
		}
	}
	words[n] = NULL;
	return n;
}

static void test_printed(void)
{
	unsigned good = 0, same = 0;

	random_begin(1);
	for (unsigned i = 0; i < 3000; i++) {
		const char *words[32];
		char why[WHY_MAX], *want, *got;
		struct conf conf, again;

		make_words(words);
		if (read_words(&conf, why, words) < 0) {
			conf_free(&conf);
			continue;
		}
		good++;
		want = describe(&conf);
		write_bytes(path_of("printed"), conf.text.data, conf.text.len);
		if (read_file(&again, why, "printed") == 0) {
			got = describe(&again);
			same += !strcmp(want, got);
			if (strcmp(want, got) != 0)
				printf("# want %s\n# got %s\n", want, got);
			free(got);
		} else {
			printf("# %s\n", why);
		}
		free(want);
		conf_free(&conf);
		conf_free(&again);
	}
	ok(good > 200, "%u command lines", good);
	ok_eq_int(same, good, "what is printed means the same");
}

/* ---- a text that somebody else has read ---- */

static void test_reread(void)
{
	static char words[3][32] = { "netrelay", "-f", "/nowhere" };
	char *argv[] = { words[0], words[1], words[2], NULL };
	static char hostile[] = "a:1\0listen 5\0b\0\x01oh\0cut";
	struct buf text = { .data = hostile, .len = 12 + 1 };
	char why[WHY_MAX];
	struct conf conf;

	ok_eq_int(conf_reread(&conf, 3, argv, &text, why, sizeof(why)), 0, "a text");
	ok(conf.n_listeners == 1 && !strcmp(conf.file, "/nowhere"),
	   "in place of the file");
	conf_free(&conf);
	text.len = sizeof(hostile) - 1;
	ok_eq_int(conf_reread(&conf, 3, argv, &text, why, sizeof(why)), -EINVAL,
		  "a fault");
	ok_eq_str(why, "b: oh", "is told; the rest is left out");
	conf_free(&conf);
	text = (struct buf){ 0 };
	ok_eq_int(conf_reread(&conf, 3, argv, &text, why, sizeof(why)), -EINVAL,
		  "no text");
	conf_free(&conf);
}

int main(void)
{
	char command[64];

	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 1;
	test_goods();
	test_bads();
	test_unreadable();
	test_host();
	test_include();
	test_bounds();
	test_both();
	test_flags_in_both();
	test_access_list();
	test_check();
	test_printed();
	test_reread();
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ok_eq_int(system(command), 0, "nothing is left behind");
	return done();
}
