/* SPDX-License-Identifier: MIT */
/*
 * A private key is any 32 random bytes: X25519 sets and clears the bits that it must
 * (RFC 7748, section 5), and wg(8) takes a key with or without that.
 *
 * #syscalls: fstat read
 */
#include "client/key-tool.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "seal/key.h"

#define INPUT_MAX (KEY_CHARS + 3) /* a key and its line break, and more */

/* Write a key and a line break to stdout. */
static int print_key(const uint8_t key[SEAL_KEY_BYTES])
{
	char text[KEY_TEXT_MAX];
	int ret;

	key_write(text, key);
	text[KEY_CHARS] = '\n';
	ret = write_all(STDOUT_FILENO, text, sizeof(text));
	crypto_wipe(text, sizeof(text));
	if (ret < 0)
		log_warn("stdout: %s", strerror(-ret));
	return ret;
}

/* Bits as RFC 7748 has them, so that one private key has one text. */
static void clamp(uint8_t key[SEAL_KEY_BYTES])
{
	key[0] &= 248;
	key[31] = (uint8_t)((key[31] & 127) | 64);
}

int key_tool_genkey(void)
{
	uint8_t key[SEAL_KEY_BYTES];
	struct stat st;
	int ret = crypto_random(key, sizeof(key));

	if (ret < 0) {
		log_warn("genkey: no random bytes: %s", strerror(-ret));
		return ret;
	}
	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077))
		log_warn("genkey: others can read the file that this key is written to; "
			 "chmod 600 it, and say umask 077 before the next one");
	clamp(key);
	ret = print_key(key);
	crypto_wipe(key, sizeof(key));
	return ret;
}

/* Read until the end, or until it is too much. Return: bytes; -errno. */
static ssize_t read_input(char text[INPUT_MAX])
{
	size_t len = 0;
	ssize_t n = 1;

	while (len < INPUT_MAX && n != 0) {
		n = read(STDIN_FILENO, text + len, INPUT_MAX - len);
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)len;
}

int key_tool_pubkey(void)
{
	uint8_t key[SEAL_KEY_BYTES], public[SEAL_KEY_BYTES];
	char text[INPUT_MAX];
	ssize_t len = read_input(text);
	int ret = len < 0 ? (int)len : key_read_file(key, text, (size_t)len);

	if (len < 0) {
		log_warn("stdin: %s", strerror(-ret));
	} else if (ret < 0) {
		log_warn("pubkey: stdin has no key: one line of 44 characters, which "
			 "netrelay genkey prints");
	} else {
		crypto_public(public, key);
		ret = print_key(public);
	}
	crypto_wipe(text, sizeof(text));
	crypto_wipe(key, sizeof(key));
	return ret;
}
