/* SPDX-License-Identifier: MIT */
/*
 * Has the two ends of a connection prove who they are (trunk/handshake.h), before anybody
 * makes a port of it. Nothing but the handshake is read.
 *
 * Behind its two messages the dialler sends an empty record (seal/record.h), PROVE_BYTES
 * bytes. Before it has come, the listener knows only that the peer has made the first
 * message, which anybody may have recorded.
 */
#ifndef PROVE_H
#define PROVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "seal/record.h"
#include "trunk/handshake.h"

#define PROVE_BYTES RECORD_OVERHEAD

#define PROVE_WHY_MAX 160

/*
 * One that is under way. All zero but for prove_init(): none.
 * @hs:      the handshake
 * @session: what it has brought, once done() was called with 0
 * @why:     a sentence for people, once it was called with an error
 * @find:    for who was dialled: says whether the peer that the handshake names may come.
 *           Return: 0, and @shared is set as of handshake_believe(); -errno with @why
 * @check:   then the peer has made the first message, some time. Return: 0, and @psk, all zeros,
 *           is set to its secret if it has one; -errno with @why
 * @done:    the handshake has ended, and the connection, @fd, is the owner's again. @ret:
 *           0; PROVE_PLAIN; -errno, with @why
 * @is_answered: the second message went, and the record is due
 * @in:      what came so far, @n bytes of @need
 */
struct prove {
	struct loop *loop;
	struct watch watch;
	struct timer limit, look;
	const struct identity *me;
	struct handshake hs;
	struct session session;
	char why[PROVE_WHY_MAX];
	int (*find)(struct prove *p, const uint8_t peer[SEAL_KEY_BYTES]);
	int (*check)(struct prove *p, const uint8_t stamp[HANDSHAKE_STAMP_BYTES],
		     uint8_t psk[SEAL_KEY_BYTES]);
	const uint8_t *shared;
	void (*done)(struct prove *p, int fd, int ret);
	bool is_dialler, takes_plain, is_answered;
	uint8_t in[HANDSHAKE_1_BYTES];
	size_t n, need;
};

#define PROVE_PLAIN 1 /* no handshake comes, and the peer may do without */

/* prove_init() - Not under way. */
void prove_init(struct prove *p, struct loop *loop);

/*
 * prove_dial() - Begin, as the one that dialled.
 * @fd:   connected, non-blocking; watched until done() is called
 * @me, @peer, @psk: as of handshake_dial()
 *
 * Return: 0; -errno, with @why: then done() is not called.
 */
int prove_dial(struct prove *p, int fd, const struct identity *me,
	       const uint8_t peer[SEAL_KEY_BYTES], const uint8_t *psk,
	       void (*done)(struct prove *p, int fd, int ret));

/*
 * prove_answer() - Begin, as the one that was dialled. @find, @check and @done are set.
 * @takes_plain: a peer that is silent for PROVE_PLAIN_MS, or begins otherwise, may do
 *               without; nothing of what it sent was read then
 *
 * Return: as prove_dial().
 */
int prove_answer(struct prove *p, int fd, const struct identity *me, bool takes_plain);

#define PROVE_PLAIN_MS 1000

/*
 * prove_stop() - Forget it, without a call; nothing happens if none is under way.
 *
 * Return: its descriptor, to be closed; -1: there was none.
 */
int prove_stop(struct prove *p);

#endif
