/* SPDX-License-Identifier: MIT */
/*
 * Writes a relay, and the addresses that it knows, as JSON objects. The manual lists their
 * members. More members may be added, but those that exist keep their names and meanings.
 */
#include "show/show-json.h"

#include <inttypes.h>

#include "base/version.h"
#include "relay/stats.h"
#include "seal/key.h"

/* Begin a member, with a comma before it unless it is the first one of its object. */
static void begin_field(struct buf *out, const char *key)
{
	char last = out->len ? out->data[out->len - 1] : '{';

	buf_printf(out, "%s\"%s\": ", last == '{' ? "" : ", ", key);
}

static void add_number(struct buf *out, const char *key, uint64_t value)
{
	begin_field(out, key);
	buf_printf(out, "%" PRIu64, value);
}

static void add_bool(struct buf *out, const char *key, bool value)
{
	begin_field(out, key);
	buf_printf(out, value ? "true" : "false");
}

static void add_string(struct buf *out, const char *key, const char *value)
{
	begin_field(out, key);
	buf_printf(out, "\"");
	buf_escape(out, value, "\"\\");
	buf_printf(out, "\"");
}

static void add_mac(const uint8_t mac[6], struct buf *out)
{
	buf_printf(out, "\"%02x:%02x:%02x:%02x:%02x:%02x\"", mac[0], mac[1], mac[2],
		   mac[3], mac[4], mac[5]);
}

static void add_macs(const struct endpoint_rules *rules, struct buf *out)
{
	begin_field(out, "macs");
	for (unsigned i = 0; i < rules->n_macs; i++) {
		buf_printf(out, i ? ", " : "[");
		add_mac(rules->macs[i], out);
	}
	buf_printf(out, rules->n_macs ? "]" : "[]");
}

static void add_drops(const struct port *p, struct buf *out)
{
	begin_field(out, "drops");
	buf_printf(out, "{");
	for (int i = 0; i < DROP_REASONS; i++)
		add_number(out, port_drop_name((enum port_drop)i), p->count.dropped[i]);
	buf_printf(out, "}");
}

static void add_counters(const struct member *m, struct buf *out)
{
	const struct port *p = m->port;

	add_number(out, "rx_frames", p->count.rx_frames);
	add_number(out, "rx_bytes", p->count.rx_bytes);
	add_number(out, "tx_frames", p->count.tx_frames);
	add_number(out, "tx_bytes", p->count.tx_bytes);
	add_number(out, "rx_frames_rate", m->rate.rx_frames);
	add_number(out, "rx_bytes_rate", m->rate.rx_bytes);
	add_number(out, "tx_frames_rate", m->rate.tx_frames);
	add_number(out, "tx_bytes_rate", m->rate.tx_bytes);
	add_number(out, "queue_frames", port_backlog(p).frames);
	add_number(out, "queue_bytes", port_backlog(p).bytes);
	add_number(out, "queue_limit", port_backlog(p).limit);
}

/* The members of an object, or null. */
static void add_seal(const struct port *p, struct buf *out)
{
	char key[KEY_TEXT_MAX];

	begin_field(out, "sealed");
	if (!show_suite(p)) {
		buf_printf(out, "null");
		return;
	}
	key_write(key, p->seal.peer);
	buf_printf(out, "{");
	add_string(out, "suite", show_suite(p));
	add_string(out, "key", key);
	add_number(out, "since_ms", loop_now() - p->since);
	buf_printf(out, "}");
}

static void add_member(struct show *s, const struct member *m, struct buf *out)
{
	const struct port *p = m->port;
	char peer[SOCK_TEXT_MAX];

	buf_printf(out, s->last ? ",\n{" : "\n{");
	add_number(out, "id", m->id);
	add_string(out, "name", member_name(m));
	add_string(out, "endpoint", show_endpoint(m));
	add_string(out, "peer", show_peer(m, peer));
	add_string(out, "state", port_state_name(port_state_shown(p)));
	add_number(out, "since_ms", loop_now() - p->since);
	add_string(out, "error", port_state_shown(p) == PORT_UP ? "" : p->why);
	add_string(out, "far_end", port_far_name(p));
	add_seal(p, out);
	add_string(out, "features", p->features ? p->features : "");
	add_bool(out, "blocked", m->is_blocked);
	add_bool(out, "limited", m->guard.is_limited);
	add_bool(out, "isolated", m->rules.is_isolated);
	add_macs(&m->rules, out);
	add_number(out, "storm", m->rules.storm);
	add_number(out, "addresses", m->addresses.n);
	add_counters(m, out);
	add_drops(p, out);
	buf_printf(out, "}");
}

static void add_listener(const struct acceptor *a, struct buf *out)
{
	buf_printf(out, "{");
	add_string(out, "endpoint", a->ep->text);
	add_string(out, "name", a->ep->port_name);
	add_number(out, "connected", a->listener.n);
	add_number(out, "accepted", a->listener.count);
	begin_field(out, "refused");
	buf_printf(out, "{");
	for (int i = 0; i < ADMIT_REFUSALS; i++)
		add_number(out, admit_refusal_name((enum admit_refusal)i),
			   a->listener.admit.refused[i]);
	buf_printf(out, "}");
	buf_printf(out, "}");
}

/* Add all members but the ports. */
static void add_relay(const struct relay *r, struct buf *out)
{
	struct stats_sums sums = stats_sum(r);
	const char *between = "\n";

	buf_printf(out, "{");
	add_string(out, "version", version_number());
	add_string(out, "kind", relay_kind_name(r->kind));
	add_number(out, "uptime_ms", loop_now() - r->started);
	add_number(out, "received", sums.received);
	add_number(out, "copied", sums.copied);
	add_number(out, "sent", sums.sent);
	add_number(out, "queued", sums.queued);
	add_number(out, "dropped", sums.dropped);
	buf_printf(out, ",\n\"listeners\": [");
	for (const struct acceptor *a = r->acceptors; a; a = a->next, between = ",\n") {
		buf_printf(out, "%s", between);
		add_listener(a, out);
	}
	buf_printf(out, "],\n\"ports\": [");
}

bool show_json(struct show *s, const struct relay *r, struct buf *out)
{
	bool is_last;

	if (!s->is_begun)
		add_relay(r, out);
	s->is_begun = true;
	is_last = show_members(s, r, out, add_member);
	if (is_last)
		buf_printf(out, "]}\n");
	return is_last;
}

/* ---- addresses ---- */

struct fdb_view {
	struct show *show;
	struct buf *out;
	uint32_t now;
};

static void add_address(const struct fdb_entry *e, void *arg)
{
	const struct fdb_view *v = arg;
	struct buf *out = v->out;
	uint8_t mac[6];

	put_be16(mac, (uint16_t)(e->key >> 32));
	put_be32(mac + 2, (uint32_t)e->key);
	buf_printf(out, v->show->has_any ? ",\n{" : "\n{");
	begin_field(out, "mac");
	add_mac(mac, out);
	add_number(out, "vlan", e->key >> 48);
	add_number(out, "age", v->now - e->seen);
	add_number(out, "port", e->member->id);
	buf_printf(out, "}");
	v->show->has_any = true;
}

bool show_json_fdb(struct show *s, const struct relay *r, struct buf *out)
{
	const struct fdb *fdb = r->forward.fdb;
	struct fdb_view view = { s, out, (uint32_t)(loop_coarse() / 1000) };

	if (!s->is_begun) {
		buf_printf(out, "{");
		add_number(out, "known", fdb ? fdb->n : 0);
		add_number(out, "limit", fdb ? fdb->size : 0);
		begin_field(out, "addresses");
		buf_printf(out, "[");
	}
	s->is_begun = true;
	s->last = fdb ? fdb_step(fdb, s->last, view.now, add_address, &view) : 0;
	if (!s->last)
		buf_printf(out, "]}\n");
	return !s->last;
}
