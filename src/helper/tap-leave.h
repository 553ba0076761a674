/* SPDX-License-Identifier: MIT */
/*
 * Decides whether a tap may be made or attached by the capability of the program file.
 *
 * Everything in the request comes from a user who must not get more from it than the
 * access list gives: a tap on that bridge, as if it had always been there. So the tap
 * is new or was made in this way, its name begins with TAP_PREFIX, which rules of the
 * admin for other interfaces do not match, and its MTU is the bridge's, since a smaller
 * one would become the bridge's.
 *
 * Without leave nothing is refused here. The request goes on without the capability,
 * as it would if the file had none, so a tap that an admin made for the user works, and
 * qemu-bridge-helper does.
 */
#ifndef TAP_LEAVE_H
#define TAP_LEAVE_H

#include <stdbool.h>
#include <stddef.h>

#include "helper/tap-attach.h"
#include "net/nl.h"

/*
 * tap_leave() - Take the capability in use if there is leave for @req; otherwise give
 * it up for good. If the file gave none, nothing is changed.
 * @bridge: the bridge of @req; index 0 if it has none
 * @tap:    the tap that @req->index is the number of
 * @why:    set to one line that says why there is no leave; "" if there is, or if no
 *          list could give it
 * @size:   bytes at @why
 *
 * Return: whether the capability is in use.
 */
bool tap_leave(const struct tap_request *req, const struct nl_link *bridge,
	       const struct nl_link *tap, char *why, size_t size);

#endif
