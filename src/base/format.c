/* SPDX-License-Identifier: MIT */
/*
 * A printf() for those conversions that our formats use. The C library's knows floating
 * point and wide characters, too, and with them is 11 KB of a static program.
 */
#include "base/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define DIGITS_MAX 20 /* of UINT64_MAX, in decimal */

/*
 * @buf, @size: as given to format_text()
 * @len:        bytes that the whole text has so far, also those beyond @size
 */
struct out {
	char *buf;
	size_t size, len;
};

/*
 * A conversion, between its % and its letter.
 * @width:     fewest characters to write
 * @precision: most bytes of a string, or fewest digits; negative: not given
 */
struct conversion {
	bool is_left, has_zeros;
	int width, precision;
};

static void add(struct out *out, const char *text, size_t len)
{
	if (out->len < out->size) {
		size_t room = out->size - out->len;

		memcpy(out->buf + out->len, text, min_size(len, room));
	}
	out->len += len;
}

static void add_times(struct out *out, char c, int n)
{
	while (n-- > 0)
		add(out, &c, 1);
}

static void add_padded(struct out *out, const struct conversion *c, const char *text,
		       int len)
{
	add_times(out, ' ', c->is_left ? 0 : c->width - len);
	add(out, text, (size_t)len);
	add_times(out, ' ', c->is_left ? c->width - len : 0);
}

static void add_string(struct out *out, const struct conversion *c, const char *text)
{
	size_t most = c->precision < 0 ? INT32_MAX : (size_t)c->precision;

	add_padded(out, c, text, (int)strnlen(text, most));
}

static void add_number(struct out *out, struct conversion c, uint64_t value,
		       unsigned base, bool is_negative)
{
	char digits[DIGITS_MAX], *end = digits + sizeof(digits), *p = end;
	int len, zeros = c.precision < 0 ? 1 : c.precision;

	for (; value; value /= base)
		*--p = "0123456789abcdef"[value % base];
	len = (int)(end - p);
	c.width -= is_negative;
	if (c.has_zeros && !c.is_left && c.precision < 0 && c.width > zeros)
		zeros = c.width;
	zeros = zeros > len ? zeros - len : 0;
	add_times(out, ' ', c.is_left ? 0 : c.width - zeros - len);
	add(out, "-", is_negative);
	add_times(out, '0', zeros);
	add(out, p, (size_t)len);
	add_times(out, ' ', c.is_left ? c.width - zeros - len : 0);
}

/* Read a width or a precision at *@fmt, a number or a star. */
static int read_size(const char **fmt, va_list *ap)
{
	int n = 0;

	if (**fmt == '*') {
		++*fmt;
		return va_arg(*ap, int);
	}
	while (**fmt >= '0' && **fmt <= '9')
		n = n * 10 + *(*fmt)++ - '0';
	return n;
}

/* Read what stands between a % and its letter; *@fmt is left at the size or the letter. */
static struct conversion read_conversion(const char **fmt, va_list *ap)
{
	struct conversion c = { .precision = -1 };

	for (; **fmt == '-' || **fmt == '0'; ++*fmt) {
		c.is_left |= **fmt == '-';
		c.has_zeros |= **fmt == '0';
	}
	c.width = read_size(fmt, ap);
	if (c.width < 0) {
		c.is_left = true;
		c.width = -c.width;
	}
	if (**fmt == '.') {
		++*fmt;
		c.precision = read_size(fmt, ap);
	}
	return c;
}

/* Take the next argument of a number: as wide as a long if @longs is 1, a long long if 2. */
static uint64_t unsigned_arg(va_list *ap, int longs)
{
	if (longs == 2)
		return va_arg(*ap, unsigned long long);
	return longs ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned);
}

static int64_t signed_arg(va_list *ap, int longs)
{
	if (longs == 2)
		return va_arg(*ap, long long);
	return longs ? va_arg(*ap, long) : va_arg(*ap, int);
}

/* Write what the conversion behind a % asks for. Return: what follows it in @fmt. */
static const char *convert(struct out *out, const char *fmt, va_list *ap)
{
	struct conversion c = read_conversion(&fmt, ap);
	int longs = 0;
	int64_t value;
	char letter;

	/* A size_t is as wide as a long wherever Linux runs. */
	for (; *fmt == 'l' || *fmt == 'z'; fmt++)
		longs++;
	letter = *fmt++;
	switch (letter) {
	case 's':
		add_string(out, &c, va_arg(*ap, const char *));
		break;
	case 'd':
		value = signed_arg(ap, longs);
		add_number(out, c, value < 0 ? -(uint64_t)value : (uint64_t)value, 10,
			   value < 0);
		break;
	case 'u':
	case 'x':
		add_number(out, c, unsigned_arg(ap, longs), letter == 'x' ? 16 : 10,
			   false);
		break;
	case 'c':
		letter = (char)va_arg(*ap, int);
		add_padded(out, &c, &letter, 1);
		break;
	case '%':
		add(out, &letter, 1);
		break;
	default:
		abort();
	}
	return fmt;
}

int format_text(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out out = { .buf = buf, .size = size ? size - 1 : 0 };
	va_list ap;

	/* A copy, for a va_list that is an array can't be passed on by its address. */
	va_copy(ap, args);
	while (*fmt) {
		size_t plain = strcspn(fmt, "%");

		add(&out, fmt, plain);
		fmt += plain;
		if (*fmt)
			fmt = convert(&out, fmt + 1, &ap);
	}
	va_end(ap);
	if (size)
		buf[min_size(out.len, out.size)] = '\0';
	return (int)out.len;
}
