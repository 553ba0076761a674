/* SPDX-License-Identifier: MIT */
/*
 * All that shows a relay, with any names and numbers in it: JSON that a reader of JSON
 * takes, lines that netrelay top takes, metrics in Prometheus' format, and a table of
 * printable lines.
 *
 * Input: the names of two ports, their endpoints, the reason of a failure, a listener; a
 * newline behind each. Then the ports' states, and numbers.
 */
#include "lib/fuzz.h"

#include <stdbool.h>

#include "client/top-data.h"
#include "relay/acceptor.h"
#include "show/metrics-text.h"
#include "show/show-json.h"
#include "show/show-table.h"

#define PORTS 2
#define DEPTH_MAX 8

/* ---- a reader of JSON (RFC 8259), which keeps nothing ---- */

static const char *read_value(const char *at, unsigned depth);

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \n\r\t");
}

static const char *read_string(const char *at)
{
	must(*at == '"');
	for (at++; *at != '"'; at++) {
		must((unsigned char)*at >= ' ' && *at <= '~');
		if (*at != '\\')
			continue;
		at++;
		must(*at && strchr("\"\\/bfnrtu", *at));
		if (*at == 'u')
			must(strspn(at + 1, "0123456789abcdefABCDEF") >= 4);
	}
	return at + 1;
}

/* Members of an object, or elements of an array. */
static const char *read_list(const char *at, char end, unsigned depth)
{
	must(depth < DEPTH_MAX);
	at = skip_blanks(at + 1);
	while (*at != end) {
		if (end == '}') {
			at = skip_blanks(read_string(at));
			must(*at == ':');
			at++;
		}
		at = skip_blanks(read_value(at, depth + 1));
		must(*at == ',' || *at == end);
		if (*at == ',') {
			at = skip_blanks(at + 1);
			must(*at != end);
		}
	}
	return at + 1;
}

static const char *read_value(const char *at, unsigned depth)
{
	size_t digits;

	at = skip_blanks(at);
	if (*at == '{' || *at == '[')
		return read_list(at, *at == '{' ? '}' : ']', depth);
	if (*at == '"')
		return read_string(at);
	if (!strncmp(at, "true", 4) || !strncmp(at, "false", 5))
		return at + (*at == 't' ? 4 : 5);
	if (!strncmp(at, "null", 4))
		return at + 4;
	digits = strspn(at, "0123456789");
	must(digits && (digits == 1 || *at != '0'));
	return at + digits;
}

/* ---- the relay ---- */

static struct endpoint dials[PORTS], listens;
static struct port port[PORTS];
static struct member member[PORTS];
static struct acceptor acceptor = { .ep = &listens };
static const struct port_ops ops = { .kind = "fuzz" };
static struct relay relay;

static void take_text(struct fuzz_input *in, char *to, size_t size)
{
	char *text = fuzz_text(in);

	snprintf(to, size, "%s", text);
	free(text);
}

static void make_port(struct fuzz_input *in, unsigned i)
{
	struct port *p = &port[i];

	memset(p, 0, sizeof(*p));
	memset(&member[i], 0, sizeof(member[i]));
	take_text(in, p->name, sizeof(p->name));
	take_text(in, dials[i].text, sizeof(dials[i].text));
	take_text(in, p->why, sizeof(p->why));
	p->ops = &ops;
	p->owner = &member[i];
	member[i].port = p;
	member[i].id = i + 1;
	member[i].ep = &dials[i];
	member[i].next = i + 1 < PORTS ? &member[i + 1] : NULL;
}

static void fill_port(struct fuzz_input *in, unsigned i)
{
	static const enum port_state states[] = { PORT_OPENING, PORT_WAITING, PORT_UP };
	struct member *m = &member[i];
	uint8_t what = fuzz_byte(in);

	port[i].state = states[what % 3];
	m->is_blocked = what & 4;
	m->guard.is_limited = what & 8;
	m->rules.is_isolated = what & 16;
	m->rules.n_macs = what >> 5 & 3;
	m->rules.storm = fuzz_number(in, 4);
	port[i].count.rx_frames = (uint64_t)fuzz_number(in, 4) << fuzz_byte(in) % 33;
	port[i].count.dropped[what % DROP_REASONS] = fuzz_number(in, 4);
	m->rate.tx_bytes = (uint64_t)fuzz_number(in, 4) << fuzz_byte(in) % 33;
}

/* A few addresses that were learned at the first port. */
static struct fdb *learned(struct fuzz_input *in)
{
	static struct fdb fdb;
	unsigned n = fuzz_byte(in) % 8;

	if (!fdb.entries && fdb_init(&fdb, 8, &relay.forward.members) < 0)
		abort();
	fdb_forget_all(&fdb);
	while (n--)
		fdb_learn(&fdb, (uint64_t)fuzz_number(in, 4) << 32 | fuzz_number(in, 4),
			  &member[0], (uint32_t)(loop_coarse() / 1000));
	return &fdb;
}

static void make_relay(struct fuzz_input *in)
{
	memset(&relay, 0, sizeof(relay));
	for (unsigned i = 0; i < PORTS; i++)
		make_port(in, i);
	take_text(in, listens.text, sizeof(listens.text));
	for (unsigned i = 0; i < PORTS; i++)
		fill_port(in, i);
	relay.kind = (enum relay_kind)(fuzz_byte(in) % (RELAY_HUB + 1));
	relay.started = loop_now() - fuzz_number(in, 3);
	relay.forward.members.first = &member[0];
	relay.forward.members.last = &member[PORTS - 1];
	relay.acceptors = &acceptor;
	acceptor.listener.n = fuzz_byte(in);
	relay.forward.fdb = relay.kind == RELAY_SWITCH ? learned(in) : NULL;
}

/* ---- what shows it ---- */

static void must_be_printable(const char *text, const char *also)
{
	for (; *text; text++)
		must((*text >= ' ' && *text <= '~') || strchr(also, *text));
}

static char *shown(show_step *step)
{
	struct buf out = { 0 };
	struct show s = { 0 };

	while (!step(&s, &relay, &out))
		;
	must(!out.failed && strlen(out.data) == out.len);
	must(out.len && out.data[out.len - 1] == '\n');
	return out.data;
}

static void check_json(void)
{
	show_step *const steps[] = { show_json, show_json_fdb };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		char *text = shown(steps[i]);

		must_be_printable(text, "\n");
		must(!*skip_blanks(read_value(text, 0)));
		free(text);
	}
}

static void check_counters(void)
{
	struct top_data d;

	must(top_read(&d, shown(show_counters)) == 0 && d.n == PORTS);
	for (size_t i = 0; i < PORTS; i++)
		must(d.port[i].id == i + 1 &&
		     d.port[i].rx_frames == port[i].count.rx_frames);
	top_free(&d);
}

static void check_table(void)
{
	char *text = shown(show_status);

	must_be_printable(text, "\n");
	free(text);
}

/* NAME[{KEY="VALUE",...}] NUMBER; in a value \\ \" \n are escapes. */
static const char *read_sample(const char *at)
{
	static const char word[] = "abcdefghijklmnopqrstuvwxyz_";

	at += strspn(at, word);
	if (*at == '{') {
		do {
			at++;
			at += strspn(at, word);
			must(!strncmp(at, "=\"", 2));
			for (at += 2; *at != '"'; at++) {
				must(*at && *at != '\n');
				if (*at == '\\')
					must(*++at && strchr("\\\"n", *at));
			}
			at++;
		} while (*at == ',');
		must(*at == '}');
		at++;
	}
	must(*at == ' ');
	at++;
	at += strspn(at, "0123456789.");
	must(*at == '\n');
	return at + 1;
}

static void check_metrics(void)
{
	const struct metrics_process process = { 1, 2, 3 };
	struct metrics_text t = { 0 };
	struct buf all = { 0 };

	while (!metrics_text_ports(&t, &relay))
		;
	must(metrics_text_end(&t, &relay, &process) == 0);
	for (size_t i = 0; i < METRICS_PARTS; i++)
		buf_add(&all, t.part[i].data, t.part[i].len);
	must(!all.failed && all.len == metrics_text_len(&t));
	must_be_printable(all.data, "\n");
	for (const char *at = all.data; *at;)
		at = *at == '#' ? strchr(at, '\n') + 1 : read_sample(at);
	buf_free(&all);
	metrics_text_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };

	make_relay(&in);
	check_json();
	check_counters();
	check_table();
	check_metrics();
	return 0;
}
