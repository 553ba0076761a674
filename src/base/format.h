/* SPDX-License-Identifier: MIT */
/*
 * The printf() of the static program. Its sources call snprintf() and vsnprintf(), as
 * anywhere; the static program has these from here, other builds from the C library.
 */
#ifndef FORMAT_H
#define FORMAT_H

#include <stdarg.h>
#include <stddef.h>

#include "base/util.h"

/*
 * format_text() - Do what vsnprintf() does, for the conversions s, d, u, x, c and %, with
 * the flags - and 0, a width, a precision, and the sizes l, ll and z. Any other one ends
 * the program; ci/lint looks for those in all formats.
 * @buf:  gets the text and a NUL, cut to @size bytes; not used if @size is 0
 * @args: read through a copy
 *
 * Return: the length of the whole text, which did not fit if it is @size or more.
 */
int format_text(char *buf, size_t size, const char *fmt, va_list args) PRINTF_LIKE(3, 0);

#endif
