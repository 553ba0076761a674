/* SPDX-License-Identifier: MIT */
/*
 * Text from outside - names, paths, what a peer or a program said - made safe
 * to show: it must neither steer a terminal nor break a line in two.
 */
#ifndef ESCAPE_H
#define ESCAPE_H

#include <stddef.h>
#include <stdint.h>

/*
 * escape_text() - Copy @from to @to, all of it printable ASCII.
 * @to:   set to the copy, cut to the room there is, but never within an escape
 * @size: bytes at @to, the NUL's included; with 0 nothing is written
 *
 * Each byte that is not printable ASCII (0x20 to 0x7e) becomes four: a control
 * character as \x1b, and so does every byte of a UTF-8 sequence, as in \xc3\xb6.
 * A backslash stays as it is, so that what is escaped already stays the same.
 *
 * Return: the length of the copy.
 */
size_t escape_text(char *to, size_t size, const char *from);

#define ESCAPE_QUOTED_MAX 64 /* escape_quoted()'s longest, with its NUL */

/*
 * escape_quoted() - The first bytes of something, at @to, ESCAPE_QUOTED_MAX bytes: as
 * "text" up to the first byte that is none, if there are four or more ahead of it;
 * else as hexadecimal.
 *
 * Return: @to.
 */
const char *escape_quoted(char *to, const uint8_t *from, size_t n);

#endif
