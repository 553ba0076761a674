/* SPDX-License-Identifier: MIT */
/*
 * user.c, for all users of this host beside what the C library says of them, and becoming
 * one, as root.
 */
#include "sandbox/user.h"

#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tap.h"

static int compare(const void *a, const void *b)
{
	gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_same(const struct passwd *pw)
{
	gid_t groups[USER_GROUPS_MAX];
	int n = USER_GROUPS_MAX;
	struct user user;

	if (user_find(pw->pw_name, &user) < 0 ||
	    getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) < 0)
		return false;
	qsort(groups, (size_t)n, sizeof(gid_t), compare);
	qsort(user.groups, (size_t)user.n_groups, sizeof(gid_t), compare);
	return user.uid == pw->pw_uid && user.gid == pw->pw_gid && user.n_groups == n &&
	       !memcmp(groups, user.groups, (size_t)n * sizeof(gid_t));
}

static void test_all(void)
{
	struct passwd *pw;
	unsigned n = 0;

	setpwent();
	for (; (pw = getpwent()); n++)
		if (!is_same(pw))
			ok(false, "%s is as the C library has it", pw->pw_name);
	endpwent();
	ok(n > 2, "%u users were looked up", n);
}

static void test_none(void)
{
	struct user user;
	char name[100];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	ok_eq_int(user_find("no-such-user", &user), -ENOENT, "nobody of that name");
	ok_eq_int(user_find("", &user), -ENOENT, "an empty name");
	ok_eq_int(user_find("roo", &user), -ENOENT, "the beginning of a name");
	ok_eq_int(user_find("x", &user), -ENOENT, "a password");
	ok_eq_int(user_find(name, &user), -ENOENT, "a name that is too long");
}

static const char *group; /* what is in /etc/group, if not NULL */

FILE *fopen(const char *path, const char *mode)
{
	static FILE *(*next)(const char *path, const char *mode);
	void *found = next ? NULL : dlsym(RTLD_NEXT, "fopen");

	if (found)
		memcpy(&next, &found, sizeof(next));
	if (!group || strcmp(path, "/etc/group") != 0)
		return next(path, mode);
	if (*group)
		return fmemopen((void *)(uintptr_t)group, strlen(group), "r");
	errno = EMFILE;
	return NULL;
}

/* Lines that are not as they should be say nothing, and harm no others. */
static void test_groups(void)
{
	static const char *const ends[] = { "last:x:7:a,root", "last:x:7:root\nbroken",
					    "last:x:7:root\nshort:x:root\n" };
	struct user user;
	char text[400];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(text, sizeof(text),
			 "\n:::\nword:x:y:root\nminus:x:-1:root\nroot:x:4:\nshort:x\n"
			 "long:x:5:root,a\nown:x:0:root\nnot:x:6:roo,roots\nroot\n%s",
			 ends[i]);
		group = text;
		ok(user_find("root", &user) == 0 && user.n_groups == 3 &&
			   user.groups[0] == 0 && user.groups[1] == 5 &&
			   user.groups[2] == 7,
		   "root's groups, among lines of others and wrong ones, end %zu", i);
	}
	group = "";
	ok_eq_int(user_find("root", &user), -EMFILE, "no groups can be read");
	group = NULL;
}

static void test_become(void)
{
	struct user user = {
		.uid = 65534, .gid = 65533, .groups = { 65533, 0x10007 }, .n_groups = 2
	};
	gid_t groups[8];
	uid_t r, e, s;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (user_become(&user) < 0)
			_exit(geteuid() ? 77 : 1);
		if (getresuid(&r, &e, &s) || r != 65534 || e != r || s != r)
			_exit(2);
		if (getresgid(&r, &e, &s) || r != 65533 || e != r || s != r)
			_exit(3);
		if (getgroups(8, groups) != 2 || groups[0] + groups[1] != 65533 + 0x10007)
			_exit(4);
		_exit(user_become(&user) == -EPERM ? 0 : 5);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		printf("# left out: only root can become another user\n");
	else
		ok_eq_int(status, 0, "another user, for good");
}

int main(void)
{
	test_all();
	test_none();
	test_groups();
	test_become();
	return done();
}
