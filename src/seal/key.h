/* SPDX-License-Identifier: MIT */
/*
 * Keys as text: base64 (RFC 4648, section 4) of 32 bytes, the form that wg(8) has. A key is
 * private, or the public one that belongs to it, or a secret that two peers share; all look
 * the same.
 */
#ifndef KEY_H
#define KEY_H

#include <stddef.h>
#include <stdint.h>

#include "seal/crypto.h"

#define KEY_CHARS 44		     /* of the text, without a NUL */
#define KEY_TEXT_MAX (KEY_CHARS + 1) /* with it */

/*
 * key_read() - Read a key.
 * @key:  set to it, also after an error to something without meaning
 * @text: @len bytes; they must be exactly a key as key_write() writes it, so that no two
 *        texts are the same key
 *
 * The time that it takes depends on @len alone.
 *
 * Return: 0 or -EINVAL.
 */
int key_read(uint8_t key[SEAL_KEY_BYTES], const char *text, size_t len);

/*
 * key_read_file() - Read what a file of a key has: a key, and a line break or none.
 * Otherwise as key_read().
 */
int key_read_file(uint8_t key[SEAL_KEY_BYTES], const char *text, size_t len);

/* key_write() - Write a key, with a NUL. The time that it takes is always the same. */
void key_write(char text[KEY_TEXT_MAX], const uint8_t key[SEAL_KEY_BYTES]);

#endif
