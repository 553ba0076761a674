/* SPDX-License-Identifier: MIT */
/*
 * Who is whose child is read from /proc/PID/stat, of all processes: the list of
 * one's children (/proc/PID/task/TID/children) is not in every kernel.
 *
 * Between the look and the signal a pid may pass to somebody else only if all
 * pids there are have been used up once in those microseconds.
 */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* @below: it gets the signal */
struct process {
	pid_t pid, parent;
	bool below;
};

struct list {
	struct process *all;
	size_t n, room;
};

static int add(struct list *l, pid_t pid, pid_t parent)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 256;
		struct process *all = realloc(l->all, room * sizeof(*all));

		if (!all)
			return -ENOMEM;
		l->all = all;
		l->room = room;
	}
	l->all[l->n++] = (struct process){ .pid = pid, .parent = parent };
	return 0;
}

/* Return: whose child it is; 0 when it is gone. Its name may have blanks and parentheses. */
static pid_t parent_of(pid_t pid)
{
	char path[32], stat[512];
	const char *end;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(stat, 1, sizeof(stat) - 1, f);
	fclose(f);
	stat[n] = '\0';
	end = strrchr(stat, ')');
	/* ") S 123", its state and its parent. */
	return end && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : 0;
}

static int read_all(struct list *l)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	int ret = 0;

	if (!dir)
		return -errno;
	while (ret == 0 && (entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		pid_t parent = pid > 0 ? parent_of(pid) : 0;

		if (parent > 0)
			ret = add(l, pid, parent);
	}
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

static void mark_below(struct list *l, pid_t parent)
{
	for (size_t i = 0; i < l->n; i++) {
		struct process *p = &l->all[i];

		if (p->parent != parent || p->below)
			continue;
		p->below = true;
		mark_below(l, p->pid);
	}
}

int tree_signal(int sig, bool (*spares)(pid_t pid, void *arg), void *arg)
{
	struct list l = { 0 };
	int ret = is_our_proc() ? read_all(&l) : -ENOENT;

	if (ret < 0)
		goto out;
	for (size_t i = 0; i < l.n; i++)
		if (l.all[i].parent == getpid() && spares && spares(l.all[i].pid, arg))
			l.all[i].parent = 0;
	mark_below(&l, getpid());
	for (size_t i = 0; i < l.n; i++)
		if (l.all[i].below)
			kill(l.all[i].pid, sig);
out:
	free(l.all);
	return ret;
}
