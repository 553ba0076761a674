/* SPDX-License-Identifier: MIT */
/* The access list on a kernel that refuses: nobody joins a bridge then, and it is said why. */
#include "helper/bridge-acl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/tap.h"

static int groups_ret, fstat_err;
static unsigned groups_calls;

int getgroups(int n, gid_t *list)
{
	(void)n;
	(void)list;
	groups_calls++;
	return groups_calls == 1 && groups_ret >= 0 ? groups_ret : -1;
}

int fstat(int fd, struct stat *st)
{
	(void)fd;
	memset(st, 0, sizeof(*st));
	errno = fstat_err;
	return -1;
}

int main(void)
{
	char why[200] = "";

	groups_ret = -1;
	ok_eq_int(bridge_acl_check("/etc", "br0", why, sizeof(why)), -ENOMEM,
		  "groups can't be counted");
	ok_eq_str(why, "no memory for the user's groups", "and it is said");
	groups_calls = 0;
	groups_ret = 3;
	ok_eq_int(bridge_acl_check("/etc", "br0", why, sizeof(why)), -ENOMEM,
		  "groups can't be read");
	groups_calls = 0;
	groups_ret = 0;
	fstat_err = EIO;
	ok_eq_int(bridge_acl_check("/", "br0", why, sizeof(why)), -EIO,
		  "a list that can't be looked at");
	ok(strstr(why, strerror(EIO)), "and it is said: %s", why);
	return done();
}
