/* SPDX-License-Identifier: MIT */
/* Capabilities (capabilities(7)) by system calls; libcap is not needed. */
#ifndef CAPS_H
#define CAPS_H

#include <stdbool.h>
#include <stdint.h>

/* CAP_BIT() - The bit of capability @cap in a mask. */
#define CAP_BIT(cap) (UINT64_C(1) << (cap))

/*
 * caps_bound() - Make the bounding set @mask at most: programs that are run get no other
 * capability. Without CAP_SETPCAP it stays as it is.
 */
void caps_bound(uint64_t mask);

/*
 * caps_keep() - Give up all capabilities but those of @mask, in every set that a process
 * can change. It gives none that the process does not have. One that is ambient and in
 * @mask remains ambient: this tells it from a capability of the program file.
 *
 * Return: 0 or -errno.
 */
int caps_keep(uint64_t mask);

/*
 * caps_set() - Have exactly these permitted and effective, and none inheritable or ambient.
 * All must be permitted already.
 *
 * Return: 0 or -errno.
 */
int caps_set(uint64_t permitted, uint64_t effective);

/* caps_permits() - Whether the process has capability @cap, or may take it in use. */
bool caps_permits(int cap);

/* caps_has() - Whether the process has capability @cap (effective). */
bool caps_has(int cap);

#endif
