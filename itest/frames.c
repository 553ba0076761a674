// SPDX-License-Identifier: MIT
/*
 * frames: sends and checks Ethernet frames byte by byte, for the tests. It talks
 * every kind of endpoint by itself; --help says how to call it. Here is only
 * the command line; frames.h says which file does what.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frames.h"

static const char usage[] =
	"usage: frames send|recv|both ENDPOINT [OPTION ...]\n"
	"       frames raw ENDPOINT [OPTION ...] HEX|@FILE|+ZEROS ...\n"
	"       frames storm tcp:ADDR:PORT|unix:PATH [--wait MS]\n"
	"\n"
	"ENDPOINT: tcp:ADDR:PORT  tcp-listen:ADDR:PORT  udp:ADDR:PORT,local=ADDR:PORT\n"
	"          unix:PATH  unix-listen:PATH  unixgram:PATH,local=PATH  if:NAME  -\n"
	"          (ADDR is an IPv4 address or [IPv6]; \"-\" reports to stderr)\n"
	"Prints \"ready\" when bound, listening or connected.\n"
	"\n"
	"send, both:\n"
	"  --count N      frames to send; with recv: to wait for; with both: each way\n"
	"  --min N --max N  sizes, default 60 and 1514, at least 26\n"
	"  --sizes uniform|log  log: spread over the logarithm; 60 to 65535 then average\n"
	"                 9.4 kB, so that a million are 9.4 GB and most are small\n"
	"  --seed N       another order of sizes\n"
	"  --id N         sender's id, 0 to 65535, default 1; also in the source MAC\n"
	"  --dst MAC      default ff:ff:ff:ff:ff:ff\n"
	"  --batch        many frames a write (streams)\n"
	"  --rate PPS     frames a second\n"
	"  --fault damage|lose|duplicate|reorder@SEQ  do it wrong once\n"
	"recv, both:\n"
	"  --expect N     with both: frames to wait for, if not --count\n"
	"  --from ID      look only at this sender; may be repeated\n"
	"  --lossless     a missing frame is an error\n"
	"  --padded       frames below 60 bytes must come filled up with zeros, else as sent\n"
	"  --slow PPS     take no more than so many frames a second\n"
	"  --stop-after N  then say \"stopped\", and read on after SIGUSR1 or --resume-after MS\n"
	"raw:\n"
	"  --connections N  as many, all alike    --split N   bytes a write\n"
	"  --wait MS      how long to watch the other side, default 60000\n"
	"  --expect N     bytes, and then to watch it no longer\n"
	"  --half-close   after the last byte     --hold      until stdin ends or SIGTERM\n"
	"storm: connects and resets, as often as it can\n"
	"  --wait MS      how long, default 60000\n"
	"all:\n"
	"  --timeout S    silence, or waiting for a peer, default 60\n"
	"  --linger MS    at the end, for frames too many and the peer's close, default 500\n"
	"  --rcvbuf N     socket buffer in bytes\n"
	"\n"
	"Exit status: 0 all was well; 1 frames damaged, reordered, duplicated (or lost,\n"
	"with --lossless), or the endpoint failed; 2 wrong usage.\n";

/* What the options say, in the order of the usage text. */
struct settings {
	uint64_t count, min, max, seed, id, rate;
	uint64_t expect, slow, stop_after, resume_after;
	uint64_t connections, split, wait;
	uint64_t timeout, linger, rcvbuf;
	bool batch, lossless, padded, half_close, hold;
	bool log_sizes;
	uint8_t dst[6];
	enum fault fault;
	uint64_t fault_at;
	uint16_t from[TALLY_FROM_MAX];
	size_t n_from;
};

static const struct settings defaults = {
	.count = UINT64_MAX,
	.expect = UINT64_MAX,
	.min = 60,
	.max = 1514,
	.id = 1,
	.connections = 1,
	.wait = 60000,
	.timeout = 60,
	.linger = 500,
	.dst = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
};

static int parse_number(const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || *value > max)
		return -EINVAL;
	return 0;
}

static int set_dst(struct settings *s, const char *text)
{
	unsigned int b[6];
	char rest;
	int i;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4],
		   &b[5], &rest) != 6)
		return -EINVAL;
	for (i = 0; i < 6; i++)
		s->dst[i] = (uint8_t)b[i];
	return 0;
}

static int set_sizes(struct settings *s, const char *text)
{
	s->log_sizes = !strcmp(text, "log");
	return s->log_sizes || !strcmp(text, "uniform") ? 0 : -EINVAL;
}

static int set_from(struct settings *s, const char *text)
{
	uint64_t id;

	if (s->n_from == TALLY_FROM_MAX || parse_number(text, UINT16_MAX, &id))
		return -EINVAL;
	s->from[s->n_from++] = (uint16_t)id;
	return 0;
}

static int set_fault(struct settings *s, const char *text)
{
	static const struct {
		const char *name;
		enum fault fault;
	} faults[] = {
		{ "damage@", FAULT_DAMAGE },
		{ "lose@", FAULT_LOSE },
		{ "duplicate@", FAULT_DUPLICATE },
		{ "reorder@", FAULT_REORDER },
	};
	size_t i, n;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		n = strlen(faults[i].name);
		if (strncmp(text, faults[i].name, n))
			continue;
		s->fault = faults[i].fault;
		return parse_number(text + n, UINT32_MAX, &s->fault_at);
	}
	return -EINVAL;
}

/*
 * An option is a number (up to @max, stored at @offset), a word for @set, or
 * with neither a flag at @offset.
 */
static const struct option {
	const char *name;
	size_t offset;
	uint64_t max;
	int (*set)(struct settings *s, const char *text);
} options[] = {
#define AT(member) offsetof(struct settings, member)
	{ "--count", AT(count), UINT32_MAX, NULL },
	{ "--min", AT(min), FRAME_MAX, NULL },
	{ "--max", AT(max), FRAME_MAX, NULL },
	{ "--sizes", 0, 0, set_sizes },
	{ "--seed", AT(seed), UINT32_MAX, NULL },
	{ "--id", AT(id), UINT16_MAX, NULL },
	{ "--dst", 0, 0, set_dst },
	{ "--batch", AT(batch), 0, NULL },
	{ "--rate", AT(rate), 1000000000, NULL },
	{ "--fault", 0, 0, set_fault },
	{ "--expect", AT(expect), UINT32_MAX, NULL },
	{ "--from", 0, 0, set_from },
	{ "--lossless", AT(lossless), 0, NULL },
	{ "--padded", AT(padded), 0, NULL },
	{ "--slow", AT(slow), 1000000000, NULL },
	{ "--stop-after", AT(stop_after), UINT32_MAX, NULL },
	{ "--resume-after", AT(resume_after), 3600000, NULL },
	{ "--connections", AT(connections), 100000, NULL },
	{ "--split", AT(split), UINT32_MAX, NULL },
	{ "--wait", AT(wait), 3600000, NULL },
	{ "--half-close", AT(half_close), 0, NULL },
	{ "--hold", AT(hold), 0, NULL },
	{ "--timeout", AT(timeout), 3600, NULL },
	{ "--linger", AT(linger), 3600000, NULL },
	{ "--rcvbuf", AT(rcvbuf), 1 << 30, NULL },
#undef AT
};

static const struct option *find_option(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!strcmp(options[i].name, name))
			return &options[i];
	return NULL;
}

static int set_option(struct settings *s, const struct option *o, const char *value)
{
	char *at = (char *)s + o->offset;

	if (o->set)
		return value ? o->set(s, value) : -EINVAL;
	if (o->max)
		return value ? parse_number(value, o->max, (uint64_t *)(void *)at)
			     : -EINVAL;
	*(bool *)at = true;
	return 0;
}

/* Read the options; what is none moves to the front of @argv. Return: how many, or -EINVAL. */
static int read_options(struct settings *s, int argc, char **argv)
{
	int i, words = 0;

	for (i = 0; i < argc; i++) {
		const struct option *o = find_option(argv[i]);
		bool has_value = o && (o->set || o->max);

		if (!o && !strncmp(argv[i], "--", 2)) {
			fprintf(stderr, "frames: %s: no such option\n", argv[i]);
			return -EINVAL;
		}
		if (!o) {
			argv[words++] = argv[i];
			continue;
		}
		if (set_option(s, o, has_value ? argv[i + 1] : NULL)) {
			fprintf(stderr, "frames: %s: wrong or missing value\n", argv[i]);
			return -EINVAL;
		}
		i += has_value;
	}
	return words;
}

static const char *check_settings(const struct settings *s, bool sends)
{
	if (s->min < FRAME_HEADER || s->max < s->min)
		return "sizes are from 26 to 69632, --min not above --max";
	if (sends && s->count == UINT64_MAX)
		return "how many? --count N";
	if (s->fault != FAULT_NONE && s->fault_at + 1 >= s->count)
		return "--fault must be before the last frame";
	if (s->connections == 0)
		return "--connections: at least one";
	return NULL;
}

static int make_plan(struct plan *plan, const struct settings *s, bool sends)
{
	*plan = (struct plan){
		.pool = content_pool(),
		.count = sends ? s->count : 0,
		.min = (uint32_t)s->min,
		.max = (uint32_t)s->max,
		.seed = s->seed,
		.id = (uint16_t)s->id,
		.batch = s->batch,
		.rate = s->rate,
		.fault = s->fault,
		.fault_at = s->fault_at,
	};
	memcpy(plan->dst, s->dst, sizeof(plan->dst));
	if (s->log_sizes)
		plan->sizes = content_sizes(plan->min, plan->max);
	return plan->pool && (plan->sizes || !s->log_sizes) ? 0 : -ENOMEM;
}

static struct wish make_wish(const struct settings *s, bool receives, FILE *out)
{
	return (struct wish){
		.count = !receives		   ? 0
			 : s->expect == UINT64_MAX ? s->count
						   : s->expect,
		.verify = receives,
		.lossless = s->lossless,
		.timeout_ms = (int)s->timeout * 1000,
		.linger_ms = (int)s->linger,
		.slow = s->slow,
		.stop_after = s->stop_after,
		.resume_ms = (int)s->resume_after,
		.out = out,
	};
}

static struct tally *make_tally(const struct settings *s, const uint8_t *pool)
{
	struct tally *tally = calloc(1, sizeof(*tally));

	if (!tally)
		return NULL;
	tally->pool = pool;
	tally->padded = s->padded;
	memcpy(tally->from, s->from, sizeof(tally->from));
	tally->n_from = s->n_from;
	return tally;
}

static int open_channel(struct channel *ch, const char *endpoint,
			const struct settings *s, FILE *out)
{
	struct channel_options opt = { (int)s->rcvbuf, (int)s->timeout * 1000 };
	int err = channel_open(ch, endpoint, &opt);

	if (err)
		return err;
	fputs("ready\n", out);
	fflush(out);
	return channel_accept(ch);
}

/* Return: the exit status. */
static int run_exchange(const char *endpoint, const struct settings *s, bool sends,
			bool receives, FILE *out)
{
	struct wish wish = make_wish(s, receives, out);
	uint64_t due = wish.count == UINT64_MAX ? 0 : wish.count;
	struct channel ch = { .in = -1, .step = "memory" };
	struct tally *tally = NULL;
	struct plan plan;
	uint64_t sent = 0;
	bool good = true;
	int err;

	err = make_plan(&plan, s, sends);
	if (!err)
		tally = make_tally(s, plan.pool);
	if (!err && !tally)
		err = -ENOMEM;
	if (!err)
		err = open_channel(&ch, endpoint, s, out);
	if (!err)
		err = exchange(&ch, &plan, &wish, tally, &sent);
	if (sends)
		fprintf(out, "sent %ju\n", (uintmax_t)sent);
	if (receives && tally)
		good = tally_report(tally, due, s->lossless, out);
	if (err)
		fprintf(stderr, "frames: %s: %s: %s\n", endpoint, ch.step,
			strerror(-err));
	channel_close(&ch);
	if (tally)
		tally_free(tally);
	free(tally);
	free(plan.sizes);
	free((void *)(uintptr_t)plan.pool);
	return err || !good ? 1 : 0;
}

static int run_raw(const char *endpoint, const struct settings *s, char **pieces, int n,
		   FILE *out)
{
	struct channel_options opt = { (int)s->rcvbuf, (int)s->timeout * 1000 };
	struct raw raw = {
		.pieces = pieces,
		.n_pieces = (size_t)n,
		.split = s->split,
		.connections = s->connections,
		.wait_ms = (int)s->wait,
		.expect = s->expect,
		.half_close = s->half_close,
		.hold = s->hold,
	};
	const char *step = "memory";
	int err = raw_run(endpoint, &opt, &raw, out, &step);

	if (err)
		fprintf(stderr, "frames: %s: %s: %s\n", endpoint, step, strerror(-err));
	return err ? 1 : 0;
}

static int run_storm(const char *endpoint, const struct settings *s)
{
	const char *step;
	int err = storm_run(endpoint, (int)s->wait, stdout, &step);

	if (err)
		fprintf(stderr, "frames: %s: %s: %s\n", endpoint, step, strerror(-err));
	return err ? 1 : 0;
}

static const struct command {
	const char *name;
	bool sends;
	bool receives;
	bool has_words; /* behind the endpoint */
} commands[] = {
	{ "send", true, false, false },	  { "recv", false, true, false },
	{ "both", true, true, false },	  { "raw", false, false, true },
	{ "storm", false, false, false },
};

int main(int argc, char **argv)
{
	const struct command *cmd = NULL;
	struct settings s = defaults;
	const char *wrong;
	FILE *out;
	size_t i;
	int words;

	if (argc > 1 && !strcmp(argv[1], "--help"))
		return fputs(usage, stdout) < 0;
	words = argc > 1 ? read_options(&s, argc - 1, argv + 1) : 0;
	for (i = 0; words >= 2 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			cmd = &commands[i];
	if (!cmd || (words > 2 && !cmd->has_words)) {
		fputs(usage, stderr);
		return 2;
	}
	wrong = check_settings(&s, cmd->sends);
	if (wrong) {
		fprintf(stderr, "frames: %s\n", wrong);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	out = strcmp(argv[2], "-") ? stdout : stderr;
	if (!strcmp(cmd->name, "storm"))
		return run_storm(argv[2], &s);
	if (cmd->has_words)
		return run_raw(argv[2], &s, argv + 3, words - 2, out);
	return run_exchange(argv[2], &s, cmd->sends, cmd->receives, out);
}
