/* SPDX-License-Identifier: MIT */
/*
 * The helper: a second process, forked before anything is opened, that does
 * whatever needs privilege or can block - attaching a tap, resolving a name,
 * starting a child. The relay asks over a socketpair and goes on relaying; the
 * answer arrives in its loop, with the descriptor asked for. The requests
 * below are all that it can ask for.
 */
#ifndef HELPER_H
#define HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "endpoint.h"
#include "link.h"
#include "loop.h"
#include "sock.h"

#define HELPER_ADDRS_MAX 8
#define HELPER_WHY_MAX 512

enum helper_op { HELPER_RESOLVE, HELPER_ATTACH, HELPER_SPAWN, HELPER_KILL };

/*
 * RESOLVE: resolve.addr's host and port, for sockets of resolve.type
 * ATTACH:  a tap as link_attach() makes it
 * SPAWN:   command, by /bin/sh -c, with a socket as its stdin and stdout
 * KILL:    SIGTERM to the child that answer @pid named; there is no answer
 */
struct helper_request {
	uint32_t id; /* set by helper_ask() */
	enum helper_op op;
	union {
		struct {
			struct endpoint_addr addr;
			int type; /* SOCK_STREAM, SOCK_DGRAM */
		} resolve;
		struct link_request attach;
		char command[ENDPOINT_TEXT_MAX];
		pid_t pid;
	};
};

/*
 * @err: 0 or -errno; with an error, @why says in one line what is wrong
 */
struct helper_answer {
	uint32_t id;
	int err;
	char why[HELPER_WHY_MAX];
	union {
		struct {
			unsigned n;
			struct sock_addr addr[HELPER_ADDRS_MAX];
		} resolve;
		struct link attach; /* its fd is the one handed to done() */
		pid_t pid;
	};
};

struct helper_call;

/* Called once, from the loop, with the answer; @fd is the owner's to close, or -1. */
typedef void helper_done(struct helper_call *call, const struct helper_answer *answer,
			 int fd);

/* A request under way; lives in its owner's struct. */
struct helper_call {
	struct helper_call *next;
	uint32_t id;
	bool is_waiting;
	helper_done *done;
};

struct helper {
	struct loop *loop;
	struct watch watch;
	struct helper_call *calls;
	uint32_t last_id;
	pid_t pid;
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

/* helper_stop() - End it, with the children it started, and wait for it. */
void helper_stop(struct helper *h);

/*
 * helper_ask() - Send a request; @done is called with the answer.
 *
 * Return: 0; -EAGAIN when too many are under way; -EPIPE when it is gone.
 */
int helper_ask(struct helper *h, struct helper_call *call, struct helper_request *req,
	       helper_done *done);

/* helper_forget() - Want no answer any more; a late one is thrown away. */
void helper_forget(struct helper *h, struct helper_call *call);

/* helper_kill() - End a child. */
void helper_kill(struct helper *h, pid_t pid);

/* helper_serve() - The helper process itself: answer on @fd until it is closed. Never returns. */
void helper_serve(int fd) __attribute__((noreturn));

#endif
