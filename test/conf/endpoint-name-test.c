/* SPDX-License-Identifier: MIT */
/* endpoint-name.c: which words are names, whose ports may have them, and what conflicts. */
#include "conf/endpoint-name.h"

#include <string.h>

#include "base/util.h"
#include "lib/tap.h"

static struct endpoint read_one(const char *text)
{
	struct endpoint ep;
	char why[256];

	if (endpoint_parse(&ep, text, why, sizeof(why)) < 0)
		printf("# %s\n", why);
	return ep;
}

static void test_words(void)
{
	static const struct {
		const char *word;
		bool is_name;
	} cases[] = {
		{ "a", true },	  { "Z", true },	  { "web-1.x_y", true },
		{ "1a", true },	  { "-", true },	  { ".1", true },
		{ "", false },	  { "0", false },	  { "12", false },
		{ "a b", false }, { "a,b", false },	  { "a=b", false },
		{ "a/b", false }, { "a:b", false },	  { "\xc3\xb6", false },
		{ "a\n", false }, { "123456789a", true }, { "123456789ab", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ok(endpoint_is_port_name(cases[i].word, 11) == cases[i].is_name,
		   "\"%s\" is %s name", cases[i].word, cases[i].is_name ? "a" : "no");
}

static void test_may_name(void)
{
	static const struct {
		const char *name;
		bool may_dialled, may_accepted;
	} cases[] = {
		{ "web", true, true },	     { "web-2", false, true },
		{ "web-10", false, true },   { "web-4294967295", false, true },
		{ "web-1", false, false },   { "web-0", false, false },
		{ "web-02", false, false },  { "web-", false, false },
		{ "web-x", false, false },   { "web-2x", false, false },
		{ "web-2-2", false, false }, { "web2", false, false },
		{ "we", false, false },	     { "", false, false },
		{ "webs", false, false },    { "Web", false, false },
	};
	struct endpoint dialled = read_one("tcp:h:1,name=web");
	struct endpoint listens[] = { read_one("tcp-listen:1,name=web"),
				      read_one("unix-listen:a,name=web"),
				      read_one("vhost-user-listen:a,name=web") };
	struct endpoint none = read_one("tcp-listen:1");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ok(endpoint_may_name(&dialled, cases[i].name) == cases[i].may_dialled &&
			   endpoint_may_name(&listens[0], cases[i].name) ==
				   cases[i].may_accepted &&
			   endpoint_may_name(&listens[1], cases[i].name) ==
				   cases[i].may_accepted &&
			   endpoint_may_name(&listens[2], cases[i].name) ==
				   cases[i].may_accepted,
		   "who may be called \"%s\"", cases[i].name);
		ok(!endpoint_may_name(&none, cases[i].name), "not one without a name");
	}
}

static void test_conflicts(void)
{
	static const struct {
		const char *a, *b, *says;
	} cases[] = {
		{ "tcp:h:1,name=a", "tcp:h:1,name=b", NULL },
		{ "tcp:h:1", "tcp:h:1", NULL },
		{ "tcp:h:1,name=a", "tcp-listen:1", NULL },
		{ "tcp:h:1,name=a", "unix:b,name=a", "another endpoint has this name" },
		{ "tcp-listen:1,name=a", "unix:b,name=a", "another endpoint" },
		{ "tcp-listen:1,name=a", "tcp-listen:2,name=a", "another endpoint" },
		{ "tcp-listen:1,name=a", "unix:b,name=a-2", "gives its connections" },
		{ "tcp-listen:1,name=a", "unix-listen:b,name=a-2", "gives its" },
		{ "tcp-listen:1,name=a", "unix:b,name=a-1", NULL },
		{ "tcp-listen:1,name=a-2", "unix:b,name=a", NULL },
		{ "tcp:h:1,name=a", "unix:b,name=a-2", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct endpoint a = read_one(cases[i].a), b = read_one(cases[i].b);
		const char *one = endpoint_name_conflict(&a, &b);
		const char *other = endpoint_name_conflict(&b, &a);

		ok(one == other && !one == !cases[i].says &&
			   (!one || strstr(one, cases[i].says)),
		   "%s and %s: %s", cases[i].a, cases[i].b, one ? one : "none");
	}
}

static void test_label(void)
{
	struct endpoint ep = read_one("tcp:h:1,name=web1,isolated");
	char buf[64];

	ok_eq_str(endpoint_label(&ep, buf, sizeof(buf)), "web1 (tcp:h:1,isolated)",
		  "a label with a name");
	ok_eq_str(endpoint_label(&ep, buf, 8), "web1 (t", "it is cut");
	ep = read_one("br0");
	ok_eq_str(endpoint_label(&ep, buf, sizeof(buf)), "br0", "one without");
}

int main(void)
{
	test_words();
	test_may_name();
	test_conflicts();
	test_label();
	return done();
}
