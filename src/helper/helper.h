/* SPDX-License-Identifier: MIT */
/*
 * The helpers: processes that do what needs privilege or can block. There is one for
 * each kind of request: it resolves names, or attaches taps, or starts commands. Each
 * is started by the first request of its kind, and confined by itself. The relay sends
 * a request over a socketpair and goes on relaying. The answer arrives in its event
 * loop, with the descriptor that was asked for. There are no other requests than those
 * below.
 *
 * A helper that has ended or does not answer is replaced by another one. A confined
 * relay (sandbox/sandbox.h) has the broker fork it, which has kept what the program was
 * started with. Otherwise the relay itself forks. It has one thread only, so its memory
 * is consistent then, and the new helper closes all that it had open.
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
#define HELPER_WHY_MAX 512 /* bytes of a message, with its NUL */

/* The kinds of requests, and so of helpers. */
enum helper_op { HELPER_RESOLVE, HELPER_ATTACH, HELPER_SPAWN, HELPER_OPS };

/*
 * A request.
 * HELPER_RESOLVE: resolve the host of resolve.addr, for sockets of resolve.type
 * HELPER_ATTACH:  make or open a tap, as tap_attach() does
 * HELPER_SPAWN:   run command by /bin/sh -c, with a socket as its stdin and stdout;
 *                 see keep.h
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
 * An answer to the request with the same @id.
 * @err:  0 or -errno
 * @life: of HELPER_SPAWN: the life line. The receiver must close it, which ends the
 *        command. Otherwise -1
 * @why:  on error, one line that says what is wrong
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
 * Called once for each request, from the event loop, with the answer. @answer lives
 * until it returns. @fd is the tap or the command's socket, which the receiver must
 * close, or -1. If there is no error, no descriptor of the answer is missing.
 */
typedef void helper_done(struct helper_call *call, const struct helper_answer *answer,
			 int fd);

/*
 * A request under way; part of its owner's struct.
 * @helper: the helper that was asked
 * @since:  when it was sent, as loop_now(), ms
 */
struct helper_call {
	struct helper_call *next;
	struct helper *helper;
	uint32_t id;
	bool is_waiting;
	uint64_t since;
	helper_done *done;
};

struct broker;

/*
 * The relay's side of a helper.
 * @op:      the kind of requests that it answers
 * @broker:  starts it; NULL: the relay does itself
 * @calls:   requests without an answer
 * @pid:     the helper process; 0 when there is none
 * @since:   when it was started, as loop_now(), ms
 * @files:   the limit of descriptors that commands get
 * @again:   starts another helper when it is due
 * @overdue: checks whether a call has waited for longer than @limit when it is due
 * @delay:   ms until another helper is started, the next time that one ends at once
 * @limit:   ms that a call may wait
 * @is_late: a call has waited for longer, and no answer has come since
 */
struct helper {
	enum helper_op op;
	struct broker *broker;
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
 * helper_init() - Get ready to start helpers. None is started yet.
 * @all:    HELPER_OPS of them, one for each kind, in this order
 * @loop:   delivers the answers; it must outlive them, but may be initialized later
 * @broker: starts them, and must outlive them; NULL: they are forked
 *
 * Commands get the limit of descriptors that the process has at this time.
 */
void helper_init(struct helper *all, struct loop *loop, struct broker *broker);

/*
 * helper_use() - Have the helper answer that has the other end of @fd, a SOCK_SEQPACKET
 * socket, which becomes @h's. On error it is closed, and so the helper ends.
 *
 * Return: 0 or -errno.
 */
int helper_use(struct helper *h, int fd);

/*
 * helper_stop() - End all helpers and their commands, and wait for them. A command gets
 * SIGTERM and has two seconds to tidy up, then it is killed. Calls are not answered.
 */
void helper_stop(struct helper *all);

/*
 * helper_reaped() - Tell that wait() has returned the child @pid. If it was a helper,
 * another one is started.
 */
void helper_reaped(struct helper *all, pid_t pid);

/*
 * helper_ask() - Send a request to the helper for its kind, which is started if need be.
 * @call: must stay where it is until @done is called, or until helper_forget()
 * @req:  copied; its @id is set here
 * @done: called with the answer
 *
 * Return: 0; -EAGAIN when too many requests are under way, or there is no helper just
 * now; another -errno when it can't be started. After an error @done is not called.
 */
int helper_ask(struct helper *all, struct helper_call *call, struct helper_request *req,
	       helper_done *done);

/* helper_forget() - Cancel a call, if it is under way: its answer will be thrown away. */
void helper_forget(struct helper_call *call);

#endif
