/* SPDX-License-Identifier: MIT */
/* endpoint-same.c: which endpoints are the same, and what else of them is. */
#include <stdlib.h>

#include "base/util.h"
#include "conf/endpoint.h"
#include "lib/tap.h"

enum { SAME = 1, RULES = 2, ACCESS = 4, ALL = 7 };

#define KEY(c) "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" c "="

static const struct {
	const char *a, *b;
	int what;
} cases[] = {
	{ "-", "-", ALL },
	{ "br0", "bridge:br0", ALL },
	{ "br0", "br1", RULES | ACCESS },
	{ "br0", "tap:br0", RULES | ACCESS },
	{ "bridge:br0,tap=t", "bridge:br0", RULES | ACCESS },
	{ "bridge:br0,mtu=1500", "bridge:br0", RULES | ACCESS },
	{ "bridge:br0,isolated", "bridge:br0", SAME | ACCESS },
	{ "10.0.0.1:5", "tcp:10.0.0.1:5", ALL },
	{ "10.0.0.1:5", "tcp:10.0.0.2:5", RULES | ACCESS },
	{ "10.0.0.1:5", "tcp:10.0.0.1:6", RULES | ACCESS },
	{ "10.0.0.1:5", "trunk:10.0.0.1:5", RULES | ACCESS },
	{ "tcp:a:5", "tcp:a:5,dead=0", RULES | ACCESS },
	{ "tcp:a:5,pad=0", "tcp:a:5,pad=60", SAME | ACCESS },
	{ "tcp:a:5,pad=60", "tcp:a:5", ALL },
	{ "tcp:a:5,mac=52:54:00:00:00:01", "tcp:a:5", SAME | ACCESS },
	{ "tcp:a:5,mac=52:54:00:00:00:01", "tcp:a:5,mac=52:54:00:00:00:02",
	  SAME | ACCESS },
	{ "tcp:a:5,mac=52:54:00:00:00:01,mac=52:54:00:00:00:02",
	  "tcp:a:5,mac=52:54:00:00:00:02,mac=52:54:00:00:00:01", SAME | ACCESS },
	{ "udp:a:5", "udp:a:5,local=5", ALL },
	{ "udp:a:5", "udp:a:5,local=6", RULES | ACCESS },
	{ "udp:a:5", "udp:a:5,allow=10.0.0.0/8", SAME | RULES },
	{ "tcp-listen:5", "tcp-listen:5,allow=10.0.0.0/8", SAME | RULES },
	{ "tcp-listen:5,allow=10.0.0.0/9", "tcp-listen:5,allow=10.0.0.0/8",
	  SAME | RULES },
	{ "tcp-listen:5,allow=10.0.0.0/8+::1", "tcp-listen:5,allow=10.0.0.0/8+::1", ALL },
	{ "tcp-listen:5,allow=10.0.0.0/8", "tcp-listen:5,allow=11.0.0.0/8",
	  SAME | RULES },
	{ "tcp-listen:5,max=1", "tcp-listen:5,max=2", SAME | RULES },
	{ "tcp-listen:5,per-address=1", "tcp-listen:5", SAME | RULES },
	{ "tcp-listen:5,accept-rate=1", "tcp-listen:5", SAME | RULES },
	{ "tcp-listen:5", "tcp-listen:127.0.0.1:5", RULES | ACCESS },
	{ "unix-listen:a", "unix-listen:a,mode=0600", ALL },
	{ "unix-listen:a", "unix-listen:a,mode=0660", RULES | ACCESS },
	{ "unix-listen:a,mode=0660", "unix-listen:a,mode=0660,group=b", RULES | ACCESS },
	{ "unix-listen:a,allow=uid:a", "unix-listen:a,allow=uid:b", SAME | RULES },
	{ "unix-listen:a,allow=uid:a", "unix-listen:a,allow=gid:a", SAME | RULES },
	{ "unix-listen:a,allow=uid:a", "unix-listen:a,allow=uid:a", ALL },
	{ "vhost-user-listen:a", "unix-listen:a", RULES | ACCESS },
	{ "vhost-user-listen:a,max=1", "vhost-user-listen:a", SAME | RULES },
	{ "trunk:a:5,peer=" KEY("A"), "trunk:a:5,peer=" KEY("A"), ALL },
	{ "trunk:a:5,peer=" KEY("A"), "trunk:a:5,peer=" KEY("E"), RULES | ACCESS },
	{ "trunk:a:5,peer=" KEY("A"), "trunk:a:5", RULES | ACCESS },
	{ "trunk:a:5,peer=" KEY("A") ",psk=f", "trunk:a:5,peer=" KEY("A"),
	  RULES | ACCESS },
	{ "trunk:a:5,peer=" KEY("A"), "trunk:a:5,udp,peer=" KEY("A"), RULES | ACCESS },
	{ "trunk:a:5,udp", "trunk:a:5,udp,keepalive=3", RULES | ACCESS },
	{ "tcp-listen:5", "tcp-listen:5,udp", RULES | ACCESS },
	{ "tcp-listen:5,peers=a", "tcp-listen:5,peers=b,plain", ALL },
	{ "unixgram:a,local=b", "unixgram:a,local=c", RULES | ACCESS },
	{ "mcast:230.0.0.1:5", "mcast:230.0.0.1:5,if=127.0.0.1", RULES | ACCESS },
	{ "fd:3", "fd:4", RULES | ACCESS },
	{ "fd:3", "fd:3,vhost-user", RULES | ACCESS },
	{ "exec:a", "exec:a ", RULES | ACCESS },
	{ "exec:a", "exec:a", ALL },
};

static void read_one(struct endpoint *ep, const char *text)
{
	char why[1200];

	if (endpoint_parse(ep, text, why, sizeof(why)) < 0)
		abort();
}

static int compare(const struct endpoint *a, const struct endpoint *b)
{
	return (endpoint_same(a, b) ? SAME : 0) |
	       (endpoint_same_rules(&a->rules, &b->rules) ? RULES : 0) |
	       (endpoint_same_access(&a->access, &b->access) ? ACCESS : 0);
}

int main(void)
{
	struct endpoint a, b;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		read_one(&a, cases[i].a);
		read_one(&b, cases[i].b);
		ok_eq_int(compare(&a, &b), cases[i].what, "%s, %s", cases[i].a,
			  cases[i].b);
		ok(!(cases[i].what & SAME) || endpoint_key(&a) == endpoint_key(&b),
		   "and their keys");
		ok_eq_int(compare(&b, &a), cases[i].what, "the other way round");
	}
	b = a;
	b.rules.storm = 5;
	ok_eq_int(compare(&a, &b), SAME | ACCESS,
		  "a limit that a control command has set");
	return done();
}
