/* SPDX-License-Identifier: MIT */
/* endpoint-long.c: what the name of a bridge that does not exist is taken for. */
#include "conf/endpoint-long.h"

#include "base/near.h"
#include "base/util.h"
#include "lib/tap.h"

static const struct {
	const char *name, *want;
} cases[] = {
	{ "help", "; did you mean --help?" },
	{ "version", "; did you mean --version?" },
	{ "ctrl", "; did you mean netrelay ctl?" },
	{ "genky", "; did you mean netrelay genkey?" },
	{ "tcp", "; did you mean tcp:HOST:PORT?" },
	{ "UDP", "; did you mean udp:HOST:PORT?" },
	{ "tap0", "; did you mean tap:NAME?" },
	{ "unix", "; did you mean unix:PATH?" },
	{ "unixgram", "; did you mean unixgram:PATH?" },
	{ "tcp-lisen", "; did you mean tcp-listen:?" },
	{ "vhostuserlisten", "; did you mean vhost-user-listen:PATH?" },
	{ "5000", "; did you mean -l 5000?" },
	{ "10.0.0.1", "; did you mean 10.0.0.1:PORT?" },
	{ "br0", "" },
	{ "br0.100", "" },
	{ "virbr0", "" },
	{ "localhost", "" },
};

int main(void)
{
	char hint[NEAR_HINT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ok_eq_str(endpoint_bridge_hint(cases[i].name, hint), cases[i].want, "%s",
			  cases[i].name);
	return done();
}
