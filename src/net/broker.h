/* SPDX-License-Identifier: MIT */
/*
 * The broker: a process with all that the program was started with, for the few quick
 * things that the confined relay (sandbox/sandbox.h) may not do, and can't do without.
 * It makes and removes the paths of unix sockets, dials those that the relay may not,
 * looks up users and groups, reads the configuration file and files of keys again, and
 * starts the helpers, since a child of the relay would be confined, too.
 *
 * A broker that is killed is replaced by its parent, a process that does nothing else.
 * The relay asks and waits, half a second at most. The broker does nothing that takes
 * longer. While the relay is set up, no frames wait: then the broker may be slow to start.
 */
#ifndef BROKER_H
#define BROKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/file-text.h"
#include "net/sock.h"

#define BROKER_ANSWER_MS 500 /* for an answer, once the relay runs */
#define BROKER_WHY_MAX 128   /* bytes of a message, with its NUL */
#define BROKER_FILE_MAX 256  /* bytes of the path of a file of keys, with its NUL */
#define BROKER_HELPERS 3 /* kinds of helpers; what each does is the caller's concern */

/*
 * What the broker may do; it and what it points to must be there when it is forked.
 * @names:  whether the configuration names the path of a unix socket, to be made or dialled
 * @file:   how many bytes a file of keys may have; 0: the configuration does not name it.
 *          NULL: it names none
 * @arg:    for all
 * @helper: runs a helper on a socket, in a process of its own, and does not return
 * @dials:  it may dial
 * @ended:  called when the relay has ended, in whatever way, with @arg; may be NULL
 * @config: the path of the configuration file, or NULL
 */
struct broker_rules {
	bool (*names)(const char *path, void *arg);
	size_t (*file)(const char *path, void *arg);
	void *arg;
	void (*helper)(int fd, unsigned kind, void *arg);
	bool dials;
	void (*ended)(void *arg);
	const char *config;
};

/*
 * The relay's end.
 * @is_on: it was started. Without, and for a NULL broker, the functions below do things
 *         themselves
 * @fd:    the socket; it hangs up when the process that answers and its parent have both
 *         ended, and there will be none any more
 * @answer_ms: how long to wait for an answer; BROKER_ANSWER_MS once the set-up is over
 * @pid:   the parent of the process that answers; 0 when there is none
 */
struct broker {
	bool is_on;
	int fd;
	pid_t pid;
	unsigned answer_ms;
	uint32_t last_id;
};

/*
 * broker_start() - Fork the broker. Call it early: it closes all descriptors but stderr,
 * but keeps a copy of the memory that is in use.
 *
 * Return: 0 or -errno.
 */
int broker_start(struct broker *b, const struct broker_rules *rules);

/* broker_stop() - End the broker, and wait for it and for the helpers that it started. */
void broker_stop(struct broker *b);

/* broker_bind() - As sock_bound_unix(). -EPIPE when the broker is lost. */
int broker_bind(struct broker *b, const char *path, int type, mode_t mode, gid_t group,
		struct sock_path *made);

/*
 * broker_unlink() - As sock_unlink(), for what broker_bind() has made. The socket must be
 * closed.
 */
void broker_unlink(struct broker *b, const struct sock_path *made);

/*
 * broker_dial() - Connect a stream socket to a path, with the broker's rights.
 *
 * Return: the descriptor; -EACCES without a broker that may; another -errno.
 */
int broker_dial(struct broker *b, const char *path);

/*
 * broker_id() - Look up a user in /etc/passwd, or a group in /etc/group.
 * @name: its name, or its number in decimal, which need not be there
 * @id:   set to its number
 * @why:  on error, what is wrong, BROKER_WHY_MAX bytes
 *
 * Return: 0; -ENOENT when it is not there; another -errno.
 */
int broker_id(struct broker *b, const char *name, bool is_group, uint32_t *id, char *why);

/*
 * broker_group() - Look up whom a path is to be given to.
 * @group: of group=, likewise; NULL or "" if it was not given
 * @gid:   set to its number, or to SOCK_OWN_GROUP
 * @why:   on error, what is wrong with the option, BROKER_WHY_MAX bytes
 *
 * Return: as broker_id().
 */
int broker_group(struct broker *b, const char *group, gid_t *gid, char *why);

/*
 * broker_config() - Read the configuration file anew, with what it includes: with the
 * broker's rights, and the file that it was started with.
 * @path: the same, for those without a broker
 * @text: as conf_file_read() makes it
 *
 * Return: 0 or -errno. What is wrong with the file is in @text.
 */
int broker_config(struct broker *b, const char *path, struct buf *text);

/*
 * broker_file() - Read a file of keys, with the broker's rights, unless it is as it was.
 * @limit: bytes that we take; the broker has its own limit
 * @stamp, @text, @len: as of file_text_read(); the text may be a secret to be wiped
 *
 * Return: 0; -EPERM: the configuration does not name it; another -errno.
 */
int broker_file(struct broker *b, const char *path, size_t limit,
		struct file_stamp *stamp, char **text, size_t *len);

/*
 * broker_helper() - Start a helper. One of its kind that was started before is killed.
 * @kind: less than BROKER_HELPERS
 * @pid:  set to its process
 *
 * Return: our end of its socket, of type SOCK_SEQPACKET; -errno.
 */
int broker_helper(struct broker *b, unsigned kind, pid_t *pid);

#endif
