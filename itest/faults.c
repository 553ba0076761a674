/* SPDX-License-Identifier: MIT */
/*
 * A kernel and a heap that refuse: linked into a relay in place of the functions in
 * faults.def (ld --wrap), which fail when they are told to. itest/faults tells them, by
 * the file that FAULTS names, and reads there what was seen.
 *
 * Each process counts its own calls; a child goes on from what its parent had counted.
 * All arguments and results are integers or pointers, which the ABIs pass alike.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NAME_BYTES 16

#define X(name) CALL_##name,
#define Y X
#define Z X
enum call {
#include "faults.def"
	CALL_COUNT
};
#undef X

#define X(name) #name,
static const char *const names[] = {
#include "faults.def"
};
#undef X

#define X(name) long __real_##name(long a, long b, long c, long d, long e, long f);
#include "faults.def"
#undef X
#undef Y
#undef Z

/*
 * What the file has.
 * @call, @at, @times, @err: that call fails @times times, from number @at on, by @err
 * @hits: how often it did
 * @seen: of all calls their names, and how many there were in the process that made the
 *        most; @count of them
 */
struct control {
	unsigned call, at, times;
	int err;
	unsigned hits, count;
	struct {
		char name[NAME_BYTES];
		unsigned most;
	} seen[CALL_COUNT];
};

static struct control *control;
static unsigned seen[CALL_COUNT];

__attribute__((constructor)) static void set_up(void)
{
	const char *path = getenv("FAULTS");
	long fd = path ? __real_open64((long)path, O_RDWR | O_CLOEXEC, 0, 0, 0, 0) : -1;
	long map;

	if ((int)fd < 0)
		return;
	map = __real_mmap64(0, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			    0);
	__real_close(fd, 0, 0, 0, 0, 0);
	if (map == -1)
		return;
	control = (struct control *)map;
	control->count = CALL_COUNT;
	for (unsigned i = 0; i < CALL_COUNT; i++)
		strncpy(control->seen[i].name, names[i], NAME_BYTES - 1);
}

static int fails(enum call call)
{
	unsigned n;

	if (!control)
		return 0;
	n = ++seen[call];
	if (control->seen[call].most < n)
		control->seen[call].most = n;
	if (call != control->call || n < control->at || n - control->at >= control->times)
		return 0;
	control->hits++;
	return 1;
}

#define WRAP(name, failed, is_done)                                         \
	long __wrap_##name(long a, long b, long c, long d, long e, long f); \
	long __wrap_##name(long a, long b, long c, long d, long e, long f)  \
	{                                                                   \
		if (!fails(CALL_##name))                                    \
			return __real_##name(a, b, c, d, e, f);             \
		if (is_done)                                                \
			__real_##name(a, b, c, d, e, f);                    \
		errno = control->err;                                       \
		return failed;                                              \
	}
#define X(name) WRAP(name, -1, 0)
#define Y(name) WRAP(name, -1, 1)
#define Z(name) WRAP(name, 0, 0)
#include "faults.def"
