/* SPDX-License-Identifier: MIT */
/*
 * Writes the table of a relay and the lines for netrelay top. A column of the table is
 * as wide as its longest name, up to NAME_COLUMNS.
 */
#include "show/show-table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/human.h"
#include "base/parts.h"
#include "base/version.h"
#include "relay/stats.h"
#include "seal/key.h"

#define NAME_COLUMNS 40 /* characters; a longer name is cut */

/* ---- the table ---- */

struct names {
	char endpoint[NAME_COLUMNS + 1], peer[NAME_COLUMNS + 1];
};

/* Copy a name, escaped, and cut if it is too long. Return: its length. */
static int fit(char *to, const char *from)
{
	char text[4 * PORT_WHY_MAX];
	size_t len = escape_text(text, sizeof(text), from);
	bool is_long = len > NAME_COLUMNS;

	return snprintf(to, NAME_COLUMNS + 1, is_long ? "%.*s..." : "%.*s",
			is_long ? NAME_COLUMNS - 3 : NAME_COLUMNS, text);
}

static void widen(int *width, int len)
{
	if (len > *width)
		*width = len;
}

static void name_member(const struct member *m, struct names *names, struct show *s)
{
	char peer[SOCK_TEXT_MAX];

	if (*m->name)
		widen(&s->name, (int)strlen("name"));
	widen(&s->name, (int)strlen(m->name));
	widen(&s->endpoint, fit(names->endpoint, show_endpoint(m)));
	widen(&s->peer, fit(names->peer, show_peer(m, peer)));
	widen(&s->state, (int)strlen(member_state_text(m)));
}

static void measure_member(struct show *s, const struct member *m, struct buf *out)
{
	struct names names;

	(void)out;
	name_member(m, &names, s);
}

static void add_head(const struct relay *r, struct buf *out)
{
	struct stats_sums sums = stats_sum(r);
	char uptime[HUMAN_MAX];

	buf_printf(out,
		   "%s, %u ports, for %s: received %" PRIu64 ", copied %" PRIu64
		   ", sent %" PRIu64 ", queued %" PRIu64 ", dropped %" PRIu64 "\n",
		   relay_kind_name(r->kind), r->forward.members.n,
		   human_time(loop_now() - r->started, uptime), sums.received,
		   sums.copied, sums.sent, sums.queued, sums.dropped);
	for (const struct acceptor *a = r->acceptors; a; a = a->next) {
		show_listener(a, out);
		buf_printf(out, "\n");
	}
}

/* The names that the user gave have a column if there are any; with a blank behind it. */
static int name_width(const struct show *w)
{
	return w->name ? w->name + 1 : 0;
}

static void add_titles(struct buf *out, const struct show *w)
{
	static const char way[] = "frames  bytes     /s  bit/s";

	buf_printf(out,
		   "\n%*s  -------- received ---------  ---------- sent -----------\n",
		   5 + name_width(w) + w->endpoint + 1 + w->peer + 1 + w->state + 7, "");
	buf_printf(out, "port %-*s%-*s %-*s %-*s %6s  %s  %s  queue\n", name_width(w),
		   w->name ? "name" : "", w->endpoint, "endpoint", w->peer, "peer",
		   w->state, "state", "since", way, way);
}

static void add_direction(struct buf *out, uint64_t frames, uint64_t bytes,
			  uint64_t frame_rate, uint64_t byte_rate)
{
	char text[4][HUMAN_MAX];

	buf_printf(out, "  %6s %6s %6s %6s", human_count(frames, text[0]),
		   human_count(bytes, text[1]), human_count(frame_rate, text[2]),
		   human_count(byte_rate * 8, text[3]));
}

static void add_seal(const struct port *p, struct buf *out)
{
	char key[KEY_TEXT_MAX];

	if (!show_suite(p))
		return;
	key_write(key, p->seal.peer);
	buf_printf(out, "     sealed: %s, for %s\n", show_suite(p), key);
}

/* Add a line with reasons for drops, and one with the reason that the port is not up. */
static void add_reasons(const struct port *p, struct buf *out)
{
	const char *lead = "     drops: ";
	char why[4 * PORT_WHY_MAX];

	for (int i = 0; i < DROP_REASONS; i++) {
		if (!p->count.dropped[i])
			continue;
		buf_printf(out, "%s%s %" PRIu64, lead, port_drop_name((enum port_drop)i),
			   p->count.dropped[i]);
		lead = ", ";
	}
	if (*lead == ',')
		buf_printf(out, "\n");
	if (p->far_errno && p->state == PORT_UP)
		buf_printf(out, "     far end: unreachable: %s\n",
			   strerror(p->far_errno));
	else if (!strcmp(port_far_name(p), "silent"))
		buf_printf(out, "     far end: nothing heard from it yet\n");
	if (port_state_shown(p) != PORT_UP && p->why[0]) {
		escape_text(why, sizeof(why), p->why);
		buf_printf(out, "     last error: %s\n", why);
	}
}

static void add_member(struct show *w, const struct member *m, struct buf *out)
{
	const struct port *p = m->port;
	char since[HUMAN_MAX], queue[HUMAN_MAX];
	struct names names;

	name_member(m, &names, w);
	buf_printf(out, "%4u %-*s%-*s %-*s %-*s %6s", m->id, name_width(w),
		   w->name && !*m->name ? "-" : m->name, w->endpoint, names.endpoint,
		   w->peer, names.peer, w->state, member_state_text(m),
		   human_time(loop_now() - p->since, since));
	add_direction(out, p->count.rx_frames, p->count.rx_bytes, m->rate.rx_frames,
		      m->rate.rx_bytes);
	add_direction(out, p->count.tx_frames, p->count.tx_bytes, m->rate.tx_frames,
		      m->rate.tx_bytes);
	buf_printf(out, " %6s\n", human_count(port_backlog(p).bytes, queue));
	add_seal(p, out);
	if (HAS_VHOST && p->features)
		buf_printf(out, "     guest: %s\n", p->features);
	add_reasons(p, out);
}

/* All ports are measured before the first one is shown. */
bool show_status(struct show *s, const struct relay *r, struct buf *out)
{
	if (!s->is_begun)
		*s = (struct show){ .is_begun = true,
				    .endpoint = (int)strlen("endpoint"),
				    .peer = (int)strlen("peer"),
				    .state = (int)strlen("state") };
	if (!s->is_measured) {
		s->is_measured = show_members(s, r, out, measure_member);
		if (!s->is_measured)
			return false;
		s->last = 0;
		add_head(r, out);
		if (r->forward.members.first)
			add_titles(out, s);
	}
	return show_members(s, r, out, add_member);
}

/* ---- addresses ---- */

struct fdb_table {
	struct buf *out;
	uint32_t now;
	unsigned n;
};

static void add_address(const struct fdb_entry *e, void *arg)
{
	struct fdb_table *t = arg;
	char age[HUMAN_MAX], name[4 * PORT_NAME_MAX];
	uint64_t mac = e->key;

	if (t->n++ >= SHOW_ADDRESSES_MAX)
		return;
	escape_text(name, sizeof(name), member_name(e->member));
	buf_printf(t->out, "%02x:%02x:%02x:%02x:%02x:%02x %4u %5s %4u %s\n",
		   (unsigned)(mac >> 40) & 0xff, (unsigned)(mac >> 32) & 0xff,
		   (unsigned)(mac >> 24) & 0xff, (unsigned)(mac >> 16) & 0xff,
		   (unsigned)(mac >> 8) & 0xff, (unsigned)mac & 0xff,
		   (unsigned)(e->key >> 48),
		   human_time((uint64_t)(t->now - e->seen) * 1000, age), e->member->id,
		   name);
}

bool show_fdb(const struct relay *r, struct buf *out)
{
	struct fdb_table t = { .out = out, .now = (uint32_t)(loop_coarse() / 1000) };

	if (!r->forward.fdb)
		return false;
	buf_printf(out, "address           vlan   age port name\n");
	fdb_each(r->forward.fdb, t.now, add_address, &t);
	if (t.n > SHOW_ADDRESSES_MAX)
		buf_printf(out, "... and %u more\n", t.n - SHOW_ADDRESSES_MAX);
	return true;
}

/* ---- for top ---- */

static void add_counters(struct show *s, const struct member *m, struct buf *out)
{
	const struct port *p = m->port;
	char name[4 * PORT_NAME_MAX], peer[SOCK_TEXT_MAX], text[4 * SOCK_TEXT_MAX];

	(void)s;
	escape_text(name, sizeof(name), member_name(m));
	escape_text(text, sizeof(text), show_peer(m, peer));
	buf_printf(out,
		   "port\t%u\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64
		   "\t%" PRIu64 "\t%zu\t%zu\t%" PRIu64 "\t%s\t%s\n",
		   m->id, member_state_text(m), loop_now() - p->since, p->count.rx_frames,
		   p->count.rx_bytes, p->count.tx_frames, p->count.tx_bytes,
		   port_backlog(p).bytes, port_backlog(p).limit, stats_drops(&p->count),
		   name, text);
}

static void add_relay(const struct relay *r, struct buf *out)
{
	struct stats_sums sums = stats_sum(r);

	buf_printf(out,
		   "relay\t%s\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64
		   "\t%" PRIu64 "\t%" PRIu64 "\n",
		   relay_kind_name(r->kind), version_number(), loop_now() - r->started,
		   sums.received, sums.copied, sums.sent, sums.queued, sums.dropped);
}

bool show_counters(struct show *s, const struct relay *r, struct buf *out)
{
	if (!s->is_begun)
		add_relay(r, out);
	s->is_begun = true;
	return show_members(s, r, out, add_counters);
}
