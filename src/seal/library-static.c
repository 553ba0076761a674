/* SPDX-License-Identifier: MIT */
/*
 * What Debian's BearSSL and libsodium, which were compiled for glibc, call and musl has not:
 * functions that also know how much room there is (Linux Standard Base, "__memcpy_chk").
 */
#include <stddef.h>
#include <string.h>

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room);
void *__memmove_chk(void *to, const void *from, size_t n, size_t room);
void *__memset_chk(void *to, int c, size_t n, size_t room);
void __explicit_bzero_chk(void *to, size_t n, size_t room);

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
	if (n > room)
		__builtin_trap();
	return memcpy(to, from, n);
}

void *__memmove_chk(void *to, const void *from, size_t n, size_t room)
{
	if (n > room)
		__builtin_trap();
	return memmove(to, from, n);
}

void *__memset_chk(void *to, int c, size_t n, size_t room)
{
	if (n > room)
		__builtin_trap();
	return memset(to, c, n);
}

void __explicit_bzero_chk(void *to, size_t n, size_t room)
{
	if (n > room)
		__builtin_trap();
	explicit_bzero(to, n);
}
