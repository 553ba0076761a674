/* SPDX-License-Identifier: MIT */
/*
 * The program as a service: tells who started it when it is ready, what it does, and that it
 * is not stuck (net/notify.h).
 */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdbool.h>

#include "base/loop.h"
#include "net/notify.h"
#include "relay/relay.h"

#define SERVICE_STATUS_MAX 256

/*
 * @is_ready: it was told that the program is ready
 * @told_at:  when the status was told last, loop_now()
 * @told:     the last status
 */
struct service {
	struct notify notify;
	struct loop *loop;
	struct relay *relay;
	bool is_ready;
	uint64_t told_at;
	char told[SERVICE_STATUS_MAX];
	struct timer status, watchdog;
};

/*
 * service_start() - Find out who is to be told. Call it before processes are forked, which
 * inherit the environment. What is wrong with that is logged, and no error.
 */
void service_start(struct service *s);

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

#endif
