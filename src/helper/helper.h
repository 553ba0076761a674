/* SPDX-License-Identifier: MIT */
/*
 * The helper: a second process, forked before anything is opened, that does
 * whatever needs privilege or can block - attaching a tap, resolving a name,
 * starting a command. The relay asks over a socketpair and goes on relaying; the
 * answer arrives in its loop, with the descriptor asked for. The requests
 * below are all that it can ask for.
 *
 * A helper that has ended, or that answers nothing, is replaced: by another
 * fork of the relay, which has one thread only, so that what is in its memory
 * is whole. The new one closes all that the relay had open; it can do what the
 * relay may do then.
 */
#ifndef HELPER_H
#define HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/loop.h"
#include "conf/endpoint.h"
#include "helper/resolve.h"
#include "helper/tap-attach.h"
#include "net/sock.h"

#define HELPER_ADDRS_MAX RESOLVE_MAX
#define HELPER_WHY_MAX 512

#define HELPER_FDS_MAX 2

enum helper_op { HELPER_RESOLVE, HELPER_ATTACH, HELPER_SPAWN };

/*
 * RESOLVE: resolve.addr's host and port, for sockets of resolve.type
 * ATTACH:  a tap as tap_attach() makes it
 * SPAWN:   command, by /bin/sh -c, with a socket as its stdin and stdout; keep.h
 */
struct helper_request {
	uint32_t id; /* set by helper_ask() */
	enum helper_op op;
	union {
		struct {
			struct endpoint_addr addr;
			int type; /* SOCK_STREAM, SOCK_DGRAM */
		} resolve;
		struct tap_request attach;
		char command[ENDPOINT_TEXT_MAX];
	};
};

/*
 * @err:  0 or -errno; with an error, @why says in one line what is wrong
 * @life: of SPAWN, the owner's to close, which ends the command; or -1
 */
struct helper_answer {
	uint32_t id;
	int err;
	int life;
	char why[HELPER_WHY_MAX];
	union {
		struct {
			unsigned n;
			struct sock_addr addr[HELPER_ADDRS_MAX];
		} resolve;
		struct tap_dev attach; /* its fd is the one handed to done() */
	};
};

struct helper_call;

/*
 * Called once, from the loop, with the answer; @fd is the owner's to close, or -1.
 * Without an error there is each descriptor that belongs to the answer.
 */
typedef void helper_done(struct helper_call *call, const struct helper_answer *answer,
			 int fd);

/* A request under way; lives in its owner's struct. */
struct helper_call {
	struct helper_call *next;
	uint32_t id;
	bool is_waiting;
	uint64_t since; /* loop_now() */
	helper_done *done;
};

/*
 * @pid:     0: there is none
 * @since:   when it was started
 * @files:   the limit of descriptors that commands are to have
 * @again:   until another one is started
 * @delay:   how long that will be the next time, if this one ends at once
 * @overdue: until it is looked whether a call waits for longer than @limit ms
 * @is_late: one does, and nothing has come since
 */
struct helper {
	struct loop *loop;
	struct watch watch;
	struct helper_call *calls;
	uint32_t last_id;
	pid_t pid;
	uint64_t since;
	struct rlimit files;
	struct timer again, overdue;
	unsigned delay, limit;
	bool is_late;
};

/*
 * helper_start() - Fork it. Call it early: what is open then, beyond stderr, is
 * closed in it, and what it holds stays in its memory.
 *
 * Return: 0 or -errno.
 */
int helper_start(struct helper *h);

/* helper_attach() - Have @loop deliver its answers. Return: 0 or -errno. */
int helper_attach(struct helper *h, struct loop *loop);

/*
 * helper_stop() - End it, and wait for it, and for the commands it started. Those
 * end at once, or are killed after a grace of two seconds, in which they may tidy up.
 */
void helper_stop(struct helper *h);

/* helper_reaped() - A child of ours has been waited for: if it was the helper, act on it. */
void helper_reaped(struct helper *h, pid_t pid);

/*
 * helper_ask() - Send a request; @done is called with the answer.
 *
 * Return: 0; -EAGAIN when too many are under way, or none is there just now.
 */
int helper_ask(struct helper *h, struct helper_call *call, struct helper_request *req,
	       helper_done *done);

/* helper_forget() - Want no answer any more; a late one is thrown away. */
void helper_forget(struct helper *h, struct helper_call *call);

/* helper_serve() - The helper process itself: answer on @fd until it is closed. Never returns. */
void helper_serve(int fd) __attribute__((noreturn));

/*
 * helper_answer() - In the helper and its workers: send one, with @n descriptors.
 * With nobody left to tell, there is nothing to do about an error.
 */
void helper_answer(int fd, const struct helper_answer *answer, const int *fds, size_t n);

#endif
