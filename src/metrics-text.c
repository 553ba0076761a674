/* SPDX-License-Identifier: MIT */
/*
 * A family is its HELP and TYPE, and then all of its samples together. So all
 * ports are gone through for each; what their labels say is put down before.
 */
#include "metrics-text.h"

#include <inttypes.h>
#include <string.h>

#include "text.h"

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

/* A name from outside, as it is in messages; the format knows \\, \" and \n alone. */
static void add_label(struct buf *b, const char *before, const char *key,
		      const char *text)
{
	char shown[4 * ENDPOINT_TEXT_MAX];

	text_escape(shown, sizeof(shown), text);
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
 * @labels: "{" and labels, or ""
 * @key:    of one label more, with the value @which; or NULL
 */
static void add_sample(struct buf *b, const char *scope, const char *name,
		       const char *labels, const char *key, const char *which,
		       uint64_t value)
{
	/* There are many of these, and printf() is slow. */
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
	{ "receive_frames_total", "Frames that arrived, dropped ones too",
	  offsetof(struct port_counters, rx_frames), false },
	{ "receive_bytes_total", "Bytes of frames that arrived",
	  offsetof(struct port_counters, rx_bytes), false },
	{ "transmit_frames_total", "Frames that were sent",
	  offsetof(struct port_counters, tx_frames), false },
	{ "transmit_bytes_total", "Bytes of frames that were sent",
	  offsetof(struct port_counters, tx_bytes), false },
	{ "drops_total", "Frames that went no further, by the reason",
	  offsetof(struct port_counters, dropped), true },
};

static uint64_t value_at(const struct port_counters *count, size_t at)
{
	return *(const uint64_t *)(const void *)((const char *)count + at);
}

/* Of all ports when @p is NULL. */
static uint64_t value_of(const struct relay *r, const struct port *p, size_t at)
{
	uint64_t sum;

	if (p)
		return value_at(&p->count, at);
	sum = value_at(&r->gone, at);
	for (p = r->forward.ports; p; p = p->next)
		sum += value_at(&p->count, at);
	return sum;
}

static void add_counter(struct buf *b, const struct relay *r, const struct port *p,
			const struct counter *c, const char *labels)
{
	const char *scope = p ? "port_" : "";

	if (!c->has_reasons) {
		add_sample(b, scope, c->name, labels, NULL, NULL, value_of(r, p, c->at));
		return;
	}
	/* Those at 0, too: the first drop would else be no increase. */
	for (int i = 0; i < DROP_REASONS; i++)
		add_sample(b, scope, c->name, labels, "reason",
			   port_drop_name((enum port_drop)i),
			   value_of(r, p, c->at + (size_t)i * sizeof(uint64_t)));
}

/* ---- families ---- */

static void add_infos(struct buf *b, const struct relay *r)
{
	begin(b, "", "build_info", "gauge", "Which netrelay this is", "");
	add(b, "netrelay_build_info");
	add_label(b, "{", "version", VERSION);
	add_label(b, ",", "libc", LIBC);
	add_label(b, ",", "libmnl", LIBMNL);
	buf_printf(b, "} 1\n");
	begin(b, "", "relay_info", "gauge", "How frames go between ports", "");
	add_sample(b, "", "relay_info", "", "kind", relay_kind_name(r->kind), 1);
}

/* By the names that Prometheus has for these of any process. */
static void add_process(struct buf *b, const struct metrics_process *p)
{
	buf_printf(b,
		   "# HELP process_start_time_seconds When it began, in Unix time.\n"
		   "# TYPE process_start_time_seconds gauge\n"
		   "process_start_time_seconds %" PRIu64 "\n"
		   "# HELP process_cpu_seconds_total Seconds that it had a CPU.\n"
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

static void add_totals(struct buf *b, const struct relay *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		begin(b, "", counters[i].name, "counter", counters[i].help,
		      ", at all ports and those that are gone");
		add_counter(b, r, NULL, &counters[i], "");
	}
	begin(b, "", "copied_frames_total", "counter",
	      "Frames made here: copies for further ports, and segments", "");
	add_sample(b, "", "copied_frames_total", "", NULL, NULL, r->forward.copied);
}

static uint64_t is_up(const struct port *p)
{
	return port_state_shown(p) == PORT_UP;
}

static uint64_t is_blocked(const struct port *p)
{
	return p->is_blocked;
}

static uint64_t addresses(const struct port *p)
{
	return p->addresses.n;
}

static uint64_t queue_frames(const struct port *p)
{
	return p->queue.frames;
}

static uint64_t queue_bytes(const struct port *p)
{
	return p->queue.bytes;
}

static uint64_t queue_limit(const struct port *p)
{
	return p->queue.limit;
}

static const struct {
	const char *name, *help;
	uint64_t (*value)(const struct port *p);
} gauges[] = {
	{ "up", "Whether frames can be sent and received", is_up },
	{ "blocked", "Whether nothing is forwarded, for it closes a loop", is_blocked },
	{ "addresses", "Addresses that are known to be behind it", addresses },
	{ "queue_frames", "Frames that wait to be sent", queue_frames },
	{ "queue_bytes", "Bytes that wait to be sent, length words included",
	  queue_bytes },
	{ "queue_limit_bytes", "Bytes that may wait; beyond that frames are dropped",
	  queue_limit },
};

static void add_states(struct buf *b, const struct port *p, const char *labels)
{
	for (int s = PORT_OPENING; s <= PORT_ENDED; s++)
		add_sample(b, "port_", "state", labels, "state",
			   port_state_name((enum port_state)s),
			   port_state_shown(p) == (enum port_state)s);
}

/* From one port's labels to the next one's. */
static const char *next(const char *labels)
{
	return labels + strlen(labels) + 1;
}

/* @labels: a string for each port */
static void add_port_families(struct buf *b, const struct relay *r, const char *labels)
{
	const struct port *p, *first = r->forward.ports;
	const char *l;

	begin(b, "port_", "state", "gauge", "1 for the state that it is in", "");
	for (p = first, l = labels; p; p = p->next, l = next(l))
		add_states(b, p, l);
	for (size_t i = 0; i < ARRAY_SIZE(gauges); i++) {
		begin(b, "port_", gauges[i].name, "gauge", gauges[i].help, "");
		for (p = first, l = labels; p; p = p->next, l = next(l))
			add_sample(b, "port_", gauges[i].name, l, NULL, NULL,
				   gauges[i].value(p));
	}
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		begin(b, "port_", counters[i].name, "counter", counters[i].help, "");
		for (p = first, l = labels; p; p = p->next, l = next(l))
			add_counter(b, r, p, &counters[i], l);
	}
}

static void add_ports(struct buf *b, const struct relay *r)
{
	struct buf labels = { 0 };

	for (const struct port *p = r->forward.ports; p; p = p->next) {
		buf_printf(&labels, "{port=\"%u\"", p->id);
		add_label(&labels, ",", "endpoint", p->name);
		buf_add(&labels, "", 1);
	}
	if (labels.failed)
		b->failed = true;
	else
		add_port_families(b, r, labels.data);
	buf_free(&labels);
}

static void add_listeners(struct buf *b, const struct relay *r)
{
	struct buf labels = { 0 };
	const struct listener *l;
	const char *at;

	for (l = r->listeners; l; l = l->next) {
		add_label(&labels, "{", "endpoint", l->ep->text);
		buf_add(&labels, "", 1);
	}
	b->failed |= labels.failed;
	begin(b, "listener_", "connections", "gauge", "Connections that are ports now",
	      "");
	for (l = r->listeners, at = labels.data; l && !b->failed;
	     l = l->next, at = next(at))
		add_sample(b, "listener_", "connections", at, NULL, NULL, l->n);
	begin(b, "listener_", "accepted_total", "counter", "Connections ever accepted",
	      "");
	for (l = r->listeners, at = labels.data; l && !b->failed;
	     l = l->next, at = next(at))
		add_sample(b, "listener_", "accepted_total", at, NULL, NULL, l->count);
	buf_free(&labels);
}

static void add_fdb(struct buf *b, const struct fdb *fdb)
{
	if (!fdb)
		return;
	begin(b, "fdb_", "entries", "gauge", "Addresses that are known", "");
	add_sample(b, "fdb_", "entries", "", NULL, NULL, fdb->n);
	begin(b, "fdb_", "limit", "gauge", "Addresses that can be", "");
	add_sample(b, "fdb_", "limit", "", NULL, NULL, fdb->size);
}

void metrics_text(struct buf *b, const struct relay *r, const struct metrics_process *p)
{
	add_infos(b, r);
	add_process(b, p);
	add_totals(b, r);
	add_ports(b, r);
	add_listeners(b, r);
	add_fdb(b, r->forward.fdb);
}
