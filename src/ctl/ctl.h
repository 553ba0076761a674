/* SPDX-License-Identifier: MIT */
/*
 * The control socket: a unix socket at which a relay that runs is asked what it
 * does, and told what to do. A client sends one line, as in quote.h, of at most
 * 4095 bytes; it is answered by a line "ok" and what there is to say, or by a line
 * "error: ..."; and the connection is closed. Only after "events" it stays, and
 * has a line for each event; and after "capture", and carries pcapng. So
 * `socat - UNIX:PATH` will do for a client.
 *
 * A line that does not end is no command. A client that is in no hurry keeps
 * nobody waiting but itself.
 */
#ifndef CTL_H
#define CTL_H

#include "ctl/ctl-allow.h"
#include "ctl/ctl-capture.h"
#include "net/listen.h"
#include "relay/rates.h"
#include "relay/relay.h"

#define CTL_NAME_MAX (ENDPOINT_PATH_MAX + 8)

struct ctl_client;

/* @name: what messages call it */
struct ctl {
	struct relay *relay;
	char name[CTL_NAME_MAX];
	struct listener listener;
	struct ctl_allow allow;
	struct event_watcher watcher;
	struct rates rates;
	struct ctl_client *clients;
	struct ctl_captures captures;
	struct deferred reap;
};

/*
 * ctl_start() - Listen for those whom ctl-allow.h lets in. All zero before.
 * @path: fits a unix socket's, and must outlive it
 * @why:  on error, one line that says what is wrong and what to do
 *
 * Return: 0 or -errno.
 */
int ctl_start(struct ctl *c, struct relay *r, const char *path, char *why, size_t size);

/* ctl_stop() - Part with all clients, and remove the path. One never started is fine. */
void ctl_stop(struct ctl *c);

#endif
