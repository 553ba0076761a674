/* SPDX-License-Identifier: MIT */
/*
 * Who is whose child the kernel lists in /proc/PID/task/TID/children; to look through
 * all processes there are for it would take some hundred commands, which all end
 * at once, longer than they are given.
 *
 * Between the look and the signal a pid may pass to somebody else only if all
 * pids there are have been used up once in those microseconds.
 */
#include "helper/tree.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* @spares, @arg: of this process' own children */
struct wish {
	int sig;
	bool (*spares)(pid_t pid, void *arg);
	void *arg;
};

static int signal_below(pid_t pid, const struct wish *wish);

/* One who is stopped would not get to hear of it. */
static void signal_with_all_below(pid_t pid, const struct wish *wish)
{
	const struct wish below = { .sig = wish->sig };

	if (wish->spares && wish->spares(pid, wish->arg))
		return;
	signal_below(pid, &below);
	kill(pid, wish->sig);
	kill(pid, SIGCONT);
}

/* Return: the next number; 0 at the end. fscanf() would bring floating point in. */
static pid_t next_pid(FILE *f)
{
	pid_t pid = 0;
	int c;

	while ((c = getc(f)) >= '0' && c <= '9')
		pid = pid * 10 + (c - '0');
	return pid;
}

/* The children that one thread has made. */
static int signal_children(pid_t pid, const char *tid, const struct wish *wish)
{
	char path[64];
	pid_t child;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/children", (int)pid, tid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while ((child = next_pid(f)))
		signal_with_all_below(child, wish);
	fclose(f);
	return 0;
}

static int signal_below(pid_t pid, const struct wish *wish)
{
	char path[32];
	const struct dirent *entry;
	int ret = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (ret == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			ret = signal_children(pid, entry->d_name, wish);
	closedir(dir);
	return ret;
}

/* Its numbers may be another PID namespace's. */
static bool is_our_proc(void)
{
	char self[16];
	ssize_t n = readlink("/proc/self", self, sizeof(self) - 1);

	if (n <= 0)
		return false;
	self[n] = '\0';
	return strtol(self, NULL, 10) == getpid();
}

int tree_signal(int sig, bool (*spares)(pid_t pid, void *arg), void *arg)
{
	const struct wish wish = { .sig = sig, .spares = spares, .arg = arg };

	return is_our_proc() ? signal_below(getpid(), &wish) : -ENOENT;
}
