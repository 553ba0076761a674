/* SPDX-License-Identifier: MIT */
/*
 * Reads the command line, and the file that it names. getopt_long() takes the options; the
 * words that remain are endpoints. The statements of a file (conf-file.c) stand for options
 * and endpoints, too, and one function serves both (conf-option.c). Last, check_options()
 * refuses options that do not fit the mode (cable, switch or hub), and conf_check()
 * refuses endpoints that conflict.
 */
#include "conf/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "base/parts.h"
#include "base/version.h"
#include "conf/conf-check.h"
#include "conf/conf-file.h"
#include "conf/conf-option.h"
#include "conf/endpoint-name.h"
#include "conf/endpoint-parts.h"

/* getopt_long() does not name a wrong long option: it is the last word taken, @word. */
static int refuse_option(struct conf_reader *r, const char *word)
{
	struct near near = { .word = word + 2, .len = strcspn(word, "=") };
	char hint[NEAR_HINT_MAX];

	if (optopt && conf_option(optopt))
		return conf_refuse(r, "%.64s: this option takes no value; " SEE_HELP,
				   word);
	if (optopt)
		return conf_refuse(r, "-%c: there is no such option; " SEE_HELP, optopt);
	near.len -= min_size(near.len, 2);
	for (const struct option *o = conf_longs; o->name; o++)
		near_try(&near, o->name);
	return conf_refuse(r, "%.64s: there is no such option%s", word,
			   near.found ? near_hint(&near, "--", hint) : "; " SEE_HELP);
}

static int refuse_without_value(struct conf_reader *r)
{
	if (optopt == 'l')
		return conf_refuse(r, "-l: the port is missing, as in -l 5000");
	if (HAS_CONFIG && optopt == 'f')
		return conf_refuse(r, "-f: the file is missing, as in -f lab.conf");
	return conf_refuse(r, "--%s: its value is missing; " SEE_HELP,
			   conf_option(optopt)->name);
}

/* ---- the file ---- */

/*
 * Whether it is the access list for bridges, which lies where configurations do: who adds
 * to it what a configuration must have spoils it, and nobody may join a bridge any more.
 */
static bool is_access_list(const char *path)
{
	size_t len = strlen(version_conf_dir);

	return !strncmp(path, version_conf_dir, len) &&
	       !strcmp(path + len, "/bridge.conf");
}

/*
 * Read what the file says.
 * @text: the records to use in its place, or NULL
 */
static int read_file(struct conf_reader *r, const char *path, const struct buf *text)
{
	struct conf_line line;
	char *at, *end;
	int err = 0, lack = 0;

	if (r->conf->file)
		return conf_refuse(r, "-f is given twice; one file may include others");
	if (!*path)
		return conf_refuse(r, "-f: the path is empty");
	if (HAS_BRIDGE && is_access_list(path))
		return conf_refuse(
			r, "%.256s is the access list for bridges; " CONF_NO_LIST, path);
	r->conf->file = path;
	if (text)
		buf_add(&r->file, text->data, text->len);
	else
		lack = conf_file_read(path, &r->file);
	if (r->file.failed) {
		conf_refuse(r, "%.256s: no memory to read it", path);
		return -ENOMEM;
	}
	at = r->file.data;
	end = at ? at + r->file.len : NULL;
	while (!err && at && at != end && conf_file_next(&at, end, &line))
		err = conf_option_line(r, &line);
	/* The user did nothing wrong if it was the host. */
	return err == -EINVAL && line.is_fault && lack ? lack : err;
}

/* ---- the command line ---- */

/*
 * Read an option that says what to do, and is no part of a configuration.
 *
 * Return: 0; 1 when nothing else matters any more; -errno.
 */
static int read_action(struct conf_reader *r, int c, const struct buf *text)
{
	struct conf *conf = r->conf;
	const char *fault;

	switch (c) {
	case 'h':
	case 'V':
		conf->action = c == 'h' ? CONF_HELP : CONF_VERSION;
		return 1;
	case OPT_CHECK_BRIDGE:
		if (!HAS_BRIDGE)
			return conf_refuse_part(r, "--check-bridge");
		conf->action = CONF_CHECK_BRIDGE;
		conf->bridge = optarg;
		fault = part_name_fault(optarg);
		return fault ? conf_refuse(
				       r,
				       "--check-bridge: the bridge's name \"%.64s\" %s",
				       optarg, fault)
			     : 1;
	case OPT_PRINT_CONFIG:
		conf->action = CONF_PRINT;
		return HAS_CONFIG ? 0 : conf_refuse_part(r, "--print-config");
	case OPT_CHECK:
		conf->action = CONF_CHECK;
		r->collects = true;
		return HAS_CONFIG ? read_file(r, optarg, text)
				  : conf_refuse_part(r, "--check");
	default:
		return HAS_CONFIG ? read_file(r, optarg, text)
				  : conf_refuse_part(r, "-f");
	}
}

static int read_options(struct conf_reader *r, int argc, char **argv,
			const struct buf *text)
{
	int c, err = 0;

	optind = 0; /* have both glibc and musl begin anew */
	opterr = 0;
	while (!err &&
	       (c = getopt_long(argc, argv, ":hf:l:vV", conf_longs, NULL)) != -1) {
		if (c == ':')
			err = refuse_without_value(r);
		else if (c == '?')
			err = refuse_option(r, argv[optind - 1]);
		else if (c == 'l' || c == 'v' || (c >= OPT_HUB && c < OPT_END))
			err = conf_settle(r, conf_option_set(r, c, optarg));
		else
			err = read_action(r, c, text);
	}
	return err;
}

static bool is_key_tool(const char *word)
{
	return !strcmp(word, "genkey") || !strcmp(word, "pubkey");
}

static bool is_client(const char *word)
{
	return !strcmp(word, "ctl") || !strcmp(word, "top") || is_key_tool(word);
}

static int read_key_tool(struct conf_reader *r, int argc, char **argv)
{
	const char *word = argv[1];
	bool is_pubkey = *word == 'p';

	if (!HAS_KEYS)
		return conf_refuse_part(r, word);
	if (argc > 2 && strcmp(argv[2], "-h") != 0 && strcmp(argv[2], "--help") != 0)
		return conf_refuse(r,
				   "%s: nothing may follow it; %s; a bridge of that name "
				   "is bridge:%s",
				   word,
				   is_pubkey ? "the key is read from stdin"
					     : "the key is written to stdout",
				   word);
	r->conf->action = argc > 2 ? CONF_HELP : is_pubkey ? CONF_PUBKEY : CONF_GENKEY;
	return 0;
}

/*
 * Read "netrelay ctl PATH COMMAND...", "netrelay top PATH" and so on. The words behind
 * PATH belong to the client, even those that look like options. A bridge that is called
 * ctl or top must be named as bridge:ctl or bridge:top.
 */
static int read_client(struct conf_reader *r, int argc, char **argv)
{
	struct conf *conf = r->conf;
	const char *word = argv[1];
	bool is_top = !strcmp(word, "top");

	if (is_key_tool(word))
		return read_key_tool(r, argc, argv);
	if (is_top ? !HAS_TOP : !HAS_CTL)
		return conf_refuse_part(r, word);
	if (argc < 3)
		return conf_refuse(
			r,
			"%s: the control socket's path is missing; the form is "
			"netrelay %s",
			word, is_top ? "top PATH" : "ctl PATH COMMAND");
	if (!strcmp(argv[2], "-h") || !strcmp(argv[2], "--help")) {
		conf->action = CONF_HELP;
		return 0;
	}
	if (is_top && argc > 3)
		return conf_refuse(
			r, "top: one path is enough; the form is netrelay top PATH");
	if (!is_top && argc < 4)
		return conf_refuse(
			r, "ctl: the command is missing; try: netrelay ctl %.64s help",
			argv[2]);
	conf->action = is_top ? CONF_TOP : CONF_CTL;
	conf->command = argv + 3;
	return conf_option_path(r, &conf->ctl_path, argv[2], word);
}

/*
 * A cable has two ends. On the command line the second one may be left out: then it is -.
 * A file says what it means.
 */
static int check_ends(struct conf_reader *r, size_t n)
{
	const char *file = r->conf->file;
	int err;

	if (n == 0 && !file)
		return conf_refuse(r, "nothing to join: name one or two endpoints, "
				      "or a port to listen on with -l; " SEE_HELP);
	if (n < 2 && file)
		return conf_refuse(r,
				   "%.256s: %s; add a line join ENDPOINT, or listen PORT "
				   "for a server",
				   file,
				   n ? "a cable has two ends, and one is named"
				     : "nothing to join: no endpoint is named");
	if (HAS_CONFIG && r->conf->n_endpoints > 2 && r->whence.endpoints) {
		r->where = r->whence.endpoints[2];
		err = conf_refuse(
			r,
			"%zu endpoints are too many for a cable, which has two; "
			"to join more, be a server by a line listen PORT",
			n);
		r->where = NULL;
		return err;
	}
	if (n > 2)
		return conf_refuse(
			r,
			"%zu endpoints are too many for a cable, which has two; "
			"to join more, run a server: netrelay -l PORT TARGET ...",
			n);
	return 0;
}

static int read_operands(struct conf_reader *r, size_t n, char **operands)
{
	const struct conf *conf = r->conf;
	size_t all = n + conf->n_endpoints;
	int err = 0;

	if (!conf->server && n && is_client(operands[0]))
		return conf_refuse(r,
				   "%s must be the first word, as in netrelay %s%s; a "
				   "bridge of that name is bridge:%s",
				   operands[0], operands[0],
				   is_key_tool(operands[0]) ? "" : " PATH", operands[0]);
	if (!conf->server && !conf->n_faults)
		err = conf_settle(r, check_ends(r, all));
	for (size_t i = 0; i < n && !err; i++)
		err = conf_settle(r, conf_option_set(r, OPT_JOIN, operands[i]));
	if (!conf->server && all == 1 && !conf->file && !err)
		err = conf_option_set(r, OPT_JOIN, "-");
	return err;
}

/* ---- what must fit together ---- */

/* With --ctl an endpoint of that name may still be added. */
static int check_capture(struct conf_reader *r)
{
	const char *name = r->conf->capture_filter.name;
	bool may_be = !*name || r->conf->ctl_path;

	for (size_t i = 0; i < conf_count(r->conf); i++)
		may_be |= endpoint_may_name(conf_nth(r->conf, i), name);
	return may_be ? 0
		      : conf_refuse(r,
				    "--capture: port=%s: no endpoint has that name; give "
				    "it one by name=",
				    name);
}

/* What is wrong with both is told with --peers. */
static int check_key_files(struct conf_reader *r, int c)
{
	const struct conf *conf = r->conf;
	const char *fault = HAS_KEYS ? conf_check_key_files(conf) : NULL;

	if (!fault || (c == OPT_KEY && conf->peers_file))
		return 0;
	return conf_refuse(r, "%s", fault);
}

/* Options of a switch or a hub in other modes, and others that contradict. */
static int check_option(struct conf_reader *r, int c)
{
	const struct conf *conf = r->conf;
	const char *name = conf_option(c)->name;

	if (!conf->given[c - OPT_HUB])
		return 0;
	if (c == OPT_USER && conf->no_sandbox)
		return conf_refuse(
			r, "--user gives up rights, and --no-sandbox keeps them; leave "
			   "one of them out");
	if (c == OPT_DAEMON && conf->capture && !strcmp(conf->capture, "-"))
		return conf_refuse(
			r, "--capture: with --daemon there is no stdout; name a file");
	if (c == OPT_CAPTURE)
		return check_capture(r);
	if (c == OPT_KEY || c == OPT_PEERS)
		return check_key_files(r, c);
	if (c != OPT_HUB && c != OPT_STORM && c != OPT_FDB_SIZE)
		return 0;
	if (!conf->server)
		return conf_refuse(r,
				   "--%s is for a server, with -l; in a cable every "
				   "frame goes to the other end",
				   name);
	if (conf->hub && c != OPT_HUB)
		return conf_refuse(r,
				   "--%s is for a switch, and --hub makes a hub; "
				   "leave one of them out",
				   name);
	return 0;
}

static int check_options(struct conf_reader *r)
{
	static const int order[] = { OPT_USER, OPT_DAEMON,  OPT_STORM, OPT_FDB_SIZE,
				     OPT_HUB,  OPT_CAPTURE, OPT_KEY,   OPT_PEERS };
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(order) && !err; i++) {
		r->where = r->whence.options[order[i] - OPT_HUB];
		err = conf_settle(r, check_option(r, order[i]));
	}
	r->where = NULL;
	return err;
}

static int check_endpoints(struct conf_reader *r)
{
	const struct conf *conf = r->conf;
	int err = 0;

	for (size_t i = 0; i < conf_count(conf) && !err; i++) {
		const char *fault = conf_check(conf, i);
		char label[ENDPOINT_TEXT_MAX];

		if (!fault)
			continue;
		r->where = i < conf->n_listeners
				   ? r->whence.listeners[i]
				   : r->whence.endpoints[i - conf->n_listeners];
		err = conf_settle(r, conf_refuse(r, "%.64s: %s",
						 endpoint_label(conf_nth(conf, i), label,
								sizeof(label)),
						 fault));
	}
	r->where = NULL;
	return err;
}

const struct endpoint *conf_nth(const struct conf *conf, size_t i)
{
	return i < conf->n_listeners ? &conf->listeners[i]
				     : &conf->endpoints[i - conf->n_listeners];
}

bool conf_has_fd(const struct conf *conf, int fd)
{
	for (size_t i = 0; i < conf->n_endpoints; i++)
		if (conf->endpoints[i].fd == fd)
			return true;
	return false;
}

/* "a switch with 2 listeners and 3 endpoints" */
static void tell_ok(struct conf *conf)
{
	static const char *const plural[] = { "s", "", "s" };
	size_t n = conf->n_listeners, m = conf->n_endpoints;

	buf_free(&conf->text);
	if (conf->server)
		buf_printf(&conf->text,
			   "%s: ok, a %s with %zu listener%s and %zu endpoint%s\n",
			   conf->file, conf->hub ? "hub" : "switch", n,
			   plural[min_size(n, 2)], m, plural[min_size(m, 2)]);
	else
		buf_printf(&conf->text, "%s: ok, a cable with 2 endpoints\n", conf->file);
}

static int read_all(struct conf_reader *r, int argc, char **argv, const struct buf *text)
{
	struct conf *conf = r->conf;
	int err = read_options(r, argc, argv, text);
	size_t n = argc > optind ? (size_t)(argc - optind) : 0;

	if (err)
		return err < 0 ? err : 0;
	err = read_operands(r, n, argv + optind);
	if (!err)
		err = check_options(r);
	if (!err)
		err = check_endpoints(r);
	if (!err && conf->action == CONF_CHECK)
		tell_ok(conf);
	else if (conf->action != CONF_PRINT)
		buf_free(&conf->text);
	if (err || !(conf->text.failed | conf->faults.failed))
		return err;
	conf_refuse(r, "no memory for the answer");
	return -ENOMEM;
}

int conf_reread(struct conf *conf, int argc, char **argv, const struct buf *text,
		char *why, size_t size)
{
	struct conf_reader r = { .conf = conf, .why = why, .size = size };
	int err;

	*conf = (struct conf){
		.action = CONF_RUN,
		.storm_limit = CONF_STORM_LIMIT,
		.fdb_size = CONF_FDB_SIZE,
		.argc = argc,
		.argv = argv,
	};
	if (size)
		*why = '\0';
	err = argc > 1 && is_client(argv[1]) ? read_client(&r, argc, argv)
					     : read_all(&r, argc, argv, text);
	free(r.whence.listeners);
	free(r.whence.endpoints);
	buf_free(&r.file);
	return err;
}

int conf_read(struct conf *conf, int argc, char **argv, char *why, size_t size)
{
	return conf_reread(conf, argc, argv, NULL, why, size);
}

const char *conf_fixed(const struct conf *a, const struct conf *b)
{
	if (a->server != b->server)
		return "listen";
	for (const struct option *o = conf_longs; o->name; o++) {
		const char *x, *y;

		if (o->val < OPT_HUB || o->val >= OPT_END || o->val == OPT_STORM)
			continue;
		x = a->given[o->val - OPT_HUB];
		y = b->given[o->val - OPT_HUB];
		if (!x != !y || (x && strcmp(x, y) != 0))
			return o->name;
	}
	return NULL;
}

void conf_free(struct conf *conf)
{
	free(conf->listeners);
	free(conf->endpoints);
	free(conf->capture);
	for (size_t i = 0; i < CONF_OPTIONS; i++)
		free(conf->given[i]);
	buf_free(&conf->text);
	buf_free(&conf->faults);
	*conf = (struct conf){ .action = CONF_RUN };
}

/* A line is left out if all that it has is. */
static const char *const help[] = {
	"usage: netrelay [-v] [SRC] [DST]           a cable; an omitted endpoint is -",
	"       netrelay [-v] -l PORT [TARGET ...]  a switch; it joins the TARGETs too",
	HAS_CTL || HAS_KEYS
		? "       netrelay ctl PATH COMMAND | top PATH | genkey | pubkey   control; keys"
		: NULL,
	HAS_VHOST
		? "  -l, --listen PORT, ADDR:PORT, [ADDR6]:PORT, tcp-, unix-, "
		  "vhost-user-listen:"
		: "  -l, --listen PORT, ADDR:PORT, [ADDR6]:PORT, tcp-listen: or unix-listen:",
	HAS_CONFIG ? "  -f, --config FILE  has endpoints and options  --check FILE   "
		     "--print-config"
		   : NULL,
	"  --hub  frames to all   --storm N  broadcasts/s of a port    --fdb-size N  MACs",
	HAS_CTL || HAS_METRICS || HAS_CAPTURE
		? "  --ctl PATH  for ctl, top   --metrics [ADDR:]PORT  Prometheus   --capture FILE"
		: NULL,
	HAS_KEYS
		? "  --key FILE  our own, for sealed trunks   --peers FILE  who may come "
		  "to -l"
		: NULL,
	HAS_USERS || HAS_SERVICE
		? "  --user NAME --no-sandbox  --wait  for what is missing  --daemon "
		  "--pidfile FILE"
		: "  --no-sandbox   --wait  for what is missing",
	HAS_BRIDGE || HAS_TRACE
		? "  -v, --verbose; -vv frames --check-bridge NAME may I? -h, --help  -V, "
		  "--version"
		: "  -v, --verbose   -h, --help   -V, --version",
	"Endpoints; ADDR is an IPv4 address or an [IPv6] one, HOST is ADDR or a name:",
	HAS_FD &&HAS_VHOST
		? "  - or tap:NAME or fd:N[,vhost-user] or exec:COMMAND  stdio; "
		  "tap; socket; child"
	: HAS_FD || HAS_EXEC
		? "  - or tap:NAME or fd:N or exec:COMMAND  stdin and stdout; tap; "
		  "socket; command"
		: "  - or tap:NAME  stdin and stdout; tap",
	HAS_DATAGRAMS ? "  LPORT:ADDR:RPORT or LPORT:ADDR: or :ADDR:RPORT or "
			"LPORT::RPORT  UDP; :: is us"
		      : NULL,
	"  ADDR:PORT or tcp:HOST:PORT[,dead=SECONDS]  TCP, to a listening server",
	HAS_KEYS
		? "  trunk:HOST:PORT[,dead=SECONDS][,peer=PUBKEY][,psk=FILE][,udp]  to a "
		  "netrelay"
	: HAS_TRUNK
		? "  trunk:HOST:PORT[,dead=SECONDS]     TCP to another netrelay, and faster"
		: NULL,
	HAS_KEYS
		? "  tcp-listen:[ADDR:]PORT[,dead=SECONDS][,udp][,keepalive=SECONDS]  accepted"
		: "  tcp-listen:[ADDR:]PORT[,dead=SECONDS]  TCP, accepted",
	"  unix:PATH or unix-listen:PATH[,mode=0660]  unix socket; a comma is doubled",
	HAS_VHOST ? "  vhost-user:PATH or vhost-user-listen:PATH[,mode=0660]  a guest's "
		    "own memory"
		  : NULL,
	HAS_DATAGRAMS ? "  udp:HOST:PORT[,local=[ADDR:]PORT]  UDP; by default with the "
			"same local port"
		      : NULL,
	HAS_MCAST ? "  unixgram:PATH,local=PATH or mcast:GROUP:PORT[,if=ADDR]; IPv6: "
		    "if=INTERFACE"
	: HAS_DATAGRAMS ? "  unixgram:PATH,local=PATH"
			: NULL,
	HAS_BRIDGE ? "  NAME or bridge:NAME[,tap=NAME][,mtu=N]     bridge, joined by a "
		     "new tap"
		   : NULL,
	HAS_EXEC || HAS_NAMING
		? "Rules, after any long form but exec: ,name=WORD ,isolated "
		  ",mac=ADDR (8) ,pad=0"
		: "Rules, after a long form: ,isolated ,mac=ADDR (8) ,pad=0",
	HAS_ACCESS || HAS_KEYS ? "Listeners: ,allow=CIDR ,max=N ,per-address=N "
				 ",accept-rate=N ,peers=FILE ,plain"
			       : NULL,
	"Exit status: 0 stopped, or stdin ended; 1 something failed; 2 wrong usage",
};

void conf_help(struct buf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(help); i++)
		if (help[i])
			buf_printf(out, "%s\n", help[i]);
}
