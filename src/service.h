/* SPDX-License-Identifier: MIT */
/*
 * The program as a service: tells whoever started it when it is ready, what it does, and that
 * it is not stuck. There may be a service manager (net/notify.h), a process that waits for a
 * daemon (daemon.h), and a file with the number of the process (pidfile.h).
 */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdbool.h>

#include "base/loop.h"
#include "conf/conf.h"
#include "daemon.h"
#include "net/notify.h"
#include "pidfile.h"
#include "relay/relay.h"

#define SERVICE_STATUS_MAX 256

/*
 * @is_ready: it was told that the program is ready
 * @told_at:  when the status was told last, loop_now()
 * @told:     the last status
 */
struct service {
	struct notify notify;
	struct daemon daemon;
	struct pidfile pidfile;
	struct loop *loop;
	struct relay *relay;
	bool is_ready;
	uint64_t told_at;
	char told[SERVICE_STATUS_MAX];
	struct timer status, watchdog;
};

/*
 * service_start() - Become a daemon if @conf says so, and find out who is to be told. Call it
 * before anything is opened, and before other processes are forked, which inherit the
 * environment. What a service manager has put there is told if it is wrong, but no error.
 * @why:  on error, one line that says what is wrong
 * @size: bytes at @why
 *
 * Return: 0; 1 and -ECHILD, in the process that was waiting, as daemon_start(); another
 * -errno, with @why.
 */
int service_start(struct service *s, const struct conf *conf, char *why, size_t size);

/*
 * service_watch() - Tell from now on, by @loop, what happens to @relay, and that the program
 * is ready as soon as that is so: the first time with relay_set_running(). It sets
 * relay_on_change().
 */
void service_watch(struct service *s, struct loop *loop, struct relay *relay);

/*
 * service_reloading(), service_reloaded() - Tell that the configuration is being read again,
 * and that this has ended, whatever came of it. Call both in the same turn of the loop or in
 * different ones.
 */
void service_reloading(struct service *s);
void service_reloaded(struct service *s);

/* service_stopping() - Tell that the program is about to end, and tell nothing more. */
void service_stopping(struct service *s);

/* service_end() - Let the file go; then it can be removed. */
void service_end(struct service *s);

#endif
