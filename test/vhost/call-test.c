/* SPDX-License-Identifier: MIT */
/* call.c: an eventfd with room, without, and one whose write would wait for ever. */
#include "vhost/call.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>

#include "base/loop.h"
#include "lib/tap.h"

static struct call make(int flags, uint64_t count)
{
	struct call c = { .fd = eventfd(0, EFD_CLOEXEC | flags) };

	if (count)
		ok(write(c.fd, &count, sizeof(count)) == sizeof(count), "an eventfd");
	return c;
}

int main(void)
{
	struct call none = { .fd = -1 }, c = make(EFD_NONBLOCK, 0);
	uint64_t n = 0, begin;

	call_guard();
	ok_eq_int(call_make(&none), 0, "nobody wants to be notified");
	ok_eq_int(call_make(&c) | call_make(&c), 0, "somebody is, twice");
	ok(read(c.fd, &n, sizeof(n)) == sizeof(n) && n == 2, "and has seen it");
	close(c.fd);
	ok_eq_int(call_make(&c), -EBADF, "a descriptor that is closed");
	c = make(EFD_NONBLOCK, UINT64_MAX - 1);
	ok_eq_int(call_make(&c), 0, "one that is full");
	ok(fcntl(c.fd, F_SETFL, 0) == 0, "and blocks");
	begin = loop_now();
	ok_eq_int(call_make(&c), -EDEADLK, "is given up");
	ok(loop_now() - begin < 20 * CALL_LIMIT_MS, "soon");
	ok_eq_int(call_make(&c), -EDEADLK, "again");
	close(c.fd);
	return done();
}
