/* SPDX-License-Identifier: MIT */
/*
 * Connections to a listener with a peers file that have not proved yet who they are
 * (trunk/prove.h). A caller is no port: it has no number, and nobody sees it but by the
 * listener's count of connections. One that proves to be in the file becomes a port with
 * the name and the rules that the file has; any other is closed, and told nothing.
 *
 * A peer has one connection: its new one ends its old one, which may be dead.
 */
#ifndef CALLERS_H
#define CALLERS_H

#include <stdint.h>

#include "base/parts.h"
#include "conf/endpoint.h"
#include "conf/peers.h"
#include "trunk/handshake.h"

struct acceptor;
struct admit_host;
struct caller;
struct member;
struct relay;

#define CALLERS_BUCKETS 1024

/*
 * A peer that a file has named, and that has come since the relay was started, or somebody
 * in its name.
 * @stamp:  of its last handshake that was right
 * @shared: if @has_shared, as of handshake_believe(), for the keys of that @version
 * @member: its port's, whose @known this is; or NULL
 * @rivals: links that took the place of another one that was up, since @rivals_at
 */
struct known_peer {
	struct known_peer *next;
	uint8_t key[SEAL_KEY_BYTES], stamp[HANDSHAKE_STAMP_BYTES];
	bool has_shared;
	uint8_t shared[SEAL_KEY_BYTES];
	unsigned version;
	struct member *member;
	unsigned rivals;
	uint64_t rivals_at;
};

/*
 * Those of a relay. All zeros: none.
 * @first: those under way
 * @known: the peers of old, no more of them than the files have named
 * @version: of the keys that the ports were last compared with (net/keys.h)
 */
struct callers {
	struct caller *first;
	struct known_peer *known[CALLERS_BUCKETS];
	unsigned version;
};

/*
 * callers_find() - Somebody who knows our key says that it has @key.
 * @peer, @known: set to its line in the peers file of @a, but for psk_path, and to what is
 *         known of it
 * @why:   on error, one line
 *
 * Return: 0 or -errno.
 */
int callers_find(struct acceptor *a, const uint8_t key[SEAL_KEY_BYTES], struct peer *peer,
		 struct known_peer **known, char *why, size_t size);

/*
 * callers_find_proved() - The same for one who has proved it: the peers file counts as it is
 * now, not as it was up to KEYS_LOOK_MS ago.
 */
int callers_find_proved(struct acceptor *a, const uint8_t key[SEAL_KEY_BYTES],
			struct peer *peer, struct known_peer **known, char *why,
			size_t size);

/*
 * callers_refused() - Count one that may not come, and tell of it, once a second.
 * @who:      where it came from
 * @is_named: it has said that it is one of the peers; such are told of apart
 */
void callers_refused(struct acceptor *a, const char *who, bool is_named, const char *why);

/*
 * callers_make_room() - It has proved that it is the peer: its old port ends, and it takes
 * the place of that, or one as of acceptor_make_room().
 * @why: if there is none, one line
 *
 * Return: 0 or -EBUSY.
 */
int callers_make_room(struct acceptor *a, struct known_peer *known, char *why,
		      size_t size);

/*
 * callers_admit() - It has that key, and its handshake @stamp, which must be a new one.
 * @psk: set to its secret, or to zeros; the caller wipes it. It is read now, not for
 *       whoever claims or repeats something, for that takes the broker a while
 * @why: on error, one line
 *
 * Return: 0 or -errno.
 */
int callers_admit(struct acceptor *a, struct known_peer *known, const char *name,
		  const uint8_t stamp[HANDSHAKE_STAMP_BYTES], uint8_t psk[SEAL_KEY_BYTES],
		  char *why, size_t size);

/*
 * callers_note_rival() - It has a port, and somebody else comes with its key. Two hosts that
 * have one key are told of, once a minute.
 */
void callers_note_rival(struct known_peer *k);

/* callers_end_port() - End the port that it has. */
void callers_end_port(struct known_peer *k, const char *why);

/* callers_have_file() - Whether there is a peers file for @a. */
bool callers_have_file(const struct acceptor *a);

/* callers_wanted() - Whether connections to @a have to prove who they are. */
static inline bool callers_wanted(const struct acceptor *a)
{
	return HAS_KEYS && callers_have_file(a);
}

/*
 * callers_begin() - Have a connection prove who it is. It then becomes a port by
 * acceptor_take(), or is closed.
 * @fd:   the caller's, also after an error
 * @peer: its name in messages; copied
 * @host: what listener_gone() needs
 */
void callers_begin(struct acceptor *a, int fd, const char *peer, struct admit_host *host);

/* callers_end() - Close those of @a; NULL: of all its relay's. */
void callers_end(struct relay *r, const struct acceptor *a);

/*
 * callers_check() - If the peers files have changed, a port whose peer is not in its file any
 * more ends, and the others have the rules that stand there now. Not before all listeners
 * have the files of a new configuration, which counts as a change (keys_renew()).
 */
void callers_check(struct relay *r);

/* callers_rules() - The rules of a port: its listener's, and in their place the peer's. */
void callers_rules(const struct acceptor *a, const struct peer *peer,
		   struct endpoint_rules *rules);

/* callers_free() - Forget all that is known; no caller is left. */
void callers_free(struct callers *all);

#endif
