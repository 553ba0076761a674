/* SPDX-License-Identifier: MIT */
/*
 * nl.c, what of it needs no kernel: the messages it builds, held against the same
 * messages laid out by hand (nl-message.h); and the messages it reads, sound and
 * malformed, each in memory of exactly its size so that a sanitizer sees every
 * byte read too far.
 *
 * `nl-test --dump` writes the messages built, in hex, for nl-compare.
 */
#include "net/nl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "lib/tap.h"
#include "net/nl-message.h"

#define NAME_15 "abcdefghijklmno"

/* The first @len bytes of @msg, in memory that ends where they do. */
static struct nlmsghdr *cut_at(const struct message *msg, uint32_t len)
{
	struct nlmsghdr *nlh = malloc(len);

	if (!nlh)
		abort();
	memcpy(nlh, msg->buf, len);
	nlh->nlmsg_len = len;
	return nlh;
}

static int parse_cut(const struct message *msg, uint32_t len, struct nl_link *link)
{
	struct nlmsghdr *nlh = cut_at(msg, len);
	int rc = nl_parse_link(nlh, link);

	free(nlh);
	return rc;
}

static int parse(const struct message *msg, struct nl_link *link)
{
	return parse_cut(msg, msg->nlh->nlmsg_len, link);
}

static void ok_same(const struct nlmsghdr *got, const struct message *want,
		    const char *what)
{
	ok(got->nlmsg_len == want->nlh->nlmsg_len &&
		   !memcmp(got, want->buf, got->nlmsg_len),
	   "build: %s", what);
}

static void test_build_get(void)
{
	static const char *const names[] = { "a", "br0", "eth0", NAME_15 };
	_Alignas(struct nlmsghdr) uint8_t buf[NL_BUF_SIZE];
	struct message want;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		begin(&want, RTM_GETLINK, NLM_F_REQUEST);
		put(&want, &(struct attr){ IFLA_IFNAME, (uint16_t)(strlen(names[i]) + 1),
					   names[i], 0 });
		put(&want, &(struct attr){ IFLA_EXT_MASK, 4, &skip_stats, 0 });
		memset(buf, 0xaa, sizeof(buf));
		ok_same(nl_build_get(buf, 0, names[i], SEQ), &want, names[i]);
	}
	begin(&want, RTM_GETLINK, NLM_F_REQUEST);
	want.ifm->ifi_index = 7;
	put(&want, &(struct attr){ IFLA_EXT_MASK, 4, &skip_stats, 0 });
	memset(buf, 0xaa, sizeof(buf));
	ok_same(nl_build_get(buf, 7, NULL, SEQ), &want, "by its number");
}

/* Which of the four things change, in the bits of @bits. */
static struct nl_change change_of(unsigned int bits)
{
	return (struct nl_change){
		.index = 7,
		.mac = bits & 1 ? mac : NULL,
		.mtu = bits & 2 ? u32_1400 : 0,
		.master = bits & 4 ? (int)u32_9 : -1,
		.up = bits & 8,
	};
}

static void test_build_change(void)
{
	_Alignas(struct nlmsghdr) uint8_t buf[NL_BUF_SIZE];
	struct nl_change detach = { .index = 7, .master = 0 };
	struct message want;

	for (unsigned int bits = 0; bits < 16; bits++) {
		struct nl_change change = change_of(bits);
		char what[32];

		begin(&want, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK);
		want.ifm->ifi_index = 7;
		want.ifm->ifi_flags = want.ifm->ifi_change = change.up ? IFF_UP : 0;
		if (change.mac)
			put(&want, &(struct attr){ IFLA_ADDRESS, 6, mac, 0 });
		if (change.mtu)
			put(&want, &(struct attr){ MTU });
		if (change.master > 0)
			put(&want, &(struct attr){ MASTER });
		snprintf(what, sizeof(what), "change %u", bits);
		memset(buf, 0xaa, sizeof(buf));
		ok_same(nl_build_change(buf, &change, SEQ), &want, what);
	}
	begin(&want, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK);
	want.ifm->ifi_index = 7;
	put(&want, &(struct attr){ IFLA_MASTER, 4, &u32_0, 0 });
	ok_same(nl_build_change(buf, &detach, SEQ), &want, "detach");
}

/* ---- routes ---- */

static void begin_route(struct message *msg, uint16_t type, uint16_t flags,
			uint8_t dst_len)
{
	struct rtmsg rtm = { .rtm_family = AF_INET, .rtm_dst_len = dst_len };

	begin(msg, type, flags);
	msg->nlh->nlmsg_len = sizeof(*msg->nlh) + sizeof(rtm);
	memcpy(msg->buf + sizeof(*msg->nlh), &rtm, sizeof(rtm));
}

static struct in_addr group(void)
{
	return (struct in_addr){ htonl(0xe6000001) };
}

static void test_build_route(void)
{
	_Alignas(struct nlmsghdr) uint8_t buf[NL_BUF_SIZE];
	struct message want;

	begin_route(&want, RTM_GETROUTE, NLM_F_REQUEST, 32);
	put(&want, &(struct attr){ RTA_DST, 4, "\xe6\x00\x00\x01", 0 });
	memset(buf, 0xaa, sizeof(buf));
	ok_same(nl_build_route(buf, group(), SEQ), &want, "route");
}

static int parse_route_cut(const struct message *msg, uint32_t len)
{
	struct nlmsghdr *nlh = cut_at(msg, len);
	int rc = nl_parse_route(nlh);

	free(nlh);
	return rc;
}

static void test_parse_route(void)
{
	static const struct {
		const char *what;
		uint16_t type;
		struct attr attrs[2];
		int want;
	} cases[] = {
		{ "a route", RTM_NEWROUTE, { { RTA_OIF, 4, &u32_7, 0 } }, 7 },
		{ "one with more to it",
		  RTM_NEWROUTE,
		  { { RTA_METRICS, 4, &u32_9, 0 }, { RTA_OIF, 4, &u32_7, 0 } },
		  7 },
		{ "one that is deleted",
		  RTM_DELROUTE,
		  { { RTA_OIF, 4, &u32_7, 0 } },
		  -EINVAL },
		{ "no link", RTM_NEWROUTE, { { RTA_IIF, 4, &u32_7, 0 } }, -EINVAL },
		{ "link 0", RTM_NEWROUTE, { { RTA_OIF, 4, &u32_0, 0 } }, -EINVAL },
		{ "a link below 0",
		  RTM_NEWROUTE,
		  { { RTA_OIF, 4, &u32_huge, 0 } },
		  -EINVAL },
		{ "a link of 2 bytes",
		  RTM_NEWROUTE,
		  { { RTA_OIF, 2, &u32_7, 0 } },
		  -EINVAL },
		{ "an attribute that is too long",
		  RTM_NEWROUTE,
		  { { RTA_OIF, 4, &u32_7, LIE(9) } },
		  -EINVAL },
	};
	int wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct message msg;

		begin_route(&msg, cases[i].type, 0, 32);
		for (size_t k = 0; k < 2; k++)
			if (cases[i].attrs[k].type)
				put(&msg, &cases[i].attrs[k]);
		ok_eq_int(parse_route_cut(&msg, msg.nlh->nlmsg_len), cases[i].want,
			  "route: %s", cases[i].what);
		for (uint32_t at = sizeof(*msg.nlh); at < msg.nlh->nlmsg_len; at++)
			wrong += parse_route_cut(&msg, at) != -EINVAL;
	}
	ok_eq_int(wrong, 0, "route: cut short anywhere it is none");
}

/* ---- links ---- */

/* Who says it, and what */
enum source { NEW, DEL, BRIDGE_NEW, BRIDGE_DEL };

static const struct {
	uint16_t type;
	uint8_t family;
} sources[] = {
	[NEW] = { RTM_NEWLINK, AF_UNSPEC },
	[DEL] = { RTM_DELLINK, AF_UNSPEC },
	[BRIDGE_NEW] = { RTM_NEWLINK, AF_BRIDGE },
	[BRIDGE_DEL] = { RTM_DELLINK, AF_BRIDGE },
};

static const struct sound {
	enum source source;
	const char *what;
	struct attr attrs[4];
	struct nl_link want; /* with its index left out: it is 7 */
} sound[] = {
	{ NEW, "name alone", { { NAME("a") } }, { .name = "a" } },
	{ NEW, "longest name", { { NAME(NAME_15) } }, { .name = NAME_15 } },
	{ NEW,
	  "a port, up",
	  { { NAME("t0") }, { MTU }, { MASTER }, { INFO(veth, 12) } },
	  { .name = "t0", .mtu = 1400, .master = 9, .is_up = true, .kind = "veth" } },
	{ NEW,
	  "a bridge",
	  { { INFO(bridge, 12) }, { MTU }, { NAME("br0") } },
	  { .name = "br0", .mtu = 1400, .is_bridge = true, .kind = "bridge" } },
	{ NEW,
	  "a tap",
	  { { NAME("t0") }, { INFO(a_tap, 28) } },
	  { .name = "t0", .is_tap = true, .kind = "tun", .owner = UINT32_MAX } },
	{ NEW,
	  "a tap with an owner",
	  { { NAME("t0") }, { INFO(owned, 28) } },
	  { .name = "t0", .is_tap = true, .kind = "tun", .owner = 0x07070707 } },
	{ NEW,
	  "a tap that persists",
	  { { NAME("t0") }, { INFO(lasting, 28) } },
	  { .name = "t0",
	    .is_tap = true,
	    .is_persistent = true,
	    .kind = "tun",
	    .owner = UINT32_MAX } },
	{ NEW,
	  "a tap with PI",
	  { { NAME("t0") }, { INFO(with_pi, 28) } },
	  { .name = "t0",
	    .is_tap = true,
	    .has_pi = true,
	    .kind = "tun",
	    .owner = UINT32_MAX } },
	{ NEW,
	  "a tun",
	  { { NAME("t0") }, { INFO(a_tun, 28) } },
	  { .name = "t0", .kind = "tun", .owner = UINT32_MAX } },
	{ NEW,
	  "flags in a type",
	  { { NAME("br0") }, { IFLA_LINKINFO | NLA_F_NESTED, 12, &bridge, 0 } },
	  { .name = "br0", .is_bridge = true, .kind = "bridge" } },
	{ NEW,
	  "a kind longer than we keep",
	  { { NAME("x0") }, { INFO(long_kind, 24) } },
	  { .name = "x0", .kind = "abcdefghijklmno" } },
	{ NEW,
	  "unknown attributes",
	  { { 900, 3, "xyz", 0 }, { NAME("t0") }, { 0x3fff, 4, "wxyz", 0 }, { MTU } },
	  { .name = "t0", .mtu = 1400 } },
	{ DEL,
	  "gone",
	  { { NAME("t0") }, { MASTER } },
	  { .name = "t0", .master = 9, .gone = true } },
	{ BRIDGE_NEW,
	  "a bridge's word on its port",
	  { { NAME("t0") }, { MASTER }, { MTU } },
	  { .name = "t0", .master = 9, .mtu = 1400 } },
	{ BRIDGE_DEL,
	  "left the bridge, not gone",
	  { { NAME("t0") }, { MASTER }, { MTU } },
	  { .name = "t0", .mtu = 1400 } },
	{ BRIDGE_NEW,
	  "a bridge's word on itself",
	  { { NAME("br0") }, { IFLA_MASTER, 4, &u32_7, 0 } },
	  { .name = "br0", .is_bridge = true } },
};

static void begin_sound(struct message *msg, const struct sound *s)
{
	begin(msg, sources[s->source].type, 0);
	msg->ifm->ifi_family = sources[s->source].family;
	msg->ifm->ifi_index = 7;
	msg->ifm->ifi_flags = s->want.is_up ? IFF_UP | IFF_RUNNING : IFF_RUNNING;
	for (size_t i = 0; i < ARRAY_SIZE(s->attrs); i++)
		if (s->attrs[i].type)
			put(msg, &s->attrs[i]);
}

static void test_parse_sound(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(sound); i++) {
		const struct nl_link *want = &sound[i].want;
		struct nl_link got;
		struct message msg;

		begin_sound(&msg, &sound[i]);
		ok_eq_int(parse(&msg, &got), 0, "parse: %s", sound[i].what);
		ok_eq_str(got.name, want->name, "parse: %s: name", sound[i].what);
		ok_eq_str(got.kind, want->kind, "parse: %s: kind", sound[i].what);
		ok(got.index == 7 && got.master == want->master && got.mtu == want->mtu &&
			   got.is_up == want->is_up && got.is_bridge == want->is_bridge &&
			   got.is_tap == want->is_tap && got.has_pi == want->has_pi &&
			   got.is_persistent == want->is_persistent &&
			   got.owner == want->owner && got.gone == want->gone,
		   "parse: %s: the rest", sound[i].what);
	}
}

static const struct {
	const char *what;
	struct attr attrs[2];
} malformed[] = {
	{ "no name", { { MTU } } },
	{ "name of no bytes", { { IFLA_IFNAME, 0, NULL, 0 } } },
	{ "empty name", { { NAME("") } } },
	{ "name without NUL", { { IFLA_IFNAME, 4, "eth0", 0 } } },
	{ "name whose NUL is padding", { { IFLA_IFNAME, 3, "br0", 0 } } },
	{ "name too long", { { NAME(NAME_15 "p") } } },
	{ "name too long, without NUL", { { IFLA_IFNAME, 16, NAME_15 "p", 0 } } },
	{ "MTU of 0 bytes", { { NAME("a") }, { IFLA_MTU, 0, NULL, 0 } } },
	{ "MTU of 3 bytes", { { NAME("a") }, { IFLA_MTU, 3, &u32_1400, 0 } } },
	{ "MTU of 8 bytes", { { NAME("a") }, { IFLA_MTU, 8, "12345678", 0 } } },
	{ "master of 2 bytes", { { NAME("a") }, { IFLA_MASTER, 2, &u32_9, 0 } } },
	{ "master negative", { { NAME("a") }, { IFLA_MASTER, 4, &u32_huge, 0 } } },
	{ "attribute shorter than its header",
	  { { NAME("a") }, { IFLA_MTU, 4, &u32_1400, LIE(3) } } },
	{ "attribute of length 0", { { NAME("a") }, { 900, 4, &u32_1400, LIE(0) } } },
	{ "attribute longer than the message",
	  { { NAME("a") }, { IFLA_MTU, 4, &u32_1400, LIE(9) } } },
	{ "attribute of 65535 bytes",
	  { { NAME("a") }, { 900, 4, &u32_1400, LIE(0xffff) } } },
	{ "kind without NUL", { { NAME("a") }, { INFO(unending, 10) } } },
	{ "kind longer than what it is in", { { NAME("a") }, { INFO(cut, 12) } } },
	{ "a byte after the kind", { { NAME("a") }, { INFO(bridge, 13) } } },
	{ "tun's type of 4 bytes", { { NAME("a") }, { INFO(wide, 28) } } },
	{ "tun's PI of 2 bytes", { { NAME("a") }, { INFO(wide_pi, 28) } } },
	{ "tun's owner of 1 byte", { { NAME("a") }, { INFO(short_owner, 28) } } },
	{ "tun's persistence of 4 bytes", { { NAME("a") }, { INFO(wide_persist, 28) } } },
	{ "tun's PI longer than what it is in",
	  { { NAME("a") }, { INFO(overlong, 28) } } },
};

static void test_parse_malformed(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		struct message msg;
		struct nl_link link;

		begin(&msg, RTM_NEWLINK, 0);
		msg.ifm->ifi_index = 7;
		for (size_t k = 0; k < 2; k++)
			if (malformed[i].attrs[k].type)
				put(&msg, &malformed[i].attrs[k]);
		ok_eq_int(parse(&msg, &link), -EINVAL, "malformed: %s",
			  malformed[i].what);
	}
}

static void test_parse_headers(void)
{
	static const struct {
		const char *what;
		uint16_t type;
		uint8_t family;
		int index;
	} cases[] = {
		{ "an address", RTM_NEWADDR, AF_UNSPEC, 7 },
		{ "a request", RTM_GETLINK, AF_UNSPEC, 7 },
		{ "an error", NLMSG_ERROR, AF_UNSPEC, 7 },
		{ "the end of a dump", NLMSG_DONE, AF_UNSPEC, 7 },
		{ "family AF_INET6", RTM_NEWLINK, AF_INET6, 7 },
		{ "index 0", RTM_NEWLINK, AF_UNSPEC, 0 },
		{ "index -1", RTM_NEWLINK, AF_BRIDGE, -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct message msg;
		struct nl_link link;

		begin(&msg, cases[i].type, 0);
		msg.ifm->ifi_family = cases[i].family;
		msg.ifm->ifi_index = cases[i].index;
		put(&msg, &(struct attr){ NAME("t0") });
		ok_eq_int(parse(&msg, &link), -EINVAL, "other message: %s",
			  cases[i].what);
	}
}

/* As long as the longest that the kernel sends, and longer by an attribute. */
static void test_parse_long(void)
{
	static const uint32_t most = 32768 + NLMSG_LENGTH(sizeof(struct ifinfomsg));
	static _Alignas(struct nlmsghdr) uint8_t buf[40000];
	struct nlmsghdr *nlh = (struct nlmsghdr *)(void *)buf;
	struct message msg;
	struct nl_link link;

	begin(&msg, RTM_NEWLINK, 0);
	msg.ifm->ifi_index = 7;
	put(&msg, &(struct attr){ NAME("t0") });
	memcpy(buf, msg.buf, msg.nlh->nlmsg_len);
	*(struct nlattr *)(void *)(buf + msg.nlh->nlmsg_len) =
		(struct nlattr){ .nla_len = (uint16_t)(most - msg.nlh->nlmsg_len) };
	*(struct nlattr *)(void *)(buf + most) =
		(struct nlattr){ .nla_len = sizeof(struct nlattr) };
	nlh->nlmsg_len = most;
	ok_eq_int(nl_parse_link(nlh, &link), 0, "as long as it may be");
	nlh->nlmsg_len += sizeof(struct nlattr);
	ok_eq_int(nl_parse_link(nlh, &link), -EINVAL, "and longer");
}

static bool is_sane(const struct nl_link *link)
{
	size_t len = strnlen(link->name, sizeof(link->name));

	return link->index > 0 && link->master >= 0 && len > 0 && len < IFNAMSIZ &&
	       strnlen(link->kind, NL_KIND_MAX) < NL_KIND_MAX;
}

/* Each sound message cut short at each byte, and with each byte replaced. */
static void test_parse_damaged(void)
{
	static const uint8_t values[] = { 0, 1, 3, 4, 5, 0x7f, 0x80, 0xff };
	struct nl_link link;
	struct message msg;
	int insane = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sound); i++) {
		begin_sound(&msg, &sound[i]);

		uint32_t size = msg.nlh->nlmsg_len;

		for (uint32_t at = sizeof(*msg.nlh); at < size; at++) {
			uint8_t kept = msg.buf[at];

			if (!parse_cut(&msg, at, &link) && !is_sane(&link))
				insane++;
			for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
				msg.buf[at] = values[v];
				if (!parse(&msg, &link) && !is_sane(&link))
					insane++;
			}
			msg.buf[at] = kept;
		}
	}
	ok_eq_int(insane, 0, "damaged messages give no senseless link");
}

static void dump(const char *what, unsigned int number, const struct nlmsghdr *nlh)
{
	printf("%s %u:", what, number);
	for (uint32_t i = 0; i < nlh->nlmsg_len; i++)
		printf(" %02x", ((const uint8_t *)nlh)[i]);
	printf("\n");
}

static void dump_all(void)
{
	_Alignas(struct nlmsghdr) uint8_t buf[NL_BUF_SIZE];
	struct nl_change detach = { .index = 7, .master = 0 };

	for (unsigned int len = 0; len < IFNAMSIZ; len++) {
		memset(buf, 0xaa, sizeof(buf));
		dump("get", len, nl_build_get(buf, 0, &NAME_15[15 - len], SEQ));
	}
	memset(buf, 0xaa, sizeof(buf));
	dump("at", 7, nl_build_get(buf, 7, NULL, SEQ));
	for (unsigned int bits = 0; bits < 16; bits++) {
		struct nl_change change = change_of(bits);

		memset(buf, 0xaa, sizeof(buf));
		dump("change", bits, nl_build_change(buf, &change, SEQ));
	}
	memset(buf, 0xaa, sizeof(buf));
	dump("route", 0, nl_build_route(buf, group(), SEQ));
	dump("detach", 0, nl_build_change(buf, &detach, SEQ));
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--dump")) {
		dump_all();
		return 0;
	}
	test_build_get();
	test_build_change();
	test_build_route();
	test_parse_route();
	test_parse_sound();
	test_parse_malformed();
	test_parse_headers();
	test_parse_long();
	test_parse_damaged();
	return done();
}
