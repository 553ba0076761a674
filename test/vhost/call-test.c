/* SPDX-License-Identifier: MIT */
/* call.c: an eventfd with room, without, and one whose write would wait for ever. */
#include "vhost/call.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>

#include "base/alarm.h"
#include "base/loop.h"
#include "lib/tap.h"

static int make(int flags, uint64_t count)
{
	int fd = eventfd(0, EFD_CLOEXEC | flags);

	if (count)
		ok(write(fd, &count, sizeof(count)) == sizeof(count), "an eventfd");
	return fd;
}

int main(void)
{
	int fd = make(EFD_NONBLOCK, 0);
	uint64_t n = 0, begin;

	alarm_init();
	alarm_need();
	alarm_work();
	ok_eq_int(call_make(-1), 0, "nobody wants to be notified");
	ok_eq_int(call_make(fd) | call_make(fd), 0, "somebody is, twice");
	ok(read(fd, &n, sizeof(n)) == sizeof(n) && n == 2, "and has seen it");
	close(fd);
	ok_eq_int(call_make(fd), -EBADF, "a descriptor that is closed");
	fd = make(EFD_NONBLOCK, UINT64_MAX - 1);
	ok_eq_int(call_make(fd), 0, "one that is full");
	ok(fcntl(fd, F_SETFL, 0) == 0, "and blocks");
	begin = loop_now();
	ok_eq_int(call_make(fd), -EDEADLK, "is given up");
	ok(loop_now() - begin < 20 * ALARM_MS, "soon");
	ok_eq_int(call_make(fd), -EDEADLK, "again");
	close(fd);
	return done();
}
