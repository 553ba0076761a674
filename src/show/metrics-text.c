/* SPDX-License-Identifier: MIT */
/*
 * Writes Prometheus' text format. A family of metrics consists of its HELP and TYPE and
 * then of all its samples. So each family of ports is a text of its own, to which every
 * port adds its samples.
 */
#include "show/metrics-text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/escape.h"
#include "base/version.h"
#include "relay/stats.h"
#include "seal/key.h"
#include "show/show.h"

static void add(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

static void add_number(struct buf *b, uint64_t n)
{
	char digits[sizeof("18446744073709551615")];
	char *at = digits + sizeof(digits);

	do {
		*--at = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	buf_add(b, at, (size_t)(digits + sizeof(digits) - at));
}

/* Add a label with a text from outside, escaped as in messages; the format knows only \\ \" \n. */
static void add_label(struct buf *b, const char *before, const char *key,
		      const char *text)
{
	char shown[4 * ENDPOINT_TEXT_MAX];

	escape_text(shown, sizeof(shown), text);
	buf_printf(b, "%s%s=\"", before, key);
	buf_escape(b, shown, "\\\"");
	add(b, "\"");
}

static void begin(struct buf *b, const char *scope, const char *name, const char *type,
		  const char *help, const char *more_help)
{
	buf_printf(b, "# HELP netrelay_%s%s %s%s.\n# TYPE netrelay_%s%s %s\n", scope,
		   name, help, more_help, scope, name, type);
}

/*
 * @labels: "{" and labels; or ""
 * @key:    the key of one more label, with the value @which; or NULL
 */
static void add_sample(struct buf *b, const char *scope, const char *name,
		       const char *labels, const char *key, const char *which,
		       uint64_t value)
{
	/* There are many samples, and printf() is slow. */
	add(b, "netrelay_");
	add(b, scope);
	add(b, name);
	add(b, labels);
	if (key) {
		add(b, *labels ? "," : "{");
		add(b, key);
		add(b, "=\"");
		add(b, which);
		add(b, "\"");
	}
	add(b, *labels || key ? "} " : " ");
	add_number(b, value);
	add(b, "\n");
}

/* ---- what is counted, of each port and of all ---- */

struct counter {
	const char *name, *help;
	size_t at; /* in struct port_counters */
	bool has_reasons;
};

static const struct counter counters[] = {
	{ "receive_frames_total", "Frames received, including dropped ones",
	  offsetof(struct port_counters, rx_frames), false },
	{ "receive_bytes_total", "Bytes of frames received",
	  offsetof(struct port_counters, rx_bytes), false },
	{ "transmit_frames_total", "Frames sent",
	  offsetof(struct port_counters, tx_frames), false },
	{ "transmit_bytes_total", "Bytes of frames sent",
	  offsetof(struct port_counters, tx_bytes), false },
	{ "drops_total", "Frames dropped, by reason",
	  offsetof(struct port_counters, dropped), true },
};

static uint64_t value_at(const struct port_counters *count, size_t at)
{
	return *(const uint64_t *)(const void *)((const char *)count + at);
}

static void add_counter(struct buf *b, const char *scope, const struct counter *c,
			const struct port_counters *count, const char *labels)
{
	if (!c->has_reasons) {
		add_sample(b, scope, c->name, labels, NULL, NULL, value_at(count, c->at));
		return;
	}
	/* Export zeros as well: without them rate() would miss the first drop. */
	for (int i = 0; i < DROP_REASONS; i++)
		add_sample(b, scope, c->name, labels, "reason",
			   port_drop_name((enum port_drop)i), count->dropped[i]);
}

/* ---- of the relay ---- */

static void add_infos(struct buf *b, const struct relay *r)
{
	begin(b, "", "build_info", "gauge", "The version of netrelay", "");
	add(b, "netrelay_build_info");
	add_label(b, "{", "version", version_number());
	add_label(b, ",", "libc", version_libc);
	add_label(b, ",", "libmnl", version_libmnl);
	buf_printf(b, "} 1\n");
	begin(b, "", "relay_info", "gauge", "A cable, a switch or a hub", "");
	add_sample(b, "", "relay_info", "", "kind", relay_kind_name(r->kind), 1);
}

/* Prometheus has given names to these metrics of any process. */
static void add_process(struct buf *b, const struct metrics_process *p)
{
	buf_printf(
		b,
		"# HELP process_start_time_seconds Start of the process, in Unix time.\n"
		"# TYPE process_start_time_seconds gauge\n"
		"process_start_time_seconds %" PRIu64 "\n"
		"# HELP process_cpu_seconds_total CPU time used, in seconds.\n"
		"# TYPE process_cpu_seconds_total counter\n"
		"process_cpu_seconds_total %" PRIu64 ".%06" PRIu64 "\n",
		p->start_s, p->cpu_us / 1000000, p->cpu_us % 1000000);
	if (p->resident_bytes)
		buf_printf(b,
			   "# HELP process_resident_memory_bytes Memory in use.\n"
			   "# TYPE process_resident_memory_bytes gauge\n"
			   "process_resident_memory_bytes %" PRIu64 "\n",
			   p->resident_bytes);
}

static void add_totals(struct buf *b, const struct relay *r,
		       const struct port_counters *all)
{
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		begin(b, "", counters[i].name, "counter", counters[i].help,
		      "; all ports, including removed ones");
		add_counter(b, "", &counters[i], all, "");
	}
	begin(b, "", "copied_frames_total", "counter",
	      "Frames made by the relay: copies, segments, probes", "");
	add_sample(b, "", "copied_frames_total", "", NULL, NULL,
		   r->forward.copied + all->made);
}

/* ---- of ports ---- */

static uint64_t is_up(const struct member *m)
{
	return port_state_shown(m->port) == PORT_UP;
}

static uint64_t is_blocked(const struct member *m)
{
	return m->is_blocked;
}

static uint64_t is_limited(const struct member *m)
{
	return m->guard.is_limited;
}

static uint64_t addresses(const struct member *m)
{
	return m->addresses.n;
}

static uint64_t queue_frames(const struct member *m)
{
	return port_backlog(m->port).frames;
}

static uint64_t queue_bytes(const struct member *m)
{
	return port_backlog(m->port).bytes;
}

static uint64_t queue_limit(const struct member *m)
{
	return port_backlog(m->port).limit;
}

static uint64_t sealed_s(const struct member *m)
{
	return show_suite(m->port) ? (loop_now() - m->port->since) / 1000 : 0;
}

static const struct {
	const char *name, *help;
	uint64_t (*value)(const struct member *m);
} gauges[] = {
	{ "up", "Whether the port is up", is_up },
	{ "blocked", "Whether it is blocked because of a loop", is_blocked },
	{ "limited", "Whether its broadcasts are limited because of a loop", is_limited },
	{ "addresses", "Addresses that the switch knows there", addresses },
	{ "queue_frames", "Frames waiting to be sent", queue_frames },
	{ "queue_bytes", "Bytes waiting to be sent, with length prefixes", queue_bytes },
	{ "queue_limit_bytes", "Bytes that may wait; beyond that frames are dropped",
	  queue_limit },
	{ "sealed_seconds", "How long its bytes have been sealed; 0: they are not",
	  sealed_s },
};

static void add_states(struct buf *b, const struct port *p, const char *labels)
{
	for (int s = PORT_OPENING; s <= PORT_ENDED; s++)
		add_sample(b, "port_", "state", labels, "state",
			   port_state_name((enum port_state)s),
			   port_state_shown(p) == (enum port_state)s);
}

/* Nothing of a port that is not sealed. */
static void add_seal(struct buf *b, const struct port *p, const char *labels)
{
	char key[KEY_TEXT_MAX];

	if (!show_suite(p))
		return;
	key_write(key, p->seal.peer);
	add(b, "netrelay_port_sealed");
	add(b, labels);
	add_label(b, ",", "suite", show_suite(p));
	add_label(b, ",", "key", key);
	buf_printf(b, "} 1\n");
}

_Static_assert(
	METRICS_PARTS == 4 + ARRAY_SIZE(gauges) + ARRAY_SIZE(counters),
	"the relay, states, seals, gauges and counters of ports, and what is behind");

/* Begin the families of ports by their HELP and TYPE. */
static void begin_families(struct buf *part)
{
	begin(part++, "port_", "state", "gauge", "1 for the state of the port", "");
	begin(part++, "port_", "sealed", "gauge",
	      "1 for what seals the port's bytes, and for whom", "");
	for (size_t i = 0; i < ARRAY_SIZE(gauges); i++)
		begin(part++, "port_", gauges[i].name, "gauge", gauges[i].help, "");
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		begin(part++, "port_", counters[i].name, "counter", counters[i].help, "");
}

/*
 * Make the labels of a port. No label has the peer's address: each connection would
 * begin new series. The endpoint or the listener that the port comes from stays, and so
 * does a name, which takes the place of the number.
 */
static void put_labels(struct buf *labels, const struct member *m)
{
	labels->len = 0;
	if (*m->name)
		add_label(labels, "{", "port", m->name);
	else
		buf_printf(labels, "{port=\"%u\"", m->id);
	if (acceptor_of(m))
		add_label(labels, ",", "listener", acceptor_of(m)->ep->text);
	else if (m->ep)
		add_label(labels, ",", "name", m->ep->text);
}

static void add_member(struct metrics_text *t, const struct member *m)
{
	struct buf *part = &t->part[1];
	const char *labels;

	put_labels(&t->labels, m);
	if (t->labels.failed)
		return;
	labels = t->labels.data;
	add_states(part++, m->port, labels);
	add_seal(part++, m->port, labels);
	for (size_t i = 0; i < ARRAY_SIZE(gauges); i++)
		add_sample(part++, "port_", gauges[i].name, labels, NULL, NULL,
			   gauges[i].value(m));
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		add_counter(part++, "port_", &counters[i], &m->port->count, labels);
}

/*
 * Whether no other port in the text has its name: one that has ended gave its name back, and
 * one that came since the text was begun may have the name of one that was written.
 */
static bool is_only_one(const struct metrics_text *t, const struct member *m)
{
	return !*m->name || (m->port->state != PORT_ENDED && m->id <= t->newest);
}

bool metrics_text_ports(struct metrics_text *t, const struct relay *r)
{
	const struct member *m = members_after(&r->forward.members, t->last);
	unsigned n = 0;

	if (!t->is_begun) {
		begin_families(&t->part[1]);
		t->newest = r->forward.members.last_id;
	}
	t->is_begun = true;
	for (; m && n < METRICS_PORTS_A_STEP; m = m->next, n++) {
		if (is_only_one(t, m))
			add_member(t, m);
		t->last = m->id;
	}
	return !m;
}

/* ---- of listeners ---- */

/* The labels of the next listener: each listener's are one string. */
static const char *next(const char *labels)
{
	return labels + strlen(labels) + 1;
}

static uint64_t connections(const struct acceptor *a)
{
	return a->listener.n;
}

static uint64_t accepted(const struct acceptor *a)
{
	return a->listener.count;
}

/* @labels: one string for each listener, one behind the other */
static void add_listener_values(struct buf *b, const struct relay *r, const char *labels,
				const char *name,
				uint64_t (*value)(const struct acceptor *a))
{
	for (const struct acceptor *a = r->acceptors; a;
	     a = a->next, labels = next(labels))
		add_sample(b, "listener_", name, labels, NULL, NULL, value(a));
}

static void add_refused(struct buf *b, const struct relay *r, const char *labels)
{
	begin(b, "listener_", "refused_total", "counter",
	      "Connections refused, by the option that did", "");
	for (const struct acceptor *a = r->acceptors; a;
	     a = a->next, labels = next(labels))
		for (int i = 0; i < ADMIT_REFUSALS; i++)
			add_sample(b, "listener_", "refused_total", labels, "reason",
				   admit_refusal_name((enum admit_refusal)i),
				   a->listener.admit.refused[i]);
}

static void add_listener_families(struct buf *b, const struct relay *r,
				  const char *labels)
{
	begin(b, "listener_", "connections", "gauge", "Open connections", "");
	add_listener_values(b, r, labels, "connections", connections);
	begin(b, "listener_", "accepted_total", "counter", "Connections accepted so far",
	      "");
	add_listener_values(b, r, labels, "accepted_total", accepted);
	add_refused(b, r, labels);
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		const char *at = labels;

		begin(b, "listener_", counters[i].name, "counter", counters[i].help,
		      "; all ports that it ever made");
		for (const struct acceptor *a = r->acceptors; a; a = a->next) {
			add_counter(b, "listener_", &counters[i], &a->sum, at);
			at = next(at);
		}
	}
}

static void add_listeners(struct buf *b, const struct relay *r)
{
	struct buf labels = { 0 };

	for (const struct acceptor *a = r->acceptors; a; a = a->next) {
		add_label(&labels, "{", "listener", a->ep->text);
		buf_add(&labels, "", 1);
	}
	if (labels.failed)
		b->failed = true;
	else
		add_listener_families(b, r, labels.data);
	buf_free(&labels);
}

static void add_fdb(struct buf *b, const struct fdb *fdb)
{
	if (!fdb)
		return;
	begin(b, "fdb_", "entries", "gauge", "Addresses that the switch knows", "");
	add_sample(b, "fdb_", "entries", "", NULL, NULL, fdb->n);
	begin(b, "fdb_", "limit", "gauge", "Addresses that it can know", "");
	add_sample(b, "fdb_", "limit", "", NULL, NULL, fdb->size);
}

/* ---- all of it ---- */

int metrics_text_end(struct metrics_text *t, const struct relay *r,
		     const struct metrics_process *p)
{
	struct buf *tail = &t->part[METRICS_PARTS - 1];
	struct port_counters all;

	stats_sum_acceptors(r, &all);
	add_infos(&t->part[0], r);
	add_process(&t->part[0], p);
	add_totals(&t->part[0], r, &all);
	add_listeners(tail, r);
	add_fdb(tail, r->forward.fdb);
	for (size_t i = 0; i < METRICS_PARTS; i++)
		if (t->part[i].failed)
			return -ENOMEM;
	return t->labels.failed ? -ENOMEM : 0;
}

size_t metrics_text_len(const struct metrics_text *t)
{
	size_t len = 0;

	for (size_t i = 0; i < METRICS_PARTS; i++)
		len += t->part[i].len;
	return len;
}

void metrics_text_free(struct metrics_text *t)
{
	for (size_t i = 0; i < METRICS_PARTS; i++)
		buf_free(&t->part[i]);
	buf_free(&t->labels);
	*t = (struct metrics_text){ 0 };
}
