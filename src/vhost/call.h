/* SPDX-License-Identifier: MIT */
/*
 * To notify a guest, by an eventfd that its front end has passed.
 *
 * The front end can make a write to it wait, by setting its counter to the largest number and
 * taking O_NONBLOCK away, which belongs to the descriptor that both have, at any time. No call
 * writes to an eventfd without waiting whatever its flags are. So base/alarm.h has one that
 * waits interrupted.
 */
#ifndef VHOST_CALL_H
#define VHOST_CALL_H

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

#endif
