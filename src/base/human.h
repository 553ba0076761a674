/* SPDX-License-Identifier: MIT */
/* Writes numbers and times for people: short, and always about equally wide. */
#ifndef HUMAN_H
#define HUMAN_H

#include <stdint.h>

#define HUMAN_MAX 24 /* bytes of the longest text of these, with its NUL */

/*
 * human_count() - Write @n as 9999, 12.3k, 123k, 1.23M and so on; k stands for 1000.
 * @buf: HUMAN_MAX bytes
 *
 * Return: @buf.
 */
const char *human_count(uint64_t n, char *buf);

/*
 * human_time() - Write a time as 59s, 3m12s, 2h14m or 5d03h.
 * @ms:  milliseconds; parts of a second are cut off
 * @buf: HUMAN_MAX bytes
 *
 * Return: @buf.
 */
const char *human_time(uint64_t ms, char *buf);

#endif
