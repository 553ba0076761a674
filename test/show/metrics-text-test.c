/* SPDX-License-Identifier: MIT */
/*
 * metrics-text.c: all of what it says of a relay made up here, byte for byte, and
 * that no name breaks the format.
 */
#include "show/metrics-text.h"

#include <stdlib.h>

#include "lib/tap.h"

/* What is behind the family's name in each of its samples. */
struct family {
	const char *name, *type, *help;
	const char *samples[DROP_REASONS + 1];
};

#define DROP(labels, reason, n) "{" labels "reason=\"" reason "\"} " n

/* Of three reasons there were some. */
#define DROPS(labels, runt, queue, refused)                                         \
	DROP(labels, "runt", runt), DROP(labels, "oversize", "0"),                  \
		DROP(labels, "cut", "0"), DROP(labels, "no-port", "0"),             \
		DROP(labels, "not-allowed", "0"), DROP(labels, "not-genuine", "0"), \
		DROP(labels, "malformed", "0"), DROP(labels, "local", "0"),         \
		DROP(labels, "mac", "0"), DROP(labels, "storm", "0"),               \
		DROP(labels, "loop", "0"), DROP(labels, "probe", "0"),              \
		DROP(labels, "queue", queue), DROP(labels, "too-long", "0"),        \
		DROP(labels, "lost", "0"), DROP(labels, "refused", refused)

#define PORT "port=\"7\",name=\"unix:/a\\\\b\\\"c\\\\x0ad\\\\xc3\\\\xb6\""
#define LISTENS "listener=\"unix-listen:/\\\\\\\"\""
#define LISTENER "{" LISTENS "}"
#define REFUSED(reason, n) "{" LISTENS ",reason=\"" reason "\"} " n
#define OF_IT "; all ports that it ever made."
#define ALL_PORTS "; all ports, including removed ones."
#define MOST "18446744073709551615"

static const struct family families[] = {
	{ "netrelay_build_info",
	  "gauge",
	  "The version of netrelay.",
	  { "{version=\"test\",libc=\"test\",libmnl=\"test\"} 1" } },
	{ "netrelay_relay_info",
	  "gauge",
	  "A cable, a switch or a hub.",
	  { "{kind=\"switch\"} 1" } },
	{ "process_start_time_seconds",
	  "gauge",
	  "Start of the process, in Unix time.",
	  { " 1700000000" } },
	{ "process_cpu_seconds_total",
	  "counter",
	  "CPU time used, in seconds.",
	  { " 12.000345" } },
	{ "process_resident_memory_bytes", "gauge", "Memory in use.", { " 409600" } },
	{ "netrelay_receive_frames_total",
	  "counter",
	  "Frames received, including dropped ones" ALL_PORTS,
	  { " 101" } },
	{ "netrelay_receive_bytes_total",
	  "counter",
	  "Bytes of frames received" ALL_PORTS,
	  { " 202" } },
	{ "netrelay_transmit_frames_total",
	  "counter",
	  "Frames sent" ALL_PORTS,
	  { " 303" } },
	{ "netrelay_transmit_bytes_total",
	  "counter",
	  "Bytes of frames sent" ALL_PORTS,
	  { " 404" } },
	{ "netrelay_drops_total",
	  "counter",
	  "Frames dropped, by reason" ALL_PORTS,
	  { DROPS("", "505", MOST, "606") } },
	{ "netrelay_copied_frames_total",
	  "counter",
	  "Frames made by the relay: copies, segments, probes.",
	  { " 79" } },
	{ "netrelay_port_state",
	  "gauge",
	  "1 for the state of the port.",
	  { "{" PORT ",state=\"connecting\"} 0", "{" PORT ",state=\"up\"} 1",
	    "{" PORT ",state=\"waiting\"} 0", "{" PORT ",state=\"ended\"} 0" } },
	{ "netrelay_port_sealed",
	  "gauge",
	  "1 for what seals the port's bytes, and for whom.",
	  { "{" PORT
	    ",suite=\"AES-256-GCM\",key=\"/wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"} 1" } },
	{ "netrelay_port_up", "gauge", "Whether the port is up.", { "{" PORT "} 1" } },
	{ "netrelay_port_blocked",
	  "gauge",
	  "Whether it is blocked because of a loop.",
	  { "{" PORT "} 1" } },
	{ "netrelay_port_limited",
	  "gauge",
	  "Whether its broadcasts are limited because of a loop.",
	  { "{" PORT "} 0" } },
	{ "netrelay_port_addresses",
	  "gauge",
	  "Addresses that the switch knows there.",
	  { "{" PORT "} 8" } },
	{ "netrelay_port_queue_frames",
	  "gauge",
	  "Frames waiting to be sent.",
	  { "{" PORT "} 11" } },
	{ "netrelay_port_queue_bytes",
	  "gauge",
	  "Bytes waiting to be sent, with length prefixes.",
	  { "{" PORT "} 12" } },
	{ "netrelay_port_queue_limit_bytes",
	  "gauge",
	  "Bytes that may wait; beyond that frames are dropped.",
	  { "{" PORT "} 13" } },
	{ "netrelay_port_sealed_seconds",
	  "gauge",
	  "How long its bytes have been sealed; 0: they are not.",
	  { "{" PORT "} 5" } },
	{ "netrelay_port_receive_frames_total",
	  "counter",
	  "Frames received, including dropped ones.",
	  { "{" PORT "} 1" } },
	{ "netrelay_port_receive_bytes_total",
	  "counter",
	  "Bytes of frames received.",
	  { "{" PORT "} 2" } },
	{ "netrelay_port_transmit_frames_total",
	  "counter",
	  "Frames sent.",
	  { "{" PORT "} 3" } },
	{ "netrelay_port_transmit_bytes_total",
	  "counter",
	  "Bytes of frames sent.",
	  { "{" PORT "} 4" } },
	{ "netrelay_port_drops_total",
	  "counter",
	  "Frames dropped, by reason.",
	  { DROPS(PORT ",", "5", MOST, "6") } },
	{ "netrelay_listener_connections",
	  "gauge",
	  "Open connections.",
	  { LISTENER " 2" } },
	{ "netrelay_listener_accepted_total",
	  "counter",
	  "Connections accepted so far.",
	  { LISTENER " 3" } },
	{ "netrelay_listener_refused_total",
	  "counter",
	  "Connections refused, by the option that did.",
	  { REFUSED("allow", "0"), REFUSED("accept-rate", "0"), REFUSED("max", "7"),
	    REFUSED("per-address", "0"), REFUSED("peers", "0"), REFUSED("stray", "0") } },
	{ "netrelay_listener_receive_frames_total",
	  "counter",
	  "Frames received, including dropped ones" OF_IT,
	  { LISTENER " 10" } },
	{ "netrelay_listener_receive_bytes_total",
	  "counter",
	  "Bytes of frames received" OF_IT,
	  { LISTENER " 20" } },
	{ "netrelay_listener_transmit_frames_total",
	  "counter",
	  "Frames sent" OF_IT,
	  { LISTENER " 30" } },
	{ "netrelay_listener_transmit_bytes_total",
	  "counter",
	  "Bytes of frames sent" OF_IT,
	  { LISTENER " 40" } },
	{ "netrelay_listener_drops_total",
	  "counter",
	  "Frames dropped, by reason" OF_IT,
	  { DROPS(LISTENS ",", "50", "0", "60") } },
	{ "netrelay_fdb_entries", "gauge", "Addresses that the switch knows.", { " 10" } },
	{ "netrelay_fdb_limit", "gauge", "Addresses that it can know.", { " 11" } },
};

static struct fdb fdb = { .n = 10, .size = 11 };

static struct endpoint dials = { .text = "unix:/a\\b\"c\nd\xc3\xb6" };
static struct port port = {
	.name = "what messages call it",
	.state = PORT_UP,
	.seal = { SEAL_AES256_GCM, { 0xff } },
	.queue = { .frames = 11, .bytes = 12, .limit = 13 },
	.count = { .rx_frames = 1,
		   .rx_bytes = 2,
		   .tx_frames = 3,
		   .tx_bytes = 4,
		   .dropped = { [DROP_RUNT] = 5,
				[DROP_QUEUE] = UINT64_MAX,
				[DROP_REFUSED] = 6 } },
};
static struct member member = {
	.port = &port,
	.id = 7,
	.ep = &dials,
	.addresses.n = 8,
	.is_blocked = true,
};
static struct endpoint listens = { .text = "unix-listen:/\\\"" };
static struct acceptor acceptor = {
	.ep = &listens,
	.listener = { .n = 2, .count = 3, .admit.refused[ADMIT_MAX] = 7 },
	.gone = { .rx_frames = 10,
		  .rx_bytes = 20,
		  .tx_frames = 30,
		  .tx_bytes = 40,
		  .dropped = { [DROP_RUNT] = 50, [DROP_REFUSED] = 60 } },
};
static struct relay relay = {
	.kind = RELAY_SWITCH,
	.forward = { .members.first = &member, .copied = 9, .fdb = &fdb },
	.acceptors = &acceptor,
	.gone = { 100, 200, 300, 400, { [DROP_RUNT] = 500, [DROP_REFUSED] = 600 }, 70 },
};
static const struct metrics_process process = {
	.start_s = 1700000000,
	.cpu_us = 12000345,
	.resident_bytes = 409600,
};

/* All of it, in one piece; @steps: how many turns it took. */
static void whole_text(struct buf *b, struct relay *r, const struct metrics_process *p,
		       unsigned *steps)
{
	struct metrics_text t = { 0 };

	for (*steps = 1; !metrics_text_ports(&t, r); ++*steps)
		;
	b->failed = metrics_text_end(&t, r, p) < 0;
	for (size_t i = 0; i < METRICS_PARTS; i++)
		buf_add(b, t.part[i].data, t.part[i].len);
	ok_eq_int(b->len, metrics_text_len(&t), "as long as it says");
	metrics_text_free(&t);
}

static bool takes_line(const char **text, const char *line)
{
	size_t len = strlen(line);

	if (strncmp(*text, line, len) != 0)
		return false;
	*text += len;
	return true;
}

/* A family, at @text, which is moved behind it. */
static void test_family(const char **text, const struct family *f)
{
	char line[512];
	bool good;

	snprintf(line, sizeof(line), "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help,
		 f->name, f->type);
	good = takes_line(text, line);
	for (int i = 0; f->samples[i] && good; i++) {
		snprintf(line, sizeof(line), "%s%s\n", f->name, f->samples[i]);
		good = takes_line(text, line);
	}
	if (!ok(good, "%s, to the byte", f->name))
		printf("#  got: %.*s\n# want: %s", (int)strcspn(*text, "\n"), *text,
		       line);
}

static void test_text(void)
{
	struct buf b = { 0 };
	const char *text;
	unsigned steps;

	port.since = loop_now() - 5500;
	whole_text(&b, &relay, &process, &steps);
	ok_eq_int(steps, 1, "in one turn");
	ok(!b.failed && b.len == strlen(b.data), "all of it is there");
	text = b.data;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		test_family(&text, &families[i]);
	ok_eq_str(text, "", "and nothing more");
	buf_free(&b);
}

static void test_limited(void)
{
	struct relay r = relay;
	struct member m = member;
	struct buf b = { 0 };
	unsigned steps;

	m.is_blocked = false;
	m.guard.is_limited = true;
	r.forward.members.first = &m;
	whole_text(&b, &r, &process, &steps);
	ok(strstr(b.data, "\nnetrelay_port_limited{" PORT "} 1\n") &&
		   strstr(b.data, "\nnetrelay_port_blocked{" PORT "} 0\n"),
	   "a port that is limited, not blocked");
	buf_free(&b);
}

/* A label's value: what it has must be printable, and each backslash one of three. */
static bool is_good_value(const char *from, const char *end)
{
	for (; from < end; from++) {
		if (*from < ' ' || *from > '~' || *from == '"')
			return false;
		if (*from == '\\' && !strchr("\\\"n", *++from))
			return false;
	}
	return from == end;
}

/* Every byte there is, and the longest names. */
static void test_names(void)
{
	static struct endpoint named;
	static struct port no_one;
	static struct member two = { .port = &no_one, .id = 8, .ep = &named };
	static char line[] = "\nnetrelay_port_up{port=\"8\",name=\"";
	unsigned steps;
	char *at, *end;
	int wrong = 0;

	member.next = &two;
	for (int c = 1; c < 256; c++) {
		struct buf b = { 0 };

		memset(named.text, c, sizeof(named.text) - 1);
		memset(listens.text, c, sizeof(listens.text) - 1);
		whole_text(&b, &relay, &process, &steps);
		at = b.data ? strstr(b.data, line) : NULL;
		end = at ? strstr(at, "\"} 0\n") : NULL;
		wrong += !end || !is_good_value(at + strlen(line), end);
		buf_free(&b);
	}
	ok_eq_int(wrong, 0, "no name breaks out of its quotes, whatever is in it");
	member.next = NULL;
}

static void test_empty(void)
{
	struct relay none = { .kind = RELAY_SWITCH };
	struct metrics_process unknown = { 0 };
	struct buf b = { 0 };
	unsigned steps;

	whole_text(&b, &none, &unknown, &steps);
	ok(strstr(b.data, "\nnetrelay_receive_frames_total 0\n") && !b.failed,
	   "a relay without a port has its totals");
	ok(!strstr(b.data, "resident"), "what is not known is not said");
	buf_free(&b);
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

static uint64_t value(const char *text, const char *series)
{
	const char *at = strstr(text, series);

	return at ? strtoull(at + strlen(series), NULL, 10) : UINT64_MAX;
}

#define MANY (10 * METRICS_PORTS_A_STEP)

/*
 * More ports than a turn has time for, of one listener; in between one goes, as do
 * some not yet written down, and one comes.
 */
static void test_many(void)
{
	static struct port port_of_all = { .count.rx_frames = 1 };
	static struct member members[MANY + 1];
	static struct acceptor one = { .ep = &listens };
	struct relay many = { .forward.members.first = members, .acceptors = &one };
	struct metrics_text t = { 0 };
	unsigned turns = 2; /* the first, and the last */
	struct buf b = { 0 };

	for (unsigned i = 0; i <= MANY; i++) {
		members[i].port = &port_of_all;
		members[i].id = i + 1;
		members[i].acceptor = &one;
		members[i].next = i < MANY - 1 ? &members[i + 1] : NULL;
	}
	ok(!metrics_text_ports(&t, &many), "many ports are not done in one turn");
	/* Number 64, the last one written, and numbers 100 to 109. */
	members[METRICS_PORTS_A_STEP - 2].next = &members[METRICS_PORTS_A_STEP];
	members[98].next = &members[109];
	one.gone.rx_frames = many.gone.rx_frames = 11;
	members[MANY - 1].next = &members[MANY];
	while (!metrics_text_ports(&t, &many))
		turns++;
	ok_eq_int(turns, 10, "but in ten");
	ok_eq_int(metrics_text_end(&t, &many, &process), 0, "and then it ends");
	for (size_t i = 0; i < METRICS_PARTS; i++)
		buf_add(&b, t.part[i].data, t.part[i].len);
	ok_eq_int(count(b.data, "\nnetrelay_port_up{"), MANY + 1 - 10,
		  "each is there once, but those that went before");
	ok(strstr(b.data, "\nnetrelay_port_up{port=\"64\"," LISTENS "} 0\n"),
	   "it has the listener that it came from");
	ok_eq_int(value(b.data, "\nnetrelay_receive_frames_total "), MANY + 1,
		  "what is counted of all counts on when some have gone");
	ok_eq_int(value(b.data, "\nnetrelay_listener_receive_frames_total" LISTENER " "),
		  MANY + 1, "and so does what is counted of a listener");
	metrics_text_free(&t);
	buf_free(&b);
}

/* Before the second step one of the names goes, and comes again at a new port. */
static void test_port_names(void)
{
	static struct port up = { .state = PORT_UP }, ended = { .state = PORT_ENDED };
	static struct member members[MANY + 2];
	static struct acceptor one = { .ep = &listens };
	struct relay many = { .forward.members.first = members, .acceptors = &one };
	struct metrics_text t = { 0 };
	struct buf b = { 0 };

	for (unsigned i = 0; i < MANY + 2; i++) {
		members[i].port = &up;
		members[i].id = i + 1;
		members[i].acceptor = &one;
		members[i].next = i < MANY ? &members[i + 1] : NULL;
	}
	strcpy(members[0].name, "web");
	strcpy(members[1].name, "web-2");
	strcpy(members[MANY - 1].name, "web-2");
	members[1].port = &ended;
	many.forward.members.last_id = MANY;
	ok(!metrics_text_ports(&t, &many), "many ports are not done in one turn");
	strcpy(members[MANY].name, "web");
	members[MANY].next = &members[MANY + 1];
	while (!metrics_text_ports(&t, &many))
		;
	metrics_text_end(&t, &many, &process);
	for (size_t i = 0; i < METRICS_PARTS; i++)
		buf_add(&b, t.part[i].data, t.part[i].len);
	ok_eq_int(count(b.data, "\nnetrelay_port_up{port=\"web\"," LISTENS "} 1\n"), 1,
		  "a name stands for the number, and no series is there twice");
	ok_eq_int(count(b.data, "\nnetrelay_port_up{port=\"web-2\","), 1,
		  "the one that has ended is left out");
	ok(strstr(b.data, "\nnetrelay_port_up{port=\"642\","),
	   "one without a name is shown whenever it came");
	metrics_text_free(&t);
	buf_free(&b);
}

int main(void)
{
	test_text();
	test_limited();
	test_many();
	test_port_names();
	test_names();
	test_empty();
	return done();
}
