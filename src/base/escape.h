/* SPDX-License-Identifier: MIT */
/*
 * Makes text from outside safe to show: names, paths, words of a peer or of a
 * program. Such text must neither control a terminal nor break a line in two.
 */
#ifndef ESCAPE_H
#define ESCAPE_H

#include <stddef.h>
#include <stdint.h>

/*
 * escape_text() - Copy @from to @to in printable ASCII.
 * @to:   set to the copy; it is cut to fit, but never within an escape
 * @size: bytes at @to, including the NUL; with 0 nothing is written
 *
 * Each byte that is not printable ASCII (0x20 to 0x7e) becomes four characters: a
 * control character such as \x1b, or each byte of a UTF-8 sequence, as in \xc3\xb6.
 * A backslash stays as it is, so that escaping a text twice changes nothing.
 *
 * Return: bytes of the copy, without the NUL.
 */
size_t escape_text(char *to, size_t size, const char *from);

#define ESCAPE_QUOTED_MAX 64 /* bytes of escape_quoted()'s longest text, with its NUL */

/*
 * escape_quoted() - Quote the beginning of unknown data in a message.
 * @to:   set to the quote; ESCAPE_QUOTED_MAX bytes
 * @from: the data, @n bytes
 *
 * If the data begins with four or more printable bytes, the quote is "text", of up to
 * 32 of them. Otherwise it is up to 12 bytes in hexadecimal.
 *
 * Return: @to.
 */
const char *escape_quoted(char *to, const uint8_t *from, size_t n);

#endif
