/* SPDX-License-Identifier: MIT */
/* The helper process itself; the relay's side of it is in helper.h. */
#ifndef HELPER_SERVE_H
#define HELPER_SERVE_H

#include <stdbool.h>
#include <stddef.h>

#include "helper/helper.h"

/*
 * Which requests a helper answers: what is not named by the configuration is nothing
 * that the relay needs, whoever has taken it over.
 * @allows: whether to answer @req, whose strings have an end
 */
struct helper_rules {
	bool (*allows)(const struct helper_request *req, void *arg);
	void *arg;
};

/*
 * helper_serve() - The helper process: answer requests on @fd, a SOCK_SEQPACKET socket,
 * until its other end is closed. It never returns.
 * @op:    the kind of requests that it answers; it refuses all others
 * @rules: NULL to answer all of that kind, and not to be confined
 */
void helper_serve(int fd, enum helper_op op, const struct helper_rules *rules)
	__attribute__((noreturn));

/*
 * helper_answer() - Send an answer, from the helper or one of its children.
 * @fd:  the helper's socket
 * @fds: @n descriptors to send with it; they stay the caller's
 *
 * An error is ignored: it means that the relay is gone.
 */
void helper_answer(int fd, const struct helper_answer *answer, const int *fds, size_t n);

#endif
