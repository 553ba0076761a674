/* SPDX-License-Identifier: MIT */
/*
 * Decides by the credentials that the kernel keeps of a client (unix(7), SO_PEERCRED).
 *
 * #syscalls: close geteuid getsockopt lstat open read
 */
#include "ctl/ctl-allow.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parts.h"

#define ALL_UIDS UINT32_MAX /* how many uids there are; -1 is none */
#define MAP_BYTES 16384	    /* a map has 340 lines at most (user_namespaces(7)) */

/* Read the beginning of a file, as a string. Return: whether there was anything to read. */
static bool read_text(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, to, size - 1);

	if (fd >= 0)
		close(fd);
	to[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/*
 * Add up the uids that a namespace maps. Each line of @map has the first uid inside, the
 * first one outside, and their number (user_namespaces(7)).
 */
static uint64_t known_uids(const char *map)
{
	uint64_t word[3], sum = 0;
	char *end;

	for (;; sum += word[2])
		for (int i = 0; i < 3; i++, map = end) {
			word[i] = strtoull(map, &end, 10);
			if (end == map)
				return sum;
		}
}

void ctl_allow_init(struct ctl_allow *a)
{
	char map[MAP_BYTES], overflow[32];

	a->owner = geteuid();
	if (!read_text("/proc/self/uid_map", map, sizeof(map)) ||
	    !read_text("/proc/sys/kernel/overflowuid", overflow, sizeof(overflow)))
		return;
	a->has_unknown = known_uids(map) < ALL_UIDS;
	a->unknown = (uid_t)strtoul(overflow, NULL, 10);
}

static bool is_as_made(const struct ctl_allow *a, const struct sock_path *made)
{
	struct stat st;

	return lstat(made->path, &st) == 0 && st.st_dev == made->dev &&
	       st.st_ino == made->ino && st.st_uid == a->owner &&
	       (st.st_mode & 07777) == CTL_MODE;
}

static bool is_other(const struct ctl_allow *a, int fd)
{
	static const struct sock_addr of_no_network;

	return HAS_ACCESS && a->others.access && a->others.access->n &&
	       admit_allows(&a->others, &of_no_network, fd);
}

bool ctl_allows(const struct ctl_allow *a, const struct sock_path *made, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	if (a->has_unknown && cred.uid == a->unknown)
		return is_as_made(a, made);
	return cred.uid == 0 || cred.uid == a->owner || is_other(a, fd);
}
