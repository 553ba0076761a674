/* SPDX-License-Identifier: MIT */
/*
 * The peers file: who may come to a listener, by public keys; as authorized_keys of sshd(8)
 * is. A line a peer:
 *
 *	PUBKEY NAME [isolated] [mac=ADDR ...] [pad=0] [storm=N] [psk=FILE]
 *
 * Words are separated by blanks; one with blanks stands in double quotes (base/quote.h). A #
 * behind a blank, or at the beginning of a line, begins a comment.
 */
#ifndef PEERS_H
#define PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/endpoint.h"

#define PEERS_BYTES ((size_t)4 << 20) /* of a file */
#define PEERS_LINE_MAX 1024	      /* bytes of a line, without its end */
#define PEERS_WHY_MAX 1200	      /* bytes of a message, with its NUL */

/*
 * A line of the file.
 * @key:      the peer's public key
 * @name:     of its port; see endpoint-name.h
 * @psk_path: the file of the secret that it shares with us; one that is relative to the
 *            peers file's folder has that ahead of it. NULL: there is none
 * @line:     its number, from 1
 */
struct peer {
	uint8_t key[SEAL_KEY_BYTES];
	char name[ENDPOINT_PORT_NAME_MAX];
	struct endpoint_rules rules;
	char *psk_path;
	unsigned line;
};

/* @list: sorted by key. One of all zeros is empty. */
struct peers {
	struct peer *list;
	size_t n;
};

/*
 * peers_read() - Read the text of a peers file.
 * @p:    filled in; empty after an error
 * @path: the file's, for messages and for relative paths
 * @text: @n bytes and a NUL; cut up in place
 * @why:  on error, one line: FILE:LINE, what is wrong, and what to do
 * @size: bytes at @why; PEERS_WHY_MAX are enough
 *
 * Return: 0; -EINVAL if anything is wrong with the file; -ENOMEM.
 */
int peers_read(struct peers *p, const char *path, char *text, size_t n, char *why,
	       size_t size);

/* peers_find() - Find a peer by its public key, in O(log n). Return: it or NULL. */
const struct peer *peers_find(const struct peers *p, const uint8_t key[SEAL_KEY_BYTES]);

/* peers_free() - Free the list; it is empty afterwards. There is no secret in it. */
void peers_free(struct peers *p);

#endif
