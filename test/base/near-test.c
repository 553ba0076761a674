/* SPDX-License-Identifier: MIT */
/* near.c: which word is taken for which, and which for none. */
#include "base/near.h"

#include "base/util.h"
#include "lib/tap.h"

static const char *const words[] = { "tcp",  "tcp-listen", "udp",    "unix",
				     "fd",   "bridge",	   "listen", "storm",
				     "wait", "fdb-size",   "hub" };

static const struct {
	const char *typed, *want;
} cases[] = {
	{ "tcp", "tcp" },
	{ "tpc", "tcp" },
	{ "tc", "tcp" },
	{ "ttcp", "tcp" },
	{ "tcq", "tcp" },
	{ "TCP", "tcp" },
	{ "LISTEN", "listen" },
	{ "Lsiten", "listen" },
	{ "tcp-listne", "tcp-listen" },
	{ "tcplisten", "tcp-listen" },
	{ "lsiten", "listen" },
	{ "lisen", "listen" },
	{ "stromm", "storm" },
	{ "storms", "storm" },
	{ "brigde", "bridge" },
	{ "birdge", "bridge" },
	{ "fdbsize", "fdb-size" },
	{ "wiat", "wait" },
	{ "--wait", "wait" },
	{ "--hub", NULL },
	{ "xyz", NULL },
	{ "", NULL },
	{ "t", NULL },
	{ "br0", NULL },
	{ "bridge-of-mine", NULL },
	{ "localhost", NULL },
	{ "a-word-of-more-letters-than-any", NULL },
};

static void test_case(const char *typed, const char *want)
{
	struct near n = { .word = typed, .len = strlen(typed) };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		near_try(&n, words[i]);
	ok_eq_str(n.found ? n.found : "", want ? want : "", "%s", typed);
}

static void test_hint(void)
{
	struct near n = { .word = "hubb=x", .len = 4 };
	char hint[NEAR_HINT_MAX];

	ok_eq_str(near_hint(&n, "", hint), "", "no hint");
	near_try(&n, "hub");
	ok_eq_str(near_hint(&n, "--", hint), "; did you mean --hub?", "a hint");
	near_try(&n, "hubs");
	ok_eq_str(near_hint(&n, "", hint), "; did you mean hub?",
		  "the first of those that are as near");
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		test_case(cases[i].typed, cases[i].want);
	test_hint();
	return done();
}
