/* SPDX-License-Identifier: MIT */
/*
 * Logs frames, up to a limit: a line is earned every LINE_MS, and each frame that is
 * shown uses one up. When none is left, a frame costs no more than reading a coarse
 * clock.
 *
 * #syscalls: clock_gettime close fstat mmap open
 */
#include "show/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "frame/gso.h"
#include "frame/headers.h"
#include "frame/run.h"

#define LINES_MAX 100 /* lines that can be saved up */
#define LINE_MS 20    /* time to earn a line */

#define TAGS_MAX 4  /* VLAN tags that are read */
#define LOOK_MAX 64 /* bytes of a frame that are read */
_Static_assert(LOOK_MAX > ETH_SIZE + TAGS_MAX * VLAN_SIZE + 2,
	       "the tags and what follows the last one");

#define TYPE_802_3_MAX 1500 /* IEEE 802.3, 3.2.6: up to this, the field is a length */
#define TYPE_SLOW 0x8809    /* IEEE 802.3, annex 57A */
#define SLOW_LACP 1
#define LLC_STP 0x4242 /* IEEE 802.1D: both service access points of a BPDU */

/* ---- a line ---- */

/* A line that is being written: where the next text goes, and the bytes left there. */
struct line {
	char *at;
	size_t room;
};

PRINTF_LIKE(2, 3) static void add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(l->at, l->room, fmt, ap);
	va_end(ap);
	if (len <= 0 || !l->room)
		return;
	len = (int)min_size((size_t)len, l->room - 1);
	l->at += len;
	l->room -= (size_t)len;
}

static const char *type_name(uint16_t type)
{
	static const struct {
		uint16_t type;
		const char *name;
	} names[] = {
		{ TYPE_IP4, "IPv4" }, { 0x0806, "ARP" },    { TYPE_IP6, "IPv6" },
		{ 0x88cc, "LLDP" },   { 0x8847, "MPLS" },   { 0x8848, "MPLS" },
		{ 0x8863, "PPPoE" },  { 0x8864, "PPPoE" },  { TYPE_SLOW, "slow" },
		{ 0x888e, "EAPOL" },  { 0x88e5, "MACsec" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].type == type)
			return names[i].name;
	return NULL;
}

/* @payload, @len: the bytes behind the type that were read */
static void add_type(struct line *l, uint16_t type, const uint8_t *payload, uint32_t len)
{
	const char *name = type_name(type);

	if (type == TYPE_SLOW && len >= 1 && payload[0] == SLOW_LACP)
		name = "LACP";
	else if (type <= TYPE_802_3_MAX && len >= 2 && get_be16(payload) == LLC_STP)
		name = "STP";
	else if (type <= TYPE_802_3_MAX)
		name = "802.3";
	if (name)
		add(l, ", %s", name);
	else
		add(l, ", 0x%04x", type);
}

static bool is_tag(uint16_t type)
{
	return type == TYPE_VLAN || type == TYPE_QINQ;
}

/* Add VLAN tags and EtherType, as far as they are within the @len bytes. */
static void add_headers(struct line *l, const uint8_t *bytes, uint32_t len)
{
	uint16_t type = get_be16(bytes + ETH_TYPE);
	uint32_t at = ETH_SIZE;

	for (int i = 0; is_tag(type) && i < TAGS_MAX; i++, at += VLAN_SIZE) {
		if (len < at + VLAN_SIZE) {
			add(l, ", cut off in a VLAN tag");
			return;
		}
		add(l, "%s%u", i ? "." : ", vlan ", get_be16(bytes + at) & 0xfff);
		type = get_be16(bytes + at + 2);
	}
	add_type(l, type, bytes + at, len - at);
}

static void add_super(struct line *l, const struct frame *f)
{
	struct gso g;

	if (!f->vnet || f->vnet->gso_type == VNET_GSO_NONE)
		return;
	if (gso_begin(&g, f) == 0)
		add(l, ", super-frame of %u", g.n);
	else
		add(l, ", malformed super-frame");
}

static void add_mac(struct line *l, const char *before, const uint8_t *mac)
{
	add(l, "%s%02x:%02x:%02x:%02x:%02x:%02x", before, mac[0], mac[1], mac[2], mac[3],
	    mac[4], mac[5]);
}

void trace_format(char *out, size_t size, uint64_t day_us, const struct member *m,
		  enum direction direction, const struct frame *f)
{
	struct line l = { .at = out, .room = size };
	uint32_t s = (uint32_t)(day_us / 1000000);
	uint8_t room[LOOK_MAX];
	uint32_t len = (uint32_t)min_size(f->len, sizeof(room));
	const uint8_t *bytes = frame_peek(f, len, room);

	add(&l, "%02u:%02u:%02u.%06u %u %s %s", s / 3600, s / 60 % 60, s % 60,
	    (uint32_t)(day_us % 1000000), m->id, member_name(m),
	    direction == FRAME_IN ? "in" : "out");
	add_mac(&l, " ", bytes + ETH_SOURCE);
	add_mac(&l, " > ", bytes);
	add_headers(&l, bytes, len);
	add_super(&l, f);
	add(&l, ", length %u", f->len);
}

/* ---- how many of them ---- */

static void earn(struct trace *t)
{
	uint64_t lines = (loop_coarse() - t->earned_ms) / LINE_MS;

	t->earned_ms += lines * LINE_MS;
	t->lines += lines < LINES_MAX - t->lines ? (unsigned)lines : LINES_MAX - t->lines;
}

static uint64_t time_of_day_us(void)
{
	struct timespec ts;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	return ((uint64_t)tm.tm_hour * 3600 + (uint64_t)tm.tm_min * 60 +
		(uint64_t)tm.tm_sec) *
		       1000000 +
	       (uint64_t)ts.tv_nsec / 1000;
}

static void show(struct trace *t, const struct member *m, enum direction direction,
		 const struct frame *f)
{
	char line[TRACE_LINE_MAX];

	trace_format(line, sizeof(line), time_of_day_us(), m, direction, f);
	if (t->left_out)
		log_info("%s, after %" PRIu64 " frames not shown", line, t->left_out);
	else
		log_info("%s", line);
	t->left_out = 0;
	t->lines--;
}

static void seen(struct observer *o, const struct member *m, enum direction direction,
		 const struct frame *f)
{
	struct trace *t = container_of(o, struct trace, observer);
	unsigned left = 1 + f->n_more;
	struct frame next;

	earn(t);
	while (left && t->lines) {
		show(t, m, direction, f);
		if (--left) {
			next = run_skip(f, 1);
			f = &next;
		}
	}
	t->left_out += left;
}

void trace_start(struct trace *t, struct forwarding *fwd)
{
	tzset();
	*t = (struct trace){
		.observer.seen = seen,
		.lines = LINES_MAX,
		.earned_ms = loop_coarse(),
	};
	observer_add(fwd, &t->observer);
}

void trace_stop(struct trace *t, struct forwarding *fwd)
{
	if (!t->observer.seen)
		return;
	observer_remove(fwd, &t->observer);
	if (t->left_out)
		log_info("%" PRIu64 " frames not shown at the end", t->left_out);
}
