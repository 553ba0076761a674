/* SPDX-License-Identifier: MIT */
/*
 * keys.c: what is read at the start, what of that is refused, and how changes are taken:
 * read by ourselves, and by a broker that knows which files are named.
 */
#include "net/keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "lib/fault.h"
#include "lib/no-memory.h"
#include "lib/said.h"
#include "lib/tap.h"
#include "lib/wide.h"
#include "lib/words.h"
#include "lib/write-text.h"

#define KEY(c) "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" c "="
/* A private key, its public one (RFC 7748, section 6.1, Alice's). */
#define OWN "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo="
#define OWN_PUBLIC "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="

static char dir[] = "/tmp/keys-test.XXXXXX", why[PEERS_WHY_MAX];
static struct conf conf;
static struct keys keys;

static int64_t wall_s; /* the wall clock is ahead by that */

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int ret = (int)syscall(WIDE_clock_gettime, id, ts);

	if (id == CLOCK_REALTIME)
		ts->tv_sec += (time_t)wall_s;
	return ret;
}

static void write_key(const char *path, const char *text)
{
	write_text(path, text);
	chmod(path, 0600);
}

/* In the folder of the test, a file that is changed is another one. */
static void replace(const char *path, const char *text)
{
	write_key("new", text);
	if (rename("new", path) < 0)
		abort();
}

static void read_words(const char *const *words)
{
	conf_free(&conf);
	if (words_read(&conf, words, why, sizeof(why)) < 0) {
		printf("# %s\n", why);
		abort();
	}
}

static int start(void)
{
	memset(why, 0, sizeof(why));
	return keys_start(&keys, &conf, why, sizeof(why));
}

static bool has_own(const char *text)
{
	uint8_t key[SEAL_KEY_BYTES];

	return key_read(key, text, KEY_CHARS) == 0 && keys_own(&keys) &&
	       !memcmp(keys_own(&keys)->pair.key, key, sizeof(key));
}

static const char *name_of(const char *path, const char *text)
{
	const struct peers *peers = keys_peers(&keys, path);
	uint8_t key[SEAL_KEY_BYTES];
	const struct peer *peer;

	if (!peers || key_read(key, text, KEY_CHARS) < 0)
		return NULL;
	peer = peers_find(peers, key);
	return peer ? peer->name : "";
}

static const char *const all[] = {
	"--key",
	"own",
	"--peers",
	"usual",
	"-l",
	"tcp-listen:1",
	"-l",
	"tcp-listen:2,peers=other,name=web",
	"-l",
	"tcp-listen:3,peers=other",
	"trunk:h:1,psk=psk,peer=" KEY("M"),
	NULL,
};

static void write_all_files(void)
{
	write_key("own", OWN "\n");
	write_key("psk", KEY("Q") "\n");
	write_key("psk2", KEY("U") "\n");
	write_key("usual", KEY("A") " a\n" KEY("E") " b psk=psk2\n");
	write_key("other", KEY("A") " c\n");
}

static void test_start(void)
{
	uint8_t psk[SEAL_KEY_BYTES], want[SEAL_KEY_BYTES];
	char text[KEY_TEXT_MAX];

	ok(!keys_own(&keys) && !keys_peers(&keys, ""), "none at first");
	read_words(all);
	ok_eq_int(start(), 0, "a start %s", why);
	ok(has_own(OWN), "our own key");
	key_write(text, keys.own.pair.pub);
	ok_eq_str(text, OWN_PUBLIC, "and the public one");
	ok_eq_str(name_of("", KEY("A")), "a", "a peer of --peers");
	ok_eq_str(name_of("", KEY("E")), "b", "another");
	ok_eq_str(name_of("", KEY("I")), "", "no other");
	ok_eq_str(name_of("other", KEY("A")), "c", "a peer of peers=");
	key_read(want, KEY("Q"), KEY_CHARS);
	ok(keys_psk(&keys, "psk", psk, why, sizeof(why)) == 0 &&
		   !memcmp(psk, want, sizeof(psk)),
	   "a secret");
	memset(want, 0, sizeof(want));
	ok(keys_psk(&keys, NULL, psk, why, sizeof(why)) == 0 &&
		   !memcmp(psk, want, sizeof(psk)),
	   "no secret is all zeros");
	memset(psk, 1, sizeof(psk));
	ok(keys_psk(&keys, "none", psk, why, sizeof(why)) == -ENOENT &&
		   !memcmp(psk, want, sizeof(psk)),
	   "one that is missing is an error, and all zeros");
	ok_eq_str(why, "none: No such file or directory", "which is told");
	keys_free(&keys);
	ok(!keys_own(&keys) && !keys_peers(&keys, ""), "none when it is freed");
}

/* Each file, wrong in each way. */
static const struct {
	const char *path, *text, *why;
} bads[] = {
	{ "own", NULL, "own: No such file or directory" },
	{ "own", "",
	  "own: it has no key: one line of 44 characters, which netrelay genkey prints" },
	{ "own", OWN "\n\n",
	  "own: it has no key: one line of 44 characters, which netrelay genkey prints" },
	{ "psk", NULL, "psk: No such file or directory" },
	{ "psk", "x",
	  "psk: it has no key: one line of 44 characters, which netrelay genkey prints" },
	{ "psk2", "x",
	  "psk2: it has no key: one line of 44 characters, which netrelay genkey prints" },
	{ "usual", NULL, "usual: No such file or directory" },
	{ "other", KEY("A") "\n",
	  "other:1: the peer's name is missing; a line is PUBKEY NAME, and rules" },
	{ "other", "\n" KEY("A") " web-2\n",
	  "other:2: the name web-2 is one that the endpoint tcp-listen:2,peers=other "
	  "gives; choose another" },
};

static void test_bad(void)
{
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		if (bads[i].text)
			replace(bads[i].path, bads[i].text);
		else
			unlink(bads[i].path);
		ok(start() < 0, "%s: \"%s\" is refused", bads[i].path,
		   bads[i].text ? bads[i].text : "(missing)");
		ok_eq_str(why, bads[i].why, "and told");
		ok(!keys_own(&keys) && !keys_peers(&keys, ""), "nothing is taken");
		write_all_files();
	}
}

static void test_limits(void)
{
	char *text = calloc(1, KEYS_FILE_BYTES + 2);

	if (!text)
		abort();
	memset(text, '\n', KEYS_FILE_BYTES + 1);
	replace("own", text);
	ok(start() < 0, "a key of 4 KB and a byte");
	ok_eq_str(why, "own: it is too large for a key; netrelay genkey writes one",
		  "is told");
	free(text);
	unlink("own");
	ok(mkfifo("own", 0600) == 0 && start() < 0, "a pipe");
	ok_eq_str(why, "own: it is no file; it must be one, so that it can be read again",
		  "is told");
	write_key("new", OWN);
	ok(rename("new", "own") == 0, "a key again");
	ok(mkdir("folder", 0700) == 0 && truncate("usual", PEERS_BYTES + 1) == 0 &&
		   start() < 0,
	   "peers of 4 MB and a byte");
	ok_eq_str(why, "usual: the file is too large", "are told");
	rmdir("folder");
	write_all_files();
}

static void test_self(void)
{
	static const char *const words[] = { "--key", "own", "trunk:h:1,peer=" OWN_PUBLIC,
					     "br0", NULL };

	read_words(words);
	ok(start() < 0, "our own key as the peer's");
	ok(strstr(why, ": peer= is our own public key; give that of the host that is "
		       "dialled"),
	   "%s", why);
	read_words(all);
}

static void check_changes(const char *what)
{
	unsigned version = keys.version;

	ok_eq_str(name_of("", KEY("I")), "", "%s: nobody", what);
	replace("usual", KEY("I") " new\n");
	ok_eq_str(name_of("", KEY("I")), "new", "%s: a new peer is there", what);
	ok_eq_str(name_of("", KEY("A")), "", "%s: one that was struck is not", what);
	ok(keys.version != version, "%s: another version", what);
	version = keys.version;
	ok_eq_str(name_of("", KEY("I")), "new", "%s: it stays", what);
	replace("usual", KEY("A") " a\n" KEY("A") " b\n");
	ok_eq_str(name_of("", KEY("I")), "new", "%s: a wrong file changes nothing", what);
	unlink("usual");
	ok_eq_str(name_of("", KEY("I")), "new", "%s: nor does a missing one", what);
	ok_eq_int(keys.version, version, "%s: the same version", what);
	replace("own", KEY("4"));
	ok(has_own(KEY("4")), "%s: another key of our own", what);
	ok(keys.version != version, "%s: another version", what);
	replace("own", "x");
	ok(has_own(KEY("4")), "%s: one that is wrong changes nothing", what);
	write_all_files();
	ok_eq_str(name_of("", KEY("A")), "a", "%s: and back", what);
	ok(has_own(OWN), "%s: the key, too", what);
}

static void check_secret(const char *what)
{
	uint8_t psk[SEAL_KEY_BYTES], want[SEAL_KEY_BYTES];

	replace("psk2", KEY("g"));
	key_read(want, KEY("g"), KEY_CHARS);
	ok(keys_psk(&keys, "psk2", psk, why, sizeof(why)) == 0 &&
		   !memcmp(psk, want, sizeof(psk)),
	   "%s: a secret as it is now", what);
	replace("psk2", "");
	ok(keys_psk(&keys, "psk2", psk, why, sizeof(why)) == -EINVAL, "%s: or none: %s",
	   what, why);
	write_all_files();
}

/* A look is due after a while only, for the relay. */
static void test_rate(void)
{
	keys.look_ms = 1000000;
	ok_eq_int(start(), 0, "a start with few looks");
	ok_eq_str(name_of("", KEY("A")), "a", "the first look");
	replace("usual", KEY("I") " new\n");
	ok_eq_str(name_of("", KEY("I")), "", "the next one is not due");
	keys_look_now(&keys, "");
	ok_eq_str(name_of("", KEY("I")), "new",
		  "but for one who has proved to be a peer");
	replace("usual", KEY("M") " newer\n");
	keys_look_now(&keys, "none");
	ok_eq_str(name_of("", KEY("M")), "", "the next one, neither");
	keys.look_ms = 0;
	ok_eq_str(name_of("", KEY("M")), "newer", "now it is");
	write_all_files();
	keys_free(&keys);
}

static int renew(const struct conf *next)
{
	struct keys before;
	int ret = keys_renew(&keys, next, &before, why, sizeof(why));

	if (ret == 0)
		keys_renewed(&keys, &before, true);
	return ret;
}

static void test_renew(void)
{
	static const char *const less[] = { "--key", "own", "-l",
					    "tcp-listen:2,peers=third", NULL };
	static struct conf next;
	struct keys before;
	unsigned version;

	ok_eq_int(start(), 0, "a start, to be renewed");
	version = keys.version;
	words_read(&next, less, why, sizeof(why));
	ok(renew(&next) < 0, "a file is missing");
	ok_eq_str(why, "third: No such file or directory", "and told");
	ok_eq_str(name_of("other", KEY("A")), "c", "nothing is changed");
	write_key("third", KEY("A") " d\n");
	ok(keys_renew(&keys, &next, &before, why, sizeof(why)) == 0 &&
		   keys_have(&keys, "third") && !keys_have(&keys, "other"),
	   "now it is there");
	keys_renewed(&keys, &before, false);
	ok(keys_have(&keys, "other") && keys_have(&keys, "") &&
		   !keys_have(&keys, "third") && keys_own(&keys),
	   "if what follows comes to nothing, what was before is there again");
	ok_eq_str(name_of("other", KEY("A")), "c", "with its peers");
	ok(keys.version != version, "as another version");
	version = keys.version;
	ok_eq_int(renew(&next), 0, "once more");
	ok(keys.version != version, "another version");
	ok_eq_str(name_of("third", KEY("A")), "d", "its peers");
	ok(!keys_peers(&keys, ""), "no others");
	conf_free(&next);
	unlink("third");
	keys_free(&keys);
}

/* What others may do with a file is told once, for each time that it becomes so. */
static void test_modes(void)
{
	static const char *const files[] = { "own", "psk", "psk2" };

	for (unsigned i = 0; i < 3; i++) {
		char want[64];

		chmod(files[i], 0640);
		is_silent();
		snprintf(want, sizeof(want), "%s: others can read this key; chmod 600 %s",
			 files[i], files[i]);
		ok(start() == 0 && was_said(want), "%s", want);
		ok(renew(&conf) == 0 && is_silent(), "and not again");
		keys_free(&keys);
		write_all_files();
		chmod(files[i], 0600);
	}
	ok(start() == 0 && is_silent(), "of files of ours alone nothing is told");
	chmod("usual", 0620);
	name_of("", KEY("A"));
	ok(was_said("usual: others can change who may come; chmod go-w usual"),
	   "who may come is to be changed by nobody else");
	chmod("usual", 0622);
	name_of("", KEY("A"));
	ok(is_silent(), "which is told once");
	ok(renew(&conf) == 0 && is_silent(), "also if it is renewed");
	chmod("usual", 0644);
	name_of("", KEY("A"));
	is_silent();
	chmod("usual", 0602);
	name_of("", KEY("A"));
	ok(was_said("others can change who may come"), "or once more");
	keys.is_quiet = true;
	chmod("own", 0644);
	keys_own(&keys);
	ok(is_silent(), "one that is to be quiet is");
	keys_free(&keys);
	keys.is_quiet = false;
	write_all_files();
	chmod("usual", 0600);
	chmod("own", 0600);
}

static void test_no_memory(void)
{
	const struct peers *peers;
	unsigned granted = 0;
	int ret = -1;

	while (granted < 100 && ret < 0) {
		no_memory_after = granted++;
		no_memory = true;
		ret = start();
		no_memory = false;
		if (ret < 0 && (!strstr(why, "memory") || keys.peers || keys_own(&keys)))
			ok(false, "%u allocations: %s", granted - 1, why);
	}
	ok(ret == 0 && granted > 5,
	   "memory that ends anywhere is told, and all is freed");
	no_memory = true;
	peers = keys_peers(&keys, "third");
	no_memory = false;
	ok(peers && !peers->n, "without memory for a file nobody may come");
	keys_free(&keys);
}

/* ---- with a broker ---- */

static struct keys named; /* the broker's */

static size_t limit(const char *path, void *arg)
{
	(void)arg;
	named.is_quiet = true;
	return keys_limit(&named, &conf, path);
}

static void test_limit_of(void)
{
	static const struct {
		const char *path;
		size_t limit;
	} cases[] = {
		{ "own", KEYS_FILE_BYTES },
		{ "psk", KEYS_FILE_BYTES },
		{ "psk2", KEYS_FILE_BYTES },
		{ "usual", PEERS_BYTES },
		{ "other", PEERS_BYTES },
		{ "", 0 },
		{ "none", 0 },
		{ "./own", 0 },
		{ "/etc/passwd", 0 },
		{ "own/", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok_eq_int(limit(cases[i].path, NULL), cases[i].limit,
			  "how many bytes \"%s\" may have", cases[i].path);
	keys_free(&named);
}

static void test_broker(void)
{
	static const struct broker_rules rules = { .file = limit };
	static struct broker broker;
	uint8_t psk[SEAL_KEY_BYTES];

	ok_eq_int(broker_start(&broker, &rules), 0, "a broker");
	ok_eq_int(start(), 0, "a start, with one");
	keys.broker = &broker;
	check_changes("broker");
	check_secret("broker");
	replace("usual", KEY("A") " a psk=psk3\n");
	write_key("psk3", KEY("k"));
	ok_eq_int(keys_psk(&keys, "psk3", psk, why, sizeof(why)), 0,
		  "a secret that is named now");
	ok_eq_int(keys_psk(&keys, "psk2", psk, why, sizeof(why)), -EPERM,
		  "one that is named no more");
	ok_eq_str(why, "psk2: the configuration does not name it", "and told");
	unlink("psk3");
	write_all_files();
	ok_eq_int(renew(&conf), 0, "renewed by it");
	ok_eq_str(name_of("other", KEY("A")), "c", "all of it");
	broker_stop(&broker);
	keys.broker = NULL;
	keys_free(&keys);
}

/* A broker that hears and says nothing is not asked for each connection. */
static void test_silent(void)
{
	struct broker broker = { .is_on = true, .answer_ms = 20 };
	char question[4096];
	int sv[2], asked = 0;

	ok_eq_int(start(), 0, "a start, and then a silent broker");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		abort();
	broker.fd = sv[0];
	keys.broker = &broker;
	for (int i = 0; i < 10; i++)
		ok_eq_str(name_of("", KEY("A")), "a", "what it had until now is there");
	while (recv(sv[1], question, sizeof(question), MSG_DONTWAIT) > 0)
		asked++;
	ok_eq_int(asked, 1, "the broker is asked once");
	close(sv[0]);
	close(sv[1]);
	keys.broker = NULL;
	keys_free(&keys);
}

/* Peers believe no handshake that is earlier than the last one. */
static void test_clock(void)
{
	uint64_t at, last, before = (uint64_t)time(NULL);
	struct keys old;

	read_words(all);
	start();
	at = identity_time(keys_own(&keys));
	ok(at / 1000000000 - before <= 60, "our time is that of the wall clock");
	wall_s = -3600;
	last = at;
	at = identity_time(keys_own(&keys));
	ok(at > last && at - last < 600000000000, "set back by an hour, and it goes on");
	last = at;
	keys_renew(&keys, &conf, &old, why, sizeof(why));
	keys_renewed(&keys, &old, true);
	at = identity_time(keys_own(&keys));
	ok(at > last && at - last < 600000000000, "also when the files are read again");
	wall_s = 3600;
	last = at;
	at = identity_time(keys_own(&keys));
	ok(at - last >= 3600000000000, "set forward, and it is, too");
	wall_s = 0;
	keys_free(&keys);
	keys = (struct keys){ 0 };
	start();
	ok(identity_time(keys_own(&keys)) < at,
	   "who starts again has nothing but the clock");
	wall_s = -(int64_t)before - 3600;
	keys_free(&keys);
	keys = (struct keys){ 0 };
	start();
	at = identity_time(keys_own(&keys));
	ok(at <= loop_now_ns(), "nor a host without a clock even that");
	wall_s = 0;
	keys_free(&keys);
}

int main(void)
{
	unsigned before;

	said_begin();
	before = fault_open_fds();
	if (!mkdtemp(dir) || chdir(dir) < 0)
		return 1;
	write_all_files();
	test_start();
	test_bad();
	test_limits();
	test_self();
	ok_eq_int(start(), 0, "a start");
	check_changes("ourselves");
	check_secret("ourselves");
	keys_free(&keys);
	test_rate();
	test_renew();
	test_modes();
	test_no_memory();
	test_limit_of();
	test_broker();
	test_silent();
	test_clock();
	conf_free(&conf);
	for (const char *const *f = (const char *const[]){ "own", "psk", "psk2", "usual",
							   "other", NULL };
	     *f; f++)
		unlink(*f);
	ok_eq_int(fault_open_fds(), before, "no descriptor is left open");
	ok(chdir("/") == 0 && rmdir(dir) == 0, "nothing is left behind");
	return done();
}
