/* SPDX-License-Identifier: MIT */
/*
 * Sends a signal to a tree of processes. The kernel lists the children of each thread
 * in /proc/PID/task/TID/children. Reading the parent of every process of the host
 * instead would take too long when some hundred commands end at the same time.
 *
 * A pid could pass to another process between the look and the signal only if all pids
 * of the host were used up within those microseconds.
 *
 * #syscalls: close fcntl getdents64 getpid kill lseek open read readlink
 */
#include "helper/tree.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A signal to send. @spares, @arg: for the first level, see tree_signal(); or NULL */
struct order {
	int sig;
	bool (*spares)(pid_t pid, void *arg);
	void *arg;
};

static int signal_below(pid_t pid, const struct order *order);

/*
 * The process is stopped first. So it starts no more children, and a shell does not report
 * that its children were ended: it acts on its own signal first when it goes on.
 */
static void signal_with_all_below(pid_t pid, const struct order *order)
{
	const struct order below = { .sig = order->sig };

	if (order->spares && order->spares(pid, order->arg))
		return;
	kill(pid, SIGSTOP);
	signal_below(pid, &below);
	kill(pid, order->sig);
	kill(pid, SIGCONT);
}

/* Return: the next number; 0 at the end. fscanf() would make the binary larger. */
static pid_t next_pid(FILE *f)
{
	pid_t pid = 0;
	int c;

	while ((c = getc(f)) >= '0' && c <= '9')
		pid = pid * 10 + (c - '0');
	return pid;
}

/* Signal the children of one thread, and all below them. */
static int signal_children(pid_t pid, const char *tid, const struct order *order)
{
	char path[64];
	pid_t child;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/children", (int)pid, tid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while ((child = next_pid(f)))
		signal_with_all_below(child, order);
	fclose(f);
	return 0;
}

static int signal_below(pid_t pid, const struct order *order)
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
			ret = signal_children(pid, entry->d_name, order);
	closedir(dir);
	return ret;
}

/* Whether /proc belongs to our PID namespace; otherwise its pids are not ours. */
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
	const struct order order = { .sig = sig, .spares = spares, .arg = arg };

	return is_our_proc() ? signal_below(getpid(), &order) : -ENOENT;
}
