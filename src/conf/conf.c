/* SPDX-License-Identifier: MIT */
/*
 * Reads the command line. getopt_long() takes the options; the words that remain are
 * endpoints, which endpoint_parse() reads in the order given. Last, check_options()
 * refuses options that do not fit the mode (cable, switch or hub), and conf_check()
 * refuses endpoints that conflict.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/parts.h"
#include "base/util.h"
#include "conf/conf-check.h"
#include "conf/conf.h"

#define MESSAGE_MAX 512
#define SOCKET_PATH_MAX (ENDPOINT_PATH_MAX - 1) /* without its NUL */
#define SEE_HELP "see netrelay --help"

/* The message is escaped: it may repeat what was typed, and that may control a terminal. */
PRINTF_LIKE(3, 4) static int refuse(char *why, size_t size, const char *fmt, ...)
{
	char msg[MESSAGE_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(msg, sizeof(msg), fmt, args);
	va_end(args);
	escape_text(why, size, msg);
	return -EINVAL;
}

static int refuse_part(const char *option, char *why, size_t size)
{
	return refuse(why, size, "%s: " LEFT_OUT, option);
}

static int out_of_memory(char *why, size_t size)
{
	refuse(why, size, "no memory for the endpoints");
	return -ENOMEM;
}

/* Make room for one more endpoint. Return: the new one, not filled in; NULL without memory. */
static struct endpoint *append(struct endpoint **list, size_t *n)
{
	struct endpoint *grown = reallocarray(*list, *n + 1, sizeof(**list));

	if (!grown)
		return NULL;
	*list = grown;
	return &grown[(*n)++];
}

static int add_listener(struct conf *conf, const char *text, char *why, size_t size)
{
	struct endpoint *ep = append(&conf->listeners, &conf->n_listeners);

	conf->server = true;
	return ep ? endpoint_parse_listen(ep, text, why, size) : out_of_memory(why, size);
}

static int add_endpoint(struct conf *conf, const char *text, char *why, size_t size)
{
	struct endpoint *ep = append(&conf->endpoints, &conf->n_endpoints);

	return ep ? endpoint_parse(ep, text, why, size) : out_of_memory(why, size);
}

/* Options without a letter. GIVEN() gives each a bit of its own in a mask. */
enum {
	OPT_HUB = 256,
	OPT_STORM,
	OPT_FDB_SIZE,
	OPT_CTL,
	OPT_METRICS,
	OPT_CAPTURE,
	OPT_CHECK_BRIDGE,
	OPT_USER,
	OPT_NO_SANDBOX,
	OPT_WAIT,
};

#define GIVEN(c) (1u << ((c)-OPT_HUB))

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "check-bridge", required_argument, NULL, OPT_CHECK_BRIDGE },
	{ "version", no_argument, NULL, 'V' },
	{ "hub", no_argument, NULL, OPT_HUB },
	{ "storm", required_argument, NULL, OPT_STORM },
	{ "fdb-size", required_argument, NULL, OPT_FDB_SIZE },
	{ "ctl", required_argument, NULL, OPT_CTL },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "capture", required_argument, NULL, OPT_CAPTURE },
	{ "user", required_argument, NULL, OPT_USER },
	{ "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
	{ "wait", no_argument, NULL, OPT_WAIT },
	{ NULL, 0, NULL, 0 },
};

static const struct option *find_long(int c)
{
	for (const struct option *o = longs; o->name; o++)
		if (o->val == c)
			return o;
	return NULL;
}

/* getopt_long() does not name a wrong long option: it is the last word taken, @word. */
static int refuse_option(const char *word, char *why, size_t size)
{
	if (!optopt)
		return refuse(why, size, "%.64s: there is no such option; " SEE_HELP,
			      word);
	if (find_long(optopt))
		return refuse(why, size, "%.64s: this option takes no value; " SEE_HELP,
			      word);
	return refuse(why, size, "-%c: there is no such option; " SEE_HELP, optopt);
}

static int refuse_without_value(char *why, size_t size)
{
	const struct option *o = find_long(optopt);

	if (!o)
		return refuse(why, size, "-l: the port is missing, as in -l 5000");
	return refuse(why, size, "--%s: its value is missing; " SEE_HELP, o->name);
}

static int read_number(uint32_t *to, uint32_t min, uint32_t max, const char *name,
		       char *why, size_t size)
{
	uint32_t value;

	if (!parse_uint(optarg, 10, max, &value) || value < min)
		return refuse(why, size,
			      "--%s: \"%.64s\" must be a number from %" PRIu32
			      " to %" PRIu32,
			      name, optarg, min, max);
	*to = value;
	return 0;
}

/* Read [ADDR:]PORT and options. */
static int read_metrics(struct conf *conf, char *why, size_t size)
{
	int err = endpoint_parse_option(&conf->metrics, "--metrics", optarg, why, size);

	if (err && !strchr(optarg, ','))
		return refuse(why, size,
			      "--metrics: \"%.64s\" must be PORT, ADDR:PORT or "
			      "[ADDR6]:PORT, and PORT from 1 to 65535",
			      optarg);
	conf->has_metrics = true;
	return err;
}

/* Read PATH and options. */
static int read_ctl(struct conf *conf, char *why, size_t size)
{
	if (!*optarg)
		return refuse(why, size, "--ctl: the path is empty");
	conf->ctl_path = conf->ctl.path;
	return endpoint_parse_option(&conf->ctl, "--ctl", optarg, why, size);
}

/* Read the path of a file or a socket. @max: bytes that it may have; SIZE_MAX for a file */
static int read_path(const char **to, const char *path, size_t max, const char *name,
		     char *why, size_t size)
{
	size_t len = strlen(path);

	if (!len)
		return refuse(why, size, "%s: the path is empty", name);
	if (len > max)
		return refuse(why, size,
			      "%s: the path is %zu bytes long; a unix socket's has %zu "
			      "at most",
			      name, len, max);
	*to = path;
	return 0;
}

/* Read FILE[,dir=...][,port=N][,snap=N]. */
static int read_capture(struct conf *conf, char *why, size_t size)
{
	const char *file;

	conf->capture = strdup(optarg);
	if (!conf->capture)
		return out_of_memory(why, size);
	if (capture_filter_option(&conf->capture_filter, conf->capture, why, size) < 0) {
		char fault[MESSAGE_MAX - sizeof("--capture: ")];

		snprintf(fault, sizeof(fault), "%s", why);
		return refuse(why, size, "--capture: %s", fault);
	}
	return read_path(&file, conf->capture, SIZE_MAX, "--capture", why, size);
}

static int read_option(struct conf *conf, int c, char *why, size_t size)
{
	switch (c) {
	case 'v':
		if (++conf->verbose > 1 && !HAS_TRACE)
			return refuse_part("-vv", why, size);
		return 0;
	case 'l':
		return add_listener(conf, optarg, why, size);
	case OPT_HUB:
		conf->hub = true;
		return 0;
	case OPT_STORM:
		return read_number(&conf->storm_limit, 0, UINT32_MAX, "storm", why, size);
	case OPT_FDB_SIZE:
		return read_number(&conf->fdb_size, 1, CONF_FDB_SIZE_MAX, "fdb-size", why,
				   size);
	case OPT_CTL:
		return HAS_CTL ? read_ctl(conf, why, size)
			       : refuse_part("--ctl", why, size);
	case OPT_METRICS:
		return HAS_METRICS ? read_metrics(conf, why, size)
				   : refuse_part("--metrics", why, size);
	case OPT_USER:
		if (!HAS_USERS)
			return refuse_part("--user", why, size);
		conf->user = optarg;
		return *optarg ? 0 : refuse(why, size, "--user: the name is empty");
	case OPT_NO_SANDBOX:
		conf->no_sandbox = true;
		return 0;
	case OPT_WAIT:
		conf->wait = true;
		return 0;
	default:
		return HAS_CAPTURE ? read_capture(conf, why, size)
				   : refuse_part("--capture", why, size);
	}
}

/* @given: set to the GIVEN() bits of the options that were given; each may come once only */
static int read_options(struct conf *conf, int argc, char **argv, unsigned int *given,
			char *why, size_t size)
{
	int c, err = 0;

	optind = 0; /* have both glibc and musl begin anew */
	opterr = 0;
	while (!err && (c = getopt_long(argc, argv, ":hl:vV", longs, NULL)) != -1) {
		unsigned int bit = c >= OPT_HUB ? GIVEN(c) : 0;

		if (c == 'h' || c == 'V') {
			conf->action = c == 'h' ? CONF_HELP : CONF_VERSION;
			return 0;
		}
		if (c == OPT_CHECK_BRIDGE) {
			if (!HAS_BRIDGE)
				return refuse_part("--check-bridge", why, size);
			conf->action = CONF_CHECK_BRIDGE;
			conf->bridge = optarg;
			return 0;
		}
		if (c == ':')
			err = refuse_without_value(why, size);
		else if (c == '?')
			err = refuse_option(argv[optind - 1], why, size);
		else if (*given & bit)
			err = refuse(why, size, "--%s is given twice; give it once",
				     find_long(c)->name);
		else
			err = read_option(conf, c, why, size);
		*given |= bit;
	}
	return err;
}

/* Refuse options of a switch or a hub in other modes, and others that contradict. */
static int check_options(const struct conf *conf, unsigned int given, char *why,
			 size_t size)
{
	static const int for_switch[] = { OPT_STORM, OPT_FDB_SIZE, OPT_HUB };

	if (conf->user && conf->no_sandbox)
		return refuse(
			why, size,
			"--user gives up rights, and --no-sandbox keeps them; leave "
			"one of them out");
	for (size_t i = 0; i < ARRAY_SIZE(for_switch); i++) {
		const char *name = find_long(for_switch[i])->name;

		if (!(given & GIVEN(for_switch[i])))
			continue;
		if (!conf->server)
			return refuse(why, size,
				      "--%s is for a server, with -l; in a cable every "
				      "frame goes to the other end",
				      name);
		if (conf->hub && for_switch[i] != OPT_HUB)
			return refuse(why, size,
				      "--%s is for a switch, and --hub makes a hub; "
				      "leave one of them out",
				      name);
	}
	return 0;
}

static bool is_client(const char *word)
{
	return !strcmp(word, "ctl") || !strcmp(word, "top");
}

/*
 * Read "netrelay ctl PATH COMMAND..." or "netrelay top PATH". The words behind PATH
 * belong to the client, even those that look like options. A bridge that is called
 * ctl or top must be named as bridge:ctl or bridge:top.
 */
static int read_client(struct conf *conf, int argc, char **argv, char *why, size_t size)
{
	const char *word = argv[1];
	bool is_top = !strcmp(word, "top");

	if (is_top ? !HAS_TOP : !HAS_CTL)
		return refuse_part(word, why, size);
	if (argc < 3)
		return refuse(why, size,
			      "%s: the control socket's path is missing; the form is "
			      "netrelay %s",
			      word, is_top ? "top PATH" : "ctl PATH COMMAND");
	if (!strcmp(argv[2], "-h") || !strcmp(argv[2], "--help")) {
		conf->action = CONF_HELP;
		return 0;
	}
	if (is_top && argc > 3)
		return refuse(why, size,
			      "top: one path is enough; the form is netrelay top PATH");
	if (!is_top && argc < 4)
		return refuse(why, size,
			      "ctl: the command is missing; try: netrelay ctl %.64s help",
			      argv[2]);
	conf->action = is_top ? CONF_TOP : CONF_CTL;
	conf->command = argv + 3;
	return read_path(&conf->ctl_path, argv[2], SOCKET_PATH_MAX, word, why, size);
}

static int read_operands(struct conf *conf, int n, char **operands, char *why,
			 size_t size)
{
	int err = 0;

	if (!conf->server && n <= 0)
		return refuse(why, size,
			      "nothing to join: name one or two endpoints, "
			      "or a port to listen on with -l; " SEE_HELP);
	if (!conf->server && is_client(operands[0]))
		return refuse(why, size,
			      "%s must be the first word, as in netrelay %s PATH; a "
			      "bridge of that name is bridge:%s",
			      operands[0], operands[0], operands[0]);
	if (!conf->server && n > 2)
		return refuse(why, size,
			      "%d endpoints are too many for a cable, which has two; "
			      "to join more, run a server: netrelay -l PORT TARGET ...",
			      n);
	for (int i = 0; i < n && !err; i++)
		err = add_endpoint(conf, operands[i], why, size);
	if (!conf->server && n == 1 && !err)
		err = add_endpoint(conf, "-", why, size);
	return err;
}

int conf_read(struct conf *conf, int argc, char **argv, char *why, size_t size)
{
	unsigned int given = 0;
	const struct endpoint *ep;
	const char *fault;
	int err;

	*conf = (struct conf){
		.action = CONF_RUN,
		.storm_limit = CONF_STORM_LIMIT,
		.fdb_size = CONF_FDB_SIZE,
	};
	if (size)
		*why = '\0';
	if (argc > 1 && is_client(argv[1]))
		return read_client(conf, argc, argv, why, size);
	err = read_options(conf, argc, argv, &given, why, size);
	if (err || conf->action != CONF_RUN)
		return err;
	err = read_operands(conf, argc - optind, argv + optind, why, size);
	if (!err)
		err = check_options(conf, given, why, size);
	fault = err ? NULL : conf_check(conf, &ep);
	return fault ? refuse(why, size, "%.64s: %s", ep->text, fault) : err;
}

void conf_free(struct conf *conf)
{
	free(conf->listeners);
	free(conf->endpoints);
	free(conf->capture);
	*conf = (struct conf){ .action = CONF_RUN };
}

const char *conf_help(void)
{
	return "usage: netrelay [-v] [SRC] [DST]           a cable; an omitted endpoint is -\n"
	       "       netrelay [-v] -l PORT [TARGET ...]  a switch; it joins the TARGETs too\n"
	       "       netrelay ctl PATH COMMAND | top PATH    change a running one, or watch it\n"
	       "  -l PORT, ADDR:PORT, [ADDR6]:PORT, tcp-listen: or unix-listen: form; repeatable\n"
	       "  --hub  frames to all   --storm N  broadcasts/s of a port    --fdb-size N  MACs\n"
	       "  --ctl PATH  for ctl, top   --metrics [ADDR:]PORT  Prometheus   --capture FILE\n"
	       "  --user NAME  whom it becomes  --no-sandbox  --wait  for what is not there yet\n"
	       "  -v  report; -vv frames  --check-bridge NAME  may I?  -h, --help  -V, --version\n"
	       "Endpoints; ADDR is an IPv4 address or an [IPv6] one, HOST is ADDR or a name:\n"
	       "  -                                  stdin and stdout, in QEMU's stream format\n"
	       "  LPORT:ADDR: or :ADDR:RPORT         UDP with the same port on both sides\n"
	       "  LPORT:ADDR:RPORT or LPORT::RPORT   UDP, one frame per datagram; :: is to here\n"
	       "  ADDR:PORT or tcp:HOST:PORT[,dead=SECONDS]  TCP, to a listening server\n"
	       "  trunk:HOST:PORT[,dead=SECONDS]     TCP to another netrelay, and faster\n"
	       "  tcp-listen:[ADDR:]PORT[,dead=SECONDS]  TCP, accepted\n"
	       "  unix:PATH or unix-listen:PATH[,mode=0660]  unix socket; a comma is doubled\n"
	       "  udp:HOST:PORT[,local=[ADDR:]PORT]  UDP; by default with the same local port\n"
	       "  unixgram:PATH,local=PATH           unix datagrams: to PATH, from local=PATH\n"
	       "  mcast:GROUP:PORT[,if=ADDR]         QEMU's multicast; for IPv6, if=INTERFACE\n"
	       "  NAME or bridge:NAME[,tap=NAME][,mtu=N]     bridge, joined by a new tap\n"
	       "  tap:NAME or fd:N or exec:COMMAND   tap; inherited socket or tap; command\n"
	       "Rules, after any long form but exec:  ,isolated ,mac=ADDR (8 at most) ,pad=0\n"
	       "Who may come, to a listener: ,allow=CIDR ,max=N ,per-address=N ,accept-rate=N\n"
	       "Exit status: 0 stopped, or stdin ended; 1 something failed; 2 wrong usage\n";
}
