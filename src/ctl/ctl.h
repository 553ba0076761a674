/* SPDX-License-Identifier: MIT */
/*
 * The control socket: a unix socket that shows and changes a running relay. A client
 * sends one line, as of quote.h, of at most 4095 bytes. The answer is a line "ok" and
 * the command's output, or a line "error: ..."; then the connection is closed. There are
 * two exceptions: after "events" the connection stays open and carries a line for each
 * event, and after "capture" it carries pcapng. `socat - UNIX:PATH` can be a client.
 *
 * A line without a newline at its end is not run. A slow client delays only itself.
 */
#ifndef CTL_H
#define CTL_H

#include "ctl/ctl-allow.h"
#include "ctl/ctl-capture.h"
#include "ctl/ctl-command.h"
#include "net/listen.h"
#include "relay/relay.h"

#define CTL_NAME_MAX (ENDPOINT_PATH_MAX + 8) /* bytes, with the NUL */

struct ctl_client;

/*
 * @name:   its name in messages
 * @reload, @has_key, @has_peers: see struct ctl_call; its owner sets them
 */
struct ctl {
	ctl_reload *reload;
	void *reload_arg;
	bool has_key, has_peers;
	struct relay *relay;
	char name[CTL_NAME_MAX];
	struct listener listener;
	struct ctl_allow allow;
	struct event_watcher watcher;
	struct ctl_client *clients;
	struct ctl_captures captures;
	struct deferred reap;
};

/*
 * ctl_start() - Begin to serve the clients that ctl-allow.h allows.
 * @c:    all zeros before, but for what its owner sets
 * @ep:   the socket to make, a UNIX_LISTEN; it must outlive @c
 * @why:  on error, one line that says what is wrong and what to do
 * @size: bytes at @why
 *
 * Return: 0 or -errno.
 */
int ctl_start(struct ctl *c, struct relay *r, const struct endpoint *ep, char *why,
	      size_t size);

/*
 * ctl_stop() - Close all clients, and remove the socket. It does nothing if the control
 * socket was not started (all zeros).
 */
void ctl_stop(struct ctl *c);

#endif
