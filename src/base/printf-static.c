/* SPDX-License-Identifier: MIT */
/*
 * snprintf() and vsnprintf() of the static program. The linker takes these in place of the
 * C library's, also for inet_ntop(), so that printf() and floating point stay out.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/format.h"

int vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	return format_text(buf, size, fmt, args);
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = format_text(buf, size, fmt, args);
	va_end(args);
	return len;
}
