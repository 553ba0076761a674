/* SPDX-License-Identifier: MIT */
/*
 * Measures what the relay spends: CPU time by /proc/PID/task/TID/schedstat, in
 * nanoseconds, and system calls by the kernel's tracepoint. The tracepoint counts exactly
 * but makes each call slower, so the two are never measured at the same time.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "load.h"

#define TRACEPOINT "/sys/kernel/tracing/events/raw_syscalls/sys_enter/id"

static uint64_t read_number(const char *path)
{
	uint64_t value = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		return 0;
	if (fscanf(f, "%" SCNu64, &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

/* Call @fn for each thread. */
static void each_task(const struct cost *c, void (*fn)(int pid, int tid, void *arg), void *arg)
{
	for (unsigned i = 0; i < c->n_pids; i++) {
		char path[64];
		struct dirent *entry;
		DIR *dir;

		snprintf(path, sizeof(path), "/proc/%d/task", c->pids[i]);
		dir = opendir(path);
		while (dir && (entry = readdir(dir)))
			if (entry->d_name[0] != '.')
				fn(c->pids[i], atoi(entry->d_name), arg);
		if (dir)
			closedir(dir);
	}
}

static void add_cpu(int pid, int tid, void *arg)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	*(uint64_t *)arg += read_number(path);
}

uint64_t cost_cpu_ns(const struct cost *c)
{
	uint64_t sum = 0;

	each_task(c, add_cpu, &sum);
	return sum;
}

static void add_counter(int pid, int tid, void *arg)
{
	struct cost *c = arg;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = read_number(TRACEPOINT),
	};

	(void)pid;
	if (c->n_fds < COST_TASKS_MAX)
		c->fds[c->n_fds++] = (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1,
						  PERF_FLAG_FD_CLOEXEC);
}

int cost_count(struct cost *c)
{
	c->n_fds = 0;
	if (!read_number(TRACEPOINT))
		return -ENOENT;
	each_task(c, add_counter, c);
	for (unsigned i = 0; i < c->n_fds; i++)
		if (c->fds[i] < 0)
			return -EACCES;
	return c->n_fds ? 0 : -ESRCH;
}

uint64_t cost_counted(struct cost *c)
{
	uint64_t sum = 0, value;

	for (unsigned i = 0; i < c->n_fds; i++) {
		if (c->fds[i] < 0)
			continue;
		if (read(c->fds[i], &value, sizeof(value)) == sizeof(value))
			sum += value;
		close(c->fds[i]);
	}
	c->n_fds = 0;
	return sum;
}
