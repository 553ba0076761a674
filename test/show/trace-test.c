/* SPDX-License-Identifier: MIT */
/*
 * trace.c: what a line says of frames of all kinds, cut off anywhere and in
 * pieces; and how many lines there are, with stderr on a pipe that is read here.
 */
#include "show/trace.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "lib/packet.h"
#include "lib/tap.h"

#define MACS "\xff\xff\xff\xff\xff\xff\x52\x54\x00\x00\x00\x01"
#define SHOWN \
	"12:34:56.789012 2 tcp:127.0.0.1:5000 in 52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff"
#define DAY_US (((12 * 60 + 34) * 60 + 56) * UINT64_C(1000000) + 789012)

static struct port port = { .name = "tcp:127.0.0.1:5000" };
static const struct member member = { .port = &port, .id = 2 };

static const char *format(const struct frame *f)
{
	static char line[TRACE_LINE_MAX];

	trace_format(line, sizeof(line), DAY_US, &member, FRAME_IN, f);
	return line;
}

/* ---- what is said ---- */

/* @bytes: behind the addresses, @len of them */
struct kind {
	const char *bytes;
	uint32_t len;
	const char *want;
};

#define KIND(bytes, want)                           \
	{                                           \
		bytes, sizeof(bytes) - 1, ", " want \
	}

static const struct kind kinds[] = {
	KIND("\x08\x00", "IPv4, length 14"),
	KIND("\x08\x06\x00\x01", "ARP, length 16"),
	KIND("\x86\xdd", "IPv6, length 14"),
	KIND("\x88\xcc", "LLDP, length 14"),
	KIND("\x88\x47", "MPLS, length 14"),
	KIND("\x88\x48", "MPLS, length 14"),
	KIND("\x88\x63", "PPPoE, length 14"),
	KIND("\x88\x64", "PPPoE, length 14"),
	KIND("\x88\x8e", "EAPOL, length 14"),
	KIND("\x88\xe5", "MACsec, length 14"),
	KIND("\x88\x09\x01", "LACP, length 15"),
	KIND("\x88\x09\x03", "slow, length 15"),
	KIND("\x88\x09", "slow, length 14"),
	KIND("\x88\xb5", "0x88b5, length 14"),
	KIND("\x00\x26\x42\x42\x03", "STP, length 17"),
	KIND("\x00\x26\x42", "802.3, length 15"),
	KIND("\x00\x00", "802.3, length 14"),
	KIND("\x05\xdc\xaa\xaa", "802.3, length 16"),
	KIND("\x05\xdd\x42\x42", "0x05dd, length 16"),
	KIND("\x81\x00\x00\x07\x08\x06", "vlan 7, ARP, length 18"),
	KIND("\x81\x00\xef\xff\x08\x06", "vlan 4095, ARP, length 18"),
	KIND("\x88\xa8\x00\x05\x81\x00\x00\x07\x86\xdd", "vlan 5.7, IPv6, length 22"),
	KIND("\x81\x00\x00\x01\x81\x00\x00\x02\x81\x00\x00\x03\x81\x00\x00\x04\x08\x00",
	     "vlan 1.2.3.4, IPv4, length 30"),
	KIND("\x81\x00\x00\x01\x81\x00\x00\x02\x81\x00\x00\x03\x81\x00\x00\x04\x81\x00",
	     "vlan 1.2.3.4, 0x8100, length 30"),
	KIND("\x81\x00\x00\x07\x00\x26\x42\x42", "vlan 7, STP, length 20"),
	KIND("\x81\x00", "cut off in a VLAN tag, length 14"),
	KIND("\x81\x00\x00", "cut off in a VLAN tag, length 15"),
	KIND("\x81\x00\x00\x07\x08", "cut off in a VLAN tag, length 17"),
	KIND("\x88\xa8\x00\x05\x81\x00\x00", "vlan 5, cut off in a VLAN tag, length 19"),
};

/* In memory of just its size, and then in two pieces, parted anywhere. */
static void test_kind(const struct kind *k)
{
	char want[TRACE_LINE_MAX], whole[256];
	uint32_t len = 12 + k->len, wrong = 0;
	struct frame f = { .len = len };
	uint8_t *head, *rest;

	snprintf(want, sizeof(want), SHOWN "%s", k->want);
	memcpy(whole, MACS, 12);
	memcpy(whole + 12, k->bytes, k->len);
	rest = packet_copy((const uint8_t *)whole, len);
	f.data = rest;
	ok_eq_str(format(&f), want, "%s", k->want + 2);
	free(rest);
	for (uint32_t at = 1; at <= len; at++) {
		head = packet_copy((const uint8_t *)whole, at);
		rest = packet_copy((const uint8_t *)whole + at, len - at);
		f = (struct frame){
			.head = head, .head_len = (uint16_t)at, .data = rest, .len = len
		};
		wrong += strcmp(format(&f), want) != 0;
		free(head);
		free(rest);
	}
	ok_eq_int(wrong, 0, "%s: in pieces", k->want + 2);
}

static void test_supers(void)
{
	struct packet p = { .payload = 10000, .flags = 0x10, .tags = 1 };
	static uint8_t data[PACKET_MAX];
	uint32_t len = packet_build(data, &p);
	struct vnet vnet = packet_make_super(data, len, 1448);
	struct frame f = { .data = data, .len = len, .vnet = &vnet };
	const char *at = strstr(format(&f), ", vlan");

	ok_eq_str(at, ", vlan 100, IPv4, super-frame of 7, length 10058",
		  "a super-frame");
	vnet.csum_start++;
	at = strstr(format(&f), ", vlan");
	ok_eq_str(at, ", vlan 100, IPv4, malformed super-frame, length 10058",
		  "one that is not what it says");
	vnet.gso_type = VNET_GSO_NONE;
	at = strstr(format(&f), ", vlan");
	ok_eq_str(at, ", vlan 100, IPv4, length 10058",
		  "one that lacks only its checksum is like any other");
}

/* A name from name= is shown alone. */
static void test_port_name(void)
{
	struct frame f = { .data = (const uint8_t *)MACS "\x08\x06", .len = 14 };
	struct member m = { .port = &port, .id = 2, .name = "web-2" };
	char line[TRACE_LINE_MAX];

	trace_format(line, sizeof(line), DAY_US, &m, FRAME_OUT, &f);
	ok(!strncmp(line, "12:34:56.789012 2 web-2 out 52:54:", 34), "%s", line);
}

/* However long the port's name, and however little room. */
static void test_rooms(void)
{
	struct frame f = { .data = (const uint8_t *)MACS "\x08\x06", .len = 14 };
	struct port named = { .ops = NULL };
	struct member m = { .port = &named, .id = UINT32_MAX };
	char want[TRACE_LINE_MAX];
	int wrong = 0;

	memset(named.name, 'n', sizeof(named.name) - 1);
	trace_format(want, sizeof(want), DAY_US, &m, FRAME_OUT, &f);
	ok(strstr(want, "nn out 52:") && strstr(want, ", ARP, length 14"),
	   "the longest name leaves room for the rest");
	for (size_t size = 1; size <= sizeof(want); size++) {
		char *line = malloc(size);

		if (!line)
			abort();
		trace_format(line, size, DAY_US, &m, FRAME_OUT, &f);
		wrong += strlen(line) != min_size(strlen(want), size - 1) ||
			 strncmp(line, want, strlen(line)) != 0;
		free(line);
	}
	ok_eq_int(wrong, 0, "a line is cut to the room there is");
}

/* ---- how often ---- */

#define RUN 300
#define FRAME_BYTES 60

static struct forwarding fwd;
static struct trace trace;
static int said; /* a pipe's end to read from */

/* As @first, a run of RUN frames, each with its number as the EtherType. */
static void make_run(uint8_t *wire, struct frame *first)
{
	memset(wire, 0, (size_t)RUN * (LAYOUT_PREFIX + FRAME_BYTES));
	for (uint32_t i = 0; i < RUN; i++) {
		uint8_t *at = wire + i * (LAYOUT_PREFIX + FRAME_BYTES);
		struct frame f;

		put_be32(at, FRAME_BYTES);
		memcpy(at + LAYOUT_PREFIX, MACS, 12);
		put_be16(at + LAYOUT_PREFIX + 12, 0x9000 + i);
		f = layout_parse(at);
		if (i == 0)
			*first = f;
		else if (!run_join(first, &f))
			abort();
	}
}

static void show(const struct frame *f)
{
	for (struct observer *o = fwd.observers; o; o = o->next)
		o->seen(o, &member, FRAME_IN, f);
}

/*
 * Reads what was said. Return: lines of frames; @left_out is increased by what they
 * say of others; @numbers says whether their EtherTypes count up from 0x9000.
 */
static unsigned read_lines(uint64_t *left_out, bool *numbers)
{
	static char text[1 << 16];
	ssize_t len = read(said, text, sizeof(text) - 1);
	char *line, *rest = text;
	unsigned n = 0;

	text[len > 0 ? len : 0] = '\0';
	*numbers = true;
	while ((line = strsep(&rest, "\n")) && *line) {
		char *type = strstr(line, ", 0x"), *after = strstr(line, ", after ");

		if (after)
			*left_out += strtoull(after + 8, NULL, 10);
		if (!type)
			continue;
		*numbers &= strtoul(type + 2, NULL, 16) == 0x9000u + n;
		n++;
	}
	return n;
}

/* Time passes while this runs, so there may be a few lines more. */
static void test_limit(void)
{
	static uint8_t wire[RUN * (LAYOUT_PREFIX + FRAME_BYTES)];
	uint64_t left_out = 0;
	unsigned first, second;
	struct frame run;
	bool numbers;

	make_run(wire, &run);
	trace_start(&trace, &fwd);
	show(&run);
	first = read_lines(&left_out, &numbers);
	ok(first >= 100 && first < 110 && numbers,
	   "of a run, the first hundred are shown: %u", first);
	ok_eq_int(left_out, 0, "nothing was left out before them");
	ok_eq_int(trace.left_out, RUN - first, "what was left out is counted");
	trace.lines = 0;
	trace.earned_ms -= 60;
	show(&run);
	second = read_lines(&left_out, &numbers);
	ok(second >= 3 && second < 13 && numbers, "60 ms earn three lines: %u", second);
	ok_eq_int(left_out, RUN - first, "the first of which says what was left out");
	trace.earned_ms -= 3600000;
	show(&run);
	left_out = 0;
	first = read_lines(&left_out, &numbers);
	ok(first >= 100 && first < 110, "an hour earns a hundred: %u", first);
	ok_eq_int(left_out, RUN - second, "and what was left out is said once");
}

static void test_end(void)
{
	char text[200] = "", want[200];
	struct trace never = { 0 };

	snprintf(want, sizeof(want), "netrelay: %llu frames not shown at the end\n",
		 (unsigned long long)trace.left_out);
	trace_stop(&trace, &fwd);
	ok(read(said, text, sizeof(text) - 1) > 0, "something is said at the end");
	ok_eq_str(text, want, "what was left out is");
	ok(!fwd.observers, "and it looks no more");
	trace_stop(&never, &fwd);
	ok(read(said, text, sizeof(text)) < 0, "one never started says nothing");
}

int main(void)
{
	int fds[2];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		test_kind(&kinds[i]);
	test_supers();
	test_port_name();
	test_rooms();
	if (pipe(fds) < 0 || fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
		return 1;
	said = fds[0];
	dup2(fds[1], STDERR_FILENO);
	log_verbosity(2);
	test_limit();
	test_end();
	return done();
}
