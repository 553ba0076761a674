/* SPDX-License-Identifier: MIT */
/*
 * The command line. getopt_long() takes the options out and leaves the operands
 * behind; endpoint_parse() reads each, in the order they were given. Last, all
 * endpoints are looked at in pairs, for two that cannot both be had.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "text.h"
#include "util.h"

#define MESSAGE_MAX 512
#define SEE_HELP "see netrelay --help"

/* A message may repeat what the user typed, which may hold what a terminal obeys. */
PRINTF_LIKE(3, 4) static int refuse(char *why, size_t size, const char *fmt, ...)
{
	char msg[MESSAGE_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(msg, sizeof(msg), fmt, args);
	va_end(args);
	text_escape(why, size, msg);
	return -EINVAL;
}

static int out_of_memory(char *why, size_t size)
{
	refuse(why, size, "no memory for the endpoints");
	return -ENOMEM;
}

/* The new last element of @list, not filled in; NULL without memory. */
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

enum { OPT_HUB = 256, OPT_STORM, OPT_FDB_SIZE, OPT_CTL, OPT_METRICS, OPT_CAPTURE };

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "hub", no_argument, NULL, OPT_HUB },
	{ "storm", required_argument, NULL, OPT_STORM },
	{ "fdb-size", required_argument, NULL, OPT_FDB_SIZE },
	{ "ctl", required_argument, NULL, OPT_CTL },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "capture", required_argument, NULL, OPT_CAPTURE },
	{ NULL, 0, NULL, 0 },
};

static const struct option *find_long(int c)
{
	for (const struct option *o = longs; o->name; o++)
		if (o->val == c)
			return o;
	return NULL;
}

/* getopt_long() says of a long option only that it was the last word it took. */
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

static int read_number(uint32_t *to, uint32_t min, uint32_t max, const char *text,
		       const char *name, char *why, size_t size)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (!*text || *end || strchr("+- ", *text) || errno || value < min || value > max)
		return refuse(why, size, "--%s: \"%.64s\" must be a number from %u to %u",
			      name, text, min, max);
	*to = (uint32_t)value;
	return 0;
}

/* [ADDR:]PORT; a port alone is one of this machine only. */
static int read_metrics(struct conf *conf, const char *text, char *why, size_t size)
{
	struct endpoint *ep = &conf->metrics;
	char local[ENDPOINT_TEXT_MAX];

	snprintf(local, sizeof(local), "%s%s",
		 strchr(text, ':') ? "" : "127.0.0.1:", text);
	if (endpoint_parse_listen(ep, local, why, size) ||
	    ep->kind != ENDPOINT_TCP_LISTEN)
		return refuse(why, size,
			      "--metrics: \"%.64s\" must be PORT, ADDR:PORT or "
			      "[ADDR6]:PORT",
			      text);
	conf->has_metrics = true;
	return 0;
}

static int read_path(const char **to, const char *text, const char *name, char *why,
		     size_t size)
{
	if (!*text)
		return refuse(why, size, "--%s: the path is empty", name);
	*to = text;
	return 0;
}

static int read_option(struct conf *conf, int c, char *why, size_t size)
{
	switch (c) {
	case 'v':
		conf->verbose++;
		return 0;
	case 'l':
		return add_listener(conf, optarg, why, size);
	case OPT_HUB:
		conf->hub = true;
		return 0;
	case OPT_STORM:
		return read_number(&conf->storm_limit, 0, UINT32_MAX, optarg, "storm",
				   why, size);
	case OPT_FDB_SIZE:
		return read_number(&conf->fdb_size, 1, CONF_FDB_SIZE_MAX, optarg,
				   "fdb-size", why, size);
	case OPT_CTL:
		return read_path(&conf->ctl_path, optarg, "ctl", why, size);
	case OPT_METRICS:
		return read_metrics(conf, optarg, why, size);
	case OPT_CAPTURE:
		return read_path(&conf->capture, optarg, "capture", why, size);
	default:
		return -EINVAL;
	}
}

static int read_options(struct conf *conf, int argc, char **argv, char *why, size_t size)
{
	int c, err = 0;

	optind = 0; /* so that glibc and musl both start afresh */
	opterr = 0;
	while (!err && (c = getopt_long(argc, argv, ":hl:vV", longs, NULL)) != -1) {
		if (c == 'h' || c == 'V') {
			conf->action = c == 'h' ? CONF_HELP : CONF_VERSION;
			return 0;
		}
		if (c == ':')
			err = refuse_without_value(why, size);
		else if (c == '?')
			err = refuse_option(argv[optind - 1], why, size);
		else
			err = read_option(conf, c, why, size);
	}
	return err;
}

/*
 * netrelay ctl PATH COMMAND..., netrelay top PATH. All that follows is the
 * client's, also what looks like an option. A bridge of one of these names is
 * bridge:ctl.
 */
static int read_client(struct conf *conf, int argc, char **argv, char *why, size_t size)
{
	bool is_top = !strcmp(argv[1], "top");

	if (argc < 3)
		return refuse(why, size,
			      "%s: the control socket's path is missing; the "
			      "form is netrelay %s",
			      argv[1], is_top ? "top PATH" : "ctl PATH COMMAND");
	if (is_top && argc > 3)
		return refuse(why, size,
			      "top: one path is enough; the form is netrelay "
			      "top PATH");
	if (!is_top && argc < 4)
		return refuse(why, size,
			      "ctl: the command is missing; try: netrelay ctl "
			      "%.64s help",
			      argv[2]);
	conf->action = is_top ? CONF_TOP : CONF_CTL;
	conf->command = argv + 3;
	return read_path(&conf->ctl_path, argv[2], argv[1], why, size);
}

static int read_operands(struct conf *conf, int n, char **operands, char *why,
			 size_t size)
{
	int err = 0;

	if (!conf->server && n == 0)
		return refuse(why, size,
			      "nothing to join: name one or two endpoints, "
			      "or a port to listen on with -l; " SEE_HELP);
	if (!conf->server && n > 2)
		return refuse(why, size,
			      "%d endpoints are more than a cable's two; to join "
			      "more, be a server: netrelay -l PORT TARGET ...",
			      n);
	if (conf->hub && !conf->server)
		return refuse(why, size,
			      "--hub is for a server, with -l; a cable has "
			      "two ends and no choice");
	for (int i = 0; i < n && !err; i++)
		err = add_endpoint(conf, operands[i], why, size);
	if (!conf->server && n == 1 && !err)
		err = add_endpoint(conf, "-", why, size);
	return err;
}

static bool same_addr(const struct endpoint *a, const struct endpoint *b)
{
	return a->local.port == b->local.port && !strcmp(a->local.host, b->local.host);
}

static bool same_path(const struct endpoint *a, const struct endpoint *b)
{
	return !strcmp(a->path, b->path);
}

static bool same_fd(const struct endpoint *a, const struct endpoint *b)
{
	return a->fd == b->fd;
}

static bool any_two(const struct endpoint *a, const struct endpoint *b)
{
	(void)a;
	(void)b;
	return true;
}

/* By kind: when two of it cannot both be had, and what to say then. */
static const struct {
	bool (*clash)(const struct endpoint *a, const struct endpoint *b);
	const char *fault;
} exclusive[] = {
	[ENDPOINT_STDIO] = { any_two, "stdin and stdout can be one endpoint only; "
				      "name something else for the other" },
	[ENDPOINT_TCP_LISTEN] = { same_addr,
				  "this listener is given twice; once is enough" },
	[ENDPOINT_UNIX_LISTEN] = { same_path,
				   "this listener is given twice; once is enough" },
	[ENDPOINT_FD] = { same_fd, "this descriptor is given twice, but can be one "
				   "endpoint only" },
};

static const char *find_fault(const struct endpoint *a, const struct endpoint *b)
{
	if (a->kind == ENDPOINT_FD && b->kind == ENDPOINT_STDIO)
		return find_fault(b, a);
	if (a->kind == ENDPOINT_STDIO && b->kind == ENDPOINT_FD)
		return b->fd <= 1 ? "this is a descriptor of -, which is given too"
				  : NULL;
	if (a->kind != b->kind || a->kind >= ARRAY_SIZE(exclusive) ||
	    !exclusive[a->kind].clash)
		return NULL;
	return exclusive[a->kind].clash(a, b) ? exclusive[a->kind].fault : NULL;
}

static const struct endpoint *nth(const struct conf *conf, size_t i)
{
	return i < conf->n_listeners ? &conf->listeners[i]
				     : &conf->endpoints[i - conf->n_listeners];
}

static int check_pairs(const struct conf *conf, char *why, size_t size)
{
	size_t n = conf->n_listeners + conf->n_endpoints;

	for (size_t i = 1; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			const char *fault = find_fault(nth(conf, j), nth(conf, i));

			if (fault)
				return refuse(why, size, "%.64s: %s", nth(conf, i)->text,
					      fault);
		}
	}
	return 0;
}

int conf_read(struct conf *conf, int argc, char **argv, char *why, size_t size)
{
	int err;

	*conf = (struct conf){ .action = CONF_RUN,
			       .storm_limit = CONF_STORM_LIMIT,
			       .fdb_size = CONF_FDB_SIZE };
	if (size)
		*why = '\0';
	if (argc > 1 && (!strcmp(argv[1], "ctl") || !strcmp(argv[1], "top")))
		return read_client(conf, argc, argv, why, size);
	err = read_options(conf, argc, argv, why, size);
	if (err || conf->action != CONF_RUN)
		return err;
	err = read_operands(conf, argc - optind, argv + optind, why, size);
	return err ? err : check_pairs(conf, why, size);
}

void conf_free(struct conf *conf)
{
	free(conf->listeners);
	free(conf->endpoints);
	*conf = (struct conf){ .action = CONF_RUN };
}

const char *conf_help(void)
{
	return "usage: netrelay [-v] [SRC] [DST]           a cable; an omitted endpoint is -\n"
	       "       netrelay [-v] -l PORT [TARGET ...]  a switch; it joins the TARGETs too\n"
	       "       netrelay ctl PATH COMMAND           see and change one; try: help\n"
	       "       netrelay top PATH                   watch one that has --ctl PATH\n"
	       "  -l PORT, ADDR:PORT, [ADDR6]:PORT, tcp-listen: or unix-listen: form; repeatable\n"
	       "  -v  what happens to ports; -vv frames too       -h, --help     -V, --version\n"
	       "  --ctl PATH  --metrics [ADDR:]PORT  --capture FILE  --storm N  --fdb-size N\n"
	       "  --hub  every frame to every port     Endpoints (HOST is an address or a name):\n"
	       "  -                                  stdin and stdout, framed as QEMU does\n"
	       "  LPORT:ADDR:RPORT                   UDP, a frame a datagram\n"
	       "  LPORT:ADDR: or :ADDR:RPORT         the same, from and to the same port\n"
	       "  LPORT::RPORT                       UDP to 127.0.0.1; the two ports differ\n"
	       "  ADDR:PORT or tcp:HOST:PORT         TCP connection to a listening server\n"
	       "  trunk:HOST:PORT                    the same to a netrelay, and faster\n"
	       "  tcp-listen:[ADDR:]PORT             TCP, accepted\n"
	       "  unix:PATH                          unix socket; a comma in PATH is doubled\n"
	       "  unix-listen:PATH[,mode=0660]       unix socket, accepted; mode is else 0600\n"
	       "  udp:HOST:PORT[,local=[ADDR:]PORT]  UDP; the local PORT is else the same\n"
	       "  unixgram:PATH,local=PATH           unix datagrams: to PATH, from local=PATH\n"
	       "  mcast:GROUP:PORT[,if=ADDR]         QEMU's multicast; for IPv6, if=INTERFACE\n"
	       "  NAME or bridge:NAME[,tap=NAME][,mtu=N]      bridge, by a tap made for it\n"
	       "  tap:NAME or fd:N or exec:COMMAND   tap; inherited socket or tap; stdin/out\n"
	       "                                     of a command, as exec:ssh host netrelay -\n"
	       "  ,isolated ,mac=ADDR ...            behind a long form but exec: port rules\n";
}
