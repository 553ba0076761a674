/* SPDX-License-Identifier: MIT */
/*
 * Our own key, and the peers that may come: what the files of --key, --peers, peers= and psk=
 * have, at the start and later. They are read again when they have changed, at the next
 * connection or with the configuration file; by the broker (net/broker.h), for the relay can
 * open no file. A file that is missing or wrong changes nothing, and is told of once.
 *
 * Secrets that we share with single peers are read when they are needed, and kept nowhere.
 */
#ifndef KEYS_H
#define KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/file-text.h"
#include "conf/conf.h"
#include "conf/peers.h"
#include "net/broker.h"
#include "seal/identity.h"

#define KEYS_FILE_BYTES 4096 /* of a file that has a key */
#define KEYS_LOOK_MS 100     /* between two looks at a file, for the relay */
#define KEYS_LOST_MS 10000   /* the same while the broker does not answer */

/*
 * A file that was read.
 * @path:      "": there is none
 * @looked_at: when, as of loop_now()
 * @err:       why it could not be read at the last look, which was told; or 0
 * @is_told:   what others may do with it was told
 */
struct keys_file {
	char path[BROKER_FILE_MAX];
	struct file_stamp stamp;
	uint64_t looked_at;
	int err;
	bool is_told;
};

/* A peers file. Those of one name are one. */
struct keys_peers {
	struct keys_file file;
	struct peers peers;
	struct keys_peers *next;
};

/*
 * All zeros: without --key.
 * @broker:  reads files; NULL: we do. Set by the owner, once the start is over
 * @look_ms: KEYS_LOOK_MS; or 0: look each time
 * @is_quiet: log nothing
 * @own:     our key, and what follows from it; without meaning if own_file has no path
 * @version: another one whenever the peers or our key may have changed
 * @usual:   the path of --peers, or ""
 */
struct keys {
	struct broker *broker;
	unsigned look_ms;
	bool is_quiet;
	struct keys_file own_file;
	struct identity own;
	unsigned version;
	char usual[BROKER_FILE_MAX];
	struct keys_peers *peers;
};

/*
 * keys_start() - Read all that a configuration names, and look at the secrets of psk=, too.
 * Files that others can read or change are warned of.
 * @k:    all zeros, but for look_ms
 * @why:  on error, one line that says what is wrong and what to do
 * @size: bytes at @why; PEERS_WHY_MAX are enough
 *
 * Return: 0; -errno, with @k empty.
 */
int keys_start(struct keys *k, const struct conf *conf, char *why, size_t size);

/*
 * keys_renew() - Read all files that another configuration names; not the secrets.
 * @before: set to what there was until now, for keys_renewed()
 *
 * Return: 0; -errno with @why as above, and nothing is changed.
 */
int keys_renew(struct keys *k, const struct conf *conf, struct keys *before, char *why,
	       size_t size);

/* keys_renewed() - Forget what was @before; or have that again, if not @is_good. */
void keys_renewed(struct keys *k, struct keys *before, bool is_good);

/* keys_have() - Whether the peers file @path, as of keys_peers(), is one of those in use. */
bool keys_have(const struct keys *k, const char *path);

/* keys_own() - Who we are, as the file of our key has it now. Return: it; NULL: without --key. */
const struct identity *keys_own(struct keys *k);

/*
 * keys_peers() - The peers of a listener, as their file has them now.
 * @path: of the endpoint's peers=; "": the file of --peers
 *
 * Return: they are there until the next call of any of these functions; NULL: the listener
 * has none, and is not sealed.
 */
const struct peers *keys_peers(struct keys *k, const char *path);

/*
 * keys_look_now() - Have the next keys_peers() look at its file, however short a time ago it
 * did so last: for one who has proved that it is a peer, which nobody else can have us do.
 * While the broker does not answer, this does nothing.
 */
void keys_look_now(struct keys *k, const char *path);

/*
 * keys_psk() - Read the secret that is shared with a peer. The caller wipes it.
 * @path: of the endpoint's psk_path, or of the peer's; NULL or "": there is none
 * @psk:  set to it; all zeros if there is none, or after an error
 * @why:  on error, one line; @size bytes
 *
 * Return: 0 or -errno.
 */
int keys_psk(struct keys *k, const char *path, uint8_t psk[SEAL_KEY_BYTES], char *why,
	     size_t size);

/*
 * keys_limit() - How many bytes the file @path may have, if @conf, or a peers file that it
 * names, names it as one of keys; for the broker. Return: 0 if not.
 */
size_t keys_limit(struct keys *k, const struct conf *conf, const char *path);

/* keys_free() - Forget all, and wipe what is secret. @k is empty afterwards. */
void keys_free(struct keys *k);

#endif
