/* SPDX-License-Identifier: MIT */
/* netrelay genkey and netrelay pubkey: make keys, as wg(8) does. */
#ifndef KEY_TOOL_H
#define KEY_TOOL_H

/*
 * key_tool_genkey() - Write a new private key to stdout, and warn if that is a file that
 * others can read. It logs errors. Return: 0 or -errno.
 */
int key_tool_genkey(void);

/*
 * key_tool_pubkey() - Read a private key from stdin, and write the public one that belongs
 * to it to stdout. It logs errors. Return: 0 or -errno.
 */
int key_tool_pubkey(void);

#endif
