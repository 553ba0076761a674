/* SPDX-License-Identifier: MIT */
/*
 * For tests: a relay with a key and a peers file, in a folder of its own, and those who may
 * come to it: site and far are in the file, and a stranger is not.
 *
 *	keyed_open();
 *	keyed_begin(RELAY_SWITCH);
 *	...
 *	keyed_end();
 *	keyed_close();
 */
#ifndef LIB_KEYED_RELAY_H
#define LIB_KEYED_RELAY_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/said.h"
#include "lib/tap.h"
#include "lib/write-text.h"
#include "net/keys.h"
#include "relay/relay.h"
#include "seal/key.h"

static struct loop loop;
static struct relay relay;
static struct keys keys;
static struct identity own, site, far, stranger;
static char keyed_dir[] = "/tmp/keyed-relay.XXXXXX";

/* ---- files ---- */

/* replace() - In the folder of the test, a file that is changed is another one. */
static inline void replace(const char *path, const char *text)
{
	write_text("new", text);
	chmod("new", 0600);
	if (rename("new", path) < 0)
		abort();
}

/* peer_line() - A line of a peers file. Return: @line. */
static inline const char *peer_line(char line[256], const struct identity *who,
				    const char *rest)
{
	char text[KEY_TEXT_MAX];

	key_write(text, who->pair.pub);
	snprintf(line, 256, "%s %s\n", text, rest);
	return line;
}

/* write_peers() - A file of site, with @first behind its key, and far; either may be NULL. */
static inline void write_peers(const char *path, const char *first, const char *second)
{
	char text[512], line[256];

	snprintf(text, sizeof(text), "%s", first ? peer_line(line, &site, first) : "");
	if (second)
		strcat(text, peer_line(line, &far, second));
	replace(path, text);
}

static inline void write_own(const struct identity *me)
{
	char text[KEY_TEXT_MAX];

	key_write(text, me->pair.key);
	replace("own", text);
}

/* ---- the relay ---- */

/* keyed_open() - Make the folder, and go there. */
static inline void keyed_open(void)
{
	static const uint8_t key[][SEAL_KEY_BYTES] = {
		{ 0, 1 }, { 0, 2 }, { 0, 3 }, { 0, 4 }
	};

	said_begin();
	if (!mkdtemp(keyed_dir) || chdir(keyed_dir) < 0 || loop_init(&loop) < 0)
		abort();
	identity_set(&own, key[0]);
	identity_set(&site, key[1]);
	identity_set(&far, key[2]);
	identity_set(&stranger, key[3]);
	write_own(&own);
	write_peers("usual", "site", "far");
}

/* keyed_close() - Check that nothing but our own files is there, and remove it. */
static inline void keyed_close(void)
{
	loop_free(&loop);
	unlink("own");
	unlink("usual");
	ok(chdir("/") == 0 && rmdir(keyed_dir) == 0, "nothing is left behind");
}

/* keyed_begin() - A relay without listeners, which is not running yet. */
static inline void keyed_begin(enum relay_kind kind)
{
	static const struct switching_limits limits = { .fdb_size = 64 };
	const struct conf conf = { .key_file = "own", .peers_file = "usual" };
	char why[PEERS_WHY_MAX];

	if (relay_init(&relay, &loop, NULL, kind, &limits) < 0 ||
	    keys_start(&keys, &conf, why, sizeof(why)) < 0)
		abort();
	relay.env.keys = &keys;
}

static inline void keyed_end(void)
{
	relay_free(&relay);
	keys_free(&keys);
}

/* refusals() - How many the listener has refused. */
static inline unsigned refusals(void)
{
	return (unsigned)relay.acceptors->listener.admit.refused[ADMIT_PEERS];
}

/* member() - The first port, if it is up; or NULL. */
static inline struct member *member(void)
{
	struct member *m = relay.forward.members.first;

	return m && m->port->state == PORT_UP ? m : NULL;
}

#endif
