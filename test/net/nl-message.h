/* SPDX-License-Identifier: MIT */
/*
 * rtnetlink messages laid out by hand, struct by struct, with no library that
 * could have the same idea of them as the code under test: sound ones, and ones
 * that lie. For nl-test.c.
 */
#ifndef NL_MESSAGE_H
#define NL_MESSAGE_H

#include "net/nl.h"

#include <stdint.h>
#include <string.h>

#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>

#define SEQ 0x01020304

/* An attribute: @len bytes at @data, in a header that tells the truth, or a LIE(). */
struct attr {
	uint16_t type;
	uint16_t len;
	const void *data;
	uint32_t claim;
};

#define LIE(len) (0x10000 | (len))

struct message {
	_Alignas(struct nlmsghdr) uint8_t buf[NL_BUF_SIZE];
	struct nlmsghdr *nlh;
	struct ifinfomsg *ifm;
};

static const uint8_t mac[6] = { 0xfe, 1, 2, 3, 4, 5 };
static const uint32_t u32_0 = 0, u32_7 = 7, u32_9 = 9, u32_1400 = 1400;
static const uint32_t u32_huge = 0x80000000, skip_stats = RTEXT_FILTER_SKIP_STATS;

/* What IFLA_LINKINFO holds */
struct kind {
	struct nlattr head;
	char text[8];
	char rest[4];
};

struct tun {
	struct nlattr head;
	char text[4];
	struct nlattr data;
	struct nlattr type;
	uint8_t value[4];
	struct nlattr pi;
	uint8_t pi_value[4];
};

#define KIND(len) .head = { (len), IFLA_INFO_KIND }
#define TUN_WITH(type_len, ...)                                 \
	KIND(8), .text = "tun", .data = { 20, IFLA_INFO_DATA }, \
		 .type = { (type_len), IFLA_TUN_TYPE }, .pi = { __VA_ARGS__ }
#define TUN(type_len, pi_len) TUN_WITH(type_len, (pi_len), IFLA_TUN_PI)

static const struct kind bridge = { KIND(11), .text = "bridge" };
static const struct kind veth = { KIND(9), .text = "veth" };
static const struct {
	struct nlattr head;
	char text[20];
} long_kind = { KIND(24), .text = "abcdefghijklmnopqrs" };
static const struct kind unending = { KIND(10), .text = "bridge" };
static const struct kind cut = { KIND(13), .text = "bridge" };
static const struct tun a_tap = { TUN(5, 5), .value = { IFF_TAP } };
static const struct tun a_tun = { TUN(5, 5), .value = { IFF_TUN } };
static const struct tun with_pi = { TUN(5, 5), .value = { IFF_TAP }, .pi_value = { 1 } };
static const struct tun wide = { TUN(8, 5), .value = { IFF_TAP } };
static const struct tun wide_pi = { TUN(5, 6), .value = { IFF_TAP } };
static const struct tun owned = { TUN_WITH(5, 8, IFLA_TUN_OWNER), .value = { IFF_TAP },
				  .pi_value = { 7, 7, 7, 7 } };
static const struct tun short_owner = { TUN_WITH(5, 5, IFLA_TUN_OWNER),
					.value = { IFF_TAP } };
static const struct tun lasting = { TUN_WITH(5, 5, IFLA_TUN_PERSIST),
				    .value = { IFF_TAP }, .pi_value = { 1 } };
static const struct tun wide_persist = { TUN_WITH(5, 8, IFLA_TUN_PERSIST),
					 .value = { IFF_TAP } };
static const struct tun overlong = { TUN(5, 9), .value = { IFF_TAP } };

#define NAME(s) IFLA_IFNAME, sizeof(s), s, 0
#define MTU IFLA_MTU, 4, &u32_1400, 0
#define MASTER IFLA_MASTER, 4, &u32_9, 0
#define INFO(i, len) IFLA_LINKINFO, len, &(i), 0

static void begin(struct message *msg, uint16_t type, uint16_t flags)
{
	memset(msg, 0, sizeof(*msg));
	msg->nlh = (void *)msg->buf;
	msg->ifm = (void *)(msg->buf + sizeof(*msg->nlh));
	*msg->nlh = (struct nlmsghdr){
		.nlmsg_len = sizeof(*msg->nlh) + sizeof(*msg->ifm),
		.nlmsg_type = type,
		.nlmsg_flags = flags,
		.nlmsg_seq = SEQ,
	};
}

static void put(struct message *msg, const struct attr *attr)
{
	struct nlattr head = { .nla_len = (uint16_t)(sizeof(head) + attr->len),
			       .nla_type = attr->type };
	uint8_t *at = msg->buf + msg->nlh->nlmsg_len;

	msg->nlh->nlmsg_len += head.nla_len + (4U - head.nla_len % 4U) % 4U;
	if (attr->claim)
		head.nla_len = (uint16_t)attr->claim;
	memcpy(at, &head, sizeof(head));
	if (attr->len)
		memcpy(at + sizeof(head), attr->data, attr->len);
}

#endif
