/* SPDX-License-Identifier: MIT */
/*
 * To notify a guest, by an eventfd that its front end has passed.
 *
 * The front end can make a write to it wait, by setting its counter to the largest number and
 * taking O_NONBLOCK away, which belongs to the descriptor that both have, at any time. No call
 * writes to an eventfd without waiting whatever its flags are. So a timer is set ahead of
 * writes, not oftener than all CALL_ARM_MS, whose signal interrupts one that waits.
 */
#ifndef VHOST_CALL_H
#define VHOST_CALL_H

#include <stdint.h>

#define CALL_ARM_MS 100	  /* in which writes rely on the same timer */
#define CALL_LIMIT_MS 250 /* from when the timer is set; a write may wait for that long */

/*
 * @fd:    -1: the guest is not to be notified
 * @armed: when the timer was set, loop_coarse(); 0: never
 */
struct call {
	int fd;
	uint64_t armed;
};

/* call_guard() - Have the timer's signal do nothing else. Call it before the process is confined. */
void call_guard(void);

/* call_make() - Notify. Return: 0; -EDEADLK: that had to wait, and did not happen; another -errno. */
int call_make(struct call *c);

#endif
