/* SPDX-License-Identifier: MIT */
/*
 * To go on where others can make a system call wait that should not.
 *
 * The kernel closes a descriptor that a peer has sent and nobody takes, within our call that
 * reads, or that closes the socket. If it is the last one of a TCP socket with SO_LINGER, that
 * waits for as long as its owner likes, non-blocking or not. Who shares an eventfd with us can
 * do so, too (vhost/call.h). All of these waits end when a signal comes, and the system call has
 * done its work by then. So where a peer can do that, a timer sends a signal every ALARM_MS
 * while there is work; if the turns of the loop seem to last that long, every ALARM_HURRY_MS.
 *
 * One wait that does not end so: close() of a file of FUSE asks its file system (fuse_flush() in
 * the kernel's fs/fuse/file.c), and waits for the answer whatever signal comes, SIGKILL too. A
 * descriptor that nobody takes is not flushed, so this is only for those that are taken, which
 * a front end of vhost-user can pass.
 */
#ifndef ALARM_H
#define ALARM_H

#define ALARM_MS 20
#define ALARM_HURRY_MS 1

/*
 * alarm_init() - Handle the timer's signal, SIGALRM; without, no timer is set. Call it before
 * the process is confined.
 */
void alarm_init(void);

/* alarm_need() - There are peers who could keep us waiting: guard all work from now on. */
void alarm_need(void);

/* alarm_work() - A turn of the loop begins: from now on nothing waits for longer than ALARM_MS. */
void alarm_work(void);

/* alarm_rest() - It waits for events. The timer soon stops, so that it wakes nobody up. */
void alarm_rest(void);

#endif
