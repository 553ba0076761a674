/* SPDX-License-Identifier: MIT */
/* admit.c: whom networks, users and limits let in, and what is counted of the others. */
#include "net/admit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/util.h"
#include "lib/clock.h"
#include "lib/fault.h"
#include "lib/no-memory.h"
#include "lib/random.h"
#include "lib/tap.h"

static struct endpoint ep;
static struct admit admit;
static char why[256];

/* The peer at an address of either family. */
static const struct sock_addr *at(const char *text)
{
	static struct sock_addr addr;
	struct sockaddr_in *in = (struct sockaddr_in *)&addr.storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&addr.storage;

	memset(&addr, 0, sizeof(addr));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
		addr.sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
		addr.sa.sa_family = AF_INET6;
	return &addr;
}

static void begin(const char *text)
{
	memset(&admit, 0, sizeof(admit));
	if (endpoint_parse_listen(&ep, text, why, sizeof(why)) < 0)
		abort();
	admit.access = &ep.access;
}

static int start(const char *text)
{
	begin(text);
	return admit_start(&admit, NULL, why, sizeof(why));
}

/* ---- networks ---- */

static const struct {
	const char *allow, *from;
	bool is_in;
} networks[] = {
	{ "10.0.0.0/8", "10.255.0.1", true },
	{ "10.0.0.0/8", "11.0.0.0", false },
	{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
	{ "10.0.0.0/8", "::ffff:11.1.2.3", false },
	{ "10.0.0.0/8", "::10.1.2.3", false },
	{ "10.0.0.0/8", "a00::1", false },
	{ "192.0.2.128/25", "192.0.2.127", false },
	{ "192.0.2.128/25", "192.0.2.128", true },
	{ "192.0.2.1", "192.0.2.1", true },
	{ "192.0.2.1", "192.0.2.0", false },
	{ "192.0.2.1/32", "192.0.2.1", true },
	{ "0.0.0.0/0", "255.255.255.255", true },
	{ "0.0.0.0/0", "::ffff:1.2.3.4", true },
	{ "0.0.0.0/0", "::1", false },
	{ "::/0", "::1", true },
	{ "::/0", "2001:db8::1", true },
	{ "::/0", "1.2.3.4", false },
	{ "::/0", "::ffff:1.2.3.4", false },
	{ "::ffff:10.0.0.0/104", "10.1.2.3", true },
	{ "::ffff:10.0.0.0/104", "::ffff:10.1.2.3", true },
	{ "2001:db8::/33", "2001:db8:7fff::1", true },
	{ "2001:db8::/33", "2001:db8:8000::1", false },
	{ "2001:db8::1", "2001:db8::1", true },
	{ "2001:db8::1", "2001:db8::2", false },
	{ "[2001:db8::]/32", "2001:db8::2", true },
	{ "10.0.0.0/8+2001:db8::/32", "2001:db8::2", true },
	{ "10.0.0.0/8+2001:db8::/32", "10.0.0.1", true },
	{ "10.0.0.0/8+2001:db8::/32", "2001:db9::2", false },
	{ "10.0.0.0/8", "nothing of IP", false },
};

static void test_networks(void)
{
	char text[128];

	for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
		snprintf(text, sizeof(text), "tcp-listen:1,allow=%s", networks[i].allow);
		ok(start(text) == 0 && admit_allows(&admit, at(networks[i].from), -1) ==
					       networks[i].is_in,
		   "%s is %s %s", networks[i].from, networks[i].is_in ? "in" : "not in",
		   networks[i].allow);
	}
	ok(start("tcp-listen:1") == 0 && admit_allows(&admit, at("1.2.3.4"), -1) &&
		   admit_has_address(&ep.access, &at("::1")->sa),
	   "without a list all may");
	admit.access = NULL;
	ok(admit_start(&admit, NULL, why, sizeof(why)) == 0 &&
		   admit_is_welcome(&admit, at("1.2.3.4"), -1),
	   "and without rules");
}

/* Any prefix has the addresses that agree with it in so many bits, and no others. */
static void test_prefixes(void)
{
	int wrong = 0;

	random_begin(1);
	for (int i = 0; i < 10000; i++) {
		struct endpoint_access one = { .n = 1 };
		uint32_t net = rnd32(), bits = rnd32() % 33;
		uint32_t mask = bits ? UINT32_MAX << (32 - bits) : 0;
		uint32_t from = rnd32() % 2 ? rnd32() : net ^ (1u << rnd32() % 32);
		struct sockaddr_in in = { .sin_family = AF_INET };

		net &= mask;
		one.allow[0].bits = (uint8_t)(96 + bits);
		memset(one.allow[0].addr + 10, 0xff, 2);
		for (int b = 0; b < 4; b++)
			one.allow[0].addr[12 + b] = (uint8_t)(net >> (24 - 8 * b));
		in.sin_addr.s_addr = htonl(from);
		wrong += admit_has_address(&one, (struct sockaddr *)&in) !=
			 ((from & mask) == net);
	}
	ok_eq_int(wrong, 0, "prefixes of any length");
}

/* ---- users ---- */

/* Whether a peer that is ourselves may. @allow: with one more entry, @kind and @id */
static bool has_us(const char *allow, const char *kind, unsigned id)
{
	char text[128];
	bool has;
	int sv[2];

	snprintf(text, sizeof(text), "unix-listen:a,allow=%s%s:%u", allow, kind, id);
	if (start(text) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
		abort();
	has = admit_is_welcome(&admit, at(""), sv[0]);
	close(sv[0]);
	close(sv[1]);
	return has;
}

/* qemu-user takes the answer for one number, which is too short. */
static bool tells_groups(void)
{
	gid_t groups[64];
	socklen_t len = sizeof(groups);
	int ret, sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
		abort();
	ret = getsockopt(sv[0], SOL_SOCKET, SO_PEERGROUPS, groups, &len);
	close(sv[0]);
	close(sv[1]);
	return ret == 0 || (errno != ENOPROTOOPT && errno != ERANGE);
}

/* Groups of ours beside the first, some more if we may have them. */
static void test_groups(void)
{
	static const gid_t more[] = { 4242, 4243 };
	gid_t groups[64];
	int n;

	if (setgroups(ARRAY_SIZE(more), more) < 0)
		printf("# only root can have more groups\n");
	if (!tells_groups()) {
		printf("# no groups of peers: Linux before 4.13, or qemu-user\n");
		return;
	}
	n = getgroups(ARRAY_SIZE(groups), groups);
	for (int i = 0; i < n; i++) {
		ok(has_us("", "gid", groups[i]), "a group of ours");
		fault_arm(FAULT_getsockopt, 2, ENOPROTOOPT);
		ok(has_us("", "gid", groups[i]) == (groups[i] == getegid()),
		   "only the first one counts if the kernel tells no others");
		ok(fault_disarm(), "which it was asked for");
	}
}

static void test_users(void)
{

	ok(has_us("", "uid", geteuid()), "our user");
	ok(!has_us("", "uid", geteuid() + 1), "not another one");
	ok_eq_int((long long)admit.refused[ADMIT_ALLOW], 1, "which is counted");
	ok(has_us("", "gid", getegid()), "our group");
	ok(!has_us("", "gid", 4000000000), "not another one");
	ok(has_us("gid:4000000000+", "uid", geteuid()), "any of them");
	start("unix-listen:a,allow=uid:0");
	ok(!admit_allows(&admit, at(""), STDERR_FILENO),
	   "nobody that the kernel can't tell");
	ok_eq_int(start("unix-listen:a,allow=uid:root+gid:root"), 0,
		  "names are looked up");
	ok(admit.ids[0] == 0 && admit.ids[1] == 0, "to their numbers");
	ok_eq_int(start("unix-listen:a,allow=uid:no-such"), -ENOENT, "one is not there");
	ok_eq_str(why, "allow=no-such: there is no such user in /etc/passwd", "said so");
	ok_eq_int(start("unix-listen:a,allow=gid:no-such"), -ENOENT, "a group likewise");
	ok_eq_str(why, "allow=no-such: there is no such group in /etc/group", "said so");
	ok_eq_int(start("unix-listen:a,allow=gid:no-such+uid:no-such"), -ENOENT,
		  "the first of two");
	ok_eq_str(why, "allow=no-such: there is no such group in /etc/group", "said so");
	start("unix-listen:a,allow=uid:0+gid:0");
	ok(!admit_has_address(&ep.access, &at("0.0.0.0")->sa) &&
		   !admit_has_address(&ep.access, &at("::")->sa),
	   "users and groups are no addresses");
}

/* ---- limits ---- */

static void test_rate(void)
{
	unsigned n = 0;

	start("tcp-listen:1,accept-rate=10,allow=10.0.0.0/8");
	for (int i = 0; i < 30; i++)
		n += admit_is_welcome(&admit, at("10.0.0.1"), -1);
	ok_eq_int(n, 10, "a second's worth at once");
	ok_eq_int((long long)admit.refused[ADMIT_RATE], 20, "the others are counted");
	clock_pass_ms(250);
	for (n = 0; admit_is_welcome(&admit, at("10.0.0.1"), -1);)
		n++;
	ok_eq_int(n, 2, "then as many as time has gone by");
	clock_pass_ms(60000);
	for (int i = 0; i < 100; i++)
		admit_is_welcome(&admit, at("11.0.0.1"), -1);
	ok_eq_int((long long)admit.refused[ADMIT_ALLOW], 100,
		  "strangers are counted apart");
	for (n = 0; admit_is_welcome(&admit, at("10.0.0.1"), -1);)
		n++;
	ok_eq_int(n, 10,
		  "they use up nothing, and no more than a second's worth is saved");
}

static void test_max(void)
{
	struct admit_host *host;

	start("tcp-listen:1,max=3");
	ok(admit_enter(&admit, at("1.1.1.1"), 2, &host) && !host, "up to max");
	ok(!admit_enter(&admit, at("1.1.1.1"), 3, &host), "and no more");
	ok_eq_int((long long)admit.refused[ADMIT_MAX], 1, "it is counted");
	admit_leave(&admit, NULL);
}

static bool enters(const char *from, struct admit_host **host)
{
	return admit_enter(&admit, at(from), 0, host);
}

static void test_per_address(void)
{
	struct admit_host *host[6];

	start("tcp-listen:1,per-address=2");
	ok(enters("1.1.1.1", &host[0]) && enters("::ffff:1.1.1.1", &host[1]), "two");
	ok(!enters("1.1.1.1", &host[5]), "not three, however the address is written");
	ok_eq_int((long long)admit.refused[ADMIT_PER_ADDRESS], 1, "it is counted");
	ok(enters("1.1.1.2", &host[2]), "another address");
	ok(enters("2001:db8::1", &host[3]) && enters("2001:db8::2:0:0:1", &host[4]),
	   "two of a /64");
	ok(!enters("2001:db8::3", &host[5]), "not three");
	ok(enters("2001:db8:0:1::1", &host[5]), "of another /64");
	admit_leave(&admit, host[5]);
	admit_leave(&admit, host[0]);
	ok(enters("1.1.1.1", &host[0]), "one has left");
	for (int i = 0; i < 5; i++)
		admit_leave(&admit, host[i]);
	for (int i = 0; i < ADMIT_BUCKETS; i++)
		if (admit.hosts[i])
			ok(false, "an entry is left");
	enters("1.1.1.1", &host[0]);
	admit_free(&admit);
	ok(!admit.hosts, "all is freed");
}

static bool has_no_random;

ssize_t getrandom(void *to, size_t size, unsigned flags)
{
	static ssize_t (*next)(void *to, size_t size, unsigned flags);

	if (!next)
		fault_find(&next, "getrandom");
	return next(to, has_no_random ? size / 2 : size, flags);
}

/* Without memory nobody new gets in, and who is in is not harmed. */
static void test_no_memory(void)
{
	struct admit_host *host[2];
	int ret;

	begin("tcp-listen:1,per-address=2");
	no_memory = true;
	ret = admit_start(&admit, NULL, why, sizeof(why));
	no_memory = false;
	ok(ret == -ENOMEM && !admit.hosts, "no memory from the start");
	ok_eq_str(why, "not enough memory to start", "said so");
	has_no_random = true;
	ok_eq_int(admit_start(&admit, NULL, why, sizeof(why)), -ENOMEM, "no key");
	ok(!admit.hosts, "and all is freed");
	has_no_random = false;
	start("tcp-listen:1,per-address=2");
	ok(enters("1.1.1.1", &host[0]), "one while there is memory");
	no_memory = true;
	ok(!enters("1.1.1.2", &host[1]) && !host[1], "not one of another address after");
	ok(enters("1.1.1.1", &host[1]), "but another one of this");
	no_memory = false;
	ok_eq_int((long long)admit.refused[ADMIT_PER_ADDRESS], 1, "it is counted");
	ok(enters("1.1.1.2", &host[1]), "until there is memory");
	admit_free(&admit);
}

/* Any coming and going: nobody has more than two, and everybody who has less gets in. */
static void test_many(void)
{
	struct admit_host *host[200][2] = { { NULL } };
	int has[200] = { 0 }, wrong = 0, left = 0;

	random_begin(2);
	start("tcp-listen:1,per-address=2");
	for (int i = 0; i < 50000; i++) {
		unsigned n = rnd32() % 200;
		struct admit_host *h;
		char from[32];

		snprintf(from, sizeof(from), "10.%u.0.1", n);
		if (rnd32() % 2) {
			bool is_in = enters(from, &h);

			wrong += is_in != (has[n] < 2);
			if (is_in)
				host[n][has[n]++] = h;
		} else if (has[n]) {
			admit_leave(&admit, host[n][--has[n]]);
		}
	}
	ok_eq_int(wrong, 0, "thousands that come and go");
	for (int n = 0; n < 200; n++)
		while (has[n])
			admit_leave(&admit, host[n][--has[n]]);
	for (int i = 0; i < ADMIT_BUCKETS; i++)
		left += admit.hosts[i] != NULL;
	ok_eq_int(left, 0, "leave nothing behind");
	admit_free(&admit);
}

/* Others from now on; who is there stays, and goes on to count. */
static void test_change(void)
{
	struct admit_host *a, *b;
	struct endpoint next;

	start("tcp-listen:5000,per-address=1");
	admit_enter(&admit, at("10.0.0.1"), 0, &a);
	endpoint_parse_listen(&next, "tcp-listen:5000,allow=10.0.0.0/8,per-address=2",
			      why, sizeof(why));
	ok_eq_int(admit_change(&admit, &ep.access, &next.access, NULL, why, sizeof(why)),
		  0, "other rules");
	ok(!admit_is_welcome(&admit, at("11.0.0.1"), -1) &&
		   admit_is_welcome(&admit, at("10.0.0.1"), -1),
	   "other networks");
	ok(admit_enter(&admit, at("10.0.0.1"), 1, &b) && b == a, "one more");
	ok(!admit_enter(&admit, at("10.0.0.1"), 2, &b), "but not two");
	endpoint_parse_listen(&next, "tcp-listen:5000", why, sizeof(why));
	admit_change(&admit, &ep.access, &next.access, NULL, why, sizeof(why));
	ok(admit_enter(&admit, at("10.0.0.1"), 2, &b) && !b, "no limit any more");
	admit_leave(&admit, a);
	admit_leave(&admit, a);
	endpoint_parse_listen(&next, "tcp-listen:5000,per-address=1", why, sizeof(why));
	admit_change(&admit, &ep.access, &next.access, NULL, why, sizeof(why));
	ok(admit_enter(&admit, at("10.0.0.1"), 0, &a) &&
		   !admit_enter(&admit, at("10.0.0.1"), 1, &b),
	   "and again");
	admit_leave(&admit, a);
	admit_free(&admit);
	start("unix-listen:a,allow=uid:root");
	endpoint_parse_listen(&next, "unix-listen:a,allow=uid:no-such-user", why,
			      sizeof(why));
	ok_eq_int(admit_change(&admit, &ep.access, &next.access, NULL, why, sizeof(why)),
		  -ENOENT, "a user that is not there");
	ok_eq_str(ep.access.allow[0].name, "root", "changes nothing");
	admit_free(&admit);
	start("tcp-listen:5000");
	endpoint_parse_listen(&next, "tcp-listen:5000,per-address=1", why, sizeof(why));
	admit_change(&admit, &ep.access, &next.access, NULL, why, sizeof(why));
	ok(admit_enter(&admit, at("10.0.0.1"), 1, &a) && a, "a limit that was not there");
	admit_leave(&admit, a);
	admit_free(&admit);
}

int main(void)
{
	test_networks();
	test_prefixes();
	test_users();
	test_groups();
	test_rate();
	test_max();
	test_per_address();
	test_no_memory();
	test_many();
	test_change();
	for (int i = 0; i < ADMIT_REFUSALS; i++)
		ok(*admit_refusal_name((enum admit_refusal)i), "reason %d has a name", i);
	return done();
}
