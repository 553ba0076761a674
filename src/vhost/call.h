/* SPDX-License-Identifier: MIT */
/*
 * To notify a guest, by an eventfd that its front end has passed.
 *
 * The front end can make a write to it wait, by setting its counter to the largest number and
 * taking O_NONBLOCK away, which belongs to the descriptor that both have, at any time. No call
 * writes to an eventfd without waiting whatever its flags are. So while there are writes, a
 * timer sends a signal every CALL_LIMIT_MS, which interrupts one that waits.
 */
#ifndef VHOST_CALL_H
#define VHOST_CALL_H

#define CALL_LIMIT_MS 20

/*
 * call_guard() - Handle the timer's signal, SIGALRM; without, no timer is set. Call it before
 * the process is confined.
 */
void call_guard(void);

/*
 * call_make() - Notify.
 * @fd: -1: the guest is not to be notified
 *
 * Return: 0; -EDEADLK: that had to wait, and did not happen; another -errno.
 */
int call_make(int fd);

/*
 * call_check() - Whether notifying works, without doing so. Of the kinds of files that have the
 * inode of eventfds, only these can be written to.
 *
 * Return: as call_make().
 */
int call_check(int fd);

/*
 * call_limit() - Have what waits from now on interrupted soon, as call_make() is. Call it ahead
 * of what closes a descriptor that came from outside: that waits if it is a socket's last one
 * and has SO_LINGER.
 */
void call_limit(void);

#endif
