/* SPDX-License-Identifier: MIT */
/*
 * Paths of unix sockets. One that was left behind by a program that has ended is taken
 * over. If several programs try that at once, a lock file beside the path (PATH.lock)
 * lets only one of them remove the old socket.
 *
 * #syscalls: bind chmod close connect fchownat flock fstat geteuid getsockopt listen
 * #syscalls: lstat open poll socket umask unlink
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/parts.h"
#include "net/sock.h"

#define LISTENING_MS 10 /* more than a program needs from bind() to listen() */
#define LOCK_TRIES 10	/* more than a broker needs to take over a path, on a busy host */
#define FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)

void sock_unix(const char *path, struct sock_addr *out)
{
	struct sockaddr_un *sun = (struct sockaddr_un *)&out->storage;

	memset(out, 0, sizeof(*out));
	sun->sun_family = AF_UNIX;
	snprintf(sun->sun_path, sizeof(sun->sun_path), "%s", path);
	out->len = sizeof(*sun);
}

/*
 * Whether nobody serves the socket at this path: a connection to it is refused, or the path
 * is gone, for the broker of a relay that was killed removes it.
 */
static bool refuses(const struct sock_addr *addr, int type)
{
	int fd = socket(AF_UNIX, type | FLAGS, 0), ret;

	if (fd < 0)
		return false;
	ret = connect(fd, &addr->sa, addr->len) < 0 ? errno : 0;
	close(fd);
	return ret == ECONNREFUSED || ret == ENOENT;
}

/*
 * Whether a path was left behind by a program that ended without removing it. Such a
 * path refuses connections. A stream socket also does so between bind() and listen(),
 * so it is tried twice.
 */
static bool is_abandoned(const struct sock_addr *addr, int type)
{
	if (!refuses(addr, type))
		return false;
	if (type == SOCK_DGRAM)
		return true;
	poll(NULL, 0, LISTENING_MS);
	return refuses(addr, type);
}

/*
 * If several processes find the same path abandoned, only one may remove it; otherwise
 * one would remove the new socket of another. The one that holds the lock file may.
 * It removes the lock file when it is done, so a process that comes later may lock a
 * file that has no name any more: that lock does not count. It is waited for: it may be the
 * broker of a relay that was killed at its start, and is started again at once.
 *
 * Return: the lock file's descriptor; -EADDRINUSE when another process holds it;
 * another -errno.
 */
static int lock_path(const char *lock)
{
	struct stat ours, there;
	int fd;

	for (unsigned i = 0; i < LOCK_TRIES; i++) {
		fd = open(lock, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &ours) == 0 &&
		    lstat(lock, &there) == 0 && ours.st_ino == there.st_ino)
			return fd;
		close(fd);
		poll(NULL, 0, LISTENING_MS);
	}
	return -EADDRINUSE;
}

static bool is_something_else(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode);
}

static int bind_unix(int fd, const struct sock_addr *addr)
{
	if (bind(fd, &addr->sa, addr->len) < 0)
		return -errno;
	/* Listen at once: a socket that does not listen looks abandoned to others. */
	listen(fd, SOMAXCONN);
	return 0;
}

/* The path exists. Remove it if it is abandoned, and bind to it. Return: 0 or -errno. */
static int take_over(int fd, const struct sock_addr *addr, const char *path, int type)
{
	char lock_name[ENDPOINT_PATH_MAX + sizeof(".lock")];
	int ret, lock;

	if (is_something_else(path))
		return -ENOTSOCK;
	snprintf(lock_name, sizeof(lock_name), "%s.lock", path);
	lock = lock_path(lock_name);
	if (lock < 0)
		return lock;
	if (is_abandoned(addr, type) && (unlink(path) == 0 || errno == ENOENT))
		ret = bind_unix(fd, addr);
	else
		ret = -EADDRINUSE;
	unlink(lock_name);
	close(lock);
	return ret;
}

/*
 * Give our path, which only its owner may use so far, to a group, and then its mode. By a
 * descriptor, for somebody who may write to the directory could put another file there.
 */
static int share(const char *path, mode_t mode, gid_t group)
{
	int ret = 0, fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char link[32];
	struct stat st;

	if (fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		ret = -ENOTSOCK;
	else if (fchownat(fd, "", (uid_t)-1, group, AT_EMPTY_PATH) < 0 ||
		 chmod(link, mode) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int sock_bound_unix(const char *path, int type, mode_t mode, gid_t group,
		    struct sock_path *made)
{
	bool has_group = group != SOCK_OWN_GROUP;
	struct stat st;
	struct sock_addr addr;
	mode_t old_mask;
	int ret, fd = socket(AF_UNIX, type | FLAGS, 0);

	if (fd < 0)
		return -errno;
	sock_take_fds(fd, false);
	sock_unix(path, &addr);
	/* A later chmod() would not do: anyone could connect between bind() and chmod(). */
	old_mask = umask(~(has_group ? mode & 0700 : mode) & 0777);
	ret = bind_unix(fd, &addr);
	if (ret == -EADDRINUSE)
		ret = take_over(fd, &addr, path, type);
	umask(old_mask);
	if (ret == 0 && has_group && (ret = share(path, mode, group)) < 0)
		unlink(path);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	memset(made, 0, sizeof(*made));
	if (lstat(path, &st) == 0) {
		made->dev = st.st_dev;
		made->ino = st.st_ino;
	}
	snprintf(made->path, sizeof(made->path), "%s", path);
	return fd;
}

bool sock_is_linked(const struct sock_path *made)
{
	struct stat st;

	return lstat(made->path, &st) == 0 && st.st_dev == made->dev &&
	       st.st_ino == made->ino;
}

void sock_unlink(const struct sock_path *made)
{
	/* Another program may have put its own socket there. */
	if (made->path[0] && sock_is_linked(made))
		unlink(made->path);
}

void sock_unlink_dead(const struct sock_path *made)
{
	struct sock_addr addr;

	sock_unix(made->path, &addr);
	/* What is no socket refuses, too. A served one of another type does not. */
	if (!is_something_else(made->path) && refuses(&addr, SOCK_STREAM))
		sock_unlink(made);
}

const char *sock_unix_hint(int err)
{
	switch (HAS_HINTS ? err : 0) {
	case -ECONNREFUSED:
		return " (nobody listens there, or it is no socket)";
	case -ENOENT:
		return " (who listens there makes it: is that started?)";
	case -EACCES:
		return " (its owner must let this user write to it)";
	default:
		return "";
	}
}

const char *sock_process(int fd, char *buf, size_t size)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || cred.pid <= 0)
		return NULL;
	snprintf(buf, size, "pid %d", (int)cred.pid);
	return buf;
}
