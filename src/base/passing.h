/* SPDX-License-Identifier: MIT */
/* Tells errors that pass by themselves from mistakes of who set things up. */
#ifndef PASSING_H
#define PASSING_H

#include <stdbool.h>

/*
 * passing_error() - Whether what has failed may work later, though nobody corrects the
 * command line.
 * @err:   -errno
 * @waits: whatever is named may still come into being: an interface, an address, a folder
 *
 * The kernel or this process may be short of something for a while, always.
 */
bool passing_error(int err, bool waits);

#endif
