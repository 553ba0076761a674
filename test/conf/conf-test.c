/* SPDX-License-Identifier: MIT */
/*
 * conf*.c: what the command line may be, what is said when it is wrong, and
 * that the help text fits a screen and shows every form there is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "conf/conf.h"
#include "frame/frame.h"
#include "lib/tap.h"
#include "lib/words.h"

#define WORDS_MAX 9 /* with a NULL */
#define WHY_MAX 1024
#define PUBKEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

struct good {
	const char *words[WORDS_MAX]; /* behind "netrelay" */
	enum conf_action action;
	int verbose;
	const char *
		listeners; /* their texts, each with a blank behind it; NULL: no server */
	const char *endpoints;
};

struct settings {
	const char *words[WORDS_MAX];
	const char *want; /* all that is not at its default, as describe() has it */
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
	{ { "fd:4", "-" }, CONF_RUN, 0, NULL, "fd:4 - " },
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
	{ { "--capture", "-", "br0", "br1" }, CONF_RUN, 0, NULL, "br0 br1 " },
	{ { "--capture", "f", "br0" }, CONF_RUN, 0, NULL, "br0 - " },
	{ { "-h" }, CONF_HELP, 0, NULL, "" },
	{ { "--help" }, CONF_HELP, 0, NULL, "" },
	{ { "br0", "br1", "br2", "--help" }, CONF_HELP, 0, NULL, "" },
	{ { "-V" }, CONF_VERSION, 0, NULL, "" },
	{ { "--version" }, CONF_VERSION, 0, NULL, "" },
	{ { "-vV" }, CONF_VERSION, 1, NULL, "" },
	{ { "--version", "--nonsense" }, CONF_VERSION, 0, NULL, "" },
	{ { "--check-bridge", "br0" }, CONF_CHECK_BRIDGE, 0, NULL, "" },
	{ { "-v", "--check-bridge=br0", "br1", "br2" }, CONF_CHECK_BRIDGE, 1, NULL, "" },
	{ { "genkey" }, CONF_GENKEY, 0, NULL, "" },
	{ { "pubkey" }, CONF_PUBKEY, 0, NULL, "" },
	{ { "genkey", "--help" }, CONF_HELP, 0, NULL, "" },
	{ { "br0", "genkey" }, CONF_RUN, 0, NULL, "br0 genkey " },
	{ { "bridge:genkey", "pubkey" }, CONF_RUN, 0, NULL, "bridge:genkey pubkey " },
	{ { "-l", "5000", "genkey", "pubkey" }, CONF_RUN, 0, "5000 ", "genkey pubkey " },
	{ { "ctl", "-h" }, CONF_HELP, 0, NULL, "" },
	{ { "top", "--help" }, CONF_HELP, 0, NULL, "" },
	{ { "br0", "ctl" }, CONF_RUN, 0, NULL, "br0 ctl " },
	{ { "bridge:ctl", "top" }, CONF_RUN, 0, NULL, "bridge:ctl top " },
	{ { "-l", "5000", "ctl", "top" }, CONF_RUN, 0, "5000 ", "ctl top " },
	{ { "ctls", "tops" }, CONF_RUN, 0, NULL, "ctls tops " },
	{ { "fd:0", "tap:t0,isolated" }, CONF_RUN, 0, NULL, "fd:0 tap:t0,isolated " },
};

static const struct settings settings[] = {
	{ { "br0" }, "" },
	{ { "-l", "5000" }, "" },
	{ { "-l", "5000", "--hub" }, " hub" },
	{ { "--hub", "br0", "-l", "5000" }, " hub" },
	{ { "-l", "5000", "--storm", "0" }, " storm=0" },
	{ { "-l", "5000", "--storm=007" }, " storm=7" },
	{ { "-l", "5000", "--storm", "4294967295" }, " storm=4294967295" },
	{ { "-l", "5000", "--storm", "100000", "--fdb-size", "16384" }, "" },
	{ { "-l", "5000", "--fdb-size", "1" }, " fdb=1" },
	{ { "-l", "5000", "--fdb-size=1048576" }, " fdb=1048576" },
	{ { "br0", "--user", "nobody" }, " user=nobody" },
	{ { "--no-sandbox", "-l", "5000" }, " no-sandbox" },
	{ { "br0", "--wait" }, " wait" },
	{ { "br0", "tap:t0", "--daemon" }, " daemon" },
	{ { "br0", "--pidfile", "/run/p,q" }, " pidfile=/run/p,q" },
	{ { "--key", "/a,b", "trunk:h:1,peer=" PUBKEY }, " key=/a,b" },
	{ { "--key=k", "--peers", "p", "-l", "5000" }, " key=k peers=p" },
	{ { "--key=k", "--peers", "p", "tcp-listen:5", "br0" }, " key=k peers=p" },
	{ { "--key=k", "-l", "tcp-listen:5,peers=p,plain" }, " key=k" },
	{ { "--key=k", "--peers=p", "-l", "tcp-listen:5,plain" }, " key=k peers=p" },
	{ { "--key=k", "--peers=p", "-l", "5", "-l", "5,udp" }, " key=k peers=p" },
	{ { "--key=k", "--ctl=s", "-l", "5000" }, " key=k ctl=s" },
	{ { "--key=k", "--peers=p", "--ctl=s", "br0" }, " key=k peers=p ctl=s" },
	{ { "br0", "--ctl", "/run/s" }, " ctl=/run/s" },
	{ { "br0", "--ctl=a,,b" }, " ctl=a,b" },
	{ { "br0", "--ctl=a,mode=0640" }, " ctl=a mode=640" },
	{ { "br0", "--ctl", "a,group=x,allow=gid:x+uid:0" },
	  " ctl=a mode=660 group=x allow=2" },
	{ { "br0", "--metrics", "9100,allow=10.0.0.0/8+::1" },
	  " metrics=127.0.0.1/4:9100 allow=2" },
	{ { "br0", "--ctl", "--hub" }, " ctl=--hub" },
	{ { "br0", "--metrics", "9100" }, " metrics=127.0.0.1/4:9100" },
	{ { "br0", "--metrics", "0.0.0.0:1" }, " metrics=0.0.0.0/4:1" },
	{ { "br0", "--metrics=[::]:65535" }, " metrics=::/6:65535" },
	{ { "br0", "--capture", "a.pcapng" }, " capture=a.pcapng" },
	{ { "br0", "tap:t0", "--capture", "-" }, " capture=-" },
	{ { "br0", "--capture", "a,,b,dir=in,snap=96" },
	  " capture=a,b snap=96 in=1 out=0" },
	{ { "-l", "5000", "--capture", "-,port=2,dir=out" },
	  " capture=- port=2 in=0 out=1" },
	{ { "-l", "5000", "--capture", "-" }, " capture=-" },
	{ { "fd:0", "fd:3", "--capture", "-" }, " capture=-" },
	{ { "br0", "-", "--capture", "./-" }, " capture=./-" },
	{ { "ctl", "s", "status" }, " action=ctl ctl=s command=status" },
	{ { "ctl", "-v", "add", "--hub", "" }, " action=ctl ctl=-v command=add --hub " },
	{ { "top", "/run/s" }, " action=top ctl=/run/s" },
	{ { "--check-bridge", "br9", "br1" }, " action=check bridge=br9" },
};

#define NOTHING                                                                        \
	"nothing to join: name one or two endpoints, or a port to listen on with -l; " \
	"see netrelay --help"
#define TOO_MANY(n)                                                                          \
	n " endpoints are too many for a cable, which has two; to join more, run a server: " \
	  "netrelay -l PORT TARGET ..."
#define NO_OPTION ": there is no such option; see netrelay --help"
#define STDIO_TWICE \
	"-: stdin and stdout can be one endpoint only; use another endpoint in place of one of them"
#define LISTENER_TWICE ": this listener is given twice; once is enough"
#define FD_TWICE ": this descriptor is given twice, but can be one endpoint only"
#define FD_OF_STDIO ": this descriptor belongs to -, which is given as well"

#define NO_STORM(s) "--storm: \"" s "\" must be a number from 0 to 4294967295"
#define FOR_SERVER \
	" is for a server, with -l; in a cable every frame goes to the other end"
#define FOR_SWITCH " is for a switch, and --hub makes a hub; leave one of them out"
#define NO_METRICS(s)                                                    \
	"--metrics: \"" s "\" must be PORT, ADDR:PORT or [ADDR6]:PORT, " \
	"and PORT from 1 to 65535"
#define TO_STDOUT                                             \
	": --capture - writes to stdout; name a file there, " \
	"or another endpoint here"
#define NOT_FIRST(s)                                             \
	s " must be the first word, as in netrelay " s " PATH; " \
	  "a bridge of that name is bridge:" s

#define NEEDS_KEY " needs a key of our own; add --key FILE, which netrelay genkey writes"

static const struct bad bads[] = {
	{ { NULL }, NOTHING },
	{ { "--daemon" }, NOTHING },
	{ { "--daemon", "br0" },
	  "-: with --daemon there is no stdin and stdout; give two endpoints, or leave "
	  "--daemon out" },
	{ { "-l", "5000", "--capture", "-", "--daemon" },
	  "--capture: with --daemon there is no stdout; name a file" },
	{ { "-l", "5000", "--pidfile", "" }, "--pidfile: the path is empty" },
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
	{ { "br0", "--linger", "br1" }, "--linger" NO_OPTION },
	{ { "--lisen", "5000" },
	  "--lisen: there is no such option; did you mean --listen?" },
	{ { "--storn=5000" },
	  "--storn=5000: there is no such option; did you mean --storm?" },
	{ { "--listen" }, "-l: the port is missing, as in -l 5000" },
	{ { "-f" }, "-f: the file is missing, as in -f lab.conf" },
	{ { "--\x1b[2J\n" }, "--\\x1b[2J\\x0a" NO_OPTION },
	{ { "--help=me" }, "--help=me: this option takes no value; see netrelay --help" },
	{ { "--version=2" },
	  "--version=2: this option takes no value; see netrelay --help" },
	{ { "--check-bridge" },
	  "--check-bridge: its value is missing; see netrelay --help" },
	{ { "--check-bridge", "" }, "--check-bridge: the bridge's name \"\" is empty" },
	{ { "--check-bridge", "a b\n" },
	  "--check-bridge: the bridge's name \"a b\\x0a\" must not contain blanks or control "
	  "characters" },
	{ { "--check-bridge=abcdefghijklmnop" },
	  "--check-bridge: the bridge's name \"abcdefghijklmnop\" is longer than the 15 bytes "
	  "the kernel allows" },
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
	{ { "-l", "5000,isolated" },
	  "5000,isolated: options need the long form, as in tcp-listen:5000,isolated" },
	{ { "--hub=1" }, "--hub=1: this option takes no value; see netrelay --help" },
	{ { "--storm" }, "--storm: its value is missing; see netrelay --help" },
	{ { "br0", "--ctl" }, "--ctl: its value is missing; see netrelay --help" },
	{ { "--c=5" }, "--c=5" NO_OPTION },
	{ { "--storm=" }, NO_STORM("") },
	{ { "--storm", "-1" }, NO_STORM("-1") },
	{ { "--storm", "+1" }, NO_STORM("+1") },
	{ { "--storm", "\t1" }, NO_STORM("\\x091") },
	{ { "--storm", "1 " }, NO_STORM("1 ") },
	{ { "--storm", "0x1" }, NO_STORM("0x1") },
	{ { "--storm", "4294967296" }, NO_STORM("4294967296") },
	{ { "--storm", "18446744073709551617" }, NO_STORM("18446744073709551617") },
	{ { "--fdb-size", "0" }, "--fdb-size: \"0\" must be a number from 1 to 1048576" },
	{ { "--fdb-size", "1048577" },
	  "--fdb-size: \"1048577\" must be a number from 1 to 1048576" },
	{ { "--storm", "1", "--storm", "1" }, "--storm is given twice; give it once" },
	{ { "--ctl=a", "br0", "--ctl=b" }, "--ctl is given twice; give it once" },
	{ { "--metrics=1", "--metrics=2" }, "--metrics is given twice; give it once" },
	{ { "br0", "--user=" }, "--user: the name is empty" },
	{ { "br0", "--user" }, "--user: its value is missing; see netrelay --help" },
	{ { "br0", "--no-sandbox", "--user", "nobody" },
	  "--user gives up rights, and --no-sandbox keeps them; leave one of them out" },
	{ { "--hub" }, NOTHING },
	{ { "--hub", "br0", "br1" }, "--hub" FOR_SERVER },
	{ { "--storm", "1", "br0" }, "--storm" FOR_SERVER },
	{ { "br0", "--fdb-size", "1" }, "--fdb-size" FOR_SERVER },
	{ { "-l", "5000", "--hub", "--storm", "1" }, "--storm" FOR_SWITCH },
	{ { "-l", "5000", "--fdb-size", "1", "--hub" }, "--fdb-size" FOR_SWITCH },
	{ { "--ctl", "" }, "--ctl: the path is empty" },
	{ { "--capture=" }, "--capture: the path is empty" },
	{ { "--capture=,dir=in" }, "--capture: the path is empty" },
	{ { "--capture=f,dri=in" },
	  "--capture: dri=in: not known; a capture may have port=PORT, dir=in, "
	  "dir=out, dir=both, snap=N, with snap up to 69632; a comma in the file's "
	  "name is doubled" },
	{ { "--capture=f,port=web", "-l", "tcp-listen:1,name=wed", "tcp:h:1" },
	  "--capture: port=web: no endpoint has that name; give it one by name=" },
	{ { "--capture=f,port=web-2", "tcp:h:1,name=web" },
	  "--capture: port=web-2: no endpoint has that name; give it one by name=" },
	{ { "tcp:h:1,name=a", "tcp:h:2,name=a" },
	  "a (tcp:h:2): another endpoint has this name; give each its own" },
	{ { "-l", "tcp-listen:5000,name=web", "tcp:h:2,name=web-2" },
	  "web-2 (tcp:h:2): a listener gives its connections such names, NAME-2, NAME-3 "
	  "and so on; choose another" },
	{ { "-l", "5000,name=web" },
	  "5000,name=web: options need the long form, as in tcp-listen:5000,name=web" },
	{ { "--metrics", "" }, NO_METRICS("") },
	{ { "--metrics", "0" }, NO_METRICS("0") },
	{ { "--metrics", "65536" }, NO_METRICS("65536") },
	{ { "--metrics", "-1" }, NO_METRICS("-1") },
	{ { "--metrics", ":9100" }, NO_METRICS(":9100") },
	{ { "--metrics", "::1:9100" }, NO_METRICS("::1:9100") },
	{ { "--metrics", "host:9100" }, NO_METRICS("host:9100") },
	{ { "--metrics", "9100,isolated" },
	  "--metrics 9100,isolated: there is no option \"isolated\"; the form is "
	  "--metrics [ADDR:]PORT[,allow=CIDR+CIDR]" },
	{ { "--metrics", "9100,allow=x" },
	  "--metrics 9100,allow=x: option allow: \"x\" is no network, as 192.0.2.0/24 or "
	  "2001:db8::/32" },
	{ { "--ctl", "a,b" },
	  "--ctl a,b: there is no option \"b\"; the form is --ctl "
	  "PATH[,mode=0660][,group=NAME][,allow=uid:NAME+gid:NAME]; a comma within a "
	  "path is doubled" },
	{ { "--ctl", "a,pad=0" },
	  "--ctl a,pad=0: there is no option \"pad\"; the form is --ctl "
	  "PATH[,mode=0660][,group=NAME][,allow=uid:NAME+gid:NAME]; a comma within a "
	  "path is doubled" },
	{ { "--metrics", "tcp-listen:5" }, NO_METRICS("tcp-listen:5") },
	{ { "--metrics", "unix-listen:x" }, NO_METRICS("unix-listen:x") },
	{ { "--metrics", "\x1b:1" }, NO_METRICS("\\x1b:1") },
	{ { "br0", "--capture", "-" }, "-" TO_STDOUT },
	{ { "--capture=-", "-l", "5000", "br0", "-" }, "-" TO_STDOUT },
	{ { "--capture=-", "br0", "fd:1" }, "fd:1" TO_STDOUT },
	{ { "ctl" },
	  "ctl: the control socket's path is missing; "
	  "the form is netrelay ctl PATH COMMAND" },
	{ { "top" },
	  "top: the control socket's path is missing; "
	  "the form is netrelay top PATH" },
	{ { "ctl", "" }, "ctl: the command is missing; try: netrelay ctl  help" },
	{ { "ctl", "s\n" },
	  "ctl: the command is missing; try: netrelay ctl s\\x0a help" },
	{ { "ctl", "", "status" }, "ctl: the path is empty" },
	{ { "top", "" }, "top: the path is empty" },
	{ { "top", "a", "b" }, "top: one path is enough; the form is netrelay top PATH" },
	{ { "genkey", "key" },
	  "genkey: nothing may follow it; the key is written to stdout; a bridge of that "
	  "name is bridge:genkey" },
	{ { "pubkey", "-" },
	  "pubkey: nothing may follow it; the key is read from stdin; a bridge of that "
	  "name is bridge:pubkey" },
	{ { "-v", "genkey" },
	  "genkey must be the first word, as in netrelay genkey; a bridge of that name is "
	  "bridge:genkey" },
	{ { "--key=", "br0" }, "--key: the path is empty" },
	{ { "--peers", "", "br0" }, "--peers: the path is empty" },
	{ { "--key=a", "--key=a" }, "--key is given twice; give it once" },
	{ { "--key=a", "br0" },
	  "--key: nothing is sealed by it; add peer=PUBKEY to a trunk, or --peers FILE for "
	  "listeners" },
	{ { "--key=a", "trunk:h:1" },
	  "--key: nothing is sealed by it; add peer=PUBKEY to a trunk, or --peers FILE for "
	  "listeners" },
	{ { "--peers=a", "-l", "5000" }, "--peers" NEEDS_KEY },
	{ { "--peers=a", "--key=b", "trunk:h:1,peer=" PUBKEY },
	  "--peers is for listeners, and there is none without a peers= of its own; leave "
	  "--peers out" },
	{ { "--peers=a", "--key=b", "-l", "tcp-listen:1,peers=c" },
	  "--peers is for listeners, and there is none without a peers= of its own; leave "
	  "--peers out" },
	{ { "trunk:h:1,peer=" PUBKEY }, "trunk:h:1,peer=" PUBKEY ": peer=" NEEDS_KEY },
	{ { "-l", "tcp-listen:5,peers=a" }, "tcp-listen:5,peers=a: peers=" NEEDS_KEY },
	{ { "--key=a", "-l", "tcp-listen:5,plain", "trunk:h:1,peer=" PUBKEY },
	  "tcp-listen:5,plain: plain lets in others than the peers, and there are none; "
	  "add peers=FILE, or leave plain out" },
	{ { "--key=a", "--ctl=s", "-l", "5,udp" },
	  "5,udp: over UDP a listener takes peers only; add peers=FILE, or leave udp out" },
	{ { "--key=a", "--peers=b", "-l", "5,udp,plain" },
	  "5,udp,plain: over UDP nobody comes without a key; leave plain out" },
	{ { "--key=a", "--ctl=s", "trunk:h:1,udp" },
	  "trunk:h:1,udp: over UDP a trunk is sealed; add peer=PUBKEY, or leave udp out" },
	{ { "--key=a", "--ctl=s", "trunk:h:1,keepalive=5" },
	  "trunk:h:1,keepalive=5: keepalive= is for trunks over UDP; add udp, or leave it "
	  "out" },
	{ { "trunk:h:1,psk=a" },
	  "trunk:h:1,psk=a: psk= is a secret that is shared with one peer; add "
	  "peer=PUBKEY, or leave psk= out" },
	{ { "-v", "ctl", "s", "status" }, NOT_FIRST("ctl") },
	{ { "--ctl=s", "top" }, NOT_FIRST("top") },
};

static const char *const shown[] = {
	"netrelay [-v] [SRC] [DST]",
	"netrelay [-v] -l PORT [TARGET ...]",
	"netrelay ctl PATH COMMAND",
	"top PATH",
	" genkey | pubkey ",
	"  --key FILE ",
	" --peers FILE ",
	" ,peers=FILE ,plain",
	"-l, --listen PORT, ADDR:PORT, [ADDR6]:PORT",
	"  -f, --config FILE ",
	" --check FILE",
	" --print-config",
	"  --hub ",
	" --storm N ",
	" --fdb-size N ",
	"  --ctl PATH ",
	" --metrics [ADDR:]PORT ",
	" --capture FILE",
	"  --user NAME ",
	" --no-sandbox ",
	" --wait ",
	" --daemon ",
	" --pidfile FILE",
	"-v, --verbose",
	"-h, --help",
	"-V, --version",
	" --check-bridge NAME ",
	"\n  - or tap:NAME or fd:N[,vhost-user] or exec:COMMAND ",
	"  LPORT:ADDR:RPORT or ",
	" LPORT:ADDR: or :ADDR:RPORT ",
	" or LPORT::RPORT ",
	"  ADDR:PORT or tcp:HOST:PORT[,dead=SECONDS] ",
	"  trunk:HOST:PORT[,dead=SECONDS][,peer=PUBKEY][,psk=FILE][,udp] ",
	"  tcp-listen:[ADDR:]PORT[,dead=SECONDS][,udp][,keepalive=SECONDS] ",
	"  unix:PATH or unix-listen:PATH[,mode=0660] ",
	"  udp:HOST:PORT[,local=[ADDR:]PORT] ",
	"  vhost-user:PATH or vhost-user-listen:PATH[,mode=0660] ",
	"  unixgram:PATH,local=PATH or mcast:GROUP:PORT[,if=ADDR]",
	"  NAME or bridge:NAME[,tap=NAME][,mtu=N] ",
	" ,isolated ",
	" ,mac=ADDR ",
	"Exit status: 0 ",
	"1 something failed",
	"2 wrong usage",
};

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
	if (!ok_eq_int(words_read(&conf, good->words, why, sizeof(why)), 0, "%s is read",
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

/* What the options set and is not at its default; the caller's to free. */
static char *describe(const struct conf *conf)
{
	const struct capture_filter *w = &conf->capture_filter;
	const struct endpoint *at = &conf->metrics;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	if (conf->action != CONF_RUN)
		fprintf(out, " action=%s",
			conf->action == CONF_CTL   ? "ctl"
			: conf->action == CONF_TOP ? "top"
						   : "check");
	if (conf->bridge)
		fprintf(out, " bridge=%s", conf->bridge);
	if (conf->hub)
		fputs(" hub", out);
	if (conf->storm_limit != CONF_STORM_LIMIT)
		fprintf(out, " storm=%" PRIu32, conf->storm_limit);
	if (conf->fdb_size != CONF_FDB_SIZE)
		fprintf(out, " fdb=%" PRIu32, conf->fdb_size);
	if (conf->user)
		fprintf(out, " user=%s", conf->user);
	if (conf->no_sandbox)
		fputs(" no-sandbox", out);
	if (conf->wait)
		fputs(" wait", out);
	if (conf->daemon)
		fputs(" daemon", out);
	if (conf->pidfile)
		fprintf(out, " pidfile=%s", conf->pidfile);
	if (conf->key_file)
		fprintf(out, " key=%s", conf->key_file);
	if (conf->peers_file)
		fprintf(out, " peers=%s", conf->peers_file);
	if (conf->ctl_path)
		fprintf(out, " ctl=%s", conf->ctl_path);
	if (conf->ctl.mode && conf->ctl.mode != 0600)
		fprintf(out, " mode=%o", (unsigned)conf->ctl.mode);
	if (conf->ctl.access.group[0])
		fprintf(out, " group=%s", conf->ctl.access.group);
	if (conf->has_metrics)
		fprintf(out, " metrics=%s%s:%u", at->local.host,
			at->local.family == AF_INET ? "/4" : "/6", at->local.port);
	if (at->access.n + conf->ctl.access.n)
		fprintf(out, " allow=%u", at->access.n + conf->ctl.access.n);
	if (conf->capture)
		fprintf(out, " capture=%s", conf->capture);
	if (w->port)
		fprintf(out, " port=%u", w->port);
	if (conf->capture && w->snaplen != FRAME_MAX)
		fprintf(out, " snap=%u", w->snaplen);
	if (conf->capture && !(w->in && w->out))
		fprintf(out, " in=%d out=%d", w->in, w->out);
	for (char **word = conf->command; word && *word; word++)
		fprintf(out, "%s%s", word == conf->command ? " command=" : " ", *word);
	fclose(out);
	return text;
}

static void test_settings(const struct settings *given)
{
	char name[256], why[WHY_MAX];
	struct conf conf;
	char *got;

	line(given->words, name, sizeof(name));
	if (!ok_eq_int(words_read(&conf, given->words, why, sizeof(why)), 0,
		       "%s is read: options", name))
		printf("# %s\n", why);
	got = describe(&conf);
	ok_eq_str(got, given->want, "%s: what the options set", name);
	if (conf.has_metrics)
		ok_eq_int(conf.metrics.kind, ENDPOINT_TCP_LISTEN, "%s: as a listener",
			  name);
	free(got);
	conf_free(&conf);
}

static void test_bad(const struct bad *bad)
{
	char name[256], why[WHY_MAX];
	struct conf conf;

	line(bad->words, name, sizeof(name));
	ok_eq_int(words_read(&conf, bad->words, why, sizeof(why)), -EINVAL,
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

	if (ok_eq_int(words_read(&conf, server, why, sizeof(why)), 0,
		      "a server is read")) {
		ok_eq_int(conf.listeners[0].kind, ENDPOINT_TCP_LISTEN, "-l listens");
		ok_eq_int(conf.listeners[0].local.port, 5000, "-l's port");
		ok_eq_int(conf.endpoints[0].kind, ENDPOINT_BRIDGE,
			  "the target is a bridge");
	}
	conf_free(&conf);
	if (ok_eq_int(words_read(&conf, cable, why, sizeof(why)), 0, "a cable is read")) {
		ok_eq_int(conf.endpoints[0].kind, ENDPOINT_UDP, "the first end is UDP");
		ok_eq_int(conf.endpoints[1].kind, ENDPOINT_STDIO, "the second is stdio");
	}
	conf_free(&conf);
	ok(!conf.listeners && !conf.endpoints, "nothing is left behind");
	conf_free(&conf);
}

/* A socket's path is refused with the first byte too many; a file's may have any length. */
static void test_path(const char *whose, const char *last, size_t longest)
{
	static const size_t lengths[] = { 1, 107, 108, 109, 500 };
	char path[512] = "", want[WHY_MAX], why[WHY_MAX];
	const char *words[WORDS_MAX] = { whose, path, last };
	struct conf conf;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		size_t len = lengths[i];
		bool fits = len <= longest;

		memset(path, 'a', len);
		snprintf(
			want, sizeof(want),
			"%s: the path is %zu bytes long; a unix socket's has %zu at most",
			whose, len, longest);
		ok_eq_int(words_read(&conf, words, why, sizeof(why)), fits ? 0 : -EINVAL,
			  "%s: a path of %zu bytes is %s", whose, len,
			  fits ? "read" : "refused");
		ok_eq_str(why, fits ? "" : want, "%s: a path of %zu bytes", whose, len);
		conf_free(&conf);
	}
}

/* Of files of keys, whose paths the broker is told. */
static void test_key_path(const char *option)
{
	char path[ENDPOINT_FILE_MAX + 1], want[WHY_MAX], why[WHY_MAX];
	const char *words[WORDS_MAX] = { option, path, "--ctl", "s", "br0" };
	struct conf conf;

	memset(path, 'a', sizeof(path));
	path[ENDPOINT_FILE_MAX] = '\0';
	snprintf(want, sizeof(want), "%s: the path has 256 bytes; 255 are allowed",
		 option);
	ok_eq_int(words_read(&conf, words, why, sizeof(why)), -EINVAL, "%s: too long",
		  option);
	ok_eq_str(why, want, "%s: and told", option);
	conf_free(&conf);
	path[ENDPOINT_FILE_MAX - 1] = '\0';
	words_read(&conf, words, why, sizeof(why));
	ok(!strstr(why, "the path"), "%s: the longest", option);
	conf_free(&conf);
}

static void test_paths(void)
{
	test_key_path("--key");
	test_key_path("--peers");
	test_path("ctl", "status", ENDPOINT_PATH_MAX - 1);
	test_path("--capture", "br0", SIZE_MAX);
}

/* A port that is cut at the end of a buffer is another port. */
static void test_long_metrics(void)
{
	char text[ENDPOINT_TEXT_MAX * 2];
	const char *words[WORDS_MAX] = { "--metrics", text, "br0" };
	char why[WHY_MAX];
	struct conf conf;
	int wrong = 0;

	for (size_t zeros = ENDPOINT_TEXT_MAX - 32; zeros < ENDPOINT_TEXT_MAX + 32;
	     zeros++) {
		memset(text, '0', zeros);
		memcpy(text + zeros, "5000", sizeof("5000"));
		if (words_read(&conf, words, why, sizeof(why)) == 0)
			wrong += conf.metrics.local.port != 5000;
		else
			wrong += strncmp(why, "--metrics: ", 11) != 0;
		conf_free(&conf);
	}
	ok_eq_int(wrong, 0, "a long --metrics is never another port");
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
	words_read(&conf, words, why, sizeof(why));
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

	words_read(&conf, words, whole, sizeof(whole));
	conf_free(&conf);
	for (size_t size = 0; size <= strlen(whole) + 8; size++) {
		char *why = malloc(size + 1);

		if (!why)
			abort();
		memset(why, 'z', size + 1);
		wrong += words_read(&conf, words, why, size) != -EINVAL ||
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
	size_t lines = 0, widest = 0;
	struct buf text = { 0 };
	const char *help;

	conf_help(&text);
	help = text.data;
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
	buf_free(&text);
}

/* Before Linux 5.18 a program could be started without even its own name. */
static void test_no_name(void)
{
	char *argv[] = { NULL, NULL };
	char why[WHY_MAX];
	struct conf conf;

	ok_eq_int(conf_read(&conf, 0, argv, why, sizeof(why)), -EINVAL, "no words");
	ok_eq_str(why, NOTHING, "what is missing is told");
	conf_free(&conf);
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(goods); i++)
		test_good(&goods[i]);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		test_settings(&settings[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bads); i++)
		test_bad(&bads[i]);
	test_paths();
	test_long_metrics();
	test_kinds();
	test_fresh_start();
	test_silence();
	test_small_buffers();
	test_help();
	test_no_name();
	return done();
}
