/* SPDX-License-Identifier: MIT */
/* How the program that relays is confined: see sandbox/sandbox.h for what that means. */
#ifndef CONFINE_H
#define CONFINE_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "net/broker.h"
#include "net/keys.h"
#include "pidfile.h"
#include "sandbox/sandbox.h"

/*
 * @now:  what the file named when it was last looked at for something that @conf does not
 *        name; in the broker and the helpers
 * @keys: the peers that name secrets; in the broker
 * @user: whom to become, if conf->user is set. @rules: of the broker
 * @pidfile: for the broker to remove; set by the caller
 */
struct confine {
	const struct conf *conf;
	struct conf now;
	struct keys keys;
	const struct pidfile *pidfile;
	struct user user;
	struct broker_rules rules;
};

/*
 * confine_prepare() - Find out whom to become, and start the broker if the configuration
 * has anything for it; with --no-sandbox, neither. Call it before anything is opened.
 * @c:           must stay where it is, and @conf and its pidfile too
 * @needs_helper: helpers are to be started
 * @why:         on error, one line that says what is wrong
 *
 * Return: 0 or -errno.
 */
int confine_prepare(struct confine *c, struct broker *broker, const struct conf *conf,
		    bool needs_helper, char *why, size_t size);

/*
 * confine_enter() - Confine this process, as the last step of set-up; with --no-sandbox,
 * say that it is not.
 * @writer: the process of the capture, which may be sent signals; 0 for none
 *
 * Return: 0; -errno, with @why as above.
 */
int confine_enter(struct confine *c, pid_t writer, char *why, size_t size);

#endif
